"""Sums by cluster, cohort and period -> the working variance of each cluster's shocks.

Shocks of cluster h have a variance in proportion to v(n_h) = a + b / n_h in every period: a for
what its rows share, b / n_h for the mean of what they do not. a and b are fitted to how untreated
rows move from one period to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats, Ints
from didjack.imports import load

LEAST_CLUSTERS = 3
"""Fewer clusters do not tell a common movement from that of one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class PeriodSums:
    """Sums over the rows of each cluster, cohort and period, (H, C, T) each.

    Attributes
    ----------
    weight : sum of w
    square : sum of w^2 over single rows (not over rows that stand for several)
    cross : sum of w y, with y measured from anything that is the same for all rows of a period
    cohorts : (C,) first treated periods, on the integer axis, larger than any period for never
    periods : (T,) periods, sorted
    """

    weight: Floats
    square: Floats
    cross: Floats
    cohorts: Ints
    periods: Ints


def effective_rows(sums: PeriodSums) -> Floats:
    """Return n_h, the mean over periods of (sum w)^2 / sum w^2, (H,); NaN without any row."""
    weight, square = sums.weight.sum(axis=1), sums.square.sum(axis=1)
    some = square > 0
    number = np.divide(weight**2, square, out=np.zeros(weight.shape), where=some)
    count = some.sum(axis=1)
    nothing = np.full(count.size, np.nan)
    mean: Floats = np.divide(number.sum(axis=1), count, out=nothing, where=count > 0)
    return mean


def squared_movements(sums: PeriodSums, anticipation: int) -> Floats:
    """Return r_h, the mean square of untreated rows' movements less the others', (H,).

    NaN for a cluster that is in no pair of adjacent periods.
    """
    total = np.zeros(len(sums.weight))
    count = np.zeros(len(sums.weight), dtype=np.int64)
    for before in range(sums.periods.size - 1):
        after = before + 1
        untreated = sums.cohorts > sums.periods[after] + anticipation
        weight = sums.weight[:, untreated].sum(axis=1)
        cross = sums.cross[:, untreated].sum(axis=1)
        both = np.flatnonzero((weight[:, before] > 0) & (weight[:, after] > 0))
        if both.size < LEAST_CLUSTERS:
            continue
        ends = [before, after]
        mean = cross[both][:, ends] / weight[both][:, ends]
        own = _less_others(mean[:, 1] - mean[:, 0], weight[both, after])
        total[both] += own**2
        count[both] += 1
    nothing = np.full(total.size, np.nan)
    movement: Floats = np.divide(total, count, out=nothing, where=count > 0)
    return movement


def _less_others(values: Floats, weight: Floats) -> Floats:
    """Return each value less the weighted mean of all others, (n,)."""
    others, sums = weight.sum() - weight, (weight * values).sum() - weight * values
    for at in np.flatnonzero(weight > others):  # what is left of such a difference is rounding
        rest = np.arange(weight.size) != at
        others[at], sums[at] = weight[rest].sum(), (weight * values)[rest].sum()
    return np.asarray(values - sums / others)


def working_variance(sums: PeriodSums, anticipation: int) -> Floats:
    """Return v(n_h), (H,), positive; only its proportions matter."""
    optimize = load("scipy.optimize")

    number = effective_rows(sums)
    movement = squared_movements(sums, anticipation)
    known = ~np.isnan(movement)
    ones = np.ones(number.size)
    sizes = number[~np.isnan(number)]
    if known.sum() < LEAST_CLUSTERS or np.ptp(sizes) <= 1e-12 * sizes.max():
        return ones
    regressors = np.column_stack([ones, 1.0 / number])
    (a, b), _ = optimize.nnls(regressors[known], movement[known])
    if not a + b > 0:
        return ones
    return np.where(np.isnan(number), 1.0, a + b / number)
