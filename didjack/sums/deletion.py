"""Sums by stratum, and over all clusters but one."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.kernels import sums as kernels
from didjack.kernels import threads
from didjack.kernels.arguments import MomentRows, Rows
from didjack.sums.layout import Cohorts
from didjack.sums.rows import RowArrays


class Deletion:
    """Rows in strata, and the clusters that are deleted one at a time.

    Attributes
    ----------
    rows : RowArrays
    n_deleted : H, or 0 for the full sample alone
    """

    def __init__(self, rows: RowArrays, n_deleted: int) -> None:
        self.rows = rows
        self.n_deleted = n_deleted
        self._selected: dict[tuple[Cohorts, int], Ints] = {}

    def select(self, cohorts: Cohorts, period: int) -> Ints:
        """Return the strata of some cohorts in a period, ordered by cluster."""
        key = (cohorts, period)
        if key not in self._selected:
            self._selected[key] = self.rows.strata.select(cohorts, period)
        return self._selected[key]

    def deleted(self, values: Floats, chosen: Ints) -> Floats:
        """Add up strata: (S, ...) -> (R, ...)."""
        flat = np.ascontiguousarray(values).reshape(len(values), -1)
        result = kernels.deleted_sums(flat, chosen, self.rows.strata.cluster, self.n_deleted)
        return np.asarray(result.reshape(-1, *values.shape[1:]))

    def by_stratum(self, values: Floats) -> Floats:
        """Add up (n,) values, (S, 1)."""
        return np.add.reduceat(values, self.rows.strata.start[:-1])[:, None]

    def products(self, x: Floats, w: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Sum w x x', (S, k, k), and w x y, (S, O, k), by stratum."""
        start, k = self.rows.strata.start, x.shape[1]
        gram = np.zeros((start.size - 1, k, k))
        cross = np.zeros((start.size - 1, y.shape[1], k))
        work = x.size * (k + y.shape[1])
        rows = Rows(x, w, start)
        threads.run(kernels.stratum_sums, start.size - 1, work, rows, y, gram, cross)
        return gram, cross

    def moments(self, slot: int, outcomes: Ints, chosen: Ints) -> Floats:
        """Sum w, w^2 and w y of single rows over some strata, (c, 2 + o)."""
        rows, strata = self.rows, self.rows.strata
        sums = np.zeros((chosen.size, 2 + outcomes.size))
        columns = MomentRows(rows.w[slot], strata.start, rows.y, rows.level, rows.square)
        work = float(strata.sizes[chosen].sum() * sums.shape[1])
        threads.run(kernels.moments, chosen.size, work, columns, outcomes, chosen, sums)
        return sums
