"""Influence of each unit or cluster on ATT(g,t), for analytic standard errors.

The influence of a unit is the derivative of the estimate with respect to the unit's weight, with
the effect of estimating propensity scores and regressions included; it is summed over the rows of
a unit or cluster. Standard errors are square roots of sums of squares of it.

Sources: Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003, and Callaway & Sant'Anna
(2021), doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats
from didjack.estimation import linear_systems
from didjack.estimation.cells import Cell
from didjack.estimation.estimators import Comparison, Derivatives, Point, Side
from didjack.estimation.kernels import logit as kernels
from didjack.estimation.kernels.inputs import Contrast, Linear
from didjack.estimation.layout import Classes
from didjack.estimation.passes import OddsOf, Tally
from didjack.estimation.sums import InfluenceSource
from didjack.estimation.two_by_two import TwoByTwo
from didjack.leave_one_out import FULL_SAMPLE
from didjack.options import EstimationOptions


def influence(
    source: InfluenceSource,
    options: EstimationOptions,
    cells: tuple[Cell, ...],
    progress: bool | None = None,
) -> Floats:
    """Influence of units or clusters, whichever the source adds up, on the cells' estimates.

    Parameters
    ----------
    progress : as of `csdid`

    Returns
    -------
    (G, K) derivative of each estimate with respect to the weight of each unit or cluster; NaN for
    cells without an estimate, zero for those of base periods.
    """
    solver = TwoByTwo(source.sums, options, progress)
    result = np.zeros((source.n_independent, len(cells)))
    estimates = solver.estimate(cells, FULL_SAMPLE)
    for group in solver.groups(cells):
        for j in group.members:
            if np.isnan(estimates.att[0, j]):
                result[:, j] = np.nan
            elif not cells[j].is_base:
                tally = source.tally()
                _tally_cell(solver, group.comparison, cells[j], tally)
                result[:, j] = group.added(result[:, j], tally.total())
    return result


def treated_influence(source: InfluenceSource, cells: tuple[Cell, ...]) -> Floats:
    """Influence of units or clusters on the weight of each cell's treated rows, (G, K)."""
    arms = source.sums.layout.arms
    columns = [source.treated(cell.cohort, arms(*cell.periods)) for cell in cells]
    return np.stack(columns, axis=1)


def _tally_cell(solver: TwoByTwo, comparison: Comparison, cell: Cell, tally: Tally) -> None:
    """Add up the influence on one comparison of a cell."""
    sides = [
        _OneSide(solver, comparison, number, cell, tally) for number in range(len(comparison.arms))
    ]
    by_pooled_x = np.sum([side.by.by_pooled_x for side in sides], axis=0)
    by_score = np.zeros(solver.source.layout.k)
    for side in sides:
        side.add_treated(by_pooled_x)
        by_score += side.add_comparison()
    if solver.estimator.has_logit:
        propensity, logits = solver.propensity(comparison), solver.source.logits
        logit, model = propensity.logit.beta[0], propensity.parts[0].model
        information = np.empty((logit.size, logit.size))
        kernels.unpack(logits.score(model, logit)[0], information)
        tally.add_score(model, logit, _solve(information, by_score, propensity.keep[0]))


def _solve(gram: Floats, rhs: Floats, keep: Bools) -> Floats:
    """Solve one system in the columns to keep, which are of full rank; zero elsewhere, (k,)."""
    lower, scale, _ = linear_systems.factor(gram[None].copy(), keep[None].copy(), False)
    return np.asarray(linear_systems.solve(lower, scale, rhs[None, None].copy())[0, 0])


class _OneSide:
    """One side of a cell in the full sample, and the derivatives of its contrast."""

    def __init__(
        self, solver: TwoByTwo, comparison: Comparison, number: int, cell: Cell, tally: Tally
    ) -> None:
        layout = solver.source.layout
        self._solver, self._comparison, self._tally = solver, comparison, tally
        self._outcomes: Classes = (cell.time, cell.base) if layout.panel else (0,)
        self._side = Side(solver, comparison, number, np.array(self._outcomes), FULL_SAMPLE)
        self._arm = self._side.arm
        sums = solver.source.sums
        self._treated = sums((comparison.treated,), self._arm)
        self._weight = self._treated.weight[0]
        self._own_y = self._change(self._treated.y[0][list(self._outcomes)]) / self._weight
        self._pooled_weight = sum(
            sums((comparison.treated,), arm).weight[0] for arm in comparison.arms
        )
        self._point = self._where(number)
        self.by: Derivatives = solver.estimator.derivatives(self._point)

    def _change(self, values: Floats) -> Floats:
        """Return the outcome, or its change on a balanced panel; (o, ...) by outcome."""
        return np.asarray(values[0] - values[1] if len(values) > 1 else values[0])

    def _where(self, number: int) -> Point:
        """Collect what the contrast is differentiated at."""
        side, estimator = self._side, self._solver.estimator
        used = estimator.regressions(self._comparison)
        none = np.zeros(side.own_x.shape[1])
        has_beta = (self._comparison.others, self._arm) in used
        has_own_beta = ((self._comparison.treated,), self._arm) in used
        return Point(
            sign=-1.0 if number else 1.0,
            pooled=self._comparison.pooled,
            own_x=side.own_x[0],
            pooled_x=side.pooled_x[0],
            odds_x=side.odds_x[0] if estimator.has_logit else none,
            beta=self._change(side.beta[0]) if has_beta else none,
            own_beta=self._change(side.own_beta[0]) if has_own_beta else none,
        )

    def _by_residual(self, cohorts: Classes, derivative: Floats) -> Floats:
        """Return the derivative by weighted residuals of a regression, (k,)."""
        if not derivative.any():
            return derivative
        gram = self._solver.source.sums(cohorts, self._arm).gram[0]
        keep = self._solver.regression(cohorts, self._arm).keep[0]
        return _solve(gram, derivative, keep)

    def add_treated(self, by_pooled_x: Floats) -> None:
        """Add the influence of the side's treated rows."""
        point, by, cohorts = self._point, self.by, (self._comparison.treated,)
        by_x = by.by_own_x / self._weight + by_pooled_x / self._pooled_weight
        by_x[0] -= (point.sign * self._own_y + point.own_x @ by.by_own_x) / self._weight
        by_x[0] -= point.pooled_x @ by_pooled_x / self._pooled_weight
        by_residual = self._by_residual(cohorts, by.by_own_beta)
        linear = Linear(point.sign / self._weight, by_x, point.own_beta, by_residual)
        self._tally.add_linear(cohorts, self._arm, self._outcomes, linear)

    def add_comparison(self) -> Floats:
        """Add the influence of the side's control rows; return the derivative by the logit."""
        point, others, none = self._point, self._comparison.others, np.zeros(self.by.by_beta.size)
        if self.by.by_beta.any():
            by_residual = self._by_residual(others, self.by.by_beta)
            linear = Linear(0.0, none, point.beta, by_residual)
            self._tally.add_linear(others, self._arm, self._outcomes, linear)
        if not self._solver.estimator.has_logit:
            return none
        propensity = self._solver.propensity(self._comparison)
        model = propensity.parts[0].model
        total = self._side.odds_total[0]
        mean = self._change(self._side.odds_sum_y[0]) / total
        centre = float(mean - point.odds_x @ point.beta)
        of = OddsOf(others, self._arm, np.array(self._outcomes))
        contrast = Contrast(propensity.logit.beta[0], point.beta, centre)
        by_odds = -point.sign / total
        self._tally.add_odds(model, of, contrast, by_odds)
        return np.asarray(by_odds * self._tally.odds_gradient(model, of, contrast))
