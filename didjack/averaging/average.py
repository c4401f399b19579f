"""ATT(g,t) by replicate -> weighted averages of them, in every replicate.

A pure function of arrays: what an average is taken over is decided cell by cell, so the full
sample and the replicates go through the same lines. A cell is in one component, so cells are
sorted by component and every sum is over neighbours: time and memory grow with the number of
cells, whatever the number of components.

Source: Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.averaging.cells import CellTable
from didjack.averaging.components import Components
from didjack.averaging.loading import MOST_AT_ONCE, Loading
from didjack.averaging.schemes import SCHEMES, Scheme
from didjack.averaging.window import Window
from didjack.errors import OptionError
from didjack.options import AggregationType

__all__ = ["Averages", "CellTable", "Window", "aggregate"]


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages of ATT(g,t): M components, then the overall.

    Attributes
    ----------
    keys : (M,) event times, cohorts or periods on the integer axis; empty for "simple"
    theta : (R, M + 1); NaN where no cell is left
    retargeted : (R, M + 1) whether a replicate averages over other cells than the full sample
    estimated : (M + 1,) whether the full sample has an estimate of a cell that could count
    loading : derivatives of the full-sample estimates with respect to ATT(g,t), of the K cells
        of the full sample
    weight_loading : derivatives with respect to the weight of each cell
    by_cell : whether these weights are the cells' own
    """

    keys: Ints
    theta: Floats
    retargeted: Bools
    estimated: Bools
    loading: Loading
    weight_loading: Loading
    by_cell: bool


@dataclass(frozen=True, slots=True)
class _Parts:
    """The M components in r replicates, (r, M) each.

    Attributes
    ----------
    theta : averages; NaN where no cell is left
    u : what they count in the overall
    turned : whether they average over other cells than the full sample
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


def aggregate(
    table: CellTable, kind: AggregationType, window: Window, by_cell: bool = False
) -> Averages:
    """Average the cells of every replicate; v is the weight of a cell.

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
    scheme = SCHEMES[kind]
    in_full = _eligible(table, scheme, window, table.first[:1], table.last[:1])[0]
    in_full &= np.arange(table.cohort.size) < table.n_shown
    if not in_full.any():
        raise OptionError(f"no ATT(g,t) lies in the window of the {kind!r} aggregation: {window}")
    components = Components.of(table, scheme, _ever_eligible(table, scheme, window))
    equal = scheme.equal_cells and not by_cell
    rows = _Rows(components, scheme, window, equal)
    full = rows.of(table, slice(0, 1), None)
    blocks = _blocks(len(table.att), components.cells.size)
    parts = [rows.of(table, some, full).by_component for some in blocks]
    theta, u, turned = (np.concatenate(of_blocks) for of_blocks in zip(*parts, strict=True))
    overall = _mean(theta, u)
    counted = np.asarray((u > 0).any(axis=0))

    shown = components.some(in_full[None, components.cells])[0] & (scheme.keys != "none")
    kept = np.append(np.flatnonzero(shown), components.keys.size)
    there = components.some(full.exists)[0]
    loading, weight_loading = _derivatives(table, components, full, overall[0], scheme, equal)
    place = np.where(shown, np.cumsum(shown) - 1, -1)
    return Averages(
        keys=components.keys[shown],
        theta=np.column_stack([theta, overall])[:, kept],
        retargeted=np.column_stack([turned, turned[:, counted].any(axis=1)])[:, kept],
        estimated=np.append(there, there[~scheme.before(components.keys)].any())[kept],
        loading=_spread(table, components, place, loading),
        weight_loading=_spread(table, components, place, weight_loading),
        by_cell=by_cell,
    )


def _blocks(n_rep: int, n_cells: int) -> list[slice]:
    """Split replicates so that what is made of a block stays small."""
    step = max(1, MOST_AT_ONCE // max(n_cells, 1))
    return [slice(first, min(first + step, n_rep)) for first in range(0, n_rep, step)]


@dataclass(frozen=True, slots=True)
class _Rows:
    """How the components of some replicates are averaged."""

    components: Components
    scheme: Scheme
    window: Window
    equal: bool

    def of(self, table: CellTable, rows: slice, full: _Parts | None) -> _Parts:
        """Average the components of some replicates.

        Parameters
        ----------
        full : _Parts of the full sample; None where it is what is asked for
        """
        components, scheme = self.components, self.scheme
        part = table.take(rows, components.cells)
        exists = _eligible(part, scheme, self.window, part.first, part.last) & ~np.isnan(part.att)
        v = np.where(exists, 1.0 if self.equal else part.weight, 0.0)
        theta = components.mean(part.att, v)
        u = np.ones(theta.shape)
        if scheme.weighted_overall:
            u = components.mean(part.weight, exists)
        u[:, scheme.before(components.keys)] = 0.0
        u = np.where(np.isnan(theta), 0.0, u)
        other = part.changed & exists
        if full is not None:
            other |= exists != full.exists
        return _Parts(theta, u, components.some(other), exists, v)


def _eligible(table: CellTable, scheme: Scheme, window: Window, first: Ints, last: Ints) -> Bools:
    """Return whether a cell belongs to the aggregation at all, (r, K).

    Parameters
    ----------
    first, last : (r,) first and last periods of some samples
    """
    e = table.time - table.cohort
    used = np.ones((len(first), e.size), dtype=bool)
    if not scheme.leads:
        used &= e >= 0
    if window.min_e is not None:
        used &= e >= window.min_e
    if window.max_e is not None:
        used &= e <= window.max_e
    if window.balance_e is not None:
        first, last = first[:, None], last[:, None]
        used &= last - table.cohort >= window.balance_e
        used &= (e >= window.balance_e - last + first) & (e <= window.balance_e)
    return used


def _ever_eligible(table: CellTable, scheme: Scheme, window: Window) -> Bools:
    """Return whether a cell belongs to the aggregation in any replicate, (K,)."""
    ends = np.unique(np.column_stack([table.first, table.last]), axis=0)
    used = np.zeros(table.cohort.size, dtype=bool)
    for one in ends:
        used |= _eligible(table, scheme, window, one[:1], one[1:])[0]
    return used


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
    components: Components,
    full: _Parts,
    overall: float,
    scheme: Scheme,
    equal: bool,
) -> tuple[Derivatives, Derivatives]:
    """Differentiate the full sample's averages with respect to ATT(g,t) and to cells' weights."""
    of_cell, v, exists = components.of_cell, full.v[0], full.exists[0]
    theta, u = full.theta[0], full.u[0]
    total = components.total(full.v)[0][of_cell]
    own = np.divide(v, total, out=np.zeros(v.size), where=total > 0)
    surplus = np.zeros(v.size)
    if not equal:
        above = np.where(v > 0, table.att[0, components.cells] - theta[of_cell], 0.0)
        np.divide(above, total, out=surplus, where=total > 0)
    counted = u.sum()
    if not counted > 0:
        none = np.zeros(v.size)
        return (own, none), (surplus, none)
    top, by_weight = u[of_cell] * own / counted, u[of_cell] * surplus / counted
    if scheme.weighted_overall:  # u is the mean of the cells' weights, so it is estimated too
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
