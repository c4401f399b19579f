"""What a sample looks like, without any of its rows: cohorts, periods, clusters and their names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data.time_axis import TimeAxis

ALL_PERIODS = 0
"""The one period code of the strata of a balanced panel, whose rows are units."""

Classes = tuple[int, ...]
"""Positions of some classes of rows in `Layout.cohorts`."""


class Arm(NamedTuple):
    """Rows, covariates and weights that one side of a comparison reads.

    `x` and `w` say which slot of covariates and of weights, `period` which strata (`ALL_PERIODS`
    on a balanced panel).
    """

    x: int
    w: int
    period: int


class Slots(NamedTuple):
    """How many sets of covariates and of weights there are: one, or one for each period."""

    x: int
    w: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Cohorts, periods, arms, covariates and labels of a sample.

    Attributes
    ----------
    panel : whether rows are units of a balanced panel, with one outcome a period
    cohorts : (C,) first treated period of each class of rows, sorted, `NEVER` last; a class is
        what comparisons are made of, and it is a cohort unless cohorts are divided further
    periods : (T,) sorted
    horizon : last period by which a cohort counts as treated in the sample at all
    slots : Slots
    x_names : names of the k columns of the covariate design, the intercept first
    binary : (k,) which covariates have two values in the sample
    share : (H, C) weight of each class by cluster, the p_g before scaling
    n_units : (H, C) number of units by cluster and class
    n_rows : (H,) number of rows of the sample by cluster
    axis, cluster_labels : how to write periods and clusters
    of_units : whether single units are known
    weighted : whether there are sampling weights
    balanced : whether pooled rows are those of a balanced panel, whose units have the weight of
        the first period in the p_g
    kinds : how many classes each cohort has: one, or two next to each other, those whom the
        treatment does not concern and then the eligible; any of them may have no rows
    """

    panel: bool
    cohorts: Ints
    periods: Ints
    horizon: int
    slots: Slots
    x_names: tuple[str, ...]
    binary: Bools
    share: Floats
    n_units: Ints
    n_rows: Ints
    axis: TimeAxis
    cluster_labels: pd.Index
    of_units: bool = True
    weighted: bool = False
    balanced: bool = False
    kinds: int = 1

    @property
    def k(self) -> int:
        """Number of columns of the covariate design, the intercept included."""
        return len(self.x_names)

    @property
    def n_clusters(self) -> int:
        """Number of clusters, H."""
        return len(self.cluster_labels)

    @property
    def n_obs(self) -> int:
        """Number of rows of the sample."""
        return int(self.n_rows.sum())

    @property
    def distinct_cohorts(self) -> Ints:
        """(G,) first treated period of each cohort, whatever its classes."""
        return self.cohorts[:: self.kinds]

    @property
    def treated_classes(self) -> Bools:
        """(C,) which classes are treated at some time: of two of a cohort, the eligible."""
        treated = np.arange(self.cohorts.size) % self.kinds == self.kinds - 1
        return np.asarray(treated & (self.cohorts != NEVER))

    @property
    def units_of_cohorts(self) -> Ints:
        """(H, G) number of units by cluster and cohort."""
        return np.asarray(self.n_units.reshape(self.n_clusters, -1, self.kinds).sum(axis=2))

    @property
    def treated_clusters(self) -> Bools:
        """(H,) whether a cluster has treated units."""
        return np.asarray((self.n_units[:, self.treated_classes] > 0).any(axis=1))

    @property
    def cohort_of_clusters(self) -> Ints:
        """(H,) position of the cohort of each cluster, the first of several; -1 without units."""
        some = self.units_of_cohorts > 0
        return np.where(some.any(axis=1), some.argmax(axis=1), -1)

    def relabelled(self, cohort: Ints) -> Layout:
        """Put clusters, each in one cohort, into other ones, (H,) positions of cohorts."""
        share, n_units = np.zeros_like(self.share), np.zeros_like(self.n_units)
        rows = np.arange(self.n_clusters)
        for kind in range(self.kinds):
            at = cohort * self.kinds + kind
            share[rows, at] = self.share[:, kind :: self.kinds].sum(axis=1)
            n_units[rows, at] = self.n_units[:, kind :: self.kinds].sum(axis=1)
        return replace(self, share=share, n_units=n_units)

    def outcome(self, time: int) -> int:
        """Return which outcome is that of a period."""
        return time if self.panel else 0

    def arms(self, base: int, time: int, weighed: int | None = None) -> tuple[Arm, ...]:
        """Return what a comparison of two periods reads.

        One arm on a balanced panel, where the units are the same in both periods; otherwise the
        rows of `time`, then of `base`. Where covariates and weights have a slot for each period,
        they are those of the earlier one, and weights those of `weighed` if it is given.
        """
        earlier = min(base, time)
        x = earlier if self.slots.x > 1 else 0
        w = 0
        if self.slots.w > 1:
            w = earlier if weighed is None else weighed
        if self.panel:
            return (Arm(x, w, ALL_PERIODS),)
        return (Arm(x, w, time), Arm(x, w, base))
