"""Second moments of an estimate and its replicates' deviations under the working model.

The form is theta^2 - kappa sum_j d_j^2. On its axes the deviations' part is diagonal, and the
estimate's part is of rank one.

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
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels.inputs import Forms
from didjack.estimation.kernels.quadratic_forms import (
    integrate,
    ql_steps,
    solve_branch,
    tridiagonalise,
)
from didjack.imports import load
from didjack.inference.reference.by_period import ByPeriod

# ---- second moments ------------------------------------------------------------------------------


AT_ONCE = 2**20
"""So many covariances are formed at a time where there are too many means for a matrix of these."""


class Parts(NamedTuple):
    """The second moments of deviations as a diagonal and a product of thin matrices.

    Covariance of the deviations: diag(own) + [shift, mixed] [[psi, -1], [-1, 0]] [shift, mixed]'.

    Attributes
    ----------
    psi : (q, q) covariance of the means' sums, an array or `ByPeriod`
    shift : (R', q) change of beta in each replicate
    mixed : (R', q) covariance of what is deleted with the means' sums
    own : (R',) variance of what is deleted
    first : (q,) beta of the full sample
    """

    psi: Any
    shift: Floats
    mixed: Floats
    own: Floats
    first: Floats

    def take(self, rows: Ints) -> Parts:
        """Select replicates."""
        return self._replace(shift=self.shift[rows], mixed=self.mixed[rows], own=self.own[rows])

    @property
    def estimate(self) -> float:
        """Variance of the estimate."""
        return float(self.first @ self.psi @ self.first)

    @property
    def bound(self) -> float:
        """What the variance of the estimate would be if nothing cancelled out."""
        size = np.abs(self.first)
        return float(size @ self.psi @ size)

    @property
    def cross(self) -> Floats:
        """(R',) covariance of the estimate and each deviation."""
        return np.asarray(self.shift @ (self.psi @ self.first) - self.mixed @ self.first)

    @property
    def diagonal(self) -> Floats:
        """(R',) variance of each deviation."""
        inner = (self.shift @ self.psi - 2.0 * self.mixed) * self.shift
        return np.asarray(self.own + inner.sum(axis=1))

    @property
    def squared_norm(self) -> float:
        """Sum of the squares of all covariances of deviations."""
        if isinstance(self.psi, ByPeriod):
            return self._squared_norm_by_rows()
        thin = np.hstack([self.shift, self.mixed])
        inner, q = thin.T @ thin, self.psi.shape[0]
        kernel = np.block([[self.psi, -np.eye(q)], [-np.eye(q), np.zeros((q, q))]])
        product = kernel @ inner
        cross = 2.0 * self.own @ (self.diagonal - self.own)
        return float((self.own**2).sum() + cross + (product * product.T).sum())

    def _squared_norm_by_rows(self) -> float:
        """Do the same some rows at a time, without any matrix of as many means as there are."""
        half, total, n = 0.5 * self.shift @ self.psi - self.mixed, 0.0, self.own.size
        step = max(1, AT_ONCE // n)
        for first in range(0, n, step):
            rows = slice(first, first + step)
            some = half[rows] @ self.shift.T + self.shift[rows] @ half.T
            some[np.arange(len(some)), np.arange(first, first + len(some))] += self.own[rows]
            total += float((some**2).sum())
        return total

    def times(self, vector: Floats) -> Floats:
        """Multiply the covariance of the deviations with a vector, (R',)."""
        shift, mixed = self.shift.T @ vector, self.mixed.T @ vector
        product = self.shift @ (self.psi @ shift - mixed) - self.mixed @ shift
        return np.asarray(product + self.own * vector)

    def block(self, rows: Ints) -> Floats:
        """Covariance of some deviations."""
        shift, mixed = self.shift[rows], self.mixed[rows]
        half = (0.5 * shift @ self.psi - mixed) @ shift.T
        gram = half + half.T
        gram.flat[:: rows.size + 1] += self.own[rows]  # the diagonal
        return np.asarray(gram)


# ---- axes ----------------------------------------------------------------------------------------

NEGLIGIBLE = 1e-13
"""Eigenvalues below this share of the largest are zero."""
CANCELLED = 1e-13
"""An estimate whose variance is below this share of what it would be if no shocks cancelled out is
not moved by cluster-level shocks: treated and control rows of each cluster are alike."""
NO_MOVEMENT = 1e-24
"""Replicates whose variance is below this share of the largest do not move: that is rounding."""
MOST_EXACT = 128
"""Of more replicates than this, only those with the largest variance are kept one by one."""
TOP = 64
"""How many these are. Critical values are then within 3e-4 of the exact ones."""


class Axes(NamedTuple):
    """The quadratic form of one coefficient on its axes, over the variance of the estimate.

    Attributes
    ----------
    delta : (r,) eigenvalues of the deviations' covariance, the largest first
    square : (r,) squared coordinates of the estimate on their eigenvectors
    outside : the part of the estimate's variance outside the span of the deviations
    bulk, bulk_df : many small deviations taken together: mean of their sum of squares, and the
        degrees of freedom of the chi square they are taken to follow; 0 where there are none
    """

    delta: Floats
    square: Floats
    outside: float
    bulk: float
    bulk_df: float

    @property
    def total(self) -> float:
        """Mean of the sum of squares of the deviations, over the variance of the estimate."""
        return float(self.delta.sum()) + self.bulk


@cache
def student(count: int) -> Axes:
    """Return the axes of a statistic with t(count - 1)."""
    nothing = np.empty(0)
    return Axes(nothing, nothing, 1.0, count / (count - 1.0), count - 1.0)


def axes_of(parts: Parts, centre_on_mean: bool = False) -> Axes | None:
    """Bring the quadratic form of one coefficient on its axes.

    Parameters
    ----------
    parts : second moments of its deviations
    centre_on_mean : whether deviations are from their mean (CV3J), not from the estimate (CV3)

    Returns
    -------
    Axes, or None where cluster-level shocks do not move the estimate or any replicate, or move them
    in proportion only, so that the statistic is a constant
    """
    diagonal, count = parts.diagonal, parts.own.size
    if not (parts.estimate > CANCELLED * parts.bound and diagonal.max(initial=0.0) > 0):
        return None
    moving = np.flatnonzero(diagonal > NO_MOVEMENT * diagonal.max())
    parts, n = parts.take(moving) if moving.size < count else parts, moving.size
    # With S = C'C, sum (d - mean)^2 is d'Sd with S = 1 - 11'/count; C = 1 - b 11'. Those that do
    # not move count in the mean only.
    b = (1.0 - np.sqrt(1.0 - n / count)) / n if centre_on_mean else 0.0
    if n > MOST_EXACT:
        return _axes_of_many(parts, b)
    gram, cross = parts.block(np.arange(n)), parts.cross
    if b:
        gram, cross = gram - b * gram.sum(axis=0), cross - b * cross.sum()
        gram = gram - b * gram.sum(axis=1, keepdims=True)
    axes = _decompose(parts.estimate, cross, gram)
    return axes if axes.delta.size > 1 or axes.outside > 0 else None


def _decompose(estimate: float, cross: Floats, gram: Floats) -> Axes:
    values, first, beside, v, w = np.empty((5, cross.size))
    tridiagonalise(gram / estimate, cross / estimate, values, beside, v, w)
    first[:], first[0], beside[-1] = 0.0, beside[-1], 0.0
    ql_steps(values, beside, first)
    return on_axes(values, first * first)


def on_axes(values: Floats, square: Floats) -> Axes:
    """Leave out axes along which nothing moves.

    Parameters
    ----------
    values : (n,) eigenvalues of the deviations' covariance, in any order
    square : (n,) squared coordinates of their covariance with the estimate on the eigenvectors
    """
    order = np.argsort(values, kind="stable")
    kept = order[values[order] > NEGLIGIBLE * values[order[-1]]][::-1]
    values = values[kept]
    square = square[kept] / values
    outside = 1.0 - float(square.sum())
    return Axes(values, square, outside if outside > 1e-10 else 0.0, 0.0, 0.0)


def _axes_of_many(parts: Parts, b: float) -> Axes:
    """Do the same for many replicates, with time in proportion to their number.

    The deviations with the largest variance are kept one by one, and so is the combination of
    the others that goes with the estimate. What is left is a sum of many small squares, taken to
    be a multiple of a chi square with the same mean and variance. Deviations are multiplied with
    1 - b 11'.
    """
    moments = _Centred.from_parts(parts, b)
    order = np.argsort(-moments.diagonal, kind="stable")
    top = np.sort(order[:TOP])
    along = moments.cross.copy()
    along[top] = 0.0
    length = float(np.linalg.norm(along))
    along = along / length if length > 0 else along
    image = moments.times(along)
    some = np.empty((top.size + 1, top.size + 1))
    some[:-1, :-1], some[-1, -1] = moments.block(top), along @ image
    some[-1, :-1] = some[:-1, -1] = image[top]
    axes = _decompose(parts.estimate, np.append(moments.cross[top], length), some)
    mean = float(moments.diagonal.sum() - np.trace(some)) / parts.estimate
    spread = float(moments.squared_norm - (some**2).sum()) / parts.estimate**2
    if not (mean > NEGLIGIBLE and spread > 0):
        return axes
    return axes._replace(bulk=mean, bulk_df=mean**2 / spread)


@dataclass(frozen=True, eq=False)
class _Centred:
    """Second moments of deviations multiplied with C = 1 - b 11'.

    Attributes
    ----------
    parts : Parts of the n deviations themselves
    b : number
    row : (n,) sums of their covariances, with b not zero
    """

    parts: Parts
    b: float
    row: Floats

    @classmethod
    def from_parts(cls, parts: Parts, b: float) -> _Centred:
        """Add up the rows."""
        ones = np.ones(parts.own.size)
        return cls(parts, b, parts.times(ones) if b else np.zeros(ones.size))

    @cached_property
    def cross(self) -> Floats:
        """(n,) covariance with the estimate."""
        cross = self.parts.cross
        return np.asarray(cross - self.b * cross.sum())

    @cached_property
    def diagonal(self) -> Floats:
        """(n,) variances."""
        change = self.b**2 * self.row.sum() - 2.0 * self.b * self.row
        return np.asarray(self.parts.diagonal + change)

    @property
    def squared_norm(self) -> float:
        """Sum of squares of the covariances."""
        squared = self.b * (2.0 - self.b * self.row.size)  # C'C = 1 - squared 11'
        row = self.row
        change = (squared * row.sum()) ** 2 - 2.0 * squared * row @ row
        return float(self.parts.squared_norm + change)

    def times(self, vector: Floats) -> Floats:
        """Multiply the covariance with a vector, (n,)."""
        if not self.b:
            return self.parts.times(vector)
        image = self.parts.times(vector - self.b * vector.sum())
        return np.asarray(image - self.b * image.sum())

    def block(self, rows: Ints) -> Floats:
        """Covariance of some deviations."""
        row = self.b * self.row[rows]
        gram = self.parts.block(rows)
        return np.asarray(gram - row[:, None] - row + self.b**2 * self.row.sum())


# ---- null distribution ---------------------------------------------------------------------------

PRECISION = 1e-9
"""Relative precision of P at a critical value."""
USUAL_SLOPE = -1.7
"""Of log P in log x0, roughly, at the 5 % level."""
MOST_DF = 1e9
"""More degrees of freedom than this are the normal."""
MOST_STEPS = 100
"""Steps of the search for it; five are enough as a rule."""


@dataclass(frozen=True, eq=False)
class NullDistributions:
    """Null distributions of the t statistics of M coefficients.

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
            result[rows] = _tail_probabilities(forms, _branch_points(forms, kappa[rows]))
        return result

    def critical_value(self, alpha: float) -> Floats:
        """Return the q with P(|T| > q) = alpha, (M,)."""
        if not self.shrink.size:
            return np.empty(0)
        x = self._quantile(alpha)
        return np.asarray(np.sqrt(2.0 * x * _h_values(self.forms, x) / self.shrink))

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

    def take(self, rows: Ints) -> NullDistributions:
        """Select coefficients."""
        return NullDistributions(
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
        log_x = np.log(_branch_points(forms, start))
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


def _h_values(forms: Forms, x: Floats) -> Floats:
    """Return H at one point of each form, (M,), added up in the order in which kernels do."""
    terms = forms.square / (1.0 + 2.0 * x[:, None] * forms.delta)
    return np.asarray(np.cumsum(np.column_stack([forms.outside, terms]), axis=1)[:, -1])


def _branch_points(forms: Forms, kappa: Floats) -> Floats:
    """Solve 2 x H(x) = kappa, (M,)."""
    result = np.empty(kappa.size)
    solve_branch(*forms[:3], kappa, result)
    return result


def _tail_probabilities(forms: Forms, x0: Floats) -> Floats:
    """Return P, (M,), from the branch points, (M,)."""
    result = np.empty(x0.size)
    integrate(*forms, x0, result)
    return result


def _excess(forms: Forms, log_x: Floats, alpha: float) -> Floats:
    """Return log P - log alpha at branch points, (M,)."""
    p_values = _tail_probabilities(forms, np.exp(log_x))
    return np.asarray(np.log(np.maximum(p_values, 1e-300) / alpha))


def null_distributions(axes: list[Axes], shrink: Floats) -> NullDistributions:
    """Put the axes of M coefficients together."""
    width = max((a.delta.size for a in axes), default=1)
    delta, square = np.zeros((2, len(axes), width))
    for m, a in enumerate(axes):
        delta[m, : a.delta.size], square[m, : a.delta.size] = a.delta, a.square
    rest = np.array([a[2:] for a in axes]).reshape(-1, 3).T
    outside, bulk, bulk_df = np.ascontiguousarray(rest)
    return NullDistributions(delta, square, outside, bulk, bulk_df, shrink)


def equivalent_df(critical: Floats, alpha: float) -> Floats:
    """Degrees of freedom of the t distribution with that critical value; infinite if normal."""
    special = load("scipy.special")

    normal = -special.ndtri(alpha / 2.0)
    result = np.where(np.isnan(critical), np.nan, np.inf)
    wide = critical > normal * (1.0 + 1e-12)
    df = special.stdtridf(alpha / 2.0, -critical[wide])
    result[wide] = np.where(df > MOST_DF, np.inf, df)
    return result
