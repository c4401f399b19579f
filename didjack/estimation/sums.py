"""The seam between data and statistics: sums by replicate, and never a row.

What stands before it, engine and inference, asks for sums over the rows of some cohorts in an arm.
Row 0 of every result is the full sample, row 1 + h is the sample without cluster h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from didjack._typing import Floats, Ints
from didjack.data.balance import clusters_to_balance, may_balance, without_cluster
from didjack.data.sample import CleanData
from didjack.errors import DataError
from didjack.estimation.arrange import of_first_periods, panel_rows, pooled_rows
from didjack.estimation.layout import Arm, Classes, Layout
from didjack.estimation.passes import LogitPasses, Tally
from didjack.estimation.rows import (
    Deletion,
    RowArrays,
    Strata,
    StratumSums,
    deleted_sums,
    relabelled_rows,
    relabelled_sample,
    treatment_rows,
    treatment_sample,
)
from didjack.memo import Memo
from didjack.options import EstimationOptions


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over the rows of some cohorts in one arm, by replicate.

    Attributes
    ----------
    gram : (R, k, k) sum of w x x'
    cross : (R, O, k) sum of w x y
    """

    gram: Floats
    cross: Floats

    @property
    def weight(self) -> Floats:
        """(R,) sum of w."""
        return self.gram[:, 0, 0]

    @property
    def x(self) -> Floats:
        """(R, k) sum of w x."""
        return self.gram[:, 0, :]

    @property
    def y(self) -> Floats:
        """(R, O) sum of w y."""
        return self.cross[:, :, 0]


class Presence(NamedTuple):
    """Where a sample has rows, by cohort and period.

    Attributes
    ----------
    clusters : (C, T) number of clusters with rows
    some : (C, T) one of these clusters
    """

    clusters: Ints
    some: Ints

    @classmethod
    def from_strata(cls, strata: Strata, layout: Layout, cohort: Ints) -> Presence:
        """Count the clusters of strata, which are of some cohorts, (S,)."""
        shape = (layout.cohorts.size, layout.periods.size)
        count, some = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        row, column, cluster = cohort, strata.period, strata.cluster
        if layout.panel:
            row, column, cluster = row[:, None], np.arange(shape[1]), cluster[:, None]
        np.add.at(count, (row, column), 1)
        some[row, column] = cluster
        return cls(count, some)


class ClusterSums(NamedTuple):
    """Sums over the rows of each cluster and cohort in an arm, of single rows.

    Attributes
    ----------
    weight : (H, C) sum of w
    square : (H, C) sum of w^2
    cross : (H, C, o) sum of w y of some outcomes, measured from anything that the rows of all
        periods have in common (where weights are constant over time: those of the unit)
    """

    weight: Floats
    square: Floats
    cross: Floats


class Spans(NamedTuple):
    """First and last period that replicates keep, (R,) each, on the integer axis."""

    first: Ints
    last: Ints


def arrange(clean: CleanData, options: EstimationOptions, collapse: bool = True) -> RowArrays:
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
        return panel_rows(clean, options)
    return pooled_rows(clean, options, collapse)


KEPT_BY_ARM = 2
"""So many `Sums` are kept for each arm of a comparison: those of treated and of control rows.
Where clusters are units, each of them is as large as the columns of the sample."""
KEPT_WEIGHTS = 64
KEPT_NUMBERS = 2**20
"""So many sums of weights are kept, which have one number a replicate: as many as have no more
numbers than this in all, and a few where clusters are units."""


