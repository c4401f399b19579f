"""Sums by cluster, cohort and period -> the working variance of cluster-level shocks.

The shocks of cluster h have a variance in proportion to v(n_h) = a + b / n_h in every period: a for
what its rows share, b / n_h for the mean of what they do not. a and b are fitted to how untreated
rows move from one period to the next. In triple differences the eligible rows of a cluster have
shocks of their own, with their own a and b.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.shares import Share, Shares
from didjack.estimation.cells import Cell, Sizes
from didjack.estimation.control_cohorts import shares
from didjack.estimation.fit import Estimated, Fit
from didjack.estimation.layout import Arm, Classes, Layout
from didjack.estimation.sums import SumSource
from didjack.imports import load
from didjack.inference.reference.distribution import Axes, axes_of, student
from didjack.inference.reference.loadings import (
    FULLY,
    Changed,
    Loadings,
    Mean,
    Means,
    Tables,
    Version,
)
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

    def of_kind(self, kind: int, kinds: int) -> PeriodSums:
        """Select one of the kinds of classes that each cohort has, as of `Layout`."""
        own = slice(kind, None, kinds)
        return PeriodSums(
            self.weight[:, own],
            self.square[:, own],
            self.cross[:, own],
            self.cohorts[own],
            self.periods,
        )


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
    spread : (P, H) standard deviation of the shocks on these rows, over the working model's of the
        cluster
    """

    change: Floats
    weight: Floats
    spread: Floats

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
        return cls(change, weights, np.ones(shape))

    @classmethod
    def joined(cls, parts: Sequence[Movements], spread: Sequence[Floats]) -> Movements:
        """Put pairs of periods of several kinds of rows one after the other.

        Parameters
        ----------
        spread : (H,) of each kind
        """
        return cls(
            np.concatenate([part.change for part in parts]),
            np.concatenate([part.weight for part in parts]),
            np.concatenate(
                [
                    np.tile(own, (len(part.change), 1))
                    for part, own in zip(parts, spread, strict=True)
                ]
            ),
        )

    def standardised(self, pairs: Bools) -> Movements:
        """Select pairs of periods, with changes as large as if all rows had the same shocks."""
        spread = self.spread[pairs]
        change = self.change[pairs] / spread
        return Movements(change, self.weight[pairs], np.ones(change.shape))

    def squares(self) -> Floats:
        """Return r_h, the mean of squares over pairs, (H,); NaN for a cluster in no pair."""
        count = (~np.isnan(self.change)).sum(axis=0)
        total = np.where(np.isnan(self.change), 0.0, self.change**2).sum(axis=0)
        nothing = np.full(total.size, np.nan)
        movement: Floats = np.divide(total, count, out=nothing, where=count > 0)
        return movement

    def size(self, v: Floats) -> float:
        """Return the mean over clusters of r_h / v_h; NaN where no cluster has r."""
        every = np.ones(len(self.change), dtype=bool)
        ratio = self.standardised(every).squares() / v
        return float(np.nanmean(ratio)) if (~np.isnan(ratio)).any() else np.nan

    def scale(self, v: Floats) -> float:
        """Return the standard deviation of shocks whose relative variances are v, (H,).

        The root of all squared changes, over those expected of shocks that are independent over
        time and clusters; NaN where there are none.
        """
        there = ~np.isnan(self.change)
        weight = self.weight
        v = v * self.spread**2
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
    number = effective_rows(sums)
    movement = movements.squares()
    known = ~np.isnan(movement)
    ones = np.ones(number.size)
    sizes = number[~np.isnan(number)]
    if known.sum() < LEAST_CLUSTERS or np.ptp(sizes) <= 1e-12 * sizes.max():
        return ones
    optimize = load("scipy.optimize")
    regressors = np.column_stack([ones, 1.0 / number])
    (a, b), _ = optimize.nnls(regressors[known], movement[known])
    if not a + b > 0:
        return ones
    return np.where(np.isnan(number), 1.0, a + b / number)


class WorkingModel(NamedTuple):
    """Variances of cluster-level shocks, relative to each other, and what they are fitted to.

    Attributes
    ----------
    variance : (H,) of the shocks on the rows of a cluster, or on its eligible rows
    spread : (C, H) standard deviation of those on each class over that; None where it is one
    movements : of untreated rows
    total : (H,) variance of the sum of a cluster's shocks in a period
    """

    variance: Floats
    spread: Floats | None
    movements: Movements
    total: Floats


