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
from itertools import combinations_with_replacement
from math import comb, factorial

import numpy as np
from numpy.polynomial import Polynomial

from didjack._typing import Bools, Floats, Ints
from didjack.kernels import taylor as expansion_kernels
from didjack.kernels import threads
from didjack.sums.in_memory import EXPONENTIAL, Cohorts, Logit, LogitRows, Moments, logit_width
from didjack.sums.layout import Arm

TOLERANCE = 1e-13
"""Most error of a sum, relative, and of coefficients: relative to their change, in the norm of the
information, times its largest element (covariates are standardised)."""
DEGREES = range(3, 13)
MOST_TERMS = 2_000
MOST_SUMS = 100_000
LEAST_GAIN = 5e6
"""Expansions that save fewer multiplications are not worth their overhead."""
BLOCKS = 32
"""Rows are summed in so many blocks, whatever the number of threads."""
PASSES = 2
"""So many passes over all rows does a replicate take otherwise."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The monomials of k variables up to a degree D, by degree.

    Attributes
    ----------
    parent, variable : (M,) each is an earlier one times a variable
    degree : (M,)
    scale : (M,) one over the factorials of the exponents
    child : (M', k) number of each monomial of a degree less than D times each variable
    n_information : number of monomials of a degree less than D - 1
    """

    parent: Ints
    variable: Ints
    degree: Ints
    scale: Floats
    child: Ints
    n_information: int


@cache
def terms(k: int, degree: int) -> Terms:
    """List the monomials of k variables up to a degree."""
    words = [w for d in range(degree + 1) for w in combinations_with_replacement(range(k), d)]
    number = {word: g for g, word in enumerate(words)}
    lower = [word for word in words if len(word) < degree]
    child = [[number[tuple(sorted((*word, a)))] for a in range(k)] for word in lower]
    scale = [1.0 / np.prod([float(factorial(w.count(a))) for a in set(w)]) for w in words]
    return Terms(
        parent=np.array([number[word[:-1]] for word in words], dtype=np.int64),
        variable=np.array([word[-1] if word else 0 for word in words], dtype=np.int64),
        degree=np.array([len(word) for word in words], dtype=np.int64),
        scale=np.array(scale),
        child=np.array(child, dtype=np.int64),
        n_information=sum(len(word) < degree - 1 for word in words),
    )


@cache
def _derivatives() -> Floats:
    table = np.zeros((DEGREES[-1] + 2, DEGREES[-1] + 1))
    v, slope, now = Polynomial([0.0, 1.0, -1.0]), Polynomial([1.0, -2.0]), Polynomial([1.0])
    for d in range(2, len(table)):
        table[d, : d - 1] = now.coef
        now = slope * now + v * now.deriv()
    return table


def derivatives(degree: int) -> Floats:
    """Polynomials P_d with p^(d-1) = p (1-p) P_d(p), for the logistic p; (degree + 1, degree)."""
    return np.ascontiguousarray(_derivatives()[: degree + 1, :degree])


@cache
def _largest_derivative(degree: int) -> float:
    """Return the largest |p^(degree)| / (p (1-p)) over degree!, for the logistic p."""
    values = np.polynomial.polynomial.polyval(np.linspace(0, 1, 1001), _derivatives()[degree + 1])
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


def _cheapest(
    near_at: Callable[[int], Bools], most: int, k: int, n_rows: int, width: int, exact: int
) -> tuple[int, Bools] | None:
    """Choose a degree by the number of multiplications, or None to expand nothing.

    Parameters
    ----------
    near_at : degree -> which replicates it is good enough for, `most` of them if it is for all
    width : sums that each monomial is multiplied into
    exact : multiplications of a row in a replicate that is not near

    Returns
    -------
    degree, and for which replicates it is good enough
    """
    best, least = None, -LEAST_GAIN
    if most * n_rows * exact < LEAST_GAIN:
        return None
    for degree in DEGREES:
        n_terms = comb(k + degree, degree)
        if n_terms > MOST_TERMS or n_terms * width > MOST_SUMS:
            break
        near = near_at(degree)
        row = n_terms * (1 + width) + degree * degree + EXPONENTIAL
        own = 4 * n_terms * (width + k)
        cost = n_rows * row + int(np.count_nonzero(near)) * (own - n_rows * exact)
        if cost < least:
            best, least = (degree, near), cost
    return best


def _bounds(chosen: Ints) -> Ints:
    return np.linspace(0, chosen.size, min(BLOCKS, chosen.size) + 1).astype(np.int64)


def _own(cluster: Ints, deleted: Ints) -> tuple[Ints, Ints]:
    """Where the strata of a cluster begin and end among those chosen, both (r,)."""
    return np.searchsorted(cluster, deleted), np.searchsorted(cluster, deleted, side="right")


