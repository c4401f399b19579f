"""Clean columns -> `Design`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack import kernels
from didjack.columns import NEVER, Bools, Floats, Ints
from didjack.design import ALL_PERIODS, Design, Strata
from didjack.errors import SampleWarning, plural, warn
from didjack.options import Options
from didjack.validate import CleanData

MOST_VALUES = 64
"""A covariate with more distinct values than this is not worth collapsing rows by."""


def build_design(clean: CleanData, options: Options, collapse: bool = True) -> Design:
    """Arrange the clean sample by cohort, period and cluster.

    Rows are ordered by sorted labels or by their contents, never by their order in the user's
    table, so that sums have the same digits whatever that order was.

    Parameters
    ----------
    collapse : bool
        Put rows with the same cohort, period, cluster and covariates together where that makes
        them fewer; not for influence by unit.
    """
    if not clean.pooled:
        return _panel(clean, options)
    return _pooled(clean, options, collapse)


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


def _panel(clean: CleanData, options: Options) -> Design:
    pivot = _Pivot.of(clean.unit, clean.period, clean.periods.size)
    cohorts, cohort = np.unique(pivot.first(clean.cohort), return_inverse=True)
    cluster = pivot.first(clean.cluster)
    key = cohort * len(clean.cluster_labels) + cluster
    unit = np.argsort(key, kind="stable")
    cohort, cluster = cohort[unit], cluster[unit]
    y = pivot.table(clean.y)[unit]
    for period in range(y.shape[1] - 1, -1, -1):
        y[:, period] -= y[:, 0]
    n = unit.size
    x = np.ones((1, n, 1))
    if clean.x is not None:
        x = _standardise(_by_slot(pivot.table(clean.x), unit))
    w = first_weight = np.ones((1, n))
    if clean.weight is not None:
        w = _by_slot(pivot.table(clean.weight), unit)
        first_weight = w[:1]
        if options.fix_weights == "first_period":
            w = first_weight
    share, n_units = _by_cluster(clean, cluster, cohort, cohorts.size, first_weight[0])
    return Design(
        panel=True,
        y=y,
        x=x,
        w=w,
        weights_of_base=options.fix_weights == "base_period",
        count=np.ones((1, n)),
        binary=_binary(x),
        strata=Strata.of(cohort, np.full(n, ALL_PERIODS), cluster),
        unit=unit,
        cohorts=cohorts,
        periods=clean.periods,
        share_weight=first_weight[0],
        share=share,
        n_units=n_units,
        n_rows=n_units.sum(axis=1) * clean.periods.size,
        horizon=clean.horizon,
        x_names=tuple(clean.x_names),
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
    )


def _by_slot(table: Floats, unit: Ints) -> Floats:
    """Arrange (n, T, ...) as (Q, n, ...) in the order of `unit`; Q = 1 if constant over time."""
    first = np.ascontiguousarray(table[:, 0])
    if all(np.array_equal(table[:, t], first) for t in range(1, table.shape[1])):
        return first[unit][None]
    return np.ascontiguousarray(np.moveaxis(table[unit], 1, 0))


def _standardise(x: Floats) -> Floats:
    """Centre and scale (Q, n, k) covariates over rows and slots, all but the intercept.

    Estimates do not depend on it, as there is an intercept; their accuracy does. Quartiles make
    sure that it does not suffer where a single cluster has values of another size. Changes x.
    """
    for a in range(1, x.shape[2]):
        column = np.ascontiguousarray(x[:, :, a])
        low, centre, high = np.percentile(column, (25, 50, 75))
        spread = high - low if high > low else column.std()
        if spread > 1e-14 * abs(centre):
            x[:, :, a] = (column - centre) / spread
    return x


def _binary(x: Floats) -> Bools:
    """Return which columns of (Q, n, k) covariates have exactly two values, (k,)."""
    two = np.zeros(x.shape[2], dtype=bool)
    for a in range(1, x.shape[2]):
        column = np.ascontiguousarray(x[:, :, a])
        low, high = column.min(), column.max()
        few = np.isin(column.ravel()[:100], (low, high)).all()
        two[a] = low < high and few and ((column == low) | (column == high)).all()
    return two


def _by_cluster(
    clean: CleanData,
    cluster: Ints,
    cohort: Ints,
    n_cohorts: int,
    weight: Floats,
    units: Floats | None = None,
) -> tuple[Floats, Ints]:
    """Add up weights and units of rows by cluster and cohort, both (H, C)."""
    shape = (len(clean.cluster_labels), n_cohorts)
    key, size = cluster * n_cohorts + cohort, shape[0] * shape[1]
    counts, share, _ = kernels.collapse(key, size, weight, weight)
    if units is not None:
        counts = np.bincount(key, weights=units, minlength=size)
    return share.reshape(shape), np.rint(counts).astype(np.int64).reshape(shape)


def _cohort_codes(cohort: Ints) -> tuple[Ints, Ints]:
    """Return the distinct cohorts, sorted, and the position of each row's, without sorting rows."""
    treated = cohort != NEVER
    if not treated.any():
        return np.array([NEVER]), np.zeros(cohort.size, dtype=np.int64)
    low = cohort[treated].min()
    span = int(cohort[treated].max() - low) + 1
    if span > 4 * cohort.size:
        return np.unique(cohort, return_inverse=True)
    offset = np.where(treated, cohort - low, span)
    present = np.bincount(offset, minlength=span + 1) > 0
    values = np.append(np.arange(span) + low, NEVER)
    return values[present], (np.cumsum(present) - 1)[offset]


