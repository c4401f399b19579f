"""The inner loops of influence functions: what each row adds to the derivative of an estimate."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.kernels.core import TRIM, jit


@jit
def odds_gradient(
    x: Floats,
    w: Floats,
    y: Floats,
    start: Ints,
    chosen: Ints,
    logit: Floats,
    beta: Floats,
    centre: float,
) -> Floats:
    """Sum w p/(1-p) x (y - x'beta - centre) over comparison rows; (k,)."""
    k = logit.size
    result = np.zeros(k)
    limit = np.log(TRIM / (1.0 - TRIM))
    for s in chosen:
        for i in range(start[s], start[s + 1]):
            eta, left = 0.0, y[i] - centre
            for a in range(k):
                eta += x[i, a] * logit[a]
                left -= x[i, a] * beta[a]
            if eta < limit:
                v = w[i] * np.exp(eta) * left
                for a in range(k):
                    result[a] += v * x[i, a]
    return result


@jit
def linear_influence(
    x: Floats,
    w: Floats,
    y: Floats,
    start: Ints,
    chosen: Ints,
    by_y: float,
    by_x: Floats,
    beta: Floats,
    by_residual: Floats,
    psi: Floats,
) -> None:
    """Add w (by_y y + x'by_x + (y - x'beta) x'by_residual) of rows to psi (n,)."""
    for s in chosen:
        for i in range(start[s], start[s + 1]):
            total, residual, direction = by_y * y[i], y[i], 0.0
            for a in range(beta.size):
                total += x[i, a] * by_x[a]
                residual -= x[i, a] * beta[a]
                direction += x[i, a] * by_residual[a]
            psi[i] += w[i] * (total + residual * direction)


@jit
def odds_influence(
    x: Floats,
    w: Floats,
    y: Floats,
    start: Ints,
    chosen: Ints,
    logit: Floats,
    beta: Floats,
    centre: float,
    by_odds: float,
    psi: Floats,
) -> None:
    """Add by_odds w p/(1-p) (y - x'beta - centre) of comparison rows to psi (n,).

    Rows with p >= `TRIM` count nothing.
    """
    limit = np.log(TRIM / (1.0 - TRIM))
    for s in chosen:
        for i in range(start[s], start[s + 1]):
            eta, left = 0.0, y[i] - centre
            for a in range(beta.size):
                eta += x[i, a] * logit[a]
                left -= x[i, a] * beta[a]
            if eta < limit:
                psi[i] += w[i] * by_odds * np.exp(eta) * left


@jit
def score_influence(
    x: Floats,
    w: Floats,
    start: Ints,
    chosen: Ints,
    treated: Bools,
    logit: Floats,
    by_score: Floats,
    psi: Floats,
) -> None:
    """Add w (D - p) x'by_score of all rows of a propensity model to psi (n,)."""
    for j in range(chosen.size):
        s = chosen[j]
        for i in range(start[s], start[s + 1]):
            eta, direction = 0.0, 0.0
            for a in range(logit.size):
                eta += x[i, a] * logit[a]
                direction += x[i, a] * by_score[a]
            p = 1.0 / (1.0 + np.exp(-eta))
            psi[i] += w[i] * ((1.0 if treated[j] else 0.0) - p) * direction
