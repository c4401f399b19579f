"""Aggregated effects as results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.aggregation.aggregate import AggregatedEffects, aggregate
from didjack.aggregation.schemes import Scheme, Window, bin_label
from didjack.aggregation.shares import AggregatedShares
from didjack.errors import OptionError
from didjack.estimation.fit import Fit
from didjack.inference.permutation.permuted import Overall, Permutable
from didjack.inference.targets import Targets, cell_table, design_table
from didjack.inference.variance.base import Evidence
from didjack.options import (
    AggregationType,
    AggregationWeights,
    Vcov,
    check_count,
    check_listed,
    validate_keywords,
)
from didjack.reporting.export.honest import CriticalValues, HonestInputs, honest_inputs
from didjack.reporting.plots.coefficient_plots import draw_aggregated
from didjack.reporting.plots.points import Finish, Look, Style
from didjack.results import permutation
from didjack.results.estimates import MOST_CLUSTERS, N_PERMUTATIONS
from didjack.results.estimates import compare as side_by_side
from didjack.results.permutation import MOST_PERMUTATIONS
from didjack.results.result import PlotKind, Request, Result
from didjack.status import BASE, OK, Status, StatusCode

if TYPE_CHECKING:
    from matplotlib.axes import Axes


OVERALL = "overall"


@dataclass(frozen=True, eq=False, repr=False)
class AggregateResult(Result):
    """Aggregated effects: by event time, cohort or period, and overall."""

    type: AggregationType
    window: Window
    weights: AggregationWeights

    def _on(self, fit: Fit) -> AggregateResult:
        targets = aggregated_targets(fit, self.type, self.window, self.weights)
        return AggregateResult(Evidence(fit, targets), self.type, self.window, self.weights)

    @property
    def title(self) -> str:
        """Title of the table of coefficients, such as "event study"."""
        return self._scheme.title

    @property
    def _scheme(self) -> Scheme:
        return self.window.scheme(self.type)

    @property
    def _before(self) -> Ints:
        aggregated = self._targets.aggregated
        if aggregated is None or not self._scheme.leads:
            return np.empty(0, dtype=np.int64)
        before = self._scheme.before(aggregated.keys, self.options.anticipation)
        return np.flatnonzero(before & ~self._targets.base[: before.size])

    @property
    def overall(self) -> pd.Series:
        """The overall ATT: estimate, std_error, and the further columns of `tidy`.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> overall = res.aggregate("group").overall
        >>> print(f"{overall['estimate']:.4f} ({overall['std_error']:.4f})")
        -0.0310 (0.0125)
        """
        return self._statistics().iloc[-1].rename(OVERALL)

    @property
    def _aggregation(self) -> AggregateResult:
        return self

    @property
    def _overall(self) -> Permutable:
        return Overall(self.type, self.window, self.weights == "cell")

    @validate_keywords
    def compare_vcov(
        self,
        which: Literal["overall", "all"] = "overall",
        alpha: float | None = None,
        n_permutations: int = N_PERMUTATIONS,
    ) -> pd.DataFrame:
        """Compare the variance estimators.

        Parameters
        ----------
        which : {"overall", "all"}
            The overall ATT, or every coefficient.
        alpha : float, optional
            One minus the level of the intervals; default: that of the result.
        n_permutations : int
            Number of permutations, see `randomization_test`; 0 omits the test.

        Returns
        -------
        DataFrame
            Rows: ``"analytic"`` (units independent), ``"clustered"`` (analytic, by `cluster`;
            where there is one), ``"bootstrap"``; where clusters can be deleted, ``"CV3J"``, and
            CV3 with both reference distributions, ``"CV3, t(R-1)"`` and ``"CV3, model"``; for the
            overall ATT, with up to 200 clusters and where available, ``"randomization"``, see
            `randomization_test`, and ``"placebo"``, see `placebo_test`. Columns: estimate,
            std_error, df, statistic, p_value, conf_low, conf_high; ratio, the standard error over
            that of "CV3, model"; and invalid, why a row is known to be wrong in this design, or
            has no standard error; otherwise empty. With ``which="all"``, rows are
            (coefficient, estimator).

        Raises
        ------
        OptionError
            An argument has an invalid value.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(
        ...     df, "lemp", "year", "first.treat", "countyreal", vcov="analytic"
        ... )
        >>> res.aggregate("group").compare_vcov()[["std_error", "ratio"]].round(4)
                     std_error   ratio
        vcov
        analytic        0.0124  0.9964
        bootstrap       0.0128  1.0219
        CV3J            0.0125  1.0000
        CV3, t(R-1)     0.0125  1.0000
        CV3, model      0.0125  1.0000
        """
        check_listed("which", which, ("overall", "all"))
        last = len(self._targets.index) - 1
        at = np.array([last]) if which == "overall" else np.arange(last + 1)
        fit, tests = self._fit.under(alpha=self._level(alpha)), {}
        n_permutations = check_count("n_permutations", n_permutations, 0, MOST_PERMUTATIONS)
        if fit.layout.n_clusters <= MOST_CLUSTERS:
            tests = permutation.rows_to_compare(fit, self._overall, n_permutations)
        return side_by_side(self._view, at, fit.options.inference.alpha, which == "all", tests)

    @validate_keywords
    def honest_inputs(
        self, critical_values: CriticalValues = "normal", alpha: float | None = None
    ) -> HonestInputs:
        r"""Return the inputs of a sensitivity analysis of Rambachan and Roth (2023).

        The coefficients must be relative to one common base period, so the call of `csdid` needs
        ``base_period="universal"``; that period, event time -1 less `anticipation`, is left out.

        These analyses treat the estimates as normal and their covariance matrix as known. With few
        treated clusters neither holds, and their confidence sets are too small.
        ``critical_values="own"`` scales sigma so that normal intervals based on it equal those of
        `confint`. This is an approximation, and does not cover weights that a method chooses by
        means of sigma; the page "Interoperability" has numbers. `trend_sensitivity` has the same
        restrictions, and accounts for few treated clusters.

        Parameters
        ----------
        critical_values : {"normal", "own"}, default "normal"
            "normal": sigma is `vcov`. "own": entry (i, j) is multiplied by c_i c_j / z^2, with the
            critical values c of the coefficients' intervals and z of the normal distribution.
        alpha : float, optional
            One minus the level of the intervals, the same as in the sensitivity analysis.

        Returns
        -------
        HonestInputs
            betahat, (num_pre + num_post,), and sigma, their covariance, both ordered by event
            time; num_pre, num_post; event_time; critical_value, (num_pre + num_post,), those of
            the own intervals. Periods in which effects may be anticipated count as post.

        Raises
        ------
        OptionError
            Not an event study with a universal base, event times with gaps, or coefficients
            without a standard error; an unknown `critical_values`, or an `alpha` outside (0, 0.5].

        References
        ----------
        Rambachan & Roth (2023), A more credible approach to parallel trends, Review of Economic
        Studies 90, doi:10.1093/restud/rdad018.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(
        ...     df, "lemp", "year", "first.treat", "countyreal", base_period="universal"
        ... )
        >>> inputs = res.aggregate("event").honest_inputs()
        >>> inputs.betahat.shape, inputs.sigma.shape, inputs.num_pre, inputs.num_post
        ((7,), (7, 7), 3, 4)
        """
        return honest_inputs(self._view, critical_values, self._level(alpha))

    @validate_keywords
    def plot(  # noqa: PLR0913 (a plot has the options that it has)
        self,
        ax: Axes | None = None,
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
    ) -> Axes:
        """Draw the coefficients with their intervals, or what each cluster does to one of them.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; default: a new figure. What has been drawn there is kept.
        kind : {"coefficients", "replicates", "variance", "placebo", "randomization"}
            The coefficients with their intervals; the leave-one-cluster-out estimates; the
            clusters' shares of the jackknife variance; the overall ATT and its placebos, see
            `placebo_test`; its t statistic and those of 999 other assignments, see
            `randomization_test`, with the seed of the result. `compare`, `label`, `color`,
            `marker`, `offset`, `style` and `n_clusters` apply to "coefficients" only.
        alpha : float, optional
            One minus the level of the intervals; default: that of the call of `csdid`.
        joint : bool
            Add simultaneous intervals (thin), see `confint`.
        compare : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            A second variance estimator, drawn next to the first.
        coefficient : optional
            Label of a coefficient, for "replicates" and "variance"; default: the overall ATT.
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
            Show the number of treated clusters of each coefficient, below the horizontal axis.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        OptionError
            An argument is invalid or does not apply to `kind`; `ax` shows something else; the
            result is a simple average, which has no coefficients to draw; there is no jackknife
            ("replicates" and "variance"); not exactly one cluster is treated ("placebo").

        Notes
        -----
        Open markers are changes from one period to the next: estimates before treatment with
        ``base_period="varying"``. A cross marks an estimate without a standard error. Where a few
        intervals would flatten all others, they are cut, and a triangle shows the value at which
        they end; vertical limits set before (``ax.set_ylim``) are kept.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> names = ["lemp", "year", "first.treat", "countyreal"]
        >>> ax = didjack.csdid(df, *names).aggregate("event").plot(label="CV3", offset=-0.1)
        >>> analytic = didjack.csdid(df, *names, vcov="analytic").aggregate("event")
        >>> ax = analytic.plot(ax, label="analytic", offset=0.1, title="Two standard errors")
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['CV3', 'analytic', 'one-period change']
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
        if asked.kind == "placebo" or asked.kind == "randomization":
            return self._plot_permutations(asked.kind, ax, alpha, asked.finish)
        if asked.kind != "coefficients":
            return self._plot_clusters(asked.kind, ax, coefficient, asked.finish)
        if self._scheme.keys == "none":
            raise OptionError(
                f"a {self.title} is one number; plot another aggregation, kind='replicates', or "
                "several results with coefplot"
            )
        return draw_aggregated(
            [asked.series(self._view)], self._scheme, ax, asked.finish, asked.n_clusters
        )

    @property
    def _overall_evidence(self) -> Evidence:
        return self._evidence


