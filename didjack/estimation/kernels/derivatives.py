"""What each row adds to the derivative of an estimate."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats
from didjack.estimation.kernels.compiled import jit
from didjack.estimation.kernels.inputs import Contrast, Linear, LogitRows, OutcomeRows
from didjack.estimation.kernels.logit import TRIM


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
