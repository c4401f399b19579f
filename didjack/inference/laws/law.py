r"""The law of a jackknife t statistic under the working model.

The statistic is theta / sqrt(s sum_j d_j^2), with jointly normal estimate and deviations. So

    P(|T| > q) = P(theta^2 - kappa sum_j d_j^2 > 0),    kappa = s q^2,

the probability that a quadratic form of normals is positive (Imhof 1961). In the coordinates in
which the deviations' part is diagonal, delta_i, the estimate's is of rank one, with squared
coordinates g_i^2 (and g_0^2 outside the span of the deviations), and

    H(x) = g_0^2 + sum_i g_i^2 / (1 + 2 x delta_i)
    P = 1/pi int_{x0}^inf (x H(x) / (x0 H(x0)) - 1)^{-1/2} prod_i (1 + 2 x delta_i)^{-1/2} dx / x

with 2 x0 H(x0) = kappa. This is Imhof's integral with its path turned from the real to the
imaginary axis (the one positive eigenvalue is the only branch point there, at x0): its integrand is
positive and smooth, nothing cancels, and small probabilities have all their digits. With
log x = log x0 + y^2 it is even in y and falls faster than exp(-y^2), so that the midpoint rule with
a few dozen points is exact to 1e-10. kappa is explicit in x0, so a critical value is a search
over x0 that decomposes nothing again.

Reference: Imhof (1961), Biometrika 48, doi:10.1093/biomet/48.3-4.419.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats, Ints
from didjack.inference.laws.axes import Axes

STEP = 0.15
"""Distance of the points in y; the error falls as exp(-const / STEP)."""
LARGEST = 1e37
PRECISION = 1e-9
"""Relative precision of P at a critical value."""
USUAL_SLOPE = -1.7
"""Of log P in log x0, roughly, at the 5 % level."""
MOST_STEPS = 100
"""Steps of the search for it; five are enough as a rule."""
DECADES = 25.0
"""The integral ends where the integrand has fallen by exp(-DECADES)."""


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws of the t statistics of M coefficients.

    Attributes
    ----------
    delta : (M, r) eigenvalues of the deviations' covariance, over the variance of the estimate;
        zeros fill up shorter rows
    square : (M, r) squared coordinates of the estimate on their eigenvectors; their sum and
        `outside` is 1
    outside : (M,) the part of the estimate's variance outside the span of the deviations
    bulk, bulk_df : (M,) many small deviations taken together: mean of their sum of squares, and
        the degrees of freedom of the chi square they are taken to follow; 0 where there are none
    shrink : (M,) s: the variance of the estimate is estimated by s times the sum of squares
    """

    delta: Floats
    square: Floats
    outside: Floats
    bulk: Floats
    bulk_df: Floats
    shrink: Floats

    def p_value(self, statistic: Floats) -> Floats:
        """P(|T| > |statistic|), (M,)."""
        kappa = self.shrink * np.asarray(statistic, dtype=float) ** 2
        result = np.where(np.isnan(kappa), np.nan, np.where(kappa > 0, 0.0, 1.0))
        rows = np.flatnonzero((kappa > 0) & (kappa < self._largest()))
        if rows.size:
            part = self.take(rows)
            result[rows] = part.probability(part.branch_point(kappa[rows]))
        return result

    def critical_value(self, alpha: float) -> Floats:
        """Return the q with P(|T| > q) = alpha, (M,)."""
        if not self.shrink.size:
            return np.empty(0)
        x = self._quantile(alpha)
        return np.sqrt(2.0 * x * self._h(x[:, None])[:, 0] / self.shrink)

    def _largest(self) -> Floats:
        """Return the largest kappa there can be, (M,): finite if the deviations span theta."""
        ratio = np.divide(
            self.square, self.delta, out=np.zeros_like(self.delta), where=self.delta > 0
        )
        return np.where(self.outside > 0, np.finfo(float).max, ratio.sum(axis=1))

    def take(self, rows: Ints) -> Laws:
        """Select coefficients."""
        return Laws(
            self.delta[rows],
            self.square[rows],
            self.outside[rows],
            self.bulk[rows],
            self.bulk_df[rows],
            self.shrink[rows],
        )

    def _h(self, x: Floats) -> Floats:
        """H at (M, n) points."""
        parts = self.square[:, None] / (1.0 + 2.0 * x[:, :, None] * self.delta[:, None])
        return np.asarray(self.outside[:, None] + parts.sum(axis=2))

    def _log_determinant(self, x: Floats) -> Floats:
        """Sum of log(1 + 2 x delta) at (M, n) points, bulk included."""
        total = _sum_log1p(2.0 * x[:, :, None] * self.delta[:, None])
        return np.asarray(
            total + self.bulk_df[:, None] * np.log1p(2.0 * x * self._bulk_each[:, None])
        )

    def branch_point(self, kappa: Floats) -> Floats:
        """Solve 2 x H(x) = kappa, (M,), by Newton steps in logarithms.

        log(2 x H) is concave and increasing in log x with slope at most 1; from x = kappa / 2,
        where H = 1 is an upper bound, Newton steps only go up and do not overshoot.
        """
        log_x = np.log(kappa / 2.0)
        for _ in range(200):
            x = np.exp(log_x)
            ratio = 1.0 / (1.0 + 2.0 * x[:, None] * self.delta)
            h = self.outside + (self.square * ratio).sum(axis=1)
            slope = (self.outside + (self.square * ratio**2).sum(axis=1)) / h
            step = (np.log(kappa / 2.0) - log_x - np.log(h)) / slope
            log_x = np.minimum(log_x + step, 690.0)
            if (np.abs(step) < 1e-12).all():
                break
        return np.exp(log_x)

    def probability(self, x0: Floats) -> Floats:
        """P at the branch point x0, (M,)."""
        y = (np.arange(int(np.ceil(np.sqrt(self._reach(x0)) / STEP))) + 0.5) * STEP
        x = x0[:, None] * np.exp(np.minimum(y**2, 300.0))
        h, h0 = self._h(x), self._h(x0[:, None])
        excess = np.expm1(y**2 + np.log(h / h0))
        weight = 2.0 * y / np.sqrt(np.maximum(excess, 1e-300))
        values = weight * np.exp(-0.5 * self._log_determinant(x))
        return np.asarray(np.clip(values.sum(axis=1) * STEP / np.pi, 0.0, 1.0))

    def _reach(self, x0: Floats) -> float:
        """Return the y^2 beyond which the integrand is negligible for all coefficients.

        By then the k largest eigenvalues alone have made it smaller by exp(-DECADES).
        """
        k = 1.0 + np.arange(self.delta.shape[1])
        size = np.hstack([-np.sort(-self.delta, axis=1), self._bulk_each[:, None]])
        with np.errstate(divide="ignore"):
            start = np.maximum(0.0, -np.log(size) - np.log(x0[:, None]))
        decline = np.hstack([np.tile(k, (x0.size, 1)), np.maximum(self.bulk_df, 1.0)[:, None]])
        return float((start + 2.0 * DECADES / decline).min(axis=1).max())

    @property
    def _bulk_each(self) -> Floats:
        """(M,) the bulk by degree of freedom."""
        none = np.zeros(self.bulk.size)
        return np.asarray(np.divide(self.bulk, self.bulk_df, out=none, where=self.bulk_df > 0))

    def _quantile(self, alpha: float) -> Floats:
        """Find the x0 with P = alpha, (M,), by secant steps inside a bracket, in logarithms.

        The search starts where it would end if the estimate and its standard error were
        independent and the latter's square a multiple of a chi square.
        """
        from scipy import special

        total = self.delta.sum(axis=1) + self.bulk
        square = (self.delta**2).sum(axis=1)
        square += np.divide(
            self.bulk**2, self.bulk_df, out=np.zeros(total.size), where=self.bulk > 0
        )
        t = special.stdtrit(total**2 / square, 1.0 - alpha / 2.0)
        log_x = np.log(self.branch_point(np.minimum(t**2 / total, 0.99 * self._largest())))
        low, high = np.full(total.size, -300.0), np.full(total.size, 300.0)
        slope = np.full(total.size, USUAL_SLOPE)
        f = self._excess(log_x, alpha)
        for _ in range(MOST_STEPS):
            open_ = np.abs(f) > PRECISION
            if not open_.any():
                break
            low, high = np.where(f > 0, log_x, low), np.where(f > 0, high, log_x)
            new = log_x - f / slope
            new = np.where((new > low) & (new < high), new, (low + high) / 2.0)
            step = np.where(open_, new - log_x, 0.0)
            old, f = f, self._excess(log_x + step, alpha)
            change = np.divide(f - old, step, out=slope.copy(), where=step != 0)
            slope = np.where(change < 0, change, slope)
            log_x = log_x + step
        return np.exp(log_x)

    def _excess(self, log_x: Floats, alpha: float) -> Floats:
        """Return log P - log alpha at branch points, (M,)."""
        p_values = self.probability(np.exp(log_x))
        return np.asarray(np.log(np.maximum(p_values, 1e-300) / alpha))


