"""Weights of cohorts: every unit counts once, with the mean of its weights."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.kernels import sums as kernels
from didjack.sums.rows import RowArrays


def of_units(unit: Ints, weight: Floats) -> tuple[Floats, Floats]:
    """Share the mean weight of each unit, and the unit itself, out to its rows.

    Parameters
    ----------
    unit, weight : (N,)

    Returns
    -------
    weight, and number of units : (N,) each
    """
    seen = np.bincount(unit)[unit]
    total = kernels.collapse(unit, int(unit.max()) + 1, weight, weight)[1][unit]
    return total / seen**2, 1.0 / seen


def of_first_periods(rows: RowArrays, n_periods: int) -> Floats:
    """Add up the weight of each cohort by cluster, (H, C), over the rows of the first periods.

    Parameters
    ----------
    rows : RowArrays of pooled rows, each of one unit
    """
    period = np.repeat(rows.strata.period, rows.strata.sizes)
    at = np.flatnonzero(period < n_periods)
    own = rows.w[period[at], at] if len(rows.w) > 1 else rows.w[0, at]
    weight, units = of_units(rows.unit[at], own)
    shape = rows.layout.n_clusters, rows.layout.cohorts.size
    key = rows.strata.cluster_of_rows[at] * shape[1] + rows.strata.cohort_of_rows[at]
    # Rows that are alike in all else may be so in any order: units seen in other periods than
    # these have shares of their own.
    return kernels.collapse(key, shape[0] * shape[1], weight, units)[1].reshape(shape)
