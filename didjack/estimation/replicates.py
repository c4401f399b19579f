"""Jackknife replicates whose sample has other cells than the full one, or is balanced."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.errors import DataError
from didjack.estimation.cells import (
    Cell,
    CellEstimates,
    Code,
    OtherCells,
    Plan,
    SignedComparison,
    cohorts_there,
    plan_cells,
)
from didjack.estimation.layout import Classes, Layout
from didjack.estimation.sums import Presence, Spans, SumSource
from didjack.estimation.two_by_two import TwoByTwo
from didjack.leave_one_out import without
from didjack.memo import Memo
from didjack.options import EstimationOptions

NO_CELLS = {
    1: "no ATT(g,t) can be formed: no cohort has rows before and after a base period, with control "
    "rows in both",
    2: "no triple difference can be formed: no cohort has eligible and other rows before and after "
    "a base period, with control rows of both in both (gname is the period of the cluster, also "
    "for units that are not eligible)",
}
"""By how many classes cohorts have."""

# ---- replan --------------------------------------------------------------------------------------


class CellPlan(NamedTuple):
    """Which cells the replicates of a sample have.

    Attributes
    ----------
    full : Plan of the full sample
    shown : the cells of the full sample that are estimated, or told to lack rows
    extra : cells that only some replicates have
    others : replicates whose sample has other cells than the full one, and these
    """

    full: Plan
    shown: tuple[Cell, ...]
    extra: tuple[Cell, ...]
    others: list[tuple[Ints, Plan]]


class Planner:
    """Plans the cells of samples with the same cohorts, periods and options; each plan once."""

    def __init__(self, layout: Layout, options: EstimationOptions) -> None:
        self._axes = (layout.cohorts, layout.periods, layout.horizon, options)
        self._kinds = layout.kinds
        self._known = Memo()

    def plan(self, presence: Presence, n_deleted: int, full: bool = True) -> CellPlan:
        """Plan the cells of a sample and of its replicates.

        Parameters
        ----------
        full : as of `estimate`
        """
        present = presence.clusters > 0
        planned = self._of(present, full)
        cells = planned.cells
        if full:  # a control group without rows in any period is none: all are treated by then
            some = cohorts_there(present, self._kinds)
            cells = self._known.get(
                ("with controls", present.tobytes()), partial(_with_controls, cells, some)
            )
        others = [
            (replicates, plan)
            for replicates, left in _samples(presence, n_deleted)
            if replicates.size and (plan := self._of(left, False)) is not planned
        ]
        if not others:
            return CellPlan(planned, cells, (), others)
        plans = [plan for _, plan in others]
        key: Hashable = ("extra", id(cells), *map(id, plans))  # all of them are kept
        extra = self._known.get(key, partial(_extra_cells, cells, plans))
        return CellPlan(planned, cells, extra, others)

    def _of(self, present: Bools, full: bool) -> Plan:
        """Return the plan of a sample; equal ones are the same object."""
        full = full or bool(present[self._axes[0] == NEVER].any())  # then there is no difference
        return self._known.get((present.tobytes(), full), partial(self._new, present, full))

    def _new(self, present: Bools, full: bool) -> Plan:
        plan = plan_cells(present, *self._axes, full=full, kinds=self._kinds)
        return self._known.get(plan, lambda: plan)


def _with_controls(cells: tuple[Cell, ...], some: Bools) -> tuple[Cell, ...]:
    """Select the cells whose comparisons all have rows to compare with in some period.

    Parameters
    ----------
    some : (C,) which classes are of a cohort with rows
    """
    there = frozenset(np.flatnonzero(some).tolist())
    return tuple(
        cell for cell in cells if not any(there.isdisjoint(one.others) for one in cell.comparisons)
    )


def _extra_cells(cells: tuple[Cell, ...], plans: list[Plan]) -> tuple[Cell, ...]:
    """List the cells of some plans that are not among others, one a cohort and period."""
    known = {(cell.cohort, cell.time) for cell in cells}
    extra = {(cell.cohort, cell.time): cell for plan in plans for cell in plan.cells}
    return tuple(cell for label, cell in sorted(extra.items()) if label not in known)


def estimate(
    source: SumSource,
    options: EstimationOptions,
    progress: bool | None = None,
    full: bool = True,
) -> tuple[CellEstimates, CellEstimates, list[OtherCells]]:
    """Estimate every ATT(g,t) in every replicate.

    Parameters
    ----------
    progress : as of `csdid`
    full : whether the source is of the full sample, to which all rules have been applied; a
        replicate that is a source of its own may have no ATT(g,t)

    Returns
    -------
    shown : the cells of the full sample; those without rows have no estimate
    extra : cells that only some replicates have; their aggregated effects count these
    others : replicates in which cells compare others than in the full sample, or do not exist
    """
    solver = TwoByTwo(source, options, progress)
    plan = Planner(source.layout, options).plan(source.presence(), source.n_deleted, full)
    if not full:
        there = tuple(cell for cell in plan.shown if not solver.empty(cell)[0])
        plan = plan._replace(shown=there)
    elif all(solver.empty(cell)[0] for cell in plan.full.cells):
        raise DataError(NO_CELLS[source.layout.kinds])
    shown, extra = solve(solver, plan)
    changed = [OtherCells(replicates, own.cells, False) for replicates, own in plan.others]
    return shown, extra, changed


def solve(solver: TwoByTwo, plan: CellPlan) -> tuple[CellEstimates, CellEstimates]:
    """Estimate the cells of the full sample, and those that only some replicates have."""
    cells, planned = plan.shown, plan.full
    result = solver.estimate(cells, np.arange(1 + solver.source.n_deleted))
    result.first[:], result.last[:] = planned.first, planned.last
    if plan.extra:
        result = result.widened(plan.extra)
    for replicates, own in plan.others:
        _replan(solver, result, own, replicates, len(cells))
    columns = np.arange(len(result.cells))
    shown = result.take(columns[: len(cells)]) if plan.extra else result
    return shown, result.take(columns[len(cells) :])


def _samples(presence: Presence, n_deleted: int) -> Iterable[tuple[Ints, Bools]]:
    """Group the replicates by which cohorts they have in which periods."""
    count, some = presence
    full = count > 0
    samples: dict[bytes, list[int]] = {}
    alone = np.unique(some[count == 1]) if n_deleted else np.empty(0, dtype=np.int64)
    for cluster in alone.tolist():
        left = full & ~((count == 1) & (some == cluster))
        samples.setdefault(left.tobytes(), []).append(cluster)
    yield without(np.setdiff1d(np.arange(n_deleted), alone)), full
    for left_bytes, clusters in samples.items():
        yield without(np.array(clusters)), np.frombuffer(left_bytes, dtype=bool).reshape(full.shape)


def _replan(
    solver: TwoByTwo, result: CellEstimates, own: Plan, replicates: Ints, n_shown: int
) -> None:
    """Give replicates whose sample has other cells than the full one their own estimates.

    The first `n_shown` cells are those of the full sample.
    """
    result.first[replicates], result.last[replicates] = own.first, own.last
    by_label = {(cell.cohort, cell.time): cell for cell in own.cells}
    changed: list[Cell] = []
    columns: list[int] = []
    for j, cell in enumerate(result.cells):
        replacement = by_label.get((cell.cohort, cell.time))
        if replacement is None:
            result.att[replicates, j] = np.nan
            lost = result.code[replicates, j]
            result.code[replicates, j] = np.where(lost == Code.OK, Code.NO_PERIOD, lost)
        elif replacement != cell or j >= n_shown:
            changed.append(replacement)
            columns.append(j)
    if changed:
        at = np.ix_(replicates, np.array(columns))
        part = solver.estimate(tuple(changed), replicates)
        result.att[at], result.code[at], result.column[at] = part.att, part.code, part.column
        result.treated[at] = part.treated
        result.changed[at] = True


def shares(source: SumSource, last: Ints) -> Floats:
    """Return the weight of each cohort over the rows that a replicate keeps, (R, C).

    Parameters
    ----------
    last : (R,) last period of each replicate, on the integer axis
    """
    periods = source.layout.periods
    share, left = source.shares(periods.size), np.searchsorted(periods, last, side="right")
    for n_periods in np.unique(left[left < periods.size]).tolist():
        at = left == n_periods
        share[at] = source.shares(n_periods)[at]
    return share


# ---- rebalance -----------------------------------------------------------------------------------


def put_balanced(
    source: SumSource,
    options: EstimationOptions,
    estimates: tuple[CellEstimates, CellEstimates],
    share: Floats,
    progress: bool | None = None,
) -> list[OtherCells]:
    """Write the estimates of balanced replicates over the pooled ones, and their shares.

    Returns what these replicates compare.
    """
    found: list[OtherCells] = []
    if len(share) == 1:
        return found
    layout, spans = source.layout, Spans(estimates[0].first, estimates[0].last)
    for cluster, rest in source.balanced_without(spans):
        own = estimate(rest, options, progress, full=False)[0]
        row, of_rest = without(cluster), rest.layout
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


def _label(layout: Layout, cohort: int, period: int) -> tuple[int, int, int]:
    """Return what a class and a period are, whatever their positions."""
    return int(layout.cohorts[cohort]), cohort % layout.kinds, int(layout.periods[period])


def _moved(layout: Layout, rest: Layout, cell: Cell) -> Cell:
    """Give a cell of the rest the positions that it has in the full sample."""
    cohorts = _positions(layout, rest)
    position = np.searchsorted(layout.periods, rest.periods).tolist()

    def moved(classes: Classes) -> Classes:
        return tuple(cohorts[list(classes)].tolist())

    comparisons = tuple(
        SignedComparison(
            one.sign,
            int(cohorts[one.treated]),
            moved(one.others),
            None if one.sizes is None else (moved(one.sizes[0]), moved(one.sizes[1])),
        )
        for one in cell.comparisons
    )
    return Cell(
        comparisons,
        position[cell.time],
        position[cell.base],
        None if cell.weighed is None else position[cell.weighed],
    )


def _positions(layout: Layout, rest: Layout) -> Ints:
    """Return the positions of the classes of the rest in the full sample, (C,)."""
    first = np.searchsorted(layout.distinct_cohorts, rest.distinct_cohorts)
    return np.asarray((first[:, None] * layout.kinds + np.arange(layout.kinds)).ravel())
