"""Differences of overall effects, with cohorts permuted in both fits at once.

Under the null the effect of the first is that of the second and the same constant more, in all
treated unit-periods; so E, from which estimates are linear in that constant, is of the first alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee

import numpy as np

from didjack._typing import Ints
from didjack.errors import DataError, OptionError
from didjack.estimation.fit import Fit
from didjack.estimation.sums import SumSource
from didjack.inference.permutation.permuted import Estimates, Overall
from didjack.inference.stacked import StackedFit
from didjack.inference.targets import cell_size
from didjack.leave_one_out import Replicates
from didjack.memo import Memo


def _moved(fit: StackedFit, cohort: Ints) -> list[Ints]:
    """Return the cohorts of the clusters of each fit, (H_p,) positions; -1 without units."""
    cohorts, found = fit.layout.cohorts, []
    for part, place in zip(fit.parts, fit.matched.places, strict=True):
        own = cohort[place]
        at = np.searchsorted(part.layout.cohorts, cohorts[own])
        found.append(np.where(own < 0, -1, at))
    return found


class Compared:
    """What all differences have in common."""

    def exchangeable(self, fit: Fit) -> Ints:
        """Return codes of clusters, (H,): those alike have units in the same fits."""
        stacked = _stacked(fit)
        code = np.zeros(stacked.matched.n, dtype=np.int64)
        for part, place in enumerate(stacked.matched.places):
            there = stacked.parts[part].layout.n_units.sum(axis=1) > 0
            code[place] += 2**part * there
        return code

    def size(self, fit: Fit) -> float:
        """Return the size of what it is made of, by which rounding errors go."""
        parts = _stacked(fit).parts[:2]
        return float(sum(np.nanmax(cell_size(part), initial=0.0) for part in parts))


@dataclass(frozen=True, slots=True)
class OverallDifference(Compared):
    """An aggregated effect of one fit less that of another.

    Attributes
    ----------
    first, second : which effects
    """

    first: Overall
    second: Overall

    def estimate(self, fit: Fit) -> Replicates[np.float64]:
        """Return it in all replicates that the options of the fit need, (R,)."""
        stacked = _stacked(fit)
        a, b = stacked.parts[:2]
        return self._less(stacked, self.first.estimate(a), self.second.estimate(b))

    def under_assignments(self, fit: Fit, cohorts: Iterable[Ints]) -> Iterator[Estimates]:
        """Yield it under cohorts of the clusters, (H,) positions each, in their order."""
        stacked = _stacked(fit)
        one, two = stacked.parts[:2]
        firsts, seconds = tee(_moved(stacked, cohort)[:2] for cohort in cohorts)
        first = self.first.under_assignments(one, (own for own, _ in firsts))
        second = self.second.under_assignments(
            two, (other for _, other in seconds), with_treatment=False
        )
        for (y, e), (less,) in zip(first, second, strict=True):
            nothing = less.map(lambda theta: 0.0 * theta)
            yield self._less(stacked, y, less), self._less(stacked, e, nothing)

    def _less(
        self, fit: StackedFit, one: Replicates[np.float64], two: Replicates[np.float64]
    ) -> Replicates[np.float64]:
        spread = fit.matched.replicates
        return Replicates(spread(0, one.stacked) - spread(1, two.stacked))


@dataclass(frozen=True, slots=True)
class AggregatedDifference(Compared):
    """An aggregation of differences of ATT(g,t), with the weights of the first fit.

    Attributes
    ----------
    overall : which aggregation
    """

    overall: Overall

    def estimate(self, fit: Fit) -> Replicates[np.float64]:
        """Return it in all replicates that the options of the fit need, (R,)."""
        return self.overall.estimate(fit)

    def under_assignments(self, fit: Fit, cohorts: Iterable[Ints]) -> Iterator[Estimates]:
        """Yield it under cohorts of the clusters, (H,) positions each, in their order."""
        stacked = _stacked(fit)
        # Sums of the two outcomes, and of E in the first, that keep what they add up.
        a, b = (part.source.replicated(False) for part in stacked.parts[:2])
        treated = a.of_treatment()
        for cohort in cohorts:
            own, other = _moved(stacked, cohort)[:2]
            less = b.relabelled(other)
            yield (
                self._of(stacked, (a.relabelled(own), less), only_first=False),
                self._of(stacked, (treated.relabelled(own), less), only_first=True),
            )

    def _of(
        self, fit: StackedFit, sources: tuple[SumSource, SumSource], only_first: bool
    ) -> Replicates[np.float64]:
        """Return the estimate from other sums; NaN if there is none."""
        parts = tuple(
            Fit(part.options, part.ledger, source)
            for part, source in zip(fit.parts, sources, strict=True)
        )
        try:
            moved = replace(fit, parts=parts, only_first=only_first, _memo=Memo())
            return self.overall.estimate(moved)
        except (DataError, OptionError):  # no ATT(g,t) in both, or none in the window
            n_rep = 1 + fit.matched.n * fit.options.inference.jackknife
            return Replicates(np.full(n_rep, np.nan))


def _stacked(fit: Fit) -> StackedFit:
    assert isinstance(fit, StackedFit)  # whose difference this is
    return fit
