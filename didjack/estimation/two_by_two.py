"""Sums by replicate -> ATT(g,t), for the full sample and all delete-one-cluster samples at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.cells import Cell, CellEstimates, Code, Codes
from didjack.estimation.estimators import ESTIMATORS, Comparison, Regression, Side
from didjack.estimation.kernels import linear_algebra
from didjack.estimation.layout import Arm, Cohorts
from didjack.estimation.propensity import Propensity, fit_propensity
from didjack.estimation.sums import SumSource
from didjack.memo import Memo
from didjack.options import EstimationOptions
from didjack.progress import Progress


class TwoByTwo:
    """The 2x2 estimators on the sums of one sample, for sets of replicates."""

    def __init__(
        self, source: SumSource, options: EstimationOptions, progress: bool | None
    ) -> None:
        self.source = source
        self.estimator = ESTIMATORS[options.est_method]
        self._drop = options.collinear == "drop"
        self._progress = progress
        self._memo = Memo()
        self._last_propensity = Memo(most=1)

    def comparison(self, cell: Cell) -> Comparison:
        """Return what a cell compares, apart from its outcomes."""
        periods = cell.periods
        arms = self._memo.get(("arms", periods), partial(self.source.layout.arms, *periods))
        return Comparison(cell.cohort, cell.comparison, arms)

    def empty(self, cell: Cell) -> Codes:
        """Return `Code.NO_TREATED`, `NO_COMPARISON` or 0 by replicate, (R,)."""
        comparison = self.comparison(cell)
        return self._memo.get(("empty", comparison), partial(self._find_empty, comparison))

    def _find_empty(self, comparison: Comparison) -> Codes:
        code = np.zeros(1 + self.source.n_deleted, dtype=np.int8)
        for arm in comparison.arms:
            for cohorts, reason in (
                (comparison.others, Code.NO_COMPARISON),
                ((comparison.cohort,), Code.NO_TREATED),
            ):
                weight = self.source.weights(cohorts, arm)
                code[(self.source.counts(cohorts, arm) == 0) | (weight <= 0)] = reason
        return code

    def estimate(self, cells: tuple[Cell, ...], replicates: Ints) -> CellEstimates:
        """Estimate cells in some replicates, (r, K)."""
        layout, logits = self.source.layout, self.source.logits
        result = CellEstimates.blank(cells, replicates.size, layout.k, Code.OK)
        comparisons = self.comparisons(cells)
        with Progress(self._progress, len(comparisons) * replicates.size) as progress:
            logits.tick = progress.advance
            for number, (comparison, members) in enumerate(comparisons.items()):
                self._estimate_members(comparison, members, replicates, result)
                progress.reach((number + 1) * replicates.size)
            logits.tick = None
        result.att[result.code != Code.OK] = np.nan
        return result

    def comparisons(self, cells: tuple[Cell, ...]) -> dict[Comparison, list[int]]:
        """Collect the positions of cells that share rows and covariates."""
        found: dict[Comparison, list[int]] = {}
        for j, cell in enumerate(cells):
            found.setdefault(self.comparison(cell), []).append(j)
        return found

    def _treated_weight(self, comparison: Comparison) -> Floats:
        """Add up the weights of the treated rows of all arms, (R,)."""
        cohort = (comparison.cohort,)
        weights = [self.source.weights(cohort, arm) for arm in comparison.arms]
        return np.asarray(np.sum(weights, axis=0))

    def _estimate_members(
        self, comparison: Comparison, members: list[int], replicates: Ints, into: CellEstimates
    ) -> None:
        """Write the estimates of the cells of one comparison."""
        cells = into.cells
        into.code[:, members] = self.empty(cells[members[0]])[replicates][:, None]
        into.treated[:, members] = self._treated_weight(comparison)[replicates][:, None]
        into.att[:, [j for j in members if cells[j].is_base]] = 0.0
        members = [j for j in members if not cells[j].is_base]
        if members and (into.code[:, members] == Code.OK).any():  # there is something to fit
            self._estimate_moving(comparison, members, replicates, into)

    def _estimate_moving(
        self, comparison: Comparison, members: list[int], replicates: Ints, into: CellEstimates
    ) -> None:
        """Write the estimates of cells that are not zero by construction."""
        outcome = self.source.layout.outcome
        pairs = np.array(
            [(outcome(into.cells[j].time), outcome(into.cells[j].base)) for j in members]
        )
        outcomes = np.unique(pairs)
        of_time, of_base = np.searchsorted(outcomes, pairs).T
        with np.errstate(divide="ignore", invalid="ignore"):
            contrasts = [
                self.estimator.contrast(Side(self, comparison, number, outcomes, replicates))
                for number in range(len(comparison.arms))
            ]
        att = contrasts[0][:, of_time] - contrasts[-1][:, of_base]
        failed, column = self._failures(comparison)
        code = into.code[:, members]
        code = np.where(code == Code.OK, failed[replicates][:, None], code)
        trimmed = (code == Code.OK) & ~np.isfinite(att)
        into.code[:, members] = np.where(trimmed, Code.OVERLAP, code)
        into.column[:, members] = np.where(
            code == Code.SINGULAR, column[replicates][:, None], into.column[:, members]
        )
        into.att[:, members] = att
        into.dropped[members] = self._dropped(comparison)

    def regression(self, cohorts: Cohorts, arm: Arm) -> Regression:
        """Prepare regressions on covariates among some cohorts in an arm, in all replicates."""
        key = ("regression", cohorts, arm)
        return self._memo.get(key, partial(self._new_regression, cohorts, arm))

    def _new_regression(self, cohorts: Cohorts, arm: Arm) -> Regression:
        gram = self.source.sums(cohorts, arm).gram
        keep = np.ones(gram.shape[:2], dtype=bool)
        lower, scale, dependent = linear_algebra.factor(gram, keep, self._drop)
        if not self._drop:
            lower[dependent >= 0] = 0.0
        return Regression(dependent, scale > 0, [lower, scale], {})

    def coefficients(self, cohorts: Cohorts, arm: Arm, outcomes: Ints) -> Floats:
        """Regress outcomes, (o,), on covariates among some cohorts in an arm, (R, o, k)."""
        _, _, factors, beta = self.regression(cohorts, arm)
        new = [o for o in outcomes.tolist() if o not in beta]
        if new:
            cross = self.source.sums(cohorts, arm).cross
            lower, scale = factors
            solved = linear_algebra.solve(lower, scale, np.ascontiguousarray(cross[:, new]))
            beta.update({o: solved[:, number] for number, o in enumerate(new)})
            if len(beta) == cross.shape[1]:
                factors.clear()
        return np.stack([beta[o] for o in outcomes.tolist()], axis=1)

    def propensity(self, comparison: Comparison) -> Propensity:
        """Fit the propensity of a comparison in all replicates; the last one is kept."""
        return self._last_propensity.get(comparison, partial(self._fit_propensity, comparison))

    def _fit_propensity(self, comparison: Comparison) -> Propensity:
        model = self.source.logits.model(*comparison)
        return fit_propensity(self.source, model, self.source.layout.weighted, self._drop)

    def _failures(self, comparison: Comparison) -> tuple[Codes, NDArray[np.int16]]:
        """Return `Code` of failed fits and the covariate they failed at, (R,) each."""
        code = np.zeros(1 + self.source.n_deleted, dtype=np.int8)
        column = np.full(code.size, -1, dtype=np.int16)
        for dependent in () if self._drop else self._dependent(comparison):
            new = (dependent >= 0) & (code == Code.OK)
            code[new], column[new] = Code.SINGULAR, dependent[new]
        if self.estimator.has_logit:
            code[(code == Code.OK) & ~self.propensity(comparison).overlap] = Code.OVERLAP
        return code, column

    def _dependent(self, comparison: Comparison) -> Iterator[Ints]:
        """Yield the first dependent column of each regression, or of the logit's design."""
        regressions = self.estimator.regressions(comparison)
        for cohorts, arm in regressions:
            yield self.regression(cohorts, arm).dependent
        if self.estimator.has_logit and not regressions:
            logits = self.source.logits
            gram = logits.gram(logits.model(*comparison))
            yield linear_algebra.factor(gram, np.ones(gram.shape[:2], dtype=bool), False)[2]

    def _dropped(self, comparison: Comparison) -> Bools:
        """Return which covariates any fit of the full sample leaves out, (k,)."""
        dropped = np.zeros(self.source.layout.k, dtype=bool)
        if self._drop:
            for cohorts, arm in self.estimator.regressions(comparison):
                dropped |= ~self.regression(cohorts, arm).keep[0]
            if self.estimator.has_logit:
                dropped |= ~self.propensity(comparison).keep[0]
        return dropped
