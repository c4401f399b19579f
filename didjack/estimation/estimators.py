"""The 2x2 estimators: each with its contrast and that contrast's derivatives, in one class.

With D the treated cohort's dummy, each estimator is a difference, between the later and the base
period, of one contrast: the mean outcome of the treated rows less what the control rows say it
would have been. On a balanced panel both periods have the same rows; in pooled rows each period
has its own. That is all that differs between them here.

Sources: Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001; Sant'Anna & Zhao (2020),
doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import NamedTuple, Protocol, get_args

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.passes import OddsOf
from didjack.estimation.propensity import Propensity
from didjack.estimation.sums import Sums, SumSource
from didjack.options import EstMethod, Registry

# ---- side ----------------------------------------------------------------------------------------


class Comparison(NamedTuple):
    """A class against others in some arms: cells that share it share all fits but the outcomes."""

    treated: int
    others: Classes
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
    factors : (R, k, k) and (R, k), those of `linear_systems.factor`, until all outcomes are solved
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

    def coefficients(self, cohorts: Classes, arm: Arm, outcomes: Ints) -> Floats:
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
        everything = replicates.size == 1 + fits.source.n_deleted
        self._rows = slice(None) if everything else replicates
        self.comparison = comparison
        self.arm = comparison.arms[number]

    def _treated(self, arm: Arm) -> Sums:
        return self._fits.source.sums((self.comparison.treated,), arm)

    @cached_property
    def _weight(self) -> Floats:
        return self._treated(self.arm).weight[self._rows][:, None]

    @property
    def own_y(self) -> Floats:
        """Mean outcome of the treated rows of this side, (r, o)."""
        sums = np.take(self._treated(self.arm).y[self._rows], self._outcomes, axis=1)
        return np.asarray(sums / self._weight)

    @cached_property
    def own_x(self) -> Floats:
        """Covariate mean of the treated rows of this side, (r, k)."""
        return np.asarray(self._treated(self.arm).x[self._rows] / self._weight)

    @cached_property
    def pooled_x(self) -> Floats:
        """Covariate mean of the treated rows of all sides, (r, k)."""
        if not self.comparison.pooled:
            return self.own_x
        sums = [self._treated(arm) for arm in self.comparison.arms]
        x = np.sum([s.x[self._rows] for s in sums], axis=0)
        return np.asarray(x / np.sum([s.weight[self._rows] for s in sums], axis=0)[:, None])

    @cached_property
    def _odds(self) -> Floats:
        propensity = self._fits.propensity(self.comparison)
        of = OddsOf(self.comparison.others, self.arm, self._outcomes)
        return propensity.odds_sums(self._fits.source.logits, of, self._replicates)

    @property
    def odds_sum_y(self) -> Floats:
        """Odds-weighted sum of the outcome over the control rows, (r, o)."""
        return self._odds[:, self.own_x.shape[1] :]

    @property
    def odds_y(self) -> Floats:
        """Odds-weighted mean outcome of the control rows, (r, o)."""
        return np.asarray(self.odds_sum_y / self._odds[:, :1])

    @property
    def odds_x(self) -> Floats:
        """Odds-weighted covariate mean of the control rows, (r, k)."""
        return np.asarray(self._odds[:, : self.own_x.shape[1]] / self._odds[:, :1])

    @property
    def odds_total(self) -> Floats:
        """Sum of the odds of the control rows, (r,)."""
        return self._odds[:, 0]

    def _beta(self, cohorts: Classes) -> Floats:
        return self._fits.coefficients(cohorts, self.arm, self._outcomes)[self._rows]

    @cached_property
    def beta(self) -> Floats:
        """Regression coefficients of the control rows, (r, o, k)."""
        return self._beta(self.comparison.others)

    @cached_property
    def own_beta(self) -> Floats:
        """Regression coefficients of the treated rows, (r, o, k)."""
        return self._beta((self.comparison.treated,))


def predict(x: Floats, beta: Floats) -> Floats:
    """Multiply (r, k) covariates with (r, o, k) coefficients: (r, o)."""
    return np.asarray(np.einsum("rk,rok->ro", x, beta))


# ---- estimators ----------------------------------------------------------------------------------


class Point(NamedTuple):
    """Where a contrast is differentiated: one side of a cell, in the full sample.

    Attributes
    ----------
    sign : 1 for the later period (or the change itself, on a balanced panel), -1 for the base
    pooled : whether the two periods have rows of their own
    own_x, pooled_x : (k,) covariate means of the treated rows of this side, and of all sides
    odds_x : (k,) odds-weighted covariate mean of the control rows; zero without a logit
    beta, own_beta : (k,) regressions of the outcome (or its change) among control and treated
        rows; zero where the estimator has none
    """

    sign: float
    pooled: bool
    own_x: Floats
    pooled_x: Floats
    odds_x: Floats
    beta: Floats
    own_beta: Floats


class Derivatives(NamedTuple):
    """Derivatives of ATT(g,t) at a `Point`, (k,) each.

    Those by the mean outcome of the treated rows and by the odds-weighted residuals are the same
    for all estimators.

    Attributes
    ----------
    by_own_x, by_pooled_x : by the covariate means
    by_beta, by_own_beta : by the regressions
    """

    by_own_x: Floats
    by_pooled_x: Floats
    by_beta: Floats
    by_own_beta: Floats


class Estimator(ABC):
    """A 2x2 estimator.

    Attributes
    ----------
    name : what `est_method` calls it
    words, short : what a summary calls it, and the column of a table
    has_logit : whether it weights control rows by the odds of treatment; then its contrast has
        to subtract `Side.odds_y`, and without covariates has to be that of `OutcomeRegression`
    """

    name: str
    words: str
    short: str
    has_logit: bool

    @abstractmethod
    def regressions(self, comparison: Comparison) -> list[tuple[Classes, Arm]]:
        """List the regressions that it uses, by cohorts and arm."""

    @abstractmethod
    def contrast(self, side: Side) -> Floats:
        """Return the mean outcome of the treated less its counterfactual mean, (r, o)."""

    @abstractmethod
    def derivatives(self, point: Point) -> Derivatives:
        """Differentiate sign times the contrast of one side."""


def of_comparison(comparison: Comparison) -> list[tuple[Classes, Arm]]:
    """List the regressions among control rows, one an arm."""
    return [(comparison.others, arm) for arm in comparison.arms]


class OutcomeRegression(Estimator):
    """reg: E[Y | D = 1] - E[x | D = 1]'beta, beta from the control rows."""

    name = "reg"
    words = "outcome regression"
    short = "OR"
    has_logit = False

    def regressions(self, comparison: Comparison) -> list[tuple[Classes, Arm]]:
        """List the regressions among control rows."""
        return of_comparison(comparison)

    def contrast(self, side: Side) -> Floats:
        """Subtract the prediction at the covariate mean of all treated rows."""
        return side.own_y - predict(side.pooled_x, side.beta)

    def derivatives(self, point: Point) -> Derivatives:
        """Differentiate the prediction."""
        none = np.zeros(point.beta.size)
        return Derivatives(none, -point.sign * point.beta, -point.sign * point.pooled_x, none)


