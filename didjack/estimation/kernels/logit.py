"""Logits of treated against control rows, odds-weighted sums, and derivatives by rows."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels.compiled import jit
from didjack.estimation.kernels.inputs import (
    Contrast,
    Fits,
    Linear,
    LogitRows,
    OddsRows,
    OutcomeRows,
)
from didjack.estimation.kernels.linear_algebra import factor_one, substitute

TRIM = 0.995
"""Control rows with a fitted propensity at or above this get no weight."""
MAX_ITERATIONS = 60
STEP_TOLERANCE = 1e-7
"""Newton converges quadratically: once a step moves no linear predictor by more than this, the
error is of the order 1e-14."""
DEVIANCE_TOLERANCE = 1e-8
FLAT_ITERATIONS = 3
"""So many iterations of flat deviance end a fit whose coefficients run off to infinity."""


@jit
def predictor(x: Floats, i: int, beta: Floats) -> float:
    """Return the linear predictor of row i."""
    eta = 0.0
    for a in range(beta.size):
        eta += x[i, a] * beta[a]
    return eta


@jit
def add_logit(
    x: Floats, w: Floats, treated: bool, lo: int, hi: int, beta: Floats, sums: Floats
) -> float:
    """Add the logit sums of rows lo:hi to `sums`; return their largest linear predictor.

    Layout of `sums`: k of the score, k (k+1) / 2 of the information (lower triangle by rows),
    then minus twice the log likelihood.
    """
    k = beta.size
    top = -np.inf
    for i in range(lo, hi):
        if w[i] == 0.0:
            continue
        eta = predictor(x, i, beta)
        top = max(top, eta)
        small = np.exp(-abs(eta))
        p = 1.0 / (1.0 + small) if eta >= 0.0 else small / (1.0 + small)
        miss = p if not treated else (1.0 / (1.0 + small) if eta < 0.0 else small / (1.0 + small))
        score = w[i] * miss if treated else -w[i] * p
        information = w[i] * small / ((1.0 + small) * (1.0 + small))
        position = k
        for a in range(k):
            sums[a] += score * x[i, a]
            wx = information * x[i, a]
            for b in range(a + 1):
                sums[position] += wx * x[i, b]
                position += 1
        wrong = -eta if treated else eta
        sums[position] += 2.0 * w[i] * (max(wrong, 0.0) + np.log1p(small))
    return top


@jit
def logit_strata(
    lo: int, hi: int, rows: LogitRows, beta: Floats, sums: Floats, top: Floats
) -> None:
    """Sum the logit terms of chosen strata lo:hi at one coefficient vector.

    Parameters
    ----------
    beta : (k,)
    sums : (c, m)
        Zeros, filled in the layout of `add_logit`.
    top : (c,)
        Filled with the largest linear predictors.
    """
    start = rows.start
    for j in range(lo, hi):
        s = rows.chosen[j]
        first, last = start[s], start[s + 1]
        top[j] = add_logit(rows.x, rows.w, rows.treated[j], first, last, beta, sums[j])


@jit
def add_logits(rows: LogitRows, deleted: int, beta: Floats, sums: Floats) -> float:
    """Add the logit sums of all chosen strata but a cluster's; return the largest predictor."""
    top = -np.inf
    for j in range(rows.chosen.size):
        s = rows.chosen[j]
        if rows.cluster[s] != deleted:
            first, last = rows.start[s], rows.start[s + 1]
            top = max(top, add_logit(rows.x, rows.w, rows.treated[j], first, last, beta, sums))
    return top


