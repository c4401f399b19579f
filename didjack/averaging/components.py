"""Which cells each component of an aggregation has, sorted so that sums are over neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.averaging.cells import CellTable
from didjack.averaging.schemes import Scheme


@dataclass(frozen=True, slots=True)
class Components:
    """M components with k of the K cells, each cell in one of them.

    Attributes
    ----------
    keys : (M,) event times, cohorts or periods on the integer axis
    cells : (k,) positions of the cells, those of a component next to each other
    of_cell : (k,) the component of each
    start : (M,) where each component begins
    """

    keys: Ints
    cells: Ints
    of_cell: Ints
    start: Ints

    @classmethod
    def of(cls, table: CellTable, scheme: Scheme, used: Bools) -> Components:
        """Sort cells by component; components without any cell that is `used`, (K,), are none."""
        key = scheme.component(table)
        keys = np.unique(key[used])
        inside = np.flatnonzero(np.isin(key, keys))
        cells = inside[np.argsort(key[inside], kind="stable")]
        of_cell = np.searchsorted(keys, key[cells])
        return cls(keys, cells, of_cell, np.searchsorted(of_cell, np.arange(keys.size)))

    def total(self, values: Floats | Bools) -> Floats:
        """Add up (r, k) values by component, (r, M)."""
        return np.asarray(np.add.reduceat(values, self.start, axis=1, dtype=float))

    def some(self, flags: Bools) -> Bools:
        """Return which components have a cell with a flag, (r, k) -> (r, M)."""
        return np.asarray(np.logical_or.reduceat(flags, self.start, axis=1))

    def mean(self, values: Floats, weight: Floats | Bools) -> Floats:
        """Average (r, k) values where weights are positive; NaN where none is, (r, M)."""
        total = self.total(weight)
        top = self.total(np.where(weight > 0, values, 0.0) * weight)
        mean: Floats = np.divide(top, total, out=np.full(total.shape, np.nan), where=total > 0)
        return mean
