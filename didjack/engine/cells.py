"""Which ATT(g,t) exist in a sample, and what each of them compares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, assert_never

import numpy as np

from didjack._typing import NEVER, Bools, Ints
from didjack.options import ControlGroup, Options


@dataclass(frozen=True, slots=True)
class Cell:
    """One 2x2 comparison: `cohort`, from period `base` to `time`, against `comparison`.

    All four are positions: in the layout's cohorts, its periods, its periods, its cohorts.
    """

    cohort: int
    time: int
    base: int
    comparison: tuple[int, ...]

    @property
    def reference(self) -> bool:
        """Whether the cell is the reference period of a universal base, zero by construction."""
        return self.time == self.base


class OtherCells(NamedTuple):
    """The cells of replicates whose sample has others than the full one.

    Attributes
    ----------
    replicates : (r,) rows
    cells : all of their cells
    balanced : whether units are the same in both periods of a cell, with the weights of the
        earlier, as on a balanced panel
    """

    replicates: Ints
    cells: tuple[Cell, ...]
    balanced: bool


class Plan(NamedTuple):
    """The cells of a sample and its first and last period (on the integer axis)."""

    cells: tuple[Cell, ...]
    first: int
    last: int


def plan_cells(
    present: Bools,
    cohorts: Ints,
    periods: Ints,
    horizon: int,
    options: Options,
    full: bool = False,
) -> Plan:
    """List the cells of a sample, after the sample rules that depend on what is present in it.

    The same function serves the full sample and each delete-one-cluster sample, in which the last
    never-treated unit, a cohort or a whole period may be missing.

    Parameters
    ----------
    present : (C, T) whether the sample has units of the cohort in the period
    cohorts : (C,) first treated periods, `NEVER` for never-treated
    periods : (T,) periods, sorted
    horizon : last period before any were cut for want of a comparison; a cohort treated by then
        stays a treated cohort, even if none of its treated periods is left
    options : Options
    full : whether this is the full sample, to which the rule on samples without never-treated
        units has been applied before
    """
    d = options.anticipation
    seen = np.flatnonzero(present.any(axis=0))
    if not seen.size:
        return Plan((), 0, 0)
    first, last = periods[seen[0]], periods[seen[-1]]
    some = present.any(axis=1)
    reach = horizon if last == periods[-1] else last
    value = np.where(cohorts > reach + d, NEVER, cohorts)
    if not full and not (some & (value == NEVER)).any():
        g_last = value[some].max()
        value = np.where(value == g_last, NEVER, value)
        seen = seen[periods[seen] < g_last - d]
    treated = np.flatnonzero(some & (value != NEVER) & (value > first + d))
    cells = tuple(_cells(treated, value, periods, seen, options))
    return Plan(cells, int(first), int(periods[seen[-1]]) if seen.size else int(first))


def _cells(
    treated: Ints, value: Ints, periods: Ints, seen: Ints, options: Options
) -> Iterator[Cell]:
    d, universal = options.anticipation, options.base_period == "universal"
    for g in treated:
        before = seen[periods[seen] + d < value[g]]
        if not before.size:
            continue
        for position, t in enumerate(seen):
            if not universal and position == 0:
                continue
            base = before[-1]
            if not universal and periods[t] < value[g]:
                base = seen[position - 1]
            latest = max(periods[t], periods[base])
            others = _comparison(value, int(g), latest + d, options.control_group)
            yield Cell(int(g), int(t), int(base), tuple(np.flatnonzero(others).tolist()))


def _comparison(value: Ints, g: int, latest: int, control_group: ControlGroup) -> Bools:
    """Return which cohorts a cohort is compared with, (C,).

    Parameters
    ----------
    value : (C,) first treated periods
    g : position of the cohort
    latest : last period by which none of the others may be treated
    """
    match control_group:
        case "nevertreated":
            return np.asarray(value == NEVER)
        case "notyettreated":
            others = np.asarray(value > latest)
            others[g] = False
            return others
        case _:
            assert_never(control_group)
