"""Coefficients with their variances and the intervals made from them: methods of `Result`."""

from __future__ import annotations

import inspect
from typing import NamedTuple, Never

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.errors import OptionError, UnknownOptionError
from didjack.inference import statistics
from didjack.inference.coefficients import Coefficients
from didjack.inference.diagnostics import unseen_variation
from didjack.inference.statistics import Variance
from didjack.inference.variance import KINDS
from didjack.inference.variance.base import Evidence, VarianceKind
from didjack.options import (
    Reference,
    Vcov,
    check_choice,
    check_flag,
    reject_unknown,
    validate_keywords,
)
from didjack.results.base import BaseResult
from didjack.results.result_view import View, labelled, own_frame, own_index
from didjack.status import Status, StatusCode


@validate_keywords
def tidy(
    self: BaseResult, alpha: float | None = None, overall: bool = False, joint: bool = False
) -> pd.DataFrame:
    """Return one row for each coefficient.

    Parameters
    ----------
    alpha : float, optional
        One minus the level of the intervals; default: that of the result.
    overall : bool
        Add the row "overall" of an aggregation, as the last row. The only row of a simple average
        gets this label.
    joint : bool
        Add the columns joint_low and joint_high, the simultaneous band of `confint`.

    Returns
    -------
    DataFrame
        Labels, then estimate, std_error, statistic, df, p_value, conf_low, conf_high (in
        units of the outcome), n_replicates (used), n_composition and status. Labels are group,
        time and event_time of ATT(g,t), and the event_time, group or time of an aggregated effect.

    Raises
    ------
    OptionError
        `alpha` is not a number between 0 and 0.5, or too small for a band from draws;
        ``overall=True`` for ATT(g,t), which have no overall effect.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> table = res.aggregate("group").tidy(overall=True, joint=True)
    >>> table[["group", "conf_low", "conf_high", "joint_low", "joint_high"]].round(3)
         group  conf_low  conf_high  joint_low  joint_high
    0     2004    -0.136     -0.024     -0.150      -0.010
    1     2006    -0.057      0.011     -0.065       0.019
    2     2007    -0.059      0.007     -0.067       0.014
    3  overall    -0.056     -0.006     -0.056      -0.006
    """
    overall, joint = check_flag("overall", overall), check_flag("joint", joint)
    table, targets = self._statistics(alpha), self._targets
    if joint:
        ends, _ = self._coefficients.band(self._level(alpha))
        place = list(table.columns).index("conf_high") + 1
        table.insert(place, "joint_low", ends[:, 0])
        table.insert(place + 1, "joint_high", ends[:, 1])
    labels = own_frame(targets.labels).reset_index(drop=True)
    if not overall:
        table = table.iloc[: len(labels)]
    elif self._scheme is None:
        raise OptionError(
            "overall=True needs aggregated effects: result.aggregate('simple').tidy(overall=True)"
        )
    else:
        labels = labels.astype(object)
        labels.loc[len(table) - 1] = targets.index[-1]
    return pd.concat([labels, table], axis=1)


