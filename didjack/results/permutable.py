"""Results whose overall ATT can be tested by giving cohorts to other clusters."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from didjack.inference.permutation.permuted import Overall
from didjack.inference.permutation.randomization import Statistic
from didjack.options import told_apart
from didjack.reporting.plots.cluster_plots import draw_placebos
from didjack.reporting.plots.style import Finish
from didjack.results import permutation
from didjack.results.base import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Permutable(Result):
    """An overall ATT that is estimated anew with clusters in other cohorts."""

    @property
    @abstractmethod
    def _overall(self) -> Overall:
        """Which average the overall ATT is."""

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
            One minus the level of the interval; default: that of the result.

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

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(
        ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
        ... )
        >>> test = res.aggregate("group").randomization_test(n_permutations=99)
        >>> print(f"t = {test['statistic']:.2f}, p = {test['p_value']:.2f}")
        t = -2.46, p = 0.01
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
            One minus the level of the interval; default: that of the result.

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

        Examples
        --------
        Without the states that raised their minimum wage later, one treated state is left:

        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> early = df[df["first.treat"] < 2005]
        >>> res = didjack.csdid(
        ...     early, "lemp", "year", "first.treat", "countyreal", cluster="state", alpha=0.1
        ... )
        >>> test = res.aggregate("simple").placebo_test()
        >>> test["n_placebos"], round(test["p_value"], 3), round(test["smallest_p"], 3)
        (16, 0.235, 0.059)
        """
        fit = self._fit.under(alpha=self._level(alpha))
        return permutation.placebo(fit, permutation.placebos(fit, self._overall))

    def _plot_placebos(self, ax: Axes | None, alpha: float | None, finish: Finish) -> Axes:
        test = permutation.placebos(self._fit.under(alpha=self._level(alpha)), self._overall)
        return draw_placebos(test, self.view, ax, finish)
