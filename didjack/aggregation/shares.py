"""How much each ATT(g,t) counts in a coefficient, in every replicate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from didjack._typing import Floats, Ints
from didjack.aggregation.aggregate import AggregatedRows
from didjack.aggregation.schemes import CellTable, Window
from didjack.options import AggregationType


class Share(NamedTuple):
    """How much cells count in one coefficient.

    Attributes
    ----------
    share : (R, k) shares in every replicate; 0 where a cell does not exist
    cells : (k,) which cells, sorted
    """

    share: Floats
    cells: Ints


class Shares(Protocol):
    """How much cells count in each of some coefficients."""

    def share(self, position: int) -> Share:
        """Return the shares of the coefficient in that place."""

    @property
    def n_numbers(self) -> int:
        """How many numbers are made for one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class CellShares:
    """Coefficients that are the cells themselves.

    Attributes
    ----------
    att : (R, K) their estimates; NaN where there is none
    """

    att: Floats

    def share(self, position: int) -> Share:
        """Return one where the cell exists."""
        return Share(np.where(np.isnan(self.att[:, [position]]), 0.0, 1.0), np.array([position]))

    @property
    def n_numbers(self) -> int:
        """How many numbers are made for one of them."""
        return len(self.att)


@dataclass(frozen=True, eq=False)
class AggregatedShares:
    """Components that are shown, then the overall, of an aggregation.

    Attributes
    ----------
    table, kind, window, by_cell : what `aggregate` was given
    """

    table: CellTable
    kind: AggregationType
    window: Window
    by_cell: bool

    def share(self, position: int) -> Share:
        """Return the shares of a component, or of the overall, the last."""
        cells, shown = self._rows.components.cells, self._shown
        own, overall = self._shares
        if position == shown.size:
            used = np.flatnonzero(overall.any(axis=0))
            used = used[np.argsort(cells[used])]
            return Share(overall[:, used], cells[used])
        inside = self._inside(int(shown[position]))
        return Share(own[:, inside], cells[inside])

    @property
    def n_numbers(self) -> int:
        """How many numbers are made for one of them: those of all."""
        return len(self.table.att) * self._rows.components.cells.size

    def _inside(self, component: int) -> slice:
        """Return where the cells of a component are."""
        ends = np.append(self._rows.components.start, self._rows.components.cells.size)
        return slice(int(ends[component]), int(ends[component + 1]))

    @cached_property
    def _rows(self) -> AggregatedRows:
        return AggregatedRows.from_table(self.table, self.kind, self.window, self.by_cell)

    @cached_property
    def _shown(self) -> Ints:
        """(M,) which components are shown."""
        return np.flatnonzero(self._rows.shown(self.table))

    @cached_property
    def _shares(self) -> tuple[Floats, Floats]:
        """(R, k) what each cell counts in its component, and in the overall."""
        rows, components = self._rows, self._rows.components
        parts = rows.parts(self.table, slice(None), None)
        own = _divided(parts.v, components.total(parts.v)[:, components.of_cell])
        u = _divided(parts.u, parts.u.sum(axis=1, keepdims=True))
        return own, u[:, components.of_cell] * own


@dataclass(frozen=True, slots=True, eq=False)
class CombinedShares:
    """One linear combination of coefficients.

    Attributes
    ----------
    shares : of these coefficients
    weights : (M,)
    """

    shares: Shares
    weights: Floats

    def share(self, position: int = 0) -> Share:
        """Return the shares of the combination, the only one."""
        assert position == 0
        parts = [self.shares.share(m) for m in np.flatnonzero(self.weights).tolist()]
        cells = np.unique(np.concatenate([part.cells for part in parts]))
        share = np.zeros((len(parts[0].share), cells.size))
        for part, weight in zip(parts, self.weights[self.weights != 0], strict=True):
            share[:, np.searchsorted(cells, part.cells)] += weight * part.share
        return Share(share, cells)

    @property
    def n_numbers(self) -> int:
        """How many numbers are made for one of them."""
        return self.shares.n_numbers


def _divided(values: Floats, total: Floats) -> Floats:
    """Divide by totals; zero where these are not positive."""
    return np.divide(values, total, out=np.zeros(values.shape), where=total > 0)