def confint(
    self: BaseResult, alpha: float | None = None, joint: bool = False, **unknown: Never
) -> pd.DataFrame:
    r"""Return confidence intervals, one row for each coefficient.

    Parameters
    ----------
    alpha : float, optional
        One minus the confidence level; default: that of the result.
    joint : bool
        Simultaneous bands: the probability that they cover all coefficients at once is
        1 - `alpha`. See Notes.

    Returns
    -------
    DataFrame
        conf_low and conf_high by coefficient. With `joint`, ``attrs`` has critical_values, by
        coefficient; critical_value, the largest of them; its simulation_error, and n_draws.

    Raises
    ------
    OptionError
        `alpha` is not a number between 0 and 0.5; 0.05 gives 95% intervals. A band from B draws
        also needs `alpha` above 1 / (B + 1), the smallest possible p-value.

    Notes
    -----
    Intervals are :math:`\hat\theta_m \pm c_m SE_m`. For pointwise ones :math:`c_m` is the
    1 - `alpha` quantile of the absolute t statistic in its reference distribution. For bands:

    - jackknife with ``reference="model"``: from draws of the working model; each :math:`c_m` is
      exceeded equally often, and any of them with probability `alpha`;
    - bootstrap: the quantile of the largest absolute t statistic of the draws;
    - otherwise: the quantile of the largest absolute value of a t vector with the estimated
      correlation and the smallest degrees of freedom (normal where these are infinite).

    Simulated values depend on `seed`. A band is never narrower than the pointwise interval. It
    does not include coefficients without a standard error, base periods, and the overall effect
    of an aggregation, which is an average of the others and keeps its pointwise interval.

    References
    ----------
    Callaway & Sant'Anna (2021), section 4.1, doi:10.1016/j.jeconom.2020.12.001. Montiel Olea
    & Plagborg-Møller (2019), doi:10.1002/jae.2656.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> res.aggregate("group").confint().round(3)
             conf_low  conf_high
    group
    2004       -0.136     -0.024
    2006       -0.057      0.011
    2007       -0.059      0.007
    overall    -0.056     -0.006
    >>> band = res.aggregate("group").confint(joint=True)
    >>> {key: round(value, 2) for key, value in band.attrs["critical_values"].items()}
    {2004: 2.55, 2006: 2.46, 2007: 2.42}
    """
    if "level" in unknown:
        raise UnknownOptionError(
            "confint has no level; use alpha, one minus the level: alpha=0.05 for 95% intervals"
        )
    reject_unknown(unknown, ["alpha", "joint"])
    alpha, joint = self._level(alpha), check_flag("joint", joint)
    names = ["conf_low", "conf_high"]
    if not joint:
        return labelled(self._coefficients.intervals(alpha), self._targets.index, names)
    ends, found = self._coefficients.band(alpha)
    table = labelled(ends, self._targets.index, names)
    index = self._targets.index[self._targets.components].tolist()
    pairs = zip(index, found.value.tolist(), strict=True)
    table.attrs["critical_values"] = {key: value for key, value in pairs if np.isfinite(value)}
    table.attrs["critical_value"] = float(np.nanmax(found.value, initial=-np.inf))
    table.attrs["simulation_error"] = float(np.nanmax(found.error, initial=0.0))
    table.attrs["n_draws"] = found.n_draws
    return table


@validate_keywords
def vcov(self: BaseResult, kind: Vcov | None = None) -> pd.DataFrame:
    r"""Return the covariance matrix of the coefficients.

    Parameters
    ----------
    kind : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
        Default: that of the result. "analytic" is clustered if the call named clusters.
        "bootstrap" has the correlations of the draws.

    Returns
    -------
    DataFrame
        (M, M), labelled by coefficient; its diagonal is `std_error` squared. Rows and columns of
        coefficients without a standard error are NaN. Where replicates are left out
        (``undefined="skip"``), a covariance uses those that both coefficients have.

    Raises
    ------
    OptionError
        There is no such kind, or a jackknife has no clusters.

    Notes
    -----
    With R replicates :math:`\theta_{(h)}`, CV3 and CV3J are
    :math:`\frac{R-1}{R} \sum_h (\theta_{(h)} - c)(\theta_{(h)} - c)'`, c the estimate or the
    mean of the replicates; the analytic one is :math:`\sum_g \psi_g \psi_g'` with the influence
    :math:`\psi_g` of cluster or unit g.

    References
    ----------
    Karim, Nielsen, MacKinnon & Webb (2026). MacKinnon, Nielsen & Webb (2023), J. Applied
    Econometrics, doi:10.1002/jae.2969. Callaway & Sant'Anna (2021), section 4,
    doi:10.1016/j.jeconom.2020.12.001.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> (1e4 * res.aggregate("group").vcov()).round(2)
    group    2004  2006  2007  overall
    group
    2004     7.58  0.48  0.01     0.87
    2006     0.48  2.88  0.03     0.67
    2007     0.01  0.03  2.80     1.93
    overall  0.87  0.67  1.93     1.56
    """
    if kind is not None:
        check_choice("vcov", kind, called="kind")
    made = KINDS[self.options.vcov if kind is None else kind]
    index = self._targets.index
    return labelled(self._view.made_for(made).covariance(made), index, index)


