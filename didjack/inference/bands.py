"""Correlations and degrees of freedom -> critical values of simultaneous confidence bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from didjack._typing import Floats
from didjack.imports import load

RANK_TOLERANCE = 1e-10
"""Eigenvalues of a correlation matrix below this share of the largest count as zero."""
TARGET_ERROR = 0.002
_BATCH, _LEAST, _MOST = 2**14, 2**16, 2**19
_BINS = 2**11
FARTHEST = 1e100
"""Critical values are looked for up to here."""


def enough_draws(n_draws: int, alpha: float) -> bool:
    """Whether p-values from draws, the actual statistic included, can be below `alpha`.

    Examples
    --------
    >>> enough_draws(999, 0.0011), enough_draws(999, 0.001)
    (True, False)
    """
    return alpha * (n_draws + 1.0) > 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class CriticalValue:
    """A simulated critical value.

    Attributes
    ----------
    value : the critical value; infinite where draws are too few for `alpha`
    error : its simulation standard error
    n_draws : number of simulated directions
    """

    value: float
    error: float
    n_draws: int


@dataclass(frozen=True, slots=True, eq=False)
class CriticalValues:
    """Critical values of a simultaneous band, one a coefficient.

    Attributes
    ----------
    value : (m,)
    error : (m,) simulation standard errors
    n_draws : number of draws
    """

    value: Floats
    error: Floats
    n_draws: int


class LargestStatistic(Protocol):
    """Distribution of the largest of several absolute t statistics."""

    @property
    def n_draws(self) -> int:
        """Number of draws it was computed from."""

    def p_value(self, statistic: Floats) -> Floats:
        """Return the probability that the largest is as large, (n,)."""

    def critical_value(self, alpha: float) -> CriticalValue:
        """Return what is exceeded with probability `alpha`."""


@dataclass(frozen=True, slots=True, eq=False)
class LargestT:
    """Distribution of the largest absolute value of a multivariate t, see `max_t`.

    The probability along a direction u is a smooth function of max_m (A u)_m^2: it is computed at
    the means of 2,048 bins of equal size.

    Attributes
    ----------
    points : (2048,) these means
    k : rank of the correlation matrix
    df : degrees of freedom; infinite for the normal
    n_draws : number of simulated directions
    """

    points: Floats
    k: int
    df: float
    n_draws: int

    def p_value(self, statistic: Floats) -> Floats:
        """Return the probability that the largest |t| is larger, (n,)."""
        return np.array([self._outside(float(c)).mean() for c in statistic])

    def critical_value(self, alpha: float) -> CriticalValue:
        """Find the c exceeded with probability `alpha`, and its error by the delta method."""
        optimize = load("scipy.optimize")

        def surplus(c: float) -> float:
            return float(self._outside(c).mean()) / alpha - 1.0

        most = 1e6
        while surplus(most) > 0.0 and most < FARTHEST:  # 1 degree of freedom has long tails
            most *= 1e3
        if surplus(most) > 0.0:
            return CriticalValue(np.inf, np.nan, self.n_draws)
        value = float(optimize.brentq(surplus, 1e-3, most))
        step = 1e-4 * value
        slope = (surplus(value - step) - surplus(value + step)) / (2.0 * step)
        spread = self._outside(value).std() / alpha / np.sqrt(self.n_draws)
        error = float(spread / slope) if slope > 0.0 else float("nan")
        return CriticalValue(value, error, self.n_draws)

    def _outside(self, c: float) -> Floats:
        """Probability that the vector leaves what is within c along each direction."""
        special = load("scipy.special")

        ratio, k = c**2 / self.points, self.k
        outside = (
            special.chdtrc(k, ratio) if np.isinf(self.df) else special.fdtrc(k, self.df, ratio / k)
        )
        return np.asarray(outside)


def max_t(correlation: Floats, df: float, alpha: float = 0.05, seed: int = 0) -> CriticalValue:
    r"""Critical value of the largest absolute value of a multivariate t.

    The c for which :math:`P(\max_m |T_m| > c)` is `alpha`, where T is a t vector: normals with
    the given correlation, over the root of one independent :math:`\chi^2_{df} / df`.

    The normals are :math:`A r u` with :math:`A A'` the correlation matrix of rank k, u uniform on
    the unit sphere and :math:`r^2 \sim \chi^2_k`, so that

    .. math:: P(\max_m |T_m| > c) = E_u\, \bar F_{k, df}\left(\frac{c^2}{k \max_m (A u)_m^2}\right),

    the upper tail of F, which keeps its digits where `alpha` is small.

    Only u is simulated: 65,536 directions, and more, up to 524,288, until the standard error of c
    is below 0.002. With one coefficient there is nothing to simulate.

    Parameters
    ----------
    correlation : (M, M), of any rank
    df : degrees of freedom; infinite for the normal
    alpha : probability that the band does not hold
    seed : int

    Returns
    -------
    CriticalValue

    References
    ----------
    Montiel Olea & Plagborg-Møller (2019), Simultaneous confidence bands, J. Applied Econometrics
    34, doi:10.1002/jae.2656. Genz & Bretz (2009), Computation of multivariate normal and t
    probabilities, section 4.2, doi:10.1007/978-3-642-01689-9.

    Examples
    --------
    >>> import numpy as np
    >>> round(max_t(np.eye(1), np.inf).value, 3)
    1.96
    >>> round(max_t(np.eye(5), np.inf).value, 2)  # exact: 2.569
    2.57
    """
    return largest_t(correlation, df, alpha, seed).critical_value(alpha)


def largest_t(correlation: Floats, df: float, alpha: float, seed: int = 0) -> LargestT:
    """Simulate directions until the critical value of `max_t` is precise; parameters as there."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > RANK_TOLERANCE * values[-1]
    root = vectors[:, kept] * np.sqrt(values[kept])
    root /= np.sqrt((root**2).sum(axis=1, keepdims=True))
    rng = np.random.default_rng(seed)
    largest, size = np.empty(0), _LEAST
    while True:
        new = [_largest(root, rng) for _ in range((size - largest.size) // _BATCH)]
        largest = np.concatenate([largest, *new])
        points = np.sort(largest).reshape(_BINS, -1).mean(axis=1)
        found = LargestT(points, root.shape[1], df, largest.size)
        error = found.critical_value(alpha).error
        needed = largest.size * (error / TARGET_ERROR) ** 2
        if not error >= TARGET_ERROR or size == _MOST:
            return found
        size = min(_BATCH * int(np.ceil(1.1 * needed / _BATCH)), _MOST)


def _largest(root: Floats, rng: np.random.Generator) -> Floats:
    """Simulate max_m (A u)_m^2 along a batch of directions u."""
    direction = rng.standard_normal((_BATCH, root.shape[1]))
    length = (direction**2).sum(axis=1)
    return np.asarray(((direction @ root.T) ** 2).max(axis=1) / length)