def fit_near(
    moments: Moments,
    rows: LogitRows,
    replicates: Ints,
    keep: Bools,
    start: Floats,
    base: Logit,
    limit: float,
) -> tuple[Bools, Logit]:
    """Fit those replicates whose coefficients are near those of a base fit.

    Parameters
    ----------
    replicates : (r,) that leave out one cluster each
    keep : (k,) covariates that they and the base use
    start : (r, k) starting values
    base : Logit of the full sample, r = 1
    limit : replicates in which a fitted propensity could reach this are not near

    Returns
    -------
    near : (r,) which replicates are
    fits : Logit with r rows, of which those of near replicates count; `top` is an upper bound
    """
    k = keep.size
    fits = Logit(start.copy(), np.zeros(replicates.size, dtype=bool), np.ones(replicates.size))
    eta = _log_odds(base.top[0])
    room = _log_odds(limit) - eta

    def near_at(beta: Floats, degree: int) -> Bools:
        reach, size = _reach(rows, beta - base.beta[0])
        return np.asarray((logit_error(degree, reach, size) < TOLERANCE) & (reach < room))

    exact = PASSES * (logit_width(k) + EXPONENTIAL)
    near = np.zeros(replicates.size, dtype=bool)
    found = _cheapest(partial(near_at, start), replicates.size, k, rows.n, 1, exact)
    if found is None:
        return near, fits
    degree, at = found[0], np.flatnonzero(found[1])
    beta, converged = _solve(moments, rows, replicates[at], keep, start[at], base.beta[0], degree)
    near[at] = converged & near_at(beta, degree)
    reach, _ = _reach(rows, beta - base.beta[0])
    fits.put(at, Logit(beta, converged, 1.0 / (1.0 + np.exp(-eta - reach))))
    if moments.tick is not None:
        moments.tick(int(np.count_nonzero(near)))
    return near, fits


def _solve(
    moments: Moments,
    rows: LogitRows,
    replicates: Ints,
    keep: Bools,
    start: Floats,
    base: Floats,
    degree: int,
) -> tuple[Floats, Bools]:
    """Solve for the coefficients of replicates, (r, k); also return where that worked."""
    strata, t, bounds = moments.design.strata, terms(keep.size, degree), _bounds(rows.chosen)
    by_block = np.zeros((bounds.size - 1, t.parent.size))
    data = (rows.x, rows.w, strata.start, rows.chosen, rows.treated)
    threads.run(
        expansion_kernels.logit_moments,
        bounds.size - 1,
        rows.n * (t.parent.size * 2 + EXPONENTIAL),
        *(*data, bounds, base, t.parent, t.variable, t.degree, derivatives(degree), by_block),
    )
    beta, converged = start.copy(), np.zeros(replicates.size, dtype=bool)
    first, last = _own(strata.cluster[rows.chosen], replicates - 1)
    threads.run(
        expansion_kernels.solve_expanded,
        replicates.size,
        replicates.size * t.parent.size * 4 * keep.size,
        *(*data, first, last, by_block.sum(axis=0), t.parent, t.variable, t.scale),
        *(t.child, t.n_information, base, keep, rows.largest, beta, converged),
    )
    return beta, converged


def _log_odds(p: float) -> float:
    return float(np.log(p / (1.0 - p))) if p < 1.0 else np.inf


def _reach(rows: LogitRows, step: Floats) -> tuple[Floats, Floats]:
    """Bound how far linear predictors move, (r,); and the largest element of (r, k) steps."""
    size = np.abs(step)
    return size @ rows.largest, size.max(axis=1)


def odds_sums(
    moments: Moments,
    rows: LogitRows,
    comparison: Cohorts,
    arm: Arm,
    beta: Floats,
    replicates: Ints,
    outcomes: Ints,
) -> Floats:
    """Sum w p/(1-p) (x, y) as `Moments.odds_sums` does, (r, k + o), if need be row by row.

    The first replicate is the one about which those near to it are expanded.
    """
    width = beta.shape[1] + outcomes.size
    reach, _ = _reach(rows, beta - beta[0])
    others = np.arange(replicates.size) > 0

    def near_at(degree: int) -> Bools:
        return np.asarray((odds_error(degree, reach) < TOLERANCE) & others)

    sums, near = np.zeros((replicates.size, width)), np.zeros(replicates.size, dtype=bool)
    shape = replicates.size, beta.shape[1], rows.n, width
    found = _cheapest(near_at, *shape, width + EXPONENTIAL)
    if found is not None:
        degree, at = found[0], np.flatnonzero(found[1])
        chosen = moments.select(comparison, arm.period)
        sums[at], share, gap = _expanded_odds(
            moments, rows, chosen, beta[0], beta[at], replicates[at], outcomes, degree
        )
        near[at] = (share < 0.5) & (reach[at] < gap)
    far = ~near
    sums[far] = moments.odds_sums(rows, comparison, arm, beta[far], replicates[far], outcomes)
    return sums


def _expanded_odds(
    moments: Moments,
    rows: LogitRows,
    chosen: Ints,
    base: Floats,
    beta: Floats,
    replicates: Ints,
    outcomes: Ints,
    degree: int,
) -> tuple[Floats, Floats, float]:
    """Sum w p/(1-p) (x, y) in replicates with an expansion, (r, k + o).

    Also return the largest share of the deleted cluster in any of the sums, (r,), and how near to
    where rows are trimmed a linear predictor of the base comes.
    """
    design, t, bounds = moments.design, terms(base.size, degree), _bounds(chosen)
    width = base.size + outcomes.size
    by_block, gap = np.zeros((bounds.size - 1, t.parent.size, width)), np.empty(bounds.size - 1)
    size = np.zeros((chosen.size, width))
    data = (rows.x, rows.w, design.y, outcomes, design.strata.start, chosen)
    threads.run(
        expansion_kernels.odds_moments,
        bounds.size - 1,
        rows.n * t.parent.size * width,
        *(*data, bounds, base, t.parent, t.variable, by_block, size, gap),
    )
    sums, share = np.zeros((len(beta), width)), np.empty(len(beta))
    first, last = _own(design.strata.cluster[chosen], replicates - 1)
    threads.run(
        expansion_kernels.odds_expanded,
        len(beta),
        len(beta) * t.parent.size * width,
        *(*data, first, last, by_block.sum(axis=0), t.parent, t.variable, t.scale, size),
        *(base, beta, sums, share),
    )
    return sums, share, float(gap.min())
