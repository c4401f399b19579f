"""Propensity scores: logit fits of treated against comparison rows, for all replicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from didjack import kernels
from didjack.columns import Bools, Floats, Ints
from didjack.moments import LogitRows, LogitSums, Moments

MAX_ITERATIONS = 60
STEP_TOLERANCE = 1e-7
"""Newton converges quadratically: after a step this small the error is of the order 1e-14."""
DEVIANCE_TOLERANCE = 1e-8
FLAT_ITERATIONS = 3
"""So many iterations of flat deviance end a fit whose coefficients run off to infinity."""
OVERLAP_LIMIT = 0.999
"""A cell with a fitted (unweighted) propensity at or above this has no overlap."""

_Evaluate = Callable[[Floats, Ints], LogitSums]


@dataclass(frozen=True, slots=True)
class Logit:
    """Logit fits.

    Attributes
    ----------
    beta : (r, k) coefficients on the standardised covariates
    converged : (r,)
    top : (r,) the largest fitted propensity
    """

    beta: Floats
    converged: Bools
    top: Floats

    @property
    def overlap(self) -> Bools:
        """(r,) whether the fit converged with all propensities away from one."""
        return self.converged & (self.top < OVERLAP_LIMIT)

    def take(self, rows: Ints) -> Logit:
        """Select replicates."""
        return Logit(self.beta[rows], self.converged[rows], self.top[rows])


def fit_logit(moments: Moments, rows: LogitRows) -> Logit:
    """Fit the full sample and every delete-one-cluster sample, warm-started at the former.

    A cluster without rows in the model leaves the fit as it is.

    Returns
    -------
    Logit with r = R
    """
    k = rows.x.shape[1]
    n_rep = moments.n_replicates
    start = np.zeros((1, k))
    start[0, 0] = _log_odds(moments, rows)
    everything: list[LogitSums] = []

    def full_sample(beta: Floats, active: Ints) -> LogitSums:
        full, replicates = moments.logit_at(rows, beta[0])
        everything[:] = [replicates]
        return full

    full, last = _newton(full_sample, start)
    beta = np.repeat(full.beta, n_rep, axis=0)
    converged = np.repeat(full.converged, n_rep)
    top = np.repeat(full.top, n_rep)
    involved = moments.involved(rows.chosen)
    if full.converged[0]:
        step, solvable = _steps(everything[0], involved)
        first = last + np.where(solvable[:, None], step, 0.0)
    else:
        first = np.repeat(start, involved.size, axis=0)

    def replicate(beta: Floats, active: Ints) -> LogitSums:
        return moments.logit_replicates(rows, beta, involved[active])

    fits, _ = _newton(replicate, first)
    beta[involved], converged[involved], top[involved] = fits.beta, fits.converged, fits.top
    return Logit(beta, converged, top)


def _log_odds(moments: Moments, rows: LogitRows) -> float:
    """Log odds of treatment in the full sample, the fit without covariates."""
    start = moments.design.strata.start
    total = np.array([rows.w[start[s] : start[s + 1]].sum() for s in rows.chosen])
    one, zero = total[rows.treated].sum(), total[~rows.treated].sum()
    return float(np.log(one / zero)) if one > 0 and zero > 0 else 0.0


def _steps(sums: LogitSums, chosen: Ints) -> tuple[Floats, Bools]:
    """Newton steps (r, k) of some replicates, and where the information can be inverted."""
    lower, scale, dependent = kernels.factor(np.ascontiguousarray(sums.information[chosen]), False)
    solvable = dependent < 0
    lower[~solvable] = 0.0
    score = np.ascontiguousarray(sums.score[chosen][:, None, :])
    return kernels.solve(lower, scale, score)[:, 0, :], solvable


def _newton(evaluate: _Evaluate, start: Floats) -> tuple[Logit, Floats]:
    """Maximise r likelihoods by Newton steps, halved where the deviance rises.

    A fit converges when its step is small. Where a covariate predicts the comparison status of
    some rows perfectly, coefficients grow without end while deviance and all other fitted values
    settle; such a fit counts as converged too.

    Returns
    -------
    Logit, and the (r, k) coefficients at which `evaluate` was last called.
    """
    n_fit = len(start)
    beta, accepted, last = start.copy(), start.copy(), start.copy()
    deviance, null = np.full(n_fit, np.inf), np.full(n_fit, np.nan)
    flat = np.zeros(n_fit, dtype=np.int64)
    converged, top = np.zeros(n_fit, dtype=bool), np.full(n_fit, np.nan)
    active = np.arange(n_fit)
    for _ in range(MAX_ITERATIONS):
        if not active.size:
            break
        sums = evaluate(np.ascontiguousarray(beta[active]), active)
        last[active] = beta[active]
        null[active] = np.fmax(null[active], sums.deviance)
        slack = DEVIANCE_TOLERANCE * (sums.deviance + 1e-3 * null[active])
        fall = deviance[active] - sums.deviance
        rising = fall < -slack
        flat[active] = np.where(np.abs(fall) <= slack, flat[active] + 1, 0)
        step, solvable = _steps(sums, np.arange(active.size))
        small = solvable & (np.abs(step).max(axis=1) < STEP_TOLERANCE)
        top[active] = 1.0 / (1.0 + np.exp(-sums.top))
        settled = ~rising & (small | (flat[active] >= FLAT_ITERATIONS))
        stuck = ~rising & ~settled & ~solvable
        converged[active] = settled | (stuck & (flat[active] > 0))
        move = ~rising & solvable & (small | ~settled)
        here = active[~rising]
        accepted[here], deviance[here] = beta[here], sums.deviance[~rising]
        beta[active[move]] += step[move]
        back = active[rising]
        beta[back] = 0.5 * (beta[back] + accepted[back])
        active = active[~(settled | stuck)]
    return Logit(beta, converged, top), last