@jit
def fit_logits(lo: int, hi: int, rows: LogitRows, deleted: Ints, keep: Bools, fits: Fits) -> None:
    """Fit logits on all chosen strata but a deleted cluster's, for replicates lo:hi.

    Newton steps, halved where the deviance rises. A fit converges when its step is small. Where a
    covariate predicts the control status of some rows perfectly, coefficients grow without end
    while deviance and all other fitted values settle; such a fit counts as converged too.

    Parameters
    ----------
    deleted : (r,) cluster left out of each replicate, -1 for none
    keep : (r, k) covariates to use
    """
    beta, converged, top = fits.beta, fits.converged, fits.top
    k = beta.shape[1]
    sums = np.empty(k + k * (k + 1) // 2 + 1)
    information, lower = np.empty((k, k)), np.empty((k, k))
    scale, step, accepted = np.empty(k), np.empty(k), np.empty(k)
    for r in range(lo, hi):
        for a in range(k):
            accepted[a] = beta[r, a]
        converged[r] = False
        deviance, null, flat, halved = np.inf, 0.0, 0, False
        for _ in range(MAX_ITERATIONS):
            for a in range(sums.size):
                sums[a] = 0.0
            top[r] = add_logits(rows, deleted[r], beta[r], sums)
            null = max(null, sums[-1])
            slack = DEVIANCE_TOLERANCE * (sums[-1] + 1e-3 * null)
            fall = deviance - sums[-1]
            if fall < -slack:
                for a in range(k):
                    beta[r, a] = 0.5 * (beta[r, a] + accepted[a])
                flat, halved = 0, True
                continue
            if halved and fall <= slack:
                break  # no step from here lowers the deviance
            halved = False
            flat = flat + 1 if fall <= slack else 0
            deviance = sums[-1]
            for a in range(k):
                accepted[a] = beta[r, a]
            solvable = newton_step(sums, keep[r], information, lower, scale, step)
            size = reach(step, rows.largest)
            if solvable and (size < STEP_TOLERANCE or flat < FLAT_ITERATIONS):
                for a in range(k):
                    beta[r, a] += step[a]
            if not solvable or size < STEP_TOLERANCE or flat >= FLAT_ITERATIONS:
                converged[r] = solvable or flat > 0
                break


@jit
def newton_step(
    sums: Floats, keep: Bools, information: Floats, lower: Floats, scale: Floats, step: Floats
) -> bool:
    """Write the Newton step into `step`; return whether the information could be inverted."""
    k = step.size
    unpack(sums, information)
    for a in range(k):
        step[a] = 0.0
    if factor_one(information, keep, False, lower, scale) >= 0:
        return False
    for a in range(k):
        step[a] = sums[a] * scale[a]
    substitute(lower, step)
    for a in range(k):
        step[a] *= scale[a]
    return True


@jit
def reach(step: Floats, largest: Floats) -> float:
    """Bound how far a step of the coefficients moves a linear predictor."""
    total = 0.0
    for a in range(step.size):
        total += abs(step[a]) * largest[a]
    return total


@jit
def unpack(sums: Floats, information: Floats) -> None:
    """Write the information matrix that `add_logit` summed, (m,), as (k, k)."""
    k = information.shape[0]
    position = k
    for a in range(k):
        for b in range(a + 1):
            information[a, b] = information[b, a] = sums[position]
            position += 1


@jit
def logit_steps(sums: Floats, keep: Bools) -> tuple[Floats, Bools]:
    """Newton steps (r, k) from logit sums (r, m), and where they can be had; zero elsewhere."""
    n_rep, k = keep.shape
    step, solvable = np.empty((n_rep, k)), np.empty(n_rep, dtype=np.bool_)
    information, lower, scale = np.empty((k, k)), np.empty((k, k)), np.empty(k)
    for r in range(n_rep):
        solvable[r] = newton_step(sums[r], keep[r], information, lower, scale, step[r])
    return step, solvable


@jit
def add_odds(rows: OddsRows, s: int, beta: Floats, sums: Floats) -> None:
    """Add w p/(1-p) times (x, y) of a stratum of control rows to `sums` (k + o,).

    Rows with p >= `TRIM` count nothing.
    """
    x, y, outcomes = rows.x, rows.y, rows.outcomes
    k = beta.size
    limit = np.log(TRIM / (1.0 - TRIM))
    for i in range(rows.start[s], rows.start[s + 1]):
        eta = predictor(x, i, beta)
        if eta < limit:
            odds = rows.w[i] * np.exp(eta)
            for a in range(k):
                sums[a] += odds * x[i, a]
            for o in range(outcomes.size):
                sums[k + o] += odds * y[i, outcomes[o]]


@jit
def odds_sums(lo: int, hi: int, rows: OddsRows, deleted: Ints, beta: Floats, sums: Floats) -> None:
    """Sum w p/(1-p) times (x, y) over control rows but a deleted cluster's, replicates lo:hi.

    Parameters
    ----------
    deleted : (r,) cluster left out, -1 for none
    beta : (r, k)
    sums : (r, k + o)
        Zeros, filled in.
    """
    for r in range(lo, hi):
        for s in rows.chosen:
            if rows.cluster[s] != deleted[r]:
                add_odds(rows, s, beta[r], sums[r])


# ---- what each row adds to the derivative of an estimate -----------------------------------------


@jit
def odds_gradient(rows: OutcomeRows, contrast: Contrast) -> Floats:
    """Sum w p/(1-p) x (y - x'beta - centre) over control rows; (k,)."""
    x, logit = rows.x, contrast.logit
    k = logit.size
    result = np.zeros(k)
    limit = np.log(TRIM / (1.0 - TRIM))
    for s in rows.chosen:
        for i in range(rows.start[s], rows.start[s + 1]):
            eta, left = 0.0, rows.y[i] - contrast.centre
            for a in range(k):
                eta += x[i, a] * logit[a]
                left -= x[i, a] * contrast.beta[a]
            if eta < limit:
                v = rows.w[i] * np.exp(eta) * left
                for a in range(k):
                    result[a] += v * x[i, a]
    return result


@jit
def linear_influence(rows: OutcomeRows, linear: Linear, psi: Floats) -> None:
    """Add w (by_y y + x'by_x + (y - x'beta) x'by_residual) of rows to psi (n,)."""
    x, y = rows.x, rows.y
    for s in rows.chosen:
        for i in range(rows.start[s], rows.start[s + 1]):
            total, residual, direction = linear.by_y * y[i], y[i], 0.0
            for a in range(linear.beta.size):
                total += x[i, a] * linear.by_x[a]
                residual -= x[i, a] * linear.beta[a]
                direction += x[i, a] * linear.by_residual[a]
            psi[i] += rows.w[i] * (total + residual * direction)


@jit
def odds_influence(rows: OutcomeRows, contrast: Contrast, by_odds: float, psi: Floats) -> None:
    """Add by_odds w p/(1-p) (y - x'beta - centre) of control rows to psi (n,).

    Rows with p >= `TRIM` count nothing.
    """
    x, logit = rows.x, contrast.logit
    limit = np.log(TRIM / (1.0 - TRIM))
    for s in rows.chosen:
        for i in range(rows.start[s], rows.start[s + 1]):
            eta, left = 0.0, rows.y[i] - contrast.centre
            for a in range(contrast.beta.size):
                eta += x[i, a] * logit[a]
                left -= x[i, a] * contrast.beta[a]
            if eta < limit:
                psi[i] += rows.w[i] * by_odds * np.exp(eta) * left


@jit
def score_influence(rows: LogitRows, logit: Floats, by_score: Floats, psi: Floats) -> None:
    """Add w (D - p) x'by_score of all rows of a propensity model to psi (n,)."""
    x = rows.x
    for j in range(rows.chosen.size):
        s = rows.chosen[j]
        for i in range(rows.start[s], rows.start[s + 1]):
            eta, direction = 0.0, 0.0
            for a in range(logit.size):
                eta += x[i, a] * logit[a]
                direction += x[i, a] * by_score[a]
            p = 1.0 / (1.0 + np.exp(-eta))
            psi[i] += rows.w[i] * ((1.0 if rows.treated[j] else 0.0) - p) * direction
