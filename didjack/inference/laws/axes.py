"""Second moments of an estimate and its replicates -> the axes of their quadratic form.

The form is theta^2 - kappa sum_j d_j^2. On its axes the deviations' part is diagonal, and the
estimate's part is of rank one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from didjack._typing import Floats, Ints
from didjack.inference.laws.second_moments import Parts
from didjack.kernels.axes import axes_seen_from

NEGLIGIBLE = 1e-13
"""Eigenvalues below this share of the largest are zero."""
CANCELLED = 1e-13
"""An estimate whose variance is below this share of what it would be if no shocks cancelled out is
not moved by shocks of clusters: treated and comparison rows of each cluster are alike."""
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
    Axes, or None where shocks of clusters do not move the estimate or any replicate, or move them
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
    values, square = axes_seen_from(gram / estimate, cross / estimate)
    kept = np.flatnonzero(values > NEGLIGIBLE * values[-1])[::-1]
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
    moments = _Centred.of(parts, b)
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
    def of(cls, parts: Parts, b: float) -> _Centred:
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
