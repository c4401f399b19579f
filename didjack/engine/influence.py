"""Influence of each unit or cluster on ATT(g,t), for analytic standard errors.

The influence of a unit is the derivative of the estimate with respect to the unit's weight, with
the effect of estimating propensity scores and regressions included; it is summed over the rows of
a unit or cluster. Standard errors are square roots of sums of squares of it.

Sources: Sant'Anna & Zhao (2020), doi:10.1016/j.jeconom.2020.06.003, and Callaway & Sant'Anna
(2021), doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.engine.cells import Cell
from didjack.engine.estimate import Group, TwoByTwo
from didjack.kernels import core as kernels
from didjack.kernels import influence as influence_kernels
from didjack.options import Options
from didjack.sums.in_memory import Moments
from didjack.sums.layout import Design

FULL = np.zeros(1, dtype=np.int64)
"""The replicate that deletes nothing."""


def influence(design: Design, options: Options, cells: tuple[Cell, ...], codes: Ints) -> Floats:
    """Influence of groups of rows on the cells' estimates.

    Parameters
    ----------
    codes : (n,) what each row of the design is summed to: its unit or its cluster

    Returns
    -------
    (G, K) derivative of each estimate with respect to the weight of each group of rows; NaN for
    cells without an estimate, zero for reference cells.
    """
    solver = TwoByTwo(Moments(design, jackknife=False), options)
    n_groups = int(codes.max()) + 1
    result = np.zeros((n_groups, len(cells)))
    estimates = solver.estimate(cells, FULL)
    for group, members in solver.groups(cells).items():
        for j in members:
            if np.isnan(estimates.att[0, j]):
                result[:, j] = np.nan
            elif not cells[j].reference:
                psi = _cell_influence(solver, group, cells[j])
                result[:, j] = np.bincount(codes, weights=psi, minlength=n_groups)
    return result


def cohort_influence(design: Design, codes: Ints) -> Floats:
    """Influence of groups of rows on the cohort weights, (G, C)."""
    row = np.repeat(np.arange(design.strata.cohort.size), np.diff(design.strata.start))
    cohort = design.strata.cohort[row]
    weight = design.share_weight
    shape = (int(codes.max()) + 1, design.cohorts.size)
    size = shape[0] * shape[1]
    flat = np.bincount(codes * shape[1] + cohort, weights=weight, minlength=size)
    return np.asarray(flat, dtype=np.float64).reshape(shape)


def treated_influence(design: Design, cells: tuple[Cell, ...], codes: Ints) -> Floats:
    """Influence of groups of rows on the weight of each cell's treated rows, (G, K)."""
    start, n_groups = design.strata.start, int(codes.max()) + 1
    result = np.zeros((n_groups, len(cells)))
    for j, cell in enumerate(cells):
        for arm in design.arms(cell.base, cell.time):
            chosen = design.strata.select((cell.group,), arm.period)
            rows = np.concatenate([np.arange(start[s], start[s + 1]) for s in chosen])
            weight = design.w[arm.w][rows]
            result[:, j] += np.bincount(codes[rows], weights=weight, minlength=n_groups)
    return result


def _cell_influence(solver: TwoByTwo, group: Group, cell: Cell) -> Floats:
    """Influence of each row on one cell, (n,)."""
    design = solver.moments.design
    psi = np.zeros(design.strata.start[-1])
    sides = [_Side(solver, group, side, cell) for side in range(len(group.arms))]
    by_pooled_x = np.sum([side.by_pooled_x for side in sides], axis=0)
    by_score = np.zeros(design.x.shape[2])
    for side in sides:
        side.add_treated(psi, by_pooled_x)
        by_score += side.add_comparison(psi)
    if solver.method != "reg":
        propensity = solver.propensity(group)
        logit, rows = propensity.logit.beta[0], propensity.parts[0].rows
        information = np.empty((logit.size, logit.size))
        kernels.unpack(solver.moments.logit_sums(rows, logit)[0], information)
        influence_kernels.score_influence(
            rows.x,
            rows.w,
            design.strata.start,
            rows.chosen,
            rows.treated,
            logit,
            _solve(information, by_score, propensity.keep[0]),
            psi,
        )
    return psi


def _solve(gram: Floats, rhs: Floats, keep: Bools) -> Floats:
    """Solve one system in the columns to keep, which are of full rank; zero elsewhere, (k,)."""
    lower, scale, _ = kernels.factor(gram[None].copy(), keep[None].copy(), False)
    return np.asarray(kernels.solve(lower, scale, rhs[None, None].copy())[0, 0])