# ---- what users of statsmodels and pyfixest type -------------------------------------------------


def _column(self: BaseResult, name: str) -> pd.Series:
    """Return one column of the table of coefficients, by coefficient."""
    values = self._statistics()[name].to_numpy(dtype=np.float64)
    return pd.Series(values, index=own_index(self._targets.index), name=name)


@validate_keywords
def coef(self: BaseResult) -> pd.Series:
    """Return the estimates by coefficient, as pyfixest does; also ``params``.

    Returns
    -------
    Series

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal").aggregate("group")
    >>> res.coef().round(4).to_dict()
    {2004: -0.0797, 2006: -0.0229, 2007: -0.0261, 'overall': -0.031}
    """
    return _column(self, "estimate")


def params(self: BaseResult) -> pd.Series:
    """Return the estimates by coefficient, as statsmodels has them."""
    # maketables takes all that has params, bse and pvalues for a result of statsmodels, before it
    # looks for what a result of didjack has for it. An error that is no AttributeError sends it on.
    frame = inspect.currentframe()
    caller = frame.f_back.f_globals.get("__name__") if frame and frame.f_back else None
    if caller == "maketables.extractors":
        raise TypeError("maketables reads __maketables_coef_table__")
    return coef(self)


@validate_keywords
def se(self: BaseResult) -> pd.Series:
    """Return the standard errors by coefficient, as pyfixest does; also ``bse``.

    Returns
    -------
    Series

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal").aggregate("group")
    >>> bool((res.se() == res.bse).all())
    True
    """
    return _column(self, "std_error")


@validate_keywords
def tstat(self: BaseResult) -> pd.Series:
    """Return the t statistics by coefficient, as pyfixest does; also ``tvalues``.

    Returns
    -------
    Series
    """
    return _column(self, "statistic")


@validate_keywords
def pvalue(self: BaseResult) -> pd.Series:
    """Return the p-values by coefficient, as pyfixest does; also ``pvalues``.

    Returns
    -------
    Series
    """
    return _column(self, "p_value")


@validate_keywords
def conf_int(self: BaseResult, alpha: float | None = None) -> pd.DataFrame:
    """Return pointwise confidence intervals, as statsmodels does; see `confint`.

    Parameters
    ----------
    alpha : float, optional
        One minus the confidence level; default: that of the result.

    Returns
    -------
    DataFrame
        conf_low and conf_high by coefficient.
    """
    return confint(self, alpha)


@validate_keywords
def cov_params(self: BaseResult) -> pd.DataFrame:
    """Return the covariance matrix of the coefficients, as statsmodels does; see `vcov`.

    Returns
    -------
    DataFrame
    """
    return vcov(self)


# ---- variances side by side ----------------------------------------------------------------------

COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
MOST_CLUSTERS = 200
"""With more clusters than this, permutations and placebos take long and add little."""
N_PERMUTATIONS = 199
REFERENCES: dict[Reference, str] = {"t": "t(R-1)", "model": "model"}
"""Reference distributions of the default kind of variance, as rows call them; the last is that
of the row to which standard errors are compared."""


