"""Results: group-time effects, and their aggregation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.aggregation.schemes import (
    SCHEMES,
    Scheme,
    Window,
    bin_label,
    bin_of,
    read_bins,
    read_cohorts,
    read_event_times,
)
from didjack.aggregation.shares import CellShares
from didjack.errors import OptionError
from didjack.estimation.fit import Fit
from didjack.inference.permutation.permuted import Permutable
from didjack.inference.targets import Targets, report_partial
from didjack.inference.variance.base import Evidence
from didjack.options import (
    AggregationType,
    AggregationWeights,
    Vcov,
    aggregation_type,
    check_choice,
    validate_keywords,
)
from didjack.reporting.plots.coefficient_plots import draw_cells
from didjack.reporting.plots.points import Finish, Look, Style
from didjack.results.aggregated import AggregateResult, aggregated_targets
from didjack.results.estimates import N_PERMUTATIONS
from didjack.results.estimates import compare as side_by_side
from didjack.results.result import PlotKind, Request, Result
from didjack.results.result_view import report_inference
from didjack.wording import name_some, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

__all__ = ["AggregateResult", "GroupTimeResult"]


@dataclass(frozen=True, eq=False, repr=False)
class GroupTimeResult(Result):
    """ATT(g,t) of every cohort g and period t, with their covariance.

    Returned by `csdid` and `ddd`. `tidy()` has one row for each cohort and period; `aggregate()`
    aggregates them.
    """

    def _on(self, fit: Fit) -> GroupTimeResult:
        return group_time_result(fit)

    def _aggregated(
        self, kind: AggregationType, window: Window, weights: AggregationWeights = "cohort"
    ) -> AggregateResult:
        targets = aggregated_targets(self._fit, kind, window, weights)
        return AggregateResult(self._evidence.of(targets), kind, window, weights)

    @property
    def title(self) -> str:
        """Title of the table of coefficients, such as "event study"."""
        return "group-time effects"

    @property
    def _scheme(self) -> None:
        return None

    @property
    def _aggregation(self) -> AggregateResult:
        return self._simple

    @property
    def _overall(self) -> Permutable:
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
    def aggregate(  # noqa: PLR0913 (there are so many ways to choose ATT(g,t))
        self,
        type: AggregationType = "simple",
        min_e: float | None = None,
        max_e: float | None = None,
        balance_e: float | None = None,
        weights: AggregationWeights = "cohort",
        *,
        cohorts: Sequence[Any] | None = None,
        event_times: Sequence[int] | None = None,
        bins: Sequence[tuple[float, float]] | None = None,
    ) -> AggregateResult:
        r"""Aggregate ATT(g,t) by event time, by cohort, by period, or all of them.

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
            Average over all ATT(g,t) from treatment on ("simple"), or over those of each event
            time ("event"), each cohort ("group") or each period ("calendar"). The last three also
            have an overall effect.
        min_e, max_e : float, optional
            First and last event time t - g, in periods ("event", and from treatment on "simple" and
            "group").
        balance_e : float, optional
            Only cohorts observed for at least this many periods after treatment, and only event
            times that all of them have ("event").
        weights : {"cohort", "cell"}
            Weights of cells: that of their cohort, or the weight of their own treated rows, in
            both periods together (what Stata's ``csdid`` up to 1.82 and ``csdidjack`` use for
            repeated cross sections). With "cell", "group" takes weighted means as well. Both
            agree on a balanced panel with constant weights.
        cohorts : list, optional
            First treated periods of the cohorts that take part, as in the data or as printed.
        event_times : list of int, optional
            Event times that take part.
        bins : list of pairs, optional
            First and last event times of bins ("event"), such as ``[(-5, -2), (3, 8)]``; infinite:
            no bound. The effect of a bin is :math:`\sum p_g ATT(g,g+e) / \sum p_g` over its event
            times and all g; overall, their mean over bins from treatment on.

        Returns
        -------
        AggregateResult
            With one row for each event time, cohort or period in ``tidy()``, and ``overall``.

        Raises
        ------
        OptionError
            An option has an invalid value, a window or bin contains no ATT(g,t), a cohort or event
            time does not exist, or bins overlap.

        Warns
        -----
        EstimationWarning
            Some of the ATT(g,t) could not be estimated; only the others are aggregated.
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

        The effect in the first two years on the early cohorts, and years taken together:

        >>> early = res.aggregate("simple", cohorts=[2004, 2006], event_times=[0, 1])
        >>> print(f"{early.overall['estimate']:.4f}")
        -0.0288
        >>> bins = res.aggregate("event", bins=[(-3, -1), (0, 1), (2, 3)])
        >>> bins.tidy()[["event_time", "estimate"]].round(4)
          event_time  estimate
        0   -3 to -1   -0.0006
        1     0 to 1   -0.0273
        2     2 to 3   -0.1190
        """
        kind = aggregation_type(type)
        check_choice("weights", weights)
        chosen = _chosen(self._fit, SCHEMES[kind], cohorts, event_times)
        window = Window(min_e, max_e, balance_e, *chosen, None if bins is None else read_bins(bins))
        window.check(SCHEMES[kind])
        _check_bins(self._fit, window)
        if (kind, window, weights) == ("simple", Window(), "cohort"):
            result = self._simple
        else:
            result = self._aggregated(kind, window, weights)
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
        """Compare the variance estimators, for an aggregated effect.

        Parameters
        ----------
        type : {"simple", "event", "group", "calendar"} or None
            An aggregation, with its default options; None: the ATT(g,t) themselves.
        which : {"overall", "all"}
            The overall ATT, or every coefficient. Without aggregation there are only "all".
        alpha : float, optional
            One minus the level of the intervals; default: that of the result.
        n_permutations : int
            Number of permutations of the randomization test of the overall ATT; 0 omits the test.

        Returns
        -------
        DataFrame
            See `AggregateResult.compare_vcov`.

        Raises
        ------
        OptionError
            An argument has an invalid value.

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
            average = self._aggregated(kind, Window())
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
        xlabel: str | None = None,
        ylabel: str | None = None,
        style: Look = "errorbar",
        n_clusters: bool = False,
    ) -> Axes | NDArray[Any]:
        """Draw the ATT(g,t), one panel for each cohort, or what each cluster does to one of them.

        Parameters
        ----------
        ax : matplotlib Figure, SubFigure, or array of Axes, optional
            Where to draw; default: a new figure. An empty Figure or SubFigure is filled with
            panels, gets one title and one legend, and a constrained layout if it has none. An
            array has one of the Axes for each cohort, in their order; the last has the legend. What
            an earlier call returned can be given again. For the other kinds: Axes.
        kind : {"coefficients", "replicates", "variance", "placebo", "randomization"}
            The ATT(g,t) over time with their intervals; the leave-one-cluster-out estimates; the
            clusters' shares of the jackknife variance; the simple average and its placebos, see
            `AggregateResult.placebo_test`; its t statistic and those of 999 other assignments, see
            `AggregateResult.randomization_test`, with the seed of the result. `compare`, `label`,
            `color`, `marker`, `offset`, `style` and `n_clusters` apply to "coefficients" only.
        alpha : float, optional
            One minus the level of the intervals; default: that of the call of `csdid`.
        joint : bool
            Add simultaneous intervals (thin), see `confint`.
        compare : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            A second variance estimator, drawn next to the first.
        coefficient : tuple of cohort and period, optional
            For "replicates" and "variance"; default: the simple average of all ATT(g,t) from
            treatment on.
        label : str, optional
            Name of this result in the legend. Without a name, the legend distinguishes coefficients
            before treatment from those after. Set it where a plot shows several results.
        color : matplotlib colour, optional
            Colour of all coefficients; default: one colour before and another after treatment, or
            with `label` the next of seven colours that are distinguishable when colour-blind or in
            grey.
        marker : str, optional
            Marker of all coefficients, one that matplotlib can fill: "o", "s", "D", "^", ...
        offset : float
            How far to the right the coefficients are drawn, between -0.5 and 0.5; neighbours are
            1 apart. A second call with the same `ax`, a `label` and an `offset` adds another
            result next to the first; see also `coefplot`.
        title : str, optional
            Title of the plot; default: what it shows; "" for no title.
        legend : bool
            Whether to draw a legend. It is placed where it covers no data. If there is no such
            place, the vertical axis is extended, or the legend is placed below the axes.
        xlabel, ylabel : str, optional
            Labels of the axes, in the syntax of matplotlib; default: what they show; "" for none.
            ``ylabel="effect on log homicides"`` gives the outcome a name.
        style : {"errorbar", "ribbon"}
            Intervals as bars, or as ribbons around a line.
        n_clusters : bool
            Whether the titles of panels report the treated clusters of the cohort instead of its
            units.

        Returns
        -------
        matplotlib Axes; for "coefficients" an array of them, one for each cohort

        Raises
        ------
        OptionError
            An argument is invalid or does not apply to `kind`; `ax` shows something else or has too
            few Axes; there is no jackknife ("replicates" and "variance"); not exactly one cluster
            is treated ("placebo").

        Notes
        -----
        Panels share their vertical scale, unless the widest would be more than three times the
        narrowest: then each has its own, and the label of the axis says so.

        Open markers are changes from one period to the next: estimates before treatment with
        ``base_period="varying"``. A cross marks an estimate without a standard error. Where a few
        intervals would flatten all others, they are cut, and a triangle shows the value at which
        they end; vertical limits set before (``ax.set_ylim``) are kept.

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
        'ATT(2004, 2005): variance by cluster'
        """
        asked = Request(
            kind=kind,
            alpha=self._level(alpha),
            joint=joint,
            compare=compare,
            coefficient=coefficient,
            style=Style(label=label, color=color, marker=marker, offset=offset, look=style),
            finish=Finish(title=title, legend=legend, xlabel=xlabel, ylabel=ylabel),
            n_clusters=n_clusters,
        )
        single: Any = ax
        if asked.kind == "placebo" or asked.kind == "randomization":
            return self._simple._plot_permutations(asked.kind, single, alpha, asked.finish)
        if asked.kind != "coefficients":
            return self._plot_clusters(asked.kind, single, coefficient, asked.finish)
        return draw_cells([asked.series(self._view)], ax, asked.finish, asked.n_clusters)

    @property
    def _overall_evidence(self) -> Evidence | None:
        if not (self._fit.cell_time >= self._fit.cell_cohort).any():
            return None
        return self._simple._evidence

    @cached_property
    def _simple(self) -> AggregateResult:
        return self._aggregated("simple", Window())


