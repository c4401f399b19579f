"""What aggregation knows of ATT(g,t): a table of arrays."""

from __future__ import annotations

from dataclasses import dataclass

from didjack._typing import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class CellTable:
    """What aggregation knows of the K cells.

    Attributes
    ----------
    cohort, time : (K,) first treated period and period, on the integer axis
    att : (R, K) estimates; NaN where there is none
    changed : (R, K) whether a replicate's cell compares other cohorts or periods
    weight : (R, K) weight of each cell: that of its cohort, or of its own treated rows
    first, last : (R,) first and last period of each replicate's sample
    n_shown : how many of the cells, the first ones, the full sample has; others are cells that
        only some replicates have
    """

    cohort: Ints
    time: Ints
    att: Floats
    changed: Bools
    weight: Floats
    first: Ints
    last: Ints
    n_shown: int
