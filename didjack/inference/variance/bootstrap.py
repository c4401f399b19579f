"""Influence functions -> multiplier bootstrap: standard errors, covariance and uniform bands.

Every draw multiplies the influence of each cluster (of each unit, where units are independent)
with a random weight of mean 0 and variance 1 and adds up. The weight of cluster g in draw b is a
function of the seed, b and g alone, so results do not depend on the number of threads. Weights
are made where they are used: what is kept is (n_boot, M), nothing of the size of sample times
draws.

Sources: Callaway & Sant'Anna (2021), section 4.1 and algorithm 1,
doi:10.1016/j.jeconom.2020.12.001; weights: Webb (2023), doi:10.1111/caje.12661.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from didjack._typing import Floats, Ints
from didjack.errors import OptionError
from didjack.estimation.kernels.compiled import run
from didjack.estimation.kernels.draws import sum_draws
from didjack.inference.bands import CriticalValue, enough_draws
from didjack.inference.statistics import Variance, with_diagonal
from didjack.inference.variance.analytic import analytic
from didjack.inference.variance.base import Evidence, VarianceInputs, VarianceKind
from didjack.wording import plural

Weights = Literal["rademacher", "webb"]

FEW_CLUSTERS = 11
"""Up to so many clusters the default weights are Webb's; see `default_weights`."""
_POINTS: dict[Weights, Floats] = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]),
}
"""The values of the weights, each with the same probability."""
MOST_AT_ONCE = 2**22
"""Quantiles are taken of so many draws at a time, or of one column."""
_IQR_OF_NORMAL = 1.3489795003921634
"""Distance between the quartiles of the standard normal."""


def default_weights(n_groups: int) -> Weights:
    """Choose the weights: Webb's six points for few clusters, otherwise Rademacher.

    With H clusters there are 2**(H - 1) Rademacher draws that differ by more than their sign:
    1,024 for 11 clusters, about as many as are drawn.

    Examples
    --------
    >>> default_weights(11), default_weights(12)
    ('webb', 'rademacher')
    """
    return "webb" if n_groups <= FEW_CLUSTERS else "rademacher"


def multiplier_draws(
    influence: Floats, n_boot: int = 999, seed: int = 0, weights: Weights | None = None
) -> Floats:
    r"""Draw the multiplier bootstrap of estimates with known influence functions.

    Draw b is :math:`\sum_g v_{bg} \psi_g`, with :math:`\psi_g` the influence of cluster (or unit)
    g on the estimates and random weights :math:`v_{bg}` of mean 0 and variance 1: an
    approximation of the distribution of the estimation error.

    Parameters
    ----------
    influence : (G, M) array
        Influence of each cluster or unit on each estimate; `analytic` standard errors are the
        square roots of the sums of its squares over G.
    n_boot : int
        Number of draws.
    seed : int
    weights : {"rademacher", "webb"}, optional
        - "rademacher": -1 or 1 with probability 1/2;
        - "webb": plus or minus the roots of 1/2, 1 and 3/2, with probability 1/6 each.

        Default: "webb" for at most 11 groups, otherwise "rademacher".

    Returns
    -------
    (n_boot, M) array
        NaN for estimates whose influence is not known.

    References
    ----------
    Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001. Webb (2023),
    doi:10.1111/caje.12661.

    Examples
    --------
    >>> import numpy as np
    >>> influence = np.random.default_rng(0).normal(size=(400, 2)) / 20
    >>> draws = multiplier_draws(influence, n_boot=20_000)
    >>> np.round(draws.std(axis=0) / np.sqrt((influence**2).sum(axis=0)), 1).tolist()
    [1.0, 1.0]
    """
    influence = np.asarray(influence, dtype=float)
    kind = default_weights(len(influence)) if weights is None else weights
    known = np.isfinite(influence).all(axis=0)
    values = np.ascontiguousarray(influence[:, known])
    try:
        sums = np.zeros((n_boot, values.shape[1]))
        draws = np.full((n_boot, influence.shape[1]), np.nan)
    except MemoryError as error:
        raise OptionError(
            f"n_boot={n_boot}: so many draws of {plural(influence.shape[1], 'coefficient')} do not "
            "fit into memory"
        ) from error
    work = 2.0 * n_boot * (values.size + len(values))
    run(_sum_draws, n_boot, work, values, np.uint64(seed), _POINTS[kind], sums)
    draws[:, known] = sums
    return draws


def _sum_draws(lo: int, hi: int, *args: Any) -> None:
    """Call `sum_draws`; its integers wrap around on purpose, of which only numpy warns."""
    with np.errstate(over="ignore"):
        sum_draws(lo, hi, *args)