def working_model(sums: PeriodSums, anticipation: int, kinds: int) -> WorkingModel:
    """Fit the variances to the movements of untreated rows."""
    if kinds == 1:
        movements = Movements.from_sums(sums, anticipation)
        variance = working_variance(sums, movements)
        return WorkingModel(variance, None, movements, variance)
    parts = [sums.of_kind(kind, kinds) for kind in range(kinds)]
    moved = [Movements.from_sums(part, anticipation) for part in parts]
    v = [working_variance(part, own) for part, own in zip(parts, moved, strict=True)]
    size = np.array([_size(own, one) for own, one in zip(v, moved, strict=True)])
    if (size > 0).all():  # of all kinds it is known how large their shocks are
        v = [own * factor for own, factor in zip(v, size, strict=True)]
    there = [~np.isnan(effective_rows(part)) for part in parts]
    total = np.sum([own * some for own, some in zip(v, there, strict=True)], axis=0)
    spread = [np.sqrt(own / v[-1]) for own in v]
    return WorkingModel(
        variance=v[-1],
        spread=np.tile(spread, (sums.cohorts.size // kinds, 1)),
        movements=Movements.joined(moved, spread),
        total=np.where(total > 0, total, 1.0),
    )


def _size(v: Floats, movements: Movements) -> float:
    """Return how large shocks with relative variances v are: the mean of r_h / v_h."""
    ratio = movements.squares() / v
    known = ~np.isnan(ratio)
    return float(ratio[known].mean()) if known.sum() >= LEAST_CLUSTERS else np.nan


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
    total : (H,) relative working variance of the sum of a cluster's shocks in a period
    """

    means: Means
    variance: Floats
    movements: Movements
    total: Floats
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
    sums, anticipation = _period_sums(source), fit.options.estimation.anticipation
    model = working_model(sums, anticipation, source.layout.kinds)
    tables = _Tables(source)
    cells = estimated.cells
    number: dict[Version, int] = {}
    versions = [number.setdefault(tables.version(cell), len(number)) for cell in cells]
    usual = np.array(versions, dtype=np.int64)
    usual[len(estimated.shown.cells) :] = -1
    usual[np.flatnonzero(estimated.shown.empty)] = -1
    changed = list(_changed(estimated, cells, usual, tables, number))
    given = Tables(list(tables.means), tables.weights, tables.shares, model.spread)
    means = Means.from_versions(list(number), usual, changed, given)
    return Design(means, model.variance, model.movements, model.total)


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
                first = int(estimated.shown.first[rows[0]]) if group.balanced and rows else None
                version = tables.version(cell, first)
                own[at] = number.setdefault(version, len(number))
        other = np.flatnonzero(own != usual)
        if rows and other.size:
            yield Changed(np.array(rows), other, own[other])


class _Tables:
    """Means, weights by cluster and cohort of each arm, and shares, numbered as they are asked for.

    Attributes
    ----------
    means : the number of each
    weights : (H, C) each
    shares : (R,) each
    """

    def __init__(self, source: SumSource) -> None:
        self._source = source
        self._layout: Layout = source.layout
        self._number: dict[tuple[int, int], int] = {}
        self.means: dict[Mean, int] = {}
        self.weights: list[Floats] = []
        self._share_number: dict[Hashable, int] = {}  # of the first of a cell's cohorts
        self.shares: list[Floats] = []

    def version(self, cell: Cell, first: int | None = None) -> Version:
        """Return what a cell is made of: its comparisons, of means in `time` and in `base`.

        Parameters
        ----------
        first : in a replicate that is a balanced panel, its first period, on the integer axis
        """
        arms = self._layout.arms(*cell.periods)
        table = [self._table(arm) for arm in (arms[0], arms[-1])]
        sized = table if len(arms) > 1 else []
        if first is not None and self._layout.slots.w == 1:
            earlier = table[0] if cell.time < cell.base else table[1]
            table = [earlier, earlier]
            sized = [self._first_table(first)]
        number = self._shares(cell, tuple(table), tuple(sized))
        return tuple(
            (
                one.sign,
                (
                    self._mean(cell.time, (one.treated,), table[0]),
                    self._mean(cell.time, one.others, table[0]),
                    self._mean(cell.base, (one.treated,), table[1]),
                    self._mean(cell.base, one.others, table[1]),
                ),
                number[one.sizes],
            )
            for one in cell.comparisons
        )

    def _mean(self, period: int, classes: Classes, table: int) -> int:
        """Return the number of a mean; a period has one of its own for each kind of rows."""
        kinds = self._layout.kinds
        mean = Mean(period * kinds + classes[0] % kinds, classes, table)
        return self.means.setdefault(mean, len(self.means))

    def _first_table(self, first: int) -> int:
        period = int(np.searchsorted(self._layout.periods, first))
        return self._table(self._layout.arms(period, period)[0])

    def _shares(
        self, cell: Cell, table: tuple[int, ...], sized: tuple[int, ...]
    ) -> dict[Sizes | None, int]:
        """Return the numbers of the shares of a cell's control cohorts, and of what counts fully.

        Parameters
        ----------
        table : weights of the rows that are compared
        sized : tables whose weights say how large cohorts are; without any, those of units do
        """
        number: dict[Sizes | None, int] = {None: FULLY}
        if not cell.sizes:
            return number
        key = cell.sizes, table, sized
        if key not in self._share_number:
            by_class = self._layout.share
            if sized:
                by_class = np.sum([self.weights[k] for k in sized], axis=0)
            sides = list(zip(*cell.sizes, strict=True))
            n_1, n_0 = (_left(by_class, side) for side in sides)
            there = [_left(self.weights[k], side) > 0 for k in table for side in sides]
            self._share_number[key] = len(self.shares)
            self.shares += list(shares(n_1, n_0, np.asarray(np.all(there, axis=0))))
        first = self._share_number[key]
        return number | {sizes: first + place for place, sizes in enumerate(cell.sizes)}

    def _table(self, arm: Arm) -> int:
        key = (arm.w, arm.period)
        if key not in self._number:
            self._number[key] = len(self.weights)
            self.weights.append(self._source.by_cluster(arm, NO_OUTCOME).weight)
        return self._number[key]


def _left(weight: Floats, sets: Sequence[Classes]) -> Floats:
    """Return the weight of some sets of classes in all replicates, (S, R).

    Parameters
    ----------
    weight : (H, C)
    """
    of_sets = np.stack([weight[:, classes].sum(axis=1) for classes in sets])
    total = of_sets.sum(axis=1, keepdims=True)
    # What is left of a difference that should be zero is rounding.
    alone = (of_sets > 0).sum(axis=1, keepdims=True) - (of_sets > 0) == 0
    return np.hstack([total, np.where(alone, 0.0, total - of_sets)])


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
