"""The rows of a sample as arrays, in strata of cohort, period and cluster.

No row moves: strata stay what they are, and are of another cohort.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data.labels import distinct
from didjack.data.sample import CleanData
from didjack.estimation.kernels import compiled, strata
from didjack.estimation.kernels import strata as kernels
from didjack.estimation.kernels.inputs import MomentRows, Rows
from didjack.estimation.layout import Arm, Classes, Layout
from didjack.memo import Memo

# ---- covariates ----------------------------------------------------------------------------------


def standardise(x: Floats) -> Floats:
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


def binary_columns(x: Floats) -> Bools:
    """Return which columns of (Q, n, k) covariates have exactly two values, (k,)."""
    two = np.zeros(x.shape[2], dtype=bool)
    for a in range(1, x.shape[2]):
        column = np.ascontiguousarray(x[:, :, a])
        low, high = column.min(), column.max()
        few = np.isin(column.ravel()[:100], (low, high)).all()
        two[a] = low < high and few and ((column == low) | (column == high)).all()
    return two


# ---- collapse ------------------------------------------------------------------------------------

MOST_VALUES = 64
"""A covariate with more distinct values than this is not worth collapsing rows by."""


def patterns(x: Floats, stratum: Ints) -> tuple[Ints, Ints] | None:
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


def by_content(stratum: Ints, y: Floats, x: Floats, w: Floats) -> Ints:
    """Order rows by stratum, and within one by a hash of their contents.

    Rows that cannot be told apart may come in any order; all others have theirs, whatever their
    order in the table.
    """
    content = strata.hash_rows(y, x, np.ascontiguousarray(w))
    return np.lexsort((content, stratum))


# ---- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Strata:
    """Runs of rows that belong to one cohort, period and cluster, in that order.

    Attributes
    ----------
    start : (S+1,) stratum s is rows start[s]:start[s+1]
    cohort : (S,) position of the class in `Layout.cohorts`
    period : (S,) position in `Layout.periods`; `ALL_PERIODS` on a balanced panel
    cluster : (S,) cluster code
    """

    start: Ints
    cohort: Ints
    period: Ints
    cluster: Ints

    @classmethod
    def from_keys(cls, key: Ints, n_periods: int, n_clusters: int) -> Strata:
        """Find the runs of equal keys, (cohort * n_periods + period) * n_clusters + cluster.

        Parameters
        ----------
        key : (n,) sorted
        """
        start = np.concatenate(([0], np.flatnonzero(key[1:] != key[:-1]) + 1, [key.size]))
        rest, cluster = np.divmod(key[start[:-1]], n_clusters)
        cohort, period = np.divmod(rest, n_periods)
        return cls(start, cohort, period, cluster)

    def select(self, cohorts: Classes, period: int) -> Ints:
        """Return the positions of the strata of some cohorts in a period, ordered by cluster."""
        return self._by_cluster(self.among(cohorts, np.flatnonzero(self.period == period)))

    def of_period(self, period: int) -> Ints:
        """Return the positions of all strata of a period, ordered by cluster."""
        return self._by_cluster(np.flatnonzero(self.period == period))

    def among(self, cohorts: Classes, chosen: Ints) -> Ints:
        """Return those of some positions whose strata are of some cohorts, in the same order."""
        cohort = self.cohort[chosen]
        if len(cohorts) == 1:
            own: Bools = cohort == cohorts[0]
        else:
            mark = np.zeros(max(cohort.max(initial=0), *cohorts) + 1, dtype=bool)
            mark[list(cohorts)] = True
            own = mark[cohort]
        return chosen[own]

    def _by_cluster(self, chosen: Ints) -> Ints:
        return chosen[np.argsort(self.cluster[chosen], kind="stable")]

    @property
    def sizes(self) -> Ints:
        """(S,) number of rows of each stratum."""
        return np.diff(self.start)

    @property
    def cluster_of_rows(self) -> Ints:
        """(n,) cluster of each row."""
        return np.repeat(self.cluster, self.sizes)

    @property
    def cohort_of_rows(self) -> Ints:
        """(n,) position of each row's cohort."""
        return np.repeat(self.cohort, self.sizes)

    def rows_of(self, chosen: Ints) -> Ints:
        """Return the positions of the rows of some strata."""
        start = self.start
        none = np.empty(0, dtype=np.int64)  # of no strata there are no rows
        return np.concatenate([none, *(np.arange(start[s], start[s + 1]) for s in chosen)])

    def by_cluster(self, values: Floats, n_clusters: int, n_cohorts: int) -> Floats:
        """Add up the values of rows, (n,), by cluster and cohort, (n_clusters, n_cohorts)."""
        key = self.cluster * n_cohorts + self.cohort
        sums = np.add.reduceat(values, self.start[:-1])
        total = np.bincount(key, weights=sums, minlength=n_clusters * n_cohorts)
        return total.astype(np.float64, copy=False).reshape(n_clusters, n_cohorts)


