"""Replicates -> the components of their averages, and what cells and components count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.averaging.cells import CellTable
from didjack.averaging.components import Components
from didjack.averaging.schemes import SCHEMES, Scheme
from didjack.averaging.window import Window
from didjack.options import AggregationType


@dataclass(frozen=True, slots=True)
class Parts:
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


@dataclass(frozen=True, slots=True)
class AveragedRows:
    """How the cells of some replicates are averaged.

    Attributes
    ----------
    components : Components of all cells that any replicate uses
    scheme, window : what is averaged
    equal : whether the cells of a component count equally
    """

    components: Components
    scheme: Scheme
    window: Window
    equal: bool

    @classmethod
    def of(
        cls, table: CellTable, kind: AggregationType, window: Window, by_cell: bool
    ) -> AveragedRows:
        """Sort the cells of a table by component."""
        scheme = SCHEMES[kind]
        components = Components.of(table, scheme, _ever_eligible(table, scheme, window))
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
        """Average the components of some replicates.

        Parameters
        ----------
        full : Parts of the full sample; None where it is what is asked for
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
        return Parts(theta, u, components.some(other), exists, v)


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
