"""The joint null distribution of several jackknife t statistics under the working model, simulated.

Draws of cluster-level shocks give draws of all estimates and replicates together, and these draws
of whatever is computed from them: Wald statistics, largest t statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels import compiled
from didjack.estimation.kernels.draws import shocked
from didjack.estimation.kernels.inputs import ShockModel
from didjack.inference.bands import RANK_TOLERANCE, CriticalValues, enough_draws
from didjack.inference.reference.distribution import NullDistributions, null_distributions
from didjack.inference.reference.loadings import Loadings
from didjack.inference.reference.working_model import Design

N_DRAWS = 9_999
LEAST_DRAWS = 1_999
MOST_NUMBERS = 2e7
"""No more normals are drawn than this, unless that were fewer than `LEAST_DRAWS` draws."""
MOST_WORK = 2e10
"""Designs in which that takes more multiplications use t and F, which serve as well with so many
clusters."""
AT_ONCE = 2**19
"""So many normals are drawn at a time."""
GRID = 96
SMALL = np.log([0.01, 0.03, *np.arange(0.1, 1.0, 0.1)])
"""Logs of absolute t statistics below one."""


class JointTargets(NamedTuple):
    """M coefficients, or combinations of them, that are tested jointly.

    Attributes
    ----------
    loadings : M of them
    kept : (H,) replicates that all of them have
    scale : (M,) what their errors are multiplied by, as some replicates are undefined
    centre_on_mean : CV3J
    """

    loadings: Sequence[Loadings]
    kept: Bools
    scale: Floats
    centre_on_mean: bool


@dataclass(frozen=True, eq=False)
class JointReference:
    """Draws of M estimates and of their jackknife covariance under the null.

    Attributes
    ----------
    root : (H,) standard deviations of the cluster-level shocks
    shocks : what the targets make of shocks
    centre_on_mean : whether deviations are from the mean of the replicates
    scale : (M,) what deviations are multiplied by, for the error
    single : the null distributions of the M t statistics one by one
    n_draws, seed : number of draws, and their seed; no draws are needed for one target
    work : multiplications in a draw
    """

    root: Floats
    shocks: ShockModel
    centre_on_mean: bool
    scale: Floats
    single: NullDistributions
    n_draws: int
    seed: int
    work: float

    @classmethod
    def from_design(cls, design: Design, targets: JointTargets, seed: int) -> JointReference | None:
        """Prepare the draws; None where a statistic has no distribution, or it takes too long."""
        rows = np.flatnonzero(targets.kept)
        mean = targets.centre_on_mean
        axes = [design.axes(one, targets.kept, mean) for one in targets.loadings]
        found = [one for one in axes if one is not None]
        if len(found) < len(axes):
            return None
        root, work = np.sqrt(design.variance), work_of(targets.loadings, rows.size)
        n_shocks = root.size * np.unique(np.concatenate([a.periods for a in targets.loadings])).size
        n_draws = int(min(N_DRAWS, max(MOST_NUMBERS // n_shocks, LEAST_DRAWS)))
        if len(found) == 1:
            n_draws = 0
        if work * n_draws > MOST_WORK:
            return None
        ratio = (rows.size - 1.0) / rows.size
        single = null_distributions(found, ratio * targets.scale**2)
        shocks, scale = shock_model(targets, rows), np.sqrt(ratio) * targets.scale
        return cls(root, shocks, mean, scale, single, n_draws, seed, work)

    def _draws(self, whole: bool) -> Iterator[tuple[Floats, Floats]]:
        """Yield estimates, (b, M), and covariances, (b, M, M) or (b, M, 1); the same each time."""
        rng, n_targets = np.random.default_rng(self.seed), self.scale.size
        n_periods, n_clusters = 1 + int(self.shocks.period.max()), self.root.size
        scale = self.scale[:, None] * (self.scale if whole else self.scale[:, None])
        batch = max(1, AT_ONCE // max(n_periods * n_clusters, n_targets**2))
        for first in range(0, self.n_draws, batch):
            size = min(batch, self.n_draws - first)
            shocks = rng.standard_normal((size, n_periods, n_clusters))
            shocks *= self.root
            estimate = np.empty((size, n_targets))
            square = np.empty((size, n_targets, n_targets if whole else 1))
            given = (self.shocks, shocks, self.centre_on_mean, estimate, square)
            compiled.run(_shocked, size, self.work * size, *given)
            yield estimate, scale * square

    @cached_property
    def covariance(self) -> Floats:
        """(M, M) jackknife covariance in the first draw; its rank is that of all draws."""
        return next(self._draws(whole=True))[1][0] if self.n_draws else np.ones((1, 1))

    @property
    def rank(self) -> int:
        """Rank of the jackknife covariance under the working model."""
        error = np.sqrt(np.diag(self.covariance))
        values = np.linalg.eigvalsh(self.covariance / np.outer(error, error))
        return int((values > RANK_TOLERANCE * values[-1]).sum())

    def wald_p_value(self, wald: float) -> float:
        """Return the share of draws whose Wald statistic is as large, the actual one included."""
        if not self.n_draws:
            return float(self.single.p_value(np.sqrt([wald]))[0])
        larger = (self._both[1] >= wald).sum()
        return float((1.0 + larger) / (self.n_draws + 1.0))

    def wald_critical_value(self, alpha: float) -> float:
        """Return what a Wald statistic is beyond where its p-value is below `alpha`.

        Infinite where no p-value is, because there are too few draws.
        """
        if not self.n_draws:
            return float(self.single.critical_value(alpha)[0] ** 2)
        if not enough_draws(self.n_draws, alpha):
            return np.inf
        position = self.n_draws - 1 - self._position(alpha)
        return float(np.partition(self._both[1], position)[position])

    @cached_property
    def _both(self) -> tuple[Floats, Floats]:
        """(B, M) absolute t statistics and (B,) Wald statistics."""
        size, joint = [], []
        for estimate, variance in self._draws(whole=True):
            size.append(np.abs(estimate) / np.sqrt(np.diagonal(variance, axis1=1, axis2=2)))
            joint.append(wald_statistics(estimate, variance))
        return np.concatenate(size), np.concatenate(joint)

    @cached_property
    def statistic(self) -> Floats:
        """(B, M) absolute t statistics."""
        if "_both" in self.__dict__:  # drawn before, for a Wald test
            return self._both[0]
        parts = [
            np.abs(estimate) / np.sqrt(square[:, :, 0])
            for estimate, square in self._draws(whole=False)
        ]
        return np.concatenate(parts)

    @cached_property
    def smallest_p(self) -> Floats:
        """(B,) the smallest p-value of a single coefficient, which is exact up to interpolation.

        Between the points, `SMALL` ones and `GRID` from 1 on, log p is nearly linear in log |t|.
        """
        large = np.linspace(0.0, np.log(max(2.0, self.statistic.max())), GRID)
        grid = np.concatenate([SMALL, large])
        n_targets = self.statistic.shape[1]
        single = self.single.take(np.repeat(np.arange(n_targets), grid.size))
        p_values = single.p_value(np.tile(np.exp(grid), n_targets)).reshape(n_targets, grid.size)
        log_p, log_t = np.log(np.maximum(p_values, 1e-300)), np.log(self.statistic)
        found = [np.interp(log_t[:, m], grid, log_p[m]) for m in range(n_targets)]
        return np.asarray(np.exp(np.min(found, axis=0)))

    def band(self, alpha: float) -> CriticalValues:
        """Return critical values of a simultaneous band in which all coefficients are alike.

        Each critical value is exceeded equally often, so a coefficient with fewer clusters
        behind it gets a wider interval. Infinite where there are too few draws for `alpha`.
        """
        if not self.n_draws:
            return CriticalValues(self.single.critical_value(alpha), np.zeros(1), 0)
        if not enough_draws(self.n_draws, alpha):
            infinite = np.full(self.scale.size, np.inf)
            return CriticalValues(infinite, np.zeros(self.scale.size), self.n_draws)
        spread = np.sqrt(alpha * (1.0 - alpha) / self.n_draws)
        value, wide, narrow = (
            self.single.critical_value(self._level(near))
            for near in (alpha, alpha - spread, alpha + spread)
        )
        return CriticalValues(value, (wide - narrow) / 2.0, self.n_draws)

    def _level(self, alpha: float) -> float:
        """Return the p-value below which `largest_p_value` is below `alpha`."""
        position = self._position(alpha)
        return float(np.partition(self.smallest_p, position)[position])

    def _position(self, alpha: float) -> int:
        """Return which of the draws, from the most extreme one, is where p reaches `alpha`."""
        position = int(np.ceil(alpha * (self.n_draws + 1.0) - 1e-9)) - 2
        return min(max(position, 0), self.n_draws - 1)

    def largest_p_value(self, statistic: Floats) -> Floats:
        """Return the share of draws in which some coefficient is as far out, (M,).

        Parameters
        ----------
        statistic : (M,) absolute t statistics, each taken to be the one that is farthest out
        """
        own = self.single.p_value(statistic)
        if not self.n_draws:
            return own
        as_far = (self.smallest_p <= own[:, None]).sum(axis=1)
        return np.asarray((1.0 + as_far) / (self.n_draws + 1.0))


def _shocked(
    lo: int,
    hi: int,
    model: ShockModel,
    shocks: Floats,
    centre_on_mean: bool,
    estimate: Floats,
    square: Floats,
) -> None:
    """Call `shocked` with room of its own."""
    n, n_targets = model.kept.size, estimate.shape[1]
    room = np.empty(model.period.size), np.empty(n), np.empty((n, n_targets))
    shocked(lo, hi, model, shocks, centre_on_mean, estimate, square, *room)


def wald_statistics(estimate: Floats, variance: Floats) -> Floats:
    """Return Wald statistics, (B,), of (B, k) estimates with (B, k, k) covariances.

    Directions in which the correlation matrix is singular are left out, as in the test itself.
    """
    error = np.sqrt(np.diagonal(variance, axis1=1, axis2=2))
    correlation = variance / (error[:, :, None] * error[:, None])
    scaled = estimate / error
    try:
        inverse = np.linalg.inv(correlation)
    except np.linalg.LinAlgError:  # one of them is singular to the last digit
        return _on_axes(scaled, correlation)
    result = np.einsum("bi,bij,bj->b", scaled, inverse, scaled, optimize=True)
    norms = np.abs(inverse).sum(axis=1).max(axis=1) * np.abs(correlation).sum(axis=1).max(axis=1)
    unclear = np.flatnonzero(~(norms < 1.0 / RANK_TOLERANCE))  # a bound of the eigenvalues' ratio
    if unclear.size:
        result[unclear] = _on_axes(scaled[unclear], correlation[unclear])
    return np.asarray(result)


def _on_axes(scaled: Floats, correlation: Floats) -> Floats:
    """Return Wald statistics from eigenvalues, (B,)."""
    values, vectors = np.linalg.eigh(correlation)
    along = np.einsum("bij,bi->bj", vectors, scaled)
    kept = values > RANK_TOLERANCE * values[:, -1:]
    terms = np.divide(along**2, values, out=np.zeros(along.shape), where=kept)
    return np.asarray(terms.sum(axis=1))


def shock_model(targets: JointTargets, kept: Ints) -> ShockModel:
    """Bring several targets to the same means and periods."""
    parts = targets.loadings
    used, _, weight, period = Loadings.common_means(parts)
    periods = np.unique(period)
    return ShockModel(
        weight=weight,
        period=np.searchsorted(periods, period),
        kept=kept,
        start=_ends([one.used.size for one in parts]),
        mean=np.searchsorted(used, np.concatenate([one.used for one in parts])),
        first=np.concatenate([one.beta.full for one in parts]),
        shift=_stacked([one.beta.deleted[kept] - one.beta.full for one in parts]),
        own_start=_ends([one.periods.size for one in parts]),
        own_period=np.searchsorted(periods, np.concatenate([one.periods for one in parts])),
        own=_stacked([one.deleted[kept] for one in parts]),
    )


def _stacked(columns: list[Floats]) -> Floats:
    """Put columns below each other as rows, in the one order that kernels are compiled for."""
    return np.ascontiguousarray(np.concatenate(columns, axis=1).T)


def _ends(sizes: list[int]) -> Ints:
    """Return where parts of some sizes begin, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)])


def work_of(parts: Sequence[Loadings], n_kept: int) -> float:
    """Count the multiplications in a draw, with some kept replicates."""
    means = np.unique(np.concatenate([one.used for one in parts]))
    own = sum(one.used.size + one.periods.size for one in parts)
    return float((own + len(parts) ** 2) * n_kept + means.size * parts[0].weight.shape[1])
