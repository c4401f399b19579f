"""The inner loops of Taylor expansions about the full sample's logit.

Monomials of k variables are numbered by degree. Monomial g is monomial `parent[g]` times variable
`variable[g]`; number 0 is 1.
"""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.kernels.core import (
    STEP_TOLERANCE,
    TRIM,
    add_logit,
    add_odds,
    jit,
    newton_step,
    predictor,
    reach,
)

MOST_STEPS = 10


@jit
def logit_moments(
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    start: Ints,
    chosen: Ints,
    treated: Bools,
    bounds: Ints,
    beta: Floats,
    parent: Ints,
    variable: Ints,
    degree: Ints,
    horner: Floats,
    moments: Floats,
) -> None:
    """Sum w l x^g over rows, l the derivative of the log likelihood of the degree of monomial g.

    Parameters
    ----------
    bounds : (B+1,) block b is strata chosen[bounds[b]:bounds[b+1]]; blocks lo:hi are summed
    horner : (D+1, D) the derivative of degree d >= 2 is -p (1-p) times the polynomial in p with
        coefficients horner[d]
    moments : (B, M)
        Zeros, filled in.
    """
    n_terms, top = parent.size, horner.shape[0] - 1
    value, derivative = np.empty(n_terms), np.empty(top + 1)
    for block in range(lo, hi):
        for j in range(bounds[block], bounds[block + 1]):
            s = chosen[j]
            for i in range(start[s], start[s + 1]):
                if w[i] == 0.0:
                    continue
                eta = predictor(x, i, beta)
                p = 1.0 / (1.0 + np.exp(-eta))
                derivative[1] = (1.0 if treated[j] else 0.0) - p
                for d in range(2, top + 1):
                    total = 0.0
                    for c in range(d - 2, -1, -1):
                        total = total * p + horner[d, c]
                    derivative[d] = -p * (1.0 - p) * total
                _powers(w[i], x[i], parent, variable, value)
                for g in range(1, n_terms):
                    moments[block, g] += derivative[degree[g]] * value[g]


@jit
def odds_moments(
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    y: Floats,
    outcomes: Ints,
    start: Ints,
    chosen: Ints,
    bounds: Ints,
    beta: Floats,
    parent: Ints,
    variable: Ints,
    moments: Floats,
    size: Floats,
    gap: Floats,
) -> None:
    """Sum w p/(1-p) x^g (x, y) over comparison rows.

    Parameters
    ----------
    bounds : (B+1,) blocks of strata, of which lo:hi are summed
    moments : (B, M, k + o)
        Zeros, filled in.
    size : (c, k + o)
        Zeros, filled with the sums of w p/(1-p) |(x, y)| over each stratum.
    gap : (B,)
        Filled with the least distance of a linear predictor from where rows are trimmed.
    """
    k, n_out, n_terms = beta.size, outcomes.size, parent.size
    value, z = np.empty(n_terms), np.empty(k + n_out)
    limit = np.log(TRIM / (1.0 - TRIM))
    for block in range(lo, hi):
        gap[block] = np.inf
        for j in range(bounds[block], bounds[block + 1]):
            s = chosen[j]
            for i in range(start[s], start[s + 1]):
                if w[i] == 0.0:
                    continue
                eta = predictor(x, i, beta)
                gap[block] = min(gap[block], abs(eta - limit))
                if eta >= limit:
                    continue
                for a in range(k):
                    z[a] = x[i, a]
                for o in range(n_out):
                    z[k + o] = y[i, outcomes[o]]
                _powers(w[i] * np.exp(eta), x[i], parent, variable, value)
                for c in range(z.size):
                    size[j, c] += value[0] * abs(z[c])
                for g in range(n_terms):
                    for c in range(z.size):
                        moments[block, g, c] += value[g] * z[c]


@jit
def _powers(weight: float, at: Floats, parent: Ints, variable: Ints, value: Floats) -> None:
    """Write the monomials of a point, times a weight, into `value` (M,)."""
    value[0] = weight
    for g in range(1, value.size):
        value[g] = value[parent[g]] * at[variable[g]]


