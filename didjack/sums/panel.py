"""A balanced panel as arrays: one row a unit, with its outcomes in all periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats, Ints
from didjack.intake.sample import CleanData
from didjack.options import Options
from didjack.sums.covariates import binary_columns, standardise
from didjack.sums.layout import Layout, Slots
from didjack.sums.rows import RowArrays, Strata


@dataclass(frozen=True, slots=True)
class _Pivot:
    """Where the rows of a balanced panel stand: (n, T) positions, or None if they are in order."""

    shape: tuple[int, int]
    row: Ints | None

    @classmethod
    def of(cls, unit: Ints, period: Ints, n_periods: int) -> _Pivot:
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

    def first(self, column: Ints) -> Ints:
        """Take a column of the first period, (n,)."""
        if self.row is None:
            return column.reshape(self.shape)[:, 0]
        return column[self.row[:, 0]]


def panel_rows(clean: CleanData, options: Options) -> RowArrays:
    """Arrange the units of a balanced panel by cohort and cluster."""
    pivot = _Pivot.of(clean.unit, clean.period, clean.periods.size)
    cohorts, cohort = np.unique(pivot.first(clean.cohort), return_inverse=True)
    key = cohort * len(clean.cluster_labels) + pivot.first(clean.cluster)
    unit = np.argsort(key, kind="stable")
    strata = Strata.of(key[unit], 1, len(clean.cluster_labels))
    y = pivot.table(clean.y)[unit]
    w, first_weight = _weights(clean, options, pivot, unit)
    none = np.empty(0)
    level = y[:, 0] - np.median(y[:, 0]) if len(w) > 1 else none
    for period in range(y.shape[1] - 1, -1, -1):
        y[:, period] -= y[:, 0]
    everyone = np.ones((1, unit.size))
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
        slots=Slots(len(x), len(w), options.fix_weights == "base_period"),
        x_names=tuple(clean.x_names),
        binary=binary_columns(x),
        share=strata.by_cluster(first_weight, *shape),
        n_units=n_units,
        n_rows=n_units.sum(axis=1) * clean.periods.size,
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
    )
    return RowArrays(layout, y, x, w, everyone, strata, unit, first_weight, level, none)


def _weights(
    clean: CleanData, options: Options, pivot: _Pivot, unit: Ints
) -> tuple[Floats, Floats]:
    """Return the weights of units by slot, (Q', n), and those of the first period, (n,)."""
    if clean.weight is None:
        w = np.ones((1, unit.size))
        return w, w[0]
    w = _by_slot(pivot.table(clean.weight), unit)
    first = w[:1]
    return (first if options.fix_weights == "first_period" else w), first[0]


def _by_slot(table: Floats, unit: Ints) -> Floats:
    """Arrange (n, T, ...) as (Q, n, ...) in the order of `unit`; Q = 1 if constant over time."""
    first = np.ascontiguousarray(table[:, 0])
    if all(np.array_equal(table[:, t], first) for t in range(1, table.shape[1])):
        return first[unit][None]
    return np.ascontiguousarray(np.moveaxis(table[unit], 1, 0))