@dataclass(frozen=True, slots=True)
class RowArrays:
    """The rows of a sample; nothing in them is a view of the user's data.

    A row is a unit on a balanced panel (O = T outcomes, measured from the unit's first period).
    Otherwise it is a unit-period, or all those with the same cohort, period, cluster and
    covariates (O = 1, measured from the sample mean): their weights are added up and their
    outcomes averaged, which leaves every sum as it is. Differences of outcomes do not depend on
    what they are measured from; their digits do.

    Attributes
    ----------
    layout : Layout
    y : (n, O) outcomes
    x : (Q, n, k) covariates, intercept first, others standardised; Q = T if they vary over
        time on a balanced panel, else 1
    w : (Q', n) weights; Q' = T if they depend on the cell, else 1. Where pooled rows have the
        weights of the first period, a second row has their own, which only shares are made of
    count : (1 or Q', n) number of unit-periods (on a balanced panel: units) that a row stands
        for; zero where a row does not take part
    strata : Strata
    unit : (n,) unit of each row; empty where rows stand for several
    share_weight : (n,) what each row adds to the weight of its cohort, the p_g before scaling
    level : (n,) what outcomes are measured from, less its median; empty where it does not matter,
        as weights are constant over time, or is the same for all
    square : (n,) sum of the squared weights of the unit-periods that a row stands for; empty where
        it stands for one
    """

    layout: Layout
    y: Floats
    x: Floats
    w: Floats
    count: Floats
    strata: Strata
    unit: Ints
    share_weight: Floats
    level: Floats
    square: Floats

    def count_at(self, arm: Arm) -> Floats:
        """Return the (n,) counts of an arm."""
        return np.asarray(self.count[arm.w if len(self.count) > 1 else 0])


# ---- relabel -------------------------------------------------------------------------------------


def relabelled_rows(rows: RowArrays, cohort: Ints) -> RowArrays:
    """Put clusters, each in one cohort, into other ones, (H,) positions of cohorts."""
    kinds, strata = rows.layout.kinds, rows.strata
    position = cohort[strata.cluster] * kinds + strata.cohort % kinds
    strata = replace(strata, cohort=position)
    return replace(rows, layout=rows.layout.relabelled(cohort), strata=strata)


def relabelled_sample(clean: CleanData, layout: Layout, cohort: Ints) -> CleanData:
    """Do the same to the sample that the rows were made of."""
    return replace(clean, cohort=layout.distinct_cohorts[cohort[clean.cluster]])


def treatment_rows(rows: RowArrays) -> RowArrays:
    """Make the indicator of treatment, t >= g and eligible, the outcome."""
    strata, periods, layout = rows.strata, rows.layout.periods, rows.layout
    first = np.where(layout.treated_classes, layout.cohorts, NEVER)
    cohort = first[strata.cohort][:, None]
    on = periods >= cohort if rows.layout.panel else periods[strata.period][:, None] >= cohort
    y = np.repeat(on.astype(np.float64), strata.sizes, axis=0)
    return replace(rows, y=y, level=np.empty(0))


def treatment_sample(clean: CleanData) -> CleanData:
    """Do the same to the sample that the rows were made of."""
    treated = clean.periods[clean.period] >= clean.cohort
    if clean.eligible is not None:
        treated &= clean.eligible
    return replace(clean, y=treated.astype(np.float64))


# ---- deletion ------------------------------------------------------------------------------------


KEPT_STRATA = 256
"""So many selections of strata are kept."""


