"""The 2x2 estimators: each with its contrast and that contrast's derivatives, in one class.

With D the treated cohort's dummy, each estimator is a difference, between the later and the base
period, of one contrast: the mean outcome of the treated rows less what the comparison rows say it
would have been. On a balanced panel both periods have the same rows; in pooled rows each period
has its own. That is all that differs between them here.

Sources: Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001; Sant'Anna & Zhao (2020),
doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, get_args

import numpy as np

from didjack._typing import Floats
from didjack.engine.side import Comparison, Side, predict
from didjack.options import EstMethod, Registry
from didjack.sums.layout import Arm, Cohorts


class Point(NamedTuple):
    """Where a contrast is differentiated: one side of a cell, in the full sample.

    Attributes
    ----------
    sign : 1 for the later period (or the change itself, on a balanced panel), -1 for the base
    pooled : whether the two periods have rows of their own
    own_x, pooled_x : (k,) covariate means of the treated rows of this side, and of all sides
    odds_x : (k,) odds-weighted covariate mean of the comparison rows; zero without a logit
    beta, own_beta : (k,) regressions of the outcome (or its change) among comparison and treated
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
    has_logit : whether it weights comparison rows by the odds of treatment; then its contrast has
        to subtract `Side.odds_y`
    """

    name: str
    words: str
    short: str
    has_logit: bool

    @abstractmethod
    def regressions(self, comparison: Comparison) -> list[tuple[Cohorts, Arm]]:
        """List the regressions that it uses, by cohorts and arm."""

    @abstractmethod
    def contrast(self, side: Side) -> Floats:
        """Return the mean outcome of the treated less its counterfactual mean, (r, o)."""

    @abstractmethod
    def derivatives(self, point: Point) -> Derivatives:
        """Differentiate sign times the contrast of one side."""


def of_comparison(comparison: Comparison) -> list[tuple[Cohorts, Arm]]:
    """List the regressions among comparison rows, one an arm."""
    return [(comparison.others, arm) for arm in comparison.arms]


class OutcomeRegression(Estimator):
    """reg: E[Y | D = 1] - E[x | D = 1]'beta, beta from the comparison rows."""

    name = "reg"
    words = "outcome regression"
    short = "OR"
    has_logit = False

    def regressions(self, comparison: Comparison) -> list[tuple[Cohorts, Arm]]:
        """List the regressions among comparison rows."""
        return of_comparison(comparison)

    def contrast(self, side: Side) -> Floats:
        """Subtract the prediction at the covariate mean of all treated rows."""
        return side.own_y - predict(side.pooled_x, side.beta)

    def derivatives(self, point: Point) -> Derivatives:
        """Differentiate the prediction."""
        none = np.zeros(point.beta.size)
        return Derivatives(none, -point.sign * point.beta, -point.sign * point.pooled_x, none)


class InverseProbabilityWeighting(Estimator):
    """ipw (Hajek): E[Y | D = 1] less the mean of comparison rows weighted by p / (1 - p)."""

    name = "ipw"
    words = "inverse probability weighting"
    short = "IPW"
    has_logit = True

    def regressions(self, comparison: Comparison) -> list[tuple[Cohorts, Arm]]:  # noqa: ARG002
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

    def regressions(self, comparison: Comparison) -> list[tuple[Cohorts, Arm]]:
        """List the regressions among comparison rows, and in pooled rows among treated ones."""
        if not comparison.pooled:
            return of_comparison(comparison)
        cohorts = (comparison.others, (comparison.cohort,))
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
