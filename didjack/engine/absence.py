"""Why a cell has nothing to compare: whose rows are missing, and in which of its two periods."""

from __future__ import annotations

from didjack.engine.cells import Cell
from didjack.sums.layout import Arm, Cohorts
from didjack.sums.source import SumSource


def absence(source: SumSource, cell: Cell) -> str:
    """Say which rows a cell of the full sample lacks: "no treated rows: period 4"."""
    layout = source.layout
    arms = layout.arms(*cell.periods)
    sides: tuple[tuple[str, Cohorts], ...] = (
        ("treated", (cell.cohort,)),
        ("control", cell.comparison),
    )
    periods = layout.axis.labels(layout.periods[[cell.time, cell.base]])
    names = [f"period {periods[0]}", f"base period {periods[1]}"]
    if cell.reference:  # the period is its own base
        arms, names = arms[-1:], names[-1:]
    parts = []
    for word, cohorts in sides:
        bare = [_lacks(source, cohorts, arm) for arm in arms]
        for what in ("units" if layout.panel else "rows", "weight"):
            where = [name for name, lack in zip(names, bare, strict=False) if lack == what]
            if where:
                parts.append(f"no {word} {what}" + _in(where, layout.panel))
    return "; ".join(parts)


def _in(periods: list[str], panel: bool) -> str:
    return "" if panel else f": {' and '.join(periods)}"


def _lacks(source: SumSource, cohorts: Cohorts, arm: Arm) -> str:
    """Say what some cohorts lack in an arm, if anything."""
    if source.counts(cohorts, arm)[0] == 0:
        return "units" if source.layout.panel else "rows"
    return "weight" if source.weights(cohorts, arm)[0] <= 0 else ""