def _chosen(
    fit: Fit, scheme: Scheme, cohorts: Any, event_times: Any
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Read the cohorts and event times that take part, None for all, or raise."""
    g, e = fit.cell_cohort, fit.cell_time - fit.cell_cohort
    there = scheme.leads | (e >= 0)
    if cohorts is not None:
        keys = np.unique(g[there])
        labels = fit.layout.axis.labels(keys).tolist()
        cohorts = read_cohorts(cohorts, dict(zip(labels, keys.tolist(), strict=True)))
        there &= np.isin(g, cohorts)
    return cohorts, None if event_times is None else read_event_times(event_times, e[there])


def _check_bins(fit: Fit, window: Window) -> None:
    """Raise for bins without any ATT(g,t)."""
    e = fit.cell_time - fit.cell_cohort
    used = replace(window, bins=None).covers(fit.cell_cohort, fit.cell_time)
    empty = [one for one in window.bins or () if not (bin_of(e[used], [one]) == 0).any()]
    if empty:
        there = name_some(np.unique(e[used]).tolist(), 20) or "none"
        raise OptionError(
            f"bins has {len(empty)} of {plural(len(window.bins or ()), 'bin')} without any "
            f"ATT(g,t): {name_some(map(bin_label, empty), 3)}; event times there are: {there}"
        )


def group_time_targets(fit: Fit) -> Targets:
    """Label the estimates of a fit.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Targets
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
    return Targets(
        labels=labels,
        index=index,
        theta=estimates.att,
        composition=estimates.changed,
        base=np.array([cell.is_base for cell in estimates.cells], dtype=bool) & ~estimates.empty,
        status=fit.cell_status(),
        shares=CellShares(estimates.att),
        code=estimates.code,
    )


def group_time_result(fit: Fit) -> GroupTimeResult:
    """Return the estimates of a fit as a result."""
    return GroupTimeResult(Evidence(fit, group_time_targets(fit)))