def _quantile(draws: Floats, level: float) -> Floats:
    """Take quantiles of the columns as the inverse of the distribution function (R's type 1).

    A few columns at a time: numpy sees a Ctrl-C between them only.
    """
    step = max(1, MOST_AT_ONCE // len(draws))
    parts = [
        np.quantile(draws[:, first : first + step], level, axis=0, method="inverted_cdf")
        for first in range(0, max(draws.shape[1], 1), step)
    ]
    return np.concatenate(parts)


def variance(draws: Floats) -> Variance:
    r"""Take standard errors from the interquartile range of the draws, as R's `did` does.

    :math:`(q_{0.75} - q_{0.25}) / (z_{0.75} - z_{0.25})`; tests use the normal distribution.

    Parameters
    ----------
    draws : (n_boot, M)
    """
    error = (_quantile(draws, 0.75) - _quantile(draws, 0.25)) / _IQR_OF_NORMAL
    scale = analytic(draws, np.inf).std_error / np.sqrt(len(draws))
    with np.errstate(invalid="ignore"):
        bad = ~(error > 1e-9 * scale)
    none = np.zeros(error.size, dtype=np.int64)
    return Variance(np.where(bad, np.nan, error), np.where(bad, np.nan, np.inf), none)


def covariance(draws: Floats) -> Floats:
    """Return the covariance of the estimates, (M, M).

    It has the correlations of the draws, whose mean is known to be zero, and on the diagonal the
    squared standard errors of `variance`.
    """
    error = variance(draws).std_error
    moments = draws.T @ draws
    spread = np.sqrt(np.diag(moments))
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = moments * np.outer(error / spread, error / spread)
    return with_diagonal(matrix, error)


def largest_statistics(draws: Floats) -> Floats:
    """Return the largest absolute t statistic of each draw, (n_boot,).

    Estimates without a standard error are left out; NaN where all are.
    """
    error = variance(draws).std_error
    known = ~np.isnan(error)
    if not known.any():
        return np.full(len(draws), np.nan)
    return np.asarray(np.abs(draws[:, known] / error[known]).max(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class LargestDrawn:
    """The largest absolute t statistic of each draw, (n_draws,)."""

    values: Floats

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return self.values.size

    def p_value(self, statistic: Floats) -> Floats:
        """Return the share of draws in which the largest is as large, (n,)."""
        larger = self.n_draws - np.searchsorted(np.sort(self.values), statistic)
        return np.asarray(np.maximum(larger, 1) / (self.n_draws + 1.0))

    def critical_value(self, alpha: float) -> CriticalValue:
        """Return the 1 - alpha quantile; infinite where draws are too few for `alpha`."""
        value = np.inf
        if enough_draws(self.n_draws, alpha):
            value = float(_quantile(self.values[:, None], 1.0 - alpha)[0])
        return CriticalValue(value, np.nan, self.n_draws)


class Bootstrap(VarianceKind):
    """The multiplier bootstrap of influence functions."""

    name = "bootstrap"
    needs_replicates = False
    parts = "clusters or units"
    no_variation = "the quartiles of the draws are the same"
    normal = True

    def rows(self, evidence: Evidence) -> Floats:
        """Return the draws, (n_boot, M)."""
        options = evidence.options
        return multiplier_draws(evidence.influence, options.n_boot, options.seed)

    def variance(self, inputs: VarianceInputs) -> Variance:
        """Return `variance` of the draws."""
        return variance(inputs.rows)

    def covariance(self, inputs: VarianceInputs) -> Floats:
        """Return `covariance` of the draws."""
        return covariance(inputs.rows)

    def n_independent(self, inputs: VarianceInputs) -> int:
        """Count the units or clusters."""
        return len(inputs.evidence.influence)

    def largest(  # the draws do not depend on the level
        self,
        inputs: VarianceInputs,
        among: Ints,
        alpha: float,  # noqa: ARG002
    ) -> LargestDrawn:
        """Return the largest |t| of each draw."""
        return LargestDrawn(largest_statistics(inputs.rows[:, among]))

    def note(self, inputs: VarianceInputs) -> str:
        """Say how the draws were made."""
        evidence, options = inputs.evidence, inputs.evidence.options
        weights = default_weights(len(evidence.influence)).capitalize()
        return (
            f"Multiplier bootstrap by {evidence.independent}: {options.n_boot:,} draws of "
            f"{weights} weights, seed {options.seed}; standard errors from the interquartile "
            "range; normal."
        )
