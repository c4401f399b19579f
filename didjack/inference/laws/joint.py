"""Joint laws of several jackknife t statistics under the working model, by simulation.

Draws of the clusters' shocks give draws of all estimates and replicates together, and these draws
of whatever is computed from them: Wald statistics, largest t statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.inference.laws.axes import axes_of
from didjack.inference.laws.law import Laws, laws
from didjack.inference.laws.loadings import Loadings

RANK_TOLERANCE = 1e-10
"""As in the Wald test itself."""
MOST_NUMBERS = 2e7
"""No more normals are drawn than this, unless that were fewer than `LEAST_DRAWS` draws."""
LEAST_DRAWS = 1999
BATCH = 500
GRID = 96


class Draws(NamedTuple):
    """How many draws are wanted, and their seed."""

    number: int = 9_999
    seed: int = 0


@dataclass(frozen=True, eq=False)
class JointLaw:
    """Draws of M estimates and of their jackknife covariance under the null.

    Attributes
    ----------
    estimate : (B, M)
    variance : (B, M, M)
    single : the laws of the M t statistics one by one
    """

    estimate: Floats
    variance: Floats
    single: Laws

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.estimate)

    @cached_property
    def statistic(self) -> Floats:
        """(B, M) absolute t statistics."""
        error = np.sqrt(np.diagonal(self.variance, axis1=1, axis2=2))
        return np.asarray(np.abs(self.estimate) / error)

    def wald_p_value(self, wald: float) -> float:
        """Return the share of draws whose Wald statistic is as large, the actual one included."""
        larger = int((wald_statistics(self.estimate, self.variance) >= wald).sum())
        return (1.0 + larger) / (self.n_draws + 1.0)

    @cached_property
    def smallest_p(self) -> Floats:
        """(B,) the smallest p-value of a single coefficient, which is exact up to interpolation.

        Between `GRID` points, log p is nearly linear in log |t|. Values of |t| below the first
        one, 1, are of no interest here.
        """
        grid = np.linspace(0.0, np.log(max(2.0, self.statistic.max())), GRID)
        n_targets = self.estimate.shape[1]
        laws = self.single.take(np.repeat(np.arange(n_targets), GRID))
        p_values = laws.p_value(np.tile(np.exp(grid), n_targets)).reshape(n_targets, GRID)
        log_p, log_t = np.log(np.maximum(p_values, 1e-300)), np.log(self.statistic)
        found = [np.interp(log_t[:, m], grid, log_p[m]) for m in range(n_targets)]
        return np.asarray(np.exp(np.min(found, axis=0)))

    def band(self, alpha: float, pointwise: Floats) -> Band:
        """Return critical values of a simultaneous band in which all coefficients are alike.

        Each critical value is exceeded equally often, so a coefficient with fewer clusters
        behind it gets a wider interval.

        Parameters
        ----------
        pointwise : (M,) critical values of single intervals; the band is not narrower
        """
        spread = np.sqrt(alpha * (1.0 - alpha) / self.n_draws)
        around = np.clip([alpha, alpha - spread, alpha + spread], 1.0 / self.n_draws, 1.0)
        levels = np.quantile(self.smallest_p, around)
        values, wide, narrow = (self.single.critical_value(float(level)) for level in levels)
        return Band(np.fmax(values, pointwise), (wide - narrow) / 2.0, float(levels[0]))


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Critical values of a simultaneous band.

    Attributes
    ----------
    value : (M,)
    error : (M,) simulation standard errors
    level_each : how often each is exceeded
    """

    value: Floats
    error: Floats
    level_each: float


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


def joint_law(
    targets: Sequence[Loadings], v: Floats, kept: Bools, scale: Floats, draws: Draws
) -> JointLaw:
    """Draw estimates and jackknife covariances.

    Parameters
    ----------
    targets : loadings of M coefficients or combinations
    v : (H,) working variances
    kept : (H,) replicates that all of them have
    scale : (M,) what the errors of coefficients with undefined replicates are multiplied with
    draws : how many are wanted; there are fewer with very many clusters
    """
    rows = np.flatnonzero(kept)
    axes = [axes_of(target.parts(v, rows)) for target in targets]
    found = [a for a in axes if a is not None]
    if len(found) < len(axes):
        raise ValueError("a coefficient has no law")
    ratio = (rows.size - 1.0) / rows.size
    model = _Shocks.of(targets, v, rows)
    n_draws = int(min(draws.number, max(MOST_NUMBERS // model.n_shocks, LEAST_DRAWS)))
    estimates, variances = [], []
    for estimate, deviation in model.draws(np.random.default_rng(draws.seed), n_draws):
        estimates.append(estimate)
        variances.append(deviation.transpose(0, 2, 1) @ deviation)
    variance = ratio * scale[:, None] * scale * np.concatenate(variances)
    return JointLaw(np.concatenate(estimates), variance, laws(found, ratio * scale**2))


@dataclass(frozen=True, eq=False)
class _Shocks:
    """What several targets make of the shocks.

    Attributes
    ----------
    root : (H,) standard deviations of the shocks
    kept : (n,) replicates
    weight : for each of T' periods, (Q_t, H) weights of the means
    first : (Q, M) betas of the full sample, means in the order of `weight`
    shift : (Q, n * M) changes of the betas in the replicates
    deleted : (n, T', M) loadings that deleting a cluster takes away
    """

    root: Floats
    kept: Ints
    weight: list[Floats]
    first: Floats
    shift: Floats
    deleted: Floats

    @classmethod
    def of(cls, targets: Sequence[Loadings], v: Floats, kept: Ints) -> _Shocks:
        """Bring several targets to the same means, which are sorted by period."""
        all_of = [
            Loadings.combine([target, *targets], np.eye(1 + len(targets))[0]) for target in targets
        ]
        beta = np.stack([target.beta for target in all_of], axis=2)
        one, periods = all_of[0], all_of[0].periods
        shift = beta[1 + kept] - beta[0]
        return cls(
            root=np.sqrt(v),
            kept=kept,
            weight=[one.weight[one.period == period] for period in periods],
            first=beta[0],
            shift=shift.transpose(1, 0, 2).reshape(beta.shape[1], -1),
            deleted=np.stack([target.deleted[kept] for target in all_of], axis=2),
        )

    @property
    def n_shocks(self) -> int:
        """Shocks in a draw."""
        return self.root.size * len(self.weight)

    def draws(self, rng: np.random.Generator, n_draws: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield estimates, (b, M), and deviations, (b, n, M), in batches."""
        n_targets = self.first.shape[1]
        for start in range(0, n_draws, BATCH):
            size = min(BATCH, n_draws - start)
            u = rng.standard_normal((len(self.weight), self.root.size, size))
            u *= self.root[:, None]
            z = np.concatenate([w @ part for w, part in zip(self.weight, u, strict=True)]).T
            deviation = (z @ self.shift).reshape(size, self.kept.size, n_targets)
            own = u[:, self.kept].transpose(1, 2, 0) @ self.deleted
            yield z @ self.first, deviation - own.transpose(1, 0, 2)