class _Side:
    """The derivatives of one side's contrast in the full sample.

    Attributes
    ----------
    sign : 1 for the later period (or the change itself, on a balanced panel), -1 for the base
    beta, own_beta : (k,) regression of the comparison rows, and of the treated rows
    by_own_x : (k,) derivative of ATT by the covariate mean of the treated rows of this side
    by_pooled_x : (k,) ... of the treated rows of all sides
    by_own_beta, by_beta : (k,) ... by the regression coefficients
    """

    def __init__(self, solver: TwoByTwo, group: Group, side: int, cell: Cell) -> None:
        moments, design = solver.moments, solver.moments.design
        self.solver, self.group, self.arm = solver, group, group.arms[side]
        self.sign = -1.0 if side else 1.0
        self.outcomes = (cell.time, cell.base) if design.panel else (0,)
        self.rows = (
            design.x[self.arm.x],
            design.w[self.arm.w],
            np.ascontiguousarray(self._change(design.y.T)),
            design.strata.start,
        )
        self.treated = moments.sums((group.cohort,), self.arm)
        self.weight = self.treated.weight[0]
        self.own_x = self.treated.x[0] / self.weight
        self.own_y = self._change(self.treated.y[0]) / self.weight
        everyone = [moments.sums((group.cohort,), arm) for arm in group.arms]
        self.pooled_weight = sum(s.weight[0] for s in everyone)
        self.pooled_x = np.sum([s.x[0] for s in everyone], axis=0) / self.pooled_weight
        none = np.zeros(self.own_x.size)
        self.logit, self.odds_total, self.odds_x, self.centre = none, 1.0, none, 0.0
        self.beta = none if solver.method == "ipw" else self._regression(group.comparison)
        if solver.method != "reg":
            self._weigh_by_odds()
        self._differentiate()

    def _change(self, values: Floats) -> Floats:
        """Return the outcome, or its change on a balanced panel; values by outcome column."""
        later = values[self.outcomes[0]]
        return np.asarray(later - values[self.outcomes[1]] if len(self.outcomes) > 1 else later)

    def _regression(self, cohorts: tuple[int, ...]) -> Floats:
        return self._change(self.solver.regression(cohorts, self.arm).beta[0])

    def _weigh_by_odds(self) -> None:
        """Find the odds-weighted means of the comparison rows."""
        propensity = self.solver.propensity(self.group)
        self.logit = propensity.logit.beta[0]
        self.odds_rows = (self.rows[0], propensity.parts[0].rows.w, *self.rows[2:])
        k = self.logit.size
        odds = propensity.odds_sums(
            self.solver.moments, self.group.comparison, self.arm, FULL, np.array(self.outcomes)
        )[0]
        self.odds_total, self.odds_x = odds[0], odds[:k] / odds[0]
        by_column = dict(zip(self.outcomes, odds[k:], strict=True))
        y = by_column[self.outcomes[0]] - (
            by_column[self.outcomes[1]] if len(self.outcomes) > 1 else 0.0
        )
        self.centre = float(y / self.odds_total - self.odds_x @ self.beta)

    def _differentiate(self) -> None:
        sign, method, none = self.sign, self.solver.method, np.zeros(self.own_x.size)
        self.own_beta = self.beta
        self.by_own_x, self.by_pooled_x, self.by_own_beta, self.by_beta = none, none, none, none
        if method == "reg":
            self.by_pooled_x, self.by_beta = -sign * self.beta, -sign * self.pooled_x
        elif method == "dr":
            self.by_own_x = -sign * self.beta
            self.by_beta = -sign * (self.pooled_x - self.odds_x)
            if len(self.group.arms) > 1:
                self._differentiate_efficient()

    def _differentiate_efficient(self) -> None:
        """Add what the locally efficient estimator of repeated cross sections has on top."""
        sign = self.sign
        self.own_beta = self._regression((self.group.cohort,))
        self.by_own_x = -sign * self.own_beta
        self.by_pooled_x = sign * (self.own_beta - self.beta)
        self.by_own_beta = sign * (self.pooled_x - self.own_x)
        if sign < 0:
            # The reference (DRDID 1.2.3) turns the sign of the base-period regression's effect on
            # the two means, which is not the derivative of the estimate. Standard errors follow
            # the reference so that they agree with it; docs/method.md has the derivative.
            self.by_beta = (self.pooled_x - self.own_x) - (self.own_x - self.odds_x)

    def add_treated(self, psi: Floats, by_pooled_x: Floats) -> None:
        """Add the influence of the side's treated rows to psi (n,)."""
        by_x = self.by_own_x / self.weight + by_pooled_x / self.pooled_weight
        by_x[0] -= (self.sign * self.own_y + self.own_x @ self.by_own_x) / self.weight
        by_x[0] -= self.pooled_x @ by_pooled_x / self.pooled_weight
        by_residual = self.by_own_beta
        if by_residual.any():
            keep = self.solver.regression((self.group.cohort,), self.arm).keep[0]
            by_residual = _solve(self.treated.gram[0], by_residual, keep)
        chosen = self.solver.moments.select((self.group.cohort,), self.arm.period)
        by_y = self.sign / self.weight
        influence_kernels.linear_influence(
            *self.rows, chosen, by_y, by_x, self.own_beta, by_residual, psi
        )

    def add_comparison(self, psi: Floats) -> Floats:
        """Add the influence of the side's comparison rows; return the derivative by the logit."""
        moments, none = self.solver.moments, np.zeros(self.beta.size)
        chosen = moments.select(self.group.comparison, self.arm.period)
        if self.by_beta.any():
            gram = moments.sums(self.group.comparison, self.arm).gram[0]
            keep = self.solver.regression(self.group.comparison, self.arm).keep[0]
            by_residual = _solve(gram, self.by_beta, keep)
            influence_kernels.linear_influence(
                *self.rows, chosen, 0.0, none, self.beta, by_residual, psi
            )
        if self.solver.method == "reg":
            return none
        by_odds = -self.sign / self.odds_total
        about = (chosen, self.logit, self.beta, self.centre)
        influence_kernels.odds_influence(*self.odds_rows, *about, by_odds, psi)
        return np.asarray(by_odds * influence_kernels.odds_gradient(*self.odds_rows, *about))
