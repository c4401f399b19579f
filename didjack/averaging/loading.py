"""Derivatives of averages, of which each cell moves two at most: its component, and the overall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints

MOST_AT_ONCE = 2**20
"""So many numbers are multiplied at a time, whatever the number of cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """Derivatives of M components and of the overall, the last, with respect to K cells.

    Attributes
    ----------
    n_components : M
    component : (K,) the component that a cell is in; -1 where that is none of the M
    own : (K,) derivative of this component
    overall : (K,) derivative of the overall
    """

    n_components: int
    component: Ints
    own: Floats
    overall: Floats

    def times(self, values: Floats) -> Floats:
        """Multiply with (N, K) values: (N, M + 1); NaN only where these have a derivative."""
        result = np.zeros((len(values), self.n_components + 1))
        step = max(1, MOST_AT_ONCE // max(self.own.size, 1))
        for first in range(0, len(values), step):
            rows = slice(first, first + step)
            result[rows] = self._times(values[rows])
        return result

    def _times(self, values: Floats) -> Floats:
        result = np.zeros((len(values), self.n_components + 1))
        cells = np.flatnonzero((self.component >= 0) & (self.own != 0))
        if cells.size:
            cells = cells[np.argsort(self.component[cells], kind="stable")]
            found, start = np.unique(self.component[cells], return_index=True)
            result[:, found] = np.add.reduceat(
                np.take(values, cells, axis=1) * self.own[cells], start, axis=1
            )
        cells = np.flatnonzero(self.overall)
        result[:, -1] = (np.take(values, cells, axis=1) * self.overall[cells]).sum(axis=1)
        return result

    def touches(self, cells: Bools) -> Bools:
        """Return which averages, (M + 1,), move with any of some cells, (K,)."""
        moved = np.zeros(self.n_components + 1, dtype=bool)
        moved[self.component[cells & (self.component >= 0) & (self.own != 0)]] = True
        moved[-1] = bool((self.overall[cells] != 0).any())
        return moved

    def magnitude(self) -> Loading:
        """Return absolute values."""
        return Loading(self.n_components, self.component, np.abs(self.own), np.abs(self.overall))