@jit
def _expand(
    moments: Floats, value: Floats, child: Ints, n_score: int, n_information: int, sums: Floats
) -> None:
    """Write score and information of a Taylor expansion in the layout of `kernels.add_logit`.

    Parameters
    ----------
    value : (M,) monomials over their factorials
    child : (n_score, k) number of the monomial that is monomial g times variable a
    n_score, n_information : number of monomials in the expansions of score and information
    """
    k = child.shape[1]
    for m in range(sums.size):
        sums[m] = 0.0
    for g in range(n_score):
        position = k
        for a in range(k):
            higher = child[g, a]
            sums[a] += moments[higher] * value[g]
            if g < n_information:
                for b in range(a + 1):
                    sums[position] -= moments[child[higher, b]] * value[g]
                    position += 1


@jit
def solve_expanded(
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    start: Ints,
    chosen: Ints,
    treated: Bools,
    first: Ints,
    last: Ints,
    moments: Floats,
    parent: Ints,
    variable: Ints,
    scale: Floats,
    child: Ints,
    n_information: int,
    base: Floats,
    keep: Bools,
    largest: Floats,
    beta: Floats,
    converged: Bools,
) -> None:
    """Fit logits without a cluster, replicates lo:hi: expanded sums less those of its rows.

    Parameters
    ----------
    first, last : (r,) the strata of the deleted cluster are chosen[first:last]
    moments : (M,) those of `logit_moments` at `base` (k,)
    keep : (k,)
    largest : (k,) largest absolute values of the covariates
    beta : (r, k)
        Starting values, replaced by the fits.
    converged : (r,)
        Filled in; also False where the cluster has more than half of the information on a
        coefficient, as the difference would lose digits.
    """
    k = base.size
    sums, own = np.empty(k + k * (k + 1) // 2 + 1), np.empty(k + k * (k + 1) // 2 + 1)
    information, lower = np.empty((k, k)), np.empty((k, k))
    norm, step, at, value = np.empty(k), np.empty(k), np.empty(k), np.empty(parent.size)
    for r in range(lo, hi):
        converged[r] = False
        for _ in range(MOST_STEPS):
            for a in range(k):
                at[a] = beta[r, a] - base[a]
            _powers(1.0, at, parent, variable, value)
            value *= scale
            _expand(moments, value, child, child.shape[0], n_information, sums)
            for m in range(own.size):
                own[m] = 0.0
            for j in range(first[r], last[r]):
                s = chosen[j]
                add_logit(x, w, treated[j], start[s], start[s + 1], beta[r], own)
            dominant = False  # the diagonal will do: whether the rest can be inverted is seen below
            position = k
            for a in range(k):
                position += a
                dominant |= keep[a] and own[position] > 0.5 * sums[position]
                position += 1
            for m in range(sums.size):
                sums[m] -= own[m]
            if dominant or not newton_step(sums, keep, information, lower, norm, step):
                break
            for a in range(k):
                beta[r, a] += step[a]
            size = reach(step, largest)
            if size < STEP_TOLERANCE:
                converged[r] = True
                break


@jit
def odds_expanded(
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    y: Floats,
    outcomes: Ints,
    start: Ints,
    chosen: Ints,
    first: Ints,
    last: Ints,
    moments: Floats,
    parent: Ints,
    variable: Ints,
    scale: Floats,
    size: Floats,
    base: Floats,
    beta: Floats,
    sums: Floats,
    share: Floats,
) -> None:
    """Sum w p/(1-p) (x, y) of comparison rows without a cluster's, replicates lo:hi.

    Parameters
    ----------
    moments : (M, k + o) and size : (c, k + o), those of `odds_moments` at `base` (k,)
    beta : (r, k)
    sums : (r, k + o)
        Zeros, filled in.
    share : (r,)
        Filled with the largest share of the cluster in any of the sums of absolute values.
    """
    k, width = base.size, moments.shape[1]
    at, value, own = np.empty(k), np.empty(parent.size), np.empty(width)
    total = np.zeros(width)
    for j in range(chosen.size):
        for c in range(width):
            total[c] += size[j, c]
    for r in range(lo, hi):
        for a in range(k):
            at[a] = beta[r, a] - base[a]
        _powers(1.0, at, parent, variable, value)
        value *= scale
        for g in range(parent.size):
            for c in range(width):
                sums[r, c] += value[g] * moments[g, c]
        for c in range(width):
            own[c] = 0.0
        for j in range(first[r], last[r]):
            s = chosen[j]
            add_odds(x, w, y, outcomes, start[s], start[s + 1], beta[r], own)
        share[r] = 0.0
        for c in range(width):
            sums[r, c] -= own[c]
            mine = 0.0
            for j in range(first[r], last[r]):
                mine += size[j, c]
            if mine > 0.0:
                share[r] = max(share[r], mine / total[c])
