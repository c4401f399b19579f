"""What aggregation knows of ATT(g,t): a table of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.engine.fit import Fit


@dataclass(frozen=True, slots=True)
class CellTable:
    """What aggregation knows of the K cells.

    Attributes
    ----------
    group, time : (K,) first treated period and period, on the integer axis
    att : (R, K) estimates; NaN where there is none
    changed : (R, K) whether a replicate's cell compares other cohorts or periods
    weight : (R, K) weight of each cell: that of its cohort, or of its own treated rows
    first, last : (R,) first and last period of each replicate's sample
    n_shown : how many of the cells, the first ones, the full sample has; others are cells that
        only some replicates have
    """

    group: Ints
    time: Ints
    att: Floats
    changed: Bools
    weight: Floats
    first: Ints
    last: Ints
    n_shown: int

    @classmethod
    def of(cls, fit: Fit, by_cell: bool = False) -> CellTable:
        """Take the cells of a fit, with their own weights or those of their cohorts."""
        estimated = fit.estimated(fit.options.jackknife)
        parts = (estimated.shown, estimated.extra)
        cells = estimated.shown.cells + estimated.extra.cells
        cohort = np.array([cell.cohort for cell in cells], dtype=np.int64)
        treated = np.hstack([part.treated for part in parts])
        return cls(
            group=fit.layout.cohorts[cohort],
            time=fit.layout.periods[[cell.time for cell in cells]],
            att=np.hstack([part.att for part in parts]),
            changed=np.hstack([part.changed for part in parts]),
            weight=treated if by_cell else estimated.share[:, cohort],
            first=estimated.shown.first,
            last=estimated.shown.last,
            n_shown=len(estimated.shown.cells),
        )