class InverseProbabilityWeighting(Estimator):
    """ipw (Hajek): E[Y | D = 1] less the mean of control rows weighted by p / (1 - p)."""

    name = "ipw"
    words = "inverse probability weighting"
    short = "IPW"
    has_logit = True

    def regressions(self, comparison: Comparison) -> list[tuple[Classes, Arm]]:  # noqa: ARG002
        """List none, whatever is compared."""
        return []

    def contrast(self, side: Side) -> Floats:
        """Subtract the odds-weighted mean."""
        return side.own_y - side.odds_y

    def derivatives(self, point: Point) -> Derivatives:
        """Return zeros: there is nothing but the odds."""
        none = np.zeros(point.beta.size)
        return Derivatives(none, none, none, none)


class DoublyRobust(Estimator):
    """dr: the difference of ipw, of residuals; locally efficient in pooled rows."""

    name = "dr"
    words = "doubly robust"
    short = "DR"
    has_logit = True

    def regressions(self, comparison: Comparison) -> list[tuple[Classes, Arm]]:
        """List the regressions among control rows, and in pooled rows among treated ones."""
        if not comparison.pooled:
            return of_comparison(comparison)
        cohorts = (comparison.others, (comparison.treated,))
        return [(some, arm) for arm in comparison.arms for some in cohorts]

    def contrast(self, side: Side) -> Floats:
        """Subtract the odds-weighted mean, and correct for the difference of covariates."""
        value = side.own_y - side.odds_y
        value = value - predict(side.own_x - side.odds_x, side.beta)
        if side.comparison.pooled:
            value = value + predict(side.pooled_x - side.own_x, side.own_beta - side.beta)
        return value

    def derivatives(self, point: Point) -> Derivatives:
        """Differentiate the correction."""
        sign, none = point.sign, np.zeros(point.beta.size)
        by_beta = -sign * (point.pooled_x - point.odds_x)
        if not point.pooled:
            return Derivatives(-sign * point.beta, none, by_beta, none)
        return Derivatives(
            by_own_x=-sign * point.own_beta,
            by_pooled_x=sign * (point.own_beta - point.beta),
            by_beta=by_beta,
            by_own_beta=sign * (point.pooled_x - point.own_x),
        )


ESTIMATORS: Registry[Estimator] = Registry(
    "est_method",
    get_args(EstMethod),
    Estimator,
    [DoublyRobust(), InverseProbabilityWeighting(), OutcomeRegression()],
)
"""The estimators by name. To add one: a class like those above, its name in `EstMethod`."""


def with_columns(estimator: Estimator, k: int) -> Estimator:
    """Return the estimator whose formulas take the least time with k columns, intercept included.

    Without covariates all odds of treatment are the same, and what is weighted by them are the
    means that outcome regression compares.
    """
    return ESTIMATORS["reg"] if estimator.has_logit and k == 1 else estimator
