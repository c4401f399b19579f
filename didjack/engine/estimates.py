"""ATT(g,t) in every replicate, and why one is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from didjack._typing import Bools, Floats, Ints
from didjack.engine.cells import Cell

Codes = NDArray[np.int8]


class Code(IntEnum):
    """Why a cell has no estimate in a replicate."""

    OK = 0
    NO_TREATED = 1
    NO_COMPARISON = 2
    NO_PERIOD = 3
    OVERLAP = 4
    SINGULAR = 5


REASONS = {
    Code.NO_TREATED: "no treated units",
    Code.NO_COMPARISON: "no comparison units",
    Code.NO_PERIOD: "the period or its base period drops out of the sample",
    Code.OVERLAP: "no overlap of propensity scores",
    Code.SINGULAR: "collinear covariates",
}


@dataclass(frozen=True, slots=True)
class CellEstimates:
    """ATT(g,t) in every replicate; row 0 is the full sample, row 1 + h is without cluster h.

    Attributes
    ----------
    cells : K cells
    att : (R, K); NaN where `code` is not 0
    code : (R, K) `Code`
    column : (R, K) the covariate at which a regression failed, -1 where none did
    changed : (R, K) whether the replicate compares other cohorts or periods than the full sample
    treated : (R, K) weight of the treated rows, of both periods in pooled rows
    first, last : (R,) first and last period of each replicate's sample, on the integer axis
    dropped : (K, k) covariates that a regression or logit of the full sample left out
    """

    cells: tuple[Cell, ...]
    att: Floats
    code: Codes
    column: NDArray[np.int16]
    changed: Bools
    treated: Floats
    first: Ints
    last: Ints
    dropped: Bools

    @property
    def empty(self) -> Bools:
        """Which cells lack rows of the cohort or of its control group in the full sample, (K,)."""
        return np.isin(self.code[0], (Code.NO_TREATED, Code.NO_COMPARISON))

    @classmethod
    def blank(cls, cells: tuple[Cell, ...], n_rep: int, k: int, code: Code) -> CellEstimates:
        """Return cells without estimates, all for one reason, with k covariates."""
        shape = (n_rep, len(cells))
        return cls(
            cells=cells,
            att=np.full(shape, np.nan),
            code=np.full(shape, code, dtype=np.int8),
            column=np.full(shape, -1, dtype=np.int16),
            changed=np.zeros(shape, dtype=bool),
            treated=np.zeros(shape),
            first=np.zeros(n_rep, dtype=np.int64),
            last=np.zeros(n_rep, dtype=np.int64),
            dropped=np.zeros((len(cells), k), dtype=bool),
        )

    def take(self, columns: Ints) -> CellEstimates:
        """Select cells."""
        return replace(
            self,
            cells=tuple(self.cells[j] for j in columns),
            dropped=self.dropped[columns],
            **{name: getattr(self, name)[:, columns] for name in _BY_CELL},
        )

    def full_sample(self) -> CellEstimates:
        """Select the full sample."""
        names = (*_BY_CELL, "first", "last")
        return replace(self, **{name: getattr(self, name)[:1] for name in names})

    def widened(self, cells: tuple[Cell, ...]) -> CellEstimates:
        """Append cells that no replicate has an estimate of so far."""
        more = CellEstimates.blank(cells, len(self.att), self.dropped.shape[1], Code.NO_PERIOD)
        return replace(
            self,
            cells=self.cells + cells,
            dropped=np.vstack([self.dropped, more.dropped]),
            **{name: np.hstack([getattr(self, name), getattr(more, name)]) for name in _BY_CELL},
        )


_BY_CELL = ("att", "code", "column", "changed", "treated")
