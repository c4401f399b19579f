"""ATT(g,t) of a fit -> what aggregation knows of them."""

from __future__ import annotations

import numpy as np

from didjack.averaging.cells import CellTable
from didjack.engine.fit import Fit


def cell_table(fit: Fit, by_cell: bool = False) -> CellTable:
    """Take the cells of a fit, with their own weights or those of their cohorts."""
    estimated = fit.estimated(fit.options.jackknife)
    parts = (estimated.shown, estimated.extra)
    cells = estimated.shown.cells + estimated.extra.cells
    cohort = np.array([cell.cohort for cell in cells], dtype=np.int64)
    treated = np.hstack([part.treated for part in parts])
    return CellTable(
        cohort=fit.layout.cohorts[cohort],
        time=fit.layout.periods[[cell.time for cell in cells]],
        att=np.hstack([part.att for part in parts]),
        changed=np.hstack([part.changed for part in parts]),
        weight=treated if by_cell else estimated.share[:, cohort],
        first=estimated.shown.first,
        last=estimated.shown.last,
        n_shown=len(estimated.shown.cells),
    )
