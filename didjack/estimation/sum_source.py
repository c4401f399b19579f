"""The seam between data and statistics: sums by replicate, and never a row.

What stands behind it may be rows in memory (`didjack.estimation.sums`) or sums that a database has
collected. What stands before it, engine and inference, asks for sums over the rows of some cohorts
in an arm. Row 0 of every result is the full sample, row 1 + h is the sample without cluster h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels.inputs import Contrast, Linear
from didjack.estimation.layout import Arm, Cohorts, Layout

Tick = Callable[[int], None]
"""Told of how many replicates more are done."""

EXPONENTIAL = 20
"""An exponential or logarithm takes about as long as so many multiplications."""


def logit_width(k: int) -> int:
    """Return the number of logit sums with k covariates."""
    return k + k * (k + 1) // 2 + 1


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over the rows of some cohorts in one arm, by replicate.

    Attributes
    ----------
    gram : (R, k, k) sum of w x x'
    cross : (R, O, k) sum of w x y
    """

    gram: Floats
    cross: Floats

    @property
    def weight(self) -> Floats:
        """(R,) sum of w."""
        return self.gram[:, 0, 0]

    @property
    def x(self) -> Floats:
        """(R, k) sum of w x."""
        return self.gram[:, 0, :]

    @property
    def y(self) -> Floats:
        """(R, O) sum of w y."""
        return self.cross[:, :, 0]


@dataclass(frozen=True, slots=True)
class Logit:
    """Logit fits.

    Attributes
    ----------
    beta : (r, k) coefficients on the standardised covariates
    converged : (r,)
    top : (r,) the largest fitted propensity, or an upper bound of it
    """

    beta: Floats
    converged: Bools
    top: Floats

    def repeat(self, count: int) -> Logit:
        """Return a single fit so many times."""
        return Logit(
            np.repeat(self.beta, count, axis=0),
            np.repeat(self.converged, count),
            np.repeat(self.top, count),
        )

    def put(self, at: Ints, fits: Logit) -> None:
        """Write other fits into some places."""
        self.beta[at], self.converged[at], self.top[at] = fits.beta, fits.converged, fits.top


class Presence(NamedTuple):
    """Where a sample has rows, by cohort and period.

    Attributes
    ----------
    clusters : (C, T) number of clusters with rows
    some : (C, T) one of these clusters
    """

    clusters: Ints
    some: Ints


class ClusterSums(NamedTuple):
    """Sums over the rows of each cluster and cohort in an arm, of single rows.

    Attributes
    ----------
    weight : (H, C) sum of w
    square : (H, C) sum of w^2
    cross : (H, C, o) sum of w y of some outcomes, measured from anything that the rows of all
        periods have in common (where weights are constant over time: those of the unit)
    """

    weight: Floats
    square: Floats
    cross: Floats


class Spans(NamedTuple):
    """First and last period that replicates keep, (R,) each, on the integer axis."""

    first: Ints
    last: Ints


class OddsOf(NamedTuple):
    """What is weighted by the odds of treatment: outcomes of comparison cohorts in an arm.

    Attributes
    ----------
    comparison : cohorts
    arm : Arm
    outcomes : (o,) which outcomes
    """

    comparison: Cohorts
    arm: Arm
    outcomes: Ints


class LogitModel(Protocol):
    """A propensity model, treated against comparison rows of some arms: a handle of the source.

    Attributes
    ----------
    n : number of rows that a pass goes through
    largest : (k,) largest absolute values of the covariates, over the whole sample
    """

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def largest(self) -> Floats:
        """(k,) largest absolute values of the covariates."""


M = TypeVar("M", bound=LogitModel)
M_contra = TypeVar("M_contra", bound=LogitModel, contravariant=True)


class LogitPasses(Protocol[M]):
    """Sums of propensity models; only the estimators with a logit ask for them."""

    tick: Tick | None

    def model(self, cohort: int, comparison: Cohorts, arms: tuple[Arm, ...]) -> M:
        """Return the propensity model of a cohort against others."""

    def unweighted(self, model: M) -> M:
        """Return the same model without sampling weights."""

    def without(self, model: M, excluded: Bools) -> M:
        """Take rows with some values, (b, 2) lower and higher, of binary covariates out."""

    def involved(self, model: M) -> Ints:
        """Return the replicates whose deleted cluster has rows in the model."""

    def gram(self, model: M) -> Floats:
        """Sum w x x' over all rows of the model, (R, k, k)."""

    def weights(self, model: M) -> Floats:
        """Add up the weights of comparison and of treated rows, (2, R)."""

    def binary_counts(self, model: M) -> Floats:
        """Count comparison and treated rows by value of the binary covariates, (2, R, b, 2)."""

    def score(self, model: M, beta: Floats) -> Floats:
        """Sum the terms of a logit at one (k,) vector, (R, m), as `kernels.logit.add_logit`."""

    def fit(self, model: M, replicates: Ints, keep: Bools, start: Floats) -> Logit:
        """Fit a logit in some replicates, (r,), from starting values (r, k)."""

    def odds(self, model: M, of: OddsOf, beta: Floats, replicates: Ints) -> Floats:
        """Sum w p/(1-p) (x, y) over comparison rows, (r, k + o), with (r, k) logits."""

    def fit_expanded(
        self,
        model: M,
        replicates: Ints,
        keep: Bools,
        start: Floats,
        about: Floats,
        degree: int,
    ) -> tuple[Floats, Bools]:
        """Fit replicates, (r,), from an expansion about (k,) coefficients.

        Returns
        -------
        coefficients, (r, k), and where they could be had, (r,)
        """

    def odds_expanded(
        self, model: M, of: OddsOf, beta: Floats, replicates: Ints, degree: int
    ) -> tuple[Floats, Floats, float]:
        """Sum odds as `odds` does, from an expansion about the first of (1 + r, k) logits.

        Returns
        -------
        sums, (r, k + o); the largest share of the deleted cluster in any of them, (r,); and how
        near to where rows are trimmed a linear predictor of the first logit comes
        """


