"""Clean columns -> the arrays that the estimators work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from didjack.columns import NEVER, Bools, Floats, Ints, TimeAxis
from didjack.validate import CleanData

ALL_PERIODS = -1
"""Period code of the strata of a balanced panel, whose rows are units."""


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

    def select(self, cohorts: tuple[int, ...], period: int) -> Ints:
        """Return the positions of the strata of some cohorts in a period, ordered by cluster."""
        chosen = np.flatnonzero(np.isin(self.cohort, cohorts) & (self.period == period))
        return chosen[np.argsort(self.cluster[chosen], kind="stable")]


class Arm(NamedTuple):
    """Rows and covariates that one side of a comparison reads.

    `slot` says which covariates and weights, `period` which strata (`ALL_PERIODS` on a balanced
    panel).
    """

    slot: int
    period: int


@dataclass(frozen=True, slots=True)
class Design:
    """The sample as arrays; nothing in it is a view of the user's data.

    A row is a unit on a balanced panel (`panel` is True; O = T outcomes, measured from the
    unit's first period) and a unit-period otherwise (O = 1, measured from the sample mean).
    Differences of outcomes do not depend on what they are measured from; their digits do.

    Attributes
    ----------
    panel : whether rows are units of a balanced panel
    y : (n, O) outcomes
    x : (Q, n, k) covariates, intercept first, others standardised; Q = T if they vary over
        time on a balanced panel, else 1
    w : (Q, n) weights; Q likewise
    strata : Strata
    unit : (n,) unit of each row
    cohorts : (C,) first treated periods, sorted, `NEVER` last
    periods : (T,)
    share_weight : (n,) what each row adds to the weight of its cohort, the p_g before scaling
    share : (H, C) weight of each cohort by cluster
    n_units : (H, C) number of units by cluster and cohort
    n_obs : number of rows of the user's sample
    horizon : last period by which a cohort counts as treated in the sample at all
    x_names : names of the k columns
    axis, cluster_labels : how to write periods and clusters
    """

    panel: bool
    y: Floats
    x: Floats
    w: Floats
    strata: Strata
    unit: Ints
    cohorts: Ints
    periods: Ints
    share_weight: Floats
    share: Floats
    n_units: Ints
    n_obs: int
    horizon: int
    x_names: tuple[str, ...]
    axis: TimeAxis
    cluster_labels: pd.Index

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.cluster_labels)

    @property
    def treated_cohorts(self) -> Ints:
        """Positions of the cohorts that are treated."""
        return np.flatnonzero(self.cohorts != NEVER)

    @property
    def treated_clusters(self) -> Bools:
        """(H,) whether a cluster has treated units."""
        return np.asarray((self.n_units[:, self.cohorts != NEVER] > 0).any(axis=1))

    def outcome(self, time: int) -> int:
        """Return the column of `y` that holds the outcome of a period."""
        return time if self.panel else 0

    @property
    def varies(self) -> bool:
        """Whether covariates or weights vary over time within the rows."""
        return max(len(self.x), len(self.w)) > 1

    def x_at(self, slot: int) -> Floats:
        """Return the covariates (n, k) of a slot."""
        return np.asarray(self.x[slot if len(self.x) > 1 else 0])

    def w_at(self, slot: int) -> Floats:
        """Return the weights (n,) of a slot."""
        return np.asarray(self.w[slot if len(self.w) > 1 else 0])

    def arms(self, base: int, time: int) -> tuple[Arm, ...]:
        """Return what a comparison of two periods reads.

        One arm on a balanced panel, where the units are the same in both periods and covariates
        and weights are those of the earlier one; otherwise the rows of `time`, then of `base`.
        """
        if self.panel:
            return (Arm(min(base, time) if self.varies else 0, ALL_PERIODS),)
        return (Arm(0, time), Arm(0, base))


def build_design(clean: CleanData) -> Design:
    """Arrange the clean sample by cohort, period and cluster.

    Rows are ordered by the sorted labels, never by their order in the user's table, so that sums
    have the same digits whatever that order was.
    """
    cohorts, cohort = np.unique(clean.cohort, return_inverse=True)
    return _panel(clean, cohorts, cohort) if not clean.pooled else _pooled(clean, cohorts, cohort)


def _panel(clean: CleanData, cohorts: Ints, cohort: Ints) -> Design:
    n_periods = clean.periods.size
    n = clean.y.size // n_periods
    row = np.empty(n * n_periods, dtype=np.int64)
    row[clean.unit * n_periods + clean.period] = np.arange(clean.y.size)
    row = row.reshape(n, n_periods)
    first = row[:, 0]
    unit = np.lexsort((clean.cluster[first], cohort[first]))
    row, first = row[unit], first[unit]
    y = clean.y[row]
    y -= y[:, :1].copy()
    w = np.ones((1, n)) if clean.weight is None else _by_slot(clean.weight, row)
    x = np.ones((1, n, 1)) if clean.x is None else _by_slot(_standardise(clean.x), row)
    strata = _strata(cohort[first], np.full(n, ALL_PERIODS), clean.cluster[first])
    share, n_units = _shares(
        clean, cohort[first], clean.cluster[first], w[0], np.ones(n), cohorts.size
    )
    return Design(
        panel=True,
        y=y,
        x=x,
        w=w,
        strata=strata,
        unit=unit,
        cohorts=cohorts,
        periods=clean.periods,
        share_weight=w[0],
        share=share,
        n_units=n_units,
        n_obs=clean.y.size,
        horizon=clean.horizon,
        x_names=tuple(clean.x_names),
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
    )


def _pooled(clean: CleanData, cohorts: Ints, cohort: Ints) -> Design:
    keys = (clean.unit, clean.cluster, clean.period, cohort)
    order = np.lexsort(keys)
    cluster, unit = clean.cluster[order], clean.unit[order]
    cohort = cohort[order]
    weight = np.ones(order.size) if clean.weight is None else clean.weight[order]
    x = np.ones((order.size, 1)) if clean.x is None else _standardise(clean.x)[order]
    y = clean.y[order]
    times_seen = np.bincount(unit)[unit]
    share_weight = np.bincount(unit, weights=weight)[unit] / times_seen**2
    share, n_units = _shares(clean, cohort, cluster, share_weight, 1.0 / times_seen, cohorts.size)
    return Design(
        panel=False,
        y=(y - y.mean())[:, None],
        x=x[None],
        w=weight[None],
        strata=_strata(cohort, clean.period[order], cluster),
        unit=unit,
        cohorts=cohorts,
        periods=clean.periods,
        share_weight=share_weight,
        share=share,
        n_units=n_units,
        n_obs=clean.y.size,
        horizon=clean.horizon,
        x_names=tuple(clean.x_names),
        axis=clean.axis,
        cluster_labels=clean.cluster_labels,
    )


def _by_slot(values: Floats, row: Ints) -> Floats:
    """Arrange a column (N,) or (N, k) as (Q, n) or (Q, n, k); Q = 1 if constant within units."""
    by_period = values[row.T]
    constant = bool((by_period[1:] == by_period[:1]).all())
    return np.ascontiguousarray(by_period[:1] if constant else by_period)


def _standardise(x: Floats) -> Floats:
    """Centre and scale all columns but the intercept.

    Estimates do not depend on it, as there is an intercept; their accuracy does.
    """
    centre, spread = x.mean(axis=0), x.std(axis=0)
    centre[0], spread[0] = 0.0, 1.0
    constant = spread <= 1e-14 * np.abs(centre)
    spread[constant] = 1.0
    centre[constant] = 0.0
    return np.asarray((x - centre) / spread)


def _strata(cohort: Ints, period: Ints, cluster: Ints) -> Strata:
    """Find the runs of equal (cohort, period, cluster) in sorted rows."""
    change = (np.diff(cohort) != 0) | (np.diff(period) != 0) | (np.diff(cluster) != 0)
    start = np.concatenate(([0], np.flatnonzero(change) + 1, [cohort.size]))
    head = start[:-1]
    return Strata(start, cohort[head], period[head], cluster[head])


def _shares(
    clean: CleanData,
    cohort: Ints,
    cluster: Ints,
    weight: Floats,
    units: Floats,
    n_cohorts: int,
) -> tuple[Floats, Ints]:
    """Add up weights and units of rows by cluster and cohort, both (H, C)."""
    shape = (len(clean.cluster_labels), n_cohorts)
    key, size = cluster * n_cohorts + cohort, shape[0] * shape[1]
    share = np.bincount(key, weights=weight, minlength=size).reshape(shape)
    counts = np.bincount(key, weights=units, minlength=size).reshape(shape)
    return share, np.rint(counts).astype(np.int64)