class Estimator(NamedTuple):
    """Variances of all coefficients under one of the estimators that are compared.

    Attributes
    ----------
    variance, statuses : of the M coefficients
    replicates : whether they are made from replicates
    """

    variance: Variance
    statuses: list[Status]
    replicates: bool

    @classmethod
    def from_coefficients(cls, coefficients: Coefficients, kind: VarianceKind) -> Estimator:
        """Estimate them."""
        statuses = coefficients.statuses_under(kind)
        return cls(coefficients.variance(kind), statuses, kind.needs_replicates)

    def invalid(self, unseen: list[str]) -> list[str]:
        """Say why each coefficient's row is known to be wrong, (M,); empty where it is not.

        Parameters
        ----------
        unseen : (M,) the variation between clusters that analytic standard errors miss
        """
        found = []
        for bare, status, missed in zip(
            np.isnan(self.variance.std_error), self.statuses, unseen, strict=True
        ):
            skipped = status.code is StatusCode.SKIPPED
            if bare:
                found.append(status.why_invalid())
            elif self.variance.reference is not None or (self.replicates and not skipped):
                found.append("")
            else:
                found.append(missed or (status.why_invalid() if skipped else ""))
        return found


def compare(
    view: View,
    at: Ints,
    alpha: float,
    by_coefficient: bool,
    tests: dict[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """Tabulate coefficients, (m,) positions, under every variance that can be had.

    Rows are (coefficient, estimator) if `by_coefficient`, otherwise estimators.
    Replicates are computed if the result has none; nothing else is estimated again.

    Parameters
    ----------
    tests : further rows of the last coefficient, by name
    """
    found, tests = _estimators(view), tests or {}
    names = list(found)
    # One row for each coefficient and, within it, each estimator.
    which = np.repeat(at, len(names))
    estimate = view.targets.estimates.full
    tables = [statistics.statistics(estimate, one.variance, alpha) for one in found.values()]
    values = {
        name: np.stack([table[name][at] for table in tables], axis=1).ravel() for name in tables[0]
    }
    table = pd.DataFrame(values)
    own = found.get("CV3, model")
    table["ratio"] = np.nan if own is None else table["std_error"] / own.variance.std_error[which]
    unseen = unseen_variation(view.fit, view.targets)
    reasons = [one.invalid(unseen) for one in found.values()]
    table["invalid"] = [reason[m] for m in at.tolist() for reason in reasons]
    further = pd.DataFrame(list(tests.values()), columns=table.columns).astype(table.dtypes)
    further["invalid"] = ""
    key, rows = view.index[[*which, *[at[-1]] * len(tests)]], [*names * at.size, *tests]
    table = pd.concat([table, further]) if tests else table
    return table.set_axis(_labels(key, rows, by_coefficient))[[*COLUMNS, "ratio", "invalid"]]


def _labels(key: pd.Index, rows: list[str], by_coefficient: bool) -> pd.Index:
    """Label rows by their coefficient, if that is asked for, and their estimator."""
    if not by_coefficient:
        return pd.Index(rows, name="vcov")
    levels = [key.get_level_values(level) for level in range(key.nlevels)]
    labels = [str(name or "coefficient") for name in key.names]
    return pd.MultiIndex.from_arrays([*levels, rows], names=[*labels, "vcov"])


def _estimators(view: View) -> dict[str, Estimator]:
    """Estimate the variance of all coefficients in every way that the data allow.

    Kinds that need replicates come last, the default of them at the end, with each reference.
    """
    sample, kinds = view.options.sample, [KINDS[name] for name in KINDS]
    found = {}
    for kind in kinds:
        if kind.needs_replicates:
            continue
        name = kind.name
        if kind.clustered and not sample.by_unit:
            if view.fit.layout.of_units:
                alone = view.fit.under(vcov=kind.name).with_independent_units()
                by_unit = Coefficients(Evidence(alone, view.targets))
                found[name] = Estimator.from_coefficients(by_unit, kind)
            name = kind.clustered
        found[name] = Estimator.from_coefficients(view.coefficients, kind)
    if sample.panel or sample.cluster is not None:
        *others, default = [kind for kind in reversed(kinds) if kind.needs_replicates]
        coefficients = view.made_for(default)
        found |= {kind.name: Estimator.from_coefficients(coefficients, kind) for kind in others}
        for reference, name in REFERENCES.items():
            own = Coefficients(coefficients.evidence.under(reference=reference))
            found[f"{default.name}, {name}"] = Estimator.from_coefficients(own, default)
    return found
