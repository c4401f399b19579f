"""Clean columns -> `Design`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.errors import SampleWarning, warn
from didjack.intake.labels import distinct
from didjack.intake.sample import CleanData
from didjack.kernels import core as kernels
from didjack.options import Options
from didjack.sums.layout import Design, Strata
from didjack.wording import plural

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
    key = cohort * len(clean.cluster_labels) + pivot.first(clean.cluster)
    unit = np.argsort(key, kind="stable")
    strata = Strata.of(key[unit], 1, len(clean.cluster_labels))
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
    everyone = np.ones((1, n))
    shape = len(clean.cluster_labels), cohorts.size
    n_units = _whole(strata.by_cluster(everyone[0], *shape))
    return Design(
        panel=True,
        y=y,
        x=x,
        w=w,
        weights_of_base=options.fix_weights == "base_period",
        count=everyone,
        binary=_binary(x),
        strata=strata,
        unit=unit,
        cohorts=cohorts,
        periods=clean.periods,
        share_weight=first_weight[0],
        share=strata.by_cluster(first_weight[0], *shape),
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
        column = x[:, :, a]
        low, centre, high = np.percentile(column, (25, 50, 75))
        spread = high - low if high > low else column.std()
        if spread > 1e-14 * abs(centre):
            column -= centre
            column /= spread
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


def _whole(counts: Floats) -> Ints:
    """Return sums of counts as integers."""
    return np.rint(counts).astype(np.int64)


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


def _strata_keys(clean: CleanData) -> tuple[Ints, Ints]:
    """Return the cohorts, sorted, and (cohort, period, cluster) of each row as one number, (N,)."""
    cohorts, key = _cohort_codes(clean.cohort)
    for codes, size in (
        (clean.period, clean.periods.size),
        (clean.cluster, len(clean.cluster_labels)),
    ):
        key *= size
        key += codes
    return cohorts, key


def _pooled(clean: CleanData, options: Options, collapse: bool) -> Design:
    """Arrange rows; temporaries are given back early, as they are as long as the table."""
    cohorts, key = _strata_keys(clean)
    everyone = np.ones(clean.y.size)
    w, count = _pooled_weights(clean, options, everyone)
    share_weight, units = _unit_shares(clean, options, w, everyone)
    x = everyone[:, None] if clean.x is None else clean.x
    pattern = _patterns(x, key) if collapse and count.all() else None
    middle = np.median(clean.y)
    if pattern is not None:
        order, code = pattern
        n = order.size
        y = clean.y - middle
        y *= w[0]
        number, weight, total = kernels.collapse(code, n, w[0], y)
        share_weight, units = (
            kernels.collapse(code, n, share_weight, units)[1:]
            if options.panel
            else (weight, number)
        )
        y = np.divide(total, weight, out=np.zeros(n), where=weight > 0)
        w, count = weight[None], number[None]
        unit = np.empty(0, dtype=np.int64)
    else:
        weights = np.vstack([w, share_weight, units]) if options.panel else w
        order = _by_content(key, clean.y, x, weights)
        y = clean.y[order]
        y -= middle
        w, count = _ordered(w, order), _ordered(count, order)
        share_weight, units = (_ordered(part[None], order)[0] for part in (share_weight, units))
        unit = clean.unit[order] if clean.unit.size else order
    key = key[order]
    strata = Strata.of(key, clean.periods.size, len(clean.cluster_labels))
    del key
    x = _standardise(x[order][None])
    shape = len(clean.cluster_labels), cohorts.size
    return Design(
        panel=False,
        y=y[:, None],
        x=x,
        w=w,
        weights_of_base=options.fix_weights == "base_period",
        count=count,
        binary=_binary(x),
        strata=strata,
        unit=unit,
        cohorts=cohorts,
        periods=clean.periods,
        share_weight=share_weight,
        share=strata.by_cluster(share_weight, *shape),
        n_units=_whole(strata.by_cluster(units, *shape)),
        n_rows=np.bincount(clean.cluster, minlength=shape[0]),
        horizon=clean.horizon,
        x_names=tuple(clean.x_names),
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
    )


def _ordered(values: Floats, order: Ints) -> Floats:
    """Put (Q, N) values in order; ones are in any order."""
    return values if (values == 1.0).all() else values[:, order]


def _pooled_weights(clean: CleanData, options: Options, everyone: Floats) -> tuple[Floats, Floats]:
    """Weights of rows by slot, (1, N) or (T, N), and 1 where a row takes part, else 0.

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
    if unseen.any():
        where = "the first period" if n_periods == 1 else "some base period"
        warn(
            f"fix_weights={options.fix_weights!r}: {plural(int(unseen.any(axis=0).sum()), 'unit')} "
            f"not seen in {where}, where their weight is taken, leave the cells that need it",
            SampleWarning,
        )
    weights = np.where(unseen, 0.0, by_unit)[:, clean.unit]
    return weights, np.where(unseen[:, clean.unit], 0.0, 1.0)


def _unit_shares(
    clean: CleanData, options: Options, w: Floats, everyone: Floats
) -> tuple[Floats, Floats]:
    """Return what each row adds to the weight and the number of units of its cohort, (N,) each.

    A unit counts once, with the mean of its weights.
    """
    weight = w[0] if len(w) == 1 else clean.weight
    assert weight is not None
    if not options.panel:
        return weight, everyone
    seen = np.bincount(clean.unit)[clean.unit]
    total = kernels.collapse(clean.unit, int(clean.unit.max()) + 1, weight, weight)[1][clean.unit]
    return total / seen**2, 1.0 / seen


def _patterns(x: Floats, stratum: Ints) -> tuple[Ints, Ints] | None:
    """Find the distinct (stratum, covariates); None where that would not make rows fewer.

    Returns one row of each pattern, (n,), in the order of strata, and the pattern of each row,
    (N,).
    """
    key, largest = stratum, int(stratum.max()) + 1
    for column in x.T[1:]:
        values = _few_values(column)
        if values is None:
            return None
        largest *= values.size
        if largest >= 2**63:  # number the patterns so far anew, before the key overflows
            labels, key = distinct(key)
            largest = labels.size * values.size
        key = key * values.size + np.searchsorted(values, column)
    labels, code = distinct(key)
    if 2 * labels.size > key.size:
        return None
    rows = np.empty(labels.size, dtype=np.int64)
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
