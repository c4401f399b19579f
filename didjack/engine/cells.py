"""Which ATT(g,t) exist in a sample, and what each of them compares."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, assert_never

import numpy as np

from didjack._typing import NEVER, Bools, Ints
from didjack.options import ControlGroup, Options


@dataclass(frozen=True, slots=True)
class Cell:
    """One 2x2 comparison: `cohort`, from period `base` to `time`, against `comparison`.

    All four are positions: in the layout's cohorts, its periods, its periods, its cohorts. So is
    `weighed`, the period whose weights the cell takes; None: as without `fix_weights`.
    """

    cohort: int
    time: int
    base: int
    comparison: tuple[int, ...]
    weighed: int | None = None

    @property
    def periods(self) -> tuple[int, int, int | None]:
        """The periods that say which rows and weights it reads, as `Layout.arms` takes them."""
        return self.base, self.time, self.weighed

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
    fixed = options.fix_weights == "base_period"
    position, period = seen.tolist(), periods[seen].tolist()
    compared = _Compared(value, options.control_group)
    for g in treated.tolist():
        before = bisect_left(period, int(value[g]) - d)
        if not before:
            continue
        weighed = position[before - 1] if fixed else None
        for at in range(0 if universal else 1, len(period)):
            base = before - 1 if universal else min(at, before) - 1
            others = compared.with_cohort(g, max(period[at], period[base]) + d)
            yield Cell(g, position[at], position[base], others, weighed)


class _Compared:
    """Which cohorts a cohort is compared with; most cells have the same ones.

    Parameters
    ----------
    value : (C,) first treated periods
    """

    def __init__(self, value: Ints, control_group: ControlGroup) -> None:
        self._value, self._control_group = value, control_group
        self._known: dict[int, tuple[int, ...]] = {}

    def with_cohort(self, g: int, latest: int) -> tuple[int, ...]:
        """Return positions of cohorts, none of which is treated by the period `latest`."""
        match self._control_group:
            case "nevertreated":
                return self._after(int(NEVER) - 1)
            case "notyettreated":
                return tuple(c for c in self._after(latest) if c != g)
            case _:
                assert_never(self._control_group)

    def _after(self, period: int) -> tuple[int, ...]:
        if period not in self._known:
            self._known[period] = tuple(np.flatnonzero(self._value > period).tolist())
        return self._known[period]
