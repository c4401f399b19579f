"""Sums by replicate -> ATT(g,t), for the full sample and all delete-one-cluster samples at once.

With D the treated cohort's dummy, each estimator is a difference, between the later and the base
period, of one contrast: the mean outcome of the treated rows less what the comparison rows say it
would have been. On a balanced panel both periods have the same rows; in pooled rows each period
has its own. That is all that differs between them here.

Sources: Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001; Sant'Anna & Zhao (2020),
doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from didjack._typing import Bools, Floats, Ints
from didjack.engine.cells import Cell
from didjack.engine.logit import Propensity, fit_propensity
from didjack.engine.progress import Progress
from didjack.kernels import core as kernels
from didjack.options import Options
from didjack.sums.in_memory import Cohorts, Moments
from didjack.sums.layout import Arm

Codes = NDArray[np.int8]


class Code(IntEnum):
    """Why a cell has no estimate in a replicate."""

    OK = 0
    NO_TREATED = 1
    NO_COMPARISON = 2
    NO_PERIOD = 3
    OVERLAP = 4
    SINGULAR = 5


REASONS = {
    Code.NO_TREATED: "no treated units",
    Code.NO_COMPARISON: "no comparison units",
    Code.NO_PERIOD: "the period or its base period drops out of the sample",
    Code.OVERLAP: "no overlap of propensity scores",
    Code.SINGULAR: "collinear covariates",
}


@dataclass(frozen=True, slots=True)
class CellEstimates:
    """ATT(g,t) in every replicate; row 0 is the full sample, row 1 + h is without cluster h.

    Attributes
    ----------
    cells : K cells
    att : (R, K); NaN where `code` is not 0
    code : (R, K) `Code`
    column : (R, K) the covariate at which a regression failed, -1 where none did
    changed : (R, K) whether the replicate compares other cohorts or periods than the full sample
    treated : (R, K) weight of the treated rows, of both periods in pooled rows
    first, last : (R,) first and last period of each replicate's sample, on the integer axis
    dropped : (K, k) covariates that a regression or logit of the full sample left out
    """

    cells: tuple[Cell, ...]
    att: Floats
    code: Codes
    column: NDArray[np.int16]
    changed: Bools
    treated: Floats
    first: Ints
    last: Ints
    dropped: Bools

    def take(self, columns: Ints) -> CellEstimates:
        """Select cells."""
        return replace(
            self,
            cells=tuple(self.cells[j] for j in columns),
            dropped=self.dropped[columns],
            **{name: getattr(self, name)[:, columns] for name in _BY_CELL},
        )

    def widened(self, cells: tuple[Cell, ...]) -> CellEstimates:
        """Append cells that no replicate has an estimate of so far."""
        n_rep, k = len(self.att), len(cells)
        empty = {
            "att": np.full((n_rep, k), np.nan),
            "code": np.full((n_rep, k), Code.NO_PERIOD, dtype=np.int8),
            "column": np.full((n_rep, k), -1, dtype=np.int16),
            "changed": np.zeros((n_rep, k), dtype=bool),
            "treated": np.zeros((n_rep, k)),
        }
        return replace(
            self,
            cells=self.cells + cells,
            dropped=np.pad(self.dropped, ((0, k), (0, 0))),
            **{name: np.hstack([getattr(self, name), empty[name]]) for name in _BY_CELL},
        )


_BY_CELL = ("att", "code", "column", "changed", "treated")


class Group(NamedTuple):
    """Cells that share their rows and covariates, and so all fits but the outcomes."""

    cohort: int
    comparison: Cohorts
    arms: tuple[Arm, ...]


class Regression(NamedTuple):
    """Regressions of all outcomes on the covariates among some cohorts in an arm.

    Attributes
    ----------
    beta : (R, O, k)
    dependent : (R,) first column that depends on those before it, -1 if none
    keep : (R, k) columns that are used
    """

    beta: Floats
    dependent: Ints
    keep: Bools


class TwoByTwo:
    """The 2x2 estimators on the sums of one design, for sets of replicates."""

    def __init__(self, moments: Moments, options: Options) -> None:
        self.moments = moments
        self.method = options.est_method
        self.drop = options.collinear == "drop"
        self.weighted = options.weightsname is not None
        self.progress = options.progress
        self._empty: dict[Group, Codes] = {}
        self._regressions: dict[tuple[Cohorts, Arm], Regression] = {}
        self._propensity: tuple[Group, Propensity] | None = None

    def empty(self, cell: Cell) -> Codes:
        """Return `Code.NO_TREATED`, `NO_COMPARISON` or 0 by replicate, (R,)."""
        arms = self.moments.design.arms(cell.base, cell.time)
        group = Group(cell.group, cell.comparison, arms)
        if group not in self._empty:
            self._empty[group] = self._find_empty(group)
        return self._empty[group]

    def _find_empty(self, group: Group) -> Codes:
        code = np.zeros(self.moments.n_replicates, dtype=np.int8)
        for arm in group.arms:
            for cohorts, reason in (
                (group.comparison, Code.NO_COMPARISON),
                ((group.cohort,), Code.NO_TREATED),
            ):
                weight = self.moments.sums(cohorts, arm).weight
                code[(self.moments.counts(cohorts, arm) == 0) | (weight <= 0)] = reason
        return code

    def estimate(self, cells: tuple[Cell, ...], replicates: Ints) -> CellEstimates:
        """Estimate cells in some replicates, (r, K)."""
        shape = (replicates.size, len(cells))
        result = CellEstimates(
            cells=cells,
            att=np.full(shape, np.nan),
            code=np.zeros(shape, dtype=np.int8),
            column=np.full(shape, -1, dtype=np.int16),
            changed=np.zeros(shape, dtype=bool),
            treated=np.zeros(shape),
            first=np.zeros(replicates.size, dtype=np.int64),
            last=np.zeros(replicates.size, dtype=np.int64),
            dropped=np.zeros((len(cells), self.moments.design.x.shape[2]), dtype=bool),
        )
        groups = self.groups(cells)
        with Progress(self.progress, len(groups) * replicates.size) as progress:
            self.moments.tick = progress.advance
            for number, (group, members) in enumerate(groups.items()):
                self._estimate_group(group, members, replicates, result)
                progress.reach((number + 1) * replicates.size)
            self.moments.tick = None
        result.att[result.code != Code.OK] = np.nan
        return result

    def treated_weight(self, group: Group) -> Floats:
        """Add up the weights of the treated rows of all arms, (R,)."""
        sums = [self.moments.sums((group.cohort,), arm).weight for arm in group.arms]
        return np.asarray(np.sum(sums, axis=0))

    def groups(self, cells: tuple[Cell, ...]) -> dict[Group, list[int]]:
        """Collect the positions of cells that share rows and covariates."""
        groups: dict[Group, list[int]] = {}
        for j, cell in enumerate(cells):
            arms = self.moments.design.arms(cell.base, cell.time)
            groups.setdefault(Group(cell.group, cell.comparison, arms), []).append(j)
        return groups

    def _estimate_group(
        self, group: Group, members: list[int], replicates: Ints, into: CellEstimates
    ) -> None:
        """Write the estimates of the cells of one group."""
        cells = into.cells
        into.code[:, members] = self.empty(cells[members[0]])[replicates][:, None]
        into.treated[:, members] = self.treated_weight(group)[replicates][:, None]
        into.att[:, [j for j in members if cells[j].reference]] = 0.0
        members = [j for j in members if not cells[j].reference]
        if members:
            self._estimate_moving(group, members, replicates, into)

    def _estimate_moving(
        self, group: Group, members: list[int], replicates: Ints, into: CellEstimates
    ) -> None:
        """Write the estimates of the cells of one group that are not zero by construction."""
        outcome = self.moments.design.outcome
        pairs = np.array(
            [(outcome(into.cells[j].time), outcome(into.cells[j].base)) for j in members]
        )
        outcomes = np.unique(pairs)
        of_time, of_base = np.searchsorted(outcomes, pairs).T
        with np.errstate(divide="ignore", invalid="ignore"):
            contrasts = [
                self.contrast(group, side, outcomes, replicates) for side in range(len(group.arms))
            ]
        att = contrasts[0][:, of_time] - contrasts[-1][:, of_base]
        failed, column = self.failures(group)
        code = into.code[:, members]
        code = np.where(code == Code.OK, failed[replicates][:, None], code)
        trimmed = (code == Code.OK) & ~np.isfinite(att)
        into.code[:, members] = np.where(trimmed, Code.OVERLAP, code)
        into.column[:, members] = np.where(
            code == Code.SINGULAR, column[replicates][:, None], into.column[:, members]
        )
        into.att[:, members] = att
        into.dropped[members] = self.dropped(group)

    def regression(self, cohorts: Cohorts, arm: Arm) -> Regression:
        """Regress outcomes on covariates among some cohorts in an arm, in all replicates."""
        key = (cohorts, arm)
        if key not in self._regressions:
            sums = self.moments.sums(cohorts, arm)
            keep = np.ones(sums.gram.shape[:2], dtype=bool)
            lower, scale, dependent = kernels.factor(sums.gram, keep, self.drop)
            if not self.drop:
                lower[dependent >= 0] = 0.0
            beta = kernels.solve(lower, scale, sums.cross)
            self._regressions[key] = Regression(beta, dependent, scale > 0)
        return self._regressions[key]

    def propensity(self, group: Group) -> Propensity:
        """Fit the propensity of a group in all replicates; the last one is kept."""
        if self._propensity is None or self._propensity[0] != group:
            rows = self.moments.logit_rows(*group)
            fit = fit_propensity(self.moments, rows, self.weighted, self.drop)
            self._propensity = group, fit
        return self._propensity[1]

    def failures(self, group: Group) -> tuple[Codes, NDArray[np.int16]]:
        """Return `Code` of failed fits and the covariate they failed at, (R,) each."""
        code = np.zeros(self.moments.n_replicates, dtype=np.int8)
        column = np.full(code.size, -1, dtype=np.int16)
        for dependent in () if self.drop else self._dependent(group):
            new = (dependent >= 0) & (code == Code.OK)
            code[new], column[new] = Code.SINGULAR, dependent[new]
        if self.method != "reg":
            code[(code == Code.OK) & ~self.propensity(group).overlap] = Code.OVERLAP
        return code, column

    def _dependent(self, group: Group) -> Iterator[Ints]:
        """Yield the first dependent column of every regression or logit design of a group."""
        if self.method == "ipw":
            gram = self.moments.gram(self.moments.logit_rows(*group))
            yield kernels.factor(gram, np.ones(gram.shape[:2], dtype=bool), False)[2]
        else:
            for regression in self._group_regressions(group):
                yield regression.dependent

    def _group_regressions(self, group: Group) -> Iterator[Regression]:
        """Yield the regressions that the estimator uses."""
        if self.method == "ipw":
            return
        for arm in group.arms:
            yield self.regression(group.comparison, arm)
            if self.method == "dr" and len(group.arms) > 1:
                yield self.regression((group.cohort,), arm)

    def dropped(self, group: Group) -> Bools:
        """Return which covariates any fit of the full sample leaves out, (k,)."""
        dropped = np.zeros(self.moments.design.x.shape[2], dtype=bool)
        if self.drop:
            for regression in self._group_regressions(group):
                dropped |= ~regression.keep[0]
            if self.method != "reg":
                dropped |= ~self.propensity(group).keep[0]
        return dropped

    def contrast(self, group: Group, side: int, outcomes: Ints, replicates: Ints) -> Floats:
        """Mean outcome of the treated less its counterfactual mean, on one side of a comparison.

        Parameters
        ----------
        side : position in `group.arms`
        outcomes : (o,) columns of the design's outcomes
        replicates : (r,)

        Returns
        -------
        (r, o)
        """
        arm = group.arms[side]
        treated = self.moments.sums((group.cohort,), arm)
        weight = treated.weight[replicates][:, None]
        value = treated.y[np.ix_(replicates, outcomes)] / weight
        own_x = treated.x[replicates] / weight
        if self.method == "reg":
            x = self._pooled_mean(group, replicates)
            return value - _predict(x, self._beta(group.comparison, arm, outcomes, replicates))
        k = own_x.shape[1]
        ratio = self.propensity(group).odds_sums(
            self.moments, group.comparison, arm, replicates, outcomes
        )
        ratio_weight = ratio[:, :1]
        value = value - ratio[:, k:] / ratio_weight
        if self.method == "ipw":
            return value
        beta = self._beta(group.comparison, arm, outcomes, replicates)
        value = value - _predict(own_x - ratio[:, :k] / ratio_weight, beta)
        if len(group.arms) > 1:
            x = self._pooled_mean(group, replicates)
            own = self._beta((group.cohort,), arm, outcomes, replicates)
            value = value + _predict(x - own_x, own - beta)
        return value

    def _beta(self, cohorts: Cohorts, arm: Arm, outcomes: Ints, replicates: Ints) -> Floats:
        """Return regression coefficients, (r, o, k)."""
        return self.regression(cohorts, arm).beta[np.ix_(replicates, outcomes)]

    def _pooled_mean(self, group: Group, replicates: Ints) -> Floats:
        """Return the covariate mean of the treated over all arms, (r, k)."""
        sums = [self.moments.sums((group.cohort,), arm) for arm in group.arms]
        x = np.sum([s.x[replicates] for s in sums], axis=0)
        return np.asarray(x / np.sum([s.weight[replicates] for s in sums], axis=0)[:, None])


def _predict(x: Floats, beta: Floats) -> Floats:
    """Multiply (r, k) covariates with (r, o, k) coefficients: (r, o)."""
    return np.asarray(np.einsum("rk,rok->ro", x, beta))
