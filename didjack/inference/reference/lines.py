"""Reference distributions of many combinations a + x b of the same few coefficients.

A sensitivity analysis asks for hundreds of them. All second moments under the working model are
polynomials of degree two in x, so those of a pair of coefficients are made once, and what is left
for each x is to bring a matrix of as many rows as there are clusters on its axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels import compiled
from didjack.estimation.kernels.quadratic_forms import axes_on_lines
from didjack.inference.reference.by_period import ByPeriod
from didjack.inference.reference.distribution import CANCELLED, Axes, Parts, on_axes
from didjack.inference.reference.loadings import Loadings
from didjack.leave_one_out import Replicates


def on_common_means(loadings: Sequence[Loadings]) -> list[Loadings]:
    """Write the loadings of several coefficients by the means that any of them uses."""
    used, row, weight, period = Loadings.common_means(loadings)
    found = []
    for one in loadings:
        beta = np.zeros((len(one.beta.stacked), used.size))
        beta[:, np.searchsorted(used, one.used)] = one.beta.stacked
        found.append(Loadings(used, row, Replicates(beta), weight, period))
    return found


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of one coefficient, on the means that it has in common with others.

    Attributes
    ----------
    parts : Parts of the n replicates that are used
    half : (n, q) what is multiplied with `shift` for half of their covariance
    deleted : (n, T') loadings that deleting a cluster takes away
    variance : (n,) of the cluster-level shocks
    """

    parts: Parts
    half: Floats
    deleted: Floats
    variance: Floats

    @classmethod
    def from_loadings(cls, loadings: Loadings, v: Floats, kept: Ints) -> Moments:
        """Take them from loadings, with variances v, (H,), for the kept replicates, (n,)."""
        parts = loadings.parts(v, kept)
        half = 0.5 * parts.shift @ parts.psi - parts.mixed
        return cls(parts, half, loadings.deleted[kept], v[kept])


@dataclass(frozen=True, eq=False)
class Line:
    """Second moments of a + x b: polynomials in x, of degree two.

    Attributes
    ----------
    estimate : (3,) variance of the estimate
    cross : (3, n) covariance of the estimate and the replicates' deviations
    gram : (3, n, n) covariance of the deviations
    psi, first : (q, q), (2, q) as of `Parts`: without cancelling out, the variance of the estimate
        would be that of absolute values
    """

    estimate: Floats
    cross: Floats
    gram: Floats
    psi: Any
    first: Floats

    @classmethod
    def through(cls, a: Moments, b: Moments, centre_on_mean: bool) -> Line:
        """Multiply out the moments of a + x b."""
        one, two, psi = a.parts, b.parts, a.parts.psi
        estimate = [one.estimate, 2.0 * one.first @ psi @ two.first, two.estimate]
        mixed = one.shift @ (psi @ two.first) - one.mixed @ two.first
        mixed += two.shift @ (psi @ one.first) - two.mixed @ one.first
        cross = np.stack([one.cross, mixed, two.cross])
        own = 2.0 * a.variance * (a.deleted * b.deleted).sum(axis=1)
        gram = np.stack(
            [
                _symmetric(a.half @ one.shift.T, one.own),
                _symmetric(a.half @ two.shift.T + b.half @ one.shift.T, own),
                _symmetric(b.half @ two.shift.T, two.own),
            ]
        )
        if centre_on_mean:
            cross = cross - cross.mean(axis=1, keepdims=True)
            gram = gram - gram.mean(axis=1, keepdims=True)
            gram = gram - gram.mean(axis=2, keepdims=True)
        return cls(np.array(estimate), cross, gram, psi, np.stack([one.first, two.first]))

    def variance(self, x: Floats) -> Floats:
        """Return the variance of the estimate of a + x b, (L,); zero where it cancels out."""
        found = self.estimate[0] + x * (self.estimate[1] + x * self.estimate[2])
        size = np.abs(self.first[0] + x[:, None] * self.first[1])
        if isinstance(self.psi, ByPeriod):
            bound = ((size @ self.psi) * size).sum(axis=1)
        else:
            bound = np.einsum("lq,qr,lr->l", size, self.psi, size)
        return np.where(found > CANCELLED * bound, found, 0.0)


def _symmetric(half: Floats, diagonal: Floats) -> Floats:
    gram = half + half.T
    gram.flat[:: diagonal.size + 1] += diagonal
    return np.asarray(gram)


def axes_on(lines: Sequence[Line], which: Ints, x: Floats) -> tuple[list[Axes | None], Floats]:
    """Bring a + x b on its axes, on L lines, all with the same number of replicates.

    Parameters
    ----------
    which : (L,) which line
    x : (L,)

    Returns
    -------
    L axes, None where the statistic is a constant, and the variances of the estimates, (L,)
    """
    variance = np.zeros(x.size)
    for k, line in enumerate(lines):
        variance[which == k] = line.variance(x[which == k])
    some = np.flatnonzero(variance > 0)
    cross, gram = np.stack([one.cross for one in lines]), np.stack([one.gram for one in lines])
    n = cross.shape[2]
    values, squares = np.empty((2, some.size, n))
    given = (cross, gram, which[some], x[some], variance[some], values, squares)
    compiled.run(axes_on_lines, some.size, 3.0 * some.size * n**3, *given)
    found: list[Axes | None] = [None] * x.size
    for row, at in enumerate(some.tolist()):
        if values[row, -1] > 0:
            axes = on_axes(values[row], squares[row])
            found[at] = axes if axes.delta.size > 1 or axes.outside > 0 else None
    return found, variance
