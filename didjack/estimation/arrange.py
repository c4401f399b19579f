"""Clean sample -> arrays: units of a balanced panel with all their outcomes, or pooled rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data.balance import is_balanced, times_observed
from didjack.data.labels import distinct
from didjack.data.sample import CleanData
from didjack.errors import SampleWarning, warn
from didjack.estimation.kernels import strata as kernels
from didjack.estimation.layout import Layout, Slots
from didjack.estimation.rows import (
    RowArrays,
    Strata,
    binary_columns,
    by_content,
    patterns,
    standardise,
)
from didjack.options import EstimationOptions
from didjack.wording import plural

T = TypeVar("T", bound=np.generic)

# ---- balanced panels -----------------------------------------------------------------------------


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
    eligible = None if clean.eligible is None else pivot.first(clean.eligible)
    cohorts, cohort = _classes(cohorts, cohort, eligible)
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
        kinds=_kinds(clean),
    )
    return RowArrays(layout, y, x, w, everyone, strata, unit, first_weight, level, square)


def _kinds(clean: CleanData) -> int:
    """Return how many classes of rows each cohort has."""
    return 1 if clean.eligible is None else 2


def _classes(cohorts: Ints, cohort: Ints, eligible: Bools | None) -> tuple[Ints, Ints]:
    """Divide cohorts by eligibility: return the cohort of each class, and the class of each row.

    Parameters
    ----------
    cohorts : (G,) sorted
    cohort : (n,) position of the cohort of each row
    eligible : (n,) or None
    """
    if eligible is None:
        return cohorts, cohort
    return np.repeat(cohorts, 2), 2 * cohort + eligible


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


# ---- weights of cohorts --------------------------------------------------------------------------


def of_units(
    unit: Ints, period: Ints, weight: Floats, count: Floats | None = None
) -> tuple[Floats, Floats]:
    """Share the mean weight of each unit, and the unit itself, out to its rows.

    Parameters
    ----------
    unit, period, weight : (N,)
    count : (N,) how many units each row stands for, of the sum of whose weights it has; None: one

    Returns
    -------
    weight, and number of units : (N,) each
    """
    observed = times_observed(unit, period, single=count is None)
    if count is not None:
        return weight / observed, count / observed
    total = kernels.collapse(unit, int(unit.max()) + 1, weight, weight)[1][unit]
    return total / observed**2, 1.0 / observed


def of_first_periods(rows: RowArrays, n_periods: int) -> Floats:
    """Add up the weight of each cohort by cluster, (H, C), over the rows of the first periods.

    Parameters
    ----------
    rows : RowArrays of pooled rows, each of one unit, or of units of one type
    """
    period = np.repeat(rows.strata.period, rows.strata.sizes)
    at = np.flatnonzero(period < n_periods)
    own = rows.w[period[at], at] if rows.layout.slots.w > 1 else rows.w[-1, at]
    count = None if rows.layout.of_units else rows.count[0, at]
    weight, units = of_units(rows.unit[at], period[at], own, count)
    shape = rows.layout.n_clusters, rows.layout.cohorts.size
    key = rows.strata.cluster_of_rows[at] * shape[1] + rows.strata.cohort_of_rows[at]
    # Rows that are alike in all else may be so in any order: units seen in other periods than
    # these have shares of their own.
    return kernels.collapse(key, shape[0] * shape[1], weight, units)[1].reshape(shape)


# ---- pooled rows ---------------------------------------------------------------------------------


class _Columns(NamedTuple):
    """Columns of pooled rows, in their order or put together.

    Attributes
    ----------
    order : (n,) the row of the clean sample that each row is, or stands for
    y : (n,) outcome, measured from the sample median
    w, counts : (1 or Q', n)
    share_weight, units : (n,) what a row adds to the weight and the number of units of its cohort
    unit : (n,) unit of each row; empty where rows stand for several
    square : (n,) sum of the squared weights of the rows that a row stands for; empty for one
    """

    order: Ints
    y: Floats
    w: Floats
    counts: Floats
    share_weight: Floats
    units: Floats
    unit: Ints
    square: Floats


def pooled_rows(clean: CleanData, options: EstimationOptions, collapse: bool) -> RowArrays:
    """Arrange rows; temporaries are given back early, as they are as long as the table."""
    cohorts, key = _strata_keys(clean)
    balanced = options.fix_weights == "varying" and clean.panel and is_balanced(clean)
    x = _covariates(clean, balanced)
    columns = _columns(clean, options, key, _Content(x, collapse, balanced))
    key = key[columns.order]
    strata = Strata.from_keys(key, clean.periods.size, len(clean.cluster_labels))
    del key
    x = standardise(np.ascontiguousarray(x[:, columns.order]))
    shape = len(clean.cluster_labels), cohorts.size
    layout = Layout(
        panel=False,
        cohorts=cohorts,
        periods=clean.periods,
        horizon=clean.horizon,
        slots=Slots(len(x), len(columns.w) if options.fix_weights == "base_period" else 1),
        x_names=tuple(clean.x_names),
        binary=binary_columns(x),
        share=strata.by_cluster(columns.share_weight, *shape),
        n_units=np.rint(strata.by_cluster(columns.units, *shape)).astype(np.int64),
        n_rows=np.bincount(clean.cluster, weights=clean.count, minlength=shape[0]).astype(np.int64),
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
        of_units=clean.count is None,
        weighted=clean.weight is not None,
        balanced=balanced,
        kinds=_kinds(clean),
    )
    return RowArrays(
        layout,
        columns.y[:, None],
        x,
        columns.w,
        columns.counts,
        strata,
        columns.unit,
        columns.share_weight,
        np.empty(0),
        columns.square,
    )


class _Content(NamedTuple):
    """What rows are put together or ordered by.

    Attributes
    ----------
    x : (Q, N, k) covariates
    collapse : whether to put rows together
    balanced : whether they are those of a balanced panel
    """

    x: Floats
    collapse: bool
    balanced: bool


def _columns(
    clean: CleanData, options: EstimationOptions, key: Ints, content: _Content
) -> _Columns:
    """Put rows together where that makes them fewer, or order them by their contents."""
    everyone = np.ones(clean.y.size) if clean.count is None else clean.count.astype(np.float64)
    w, count = _pooled_weights(clean, options, everyone)
    share_weight, units = _unit_shares(clean, w, everyone)
    if content.balanced:
        share_weight = np.where(clean.period == 0, w[0], 0.0)
    x = content.x[0] if len(content.x) == 1 else np.concatenate(content.x, axis=1)
    pattern = patterns(x, key) if content.collapse and count.all() else None
    middle = np.median(clean.y)
    if pattern is not None:
        order, code = pattern
        y = clean.y - middle
        own = (share_weight, units) if clean.panel else None
        return _together(order, code, _Alike(y, w[0], clean.count, clean.square), own)
    weights = np.vstack([w, share_weight, units]) if clean.panel else w
    order = by_content(key, clean.y, x, weights)
    y = clean.y[order]
    y -= middle
    w, count = _ordered(w, order), _ordered(count, order)
    share_weight, units = (_ordered(part[None], order)[0] for part in (share_weight, units))
    unit = clean.unit[order] if clean.unit.size else order
    square = np.empty(0) if clean.square is None else clean.square[order]
    return _Columns(order, y, w, count, share_weight, units, unit, square)


@dataclass(frozen=True, slots=True)
class _Alike:
    """Rows that may be put together.

    Attributes
    ----------
    y, w : (N,)
    count, square : (N,) as of `CleanData`
    """

    y: Floats
    w: Floats
    count: Ints | None
    square: Floats | None


def _together(
    order: Ints, code: Ints, rows: _Alike, of_units: tuple[Floats, Floats] | None
) -> _Columns:
    """Add up rows of the same pattern; changes y.

    Parameters
    ----------
    order : (n,) one row of each pattern
    code : (N,) pattern of each row
    rows : _Alike
    of_units : share_weight and units, (N,) each, where these are not weights and counts of rows
    """
    n, y, w = order.size, rows.y, rows.w
    y *= w
    number, weight, total = kernels.collapse(code, n, w, y)
    square = number
    if rows.count is not None and rows.square is not None:
        number, square = kernels.collapse(code, n, rows.count.astype(np.float64), rows.square)[1:]
    elif not (w == 1.0).all():
        square = kernels.collapse(code, n, w**2, w)[1]
    share_weight, units = weight, number
    if of_units is not None:
        share_weight, units = kernels.collapse(code, n, *of_units)[1:]
    y = np.divide(total, weight, out=np.zeros(n), where=weight > 0)
    nobody = np.empty(0, dtype=np.int64)
    return _Columns(order, y, weight[None], number[None], share_weight, units, nobody, square)


def _ordered(values: Floats, order: Ints) -> Floats:
    """Put (Q, N) values in order; ones are in any order."""
    return values if (values == 1.0).all() else np.ascontiguousarray(values[:, order])


def _strata_keys(clean: CleanData) -> tuple[Ints, Ints]:
    """Return the cohorts of the classes, and (class, period, cluster) of each row as one number."""
    treated = clean.cohort != NEVER
    never = int(clean.cohort[treated].max(initial=0)) + 1  # a narrow range is coded without sorting
    cohorts, key = distinct(np.where(treated, clean.cohort, never))
    cohorts, key = _classes(cohorts, key, clean.eligible)
    for codes, size in (
        (clean.period, clean.periods.size),
        (clean.cluster, len(clean.cluster_labels)),
    ):
        key *= size
        key += codes
    return np.where(cohorts == never, NEVER, cohorts), key


def _pooled_weights(
    clean: CleanData, options: EstimationOptions, everyone: Floats
) -> tuple[Floats, Floats]:
    """Weights of rows by slot, (1, N) or (T, N), and 1 where a row takes part, else 0.

    Weights of the first period are followed by the rows' own, of which shares are made.
    Units that are not seen where their weight is taken do not take part, with weight zero.
    """
    if clean.weight is None:
        return everyone[None], everyone[None]
    if options.fix_weights not in ("first_period", "base_period"):
        return clean.weight[None], everyone[None]
    n_periods = clean.periods.size if options.fix_weights == "base_period" else 1
    by_unit = np.full((n_periods, int(clean.unit.max()) + 1), np.nan)
    for period in range(n_periods):
        here = clean.period == period
        by_unit[period, clean.unit[here]] = clean.weight[here]
    unseen = np.isnan(by_unit)
    needed = unseen[_weighed(clean, options)].any(axis=0)
    if needed.any():
        where = "the first period" if n_periods == 1 else "some base period"
        warn(
            f"fix_weights={options.fix_weights!r}: {plural(int(needed.sum()), 'unit')} "
            f"not observed in {where}, where their weight is taken, leave the cells that need it",
            SampleWarning,
        )
    weights = np.where(unseen, 0.0, by_unit)[:, clean.unit]
    if n_periods == 1:
        weights = np.vstack([weights, clean.weight])
    return weights, np.where(unseen[:, clean.unit], 0.0, 1.0)


def _weighed(clean: CleanData, options: EstimationOptions) -> Ints:
    """Return the periods of which cells take the weights: the first, or base(g) of each cohort."""
    if options.fix_weights == "first_period":
        return np.zeros(1, dtype=np.int64)
    cohorts = np.unique(clean.cohort[clean.cohort != NEVER])
    last = np.searchsorted(clean.periods, cohorts - options.anticipation) - 1
    return np.asarray(np.unique(last[last >= 0]), dtype=np.int64)


def _covariates(clean: CleanData, balanced: bool) -> Floats:
    """Covariates of rows by slot, (1, N, k), or (T, N, k) where those of a balanced panel vary.

    There a comparison holds the covariates of a unit at the earlier of its periods. In a lazy
    table, they do not vary.
    """
    if clean.x is None:
        return np.ones((1, clean.y.size, 1))
    if not balanced or clean.count is not None:
        return clean.x[None]
    x, n_periods = clean.x, clean.periods.size
    by_unit = np.empty((n_periods, clean.y.size // n_periods, x.shape[1]))
    by_unit[clean.period, clean.unit] = x
    if (by_unit == by_unit[0]).all():
        return x[None]
    return by_unit[:, clean.unit]


def _unit_shares(clean: CleanData, w: Floats, everyone: Floats) -> tuple[Floats, Floats]:
    """Return what each row adds to the weight and the number of units of its cohort, (N,) each."""
    weight = w[0] if clean.weight is None else clean.weight
    if not clean.panel:
        return weight, everyone
    count = None if clean.count is None else everyone
    return of_units(clean.unit, clean.period, weight, count)
