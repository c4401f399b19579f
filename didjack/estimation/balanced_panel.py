"""A balanced panel as arrays: one row a unit, with its outcomes in all periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from didjack._typing import Floats, Ints
from didjack.data.sample import CleanData
from didjack.estimation.layout import Layout, Slots
from didjack.estimation.rows import RowArrays, Strata, binary_columns, standardise
from didjack.options import EstimationOptions

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class _Pivot:
    """Where the rows of a balanced panel stand: (n, T) positions, or None if they are in order."""

    shape: tuple[int, int]
    row: Ints | None

    @classmethod
    def from_rows(cls, unit: Ints, period: Ints, n_periods: int) -> _Pivot:
        key = unit * n_periods + period
        shape = (key.size // n_periods, n_periods)
        if np.array_equal(key, np.arange(key.size)):
            return cls(shape, None)
        row = np.empty(key.size, dtype=np.int64)
        row[key] = np.arange(key.size)
        return cls(shape, row.reshape(shape))

    def table(self, column: Floats) -> Floats:
        """Arrange a column (N,) or (N, k) as (n, T) or (n, T, k), perhaps as a view."""
        if self.row is None:
            return column.reshape(self.shape + column.shape[1:])
        return column[self.row]

    def first(self, column: NDArray[T]) -> NDArray[T]:
        """Take a column of the first period, (n,)."""
        if self.row is None:
            return column.reshape(self.shape)[:, 0]
        return column[self.row[:, 0]]


def panel_rows(clean: CleanData, options: EstimationOptions) -> RowArrays:
    """Arrange the units of a balanced panel by cohort and cluster."""
    pivot = _Pivot.from_rows(clean.unit, clean.period, clean.periods.size)
    cohorts, cohort = np.unique(pivot.first(clean.cohort), return_inverse=True)
    key = cohort * len(clean.cluster_labels) + pivot.first(clean.cluster)
    unit = np.argsort(key, kind="stable")
    strata = Strata.from_keys(key[unit], 1, len(clean.cluster_labels))
    y = pivot.table(clean.y)[unit]
    everyone, square = _counts(clean, pivot, unit)
    w, first_weight = _weights(clean, options, pivot, unit, everyone)
    level = y[:, 0] - np.median(y[:, 0]) if len(w) > 1 else np.empty(0)
    for period in range(y.shape[1] - 1, -1, -1):
        y[:, period] -= y[:, 0]
    x = np.ones((1, unit.size, 1))
    if clean.x is not None:
        x = standardise(_by_slot(pivot.table(clean.x), unit))
    shape = len(clean.cluster_labels), cohorts.size
    n_units = np.rint(strata.by_cluster(everyone[0], *shape)).astype(np.int64)
    layout = Layout(
        panel=True,
        cohorts=cohorts,
        periods=clean.periods,
        horizon=clean.horizon,
        slots=Slots(len(x), len(w)),
        x_names=tuple(clean.x_names),
        binary=binary_columns(x),
        share=strata.by_cluster(first_weight, *shape),
        n_units=n_units,
        n_rows=n_units.sum(axis=1) * clean.periods.size,
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
        of_units=clean.count is None,
        weighted=clean.weight is not None,
    )
    return RowArrays(layout, y, x, w, everyone, strata, unit, first_weight, level, square)


def _counts(clean: CleanData, pivot: _Pivot, unit: Ints) -> tuple[Floats, Floats]:
    """Return how many units each stands for, (1, n), and the squares of their weights, or none."""
    if clean.count is None or clean.square is None:
        return np.ones((1, unit.size)), np.empty(0)
    number = pivot.first(clean.count)[unit].astype(np.float64)
    return number[None], pivot.first(clean.square)[unit]


def _weights(
    clean: CleanData, options: EstimationOptions, pivot: _Pivot, unit: Ints, everyone: Floats
) -> tuple[Floats, Floats]:
    """Return the weights of units by slot, (Q', n), and those of the first period, (n,).

    Parameters
    ----------
    everyone : (1, n) how many units each stands for
    """
    if clean.weight is None:
        return everyone, everyone[0]
    w = _by_slot(pivot.table(clean.weight), unit)
    first = w[:1]
    return (first if options.fix_weights == "first_period" else w), first[0]


def _by_slot(table: Floats, unit: Ints) -> Floats:
    """Arrange (n, T, ...) as (Q, n, ...) in the order of `unit`; Q = 1 if constant over time."""
    first = np.ascontiguousarray(table[:, 0])
    if all(np.array_equal(table[:, t], first) for t in range(1, table.shape[1])):
        return first[unit][None]
    return np.ascontiguousarray(np.moveaxis(table[unit], 1, 0))
