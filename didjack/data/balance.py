"""Replicates of an unbalanced panel that are balanced ones.

Where the units that miss a period all lie in one cluster, or miss periods that a replicate drops
anyway, the sample without this cluster is a balanced panel, to which the estimators of balanced
panels apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from didjack._typing import NEVER, Bools, Ints
from didjack.data.labels import distinct
from didjack.data.sample import CleanData


def times_observed(unit: Ints, period: Ints, single: bool) -> Ints:
    """Return in how many periods the unit of each row is seen, (N,).

    Parameters
    ----------
    unit, period : (N,)
    single : whether each row is one of a unit, with no other row in its period; otherwise it
        stands for units seen in the same periods, and there may be others of the same type
    """
    if single:
        return np.bincount(unit)[unit]
    n_periods = int(period.max()) + 1
    of_pair, _ = distinct(unit * n_periods + period)
    return np.bincount(of_pair // n_periods)[unit]


def may_balance(clean: CleanData) -> bool:
    """Whether there may be a cluster without which an unbalanced panel is balanced.

    Either it holds all units with gaps, or the sample without it has other periods: it alone has
    rows in one of them, or it alone has never-treated units, so that the last periods are dropped.
    """
    if not clean.pooled or not clean.panel:
        return False
    everything = np.ones(clean.y.size, dtype=bool)
    never = np.unique(clean.cluster[clean.cohort == NEVER])
    return bool(never.size < 2 or _gappy(clean, everything).size == 1 or _sole(clean, everything))


def clusters_to_balance(
    clean: CleanData, spans: Sequence[Ints], anticipation: int
) -> Iterator[tuple[int, Bools]]:
    """Yield the clusters without which an unbalanced panel is balanced, and the rows left, (N,).

    Parameters
    ----------
    spans : first and last period, (R,) each, of the R = 1 + H replicates
    """
    own = np.column_stack(spans)[1:]
    period = clean.periods[clean.period]
    for first, last in np.unique(own, axis=0).tolist():
        kept = (period <= last) & (clean.cohort > first + anticipation)
        replicates = np.flatnonzero((own == (first, last)).all(axis=1))
        sole, gappy = _sole(clean, kept), set(_gappy(clean, kept).tolist())
        for cluster in replicates.tolist():
            if cluster in sole or gappy <= {cluster}:
                rest = kept & (clean.cluster != cluster)
                if rest.any() and not _gappy(clean, rest).size:
                    yield cluster, rest


def is_balanced(clean: CleanData) -> bool:
    """Whether all units of a panel are seen in all of its periods."""
    return not _gappy(clean, np.ones(clean.y.size, dtype=bool)).size


def _gappy(clean: CleanData, rows: Bools) -> Ints:
    """Return the clusters of units that miss some period of the rows."""
    period = clean.period[rows]
    times = times_observed(clean.unit[rows], period, single=clean.count is None)
    return np.unique(clean.cluster[rows][times < np.unique(period).size])


def _sole(clean: CleanData, rows: Bools) -> set[int]:
    """Return the clusters that alone have some of the rows of a period."""
    observed = np.zeros((len(clean.cluster_labels), clean.periods.size), dtype=bool)
    observed[clean.cluster[rows], clean.period[rows]] = True
    return set(np.flatnonzero(observed[:, observed.sum(axis=0) == 1].any(axis=1)).tolist())


def without_cluster(clean: CleanData, cluster: int, rows: Bools, pooled: bool) -> CleanData:
    """Take the rows that are left without a cluster, which are a balanced panel.

    Parameters
    ----------
    pooled : whether its periods are compared as repeated cross sections
    """
    last = int(clean.periods[clean.period[clean.cluster != cluster].max()])
    horizon = clean.horizon if last == clean.periods[-1] else last
    return replace(clean.take(rows), horizon=horizon, pooled=pooled)
