"""Sums by replicate -> ATT(g,t), for the full sample and all delete-one-cluster samples at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from didjack._typing import Bools, Floats, Ints
from didjack.estimation import linear_systems
from didjack.estimation.cells import Cell, CellEstimates, Code, Codes, Sizes
from didjack.estimation.control_cohorts import shares_of_cell
from didjack.estimation.estimators import ESTIMATORS, Comparison, Regression, Side, with_columns
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.propensity import Propensity, constant_overlap, fit_propensity
from didjack.estimation.sums import SumSource
from didjack.memo import Memo
from didjack.options import EstimationOptions
from didjack.progress import Progress

OK, OVERLAP, SINGULAR = int(Code.OK), int(Code.OVERLAP), int(Code.SINGULAR)
NO_TREATED, NO_COMPARISON = int(Code.NO_TREATED), int(Code.NO_COMPARISON)
"""As numbers, with which arrays are compared faster than with members of `Code`."""


class Group(NamedTuple):
    """Cells that share one comparison.

    Attributes
    ----------
    number : which of the comparisons of these cells it is, the first, the second, ...
    sign : how it counts
    sizes : those of the control cohort whose share it counts by; None: it counts fully
    comparison : Comparison
    members : positions of the cells
    """

    number: int
    sign: int
    sizes: Sizes | None
    comparison: Comparison
    members: list[int]

    def added(self, so_far: Floats, values: Floats, share: Floats | None = None) -> Floats:
        """Add the comparison's values to the sum of those before it, or begin with them.

        Parameters
        ----------
        share : of the comparison, if it does not count fully; where it is zero there may be no
            values
        """
        signed = values if self.sign > 0 else -values
        if share is not None:
            signed = np.where(share > 0, share * signed, 0.0)
        return signed if self.number == 0 else so_far + signed


def columns(positions: list[int]) -> slice | list[int]:
    """Return sorted positions as a slice where they are neighbours: no copies are made of it."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if last - first == len(positions) - 1 else positions


