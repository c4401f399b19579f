"""What estimators are made of: means, regressions and odds on one side of a comparison."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.engine.logit import Propensity
from didjack.sums.layout import Arm, Cohorts
from didjack.sums.source import OddsOf, Sums, SumSource


class Comparison(NamedTuple):
    """A cohort against others in some arms: cells that share it share all fits but the outcomes."""

    cohort: int
    others: Cohorts
    arms: tuple[Arm, ...]

    @property
    def pooled(self) -> bool:
        """Whether the two periods have rows of their own."""
        return len(self.arms) > 1


class Regression(NamedTuple):
    """Regressions on the covariates among some cohorts in an arm.

    Attributes
    ----------
    dependent : (R,) first column that depends on those before it, -1 if none
    keep : (R, k) columns that are used
    factors : (R, k, k) and (R, k), those of `linear_algebra.factor`, until all outcomes are solved
    beta : outcome -> (R, k), of the outcomes that were asked for so far
    """

    dependent: Ints
    keep: Bools
    factors: list[Floats]
    beta: dict[int, Floats]


class Fits(Protocol):
    """Regressions and logits, each fitted once in all replicates."""

    @property
    def source(self) -> SumSource:
        """The sums they are fitted to."""

    def coefficients(self, cohorts: Cohorts, arm: Arm, outcomes: Ints) -> Floats:
        """Regress outcomes, (o,), on covariates among some cohorts in an arm, (R, o, k)."""

    def propensity(self, comparison: Comparison) -> Propensity:
        """Fit the propensity of a comparison."""


class Side:
    """One period's side of a comparison, in some replicates; computed when it is asked for.

    Parameters
    ----------
    fits : Fits
    comparison : Comparison
    number : position in its arms: 0 is the later period (on a balanced panel, both), 1 the base
    outcomes : (o,) which outcomes
    replicates : (r,)
    """

    def __init__(
        self, fits: Fits, comparison: Comparison, number: int, outcomes: Ints, replicates: Ints
    ) -> None:
        self._fits, self._outcomes, self._replicates = fits, outcomes, replicates
        self.comparison = comparison
        self.arm = comparison.arms[number]

    def _treated(self, arm: Arm) -> Sums:
        return self._fits.source.sums((self.comparison.cohort,), arm)

    @cached_property
    def _weight(self) -> Floats:
        return self._treated(self.arm).weight[self._replicates][:, None]

    @property
    def own_y(self) -> Floats:
        """Mean outcome of the treated rows of this side, (r, o)."""
        sums = self._treated(self.arm).y[np.ix_(self._replicates, self._outcomes)]
        return np.asarray(sums / self._weight)

    @cached_property
    def own_x(self) -> Floats:
        """Covariate mean of the treated rows of this side, (r, k)."""
        return np.asarray(self._treated(self.arm).x[self._replicates] / self._weight)

    @cached_property
    def pooled_x(self) -> Floats:
        """Covariate mean of the treated rows of all sides, (r, k)."""
        sums = [self._treated(arm) for arm in self.comparison.arms]
        x = np.sum([s.x[self._replicates] for s in sums], axis=0)
        return np.asarray(x / np.sum([s.weight[self._replicates] for s in sums], axis=0)[:, None])

    @cached_property
    def _odds(self) -> Floats:
        propensity = self._fits.propensity(self.comparison)
        of = OddsOf(self.comparison.others, self.arm, self._outcomes)
        return propensity.odds_sums(self._fits.source.logits, of, self._replicates)

    @property
    def odds_sum_y(self) -> Floats:
        """Odds-weighted sum of the outcome over the comparison rows, (r, o)."""
        return self._odds[:, self.own_x.shape[1] :]

    @property
    def odds_y(self) -> Floats:
        """Odds-weighted mean outcome of the comparison rows, (r, o)."""
        return np.asarray(self.odds_sum_y / self._odds[:, :1])

    @property
    def odds_x(self) -> Floats:
        """Odds-weighted covariate mean of the comparison rows, (r, k)."""
        return np.asarray(self._odds[:, : self.own_x.shape[1]] / self._odds[:, :1])

    @property
    def odds_total(self) -> Floats:
        """Sum of the odds of the comparison rows, (r,)."""
        return self._odds[:, 0]

    def _beta(self, cohorts: Cohorts) -> Floats:
        return self._fits.coefficients(cohorts, self.arm, self._outcomes)[self._replicates]

    @cached_property
    def beta(self) -> Floats:
        """Regression coefficients of the comparison rows, (r, o, k)."""
        return self._beta(self.comparison.others)

    @cached_property
    def own_beta(self) -> Floats:
        """Regression coefficients of the treated rows, (r, o, k)."""
        return self._beta((self.comparison.cohort,))


def predict(x: Floats, beta: Floats) -> Floats:
    """Multiply (r, k) covariates with (r, o, k) coefficients: (r, o)."""
    return np.asarray(np.einsum("rk,rok->ro", x, beta))
