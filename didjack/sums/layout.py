"""The arrays that the estimators work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.intake.time_axis import TimeAxis

ALL_PERIODS = 0
"""The one period code of the strata of a balanced panel, whose rows are units."""


@dataclass(frozen=True, slots=True)
class Strata:
    """Runs of rows that belong to one cohort, period and cluster, in that order.

    Attributes
    ----------
    start : (S+1,) stratum s is rows start[s]:start[s+1]
    cohort : (S,) position in `Design.cohorts`
    period : (S,) position in `Design.periods`; `ALL_PERIODS` on a balanced panel
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

    def select(self, cohorts: tuple[int, ...], period: int) -> Ints:
        """Return the positions of the strata of some cohorts in a period, ordered by cluster."""
        chosen = np.flatnonzero(np.isin(self.cohort, cohorts) & (self.period == period))
        return chosen[np.argsort(self.cluster[chosen], kind="stable")]

    @property
    def cluster_of_rows(self) -> Ints:
        """(n,) cluster of each row."""
        return np.repeat(self.cluster, np.diff(self.start))

    def by_cluster(self, values: Floats, n_clusters: int, n_cohorts: int) -> Floats:
        """Add up the values of rows, (n,), by cluster and cohort, (n_clusters, n_cohorts)."""
        key = self.cluster * n_cohorts + self.cohort
        sums = np.add.reduceat(values, self.start[:-1])
        total = np.bincount(key, weights=sums, minlength=n_clusters * n_cohorts)
        return total.astype(np.float64, copy=False).reshape(n_clusters, n_cohorts)


class Arm(NamedTuple):
    """Rows, covariates and weights that one side of a comparison reads.

    `x` and `w` say which slot of covariates and of weights, `period` which strata (`ALL_PERIODS`
    on a balanced panel).
    """

    x: int
    w: int
    period: int


@dataclass(frozen=True, slots=True)
class Design:
    """The sample as arrays; nothing in it is a view of the user's data.

    A row is a unit on a balanced panel (`panel` is True; O = T outcomes, measured from the
    unit's first period). Otherwise it is a unit-period, or all those with the same cohort,
    period, cluster and covariates (O = 1, measured from the sample mean): their weights are
    added up and their outcomes averaged, which leaves every sum as it is. Differences of outcomes
    do not depend on what they are measured from; their digits do.

    Attributes
    ----------
    panel : whether rows are units of a balanced panel
    y : (n, O) outcomes
    x : (Q, n, k) covariates, intercept first, others standardised; Q = T if they vary over
        time on a balanced panel, else 1
    w : (Q', n) weights; Q' = T if they depend on the cell, else 1
    weights_of_base : whether a cell takes the weights of its base period
    count : (1 or Q', n) number of unit-periods (on a balanced panel: units) that a row stands
        for; zero where a row does not take part
    binary : (k,) which covariates have two values in the sample
    strata : Strata
    unit : (n,) unit of each row; empty where rows stand for several
    cohorts : (C,) first treated periods, sorted, `NEVER` last
    periods : (T,)
    share_weight : (n,) what each row adds to the weight of its cohort, the p_g before scaling
    share : (H, C) weight of each cohort by cluster
    n_units : (H, C) number of units by cluster and cohort
    n_rows : (H,) number of rows of the sample by cluster
    horizon : last period by which a cohort counts as treated in the sample at all
    x_names : names of the k columns
    axis, cluster_labels : how to write periods and clusters
    """

    panel: bool
    y: Floats
    x: Floats
    w: Floats
    weights_of_base: bool
    count: Floats
    binary: Bools
    strata: Strata
    unit: Ints
    cohorts: Ints
    periods: Ints
    share_weight: Floats
    share: Floats
    n_units: Ints
    n_rows: Ints
    horizon: int
    x_names: tuple[str, ...]
    axis: TimeAxis
    cluster_labels: pd.Index

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.cluster_labels)

    @property
    def n_obs(self) -> int:
        """Number of rows of the sample."""
        return int(self.n_rows.sum())

    @property
    def treated_clusters(self) -> Bools:
        """(H,) whether a cluster has treated units."""
        return np.asarray((self.n_units[:, self.cohorts != NEVER] > 0).any(axis=1))

    def count_at(self, arm: Arm) -> Floats:
        """Return the (n,) counts of an arm."""
        return np.asarray(self.count[arm.w if len(self.count) > 1 else 0])

    def outcome(self, time: int) -> int:
        """Return the column of `y` that holds the outcome of a period."""
        return time if self.panel else 0

    def arms(self, base: int, time: int) -> tuple[Arm, ...]:
        """Return what a comparison of two periods reads.

        One arm on a balanced panel, where the units are the same in both periods and covariates
        and weights are those of the earlier one; otherwise the rows of `time`, then of `base`.
        """
        earlier = min(base, time)
        w = 0
        if len(self.w) > 1:
            w = base if self.weights_of_base else earlier
        if self.panel:
            return (Arm(earlier if len(self.x) > 1 else 0, w, ALL_PERIODS),)
        return (Arm(0, w, time), Arm(0, w, base))