def _sum_log1p(values: Floats) -> Floats:
    """Sum log(1 + values) over the last axis; products of eight at a time are cheaper.

    Values beyond `LARGEST`, where integrands are zero, are cut, so that no product overflows.
    """
    values = np.minimum(values, LARGEST)
    width = -values.shape[-1] % 8
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, width)])
    blocks = (1.0 + padded).reshape(*padded.shape[:-1], -1, 8)
    return np.asarray(np.log(blocks.prod(axis=-1)).sum(axis=-1))


def laws(axes: list[Axes], shrink: Floats) -> Laws:
    """Put the axes of M coefficients together."""
    width = max((a.delta.size for a in axes), default=1)
    delta, square = np.zeros((2, len(axes), width))
    for m, a in enumerate(axes):
        delta[m, : a.delta.size], square[m, : a.delta.size] = a.delta, a.square
    outside, bulk, bulk_df = np.array([a[2:] for a in axes]).reshape(-1, 3).T
    return Laws(delta, square, outside, bulk, bulk_df, shrink)


def equivalent_df(critical: Floats, alpha: float) -> Floats:
    """Degrees of freedom of the t distribution with that critical value; infinite if normal."""
    from scipy import special

    normal = special.ndtri(1.0 - alpha / 2.0)
    result = np.where(np.isnan(critical), np.nan, np.inf)
    wide = critical > normal * (1.0 + 1e-12)
    result[wide] = _solve_df(critical[wide], 1.0 - alpha / 2.0)
    return result


def _solve_df(critical: Floats, level: float) -> Floats:
    """Bisect for the df whose quantile at `level` is `critical`, in logarithms."""
    from scipy import special

    low, high = np.full(critical.size, np.log(1e-2)), np.full(critical.size, np.log(1e10))
    for _ in range(60):
        middle = (low + high) / 2.0
        above = special.stdtr(np.exp(middle), critical) > level
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    df = np.exp((low + high) / 2.0)
    return np.where(df > 1e9, np.inf, df)