def _pooled(clean: CleanData, options: Options, collapse: bool) -> Design:
    n = clean.y.size
    cohorts, cohort = _cohort_codes(clean.cohort)
    n_periods, n_clusters = clean.periods.size, len(clean.cluster_labels)
    stratum = (cohort * n_periods + clean.period) * n_clusters + clean.cluster
    w, seen = _pooled_weights(clean, options)
    x = np.ones((n, 1)) if clean.x is None else clean.x
    share_weight, units = _unit_shares(clean, options, w)
    share, n_units = _by_cluster(clean, clean.cluster, cohort, cohorts.size, share_weight, units)
    y = clean.y - np.median(clean.y)
    pattern = _patterns(x, stratum) if collapse and seen.all() else None
    if pattern is not None:
        rows, code = pattern
        count, weight, total = kernels.collapse(code, rows.size, w[0], y)
        y = np.divide(total, weight, out=np.zeros(rows.size), where=weight > 0)
        x, w, order, count = x[rows], weight[None], rows, count[None]
        share_weight = kernels.collapse(code, rows.size, share_weight, share_weight)[1]
        unit = np.empty(0, dtype=np.int64)
    else:
        order = _by_content(stratum, y, x, w)
        x, w, y, count = x[order], w[:, order], y[order], seen[:, order]
        unit, share_weight = clean.unit[order], share_weight[order]
    x = _standardise(x[None])
    return Design(
        panel=False,
        y=y[:, None],
        x=x,
        w=w,
        weights_of_base=options.fix_weights == "base_period",
        count=count,
        binary=_binary(x),
        strata=Strata.of(cohort[order], clean.period[order], clean.cluster[order]),
        unit=unit,
        cohorts=cohorts,
        periods=clean.periods,
        share_weight=share_weight,
        share=share,
        n_units=n_units,
        n_rows=np.bincount(clean.cluster, minlength=n_clusters),
        horizon=clean.horizon,
        x_names=tuple(clean.x_names),
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
    )


def _pooled_weights(clean: CleanData, options: Options) -> tuple[Floats, Floats]:
    """Weights of rows by slot, (1, N) or (T, N), and 1 where a row takes part, else 0.

    Units that are not seen where their weight is taken do not take part, with weight zero.
    """
    everyone = np.ones((1, clean.y.size))
    if clean.weight is None:
        return everyone, everyone
    if options.fix_weights not in ("first_period", "base_period"):
        return clean.weight[None], everyone
    n_periods = clean.periods.size if options.fix_weights == "base_period" else 1
    by_unit = np.full((n_periods, int(clean.unit.max()) + 1), np.nan)
    for period in range(n_periods):
        here = clean.period == period
        by_unit[period, clean.unit[here]] = clean.weight[here]
    unseen = np.isnan(by_unit)
    if unseen.any():
        where = "the first period" if n_periods == 1 else "some base period"
        warn(
            f"fix_weights={options.fix_weights!r}: {plural(int(unseen.any(axis=0).sum()), 'unit')} "
            f"not seen in {where}, where their weight is taken, leave the cells that need it",
            SampleWarning,
        )
    weights = np.where(unseen, 0.0, by_unit)[:, clean.unit]
    return weights, np.where(unseen[:, clean.unit], 0.0, 1.0)


def _unit_shares(clean: CleanData, options: Options, w: Floats) -> tuple[Floats, Floats | None]:
    """Return what each row adds to the weight and the number of units of its cohort, (N,) each.

    A unit counts once, with the mean of its weights.
    """
    weight = w[0] if len(w) == 1 else clean.weight
    assert weight is not None
    if not options.panel:
        return weight, None
    seen = np.bincount(clean.unit)[clean.unit]
    total = kernels.collapse(clean.unit, int(clean.unit.max()) + 1, weight, weight)[1][clean.unit]
    return total / seen**2, 1.0 / seen


def _patterns(x: Floats, stratum: Ints) -> tuple[Ints, Ints] | None:
    """Find the distinct (stratum, covariates); None where that would not make rows fewer.

    Returns one row of each pattern, (n,), in the order of strata, and the pattern of each row,
    (N,).
    """
    key, size = stratum, int(stratum.max()) + 1
    for column in x.T[1:]:
        values = _few_values(column)
        if values is None:
            return None
        key = key * values.size + np.searchsorted(values, column)
        size *= values.size
    if size <= 8 * key.size:
        present = np.bincount(key, minlength=size) > 0
        code = (np.cumsum(present) - 1)[key]
        n_patterns = int(np.count_nonzero(present))
    else:
        distinct, code = np.unique(key, return_inverse=True)
        n_patterns = distinct.size
    if 2 * n_patterns > key.size:
        return None
    rows = np.empty(n_patterns, dtype=np.int64)
    rows[code] = np.arange(key.size)
    return rows, code


def _few_values(column: Floats) -> Floats | None:
    """Return the distinct values of a column if they are few."""
    if np.unique(column[:1000]).size > MOST_VALUES:
        return None
    values = np.unique(column)
    return values if values.size <= MOST_VALUES else None


def _by_content(stratum: Ints, y: Floats, x: Floats, w: Floats) -> Ints:
    """Order rows by stratum, and within one by a hash of their contents.

    Rows that cannot be told apart may come in any order; all others have theirs, whatever their
    order in the table.
    """
    content = kernels.hash_rows(y, x, np.ascontiguousarray(w))
    return np.lexsort((content, stratum))
