"""Sums by cluster, cohort and period -> the working variance of cluster-level shocks.

The shocks of cluster h have a variance in proportion to v(n_h) = a + b / n_h in every period: a for
what its rows share, b / n_h for the mean of what they do not. a and b are fitted to how untreated
rows move from one period to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.shares import Share, Shares
from didjack.estimation.cells import Cell
from didjack.estimation.fit import Estimated, Fit
from didjack.estimation.layout import Arm, Layout
from didjack.estimation.sums import SumSource
from didjack.imports import load
from didjack.inference.reference.distribution import Axes, axes_of, student
from didjack.inference.reference.loadings import Changed, Loadings, Mean, Means, Version
from didjack.memo import Memo, key_of

# ---- working variance ----------------------------------------------------------------------------

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


@dataclass(frozen=True, slots=True, eq=False)
class Movements:
    """How untreated rows of each cluster move from one period to the next, less the others.

    Attributes
    ----------
    change : (P, H) by pair of adjacent periods; NaN where a cluster has no untreated rows in both
    weight : (P, H) weight in the later period; zero there
    """

    change: Floats
    weight: Floats

    @classmethod
    def from_sums(cls, sums: PeriodSums, anticipation: int) -> Movements:
        """Compare adjacent periods in which `LEAST_CLUSTERS` have untreated rows."""
        shape = (sums.periods.size - 1, len(sums.weight))
        change, weights = np.full(shape, np.nan), np.zeros(shape)
        for before in range(shape[0]):
            after = before + 1
            untreated = sums.cohorts > sums.periods[after] + anticipation
            weight, cross = (
                np.compress(untreated, values[:, :, before : after + 1], axis=1).sum(axis=1)
                for values in (sums.weight, sums.cross)
            )
            both = np.flatnonzero((weight > 0).all(axis=1))
            if both.size < LEAST_CLUSTERS:
                continue
            mean = cross[both] / weight[both]
            weights[before, both] = weight[both, 1]
            change[before, both] = _less_others(mean[:, 1] - mean[:, 0], weight[both, 1])
        return cls(change, weights)

    def squares(self) -> Floats:
        """Return r_h, the mean of squares over pairs, (H,); NaN for a cluster in no pair."""
        count = (~np.isnan(self.change)).sum(axis=0)
        total = np.where(np.isnan(self.change), 0.0, self.change**2).sum(axis=0)
        nothing = np.full(total.size, np.nan)
        movement: Floats = np.divide(total, count, out=nothing, where=count > 0)
        return movement

    def scale(self, v: Floats) -> float:
        """Return the standard deviation of shocks whose relative variances are v, (H,).

        The root of all squared changes, over those expected of shocks that are independent over
        time and clusters; NaN where there are none.
        """
        there = ~np.isnan(self.change)
        weight = self.weight
        others = weight.sum(axis=1, keepdims=True) - weight
        of_others = (weight**2 * v).sum(axis=1, keepdims=True) - weight**2 * v
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = 2.0 * (v + of_others / others**2)
        total = float(expected[there].sum())
        return float(np.sqrt((self.change[there] ** 2).sum() / total)) if total > 0 else np.nan


def _less_others(values: Floats, weight: Floats) -> Floats:
    """Return each value less the weighted mean of all others, (n,)."""
    others, sums = weight.sum() - weight, (weight * values).sum() - weight * values
    for at in np.flatnonzero(weight > others):  # what is left of such a difference is rounding
        rest = np.arange(weight.size) != at
        others[at], sums[at] = weight[rest].sum(), (weight * values)[rest].sum()
    return np.asarray(values - sums / others)


def working_variance(sums: PeriodSums, movements: Movements) -> Floats:
    """Return v(n_h), (H,), positive; only its proportions matter."""
    optimize = load("scipy.optimize")

    number = effective_rows(sums)
    movement = movements.squares()
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


# ---- design --------------------------------------------------------------------------------------

NO_OUTCOME = np.empty(0, dtype=np.int64)
MOST_NUMBERS = 2**26
"""Coefficients of more numbers than this (shares of cells in all replicates) are tested with t."""


@dataclass(frozen=True, eq=False)
class Design:
    """What the reference distributions of all coefficients of a fit have in common.

    Attributes
    ----------
    means : what each cell is made of, in each replicate
    variance : (H,) relative working variance of the cluster-level shocks
    movements : of untreated rows, to which it is fitted
    """

    means: Means
    variance: Floats
    movements: Movements
    _memo: Memo = field(default_factory=Memo)

    @classmethod
    def from_fit(cls, fit: Fit) -> Design:
        """Derive it from a fit, once; whatever is made from it later is kept, too."""
        return fit.once("design", partial(_design, fit))

    def loadings(self, shares: Shares, position: int) -> Loadings | None:
        """Return the loadings of a coefficient; None where they would be too many."""
        if shares.n_numbers > MOST_NUMBERS:
            return None
        share: Share = shares.share(position)
        return self.means.target(share.share, share.cells)

    def axes(self, loadings: Loadings, kept: Bools, centre_on_mean: bool) -> Axes | None:
        """Return the quadratic form of a coefficient on its axes; made once for all alike.

        Parameters
        ----------
        kept : (H,) replicates that are used
        """

        def make() -> Axes | None:
            return axes_of(loadings.parts(self.variance, np.flatnonzero(kept)), centre_on_mean)

        return self._memo.get((loadings.key, key_of(kept), centre_on_mean), make)

    def t_axes(self, loadings: Loadings | None, kept: Bools, centre_on_mean: bool) -> Axes | None:
        """Return the axes of a coefficient, or those of t(R - 1).

        These are taken where there are too many loadings, or where shocks of clusters do not move
        the estimate, as treated and control units of each cluster share them; None if replicates
        are undefined then.
        """
        found = None if loadings is None else self.axes(loadings, kept, centre_on_mean)
        return student(int(kept.sum())) if found is None and kept.all() else found


def _design(fit: Fit) -> Design:
    estimated, source = fit.estimated(True), fit.source
    tables = _Tables(source)
    cells = estimated.shown.cells + estimated.extra.cells
    number: dict[Version, int] = {}
    versions = [number.setdefault(tables.version(cell), len(number)) for cell in cells]
    usual = np.array(versions, dtype=np.int64)
    usual[len(estimated.shown.cells) :] = -1
    usual[np.flatnonzero(estimated.shown.empty)] = -1
    changed = list(_changed(estimated, cells, usual, tables, number))
    means = Means.from_versions(list(number), usual, changed, tables.weights)
    sums = _period_sums(source)
    movements = Movements.from_sums(sums, fit.options.estimation.anticipation)
    return Design(means, working_variance(sums, movements), movements)


def _changed(
    estimated: Estimated,
    cells: tuple[Cell, ...],
    usual: Ints,
    tables: _Tables,
    number: dict[Version, int],
) -> Iterator[Changed]:
    """Yield where replicates compare others than the full sample; numbers new versions."""
    position = {(cell.cohort, cell.time): k for k, cell in enumerate(cells)}
    later: set[int] = set()
    for group in reversed(estimated.others):
        rows = [row for row in group.replicates.tolist() if row not in later]
        later.update(rows)
        own = np.full(len(cells), -1, dtype=np.int64)
        for cell in group.cells:
            at = position.get((cell.cohort, cell.time))
            if at is not None:
                version = tables.version(cell, group.balanced)
                own[at] = number.setdefault(version, len(number))
        other = np.flatnonzero(own != usual)
        if rows and other.size:
            yield Changed(np.array(rows), other, own[other])


class _Tables:
    """Weights by cluster and cohort of each arm, numbered as they are asked for.

    Attributes
    ----------
    weights : (H, C) each
    """

    def __init__(self, source: SumSource) -> None:
        self._source = source
        self._layout: Layout = source.layout
        self._number: dict[tuple[int, int], int] = {}
        self.weights: list[Floats] = []

    def version(self, cell: Cell, balanced: bool = False) -> Version:
        """Return what a cell is made of: its comparisons, of means in `time` and in `base`."""
        arms = self._layout.arms(*cell.periods)
        table = [self._table(arm) for arm in (arms[0], arms[-1])]
        if balanced and self._layout.slots.w == 1:
            earlier = table[0] if cell.time < cell.base else table[1]
            table = [earlier, earlier]
        return tuple(
            (
                sign,
                (
                    Mean(cell.time, (treated,), table[0]),
                    Mean(cell.time, others, table[0]),
                    Mean(cell.base, (treated,), table[1]),
                    Mean(cell.base, others, table[1]),
                ),
            )
            for sign, treated, others in cell.comparisons
        )

    def _table(self, arm: Arm) -> int:
        key = (arm.w, arm.period)
        if key not in self._number:
            self._number[key] = len(self.weights)
            self.weights.append(self._source.by_cluster(arm, NO_OUTCOME).weight)
        return self._number[key]


def _period_sums(source: SumSource) -> PeriodSums:
    """Collect the sums of each period, with the weights that the design has in it."""
    layout = source.layout
    shape = (layout.n_clusters, layout.cohorts.size, layout.periods.size)
    weight, square, cross = np.zeros((3, *shape))
    by_arm: dict[Arm, list[int]] = {}
    for period in range(layout.periods.size):
        arm = layout.arms(period, period)[0]._replace(x=0)
        by_arm.setdefault(arm, []).append(period)
    for arm, periods in by_arm.items():
        outcomes = np.array([layout.outcome(period) for period in periods])
        found = source.by_cluster(arm, outcomes)
        weight[..., periods], square[..., periods] = (
            found.weight[..., None],
            found.square[..., None],
        )
        cross[..., periods] = found.cross
    return PeriodSums(weight, square, cross, layout.cohorts, layout.periods)
