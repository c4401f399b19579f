"""Averages of ATT(g,t) as results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.averaging.average import aggregate
from didjack.averaging.schemes import SCHEMES, Scheme
from didjack.averaging.window import Window
from didjack.engine.fit import Fit
from didjack.errors import OptionError
from didjack.inference.cell_table import cell_table
from didjack.inference.permutation.overall import Overall
from didjack.inference.permutation.randomization import Statistic
from didjack.inference.targets import Targets
from didjack.options import (
    AggregationType,
    AggregationWeights,
    Vcov,
    check_flag,
    check_listed,
    told_apart,
)
from didjack.reporting.coefficient_plots import Intervals, draw_averages
from didjack.reporting.honest import HonestInputs, honest_inputs
from didjack.reporting.placebo_plot import draw_placebos
from didjack.results import permutation
from didjack.results.base import OVERALL, PlotKind, Result, check_plot
from didjack.results.comparison import compare as side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        """Average the cells of a fit.

        Parameters
        ----------
        fit : Fit
        kind : name of a `Scheme`
        window : which event times are covered
        weights : whether cells have the weight of their cohort or their own

        Returns
        -------
        AggregateResult
        """
        by_cell = weights == "cell"
        scheme = SCHEMES[kind]
        found = aggregate(cell_table(fit, by_cell), kind, window, by_cell)
        keys = _labels(scheme, found.keys, fit)
        labels = pd.DataFrame({scheme.label: [kind] if scheme.keys == "none" else keys})
        cells = np.array([cell.reference for cell in fit.estimates.cells], dtype=bool)
        reference = found.loading.touches(cells) & ~found.loading.touches(~cells)
        without = _without_weight(fit, by_cell)
        missing = [
            f"missing: {without if some else 'none of its ATT(g,t) is estimated'}"
            for some in found.estimated
        ]
        status = [
            "reference" if zero else why if none else "ok"
            for zero, none, why in zip(reference, np.isnan(found.theta[0]), missing, strict=True)
        ]
        targets = Targets(
            labels=labels,
            index=pd.Index([*keys, OVERALL], name=None if scheme.keys == "none" else scheme.label),
            theta=found.theta,
            retargeted=found.retargeted,
            reference=reference,
            status=status,
            averages=found,
        )
        return cls(fit, targets, kind, window, weights)

    def _on(self, fit: Fit) -> AggregateResult:
        return AggregateResult.of(fit, self.type, self.window, self.weights)

    @property
    def title(self) -> str:
        """What the table of coefficients is called."""
        return self._scheme.title

    @property
    def _scheme(self) -> Scheme:
        return SCHEMES[self.type]

    @property
    def overall(self) -> pd.Series:
        """The overall ATT: estimate, std_error, and the further columns of `tidy`."""
        return self._statistics().iloc[-1].rename(OVERALL)

    @property
    def _overall(self) -> Overall:
        return Overall(self.type, self.window, self.weights == "cell")

    @told_apart
    def randomization_test(
        self,
        statistic: Statistic = "t",
        n_permutations: int = 999,
        seed: int = 0,
        strata: Any = None,
        null: float = 0.0,
        alpha: float | None = None,
    ) -> pd.Series:
        r"""Test the overall ATT by giving cohorts to other clusters.

        Each assignment is estimated anew with the same options, all replicates included. The
        p-value is the share of assignments, the actual one included, whose statistic is as large
        in absolute value. It is exact if the effect is the same constant in all treated
        unit-periods and clusters are exchangeable, and with "t" nearly right if they are not quite
        alike.

        Parameters
        ----------
        statistic : {"t", "estimate"}
            The t statistic with the cluster-jackknife error (CV3; CV3J if the call of `csdid`
            asked for it), or the estimate itself. One treated cluster has no t statistic.
        n_permutations : int
            All distinct assignments are used if there are at most one more than this, otherwise
            the actual one and so many random ones.
        seed : int
            Seed of the random assignments.
        strata : mapping or Series, optional
            Stratum of each cluster, by its label: cohorts change places within strata only. A
            Series may name a cluster several times: ``df.set_index("state")["region"]``.
        null : float
            The effect that is tested.
        alpha : float, optional
            One minus the level of the interval; default: that of the call of `csdid`.

        Returns
        -------
        Series
            estimate; statistic; p_value, NaN if more than 5 percent of the assignments have no
            statistic; conf_low and conf_high, the ends of the effects that are not rejected, which
            may be infinite; smallest_p, the smallest p-value there can be; n_assignments, those
            with a statistic; n_failed, those without.

        Raises
        ------
        DataError
            A cluster has several cohorts or strata, or there is only one assignment.
        OptionError
            An argument is not allowed, or there is no t statistic.

        Warns
        -----
        InferenceWarning
            There are too few assignments to reject, or no p-value.

        References
        ----------
        MacKinnon & Webb (2020), Randomization inference for difference-in-differences with few
        treated clusters, J. Econometrics 218, doi:10.1016/j.jeconom.2020.04.024.
        """
        fit = self._fit.under(alpha=self._level(alpha))
        drawn = permutation.draws(fit, n_permutations, seed, strata)
        return permutation.randomization(fit, self._overall, drawn, statistic, null)

    @told_apart
    def placebo_test(self, alpha: float | None = None) -> pd.Series:
        r"""Test the overall ATT of one treated cluster by placebos.

        Without the treated cluster, its cohort is given to each never-treated cluster in turn and
        the same average is estimated: what there is where there is no effect. The p-value is the
        share of these and the actual estimate that are as large in absolute value. Placebos are
        scaled by :math:`\sqrt{v(n) / v(n_j)}`, the standard deviations of shocks in clusters as
        large as the treated one and as theirs, which a working model fits to untreated rows.

        It assumes that the shocks of the treated cluster are like those of the others but for its
        size. No test can check that.

        Parameters
        ----------
        alpha : float, optional
            One minus the level of the interval; default: that of the call of `csdid`.

        Returns
        -------
        Series
            estimate; statistic, the same; p_value; conf_low and conf_high, the estimate and the
            m-th largest placebo, m the whole part of alpha (C + 1) with C placebos, infinite if
            m = 0; smallest_p, 1 / (C + 1); n_placebos, C; n_failed, clusters without a placebo.
            ``attrs["placebos"]`` has them by cluster; ``plot(kind="placebo")`` draws them.

        Raises
        ------
        OptionError
            Not exactly one cluster is treated.
        DataError
            A cluster has several cohorts.

        Warns
        -----
        InferenceWarning
            There are too few placebos to reject.

        References
        ----------
        Conley & Taber (2011), Inference with "difference in differences" with a small number of
        policy changes, Rev. Economics and Statistics 93, doi:10.1162/REST_a_00049. Ferman & Pinto
        (2019), Inference in differences-in-differences with few treated groups and
        heteroskedasticity, Rev. Economics and Statistics 101, doi:10.1162/rest_a_00759.
        """
        fit = self._fit.under(alpha=self._level(alpha))
        return permutation.placebo(fit, permutation.placebos(fit, self._overall))

    def compare_vcov(
        self, which: Literal["overall", "all"] = "overall", alpha: float | None = None
    ) -> pd.DataFrame:
        """Put the variance estimators side by side.

        Parameters
        ----------
        which : {"overall", "all"}
            The overall ATT, or every coefficient.
        alpha : float, optional
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            Rows: ``"analytic"`` (units independent), ``"clustered"`` (analytic, by `cluster`;
            where there is one), ``"bootstrap"``, ``"CV3J"``, ``"CV3"`` (these where there are
            clusters to delete). Columns: estimate, std_error, df, statistic, p_value, conf_low,
            conf_high, and ratio, the standard error over that of CV3. With ``which="all"``, rows
            are (coefficient, estimator).

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
        analytic      0.0124  0.9964
        bootstrap     0.0128  1.0219
        CV3J          0.0125  1.0000
        CV3           0.0125  1.0000
        """
        check_listed("which", which, ("overall", "all"))
        last = len(self._targets.index) - 1
        at = np.array([last]) if which == "overall" else np.arange(last + 1)
        return side_by_side(self.view, at, self._level(alpha), which == "all")

    def honest_inputs(self) -> HonestInputs:
        r"""Hand an event study to a sensitivity analysis of Rambachan and Roth (2023).

        The coefficients have to be changes since one common period, so the call of `csdid` needs
        ``base_period="universal"``; that period, event time -1 less `anticipation`, is left out.

        Returns
        -------
        HonestInputs
            betahat, (num_pre + num_post,), and sigma, their covariance, both ordered by event
            time; num_pre, num_post; event_time. Periods in which effects may be anticipated
            count as post.

        Raises
        ------
        OptionError
            Not an event study with a universal base, event times with gaps, or coefficients
            without a standard error.

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
        return honest_inputs(self.view)

    def plot(
        self,
        ax: Axes | None = None,
        kind: PlotKind = "coefficients",
        alpha: float | None = None,
        joint: bool = True,
        compare: Vcov | None = None,
        coefficient: Any = None,
    ) -> Axes:
        """Draw the coefficients with their intervals, or what each cluster does to one of them.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; default: a new figure.
        kind : {"coefficients", "replicates", "variance", "placebo"}
            The coefficients with their intervals; the estimates without each cluster; the
            clusters' shares of the jackknife variance; the overall ATT and its placebos, see
            `placebo_test`.
        alpha : float, optional
            One minus the level of the intervals.
        joint : bool
            Add simultaneous intervals, see `confint`.
        compare : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            A second variance estimator, drawn beside the first.
        coefficient : optional
            Label of a coefficient, for "replicates" and "variance"; default: the overall ATT.

        Returns
        -------
        matplotlib Axes
        """
        check_plot(kind)
        if kind == "placebo":
            return self._plot_placebos(ax, alpha)
        if kind != "coefficients":
            return self._plot_clusters(kind, ax, coefficient)
        if self._scheme.keys == "none":
            raise OptionError(
                f"a {self.title} is one number; plot another aggregation, or kind='replicates'"
            )
        intervals = Intervals(
            alpha=self._level(alpha), joint=check_flag("joint", joint), compare=compare
        )
        return draw_averages(self.view, self._scheme, ax, intervals)

    def _plot_placebos(self, ax: Axes | None, alpha: float | None) -> Axes:
        test = permutation.placebos(self._fit.under(alpha=self._level(alpha)), self._overall)
        return draw_placebos(test, self.view.clusters.name, self.options.yname, ax)

    @property
    def _overall_targets(self) -> Targets:
        return self._targets


def _without_weight(fit: Fit, by_cell: bool) -> str:
    """Say why estimated ATT(g,t) cannot be averaged: their weights are zero."""
    if by_cell:
        return "its ATT(g,t) have no weight, as their treated rows have none"
    of = " in the first period" if fit.layout.panel else ""
    return f"its ATT(g,t) have no weight: the shares of its cohorts, by weights{of}, are zero"


def _labels(scheme: Scheme, keys: Ints, fit: Fit) -> pd.Index:
    """Label the components of an aggregation."""
    match scheme.keys:
        case "none" | "numbers":
            return pd.Index(keys)
        case "periods":
            return fit.layout.axis.labels(keys)
        case _:
            assert_never(scheme.keys)
