"""Many assignments of cohorts to clusters at a time, each with all of its replicates.

The sums of P assignments are stacked to P R replicates: `TwoByTwo` estimates them in one go, by the
lines that estimate a single sample, so that an assignment has the same estimates, to the last bit,
as it has alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.cells import CellEstimates, Code, Plan
from didjack.estimation.estimators import ESTIMATORS, Comparison
from didjack.estimation.fit import Fit
from didjack.estimation.layout import Layout
from didjack.estimation.passes import Logit, OddsOf
from didjack.estimation.propensity import Propensity, fit_propensity
from didjack.estimation.replicates import CellPlan, Planner, put_balanced, shares, solve
from didjack.estimation.stacked_sums import Relabelled, StackedSums
from didjack.estimation.sums import SumSource
from didjack.estimation.two_by_two import TwoByTwo
from didjack.memo import Memo
from didjack.options import EstimationOptions

# ---- propensities --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StackedPropensity(Propensity):
    """The propensity model of one comparison under all assignments.

    Attributes
    ----------
    each : those of the P assignments
    """

    each: tuple[Propensity, ...] = ()

    @classmethod
    def from_each(cls, each: tuple[Propensity, ...]) -> StackedPropensity:
        """Stack their replicates."""
        logit = Logit(
            *(
                np.concatenate([getattr(one.logit, name) for one in each])
                for name in ("beta", "converged", "top")
            )
        )
        overlap = np.concatenate([one.overlap for one in each])
        return cls((), logit, overlap, np.concatenate([one.keep for one in each]), each)

    def odds_sums(self, logits: Any, of: OddsOf, replicates: Ints) -> Floats:
        """Sum odds-weighted covariates and outcomes of control rows, (r, k + o)."""
        n_rep = len(self.overlap) // len(self.each)
        result = np.empty((replicates.size, self.keep.shape[1] + of.outcomes.size))
        ends = np.searchsorted(replicates, n_rep * np.arange(len(self.each) + 1))  # sorted
        for p, (one, passes) in enumerate(zip(self.each, logits.each, strict=True)):
            own = slice(ends[p], ends[p + 1])
            if ends[p] < ends[p + 1]:
                result[own] = one.odds_sums(passes, of, replicates[own] - p * n_rep)
        return result


class StackedTwoByTwo(TwoByTwo):
    """The 2x2 estimators under all assignments.

    Parameters
    ----------
    propensities : those that were fitted for another outcome of the same assignments
    """

    def __init__(self, source: StackedSums, options: EstimationOptions, propensities: Memo) -> None:
        super().__init__(source, options, progress=False)
        self._relabelled = source.samples
        self._last_propensity = propensities

    def _fit_propensity(self, comparison: Comparison) -> Propensity:
        weighted = self.source.layout.weighted
        return StackedPropensity.from_each(
            tuple(
                fit_propensity(one, one.logits.model(*comparison), weighted, self._drop)
                for one in self._relabelled.each
            )
        )


# ---- estimates -----------------------------------------------------------------------------------

MOST_AT_ONCE = 2**18
"""So many estimates of cells, sums of outcomes, or rows of logits are in a batch: they fit into the
cache, and progress is told after a moment."""


class Stacked(NamedTuple):
    """Estimates under P assignments that have the same cells.

    Attributes
    ----------
    shown, extra : CellEstimates as in `Estimated`, P R rows
    share : (P R, C) weight of each cohort
    """

    shown: CellEstimates
    extra: CellEstimates
    share: Floats


class Assignments:
    """Estimates a sample under other assignments of cohorts to clusters.

    Parameters
    ----------
    sources : the sample, and the same with other outcomes; each keeps the sums of its strata
    n_cells : number of cells, or so
    """

    def __init__(
        self, sources: Sequence[SumSource], options: EstimationOptions, n_cells: int
    ) -> None:
        self.sources, self._options = sources, options
        self._planner = Planner(sources[0].layout, options)
        (n_rows, n_outcomes), k = sources[0].shape, self.layout.k
        passes = n_rows if ESTIMATORS[options.est_method].has_logit and k > 1 else 0
        self._step = max(1, MOST_AT_ONCE // (self.n_rep * max(n_cells, n_outcomes * k, passes)))

    @classmethod
    def from_fit(cls, fit: Fit, with_treatment: bool = False) -> Assignments:
        """Take the sample of a fit, in the replicates that its options need.

        Parameters
        ----------
        with_treatment : whether the indicator of actual treatment is a second outcome
        """
        source = fit.source.replicated(fit.options.inference.jackknife)
        sources = [source, source.of_treatment()] if with_treatment else [source]
        return cls(sources, fit.options.estimation, len(fit.estimates.cells))

    @property
    def layout(self) -> Layout:
        """Cohorts, periods, clusters and their labels."""
        return self.sources[0].layout

    @property
    def n_outcomes(self) -> int:
        """Number of outcomes."""
        return len(self.sources)

    @property
    def n_rep(self) -> int:
        """Number of replicates, R."""
        return 1 + self.sources[0].n_deleted

    def batches(self, cohorts: Iterable[Ints]) -> Iterator[Ints]:
        """Stack assignments, (H,) each, to batches that need little memory, (P, H) each."""
        left = iter(cohorts)
        while some := list(islice(left, self._step)):
            yield np.array(some)

    def estimate(self, cohort: Ints) -> Iterator[tuple[Ints, list[Stacked]]]:
        """Yield positions of assignments, and their estimates for each outcome.

        Parameters
        ----------
        cohort : (P, H) positions of the cohorts of clusters
        """
        first = self.sources[0]
        plans = [self._planner.plan(first.presence(one), first.n_deleted) for one in cohort]
        groups: dict[Hashable, list[int]] = {}
        for position, plan in enumerate(plans):  # the planner gives equal samples the same plans
            own = frozenset(id(own) for _, own in plan.others)
            groups.setdefault((id(plan.full), id(plan.shown), own), []).append(position)
        for members in groups.values():
            plan, propensities = _stack([plans[p] for p in members], self.n_rep), Memo()
            at = np.array(members)
            samples = [Relabelled(source, cohort[at]) for source in self.sources]
            yield at, [self._estimate(one, plan, propensities) for one in samples]

    def _estimate(self, relabelled: Relabelled, plan: CellPlan, propensities: Memo) -> Stacked:
        source = StackedSums(relabelled)
        shown, extra = solve(StackedTwoByTwo(source, self._options, propensities), plan)
        share = shares(source, shown.last)
        empty = np.isin(shown.code[:: self.n_rep], (Code.NO_TREATED, Code.NO_COMPARISON))
        if self.sources[0].arranged_again:
            for p, one in enumerate(relabelled.each):
                rows = slice(p * self.n_rep, (p + 1) * self.n_rep)
                parts = shown.part(rows), extra.part(rows)
                put_balanced(one, self._options, parts, share[rows], progress=False)
        none = np.repeat(empty.all(axis=1), self.n_rep)  # no ATT(g,t), which `estimate` refuses
        shown.att[none] = extra.att[none] = np.nan
        return Stacked(shown, extra, share)


def _stack(plans: list[CellPlan], n_rep: int) -> CellPlan:
    """Stack the plans of assignments that have the same cells, in the same or other replicates."""
    others: dict[int, tuple[list[Ints], Plan]] = {}
    for p, plan in enumerate(plans):
        for replicates, own in plan.others:
            others.setdefault(id(own), ([], own))[0].append(p * n_rep + replicates)
    stacked = [(np.concatenate(rows), own) for rows, own in others.values()]
    return plans[0]._replace(others=stacked)