def deleted_sums(values: Floats, chosen: Ints, cluster: Ints, n_clusters: int) -> Floats:
    """Return the sums of `kernels.strata.add_others`, (1 + n_clusters, m), of (S, m) values."""
    sums = np.empty((1 + n_clusters, values.shape[1]))
    kernels.add_others(values, chosen, cluster, sums, np.zeros(values.shape[1]))
    return sums


class Deletion:
    """Rows in strata, and the clusters that are deleted one at a time.

    Attributes
    ----------
    rows : RowArrays
    n_deleted : H, or 0 for the full sample alone
    """

    def __init__(self, rows: RowArrays, n_deleted: int) -> None:
        self.rows = rows
        self.n_deleted = n_deleted
        self._of_period = Memo()
        self._selected = Memo(most=KEPT_STRATA)

    def select(self, cohorts: Classes, period: int) -> Ints:
        """Return the strata of some cohorts in a period, ordered by cluster."""
        return self._selected.get((cohorts, period), partial(self._select, cohorts, period))

    def _select(self, cohorts: Classes, period: int) -> Ints:
        strata = self.rows.strata
        there = self._of_period.get(period, partial(strata.of_period, period))
        return strata.among(cohorts, there)

    def deleted(self, values: Floats, chosen: Ints) -> Floats:
        """Add up strata: (S, ...) -> (R, ...)."""
        flat = np.ascontiguousarray(values).reshape(len(values), -1)
        result = deleted_sums(flat, chosen, self.rows.strata.cluster, self.n_deleted)
        return np.asarray(result.reshape(-1, *values.shape[1:]))

    def by_stratum(self, values: Floats) -> Floats:
        """Add up (n,) values, (S, 1)."""
        return np.add.reduceat(values, self.rows.strata.start[:-1])[:, None]

    def products(self, x: Floats, w: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Sum w x x', (S, k, k), and w x y, (S, O, k), by stratum."""
        start, k = self.rows.strata.start, x.shape[1]
        n, n_out = start.size - 1, y.shape[1]
        if k == 1:  # the intercept: one kernel less to compile
            chosen, outcomes = np.arange(n), np.arange(n_out)
            columns = MomentRows(w, start, y, np.empty(0), np.empty(0))
            sums = _moments(columns, chosen, outcomes, float(x.size))
            return sums[:, :1, None].copy(), sums[:, 2:, None].copy()
        gram, cross = np.zeros((n, k, k)), np.zeros((n, n_out, k))
        work = x.size * (k + n_out)
        compiled.run(kernels.stratum_sums, n, work, Rows(x, w, start), y, gram, cross)
        return gram, cross

    def moments(self, slot: int, outcomes: Ints, chosen: Ints) -> Floats:
        """Sum w, w^2 and w y of single rows over some strata, (c, 2 + o)."""
        rows, strata = self.rows, self.rows.strata
        columns = MomentRows(rows.w[slot], strata.start, rows.y, rows.level, rows.square)
        return _moments(columns, chosen, outcomes, float(strata.sizes[chosen].sum()))


def _moments(columns: MomentRows, chosen: Ints, outcomes: Ints, n_rows: float) -> Floats:
    sums = np.zeros((chosen.size, 2 + outcomes.size))
    work = n_rows * sums.shape[1]
    compiled.run(kernels.moments, chosen.size, work, columns, outcomes, chosen, sums)
    return sums


# ---- stratum sums --------------------------------------------------------------------------------


class StratumSums:
    """Sums over the rows of each stratum.

    They do not depend on which cohort a cluster is in, so sources that differ in that share them.

    Attributes
    ----------
    deletion : Deletion of the rows that are summed
    """

    def __init__(self, deletion: Deletion) -> None:
        self.deletion = deletion
        self._memo = Memo()

    def products(self, arm: Arm) -> tuple[Floats, Floats]:
        """Sum w x x', (S, k, k), and w x y, (S, O, k)."""
        rows = self.deletion.rows
        make = partial(self.deletion.products, rows.x[arm.x], rows.w[arm.w], rows.y)
        return self._memo.get(("products", arm.x, arm.w), make)

    def counts(self, arm: Arm) -> Floats:
        """Count units (unit-periods), (S, 1)."""
        deletion = self.deletion
        make = partial(deletion.by_stratum, deletion.rows.count_at(arm))
        return self._memo.get(("counts", arm.w), make)
