"""Weights of cohorts: every unit counts once, with the mean of its weights."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.intake.labels import distinct
from didjack.kernels import sums as kernels
from didjack.sums.rows import RowArrays


def times_seen(unit: Ints, period: Ints, single: bool) -> Ints:
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
    seen = times_seen(unit, period, single=count is None)
    if count is not None:
        return weight / seen, count / seen
    total = kernels.collapse(unit, int(unit.max()) + 1, weight, weight)[1][unit]
    return total / seen**2, 1.0 / seen


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
