"""Coefficients and what inference makes of them; everything is derived on request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from didjack._typing import Floats, Ints
from didjack.averaging.schemes import Scheme
from didjack.engine.fit import Fit
from didjack.errors import InferenceWarning, OptionError, UnknownOptionError, warn
from didjack.inference import wald
from didjack.inference.coefficients import Coefficients
from didjack.inference.evidence import Evidence
from didjack.inference.kinds import KINDS
from didjack.inference.pretest import pretest
from didjack.inference.targets import Targets
from didjack.options import (
    Options,
    Vcov,
    check_alpha,
    check_choice,
    check_flag,
    check_listed,
    check_share,
    reject_unknown,
)
from didjack.results.copies import labelled, own_frame
from didjack.results.view import View


@dataclass(frozen=True, eq=False, repr=False)
class Estimates(ABC):
    """Coefficients with their variance and the tests made from it."""

    _fit: Fit
    _targets: Targets

    # -- what was asked for -------------------------------------------------------------------

    @property
    def options(self) -> Options:
        """The options of the call of `csdid`."""
        return self._fit.options

    @property
    def alpha(self) -> float:
        """One minus the level of confidence intervals."""
        return self.options.alpha

    @property
    def nobs(self) -> int:
        """Number of rows in the sample that was used."""
        return self._fit.layout.n_obs

    @property
    def sample(self) -> pd.DataFrame:
        """The ledger of the sample rules: what each one dropped or recoded, and why."""
        return own_frame(self._fit.ledger)

    @property
    @abstractmethod
    def title(self) -> str:
        """What the table of coefficients is called."""

    @property
    @abstractmethod
    def _scheme(self) -> Scheme | None:
        """What the coefficients are averages over."""

    @property
    @abstractmethod
    def _overall_targets(self) -> Targets | None:
        """Targets whose last coefficient is the overall ATT; None where there is none."""

    @property
    @abstractmethod
    def _before(self) -> Ints:
        """Positions of coefficients before treatment, and before any anticipation of it."""

    @abstractmethod
    def _on(self, fit: Fit) -> Self:
        """Return the same coefficients of another fit."""

    def _with_vcov(self, kind: str) -> Self:
        """Return the same coefficients with another variance."""
        check_choice("vcov", kind)
        if kind == self.options.vcov:
            return self
        return self._on(self._fit.under(vcov=kind))

    @cached_property
    def _coefficients(self) -> Coefficients:
        return Coefficients(Evidence(self._fit, self._targets))

    @property
    def view(self) -> View:
        """What tables and pictures read of the result: a `ResultView`, read only."""
        return View(
            coefficients=self._coefficients,
            title=self.title,
            scheme=self._scheme,
            overall=lambda: self._overall_targets,
            under=lambda kind: self._with_vcov(kind).view,
            positions_before=self._before,
        )

    def _level(self, alpha: float | None) -> float:
        return self.alpha if alpha is None else check_alpha(alpha)

    # -- coefficients -------------------------------------------------------------------------

    def _statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Build the table of all coefficients without labels."""
        return self._coefficients.table(self._level(alpha))

    def tidy(self, alpha: float | None = None) -> pd.DataFrame:
        """Return one row for each coefficient.

        Parameters
        ----------
        alpha : float, optional
            One minus the level of the intervals; default: that of the call of `csdid`.

        Returns
        -------
        DataFrame
            Labels, then estimate, std_error, statistic, df, p_value, conf_low, conf_high (in
            units of the outcome), n_replicates (used), n_retargeted and status.
        """
        labels = own_frame(self._targets.labels)
        table = self._statistics(alpha).iloc[: len(labels)]
        return pd.concat([labels.reset_index(drop=True), table], axis=1)

    def confint(
        self, alpha: float | None = None, joint: bool = False, **unknown: Any
    ) -> pd.DataFrame:
        """Return confidence intervals, one row for each coefficient.

        Parameters
        ----------
        alpha : float, optional
            One minus the confidence level; default: that of the call of `csdid`.
        joint : bool
            Simultaneous bands: the probability that they cover all coefficients at once is
            1 - `alpha`. The critical value is that of the largest absolute value of a t vector
            with the estimated correlation and the smallest degrees of freedom among the
            coefficients (normal where these are infinite). It is simulated with `seed`, with a
            standard error below 0.005; with ``vcov="bootstrap"`` it is the quantile of the
            largest absolute t statistic of the draws. A band is never narrower than the pointwise
            interval. Coefficients without a standard error and reference periods do not take
            part, nor does the overall of an aggregation, which is an average of the others and
            keeps its own interval.

        Returns
        -------
        DataFrame
            conf_low and conf_high by coefficient. With `joint`, ``attrs`` has the critical value,
            its simulation_error and n_draws.

        Raises
        ------
        OptionError
            `alpha` is no number between 0 and 0.5: 0.05 is the one of 95 percent.

        References
        ----------
        Callaway & Sant'Anna (2021), section 4.1, doi:10.1016/j.jeconom.2020.12.001. Montiel Olea
        & Plagborg-Møller (2019), doi:10.1002/jae.2656.
        """
        if "level" in unknown:
            raise UnknownOptionError(
                "confint has no level, but alpha, which is one minus it: alpha=0.05 for 95 percent"
            )
        reject_unknown(unknown, ["alpha", "joint"])
        alpha, joint = self._level(alpha), check_flag("joint", joint)
        names = ["conf_low", "conf_high"]
        if not joint:
            return labelled(self._coefficients.intervals(alpha), self._targets.index, names)
        ends, found = self._coefficients.band(alpha)
        table = labelled(ends, self._targets.index, names)
        index = self._targets.index[self._targets.components].tolist()
        table.attrs["critical_values"] = dict(zip(index, found.value.tolist(), strict=True))
        table.attrs["critical_value"] = float(np.nanmax(found.value, initial=-np.inf))
        table.attrs["simulation_error"] = float(np.nanmax(found.error, initial=0.0))
        table.attrs["n_draws"] = found.n_draws
        return table

    def vcov(self, kind: Vcov | None = None) -> pd.DataFrame:
        """Return the covariance matrix of the coefficients.

        Parameters
        ----------
        kind : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            Default: that of the call of `csdid`. "analytic" is clustered if the call named
            clusters. "bootstrap" has the correlations of the draws.

        Returns
        -------
        DataFrame
            Labelled; its diagonal is `std_error` squared. Rows and columns of coefficients
            without a standard error are NaN. Where replicates are left out
            (``undefined="skip"``), a covariance uses those that both coefficients have.
        """
        if kind is not None:
            check_choice("vcov", kind)
        made = KINDS[self.options.vcov if kind is None else kind]
        index = self._targets.index
        return labelled(self.view.made_for(made).covariance(made), index, index)

    # -- hypotheses ---------------------------------------------------------------------------

    def wald_test(self, R: Any = None, q: ArrayLike | None = None) -> pd.Series:
        r"""Test linear restrictions on the coefficients jointly.

        .. math:: F = (R \theta - q)' (R V R')^+ (R \theta - q) / k

        with V the covariance matrix and k the rank of :math:`R V R'` (eigenvalues of its
        correlation matrix below 1e-10 of the largest count as zero) is compared with F(k, df). df
        is the number of replicates less one for the jackknife, H - 1 for clustered and infinite
        (:math:`\chi^2_k / k`) for other analytic and for bootstrap standard errors. With
        ``undefined="skip"`` the replicates that all coefficients in the test have are used.

        Parameters
        ----------
        R : list, mapping, DataFrame or array, optional
            - list of labels: each of these coefficients;
            - mapping or Series from label to weight: one linear combination; a list of them:
              several;
            - DataFrame with labels as columns: one combination a row;
            - array of as many columns as coefficients (the overall may be left out).

            Default: all coefficients but reference periods; for an aggregation its components,
            not the overall, which is an average of them.
        q : float or array, optional
            Values of the combinations under the hypothesis; default: zero.

        Returns
        -------
        Series
            statistic (F), df_num, df_denom, p_value, rank, and reason. NaN, with the reason, if a
            coefficient has no standard error or if there are more restrictions than independent
            replicates (clusters, units) less one.

        Warns
        -----
        InferenceWarning
            There is no test, and why.

        Notes
        -----
        F tests of many restrictions reject too often when there are few clusters. They are close
        to what they should be only if the restrictions are far fewer than the replicates.
        """
        targets = self._targets
        if R is None:
            tested = targets.components[~targets.reference[targets.components]]
            weights = np.eye(len(targets.index))[tested]
        else:
            weights = wald.restrictions(R, targets.index, targets.components.size)
        return self._wald(weights, wald.values_of(q, len(weights)))

    def _wald(self, weights: Floats, values: Floats) -> pd.Series:
        """Test (L, M) restrictions, and warn if that cannot be done."""
        return _tested(self._coefficients.test(weights, values))

    def pretest(self, missing: Literal["drop", "nan"] = "drop") -> pd.Series:
        r"""Test that what comes before treatment is zero: pre-treatment ATT(g,t), or event times.

        These are those with t < g less `anticipation`; the periods from there up to g may have
        effects already and are left out, as are the reference periods of a universal base.

        Parameters
        ----------
        missing : {"drop", "nan"}
            If some have no standard error: test the others, less those that follow from them
            ("drop"), or no test ("nan").

        Returns
        -------
        Series
            As of `wald_test`: statistic, df_num, df_denom, p_value, rank, reason,
            simulation_error; left_out, the labels of those without a standard error;
            largest_violation, the largest absolute end of the simultaneous band of those tested: so
            large a violation of parallel trends the data do not exclude.

        Raises
        ------
        OptionError
            An aggregation without event times.

        Warns
        -----
        InferenceWarning
            There is no test, and why.

        Notes
        -----
        With a varying base the pre-treatment ATT(g,t) are changes from one period to the next,
        with a universal base changes up to the last period before treatment; the test is the same.
        R's `did` also tests periods of anticipation. A test that does not reject is no evidence of
        parallel trends where it has little power: look at largest_violation.

        References
        ----------
        Callaway & Sant'Anna (2021), section 4, doi:10.1016/j.jeconom.2020.12.001. Roth (2022),
        Pretest with caution, AER: Insights 4, doi:10.1257/aeri.20210236.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> test = res.pretest()
        >>> test["df_num"], round(test["p_value"], 2)
        (5, 0.18)
        """
        check_listed("missing", missing, ("drop", "nan"))
        if self._scheme is not None and not self._scheme.leads:
            raise OptionError(
                f"pretest() needs event times or ATT(g,t), not {self.title}: "
                "result.pretest() or result.aggregate('event').pretest()"
            )
        test = pretest(self._coefficients, self._before, missing == "drop", self.alpha)
        return _tested(test)

    def mde(self, power: float = 0.8, alpha: float | None = None) -> pd.Series:
        r"""Return the minimum detectable effects: how small an effect the design can find.

        .. math:: MDE = (c_{1 - \alpha / 2} + c_{power})\, SE

        with the quantiles of the law that tests of the coefficient use. An effect of that size is
        found, by a two-sided test, with that probability.

        Parameters
        ----------
        power : float
            Probability of finding the effect, above 0 and below 1.
        alpha : float, optional
            Level of the test; default: that of the call of `csdid`.

        Returns
        -------
        Series
            By coefficient, in units of the outcome; NaN without a standard error.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> round(res.aggregate("simple").mde()["overall"], 3)
        0.035
        """
        check_share("power", power)
        found = self._coefficients.own_variance.detectable(self._level(alpha), power)
        return pd.Series(found, index=self._targets.index, name="mde")

    def lincomb(
        self,
        weights: Mapping[Any, float] | pd.Series | Sequence[float] | Floats,
        alpha: float | None = None,
    ) -> pd.Series:
        """Estimate a linear combination of the coefficients.

        The combination is formed in every replicate, so its CV3 is that of the combination
        itself: it is undefined in a replicate in which one of its coefficients is.

        Parameters
        ----------
        weights : mapping or Series from label to weight, or array
            An array has one weight a coefficient; the overall may be left out.
        alpha : float, optional
            One minus the level of the interval.

        Returns
        -------
        Series
            The columns of `tidy` from estimate on.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> study = res.aggregate("event")
        >>> print(f"{study.lincomb({0: 0.5, 1: 0.5})['estimate']:.4f}")
        -0.0354
        >>> cohorts = res.aggregate("group")
        >>> print(f"{cohorts.lincomb({2006: 1, 2007: -1})['p_value']:.3f}")
        0.894
        """
        row = wald.weights_of(weights, self._targets.index, self._targets.components.size)
        table = self._coefficients.combination(row, "lincomb", self._level(alpha))
        return table.iloc[0].rename("lincomb")


def _tested(test: pd.Series) -> pd.Series:
    """Warn if a test could not be made."""
    if test["reason"]:
        warn(f"no Wald test: {test['reason']}", InferenceWarning)
    return test
