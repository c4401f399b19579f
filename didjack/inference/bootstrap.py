"""Influence functions -> multiplier bootstrap: standard errors, covariance and uniform bands.

Every draw multiplies the influence of each cluster (of each unit, where units are independent)
with a random weight of mean 0 and variance 1 and adds up. The weight of cluster g in draw b is a
function of the seed, b and g alone, so results do not depend on the number of threads. Weights
are made where they are used: what is kept is (n_boot, M), nothing of the size of sample times
draws.

Sources: Callaway & Sant'Anna (2021), section 4.1 and algorithm 1,
doi:10.1016/j.jeconom.2020.12.001; weights: Mammen (1993), doi:10.1214/aos/1176349025, and Webb
(2023), doi:10.1111/caje.12661.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from didjack._typing import Floats
from didjack.errors import OptionError
from didjack.inference.statistics import Variance, analytic, with_diagonal
from didjack.kernels.compile import jit
from didjack.kernels.hashing import GAMMA, mix
from didjack.kernels.threads import run

Weights = Literal["rademacher", "mammen", "webb"]

DEFAULT_SEED = 0
"""The seed where none is given: the same call gives the same digits."""
FEW_CLUSTERS = 11
"""Up to so many clusters the default weights are Webb's; see `default_weights`."""
_CODES: dict[str, int] = {"rademacher": 0, "mammen": 1, "webb": 2}
_BLOCK = 16
_IQR_OF_NORMAL = 1.3489795003921634
"""Distance between the quartiles of the standard normal."""

_GOLDEN = (1.0 + np.sqrt(5.0)) / 2.0
_MAMMEN_LOW = _GOLDEN / np.sqrt(5.0)  # probability of the lower of Mammen's two points
_SIX_POINTS = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


@jit
def _word(seed: Any, draw: int, position: int) -> Any:
    """Return 64 random bits, a function of the seed, the draw and a position in it."""
    stream = mix(seed + np.uint64(draw) * np.uint64(GAMMA))
    return mix(stream + np.uint64(position) * np.uint64(GAMMA))


@jit
def _weight(code: int, seed: Any, draw: int, group: int) -> Any:
    """Return the random weight of a group in a draw."""
    if code == 0:
        bit = (_word(seed, draw, group >> 6) >> np.uint64(group & 63)) & np.uint64(1)
        return 1.0 if bit else -1.0
    uniform = np.float64(_word(seed, draw, group) >> np.uint64(11)) / 9007199254740992.0
    if code == 1:
        return 1.0 - _GOLDEN if uniform < _MAMMEN_LOW else _GOLDEN
    return _SIX_POINTS[int(6.0 * uniform)]


@jit
def _sum_draws(lo: int, hi: int, influence: Floats, seed: Any, code: int, draws: Floats) -> None:
    """Add up the weighted influence of all groups in draws lo:hi.

    Parameters
    ----------
    influence : (G, M)
    draws : (n_boot, M)
        Zeros, filled in.
    """
    n_groups, m = influence.shape
    for first in range(lo, hi, _BLOCK):
        last = min(first + _BLOCK, hi)
        for g in range(n_groups):
            for b in range(first, last):
                v = _weight(code, seed, b, g)
                for j in range(m):
                    draws[b, j] += v * influence[g, j]


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
    influence: Floats, n_boot: int = 999, seed: int | None = None, weights: Weights | None = None
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
    seed : int, optional
        Default: 0.
    weights : {"rademacher", "mammen", "webb"}, optional
        - "rademacher": -1 or 1 with probability 1/2;
        - "mammen": the two points with mean 0, variance 1 and third moment 1;
        - "webb": plus or minus the roots of 1/2, 1 and 3/2, with probability 1/6 each.

        Default: "webb" for at most 11 groups, otherwise "rademacher".

    Returns
    -------
    (n_boot, M) array
        NaN for estimates whose influence is not known.

    Raises
    ------
    OptionError
        There are no such weights.

    References
    ----------
    Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001. Mammen (1993),
    doi:10.1214/aos/1176349025. Webb (2023), doi:10.1111/caje.12661.

    Examples
    --------
    >>> import numpy as np
    >>> influence = np.random.default_rng(0).normal(size=(400, 2)) / 20
    >>> draws = multiplier_draws(influence, n_boot=20_000, weights="mammen")
    >>> np.round(draws.std(axis=0) / np.sqrt((influence**2).sum(axis=0)), 1).tolist()
    [1.0, 1.0]
    """
    influence = np.asarray(influence, dtype=float)
    kind = default_weights(len(influence)) if weights is None else weights
    if kind not in _CODES:
        raise OptionError(f"weights={weights!r} is not allowed; allowed: {', '.join(_CODES)}")
    known = np.isfinite(influence).all(axis=0)
    start = np.uint64(DEFAULT_SEED if seed is None else seed)
    values = np.ascontiguousarray(influence[:, known])
    sums = np.zeros((n_boot, values.shape[1]))
    work = 2.0 * n_boot * (values.size + len(values))
    run(_sum_draws, n_boot, work, values, start, _CODES[kind], sums)
    draws = np.full((n_boot, influence.shape[1]), np.nan)
    draws[:, known] = sums
    return draws


def _quantile(draws: Floats, level: float) -> Floats:
    """Take quantiles of the columns as the inverse of the distribution function (R's type 1)."""
    return np.asarray(np.quantile(draws, level, axis=0, method="inverted_cdf"))


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


def uniform_critical_value(draws: Floats, alpha: float) -> float:
    """Return the 1 - alpha quantile of the largest absolute t statistic of the draws.

    Estimates without a standard error are left out; NaN where all are.
    """
    error = variance(draws).std_error
    known = ~np.isnan(error)
    if not known.any():
        return float("nan")
    largest = np.abs(draws[:, known] / error[known]).max(axis=1)
    return float(_quantile(largest[:, None], 1.0 - alpha)[0])
