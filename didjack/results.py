"""Frozen results: estimates and replicates are stored, everything else is derived on request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from didjack import inference
from didjack.aggregate import Averages, Window, aggregate
from didjack.att import REASONS, Code, Codes
from didjack.columns import Bools, Floats
from didjack.errors import (
    EstimationWarning,
    InferenceWarning,
    OptionError,
    UndefinedReplicateError,
    name_some,
    plural,
    warn,
)
from didjack.fit import Fit
from didjack.options import (
    AggregationType,
    AggregationWeights,
    Options,
    Vcov,
    aggregation_type,
    check_alpha,
    check_choice,
    reject_unknown,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from statsmodels.iolib.summary import Summary

OVERALL = "overall"


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """M coefficients in all replicates.

    Attributes
    ----------
    labels : DataFrame, M rows, the label columns of `tidy`
    index : labels of the coefficients in matrices
    theta : (R, M) estimates
    retargeted : (R, M) whether a replicate stands for other cells than the full sample
    reference : (M,) whether a coefficient is zero by construction
    status : why the full sample has an estimate or not, M of them
    code : (R, M) `Code` of each replicate, or None where all cells have to be missing
    averages : Averages, for aggregates
    """

    labels: pd.DataFrame
    index: pd.Index
    theta: Floats
    retargeted: Bools
    reference: Bools
    status: list[str]
    code: Codes | None = None
    averages: Averages | None = None

    def missing(self) -> Bools:
        """Return where the full sample has an estimate and a replicate has none, (H, M)."""
        return np.asarray(np.isnan(self.theta[1:]) & ~np.isnan(self.theta[0]))

    def why_missing(self, column: int, replicate: int) -> str:
        """Explain one missing replicate."""
        if self.code is None:
            return "none of its ATT(g,t) is left"
        return REASONS[Code(self.code[1 + replicate, column])]


@dataclass(frozen=True, eq=False, repr=False)
class Result(ABC):
    """What group-time and aggregated results share."""

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
        return self._fit.design.n_obs

    @property
    def sample(self) -> pd.DataFrame:
        """The ledger of the sample rules: what each one dropped or recoded, and why."""
        return self._fit.ledger.copy()

    @property
    @abstractmethod
    def title(self) -> str:
        """What the table of coefficients is called."""

    @abstractmethod
    def _on(self, fit: Fit) -> Result:
        """Return the same coefficients of another fit."""

    def _with_vcov(self, kind: Vcov | None) -> Result:
        """Return the same coefficients with another variance."""
        if kind is None or kind == self.options.vcov:
            return self
        check_choice("vcov", kind)
        return self._on(self._fit.with_vcov(kind))

    # -- tables -------------------------------------------------------------------------------

    @cached_property
    def _variance(self) -> inference.Variance:
        targets, options = self._targets, self.options
        if options.jackknife:
            found = inference.jackknife(targets.theta, options.undefined, options.vcov == "CV3J")
        elif options.vcov == "analytic":
            found = inference.analytic(self._influence_of_rows, self._analytic_df)
        else:
            raise OptionError(f"vcov={options.vcov!r} is not available yet")
        gone = targets.reference
        return inference.Variance(
            np.where(gone, np.nan, found.std_error),
            np.where(gone, np.nan, found.df),
            found.n_replicates,
        )

    @property
    def _analytic_df(self) -> float:
        return np.inf if self._fit.by_unit else self._fit.design.n_clusters - 1.0

    @cached_property
    def _influence_of_rows(self) -> Floats:
        """Influence of units or clusters on the coefficients, (G, M)."""
        on_att = self._fit.influence
        averages = self._targets.averages
        if averages is None:
            return on_att
        used = ((averages.loading != 0) | (averages.weight_loading != 0)).any(axis=0)
        on_weight = self._fit.weight_influence(averages.by_cell)
        by_att = on_att[:, used] @ averages.loading[:, used].T
        return np.asarray(by_att + on_weight[:, used] @ averages.weight_loading[:, used].T)

    def _status(self) -> list[str]:
        """Write the status of each coefficient: "ok", or a word for what is special about it."""
        targets, skip = self._targets, self.options.undefined == "skip"
        missing, turned = targets.missing(), targets.retargeted[1:].sum(axis=0)
        texts = list(targets.status)
        for m, text in enumerate(texts):
            if text != "ok" or not self.options.jackknife:
                continue
            if missing[:, m].any():
                why = inference.first_reason(
                    missing[:, m],
                    self._fit.design.cluster_labels,
                    partial(targets.why_missing, m),
                )
                left = int((~missing[:, m]).sum())
                texts[m] = f"{'skipped' if skip and left > 1 else 'undefined'}: {why}"
            elif turned[m]:
                texts[m] = "retargeted"
        return texts

    def _statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Build the table of all coefficients without labels."""
        targets = self._targets
        turned = (targets.retargeted[1:] & ~np.isnan(targets.theta[1:])).sum(axis=0)
        return inference.coefficient_table(
            targets.theta[0],
            self._variance,
            self.alpha if alpha is None else check_alpha(alpha),
            turned,
            self._status(),
        )

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
        labels = self._targets.labels
        table = self._statistics(alpha).iloc[: len(labels)]
        return pd.concat([labels.reset_index(drop=True), table], axis=1)

    def confint(self, level: float = 0.95, joint: bool = False) -> pd.DataFrame:
        """Return confidence intervals, one row for each coefficient.

        Parameters
        ----------
        level : float
            Confidence level of each interval.
        joint : bool
            Simultaneous bands; not available yet.
        """
        if joint:
            raise OptionError("joint=True is not available yet; joint=False gives pointwise ones")
        table = self._statistics(1.0 - check_alpha(level))
        return table[["conf_low", "conf_high"]].set_axis(self._targets.index)

    def vcov(self, kind: Vcov | None = None) -> pd.DataFrame:
        """Return the covariance matrix of the coefficients.

        Parameters
        ----------
        kind : {"CV3", "CV3J", "analytic"}, optional
            Default: that of the call of `csdid`.

        Returns
        -------
        DataFrame
            Labelled; its diagonal is `std_error` squared. Rows and columns of coefficients
            without a standard error are NaN.
        """
        result = self._with_vcov(kind)
        targets, options = result._targets, result.options
        if options.jackknife:
            matrix = inference.jackknife_covariance(
                targets.theta, options.undefined, options.vcov == "CV3J"
            )
        else:
            matrix = inference.analytic_covariance(result._influence_of_rows)
        matrix = inference.with_diagonal(matrix, result._variance.std_error)
        return pd.DataFrame(matrix, index=targets.index, columns=targets.index)

    # -- the jackknife ------------------------------------------------------------------------

    def replicates(self) -> pd.DataFrame:
        """Return the estimates without each cluster: clusters x coefficients.

        Raises
        ------
        OptionError
            The result was made without jackknife.
        """
        self._need_replicates("replicates")
        labels = self._fit.design.cluster_labels.rename(self.options.cluster or self.options.idname)
        return pd.DataFrame(self._targets.theta[1:], index=labels, columns=self._targets.index)

    def influence(self) -> pd.DataFrame:
        """Return what each cluster does to the estimates: theta - theta_(h).

        Sorted by the absolute influence on the overall ATT, the largest first.
        """
        table = -(self.replicates() - self._targets.theta[0])
        order = np.argsort(
            -np.nan_to_num(np.abs(self._overall_influence()), nan=np.inf), kind="stable"
        )
        return table.iloc[order]

    @abstractmethod
    def _overall_influence(self) -> Floats:
        """Influence of each cluster on the overall ATT, (H,)."""

    def _need_replicates(self, what: str) -> None:
        if not self.options.jackknife:
            raise OptionError(
                f"{what}() needs the jackknife; this result has vcov={self.options.vcov!r}: "
                "call csdid(..., vcov='CV3')"
            )

    def _report_missing(self) -> None:
        """Warn, once, of standard errors that are missing or skip replicates, or raise."""
        options, targets = self.options, self._targets
        if not options.jackknife or not targets.missing().any():
            return
        missing = targets.missing()
        columns, clusters = missing.any(axis=0), np.flatnonzero(missing.any(axis=1))
        labels = self._fit.design.cluster_labels
        first = int(np.flatnonzero(columns)[0])
        why = inference.first_reason(missing[:, first], labels, partial(targets.why_missing, first))
        what = (
            f"{int(columns.sum())} of {columns.size} coefficients of the {self.title} "
            f"({name_some(targets.index[columns], most=3)}) cannot be computed without "
            f"{'cluster' if clusters.size == 1 else 'some clusters:'} "
            f"{name_some(labels[clusters], most=5)} ({why})"
        )
        if options.undefined == "raise":
            raise UndefinedReplicateError(
                what + "; undefined='nan' gives these no standard error, 'skip' leaves the "
                "replicates out"
            )
        warn(
            what
            + (
                "; their standard errors hold no variation from these clusters"
                if options.undefined == "skip"
                else "; their standard errors are NaN. undefined='skip' leaves these replicates out"
            ),
            InferenceWarning,
        )

    # -- presentation -------------------------------------------------------------------------

    def glance(self) -> pd.DataFrame:
        """Return one row about sample and options."""
        return pd.DataFrame([self._fit.describe()])

    def summary(self, alpha: float | None = None) -> Summary:
        """Return the printed table: the design, the coefficients, and what to know about them."""
        from didjack import tables

        return tables.summary(self, self.alpha if alpha is None else check_alpha(alpha))

    def to_html(self) -> str:
        """Return the summary as HTML."""
        return str(self.summary().as_html())

    def to_latex(self) -> str:
        """Return the summary as LaTeX."""
        return str(self.summary().as_latex())

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        about = self._fit.describe()
        return (
            f"<didjack {self.title}: {plural(len(self._targets.labels), 'coefficient')}, "
            f"{about['est_method']}, {about['vcov']}, {about['n_clusters']} clusters>"
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        other = cast(Result, other)
        return (
            replace(self.options, progress=None) == replace(other.options, progress=None)
            and self._targets.index.equals(other._targets.index)
            and np.array_equal(self._targets.theta, other._targets.theta, equal_nan=True)
            and np.array_equal(self._variance.std_error, other._variance.std_error, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False, repr=False)
class GroupTimeResult(Result):
    """ATT(g,t) of every cohort g and period t, with their covariance.

    Returned by `csdid`. `tidy()` has one row for each cohort and period; `aggregate()` averages
    them.
    """

    @classmethod
    def of(cls, fit: Fit) -> GroupTimeResult:
        """Label the estimates of a fit."""
        axis = fit.design.axis
        labels = pd.DataFrame(
            {
                "group": axis.labels(fit.cell_group),
                "time": axis.labels(fit.cell_time),
                "event_time": fit.cell_time - fit.cell_group,
            }
        )
        estimates = fit.estimates
        targets = Targets(
            labels=labels,
            index=pd.MultiIndex.from_frame(labels[["group", "time"]]),
            theta=estimates.att,
            retargeted=estimates.changed,
            reference=np.array([cell.reference for cell in estimates.cells], dtype=bool),
            status=fit.cell_status(),
            code=estimates.code,
        )
        return cls(fit, targets)

    def _on(self, fit: Fit) -> GroupTimeResult:
        return GroupTimeResult.of(fit)

    @property
    def title(self) -> str:
        """What the table of coefficients is called."""
        return "group-time effects"

    @property
    def cells(self) -> pd.DataFrame:
        """Each 2x2 comparison: group, time, base_period, n_treated, n_comparison, estimate, status.

        Counts are of units on a balanced panel, otherwise of rows in both periods.
        """
        return self._fit.cells()

    def aggregate(
        self,
        type: AggregationType = "simple",
        min_e: float | None = None,
        max_e: float | None = None,
        balance_e: float | None = None,
        weights: AggregationWeights = "cohort",
        **unknown: Any,
    ) -> AggregateResult:
        r"""Average ATT(g,t).

        With :math:`p_g` the weighted share of cohort g, over existing cells:

        - ``"simple"``: :math:`\sum_{t \ge g} p_g ATT(g,t) / \sum_{t \ge g} p_g`.
        - ``"event"`` (alias ``"dynamic"``): for each event time e,
          :math:`\sum_g p_g ATT(g,g+e) / \sum_g p_g`; overall, their mean over e >= 0.
        - ``"group"``: for each cohort, the mean over t >= g; overall, their mean with weights
          :math:`p_g`.
        - ``"calendar"``: for each period, :math:`\sum_g p_g ATT(g,t) / \sum_g p_g` over
          g <= t; overall, their mean.

        Parameters
        ----------
        type : {"simple", "event", "group", "calendar"}
        min_e, max_e : float, optional
            First and last event time, in periods ("event"); `max_e` also bounds t - g in
            "simple" and "group".
        balance_e : float, optional
            Only cohorts seen for at least so many periods after treatment, and only event times
            that all of them have ("event").
        weights : {"cohort", "cell"}
            Weights of cells: that of their cohort, or the weight of their own treated rows, in
            both periods together (what Stata's ``csdid`` up to 1.82 and ``csdidjack`` use for
            repeated cross sections). With "cell", "group" takes weighted means as well. Both
            agree on a balanced panel with constant weights.

        Returns
        -------
        AggregateResult

        Raises
        ------
        OptionError
            An option that is not allowed, or a window without any ATT(g,t).

        References
        ----------
        Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> round(res.aggregate("simple").overall["estimate"], 4)
        -0.04
        """
        reject_unknown(unknown, ["type", "min_e", "max_e", "balance_e", "weights"])
        kind = aggregation_type(type)
        check_choice("weights", weights)
        window = _checked_window(kind, Window(min_e, max_e, balance_e))
        result = AggregateResult.of(self._fit, kind, window, weights)
        result._report_missing()
        return result

    def plot(self, **options: Any) -> Axes:
        """Raise: group-time effects have no plot yet; see `aggregate(...).plot()`."""
        raise OptionError("a group-time result has no plot yet; use .aggregate('event').plot()")

    def _overall_influence(self) -> Floats:
        if not (self._fit.cell_time >= self._fit.cell_group).any():
            return np.zeros(self._fit.design.n_clusters)
        return AggregateResult.of(self._fit, "simple", Window(), "cohort")._overall_influence()

    def _report_failures(self) -> None:
        """Warn, once, of ATT(g,t) that could not be estimated."""
        code = self._fit.estimates.code[0]
        if not code.any():
            return
        bad = np.flatnonzero(code)
        shown = [f"{self._targets.index[j]}: {self._targets.status[j]}" for j in bad]
        warn(
            f"{bad.size} of {plural(code.size, 'ATT(g,t)').removesuffix('s')} could not be "
            f"estimated and {'are' if bad.size > 1 else 'is'} NaN: {name_some(shown, most=3)}; "
            "aggregates leave them out (see result.cells; fewer covariates, or collinear='drop' "
            "for status singular, may help)",
            EstimationWarning,
        )


@dataclass(frozen=True, eq=False, repr=False)
class AggregateResult(Result):
    """Averages of ATT(g,t): by event time, cohort or period, and overall."""

    type: AggregationType
    window: Window
    weights: AggregationWeights

    @classmethod
    def of(
        cls, fit: Fit, kind: AggregationType, window: Window, weights: AggregationWeights
    ) -> AggregateResult:
        """Average the cells of a fit."""
        by_cell = weights == "cell"
        averages = aggregate(fit.cell_table(by_cell), kind, window, by_cell)
        keys: pd.Index = pd.Index(averages.keys)
        if kind in ("group", "calendar"):
            keys = fit.design.axis.labels(averages.keys)
        name = {"simple": "type", "event": "event_time", "group": "group", "calendar": "time"}[kind]
        labels = pd.DataFrame({name: [kind] if kind == "simple" else keys})
        cells = np.array([cell.reference for cell in fit.estimates.cells], dtype=bool)
        reference = (averages.loading[:, cells] != 0).any(axis=1)
        reference &= ~(averages.loading[:, ~cells] != 0).any(axis=1)
        status = [
            "reference" if zero else "missing: none of its ATT(g,t) is estimated" if none else "ok"
            for zero, none in zip(reference, np.isnan(averages.theta[0]), strict=True)
        ]
        targets = Targets(
            labels=labels,
            index=pd.Index([*keys, OVERALL], name=None if kind == "simple" else name),
            theta=averages.theta,
            retargeted=averages.retargeted,
            reference=reference,
            status=status,
            averages=averages,
        )
        return cls(fit, targets, kind, window, weights)

    def _on(self, fit: Fit) -> AggregateResult:
        return AggregateResult.of(fit, self.type, self.window, self.weights)

    @property
    def title(self) -> str:
        """What the table of coefficients is called."""
        return {
            "simple": "simple average",
            "event": "event study",
            "group": "group effects",
            "calendar": "calendar-time effects",
        }[self.type]

    @property
    def overall(self) -> pd.Series:
        """The overall ATT: estimate, std_error, and the further columns of `tidy`."""
        return self._statistics().iloc[-1].rename(OVERALL)

    def plot(self, ax: Axes | None = None, alpha: float | None = None) -> Axes:
        """Draw the coefficients with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; default: a new figure.
        alpha : float, optional
            One minus the level of the intervals.
        """
        from didjack import plots

        if self.type == "simple":
            raise OptionError("a simple average is one number; plot another aggregation")
        return plots.coefficients(self, ax, self.alpha if alpha is None else check_alpha(alpha))

    def _overall_influence(self) -> Floats:
        return np.asarray(self._targets.theta[0, -1] - self._targets.theta[1:, -1])


def _checked_window(kind: AggregationType, window: Window) -> Window:
    """Raise for bounds that are not numbers, or that the aggregation does not have."""
    allowed = {
        "event": ("min_e", "max_e", "balance_e"),
        "simple": ("max_e",),
        "group": ("max_e",),
        "calendar": (),
    }[kind]
    for name in ("min_e", "max_e", "balance_e"):
        value = getattr(window, name)
        if value is None:
            continue
        number = isinstance(value, (int, float, np.integer, np.floating))
        if not number or isinstance(value, bool) or np.isnan(value):
            raise OptionError(f"{name}={value!r} is not allowed; it must be a number or None")
        infinite = np.isinf(value) and (value > 0) == (name == "max_e")
        if name not in allowed and not infinite:
            raise OptionError(
                f"{name}={value!r} does not go with type {kind!r}"
                + (f"; allowed: {', '.join(allowed)}" if allowed else "")
            )
    return window
