"""Replicates of an unbalanced panel that are balanced ones."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.engine.cells import Cell, OtherCells
from didjack.engine.estimates import CellEstimates, Code
from didjack.engine.replan import estimate
from didjack.options import Options
from didjack.sums.layout import Layout
from didjack.sums.source import Spans, SumSource


def put_balanced(
    source: SumSource,
    options: Options,
    estimates: tuple[CellEstimates, CellEstimates],
    share: Floats,
) -> list[OtherCells]:
    """Write the estimates of balanced replicates over the pooled ones, and their shares.

    Returns what these replicates compare.
    """
    found: list[OtherCells] = []
    if len(share) == 1:
        return found
    layout, spans = source.layout, Spans(estimates[0].first, estimates[0].last)
    for cluster, rest in source.balanced_without(spans):
        own = estimate(rest, options, full=False)[0]
        row, of_rest = 1 + cluster, rest.layout
        position = {_label(of_rest, cell.cohort, cell.time): j for j, cell in enumerate(own.cells)}
        for part in estimates:
            for j, cell in enumerate(part.cells):
                at = position.get(_label(layout, cell.cohort, cell.time))
                if at is not None:
                    for name in ("att", "code", "column", "treated"):
                        getattr(part, name)[row, j] = getattr(own, name)[0, at]
                elif part.code[row, j] == Code.OK:
                    part.att[row, j], part.code[row, j] = np.nan, Code.NO_PERIOD
        share[row] = 0.0
        share[row, _positions(layout, of_rest)] = rest.shares(of_rest.periods.size)[0]
        cells = tuple(_moved(layout, of_rest, cell) for cell in own.cells)
        found.append(OtherCells(np.array([row]), cells, of_rest.panel))
    return found


def _label(layout: Layout, cohort: int, period: int) -> tuple[int, int]:
    return int(layout.cohorts[cohort]), int(layout.periods[period])


def _moved(layout: Layout, rest: Layout, cell: Cell) -> Cell:
    """Give a cell of the rest the positions that it has in the full sample."""
    cohorts = _positions(layout, rest)
    position = np.searchsorted(layout.periods, rest.periods).tolist()
    comparison = tuple(cohorts[list(cell.comparison)].tolist())
    return Cell(
        int(cohorts[cell.cohort]),
        position[cell.time],
        position[cell.base],
        comparison,
        None if cell.weighed is None else position[cell.weighed],
    )


def _positions(layout: Layout, rest: Layout) -> Ints:
    return np.searchsorted(layout.cohorts, rest.cohorts)
