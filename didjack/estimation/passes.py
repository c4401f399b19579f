"""Passes over the rows: logits, their odds, expansions of both, and the influence of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations_with_replacement
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Polynomial

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels import compiled
from didjack.estimation.kernels import expansions as taylor_kernels
from didjack.estimation.kernels import logit as kernels
from didjack.estimation.kernels import strata as sum_kernels
from didjack.estimation.kernels.inputs import (
    Contrast,
    Expansion,
    Fits,
    Linear,
    LogitRows,
    Monomials,
    OddsMoments,
    OddsRows,
    OddsSums,
    OutcomeRows,
)
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.rows import Deletion, RowArrays
from didjack.leave_one_out import without
from didjack.memo import Memo

# ---- logits --------------------------------------------------------------------------------------

Tick = Callable[[int], None]
"""Told of how many replicates more are done."""

EXPONENTIAL = 20
"""An exponential or logarithm takes about as long as so many multiplications."""


def logit_width(k: int) -> int:
    """Return the number of logit sums with k covariates."""
    return k + k * (k + 1) // 2 + 1


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


class OddsOf(NamedTuple):
    """What is weighted by the odds of treatment: outcomes of control cohorts in an arm.

    Attributes
    ----------
    comparison : cohorts
    arm : Arm
    outcomes : (o,) which outcomes
    """

    comparison: Classes
    arm: Arm
    outcomes: Ints


# ---- monomials -----------------------------------------------------------------------------------

HIGHEST_DEGREE = 12


@cache
def monomials(k: int, degree: int) -> Monomials:
    """List the monomials of k variables up to a degree."""
    words = [w for d in range(degree + 1) for w in combinations_with_replacement(range(k), d)]
    number = {word: g for g, word in enumerate(words)}
    lower = [word for word in words if len(word) < degree]
    child = [[number[tuple(sorted((*word, a)))] for a in range(k)] for word in lower]
    scale = [1.0 / np.prod([float(factorial(w.count(a))) for a in set(w)]) for w in words]
    return Monomials(
        parent=np.array([number[word[:-1]] for word in words], dtype=np.int64),
        variable=np.array([word[-1] if word else 0 for word in words], dtype=np.int64),
        degree=np.array([len(word) for word in words], dtype=np.int64),
        scale=np.array(scale),
        child=np.array(child, dtype=np.int64),
        n_information=sum(len(word) < degree - 1 for word in words),
        horner=np.ascontiguousarray(logistic_derivatives()[: degree + 1, :degree]),
    )


@cache
def logistic_derivatives() -> Floats:
    """Polynomials P_d with p^(d-1) = p (1-p) P_d(p), d >= 2, for the logistic p; one a row."""
    table = np.zeros((HIGHEST_DEGREE + 2, HIGHEST_DEGREE + 1))
    v, slope, now = Polynomial([0.0, 1.0, -1.0]), Polynomial([1.0, -2.0]), Polynomial([1.0])
    for d in range(2, len(table)):
        table[d, : d - 1] = now.coef
        now = slope * now + v * now.deriv()
    return table


# ---- logit rows ----------------------------------------------------------------------------------

BLOCKS = 32
"""Rows are summed in so many blocks, whatever the number of threads."""


@dataclass(frozen=True, slots=True)
class LogitModel:
    """The rows of one propensity model: treated and control cohorts over all its arms.

    A handle: estimators hand it back to `LogitPasses`.

    Attributes
    ----------
    rows : LogitRows
    count : (n,) their weights without sampling weights
    n : number of rows
    """

    rows: LogitRows
    count: Floats
    n: int

    @property
    def largest(self) -> Floats:
        """(k,) largest absolute values of the covariates, over the whole sample."""
        return self.rows.largest


class LogitPasses:
    """Sums over the rows of propensity models; only the estimators with a logit ask for them.

    `tick`, if it is set, is called with the number of replicates whose logit is done.
    """

    def __init__(self, deletion: Deletion) -> None:
        self._deletion = deletion
        self._rows = deletion.rows
        self._largest = Memo()
        self.tick: Tick | None = None

    def model(self, cohort: int, comparison: Classes, arms: tuple[Arm, ...]) -> LogitModel:
        """Collect the rows of a propensity model."""
        r, strata, first = self._rows, self._rows.strata, arms[0]
        select = self._deletion.select
        chosen = np.concatenate([select((cohort, *comparison), arm.period) for arm in arms])
        chosen = chosen[np.argsort(strata.cluster[chosen], kind="stable")]
        treated = strata.cohort[chosen] == cohort
        rows = LogitRows(
            x=r.x[first.x],
            w=r.w[first.w],
            start=strata.start,
            chosen=chosen,
            treated=treated,
            cluster=strata.cluster,
            largest=self._largest_covariates(first.x),
        )
        return LogitModel(rows, r.count_at(first), int(strata.sizes[chosen].sum()))

    def _largest_covariates(self, slot: int) -> Floats:
        x = self._rows.x[slot]
        return self._largest.get(slot, lambda: np.maximum(x.max(axis=0), -x.min(axis=0)))

    def unweighted(self, model: LogitModel) -> LogitModel:
        """Return the same model without sampling weights."""
        return replace(model, rows=model.rows._replace(w=model.count))

    def without(self, model: LogitModel, excluded: Bools) -> LogitModel:
        """Take rows with some values of binary covariates out of a propensity model.

        Parameters
        ----------
        excluded : (b, 2) the lower and higher values of the binary columns
        """
        x, low = self._binary(model)
        hit = ((x == low) & excluded[:, 0]) | ((x != low) & excluded[:, 1])
        keep = ~hit.any(axis=1)
        rows = model.rows._replace(w=model.rows.w * keep)
        return replace(model, rows=rows, count=model.count * keep)

    def _binary(self, model: LogitModel) -> tuple[Floats, Floats]:
        """Return the binary columns, (n, b), and their lower values, (b,)."""
        x = np.ascontiguousarray(model.rows.x[:, self._rows.layout.binary])
        return x, x.min(axis=0)

    def involved(self, model: LogitModel) -> Ints:
        """Return the replicates whose deleted cluster has rows in the model."""
        if not self._deletion.n_deleted:
            return np.empty(0, dtype=np.int64)
        cluster = model.rows.cluster[model.rows.chosen]  # sorted
        first = np.ones(cluster.size, dtype=bool)
        first[1:] = cluster[1:] != cluster[:-1]
        return without(cluster[first])

    def _sides(self, model: LogitModel) -> list[Ints]:
        """Return the strata of control and of treated rows."""
        chosen, treated = model.rows.chosen, model.rows.treated
        return [chosen[treated == side] for side in (False, True)]

    def weights(self, model: LogitModel) -> Floats:
        """Add up the weights of control and of treated rows, (2, R)."""
        by_stratum = self._deletion.by_stratum(model.rows.w)
        deleted = self._deletion.deleted
        return np.stack([deleted(by_stratum, chosen)[:, 0] for chosen in self._sides(model)])

    def binary_counts(self, model: LogitModel) -> Floats:
        """Count control and treated rows by value of the binary columns, (2, R, b, 2)."""
        x, low = self._binary(model)
        rows = model.rows
        by_stratum = sum_kernels.binary_counts(x, rows.w, low, rows.start, rows.chosen)
        return np.stack([self._deletion.deleted(by_stratum, part) for part in self._sides(model)])

    def gram(self, model: LogitModel) -> Floats:
        """Sum w x x' over all rows of a propensity model, (R, k, k)."""
        rows = model.rows
        gram, _ = self._deletion.products(rows.x, rows.w, np.empty((len(rows.w), 0)))
        return self._deletion.deleted(gram, rows.chosen)

    def score(self, model: LogitModel, beta: Floats) -> Floats:
        """Sum the terms of a logit at one (k,) vector in every replicate, (R, m).

        They are additive in clusters, so all replicates cost one pass over the rows. The layout
        is that of `kernels.logit.add_logit`.
        """
        rows = model.rows
        n, width = rows.chosen.size, logit_width(beta.size)
        by_stratum, top = np.zeros((n, width)), np.empty(n)
        work = model.n * (width + EXPONENTIAL)
        compiled.run(kernels.logit_strata, n, work, rows, beta, by_stratum, top)
        values = np.zeros((rows.cluster.size, width))
        values[rows.chosen] = by_stratum
        return self._deletion.deleted(values, rows.chosen)

    def fit(self, model: LogitModel, replicates: Ints, keep: Bools, start: Floats) -> Logit:
        """Fit a logit in some replicates, (r,), from starting values (r, k)."""
        n = replicates.size
        fits = Fits(start.copy(), np.zeros(n, dtype=bool), np.empty(n))
        work = n * model.n * 3 * (logit_width(start.shape[1]) + EXPONENTIAL)
        given = (model.rows, replicates - 1, np.ascontiguousarray(keep), fits)
        compiled.run(kernels.fit_logits, n, work, *given, tick=self.tick)
        return Logit(fits.beta, fits.converged, 1.0 / (1.0 + np.exp(-fits.top)))

    def _odds_rows(self, model: LogitModel, of: OddsOf) -> OddsRows:
        rows = model.rows
        chosen = self._deletion.select(of.comparison, of.arm.period)
        y = self._rows.y
        return OddsRows(rows.x, rows.w, rows.start, y, of.outcomes, chosen, rows.cluster)

    def odds(self, model: LogitModel, of: OddsOf, beta: Floats, replicates: Ints) -> Floats:
        """Sum w p/(1-p) (x, y) over control rows of an arm, (r, k + o), with (r, k) logits."""
        n, width = len(beta), beta.shape[1] + of.outcomes.size
        sums = np.zeros((n, width))
        work = n * model.n * (width + EXPONENTIAL)
        given = (self._odds_rows(model, of), replicates - 1, np.ascontiguousarray(beta), sums)
        compiled.run(kernels.odds_sums, n, work, *given)
        return sums

    def fit_expanded(
        self,
        model: LogitModel,
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
        n, k = start.shape
        terms, bounds = monomials(k, degree), _bounds(model.rows.chosen)
        by_block = np.zeros((bounds.size - 1, terms.parent.size))
        work = model.n * (terms.parent.size * 2 + EXPONENTIAL)
        given = (model.rows, bounds, about, terms, by_block)
        compiled.run(taylor_kernels.logit_moments, len(by_block), work, *given)
        expansion = _expansion(model.rows, about, by_block, replicates)
        fits = Fits(start.copy(), np.zeros(n, dtype=bool), np.empty(0))
        work = n * terms.parent.size * 4 * k
        compiled.run(
            taylor_kernels.solve_expanded, n, work, model.rows, terms, expansion, keep, fits
        )
        return fits.beta, fits.converged

    def odds_expanded(
        self, model: LogitModel, of: OddsOf, beta: Floats, replicates: Ints, degree: int
    ) -> tuple[Floats, Floats, float]:
        """Sum odds as `odds` does, from an expansion about the first of (1 + r, k) logits.

        Returns
        -------
        sums, (r, k + o); the largest share of the deleted cluster in any of them, (r,); and how
        near to where rows are trimmed a linear predictor of the first logit comes
        """
        rows, about, beta = self._odds_rows(model, of), beta[0], beta[1:]
        terms, bounds = monomials(about.size, degree), _bounds(rows.chosen)
        m, width = terms.parent.size, about.size + of.outcomes.size
        moments = OddsMoments(
            moments=np.zeros((bounds.size - 1, m, width)),
            size=np.zeros((rows.chosen.size, width)),
            gap=np.empty(bounds.size - 1),
        )
        given = (rows, bounds, about, terms, moments)
        compiled.run(taylor_kernels.odds_moments, bounds.size - 1, model.n * m * width, *given)
        expansion = _expansion(rows, about, moments.moments, replicates)
        into = OddsSums(moments.size, np.zeros((len(beta), width)), np.empty(len(beta)))
        work = len(beta) * m * width
        compiled.run(
            taylor_kernels.odds_expanded, len(beta), work, rows, terms, expansion, beta, into
        )
        return into.sums, into.share, float(moments.gap.min())


def _bounds(chosen: Ints) -> Ints:
    """Share strata out to blocks."""
    return np.linspace(0, chosen.size, min(BLOCKS, chosen.size) + 1).astype(np.int64)


def _expansion(
    rows: LogitRows | OddsRows, about: Floats, by_block: Floats, replicates: Ints
) -> Expansion:
    """Add up blocks, and find the strata of the clusters that replicates leave out."""
    cluster, deleted = rows.cluster[rows.chosen], replicates - 1
    first = np.searchsorted(cluster, deleted)
    last = np.searchsorted(cluster, deleted, side="right")
    return Expansion(about, by_block.sum(axis=0), first, last)


# ---- influence -----------------------------------------------------------------------------------


class Tally:
    """Influence of every unit or cluster on one estimate, added up piece by piece."""

    def __init__(self, rows: RowArrays, codes: Ints, n_independent: int) -> None:
        self._rows, self._codes, self._n_independent = rows, codes, n_independent
        self._psi = np.zeros(rows.strata.start[-1])

    def _outcome(self, outcomes: Classes) -> Floats:
        """Return an outcome, or the first less the second of two, (n,)."""
        y = self._rows.y.T
        later = y[outcomes[0]]
        change = later - y[outcomes[1]] if len(outcomes) > 1 else later
        return np.ascontiguousarray(change)

    def add_linear(self, cohorts: Classes, arm: Arm, outcomes: Classes, linear: Linear) -> None:
        """Add what rows do to means and regressions."""
        r, chosen = self._rows, self._rows.strata.select(cohorts, arm.period)
        y = self._outcome(outcomes)
        rows = OutcomeRows(r.x[arm.x], r.w[arm.w], r.strata.start, y, chosen)
        kernels.linear_influence(rows, linear, self._psi)

    def _odds_rows(self, model: LogitModel, of: OddsOf) -> OutcomeRows:
        chosen = self._rows.strata.select(of.comparison, of.arm.period)
        y = self._outcome(tuple(of.outcomes.tolist()))
        return OutcomeRows(model.rows.x, model.rows.w, model.rows.start, y, chosen)

    def add_odds(self, model: LogitModel, of: OddsOf, contrast: Contrast, by_odds: float) -> None:
        """Add what control rows do to odds-weighted means."""
        kernels.odds_influence(self._odds_rows(model, of), contrast, by_odds, self._psi)

    def odds_gradient(self, model: LogitModel, of: OddsOf, contrast: Contrast) -> Floats:
        """Differentiate odds-weighted sums of residuals with respect to the logit, (k,)."""
        return kernels.odds_gradient(self._odds_rows(model, of), contrast)

    def add_score(self, model: LogitModel, logit: Floats, by_score: Floats) -> None:
        """Add what rows do to the logit."""
        kernels.score_influence(model.rows, logit, by_score, self._psi)

    def total(self) -> Floats:
        """Return the influence of each unit or cluster, (G,)."""
        total = np.bincount(self._codes, weights=self._psi, minlength=self._n_independent)
        return np.asarray(total, dtype=np.float64)
