"""What aggregation knows of ATT(g,t): a table of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class CellTable:
    """What aggregation knows of the K cells.

    Attributes
    ----------
    cohort, time : (K,) first treated period and period, on the integer axis
    att : (R, K) estimates; NaN where there is none
    changed : (R, K) whether a replicate's cell compares other cohorts or periods
    weight : (R, W) weights: of cohorts, or of the treated rows of each cell
    of_weight : (K,) which of the weights a cell has
    first, last : (R,) first and last period of each replicate's sample
    n_shown : how many of the cells, the first ones, the full sample has; others are cells that
        only some replicates have
    """

    cohort: Ints
    time: Ints
    att: Floats
    changed: Bools
    weight: Floats
    of_weight: Ints
    first: Ints
    last: Ints
    n_shown: int

    def take(self, rows: slice, cells: Ints) -> CellTable:
        """Select replicates, and cells by position."""
        return CellTable(
            cohort=self.cohort[cells],
            time=self.time[cells],
            att=np.take(self.att[rows], cells, axis=1),
            changed=np.take(self.changed[rows], cells, axis=1),
            weight=np.take(self.weight[rows], self.of_weight[cells], axis=1),
            of_weight=np.arange(cells.size),
            first=self.first[rows],
            last=self.last[rows],
            n_shown=int((cells < self.n_shown).sum()),
        )
