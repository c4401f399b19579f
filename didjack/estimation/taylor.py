"""Logits without a small cluster, from a Taylor expansion about the full sample's.

Without a small cluster the coefficients change little. The score of all rows at coefficients near
the full sample's is a polynomial, whose coefficients take one pass over the rows for all
replicates together; the score of the cluster's own rows is exact and costs no more than these
rows. So a thousand clusters take little more time than one fit. Replicates for which the
polynomial could be off by more than rounding errors are left to be fitted row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import comb, factorial

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.passes import (
    EXPONENTIAL,
    HIGHEST_DEGREE,
    Logit,
    LogitModel,
    LogitPasses,
    OddsOf,
    logistic_derivatives,
    logit_width,
)

TOLERANCE = 1e-13
"""Most error of a sum, relative, and of coefficients: relative to their change, in the norm of the
information, times its largest element (covariates are standardised)."""
DEGREES = range(3, HIGHEST_DEGREE + 1)
MOST_TERMS = 2_000
MOST_SUMS = 100_000
LEAST_GAIN = 5e6
"""Expansions that save fewer multiplications are not worth their overhead."""
PASSES = 2
"""So many passes over all rows does a replicate take otherwise."""


@cache
def _largest_derivative(degree: int) -> float:
    """Return the largest |p^(degree)| / (p (1-p)) over degree!, for the logistic p."""
    values = np.polynomial.polynomial.polyval(
        np.linspace(0, 1, 1001), logistic_derivatives()[degree + 1]
    )
    return float(np.abs(values).max()) / factorial(degree)


def logit_error(degree: int, reach: Floats, size: Floats) -> Floats:
    r"""Bound the error of coefficients solved from an expansion of the log likelihood.

    With steps :math:`\eta_i = x_i'\Delta` of at most `reach`, the score leaves out terms
    :math:`w_i x_i r_i` with :math:`|r_i| \le c\, e^{reach} v_i |\eta_i|^D`, v = p (1-p), where c
    bounds the D-th derivative of p over D! v. In the norm of the information, these move the
    coefficients by at most :math:`c\, e^{reach}\, reach^{D-1}` times the length of
    :math:`\Delta`, whose largest element is `size`.
    """
    with np.errstate(over="ignore"):
        bound = _largest_derivative(degree) * np.exp(reach) * reach ** (degree - 1.0) * size
    return np.asarray(bound)


def odds_error(degree: int, reach: Floats) -> Floats:
    """Bound the relative error of exp expanded to a degree."""
    with np.errstate(over="ignore"):
        bound = np.exp(2.0 * reach) * reach ** (degree + 1.0) / factorial(degree + 1)
    return np.asarray(bound)


@dataclass(frozen=True, slots=True)
class Work:
    """What an expansion would save, and what it costs.

    Attributes
    ----------
    most : number of replicates that are near if all are
    k : number of variables
    n_rows : number of rows of a pass
    width : sums that each monomial is multiplied into
    exact : multiplications of a row in a replicate that is not near
    """

    most: int
    k: int
    n_rows: int
    width: int
    exact: int


def _cheapest(near_at: Callable[[int], Bools], work: Work) -> tuple[int, Bools] | None:
    """Choose a degree by the number of multiplications, or None to expand nothing.

    Parameters
    ----------
    near_at : degree -> which replicates it is good enough for

    Returns
    -------
    degree, and for which replicates it is good enough
    """
    k, n_rows, width = work.k, work.n_rows, work.width
    best, least = None, -LEAST_GAIN
    if work.most * n_rows * work.exact < LEAST_GAIN:
        return None
    for degree in DEGREES:
        n_terms = comb(k + degree, degree)
        if n_terms > MOST_TERMS or n_terms * width > MOST_SUMS:
            break
        near = near_at(degree)
        row = n_terms * (1 + width) + degree * degree + EXPONENTIAL
        own = 4 * n_terms * (width + k)
        cost = n_rows * row + int(np.count_nonzero(near)) * (own - n_rows * work.exact)
        if cost < least:
            best, least = (degree, near), cost
    return best


@dataclass(frozen=True, slots=True)
class Near:
    """Replicates whose coefficients may be near those of the full sample.

    Attributes
    ----------
    replicates : (r,) that leave out one cluster each
    keep : (k,) covariates that they and the full sample use
    start : (r, k) starting values
    limit : replicates in which a fitted propensity could reach this are not near
    """

    replicates: Ints
    keep: Bools
    start: Floats
    limit: float


def fit_near(
    logits: LogitPasses, model: LogitModel, asked: Near, full: Logit
) -> tuple[Bools, Logit]:
    """Fit those replicates whose coefficients are near those of the full sample.

    Parameters
    ----------
    full : Logit of the full sample, r = 1

    Returns
    -------
    near : (r,) which replicates are
    fits : Logit with r rows, of which those of near replicates count; `top` is an upper bound
    """
    replicates, keep, start = asked.replicates, asked.keep, asked.start
    k = keep.size
    fits = Logit(start.copy(), np.zeros(replicates.size, dtype=bool), np.ones(replicates.size))
    eta = _log_odds(full.top[0])
    room = _log_odds(asked.limit) - eta

    def near_at(degree: int, moved: tuple[Floats, Floats]) -> Bools:
        return np.asarray((logit_error(degree, *moved) < TOLERANCE) & (moved[0] < room))

    exact = PASSES * (logit_width(k) + EXPONENTIAL)
    near = np.zeros(replicates.size, dtype=bool)
    work = Work(replicates.size, k, model.n, 1, exact)
    found = _cheapest(partial(near_at, moved=_reach(model, start - full.beta[0])), work)
    if found is None:
        return near, fits
    degree, at = found[0], np.flatnonzero(found[1])
    about = full.beta[0]
    beta, converged = logits.fit_expanded(model, replicates[at], keep, start[at], about, degree)
    moved = _reach(model, beta - about)
    near[at] = converged & near_at(degree, moved)
    fits.put(at, Logit(beta, converged, 1.0 / (1.0 + np.exp(-eta - moved[0]))))
    if logits.tick is not None:
        logits.tick(int(np.count_nonzero(near)))
    return near, fits


def _log_odds(p: float) -> float:
    return float(np.log(p / (1.0 - p))) if p < 1.0 else np.inf


def _reach(model: LogitModel, step: Floats) -> tuple[Floats, Floats]:
    """Bound how far linear predictors move, (r,); and the largest element of (r, k) steps."""
    size = np.abs(step)
    largest = size[:, 0].copy()
    for column in size.T[1:]:  # as size.max(axis=1), which is slow for long and narrow arrays
        np.maximum(largest, column, out=largest)
    return size @ model.largest, largest


def odds_sums(
    logits: LogitPasses, model: LogitModel, of: OddsOf, beta: Floats, replicates: Ints
) -> Floats:
    """Sum w p/(1-p) (x, y) as `LogitPasses.odds` does, (r, k + o), if need be row by row.

    The first replicate is the one about which those near to it are expanded.
    """
    width = beta.shape[1] + of.outcomes.size
    reach, _ = _reach(model, beta - beta[0])
    others = np.arange(replicates.size) > 0

    def near_at(degree: int) -> Bools:
        return np.asarray((odds_error(degree, reach) < TOLERANCE) & others)

    sums, near = np.zeros((replicates.size, width)), np.zeros(replicates.size, dtype=bool)
    work = Work(replicates.size, beta.shape[1], model.n, width, width + EXPONENTIAL)
    found = _cheapest(near_at, work)
    if found is not None:
        degree, at = found[0], np.flatnonzero(found[1])
        logit = np.concatenate([beta[:1], beta[at]])
        sums[at], share, gap = logits.odds_expanded(model, of, logit, replicates[at], degree)
        near[at] = (share < 0.5) & (reach[at] < gap)
    far = ~near
    sums[far] = logits.odds(model, of, beta[far], replicates[far])
    return sums
