"""ATT(g,t) by replicate -> aggregated effects, in every replicate.

A pure function of arrays: what is aggregated is decided cell by cell, so the full
sample and the replicates go through the same lines. A cell is in one component, so cells are
sorted by component and every sum is over neighbours: time and memory grow with the number of
cells, whatever the number of components.

Source: Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.schemes import CellTable, Scheme, Window
from didjack.errors import OptionError
from didjack.leave_one_out import Replicates
from didjack.options import AggregationType

# ---- components ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Components:
    """M components with k of the K cells, each cell in one of them.

    Attributes
    ----------
    keys : (M,) event times, cohorts or periods on the integer axis
    cells : (k,) positions of the cells, those of a component next to each other
    of_cell : (k,) the component of each
    start : (M,) where each component begins
    """

    keys: Ints
    cells: Ints
    of_cell: Ints
    start: Ints

    @classmethod
    def from_table(cls, table: CellTable, scheme: Scheme, used: Bools) -> Components:
        """Sort cells by component; components without any cell that is `used`, (K,), are none."""
        key = scheme.component(table)
        keys = np.unique(key[used])
        inside = np.flatnonzero(np.isin(key, keys))
        cells = inside[np.argsort(key[inside], kind="stable")]
        of_cell = np.searchsorted(keys, key[cells])
        return cls(keys, cells, of_cell, np.searchsorted(of_cell, np.arange(keys.size)))

    def total(self, values: Floats | Bools) -> Floats:
        """Add up (r, k) values by component, (r, M)."""
        return np.asarray(np.add.reduceat(values, self.start, axis=1, dtype=float))

    def some(self, flags: Bools) -> Bools:
        """Return which components have a cell with a flag, (r, k) -> (r, M)."""
        return np.asarray(np.logical_or.reduceat(flags, self.start, axis=1))

    def mean(self, values: Floats, weight: Floats | Bools) -> Floats:
        """Average (r, k) values where weights are positive; NaN where none is, (r, M)."""
        total = self.total(weight)
        top = self.total(np.where(weight > 0, values, 0.0) * weight)
        mean: Floats = np.divide(top, total, out=np.full(total.shape, np.nan), where=total > 0)
        return mean


# ---- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parts:
    """The M components in r replicates, (r, M) each.

    Attributes
    ----------
    theta : aggregated effects; NaN where no cell is left
    u : what they count in the overall
    turned : whether they aggregate other cells than the full sample
    exists : (r, k) whether a cell has an estimate that takes part
    v : (r, k) weights of the cells
    """

    theta: Floats
    u: Floats
    turned: Bools
    exists: Bools
    v: Floats

    @property
    def by_component(self) -> tuple[Floats, Floats, Bools]:
        """What is kept of every replicate; all else is as large as the cells."""
        return self.theta, self.u, self.turned


@dataclass(frozen=True, slots=True)
class AggregatedRows:
    """How the cells of some replicates are aggregated.

    Attributes
    ----------
    components : Components of all cells that any replicate uses
    scheme, window : what is aggregated
    equal : whether the cells of a component count equally
    """

    components: Components
    scheme: Scheme
    window: Window
    equal: bool

    @classmethod
    def from_table(
        cls, table: CellTable, kind: AggregationType, window: Window, by_cell: bool
    ) -> AggregatedRows:
        """Sort the cells of a table by component."""
        scheme = window.scheme(kind)
        components = Components.from_table(table, scheme, _ever_eligible(table, scheme, window))
        return cls(components, scheme, window, scheme.equal_cells and not by_cell)

    def in_full(self, table: CellTable) -> Bools:
        """Return which cells the full sample has and uses, (K,)."""
        used = _eligible(table, self.scheme, self.window, table.first[:1], table.last[:1])[0]
        return np.asarray(used & (np.arange(table.cohort.size) < table.n_shown))

    def shown(self, table: CellTable) -> Bools:
        """Return which components are shown beside the overall, (M,)."""
        found = self.components.some(self.in_full(table)[None, self.components.cells])[0]
        return np.asarray(found & (self.scheme.keys != "none"))

    def parts(self, table: CellTable, rows: slice, full: Parts | None) -> Parts:
        """Aggregate the cells of some replicates by component.

        Parameters
        ----------
        full : Parts of the full sample; None where it is what is asked for
        """
        part, exists, v = self.cells(table, rows)
        theta, u = self.means((part, exists, v))
        other = part.changed & exists
        if full is not None:
            other |= exists != full.exists
        return Parts(theta, u, self.components.some(other), exists, v)

    def cells(self, table: CellTable, rows: slice) -> tuple[CellTable, Bools, Floats]:
        """Select some replicates of cells, which of these take part, and their weights, (r, k)."""
        part = table.take(rows, self.components.cells)
        there = _eligible(part, self.scheme, self.window, part.first, part.last)
        exists = there & ~np.isnan(part.att)
        return part, exists, np.where(exists, 1.0 if self.equal else part.weight, 0.0)

    def means(self, cells: tuple[CellTable, Bools, Floats]) -> tuple[Floats, Floats]:
        """Average them by component, and say what components count in the overall, (r, M)."""
        part, exists, v = cells
        theta = self.components.mean(part.att, v)
        u = np.ones(theta.shape)
        if self.scheme.weighted_overall:
            u = self.components.mean(part.weight, exists)
        u[:, self.scheme.before(self.components.keys)] = 0.0
        return theta, np.where(np.isnan(theta), 0.0, u)


def _eligible(table: CellTable, scheme: Scheme, window: Window, first: Ints, last: Ints) -> Bools:
    """Return whether a cell belongs to the aggregation at all, (r, K).

    Parameters
    ----------
    first, last : (r,) first and last periods of some samples
    """
    e = table.time - table.cohort
    covered = window.covers(table.cohort, table.time) & (scheme.leads | (e >= 0))
    used = np.broadcast_to(covered, (len(first), e.size)).copy()
    if window.balance_e is not None:
        first, last = first[:, None], last[:, None]
        used &= last - table.cohort >= window.balance_e
        used &= (e >= window.balance_e - last + first) & (e <= window.balance_e)
    return used


def _ever_eligible(table: CellTable, scheme: Scheme, window: Window) -> Bools:
    """Return whether a cell belongs to the aggregation in any replicate, (K,)."""
    span = int(table.last.max()) + 1  # in one number, which is sorted faster than pairs are
    ends = np.unique(table.first * span + table.last)
    used = np.zeros(table.cohort.size, dtype=bool)
    for first, last in zip(*np.divmod(ends, span), strict=True):
        used |= _eligible(table, scheme, window, np.array([first]), np.array([last]))[0]
    return used


# ---- loading -------------------------------------------------------------------------------------

MOST_AT_ONCE = 2**20
"""So many numbers are multiplied at a time, whatever the number of cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """Derivatives of M components and of the overall, the last, with respect to K cells.

    Attributes
    ----------
    n_components : M
    component : (K,) the component that a cell is in; -1 where that is none of the M
    own : (K,) derivative of this component
    overall : (K,) derivative of the overall
    """

    n_components: int
    component: Ints
    own: Floats
    overall: Floats

    def times(self, values: Floats) -> Floats:
        """Multiply with (N, K) values: (N, M + 1); NaN only where these have a derivative."""
        result = np.zeros((len(values), self.n_components + 1))
        step = max(1, MOST_AT_ONCE // max(self.own.size, 1))
        for first in range(0, len(values), step):
            rows = slice(first, first + step)
            result[rows] = self._times(values[rows])
        return result

    def _times(self, values: Floats) -> Floats:
        result = np.zeros((len(values), self.n_components + 1))
        cells = np.flatnonzero((self.component >= 0) & (self.own != 0))
        if cells.size:
            cells = cells[np.argsort(self.component[cells], kind="stable")]
            found, start = np.unique(self.component[cells], return_index=True)
            result[:, found] = np.add.reduceat(
                np.take(values, cells, axis=1) * self.own[cells], start, axis=1
            )
        cells = np.flatnonzero(self.overall)
        result[:, -1] = (np.take(values, cells, axis=1) * self.overall[cells]).sum(axis=1)
        return result

    def touches(self, cells: Bools) -> Bools:
        """Return which aggregated effects, (M + 1,), move with any of some cells, (K,)."""
        moved = np.zeros(self.n_components + 1, dtype=bool)
        moved[self.component[cells & (self.component >= 0) & (self.own != 0)]] = True
        moved[-1] = bool((self.overall[cells] != 0).any())
        return moved

    def magnitude(self) -> Loading:
        """Return absolute values."""
        return Loading(self.n_components, self.component, np.abs(self.own), np.abs(self.overall))


# ---- aggregate -----------------------------------------------------------------------------------

__all__ = ["AggregatedEffects", "CellTable", "Window", "aggregate"]


@dataclass(frozen=True, slots=True)
class AggregatedEffects:
    """Aggregated effects: M components, then the overall.

    Attributes
    ----------
    kind, window : what was asked for
    by_cell : whether the weights are the cells' own
    keys : (M,) event times, cohorts or periods on the integer axis; empty for "simple"
    theta : (R, M + 1); NaN where no cell is left
    composition : (R, M + 1) whether a replicate aggregates other cells than the full sample
    n_cells, n_estimated : (M + 1,) how many cells of the full sample belong to each, and how many
        of these have an estimate
    missing : cells of any of them that have none, sorted
    loading : derivatives of the full-sample estimates with respect to ATT(g,t), of the K cells
        of the full sample
    weight_loading : derivatives with respect to the weight of each cell
    """

    kind: AggregationType
    window: Window
    by_cell: bool
    keys: Ints
    theta: Floats
    composition: Bools
    n_cells: Ints
    n_estimated: Ints
    missing: Ints
    loading: Loading
    weight_loading: Loading

    @property
    def estimates(self) -> Replicates[np.float64]:
        """The aggregated effects, of the full sample and without each cluster."""
        return Replicates(self.theta)


def aggregate(
    table: CellTable, kind: AggregationType, window: Window, by_cell: bool = False
) -> AggregatedEffects:
    """Aggregate the cells of every replicate; v is the weight of a cell.

    simple
        sum over t >= g of v ATT(g,t), over the sum of v
    event
        for each e: sum_g v ATT(g,g+e) / sum_g v; overall: plain mean over e >= 0
    group
        for each g: plain (`by_cell`: weighted) mean over t >= g; overall: mean of the cohorts
        weighted with the mean of their v
    calendar
        for each t: sum_g v ATT(g,t) / sum_g v over g <= t; overall: plain mean over t
    """
    rows = AggregatedRows.from_table(table, kind, window, by_cell)
    scheme, components, in_full = rows.scheme, rows.components, rows.in_full(table)
    if not in_full.any():
        raise OptionError(_nothing_in(table, scheme, window))
    full = rows.parts(table, slice(0, 1), None)
    blocks = _blocks(len(table.att), components.cells.size)
    parts = [rows.parts(table, some, full).by_component for some in blocks]
    theta, u, turned = (np.concatenate(of_blocks) for of_blocks in zip(*parts, strict=True))
    overall = _mean(theta, u)
    counted = np.asarray((u > 0).any(axis=0))

    shown = rows.shown(table)
    kept = np.append(np.flatnonzero(shown), components.keys.size)
    belongs = in_full[components.cells]
    counts = [
        _with_overall(components.total(some[None])[0], scheme.before(components.keys))[kept]
        for some in (belongs, belongs & full.exists[0])
    ]
    loading, weight_loading = _derivatives(table, rows, full, overall[0])
    place = np.where(shown, np.cumsum(shown) - 1, -1)
    return AggregatedEffects(
        kind=kind,
        window=window,
        by_cell=by_cell,
        keys=components.keys[shown],
        theta=np.column_stack([theta, overall])[:, kept],
        composition=np.column_stack([turned, turned[:, counted].any(axis=1)])[:, kept],
        n_cells=counts[0],
        n_estimated=counts[1],
        missing=np.flatnonzero(in_full & np.isnan(Replicates(table.att).full)),
        loading=_spread(table, components, place, loading),
        weight_loading=_spread(table, components, place, weight_loading),
    )


def overall(
    table: CellTable, kind: AggregationType, window: Window, by_cell: bool = False
) -> Floats:
    """Return the overall of `aggregate` alone, (R,); NaN where it aggregates nothing."""
    if not table.cohort.size:
        return np.full(len(table.att), np.nan)
    rows = AggregatedRows.from_table(table, kind, window, by_cell)
    if not rows.in_full(table).any():
        return np.full(len(table.att), np.nan)
    blocks = _blocks(len(table.att), rows.components.cells.size)
    means = [rows.means(rows.cells(table, some)) for some in blocks]
    return np.concatenate([_mean(theta, u) for theta, u in means])


def _nothing_in(table: CellTable, scheme: Scheme, window: Window) -> str:
    """Say that a window is empty, and which event times there are."""
    e = (table.time - table.cohort)[: table.n_shown]
    e = e if scheme.leads else e[e >= 0]
    if not e.size:
        return f"type {scheme.name!r} has no ATT(g,t): no cohort has a period from treatment on"
    return (
        f"no ATT(g,t) lies in the window of type {scheme.name!r} with {window}; its event times "
        f"are {e.min()} to {e.max()}"
    )


def _with_overall(counts: Floats, before: Bools) -> Ints:
    """Append to counts by component, (M,), that of the overall, which leaves some out."""
    return np.append(counts, counts[~before].sum()).astype(np.int64)


def _blocks(n_rep: int, n_cells: int) -> list[slice]:
    """Split replicates so that what is made of a block stays small."""
    step = max(1, MOST_AT_ONCE // max(n_cells, 1))
    return [slice(first, min(first + step, n_rep)) for first in range(0, n_rep, step)]


def _mean(values: Floats, weight: Floats) -> Floats:
    """Average the rows of (R, M) values where weights are positive; NaN where none is, (R,)."""
    total = weight.sum(axis=1)
    top = (np.where(weight > 0, values, 0.0) * weight).sum(axis=1)
    mean: Floats = np.divide(top, total, out=np.full(total.size, np.nan), where=total > 0)
    return mean


Derivatives = tuple[Floats, Floats]
"""Of the component of each cell, and of the overall, (k,) each."""


def _derivatives(
    table: CellTable,
    rows: AggregatedRows,
    full: Parts,
    overall: float,
) -> tuple[Derivatives, Derivatives]:
    """Differentiate the full sample's aggregated effects by ATT(g,t) and by cells' weights."""
    components = rows.components
    of_cell, v, exists = components.of_cell, full.v[0], full.exists[0]
    theta, u = full.theta[0], full.u[0]
    total = components.total(full.v)[0][of_cell]
    own = np.divide(v, total, out=np.zeros(v.size), where=total > 0)
    surplus = np.zeros(v.size)
    if not rows.equal:
        above = np.where(v > 0, Replicates(table.att).full[components.cells] - theta[of_cell], 0.0)
        np.divide(above, total, out=surplus, where=total > 0)
    counted = u.sum()
    if not counted > 0:
        none = np.zeros(v.size)
        return (own, none), (surplus, none)
    top, by_weight = u[of_cell] * own / counted, u[of_cell] * surplus / counted
    if rows.scheme.weighted_overall:  # u is the mean of the cells' weights, so it is estimated too
        mean = np.divide(theta - overall, counted, out=np.zeros(u.size), where=u > 0)
        mean /= np.fmax(components.total(full.exists)[0], 1.0)
        by_weight += np.where(exists, mean[of_cell], 0.0)
    return (own, top), (surplus, by_weight)


def _spread(
    table: CellTable, components: Components, place: Ints, derivatives: Derivatives
) -> Loading:
    """Put derivatives where their cells are among those of the full sample.

    Parameters
    ----------
    place : (M,) position of each component among those that are shown; -1 where it is not
    """
    component = np.full(table.cohort.size, -1, dtype=np.int64)
    component[components.cells] = place[components.of_cell]
    own, overall = np.zeros((2, table.cohort.size))
    own[components.cells], overall[components.cells] = derivatives
    n = table.n_shown
    return Loading(int(place.max()) + 1, component[:n], own[:n], overall[:n])
