"""ATT(g,t) of a fit -> what aggregation knows of them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from didjack.averaging.cells import CellTable
from didjack.engine.fit import Fit

T = TypeVar("T", bound=np.generic)


def cell_table(fit: Fit, by_cell: bool = False) -> CellTable:
    """Take the cells of a fit, with their own weights or those of their cohorts."""
    estimated = fit.estimated(fit.options.jackknife)
    parts = [estimated.shown, estimated.extra] if estimated.extra.cells else [estimated.shown]
    cells = estimated.shown.cells + estimated.extra.cells
    cohort = np.array([cell.cohort for cell in cells], dtype=np.int64)
    return CellTable(
        cohort=fit.layout.cohorts[cohort],
        time=fit.layout.periods[[cell.time for cell in cells]],
        att=_joined([part.att for part in parts]),
        changed=_joined([part.changed for part in parts]),
        weight=_joined([part.treated for part in parts]) if by_cell else estimated.share,
        of_weight=np.arange(cohort.size) if by_cell else cohort,
        first=estimated.shown.first,
        last=estimated.shown.last,
        n_shown=len(estimated.shown.cells),
    )


def _joined(parts: list[NDArray[T]]) -> NDArray[T]:
    """Put columns side by side; a single part, which may be large, is not copied."""
    return parts[0] if len(parts) == 1 else np.hstack(parts)