class SumSource:
    """Sums over the rows of a sample, in all replicates; those asked for again soon are kept.

    Attributes
    ----------
    rows : RowArrays
    origin : the clean sample and the options, where the rows stand for several or a replicate
        needs them; otherwise None
    n_deleted : H, or 0 for the full sample alone
    by_stratum : StratumSums of its rows
    logits : passes over the rows of propensity models

    Parameters
    ----------
    by_stratum : of the same rows in other cohorts; None: its own, given back with the source
    """

    def __init__(
        self,
        rows: RowArrays,
        origin: tuple[CleanData, EstimationOptions] | None = None,
        jackknife: bool = True,
        by_stratum: StratumSums | None = None,
    ) -> None:
        self.rows = rows
        self.origin = origin
        self.n_deleted = rows.layout.n_clusters if jackknife else 0
        self._deletion = Deletion(rows, self.n_deleted)
        self.logits = LogitPasses(self._deletion)
        self._shared = by_stratum
        self.by_stratum = by_stratum or StratumSums(self._deletion)
        self._sums = Memo(most=KEPT_BY_ARM * (1 if rows.layout.panel else 2))
        self._weights = Memo(most=max(KEPT_WEIGHTS, KEPT_NUMBERS // (1 + self.n_deleted)))
        self._counts = Memo()

    @classmethod
    def from_sample(
        cls, clean: CleanData, options: EstimationOptions, collapse: bool = True
    ) -> SumSource:
        """Arrange a clean sample."""
        rows = arrange(clean, options, collapse)
        needed = rows.unit.size == 0 or may_balance(clean)
        return cls(rows, (clean, options) if needed else None, jackknife=False)

    @property
    def layout(self) -> Layout:
        """Cohorts, periods, clusters and their labels."""
        return self.rows.layout

    @property
    def arranged_again(self) -> bool:
        """Whether rows may be arranged again for a replicate or for single units."""
        return self.origin is not None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, and of outcomes."""
        n_rows, n_outcomes = self.rows.y.shape
        return n_rows, n_outcomes

    def replicated(self, jackknife: bool) -> SumSource:
        """Return the source with R = 1 + H replicates, or with the full sample alone."""
        return SumSource(self.rows, self.origin, jackknife, self._shared)

    def relabelled(self, cohort: Ints) -> SumSource:
        """Return the sample with its clusters, each in one cohort, in other ones.

        What all of these have in common is kept as long as this source is.

        Parameters
        ----------
        cohort : (H,) positions in the layout's cohorts; any for clusters without units
        """
        rows, origin = relabelled_rows(self.rows, cohort), None
        if self.origin is not None:
            clean, options = self.origin
            origin = relabelled_sample(clean, self.layout, cohort), options
        return SumSource(rows, origin, self.n_deleted > 0, self.by_stratum)

    def of_treatment(self) -> SumSource:
        """Return the sample with another outcome: 1 in a treated unit's period, otherwise 0."""
        origin = None
        if self.origin is not None:
            origin = treatment_sample(self.origin[0]), self.origin[1]
        return SumSource(treatment_rows(self.rows), origin, self.n_deleted > 0)

    def presence(self, cohort: Ints | None = None) -> Presence:
        """Count the clusters with rows by cohort and period, and name one of them.

        Parameters
        ----------
        cohort : (H,) other cohorts of the clusters
        """
        strata = self.rows.strata
        cohorts = strata.cohort if cohort is None else cohort[strata.cluster]
        return Presence.from_strata(strata, self.layout, cohorts)

    def shares(self, n_periods: int) -> Floats:
        """Return the weight of each cohort over the rows of the first periods, (R, C).

        A unit counts once, with the mean weight of these rows; on a balanced panel, with the
        weight of the first period.
        """
        layout, clusters = self.layout, np.arange(self.layout.n_clusters)
        share = layout.share
        steady = layout.panel or layout.balanced
        if not steady and n_periods < layout.periods.size:
            share = of_first_periods(self._rows_of_units(), n_periods)
        return deleted_sums(share, clusters, clusters, self.n_deleted)

    def _rows_of_units(self) -> RowArrays:
        """Return rows of one unit each."""
        if self.rows.unit.size == 0 and self.origin is not None:
            return arrange(*self.origin, collapse=False)
        return self.rows

    def sums(self, cohorts: Classes, arm: Arm) -> Sums:
        """Return the sums over the rows of some cohorts in an arm."""
        return self._sums.get((cohorts, arm), partial(self._add_up, cohorts, arm))

    def _add_up(self, cohorts: Classes, arm: Arm) -> Sums:
        _, cross = self.by_stratum.products(arm)
        return Sums(self.gram(cohorts, arm), self._deleted(cross, cohorts, arm))

    def _deleted(self, values: Floats, cohorts: Classes, arm: Arm) -> Floats:
        """Add up the strata of some cohorts in an arm, (S, ...) -> (R, ...)."""
        return self._deletion.deleted(values, self._deletion.select(cohorts, arm.period))

    def gram(self, cohorts: Classes, arm: Arm) -> Floats:
        """Return the sum of w x x' alone, (R, k, k)."""
        if self.layout.k == 1:
            return self.weights(cohorts, arm)[:, None, None]
        gram, _ = self.by_stratum.products(arm)
        return self._deleted(gram, cohorts, arm)

    def cross(self, cohorts: Classes, arm: Arm, outcomes: Ints) -> Floats:
        """Return the sum of w x y of some outcomes alone, (R, o, k)."""
        if (cohorts, arm) in self._sums:
            return self.sums(cohorts, arm).cross[:, outcomes]
        _, cross = self.by_stratum.products(arm)
        return self._deleted(cross[:, outcomes], cohorts, arm)

    def weights(self, cohorts: Classes, arm: Arm) -> Floats:
        """Return the weight of the rows of some cohorts in an arm, (R,), as in their `sums`."""
        return self._weights.get((cohorts, arm), partial(self._weigh, cohorts, arm))

    def _weigh(self, cohorts: Classes, arm: Arm) -> Floats:
        gram, _ = self.by_stratum.products(arm)
        return self._deleted(gram[:, :1, 0], cohorts, arm)[:, 0]

    def counts(self, cohorts: Classes, arm: Arm) -> Ints:
        """Return the number of units (unit-periods) of some cohorts in an arm, (R,)."""
        return self._counts.get((cohorts, arm), partial(self._count, cohorts, arm))

    def _count(self, cohorts: Classes, arm: Arm) -> Ints:
        total = self._deleted(self.by_stratum.counts(arm), cohorts, arm)[:, 0]
        return np.rint(total).astype(np.int64)

    def size(self, classes: Classes, arms: tuple[Arm, ...]) -> Floats:
        """Return the weight of some classes, (R,).

        On a balanced panel that of their units in the first period, otherwise that of their rows
        in some arms.
        """
        if not self.layout.panel:
            return np.asarray(np.sum([self.weights(classes, arm) for arm in arms], axis=0))
        share = np.ascontiguousarray(self.layout.share[:, classes].sum(axis=1, keepdims=True))
        clusters = np.arange(self.layout.n_clusters)
        return np.asarray(deleted_sums(share, clusters, clusters, self.n_deleted)[:, 0])

    def by_cluster(self, arm: Arm, outcomes: Ints) -> ClusterSums:
        """Return sums of weights, and of some outcomes, by cluster and cohort."""
        strata = self.rows.strata
        there = np.flatnonzero(strata.period == arm.period)
        sums = self._deletion.moments(arm.w, outcomes, there)
        table = np.zeros((self.layout.n_clusters, self.layout.cohorts.size, sums.shape[1]))
        table[strata.cluster[there], strata.cohort[there]] = sums
        return ClusterSums(table[..., 0], table[..., 1], table[..., 2:])

    def balanced_without(self, spans: Spans) -> Iterator[tuple[int, SumSource]]:
        """Yield clusters of an unbalanced panel without which it is balanced, and the rest.

        The rest, of the rows that a replicate keeps, is a source of its own, of a balanced panel
        without replicates.
        """
        if self.origin is None or not may_balance(self.origin[0]):
            return
        clean, options = self.origin
        pooled = options.fix_weights == "varying"
        for cluster, kept in clusters_to_balance(clean, spans, options.anticipation):
            rest = arrange(without_cluster(clean, cluster, kept, pooled), options)
            yield cluster, SumSource(rest, jackknife=False)

    def influence(self, by_unit: bool) -> InfluenceSource:
        """Return the sums that influence functions are made of, by unit or by cluster.

        Raises
        ------
        DataError
            Rows stand for several units, and always did.
        """
        if by_unit and not self.layout.of_units:
            raise DataError(
                "unit-level analytic standard errors need rows, which a lazy table does not give; "
                "name clusters, cluster=..., or use csdid(..., collect=True)"
            )
        rows = self._rows_of_units() if by_unit else self.rows
        codes = rows.unit if by_unit else rows.strata.cluster_of_rows
        return InfluenceSource(SumSource(rows, jackknife=False), rows, codes)


class InfluenceSource:
    """Sums of the full sample, R = 1, and by unit or cluster, whichever are independent.

    Attributes
    ----------
    sums : source of the full sample's sums
    rows : RowArrays
    codes : (n,) what each row is summed to: its unit or its cluster
    n_independent : number of units or clusters, G
    """

    def __init__(self, sums: SumSource, rows: RowArrays, codes: Ints) -> None:
        self.sums, self.rows, self.codes = sums, rows, codes
        self.n_independent = int(codes.max()) + 1

    def tally(self) -> Tally:
        """Begin with no influence."""
        return Tally(self.rows, self.codes, self.n_independent)

    def by_cohort(self) -> Floats:
        """Add up the weights of cohort shares, (G, C)."""
        shape = (self.n_independent, self.rows.layout.cohorts.size)
        key = self.codes * shape[1] + self.rows.strata.cohort_of_rows
        flat = np.bincount(key, weights=self.rows.share_weight, minlength=shape[0] * shape[1])
        return np.asarray(flat, dtype=np.float64).reshape(shape)

    def size(self, classes: Classes, arms: tuple[Arm, ...]) -> Floats:
        """Add up the weights of some classes, (G,), as `SumSource.size` does."""
        if self.rows.layout.panel:
            return np.asarray(self.by_cohort()[:, classes].sum(axis=1))
        return np.asarray(np.sum([self.treated(c, arms) for c in classes], axis=0))

    def treated(self, cohort: int, arms: tuple[Arm, ...]) -> Floats:
        """Add up the weights of the rows of a cohort in some arms, (G,)."""
        total = np.zeros(self.n_independent)
        for arm in arms:
            rows = self.rows.strata.rows_of(self.rows.strata.select((cohort,), arm.period))
            weight = self.rows.w[arm.w][rows]
            total += np.bincount(self.codes[rows], weights=weight, minlength=self.n_independent)
        return total