def aggregated_targets(
    fit: Fit, kind: AggregationType, window: Window, weights: AggregationWeights
) -> Targets:
    """Aggregate the cells of a fit.

    Parameters
    ----------
    fit : Fit
    kind : name of a `Scheme`
    window : which event times are covered
    weights : whether cells have the weight of their cohort or their own

    Returns
    -------
    Targets
    """
    by_cell = weights == "cell"
    scheme = window.scheme(kind)
    table = cell_table(fit, by_cell)
    found = aggregate(table, kind, window, by_cell)
    keys = _labels(found.keys, fit, scheme, window)
    labels = pd.DataFrame({scheme.label: [kind] if scheme.keys == "none" else keys})
    cells = np.array([cell.is_base for cell in fit.estimates.cells], dtype=bool)
    base = found.loading.touches(cells) & ~found.loading.touches(~cells)
    gaps = zip(base, np.isnan(found.estimates.full), _missing(found), strict=True)
    status = [
        BASE if zero else Status(StatusCode.MISSING, detail=why) if none else OK
        for zero, none, why in gaps
    ]
    return Targets(
        labels=labels,
        index=pd.Index([*keys, OVERALL], name=None if scheme.keys == "none" else scheme.label),
        theta=found.theta,
        composition=found.composition,
        base=base,
        status=status,
        shares=AggregatedShares(design_table(fit, table), kind, window, by_cell),
        aggregated=found,
    )


def _missing(aggregated: AggregatedEffects) -> list[str]:
    """Say of each aggregated effect why there is none, if so, (M + 1,)."""
    window = " in the window" if str(aggregated.window) else ""
    # Without any ATT(g,t) it is the overall of an event study of leads alone.
    return [
        "none of its ATT(g,t) is estimated" if n_cells else f"no event time >= 0{window}"
        for n_cells in aggregated.n_cells
    ]


def _labels(keys: Ints, fit: Fit, scheme: Scheme, window: Window) -> pd.Index:
    """Label the components of an aggregation."""
    match scheme.keys:
        case "none" | "numbers":
            return pd.Index(keys)
        case "periods":
            return fit.layout.axis.labels(keys)
        case "bins":
            assert window.bins is not None  # which make this scheme
            return pd.Index([bin_label(window.bins[key]) for key in keys.tolist()])
        case _:
            assert_never(scheme.keys)
