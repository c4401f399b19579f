"""A fit -> what laws are made of: what each cell compares, and how much clusters' shocks vary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.averaging.shares import Share, Shares
from didjack.engine.cells import Cell
from didjack.engine.fit import Estimated, Fit
from didjack.inference.laws.axes import Axes, axes_of
from didjack.inference.laws.loadings import Changed, Comparison, Loadings, Mean, Means
from didjack.inference.laws.working_variance import PeriodSums, working_variance
from didjack.sums.layout import Arm, Layout
from didjack.sums.source import SumSource

NO_OUTCOME = np.empty(0, dtype=np.int64)
MOST_NUMBERS = 2**26
"""Coefficients of more numbers than this (shares of cells in all replicates) have no law."""


@dataclass(frozen=True, eq=False)
class Design:
    """What the laws of all coefficients of a fit have in common.

    Attributes
    ----------
    means : what each cell is made of, in each replicate
    variance : (H,) working variance of the shocks of each cluster, relative
    """

    means: Means
    variance: Floats
    _axes: dict[tuple[bytes, ...], Axes | None] = field(default_factory=dict)

    @classmethod
    def of(cls, fit: Fit) -> Design:
        """Derive it from a fit, once; whatever is made from it later is kept, too."""
        return fit.derived(cls, _design)

    def loadings(self, shares: Shares, position: int) -> Loadings | None:
        """Return the loadings of a coefficient; None where they would be too many."""
        if shares.n_numbers > MOST_NUMBERS:
            return None
        share: Share = shares.of(position)
        return self.means.target(share.share, share.cells)

    def axes(self, loadings: Loadings, kept: Bools, centre_on_mean: bool) -> Axes | None:
        """Return the quadratic form of a coefficient on its axes; made once for all alike.

        Parameters
        ----------
        kept : (H,) replicates that are used
        """
        key = (*loadings.key, kept.tobytes(), bytes([centre_on_mean]))
        if key not in self._axes:
            parts = loadings.parts(self.variance, np.flatnonzero(kept))
            self._axes[key] = axes_of(parts, centre_on_mean)
        return self._axes[key]


def _design(fit: Fit) -> Design:
    estimated, source = fit.estimated(True), fit.source
    tables = _Tables(source)
    cells = estimated.shown.cells + estimated.extra.cells
    number: dict[Comparison, int] = {}
    versions = [number.setdefault(tables.comparison(cell), len(number)) for cell in cells]
    usual = np.array(versions, dtype=np.int64)
    usual[len(estimated.shown.cells) :] = -1
    usual[np.flatnonzero(estimated.shown.empty)] = -1
    changed = list(_changed(estimated, cells, usual, tables, number))
    means = Means.of(list(number), usual, changed, tables.weights)
    return Design(means, working_variance(_period_sums(source), fit.options.anticipation))


def _changed(
    estimated: Estimated,
    cells: tuple[Cell, ...],
    usual: Ints,
    tables: _Tables,
    number: dict[Comparison, int],
) -> Iterator[Changed]:
    """Yield where replicates compare others than the full sample; numbers new comparisons."""
    position = {(cell.cohort, cell.time): k for k, cell in enumerate(cells)}
    later: set[int] = set()
    for group in reversed(estimated.others):
        rows = [row for row in group.replicates.tolist() if row not in later]
        later.update(rows)
        own = np.full(len(cells), -1, dtype=np.int64)
        for cell in group.cells:
            at = position.get((cell.cohort, cell.time))
            if at is not None:
                comparison = tables.comparison(cell, group.balanced)
                own[at] = number.setdefault(comparison, len(number))
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

    def comparison(self, cell: Cell, balanced: bool = False) -> Comparison:
        """Return the means of a cell: treated and others in `time`, then in `base`."""
        arms = self._layout.arms(*cell.periods)
        table = [self._table(arm) for arm in (arms[0], arms[-1])]
        if balanced and self._layout.slots.w == 1:
            earlier = table[0] if cell.time < cell.base else table[1]
            table = [earlier, earlier]
        treated, others = (cell.cohort,), cell.comparison
        return (
            Mean(cell.time, treated, table[0]),
            Mean(cell.time, others, table[0]),
            Mean(cell.base, treated, table[1]),
            Mean(cell.base, others, table[1]),
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
