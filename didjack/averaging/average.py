"""ATT(g,t) by replicate -> weighted averages of them, in every replicate.

A pure function of arrays: what an average is taken over is decided cell by cell, so the full
sample and the replicates go through the same lines.

Source: Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.averaging.cells import CellTable
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
    loading : (M + 1, K) derivative of the full-sample estimates with respect to ATT(g,t), of
        the cells of the full sample
    weight_loading : (M + 1, K) derivative with respect to the weight of each cell
    by_cell : whether these weights are the cells' own
    """

    keys: Ints
    theta: Floats
    retargeted: Bools
    loading: Floats
    weight_loading: Floats
    by_cell: bool

    def take(self, parts: Ints) -> Averages:
        """Select components or the overall (the last), by position."""
        keys = self.keys[parts[parts < self.keys.size]]
        return Averages(
            keys,
            self.theta[:, parts],
            self.retargeted[:, parts],
            self.loading[parts],
            self.weight_loading[parts],
            self.by_cell,
        )


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
    eligible = _eligible(table, scheme, window)
    exists = eligible & ~np.isnan(table.att)
    component = scheme.component(table)
    keys = np.unique(component[eligible.any(axis=0)])
    in_full = eligible[0] & (np.arange(table.cohort.size) < table.n_shown)
    if not in_full.any():
        raise OptionError(f"no ATT(g,t) lies in the window of the {kind!r} aggregation: {window}")
    inside: Bools = np.equal(component, keys[:, None])
    equal = scheme.equal_cells and not by_cell
    v = np.where(exists, 1.0 if equal else table.weight, 0.0)
    theta = np.stack([_mean(table.att, v * columns) for columns in inside], axis=1)
    u = _overall_weights(table, scheme, keys, [exists * columns for columns in inside])
    u = np.where(np.isnan(theta), 0.0, u)
    overall = _mean(theta, u)

    loading, by_weight = _component_derivatives(table, inside, v[0], theta[0], equal)
    top, top_by_weight = _overall_derivatives(
        inside * exists[0], u[0], theta[0], overall[0], loading, by_weight, scheme.weighted_overall
    )
    result = Averages(
        keys=keys,
        theta=np.column_stack([theta, overall]),
        retargeted=_retargeted(table, exists, inside, np.asarray((u > 0).any(axis=0))),
        loading=np.vstack([loading, top])[:, : table.n_shown],
        weight_loading=np.vstack([by_weight, top_by_weight])[:, : table.n_shown],
        by_cell=by_cell,
    )
    shown = (in_full & inside).any(axis=1) & (scheme.keys != "none")
    return result.take(np.append(np.flatnonzero(shown), keys.size))


def _eligible(table: CellTable, scheme: Scheme, window: Window) -> Bools:
    """Return whether a cell belongs to the aggregation at all, (R, K)."""
    e = table.time - table.cohort
    used = np.ones(table.att.shape, dtype=bool)
    if not scheme.leads:
        used &= e >= 0
    if window.min_e is not None:
        used &= e >= window.min_e
    if window.max_e is not None:
        used &= e <= window.max_e
    if window.balance_e is not None:
        last, first = table.last[:, None], table.first[:, None]
        used &= last - table.cohort >= window.balance_e
        used &= (e >= window.balance_e - last + first) & (e <= window.balance_e)
    return used


def _overall_weights(table: CellTable, scheme: Scheme, keys: Ints, members: list[Bools]) -> Floats:
    """Return what each component counts in the overall, (R, M).

    Parameters
    ----------
    members : M of (R, K), which cells a component has in a replicate
    """
    if scheme.weighted_overall:
        u = np.stack([_mean(table.weight, cells.astype(float)) for cells in members], axis=1)
    else:
        u = np.ones((len(table.att), keys.size))
    return np.where(scheme.before(keys), 0.0, u)


def _retargeted(table: CellTable, exists: Bools, inside: Bools, counted: Bools) -> Bools:
    """Return whether replicates average over other cells than the full sample, (R, M + 1).

    Parameters
    ----------
    exists : (R, K) whether a cell has an estimate
    inside : (M, K) whether a cell is in a component
    counted : (M,) whether a component counts in the overall
    """
    other = (exists != exists[:1]) | (table.changed & exists)
    counts = [*inside, inside[counted].any(axis=0)]
    return np.stack([other[:, columns].any(axis=1) for columns in counts], axis=1)


def _mean(values: Floats, weight: Floats) -> Floats:
    """Average the rows of (R, K) values where weights are positive; NaN where none is, (R,)."""
    total = weight.sum(axis=1)
    top = (np.where(weight > 0, values, 0.0) * weight).sum(axis=1)
    mean: Floats = np.divide(top, total, out=np.full(total.size, np.nan), where=total > 0)
    return mean


def _component_derivatives(
    table: CellTable, inside: Bools, v: Floats, theta: Floats, equal: bool
) -> tuple[Floats, Floats]:
    """Differentiate the components with respect to ATT(g,t) and the cells' weights, (M, K)."""
    total = (v * inside).sum(axis=1)[:, None]
    loading = np.divide(v * inside, total, out=np.zeros(inside.shape), where=total > 0)
    if equal:
        return loading, np.zeros(inside.shape)
    surplus = np.where((v > 0) & inside, table.att[0] - theta[:, None], 0.0)
    return loading, np.divide(surplus, total, out=np.zeros(inside.shape), where=total > 0)


def _overall_derivatives(
    members: Bools,
    u: Floats,
    theta: Floats,
    overall: float,
    loading: Floats,
    by_weight: Floats,
    weighted: bool,
) -> tuple[Floats, Floats]:
    """Differentiate the overall with respect to ATT(g,t) and the cells' weights, (K,) each."""
    total = u.sum()
    if not total > 0:
        return np.zeros(members.shape[1]), np.zeros(members.shape[1])
    top, top_by_weight = u @ loading / total, u @ by_weight / total
    if weighted:  # u is the mean of the cells' weights, so it is estimated too
        used = u > 0
        share = members[used] / members[used].sum(axis=1)[:, None]
        top_by_weight = top_by_weight + ((theta[used] - overall) / total) @ share
    return top, top_by_weight
