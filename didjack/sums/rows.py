"""The rows of a sample as arrays, in strata."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats, Ints
from didjack.sums.layout import Arm, Cohorts, Layout


@dataclass(frozen=True, slots=True)
class Strata:
    """Runs of rows that belong to one cohort, period and cluster, in that order.

    Attributes
    ----------
    start : (S+1,) stratum s is rows start[s]:start[s+1]
    cohort : (S,) position in `Layout.cohorts`
    period : (S,) position in `Layout.periods`; `ALL_PERIODS` on a balanced panel
    cluster : (S,) cluster code
    """

    start: Ints
    cohort: Ints
    period: Ints
    cluster: Ints

    @classmethod
    def of(cls, key: Ints, n_periods: int, n_clusters: int) -> Strata:
        """Find the runs of equal keys, (cohort * n_periods + period) * n_clusters + cluster.

        Parameters
        ----------
        key : (n,) sorted
        """
        start = np.concatenate(([0], np.flatnonzero(key[1:] != key[:-1]) + 1, [key.size]))
        rest, cluster = np.divmod(key[start[:-1]], n_clusters)
        cohort, period = np.divmod(rest, n_periods)
        return cls(start, cohort, period, cluster)

    def select(self, cohorts: Cohorts, period: int) -> Ints:
        """Return the positions of the strata of some cohorts in a period, ordered by cluster."""
        own = self.cohort == cohorts[0] if len(cohorts) == 1 else np.isin(self.cohort, cohorts)
        chosen = np.flatnonzero(own & (self.period == period))
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