class TwoByTwo:
    """The 2x2 estimators on the sums of one sample, for sets of replicates."""

    def __init__(
        self, source: SumSource, options: EstimationOptions, progress: bool | None
    ) -> None:
        self.source = source
        asked = ESTIMATORS[options.est_method]
        self.estimator = with_columns(asked, source.layout.k)
        self._asks_overlap = asked.has_logit
        self._drop = options.collinear == "drop"
        self._progress = progress
        self._memo = Memo()
        self._last_propensity = Memo(most=1)

    def _comparison(self, cell: Cell, number: int) -> Comparison:
        """Return one of the comparisons of a cell, apart from its outcomes."""
        periods = cell.periods
        arms = self._memo.get(("arms", periods), partial(self.source.layout.arms, *periods))
        one = cell.comparisons[number]
        return Comparison(one.treated, one.others, arms)

    def empty(self, cell: Cell) -> Codes:
        """Return `Code.NO_TREATED`, `NO_COMPARISON` or 0 by replicate, (R,)."""
        code = self._empty_comparison(0, self._comparison(cell, 0))
        for number in range(1, len(cell.comparisons)):
            if cell.comparisons[number].sizes is None:
                lost = self._empty_comparison(number, self._comparison(cell, number))
                code = np.where(code == OK, lost, code)
        if len(cell.comparisons) > 1 and cell.sizes:
            code = np.where(code == OK, self._without_cohorts(cell), code)
        return code

    def _without_cohorts(self, cell: Cell) -> Codes:
        """Return the code of replicates in which none of the control cohorts is left, (R,)."""
        some = np.any([share > 0 for share in self._shares(cell).values()], axis=0)
        return np.where(some, OK, NO_COMPARISON).astype(np.int8)

    def _shares(self, cell: Cell) -> dict[Sizes, Floats]:
        """Return the share of each control cohort of a cell, (R,) each."""
        arms = self._comparison(cell, 0).arms
        make = partial(shares_of_cell, self.source, cell)
        return self._memo.get(("shares", cell.sizes, arms), make)

    def share(self, group: Group, cells: tuple[Cell, ...], members: list[int]) -> Floats | None:
        """Return how much a comparison counts in some cells, (R, m); None: fully."""
        if group.sizes is None:
            return None
        return np.stack([self._shares(cells[j])[group.sizes] for j in members], axis=1)

    def _empty_comparison(self, number: int, comparison: Comparison) -> Codes:
        """Return the code of one comparison; all that the first is compared with are controls."""
        code = self._memo.get(("empty", comparison), partial(self._find_empty, comparison))
        return code if number == 0 else np.where(code == OK, code, NO_COMPARISON)

    def _find_empty(self, comparison: Comparison) -> Codes:
        code = np.zeros(1 + self.source.n_deleted, dtype=np.int8)
        for arm in comparison.arms:
            for cohorts, reason in (
                (comparison.others, NO_COMPARISON),
                ((comparison.treated,), NO_TREATED),
            ):
                key = ("gone", cohorts, arm)
                gone = self._memo.get(key, partial(self._gone, cohorts, arm))
                if gone.size:
                    code[gone] = reason
        return code

    def _gone(self, cohorts: Classes, arm: Arm) -> Ints:
        """Return the replicates in which some cohorts have no rows in an arm, or no weight."""
        weight = self.source.weights(cohorts, arm)
        return np.flatnonzero((self.source.counts(cohorts, arm) == 0) | (weight <= 0))

    def estimate(self, cells: tuple[Cell, ...], replicates: Ints) -> CellEstimates:
        """Estimate cells in some replicates, (r, K)."""
        layout, logits = self.source.layout, self.source.logits
        result = CellEstimates.blank(cells, replicates.size, layout.k, Code.OK)
        groups = self.groups(cells)
        with Progress(self._progress, len(groups) * replicates.size) as progress:
            logits.tick = progress.advance
            for number, group in enumerate(groups):
                self._add_group(group, replicates, result)
                progress.reach((number + 1) * replicates.size)
            logits.tick = None
        result.att[result.code != OK] = np.nan
        return result

    def groups(self, cells: tuple[Cell, ...]) -> list[Group]:
        """Collect cells that share rows and covariates, for their first comparisons, and so on."""
        groups: list[Group] = []
        for number in range(max((len(cell.comparisons) for cell in cells), default=0)):
            found: dict[tuple[int, Sizes | None, Comparison], list[int]] = {}
            for j, cell in enumerate(cells):
                if number < len(cell.comparisons):
                    one = cell.comparisons[number]
                    key = one.sign, one.sizes, self._comparison(cell, number)
                    found.setdefault(key, []).append(j)
            groups += [Group(number, *key, members) for key, members in found.items()]
        return groups

    def _treated_weight(self, comparison: Comparison) -> Floats:
        """Add up the weights of the treated rows of all arms, (R,)."""
        treated = (comparison.treated,)
        weights = [self.source.weights(treated, arm) for arm in comparison.arms]
        return np.asarray(np.sum(weights, axis=0))

    def _add_group(self, group: Group, replicates: Ints, into: CellEstimates) -> None:
        """Add one comparison to the estimates of the cells that share it."""
        lost, everywhere = self._lost(group, into.cells)[replicates], columns(group.members)
        if lost.any():
            code = into.code[:, everywhere]
            into.code[:, everywhere] = np.where(code == OK, lost, code)
        members = [j for j in group.members if not into.cells[j].is_base]
        if group.number == 0:
            weight = self._treated_weight(group.comparison)[replicates]
            into.treated[:, everywhere] = weight[:, None]
            into.att[:, [j for j in group.members if into.cells[j].is_base]] = 0.0
        if members and (into.code[:, columns(members)] == OK).any():  # something to fit
            self._add_moving(group._replace(members=members), replicates, into)

    def _lost(self, group: Group, cells: tuple[Cell, ...]) -> Codes:
        """Return the code of replicates that have no rows for a comparison, (R, m) or (R, 1)."""
        if group.sizes is None:
            return self._empty_comparison(group.number, group.comparison)[:, None]
        return np.stack([self._without_cohorts(cells[j]) for j in group.members], axis=1)

    def _add_moving(self, group: Group, replicates: Ints, into: CellEstimates) -> None:
        """Add one comparison to the estimates of cells that are not zero by construction."""
        comparison, members = group.comparison, columns(group.members)
        outcome = self.source.layout.outcome
        cells = [into.cells[j] for j in group.members]
        pairs = [(outcome(cell.time), outcome(cell.base)) for cell in cells]
        outcomes = np.array(sorted({one for pair in pairs for one in pair}))
        at = {one: number for number, one in enumerate(outcomes.tolist())}
        of_time, of_base = ([at[one] for one in side] for side in zip(*pairs, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            contrasts = [
                self.estimator.contrast(Side(self, comparison, number, outcomes, replicates))
                for number in range(len(comparison.arms))
            ]
        att = contrasts[0][:, of_time] - contrasts[-1][:, of_base]
        failed, column = self._failures(comparison)
        before, share = into.code[:, members], self.share(group, into.cells, group.members)
        asked = before == OK
        if share is not None:
            share = share[replicates]
            asked &= share > 0
        code = np.where(asked, failed[replicates][:, None], before)
        new = (code == SINGULAR) & (before == OK)
        if new.any():
            so_far = into.column[:, members]
            into.column[:, members] = np.where(new, column[replicates][:, None], so_far)
        trimmed = asked & (code == OK) & ~np.isfinite(att)
        into.code[:, members] = np.where(trimmed, OVERLAP, code)
        into.att[:, members] = group.added(into.att[:, members], att, share)
        if self._drop:
            into.dropped[members] |= self._dropped(comparison)

    def regression(self, cohorts: Classes, arm: Arm) -> Regression:
        """Prepare regressions on covariates among some cohorts in an arm, in all replicates."""
        key = ("regression", cohorts, arm)
        return self._memo.get(key, partial(self._new_regression, cohorts, arm))

    def _new_regression(self, cohorts: Classes, arm: Arm) -> Regression:
        gram = self.source.gram(cohorts, arm)
        keep = np.ones(gram.shape[:2], dtype=bool)
        lower, scale, dependent = linear_systems.factor(gram, keep, self._drop)
        if not self._drop:
            lower[dependent >= 0] = 0.0
        return Regression(dependent, scale > 0, [lower, scale], {})

    def coefficients(self, cohorts: Classes, arm: Arm, outcomes: Ints) -> Floats:
        """Regress outcomes, (o,), on covariates among some cohorts in an arm, (R, o, k)."""
        _, _, factors, beta = self.regression(cohorts, arm)
        new = [o for o in outcomes.tolist() if o not in beta]
        if new:
            cross = self.source.cross(cohorts, arm, np.array(new))
            lower, scale = factors
            solved = linear_systems.solve(lower, scale, np.ascontiguousarray(cross))
            beta.update({o: solved[:, number] for number, o in enumerate(new)})
            if len(beta) == self.source.shape[1]:
                factors.clear()
            if len(new) == outcomes.size:
                return solved
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
            new = (dependent >= 0) & (code == OK)
            code[new], column[new] = SINGULAR, dependent[new]
        if self._asks_overlap:
            code[(code == OK) & ~self._overlap(comparison)] = OVERLAP
        return code, column

    def _overlap(self, comparison: Comparison) -> Bools:
        """Return whether the propensities of a comparison stay away from one, (R,)."""
        if self.estimator.has_logit:
            return self.propensity(comparison).overlap
        return constant_overlap(self.source, *comparison)

    def _dependent(self, comparison: Comparison) -> Iterator[Ints]:
        """Yield the first dependent column of each regression, or of the logit's design."""
        regressions = self.estimator.regressions(comparison)
        for cohorts, arm in regressions:
            yield self.regression(cohorts, arm).dependent
        if self.estimator.has_logit and not regressions:
            logits = self.source.logits
            gram = logits.gram(logits.model(*comparison))
            yield linear_systems.factor(gram, np.ones(gram.shape[:2], dtype=bool), False)[2]

    def _dropped(self, comparison: Comparison) -> Bools:
        """Return which covariates any fit of the full sample leaves out, (k,)."""
        dropped = np.zeros(self.source.layout.k, dtype=bool)
        for cohorts, arm in self.estimator.regressions(comparison):
            dropped |= ~self.regression(cohorts, arm).keep[0]
        if self.estimator.has_logit:
            dropped |= ~self.propensity(comparison).keep[0]
        return dropped
