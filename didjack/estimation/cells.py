"""Why a cell has nothing to compare: whose rows are missing, and in which of its two periods."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.sums import SumSource
from didjack.leave_one_out import Replicates
from didjack.memo import Memo
from didjack.options import ControlGroup, EstimationOptions

# ---- absence -------------------------------------------------------------------------------------


def absence(source: SumSource, cell: Cell) -> str:
    """Say which rows a cell of the full sample lacks: "no treated rows: period 4"."""
    layout = source.layout
    arms = layout.arms(*cell.periods)
    sides = _sides(cell) if layout.kinds == 1 else _sides_by_eligibility(source, cell)
    periods = layout.axis.labels(layout.periods[[cell.time, cell.base]])
    names = [f"period {periods[0]}", f"base period {periods[1]}"]
    if cell.is_base:  # the period is its own base
        arms, names = arms[-1:], names[-1:]
    parts = []
    for cohorts, word in sides.items():
        bare = [_lacks(source, cohorts, arm) for arm in arms]
        for what in ("units" if layout.panel else "rows", "weight"):
            where = [name for name, lack in zip(names, bare, strict=False) if lack == what]
            if where:
                parts.append(f"no {word} {what}" + _in(where, layout.panel))
    return "; ".join(dict.fromkeys(parts))


def _sides(cell: Cell) -> dict[Classes, str]:
    """Return the classes that a cell reads, and what their units are called."""
    sides: dict[Classes, str] = {(cell.cohort,): "treated"}
    for comparison in cell.comparisons:
        sides.setdefault((comparison.treated,), "control")
        sides.setdefault(comparison.others, "control")
    return sides


def _sides_by_eligibility(source: SumSource, cell: Cell) -> dict[Classes, str]:
    """Do the same for a triple difference; a control cohort that lacks nothing will do."""
    arms = source.layout.arms(*cell.periods)
    sides: dict[Classes, str] = {(cell.cohort,): "eligible"}
    for one in cell.comparisons:
        word = "eligible" if one.others[0] % 2 else "other"
        sides.setdefault(one.others, word if cell.cohort - 1 in one.others else f"{word} control")
    for sizes in cell.sizes:
        if not any(_lacks(source, classes, arm) for classes in sizes for arm in arms):
            return {classes: word for classes, word in sides.items() if "control" not in word}
    return sides


def _in(periods: list[str], panel: bool) -> str:
    return "" if panel else f": {' and '.join(periods)}"


def _lacks(source: SumSource, cohorts: Classes, arm: Arm) -> str:
    """Say what some cohorts lack in an arm, if anything."""
    if Replicates(source.counts(cohorts, arm)).full == 0:
        return "units" if source.layout.panel else "rows"
    return "weight" if Replicates(source.weights(cohorts, arm)).full <= 0 else ""


# ---- cells ---------------------------------------------------------------------------------------


Sizes = tuple[Classes, Classes]
"""Two sets of classes whose weights say how much a comparison counts."""


class SignedComparison(NamedTuple):
    """One 2x2 comparison and the sign with which it counts in a cell.

    Attributes
    ----------
    sign : 1 or -1
    treated : class of the treated rows
    others : classes that they are compared with
    sizes : eligible and other units of a control cohort, if the cell has several: it counts by
        1 / (1/n_1 + 1/n_0), n the weights of the two, over the sum of that over all of them
    """

    sign: int
    treated: int
    others: Classes
    sizes: Sizes | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The effect on a class of rows from period `base` to `time`: a signed sum of comparisons.

    ATT(g,t) is one comparison. The first one is of the rows that the effect is on; it has sign 1.
    All are positions: in the layout's classes and its periods. So is `weighed`, the period whose
    weights the cell takes; None: as without `fix_weights`.
    """

    comparisons: tuple[SignedComparison, ...]
    time: int
    base: int
    weighed: int | None = None

    @property
    def cohort(self) -> int:
        """The class of the rows that the effect is on."""
        return self.comparisons[0].treated

    @property
    def others(self) -> Classes:
        """All other classes that it reads, each once."""
        if len(self.comparisons) == 1:
            return self.comparisons[0].others
        read = {c for one in self.comparisons for c in (one.treated, *one.others)}
        return tuple(sorted(read - {self.cohort}))

    @property
    def sizes(self) -> tuple[Sizes, ...]:
        """The control cohorts that are weighted against each other, each once."""
        return tuple(dict.fromkeys(one.sizes for one in self.comparisons if one.sizes is not None))

    @property
    def periods(self) -> tuple[int, int, int | None]:
        """The periods that say which rows and weights it reads, as `Layout.arms` takes them."""
        return self.base, self.time, self.weighed

    @property
    def is_base(self) -> bool:
        """Whether the cell is the base period of a universal base, zero by construction."""
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
    options: EstimationOptions,
    full: bool = False,
    kinds: int = 1,
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
    options : EstimationOptions
    full : whether this is the full sample, to which the rule on samples without never-treated
        units has been applied before
    kinds : as of `Layout`; cohorts are there if one of their classes is
    """
    d = options.anticipation
    observed = np.flatnonzero(present.any(axis=0))
    if not observed.size:
        return Plan((), 0, 0)
    first, last = periods[observed[0]], periods[observed[-1]]
    some = cohorts_there(present, kinds)
    reach = horizon if last == periods[-1] else last
    value = np.where(cohorts > reach + d, NEVER, cohorts)
    if not full and not (some & (value == NEVER)).any():
        g_last = value[some].max()
        value = np.where(value == g_last, NEVER, value)
        observed = observed[periods[observed] < g_last - d]
    treated = np.flatnonzero(some & (value != NEVER) & (value > first + d))
    planned = (TripleDifferences if kinds > 1 else Comparisons)(value, options.control_group)
    cells = tuple(_cells(treated, value, periods, observed, options, planned))
    return Plan(cells, int(first), int(periods[observed[-1]]) if observed.size else int(first))


def cohorts_there(present: Bools, kinds: int) -> Bools:
    """Return which classes, (C,), are of a cohort with rows."""
    if kinds == 1:
        return np.asarray(present.any(axis=1))
    some = present.reshape(-1, kinds * present.shape[1]).any(axis=1)
    return np.repeat(some, kinds)


def _cells(
    treated: Ints,
    value: Ints,
    periods: Ints,
    observed: Ints,
    options: EstimationOptions,
    planned: Comparisons,
) -> Iterator[Cell]:
    d, universal = options.anticipation, options.base_period == "universal"
    fixed = options.fix_weights == "base_period"
    position, period = observed.tolist(), periods[observed].tolist()
    for g in treated.tolist():
        before = bisect_left(period, int(value[g]) - d)
        if not before:
            continue
        weighed = position[before - 1] if fixed else None
        for at in range(0 if universal else 1, len(period)):
            base = before - 1 if universal else min(at, before) - 1
            comparisons = planned.of_class(g, max(period[at], period[base]) + d)
            if comparisons:
                yield Cell(comparisons, position[at], position[base], weighed)


class Comparisons:
    """Which comparisons a cell is the sum of; most cells of a class have the same ones.

    Parameters
    ----------
    value : (C,) first treated period of each class
    """

    def __init__(self, value: Ints, control_group: ControlGroup) -> None:
        self._value, self._control_group = value, control_group
        self._known = Memo()

    def of_class(self, g: int, latest: int) -> tuple[SignedComparison, ...]:
        """Return the comparisons of a treated class; none if no effect on it is asked for.

        Parameters
        ----------
        latest : period by which no class is treated that it is compared with
        """
        return (SignedComparison(1, g, self._control(g, latest)),)

    def _control(self, g: int, latest: int) -> Classes:
        match self._control_group:
            case "nevertreated":
                return self._after(int(NEVER) - 1)
            case "notyettreated":
                later = self._after(latest)
                at = bisect_left(later, g)
                return later[:at] + later[at + 1 :] if later[at : at + 1] == (g,) else later
            case _:
                assert_never(self._control_group)

    def _after(self, period: int) -> tuple[int, ...]:
        later = self._value
        return self._known.get(period, lambda: tuple(np.flatnonzero(later > period).tolist()))


class TripleDifferences(Comparisons):
    """Which comparisons a triple difference is the sum of.

    The eligible units of a cohort are compared with its other units, and with the eligible and the
    other units of control cohorts; the last counts negatively. Where cohorts that are not yet
    treated are controls, each of them is compared apart, as their shares of eligible units differ.
    The latest come first, so that cells have in common what they can.

    Source: Ortiz-Villavicencio & Sant'Anna (2025), arXiv:2505.09942.
    """

    def of_class(self, g: int, latest: int) -> tuple[SignedComparison, ...]:
        """Return the comparisons of eligible units; no effect is asked for on the others."""
        if g % 2 == 0:
            return ()
        match self._control_group:
            case "nevertreated":
                controls, apart = self._control_cohorts(int(NEVER) - 1), False
            case "notyettreated":
                controls, apart = self._control_cohorts(latest), True
            case _:
                assert_never(self._control_group)
        found = [SignedComparison(1, g, (g - 1,))]
        for sizes in controls:
            eligible, others = sizes
            if g not in eligible:
                weighted = sizes if apart else None
                found.append(SignedComparison(1, g, eligible, weighted))
                found.append(SignedComparison(-1, g, others, weighted))
        return tuple(found) if len(found) > 1 else ()

    def _control_cohorts(self, period: int) -> tuple[Sizes, ...]:
        """Return the eligible and the other classes of each cohort treated later, the last first.

        Cohorts that are not treated in this sample are one.
        """
        return self._known.get(("cohorts", period), partial(self._find_cohorts, period))

    def _find_cohorts(self, period: int) -> tuple[Sizes, ...]:
        later = np.unique(self._value[self._value > period])[::-1]
        classes = [np.flatnonzero(self._value == cohort) for cohort in later]
        return tuple(
            (tuple(c[c % 2 == 1].tolist()), tuple(c[c % 2 == 0].tolist())) for c in classes
        )


# ---- estimates -----------------------------------------------------------------------------------

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
    Code.NO_COMPARISON: "no control units",
    Code.NO_PERIOD: "the period or its base period drops out of the sample",
    Code.OVERLAP: "no overlap of propensity scores",
    Code.SINGULAR: "collinear covariates",
}


@dataclass(frozen=True, slots=True)
class CellEstimates:
    """ATT(g,t) in every replicate, or in some of them; arrays are stacked as in `Replicates`.

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
        return np.isin(Replicates(self.code).full, (Code.NO_TREATED, Code.NO_COMPARISON))

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
        return self.part(slice(0, 1))

    def part(self, which: slice) -> CellEstimates:
        """Select replicates; arrays are views."""
        return self.over_replicates(lambda values: values[which])

    def over_replicates(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> CellEstimates:
        """Change every array that has a row for each replicate, (R, ...), in the same way."""
        changed: dict[str, Any] = {
            name: change(getattr(self, name)) for name in (*_BY_CELL, "first", "last")
        }
        return replace(self, **changed)

    def widened(self, cells: tuple[Cell, ...]) -> CellEstimates:
        """Append cells that no replicate has an estimate of so far."""
        k = self.dropped.shape[1]
        return self.joined(CellEstimates.blank(cells, len(self.att), k, Code.NO_PERIOD))

    def joined(self, more: CellEstimates) -> CellEstimates:
        """Append other cells of the same replicates."""
        if not more.cells:
            return self
        return replace(
            self,
            cells=self.cells + more.cells,
            dropped=np.vstack([self.dropped, more.dropped]),
            **{name: np.hstack([getattr(self, name), getattr(more, name)]) for name in _BY_CELL},
        )


_BY_CELL = ("att", "code", "column", "changed", "treated")
