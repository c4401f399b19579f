"""Results: group-time effects, and their aggregation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.aggregation.schemes import SCHEMES, Window
from didjack.aggregation.shares import CellShares
from didjack.estimation.fit import Fit
from didjack.inference.permutation.permuted import Overall
from didjack.inference.targets import Targets, report_partial
from didjack.options import (
    AggregationType,
    AggregationWeights,
    Vcov,
    aggregation_type,
    check_choice,
    validate_keywords,
)
from didjack.reporting.plots.coefficient_plots import draw_cells
from didjack.reporting.plots.points import Finish, Style
from didjack.results.aggregated import AggregateResult, aggregate_result
from didjack.results.estimates import N_PERMUTATIONS
from didjack.results.estimates import compare as side_by_side
from didjack.results.result import PlotKind, Request, Result
from didjack.results.result_view import report_inference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

__all__ = ["AggregateResult", "GroupTimeResult"]


@dataclass(frozen=True, eq=False, repr=False)
class GroupTimeResult(Result):
    """ATT(g,t) of every cohort g and period t, with their covariance.

    Returned by `csdid` and `ddd`. `tidy()` has one row for each cohort and period; `aggregate()`
    averages them.
    """

    def _on(self, fit: Fit) -> GroupTimeResult:
        return group_time_result(fit)

    @property
    def title(self) -> str:
        """What the table of coefficients is called."""
        return "group-time effects"

    @property
    def _scheme(self) -> None:
        return None

    @property
    def _aggregation(self) -> AggregateResult:
        return self._simple

    @property
    def _overall(self) -> Overall:
        return self._simple._overall

    @property
    def _before(self) -> Ints:
        fit = self._fit
        before = fit.cell_time < fit.cell_cohort - self.options.anticipation
        return np.flatnonzero(before & ~self._targets.base)

    @property
    def cells(self) -> pd.DataFrame:
        """Each 2x2 comparison: group, time, base_period, n_treated, n_comparison, estimate, status.

        Counts are of units on a balanced panel, otherwise of rows in both periods; in triple
        differences of the eligible, and of all others that they are compared with. With
        ``collinear="drop"`` also dropped, the covariates that were left out.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> columns = ["group", "time", "base_period", "n_treated", "n_comparison"]
        >>> res.cells.loc[:1, columns]
           group  time  base_period  n_treated  n_comparison
        0   2004  2004         2003         20           309
        1   2004  2005         2003         20           309
        """
        return self._fit.cells()

    @validate_keywords
    def aggregate(
        self,
        type: AggregationType = "simple",
        min_e: float | None = None,
        max_e: float | None = None,
        balance_e: float | None = None,
        weights: AggregationWeights = "cohort",
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
            What the average is over: all ATT(g,t) from treatment on ("simple"), those of each
            event time ("event"), of each cohort ("group") or of each period ("calendar"); the
            last three have an overall average, too.
        min_e, max_e : float, optional
            First and last event time, in periods ("event"); `max_e` also bounds t - g in
            "simple" and "group".
        balance_e : float, optional
            Only cohorts observed for at least this many periods after treatment, and only event
            times that all of them have ("event").
        weights : {"cohort", "cell"}
            Weights of cells: that of their cohort, or the weight of their own treated rows, in
            both periods together (what Stata's ``csdid`` up to 1.82 and ``csdidjack`` use for
            repeated cross sections). With "cell", "group" takes weighted means as well. Both
            agree on a balanced panel with constant weights.

        Returns
        -------
        AggregateResult
            With one row for each event time, cohort or period in ``tidy()``, and ``overall``.

        Raises
        ------
        OptionError
            An option that is not allowed, or a window without any ATT(g,t).

        Warns
        -----
        EstimationWarning
            Some of the ATT(g,t) could not be estimated; the others alone are aggregated.
        InferenceWarning
            A standard error is missing or leaves clusters out.

        References
        ----------
        Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> print(f"{res.aggregate('simple').overall['estimate']:.4f}")
        -0.0400
        """
        kind = aggregation_type(type)
        check_choice("weights", weights)
        window = Window(min_e, max_e, balance_e)
        window.check(SCHEMES[kind])
        if (kind, window, weights) == ("simple", Window(), "cohort"):
            result = self._simple
        else:
            result = aggregate_result(self._fit, kind, window, weights)
        if not report_partial(self._fit, result._view.targets, result.title):
            report_inference(result._view)
        return result

    @validate_keywords
    def compare_vcov(
        self,
        type: AggregationType | None = "simple",
        which: Literal["overall", "all"] = "overall",
        alpha: float | None = None,
        n_permutations: int = N_PERMUTATIONS,
    ) -> pd.DataFrame:
        """Put the variance estimators side by side, for an aggregated effect.

        Parameters
        ----------
        type : {"simple", "event", "group", "calendar"} or None
            An aggregation, with its default options; None: the ATT(g,t) themselves.
        which : {"overall", "all"}
            The overall ATT, or every coefficient. Without aggregation there are only "all".
        alpha : float, optional
            One minus the level of the intervals; default: that of the result.
        n_permutations : int
            Of the randomisation test of the overall ATT; 0: no such row.

        Returns
        -------
        DataFrame
            See `AggregateResult.compare_vcov`.

        Raises
        ------
        OptionError
            A value that is not allowed.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> cells = res.compare_vcov(None)
        >>> cells.loc[(2004, 2006), ["std_error", "df", "p_value", "ratio"]].round(4)
                     std_error        df  p_value  ratio
        vcov
        analytic        0.0364       inf   0.0002  0.958
        bootstrap       0.0394       inf   0.0005  1.035
        CV3J            0.0380   35.9536   0.0013  1.000
        CV3, t(R-1)     0.0380  499.0000   0.0003  1.000
        CV3, model      0.0380   35.9536   0.0013  1.000
        """
        if type is not None:
            kind = aggregation_type(type)
            average = aggregate_result(self._fit, kind, Window(), "cohort")
            return average.compare_vcov(which, alpha, n_permutations)
        return side_by_side(self._view, self._view.components, self._level(alpha), True)

    @validate_keywords
    def plot(  # noqa: PLR0913 (a plot has the options that it has)
        self,
        ax: Axes | NDArray[Any] | Figure | SubFigure | None = None,
        kind: PlotKind = "coefficients",
        alpha: float | None = None,
        joint: bool = True,
        compare: Vcov | None = None,
        coefficient: Any = None,
        label: str | None = None,
        color: Any = None,
        marker: str | None = None,
        offset: float = 0.0,
        title: str | None = None,
        legend: bool = True,
    ) -> Axes | NDArray[Any]:
        """Draw the ATT(g,t), one panel a cohort, or what each cluster does to one of them.

        Parameters
        ----------
        ax : matplotlib Figure, SubFigure, or array of Axes, optional
            Where to draw; default: a new figure. An empty Figure or SubFigure is filled with
            panels, gets one title and one legend, and a constrained layout if it has none. An
            array has one of the Axes for each cohort, in their order; they get the same scales,
            and the last has the legend. What an earlier call returned can be given again. For the
            other kinds: Axes.
        kind : {"coefficients", "replicates", "variance", "placebo"}
            The ATT(g,t) over time with their intervals; the estimates without each cluster; the
            clusters' shares of the jackknife variance; the simple average and its placebos, see
            `AggregateResult.placebo_test`. `compare`, `label`, `color`, `marker` and `offset` go
            with "coefficients" alone.
        alpha : float, optional
            One minus the level of the intervals; default: that of the call of `csdid`.
        joint : bool
            Add simultaneous intervals (thin), see `confint`.
        compare : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            A second variance estimator, drawn beside the first.
        coefficient : tuple of cohort and period, optional
            For "replicates" and "variance"; default: the simple average of all ATT(g,t) from
            treatment on.
        label : str, optional
            Name of this result in the legend. Without one, the legend tells coefficients before
            treatment from those after. Give one where a plot shows several results.
        color : matplotlib colour, optional
            Of all coefficients; default: one colour before and another after treatment, or with
            `label` the next of seven that colour-blind readers and grey print tell apart.
        marker : str, optional
            Of all coefficients, one that matplotlib can fill: "o", "s", "D", "^", ...
        offset : float
            How far to the right the coefficients are drawn, between -0.5 and 0.5; neighbours are
            1 apart. A second call with the same `ax`, a `label` and an `offset` puts another
            result beside the first; see also `coefplot`.
        title : str, optional
            Default: what is drawn; "" for no title.
        legend : bool
            Whether there is a legend. It is where it covers no data; the vertical axis is made
            longer if there is no such place.

        Returns
        -------
        matplotlib Axes; for "coefficients" an array of them, one a cohort

        Raises
        ------
        OptionError
            An argument is not allowed, does not go with `kind`, or `ax` shows something else or
            has too few Axes; there is no jackknife, for "replicates" and "variance"; not exactly
            one cluster is treated, for "placebo".

        Notes
        -----
        Open markers are changes from one period to the next: what comes before treatment with
        ``base_period="varying"``. A cross has no standard error. Where a few intervals would
        flatten all others, they are cut, and a triangle has the number that they go to; vertical
        limits set before (``ax.set_ylim``) are kept.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> panels = res.plot(joint=False)
        >>> [panel.get_title() for panel in panels]
        ['cohort 2004 (20 units)', 'cohort 2006 (40 units)', 'cohort 2007 (131 units)']
        >>> ax = res.plot(kind="variance", coefficient=(2004, 2005), legend=False)
        >>> ax.get_title(loc="left")
        'ATT(2004, 2005): clusters its variance comes from'
        """
        asked = Request(
            kind=kind,
            alpha=self._level(alpha),
            joint=joint,
            compare=compare,
            coefficient=coefficient,
            style=Style(label=label, color=color, marker=marker, offset=offset),
            finish=Finish(title=title, legend=legend),
        )
        single: Any = ax
        if asked.kind == "placebo":
            return self._simple.plot(single, kind, alpha, title=title, legend=legend)
        if asked.kind != "coefficients":
            return self._plot_clusters(asked.kind, single, coefficient, asked.finish)
        return draw_cells([asked.series(self._view)], ax, asked.finish)

    @property
    def _overall_targets(self) -> Targets | None:
        if not (self._fit.cell_time >= self._fit.cell_cohort).any():
            return None
        return self._simple._view.targets

    @cached_property
    def _simple(self) -> AggregateResult:
        return aggregate_result(self._fit, "simple", Window(), "cohort")


def group_time_result(fit: Fit) -> GroupTimeResult:
    """Label the estimates of a fit.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    GroupTimeResult
    """
    axis = fit.layout.axis
    group, of_group = np.unique(fit.cell_cohort, return_inverse=True)
    time, of_time = np.unique(fit.cell_time, return_inverse=True)
    levels: Any = [axis.labels(group), axis.labels(time)]
    codes = [of_group.tolist(), of_time.tolist()]
    index = pd.MultiIndex(levels, codes, names=["group", "time"])
    labels = pd.DataFrame(
        {
            "group": levels[0][of_group],
            "time": levels[1][of_time],
            "event_time": fit.cell_time - fit.cell_cohort,
        }
    )
    estimates = fit.estimates
    targets = Targets(
        labels=labels,
        index=index,
        theta=estimates.att,
        composition=estimates.changed,
        base=np.array([cell.is_base for cell in estimates.cells], dtype=bool) & ~estimates.empty,
        status=fit.cell_status(),
        shares=CellShares(estimates.att),
        code=estimates.code,
    )
    return GroupTimeResult(fit, targets)
