"""Statistics of all assignments as functions of the effect under the null.

With E = 1 where the actual assignment treats, estimates from Y - tau E are linear in tau: a - tau b
with a from Y and b from E. So a squared t statistic is a quadratic polynomial over another one, and
that of an assignment crosses the actual one in at most four places. Nothing is estimated again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats

TIE = 1e-9
"""Statistics that are smaller than the actual one by less than this share are as large: they tie
but for rounding errors."""
NEGLIGIBLE = 1e-13
"""Leading coefficients this small, relative to the largest, are rounding errors."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Squared statistics, top / bottom, of P assignments, the actual one first.

    tau = centre + scale x; polynomials in x, lowest power first.

    Attributes
    ----------
    top, bottom : (P, 3)
    centre, scale : numbers; the actual estimate, and how far estimates lie apart
    """

    top: Floats
    bottom: Floats
    centre: float
    scale: float

    def _values(self, tau: float) -> tuple[Floats, Floats]:
        x = (tau - self.centre) / self.scale
        powers = np.array([1.0, x, x * x])
        return self.top @ powers, self.bottom @ powers

    def actual(self, tau: float) -> float:
        """Return the absolute value of the actual statistic."""
        top, bottom = self._values(tau)
        return float(np.sqrt(top[0] / bottom[0]))

    def p_value(self, tau: float) -> float:
        """Return the share of assignments with a statistic as large as the actual one."""
        top, bottom = self._values(tau)
        as_large = top * bottom[0] >= (1.0 - TIE) ** 2 * top[0] * bottom
        as_large[0] = True
        return float(as_large.mean())

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the hull of the tau that are not rejected; its ends may be infinite."""
        at, change, count = self._steps()
        share = (count + np.concatenate([[0], np.cumsum(change)])) / len(self.top)
        kept = np.flatnonzero(share > alpha)
        ends = np.concatenate([[-np.inf], self.centre + self.scale * at, [np.inf]])
        if not kept.size:  # only the estimate itself, where every statistic is as large
            return self.centre, self.centre
        return float(ends[kept[0]]), float(ends[kept[-1] + 1])

    def _steps(self) -> tuple[Floats, Floats, float]:
        """Return where the number of statistics as large as the actual one changes.

        Returns
        -------
        x, (n,) sorted; by how much the number changes there, (n,); and what it is to their left
        """
        excess = _product(self.top[1:], self.bottom[0])
        excess -= _product(self.bottom[1:], (1.0 - TIE) ** 2 * self.top[0])
        size = np.abs(excess).max(axis=1, keepdims=True, initial=0.0)
        excess = np.divide(excess, size, out=np.zeros(excess.shape), where=size > 0)
        roots = _real_parts(excess)
        large = _signs(excess, roots)
        change = large[:, 1:].astype(float) - large[:, :-1]
        moves = change != 0
        at, which = np.unique(roots[moves], return_inverse=True)
        total = np.bincount(which.ravel(), weights=change[moves], minlength=at.size)
        return at, total.astype(np.float64), 1.0 + float(large[:, 0].sum())


def _product(left: Floats, right: Floats) -> Floats:
    """Multiply polynomials of degree 2, (P, 3) and (3,): (P, 5)."""
    result = np.zeros((len(left), 5))
    for i in range(3):
        result[:, i : i + 3] += left[:, i : i + 1] * right
    return result


def _real_parts(polynomials: Floats) -> Floats:
    """Return the real parts of the roots, (P, 5) -> (P, 4), sorted; NaN for those there are not.

    Where a root is not real, its real part is one more place to look at, which does no harm.
    """
    found = np.full((len(polynomials), 4), np.nan)
    degree = 4 - (np.abs(polynomials[:, ::-1]) > NEGLIGIBLE).argmax(axis=1)
    degree[~polynomials.any(axis=1)] = 0
    for d in range(1, 5):
        rows = np.flatnonzero(degree == d)
        some = polynomials[rows, : d + 1]
        companion = np.zeros((rows.size, d, d))
        companion[:, np.arange(1, d), np.arange(d - 1)] = 1.0
        companion[:, :, -1] = -some[:, :-1] / some[:, -1:]
        found[rows, :d] = np.sort(np.linalg.eigvals(companion).real, axis=1)
    return found


def _signs(polynomials: Floats, roots: Floats) -> Bools:
    """Return whether polynomials are at least zero between their roots, (P, 5).

    Between roots that are not there, what is true beyond the last one.
    """
    last = np.fmax.reduce(roots, axis=1, initial=-np.inf)
    none = np.isinf(last)
    first = np.where(none, 0.0, roots[:, 0])
    last = np.where(none, 0.0, last)
    edges = np.column_stack([first, np.where(np.isnan(roots), last[:, None], roots), last])
    points = (edges[:, 1:] + edges[:, :-1]) / 2.0
    points[:, 0] -= np.fmax(1.0, np.abs(first))
    beyond = np.column_stack([np.isnan(roots), np.ones(len(roots), dtype=bool)])
    points = np.where(beyond, (last + np.fmax(1.0, np.abs(last)))[:, None], points)
    value = np.zeros(points.shape)
    for coefficient in polynomials.T[::-1]:
        value = value * points + coefficient[:, None]
    return np.asarray(value >= 0.0)