class Tally(Protocol[M_contra]):
    """Influence of every unit or cluster on one estimate, added up piece by piece."""

    def add_linear(self, cohorts: Cohorts, arm: Arm, outcomes: Cohorts, linear: Linear) -> None:
        """Add what rows do to means and regressions."""

    def add_odds(self, model: M_contra, of: OddsOf, contrast: Contrast, by_odds: float) -> None:
        """Add what comparison rows do to odds-weighted means."""

    def odds_gradient(self, model: M_contra, of: OddsOf, contrast: Contrast) -> Floats:
        """Differentiate odds-weighted sums of residuals with respect to the logit, (k,)."""

    def add_score(self, model: M_contra, logit: Floats, by_score: Floats) -> None:
        """Add what rows do to the logit."""

    def total(self) -> Floats:
        """Return the influence of each unit or cluster, (G,)."""


class InfluenceSource(Protocol):
    """Sums of the full sample, R = 1, and by unit or cluster, whichever are independent."""

    @property
    def sums(self) -> SumSource:
        """The sums of the full sample."""

    @property
    def n_independent(self) -> int:
        """Number of units or clusters, G."""

    def tally(self) -> Tally[Any]:
        """Begin with no influence."""

    def by_cohort(self) -> Floats:
        """Add up the weights of cohort shares, (G, C)."""

    def treated(self, cohort: int, arms: tuple[Arm, ...]) -> Floats:
        """Add up the weights of the rows of a cohort in some arms, (G,)."""


class SumSource(Protocol):
    """Sums over the rows of a sample, for the full sample and without each cluster."""

    @property
    def layout(self) -> Layout:
        """Cohorts, periods, clusters and their labels."""

    @property
    def n_deleted(self) -> int:
        """H, or 0 for the full sample alone; R = 1 + n_deleted."""

    @property
    def logits(self) -> LogitPasses[Any]:
        """Sums of propensity models."""

    def replicated(self, jackknife: bool) -> SumSource:
        """Return the source with R = 1 + H replicates, or with the full sample alone."""

    def relabelled(self, cohort: Ints) -> SumSource:
        """Return the sample with its clusters, each in one cohort, in other ones.

        Parameters
        ----------
        cohort : (H,) positions in the layout's cohorts; any for clusters without units
        """

    def of_treatment(self) -> SumSource:
        """Return the sample with another outcome: 1 in a treated unit's period, otherwise 0."""

    def presence(self) -> Presence:
        """Return where the full sample has rows."""

    def shares(self, n_periods: int) -> Floats:
        """Return the weight of each cohort over the rows of the first periods, (R, C).

        A unit counts once, with the mean weight of these rows; on a balanced panel, with the
        weight of the first period.
        """

    def sums(self, cohorts: Cohorts, arm: Arm) -> Sums:
        """Return the sums over the rows of some cohorts in an arm."""

    def weights(self, cohorts: Cohorts, arm: Arm) -> Floats:
        """Return the weight of the rows of some cohorts in an arm, (R,), as in their `sums`."""

    def counts(self, cohorts: Cohorts, arm: Arm) -> Ints:
        """Return the number of units (unit-periods) of some cohorts in an arm, (R,)."""

    def by_cluster(self, arm: Arm, outcomes: Ints) -> ClusterSums:
        """Return sums of weights, and of some outcomes, by cluster and cohort."""

    def balanced_without(self, spans: Spans) -> Iterator[tuple[int, SumSource]]:
        """Yield clusters of an unbalanced panel without which it is balanced, and the rest.

        The rest, of the rows that a replicate keeps, is a source of its own, of a balanced panel
        without replicates.
        """

    def influence(self, by_unit: bool) -> InfluenceSource:
        """Return the sums that influence functions are made of."""
