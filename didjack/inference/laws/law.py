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
from didjack.imports import load
from didjack.inference.laws.axes import Axes
from didjack.kernels.arguments import Forms
from didjack.kernels.law import branch_points, h_values, tail_probabilities

PRECISION = 1e-9
"""Relative precision of P at a critical value."""
USUAL_SLOPE = -1.7
"""Of log P in log x0, roughly, at the 5 % level."""
MOST_DF = 1e9
"""More degrees of freedom than this are the normal."""
MOST_STEPS = 100
"""Steps of the search for it; five are enough as a rule."""


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws of the t statistics of M coefficients.

    Attributes
    ----------
    delta : (M, r) eigenvalues of the deviations' covariance, over the variance of the estimate,
        the largest first; zeros fill up shorter rows
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
            forms = self.take(rows).forms
            result[rows] = tail_probabilities(forms, branch_points(forms, kappa[rows]))
        return result

    def critical_value(self, alpha: float) -> Floats:
        """Return the q with P(|T| > q) = alpha, (M,)."""
        if not self.shrink.size:
            return np.empty(0)
        x, forms = self._quantile(alpha), self.forms
        return np.asarray(np.sqrt(2.0 * x * h_values(forms, x) / self.shrink))

    @property
    def forms(self) -> Forms:
        """What kernels are given."""
        none = np.zeros(self.bulk.size)
        each = np.divide(self.bulk, self.bulk_df, out=none, where=self.bulk_df > 0)
        return Forms(self.delta, self.square, self.outside, each, self.bulk_df)

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

    def _quantile(self, alpha: float) -> Floats:
        """Find the x0 with P = alpha, (M,), by secant steps inside a bracket, in logarithms.

        The search starts where it would end if the estimate and its standard error were
        independent and the latter's square a multiple of a chi square.
        """
        special = load("scipy.special")

        total = self.delta.sum(axis=1) + self.bulk
        square = (self.delta**2).sum(axis=1)
        square += np.divide(
            self.bulk**2, self.bulk_df, out=np.zeros(total.size), where=self.bulk > 0
        )
        t = special.stdtrit(total**2 / square, alpha / 2.0)
        forms = self.forms
        start = np.minimum(t**2 / total, 0.99 * self._largest())
        log_x = np.log(branch_points(forms, start))
        low, high = np.full(total.size, -300.0), np.full(total.size, 300.0)
        slope = np.full(total.size, USUAL_SLOPE)
        f = _excess(forms, log_x, alpha)
        for _ in range(MOST_STEPS):
            open_ = np.abs(f) > PRECISION
            if not open_.any():
                break
            low, high = np.where(f > 0, log_x, low), np.where(f > 0, high, log_x)
            new = log_x - f / slope
            new = np.where((new > low) & (new < high), new, (low + high) / 2.0)
            step = np.where(open_, new - log_x, 0.0)
            old, f = f, _excess(forms, log_x + step, alpha)
            change = np.divide(f - old, step, out=slope.copy(), where=step != 0)
            slope = np.where(change < 0, change, slope)
            log_x = log_x + step
        return np.asarray(np.exp(log_x))


def _excess(forms: Forms, log_x: Floats, alpha: float) -> Floats:
    """Return log P - log alpha at branch points, (M,)."""
    p_values = tail_probabilities(forms, np.exp(log_x))
    return np.asarray(np.log(np.maximum(p_values, 1e-300) / alpha))


def laws(axes: list[Axes], shrink: Floats) -> Laws:
    """Put the axes of M coefficients together."""
    width = max((a.delta.size for a in axes), default=1)
    delta, square = np.zeros((2, len(axes), width))
    for m, a in enumerate(axes):
        delta[m, : a.delta.size], square[m, : a.delta.size] = a.delta, a.square
    rest = np.array([a[2:] for a in axes]).reshape(-1, 3).T
    outside, bulk, bulk_df = np.ascontiguousarray(rest)
    return Laws(delta, square, outside, bulk, bulk_df, shrink)


def equivalent_df(critical: Floats, alpha: float) -> Floats:
    """Degrees of freedom of the t distribution with that critical value; infinite if normal."""
    special = load("scipy.special")

    normal = -special.ndtri(alpha / 2.0)
    result = np.where(np.isnan(critical), np.nan, np.inf)
    wide = critical > normal * (1.0 + 1e-12)
    df = special.stdtridf(alpha / 2.0, -critical[wide])
    result[wide] = np.where(df > MOST_DF, np.inf, df)
    return result
