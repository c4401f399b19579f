"""Taylor expansions about the full sample's logit: sums over rows, and fits without a cluster."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels.compiled import jit
from didjack.estimation.kernels.inputs import (
    Expansion,
    Fits,
    LogitRows,
    Monomials,
    OddsMoments,
    OddsRows,
    OddsSums,
)
from didjack.estimation.kernels.logit import (
    STEP_TOLERANCE,
    TRIM,
    add_logit,
    add_odds,
    newton_step,
    predictor,
    reach,
)

MOST_STEPS = 10


@jit
def logit_moments(
    lo: int,
    hi: int,
    rows: LogitRows,
    bounds: Ints,
    beta: Floats,
    terms: Monomials,
    moments: Floats,
) -> None:
    """Sum w l x^g over rows, l the derivative of the log likelihood of the degree of monomial g.

    Parameters
    ----------
    bounds : (B+1,) block b is strata chosen[bounds[b]:bounds[b+1]]; blocks lo:hi are summed
    moments : (B, M)
        Zeros, filled in.
    """
    n_terms, top = terms.parent.size, terms.horner.shape[0] - 1
    value, derivative = np.empty(n_terms), np.empty(top + 1)
    for block in range(lo, hi):
        for j in range(bounds[block], bounds[block + 1]):
            s = rows.chosen[j]
            for i in range(rows.start[s], rows.start[s + 1]):
                if rows.w[i] == 0.0:
                    continue
                eta = predictor(rows.x, i, beta)
                p = 1.0 / (1.0 + np.exp(-eta))
                derivative[1] = (1.0 if rows.treated[j] else 0.0) - p
                for d in range(2, top + 1):
                    total = 0.0
                    for c in range(d - 2, -1, -1):
                        total = total * p + terms.horner[d, c]
                    derivative[d] = -p * (1.0 - p) * total
                powers(rows.w[i], rows.x[i], terms, value)
                for g in range(1, n_terms):
                    moments[block, g] += derivative[terms.degree[g]] * value[g]


@jit
def odds_moments(
    lo: int,
    hi: int,
    rows: OddsRows,
    bounds: Ints,
    beta: Floats,
    terms: Monomials,
    into: OddsMoments,
) -> None:
    """Sum w p/(1-p) x^g (x, y) over control rows.

    Parameters
    ----------
    bounds : (B+1,) blocks of strata, of which lo:hi are summed
    """
    moments, size, gap = into.moments, into.size, into.gap
    k, n_out, n_terms = beta.size, rows.outcomes.size, terms.parent.size
    value, z = np.empty(n_terms), np.empty(k + n_out)
    limit = np.log(TRIM / (1.0 - TRIM))
    for block in range(lo, hi):
        gap[block] = np.inf
        for j in range(bounds[block], bounds[block + 1]):
            s = rows.chosen[j]
            for i in range(rows.start[s], rows.start[s + 1]):
                if rows.w[i] == 0.0:
                    continue
                eta = predictor(rows.x, i, beta)
                gap[block] = min(gap[block], abs(eta - limit))
                if eta >= limit:
                    continue
                for a in range(k):
                    z[a] = rows.x[i, a]
                for o in range(n_out):
                    z[k + o] = rows.y[i, rows.outcomes[o]]
                powers(rows.w[i] * np.exp(eta), rows.x[i], terms, value)
                for c in range(z.size):
                    size[j, c] += value[0] * abs(z[c])
                for g in range(n_terms):
                    for c in range(z.size):
                        moments[block, g, c] += value[g] * z[c]


@jit
def powers(weight: float, at: Floats, terms: Monomials, value: Floats) -> None:
    """Write the monomials of a point, times a weight, into `value` (M,)."""
    value[0] = weight
    for g in range(1, value.size):
        value[g] = value[terms.parent[g]] * at[terms.variable[g]]


@jit
def expand(moments: Floats, value: Floats, terms: Monomials, sums: Floats) -> None:
    """Write score and information of a Taylor expansion in the layout of `logit.add_logit`.

    Parameters
    ----------
    moments : (M,)
    value : (M,) monomials over their factorials
    """
    child = terms.child
    k = child.shape[1]
    for m in range(sums.size):
        sums[m] = 0.0
    for g in range(child.shape[0]):
        position = k
        for a in range(k):
            higher = child[g, a]
            sums[a] += moments[higher] * value[g]
            if g < terms.n_information:
                for b in range(a + 1):
                    sums[position] -= moments[child[higher, b]] * value[g]
                    position += 1


@jit
def dominates(own: Floats, sums: Floats, keep: Bools) -> bool:
    """Whether a cluster has more than half of the information on a coefficient.

    The diagonal will do: whether the rest can be inverted is seen when it is.
    """
    dominant = False
    position = keep.size
    for a in range(keep.size):
        position += a
        dominant |= keep[a] and own[position] > 0.5 * sums[position]
        position += 1
    return dominant


@jit
def solve_expanded(
    lo: int,
    hi: int,
    rows: LogitRows,
    terms: Monomials,
    expansion: Expansion,
    keep: Bools,
    fits: Fits,
) -> None:
    """Fit logits without a cluster, replicates lo:hi: expanded sums less those of its rows.

    Parameters
    ----------
    expansion : moments are those of `logit_moments` at the same coefficients
    keep : (k,) covariates to use
    fits : `converged` is also False where the cluster has more than half of the information on a
        coefficient, as the difference would lose digits; `top` is left as it is
    """
    about, beta = expansion.about, fits.beta
    k = about.size
    sums, own = np.empty(k + k * (k + 1) // 2 + 1), np.empty(k + k * (k + 1) // 2 + 1)
    information, lower = np.empty((k, k)), np.empty((k, k))
    norm, step, at = np.empty(k), np.empty(k), np.empty(k)
    value = np.empty(terms.parent.size)
    for r in range(lo, hi):
        fits.converged[r] = False
        for _ in range(MOST_STEPS):
            for a in range(k):
                at[a] = beta[r, a] - about[a]
            powers(1.0, at, terms, value)
            value *= terms.scale
            expand(expansion.moments, value, terms, sums)
            for m in range(own.size):
                own[m] = 0.0
            for j in range(expansion.first[r], expansion.last[r]):
                s = rows.chosen[j]
                first, last = rows.start[s], rows.start[s + 1]
                add_logit(rows.x, rows.w, rows.treated[j], first, last, beta[r], own)
            dominant = dominates(own, sums, keep)
            for m in range(sums.size):
                sums[m] -= own[m]
            if dominant or not newton_step(sums, keep, information, lower, norm, step):
                break
            for a in range(k):
                beta[r, a] += step[a]
            size = reach(step, rows.largest)
            if size < STEP_TOLERANCE:
                fits.converged[r] = True
                break


@jit
def odds_expanded(
    lo: int,
    hi: int,
    rows: OddsRows,
    terms: Monomials,
    expansion: Expansion,
    beta: Floats,
    into: OddsSums,
) -> None:
    """Sum w p/(1-p) (x, y) of control rows without a cluster's, replicates lo:hi.

    Parameters
    ----------
    expansion : moments are those of `odds_moments` at the same coefficients
    beta : (r, k)
    """
    about, size, sums, share = expansion.about, into.size, into.sums, into.share
    k, width = about.size, expansion.moments.shape[1]
    at, value, own = np.empty(k), np.empty(terms.parent.size), np.empty(width)
    total = np.zeros(width)
    for j in range(rows.chosen.size):
        for c in range(width):
            total[c] += size[j, c]
    for r in range(lo, hi):
        for a in range(k):
            at[a] = beta[r, a] - about[a]
        powers(1.0, at, terms, value)
        value *= terms.scale
        for g in range(terms.parent.size):
            for c in range(width):
                sums[r, c] += value[g] * expansion.moments[g, c]
        for c in range(width):
            own[c] = 0.0
        for j in range(expansion.first[r], expansion.last[r]):
            add_odds(rows, rows.chosen[j], beta[r], own)
        share[r] = 0.0
        for c in range(width):
            sums[r, c] -= own[c]
            mine = 0.0
            for j in range(expansion.first[r], expansion.last[r]):
                mine += size[j, c]
            if mine > 0.0:
                share[r] = max(share[r], mine / total[c])
