"""The inner loops: sums over rows by stratum, logit steps, small symmetric solves.

Plain functions of contiguous arrays. Those that take `lo` and `hi` fill that part of their output
and nothing else, each sum running over its rows in a fixed order; so they can be run in threads,
and results do not depend on how many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

from didjack._typing import Bools, Floats, Ints

_Kernel = Callable[..., Any]

TRIM = 0.995
"""Comparison rows with a fitted propensity at or above this get no weight."""
MAX_ITERATIONS = 60
STEP_TOLERANCE = 1e-7
"""Newton converges quadratically: once a step moves no linear predictor by more than this, the
error is of the order 1e-14."""
DEVIANCE_TOLERANCE = 1e-8
FLAT_ITERATIONS = 3
"""So many iterations of flat deviance end a fit whose coefficients run off to infinity."""
GAMMA = 0x9E3779B97F4A7C15
"""The stride of SplitMix64."""
RANK_TOLERANCE = 1e-12
"""A column whose squared sine with the span of those before it is below this depends on them."""


def jit(function: _Kernel) -> _Kernel:
    """Compile a kernel, cached on disk; the one decorator of the package.

    Kernels are serial and release the GIL: `didjack.threads` runs them on disjoint chunks.
    """
    return cast(_Kernel, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@jit
def stratum_sums(
    lo: int, hi: int, x: Floats, w: Floats, y: Floats, start: Ints, gram: Floats, cross: Floats
) -> None:
    """Sum w x x' and w x y over the rows of strata lo:hi.

    Parameters
    ----------
    x : (n, k), w : (n,), y : (n, O), start : (S+1,)
    gram : (S, k, k) and cross : (S, O, k)
        Zeros, filled in.
    """
    k, n_out = x.shape[1], y.shape[1]
    for s in range(lo, hi):
        for i in range(start[s], start[s + 1]):
            for a in range(k):
                wx = w[i] * x[i, a]
                for b in range(a + 1):
                    gram[s, a, b] += wx * x[i, b]
                for o in range(n_out):
                    cross[s, o, a] += wx * y[i, o]
        for a in range(k):
            for b in range(a):
                gram[s, b, a] = gram[s, a, b]


@jit
def deleted_sums(values: Floats, chosen: Ints, cluster: Ints, n_clusters: int) -> Floats:
    """Sum strata over all clusters, and over all but one cluster at a time.

    What is left without a cluster is added up from the clusters before and after it, never
    subtracted, so that a dominant cluster costs no digits.

    Parameters
    ----------
    values : (S, m)
    chosen : (c,) strata to add up, ordered by cluster
    cluster : (S,)

    Returns
    -------
    (1 + n_clusters, m) row 0 is the full sum, row 1 + h the sum without cluster h. With
    n_clusters = 0, only the full sum.
    """
    m, c = values.shape[1], chosen.size
    total = np.zeros(m)
    result = np.empty((n_clusters + 1, m))
    i = 0
    before = np.zeros((c, m))
    while i < c:
        h = cluster[chosen[i]]
        for o in range(m):
            before[i, o] = total[o]
        while i < c and cluster[chosen[i]] == h:
            for o in range(m):
                total[o] += values[chosen[i], o]
            i += 1
    for r in range(n_clusters + 1):
        for o in range(m):
            result[r, o] = total[o]
    after = np.zeros(m)
    j = c
    while j > 0:
        h = cluster[chosen[j - 1]]
        last = j
        while j > 0 and cluster[chosen[j - 1]] == h:
            j -= 1
        if h < n_clusters:
            for o in range(m):
                result[h + 1, o] = before[j, o] + after[o]
        for i in range(last - 1, j - 1, -1):
            for o in range(m):
                after[o] += values[chosen[i], o]
    return result


@jit
def factor(gram: Floats, keep: Bools, drop: bool) -> tuple[Floats, Floats, Ints]:
    """Cholesky factors of scaled Gram matrices, column by column, first columns first.

    Columns are scaled to unit norm. A column that depends on those before it ends the
    factorisation, or with `drop` is left out of it.

    Parameters
    ----------
    gram : (R, k, k)
    keep : (R, k) columns to use at all
    drop : bool

    Returns
    -------
    lower : (R, k, k) factor of the scaled matrix; the row of a dropped column is zero
    scale : (R, k) one over the column norms; zero where a column is not used
    first : (R,) the first dependent column, -1 if there is none
    """
    n_rep, k = gram.shape[0], gram.shape[1]
    lower = np.zeros((n_rep, k, k))
    scale = np.zeros((n_rep, k))
    first = np.full(n_rep, -1)
    for r in range(n_rep):
        first[r] = factor_one(gram[r], keep[r], drop, lower[r], scale[r])
        if first[r] < 0 and reciprocal_condition(gram[r], lower[r], scale[r]) < 2.2e-16:
            first[r] = k - 1
    return lower, scale, first


@jit
def factor_one(gram: Floats, keep: Bools, drop: bool, lower: Floats, scale: Floats) -> int:
    """Factor one matrix into `lower` and `scale`; return the first dependent column or -1."""
    k = gram.shape[0]
    first = -1
    for a in range(k):
        for b in range(k):
            lower[a, b] = 0.0
        scale[a] = 1.0 / np.sqrt(gram[a, a]) if keep[a] and gram[a, a] > 0.0 else 0.0
    for a in range(k):
        if not keep[a]:
            continue
        left = 1.0 if scale[a] > 0.0 else 0.0
        for b in range(a):
            if scale[b] == 0.0:
                continue
            v = gram[a, b] * scale[a] * scale[b]
            for c in range(b):
                v -= lower[a, c] * lower[b, c]
            v /= lower[b, b]
            lower[a, b] = v
            left -= v * v
        if left > RANK_TOLERANCE:
            lower[a, a] = np.sqrt(left)
            continue
        if first < 0:
            first = a
        if not drop:
            break
        for b in range(k):
            lower[a, b] = 0.0
        scale[a] = 0.0
    return first


@jit
def reciprocal_condition(gram: Floats, lower: Floats, scale: Floats) -> float:
    """Reciprocal condition number, in the 1-norm, of one scaled Gram matrix."""
    k = gram.shape[0]
    norm, inverse_norm = 0.0, 0.0
    column = np.empty(k)
    for j in range(k):
        for a in range(k):
            column[a] = 0.0
        column[j] = 1.0
        if scale[j] == 0.0:
            continue
        substitute(lower, column)
        size, total = 0.0, 0.0
        for a in range(k):
            size += abs(column[a])
            total += abs(gram[a, j]) * scale[a] * scale[j]
        inverse_norm = max(inverse_norm, size)
        norm = max(norm, total)
    return 1.0 / (norm * inverse_norm)


@jit
def substitute(lower: Floats, v: Floats) -> None:
    """Solve L L' z = v in place; zero rows of L give zeros."""
    k = v.size
    for a in range(k):
        if lower[a, a] == 0.0:
            v[a] = 0.0
            continue
        for b in range(a):
            v[a] -= lower[a, b] * v[b]
        v[a] /= lower[a, a]
    for a in range(k - 1, -1, -1):
        if lower[a, a] == 0.0:
            continue
        for b in range(a + 1, k):
            v[a] -= lower[b, a] * v[b]
        v[a] /= lower[a, a]


@jit
def solve(lower: Floats, scale: Floats, rhs: Floats) -> Floats:
    """Solve the systems whose factors `factor` made.

    Parameters
    ----------
    lower : (R, k, k), scale : (R, k), rhs : (R, O, k)

    Returns
    -------
    (R, O, k)
    """
    n_rep, n_out, k = rhs.shape
    result = np.empty((n_rep, n_out, k))
    v = np.empty(k)
    for r in range(n_rep):
        for o in range(n_out):
            for a in range(k):
                v[a] = rhs[r, o, a] * scale[r, a]
            substitute(lower[r], v)
            for a in range(k):
                result[r, o, a] = v[a] * scale[r, a]
    return result


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
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    start: Ints,
    chosen: Ints,
    treated: Bools,
    beta: Floats,
    sums: Floats,
    top: Floats,
) -> None:
    """Sum the logit terms of chosen strata lo:hi at one coefficient vector.

    Parameters
    ----------
    x : (n, k), w : (n,), start : (S+1,), chosen : (c,), treated : (c,), beta : (k,)
    sums : (c, m)
        Zeros, filled in the layout of `add_logit`.
    top : (c,)
        Filled with the largest linear predictors.
    """
    for j in range(lo, hi):
        s = chosen[j]
        top[j] = add_logit(x, w, treated[j], start[s], start[s + 1], beta, sums[j])


@jit
def fit_logits(
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    start: Ints,
    chosen: Ints,
    treated: Bools,
    cluster: Ints,
    deleted: Ints,
    keep: Bools,
    largest: Floats,
    beta: Floats,
    converged: Bools,
    top: Floats,
) -> None:
    """Fit logits on all chosen strata but a deleted cluster's, for replicates lo:hi.

    Newton steps, halved where the deviance rises. A fit converges when its step is small. Where a
    covariate predicts the comparison status of some rows perfectly, coefficients grow without end
    while deviance and all other fitted values settle; such a fit counts as converged too.

    Parameters
    ----------
    x : (n, k), w : (n,), start : (S+1,), chosen : (c,), treated : (c,)
    cluster : (S,) cluster of each stratum
    deleted : (r,) cluster left out of each replicate, -1 for none
    keep : (r, k) covariates to use
    largest : (k,) largest absolute values of the covariates
    beta : (r, k)
        Starting values, zero where a covariate is not used; replaced by the fit.
    converged : (r,)
        Filled in.
    top : (r,)
        Filled with the largest fitted linear predictors.
    """
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
            top[r] = -np.inf
            for j in range(chosen.size):
                s = chosen[j]
                if cluster[s] != deleted[r]:
                    t = add_logit(x, w, treated[j], start[s], start[s + 1], beta[r], sums)
                    top[r] = max(top[r], t)
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
            size = reach(step, largest)
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
def add_odds(
    x: Floats, w: Floats, y: Floats, outcomes: Ints, lo: int, hi: int, beta: Floats, sums: Floats
) -> None:
    """Add w p/(1-p) times (x, y) of comparison rows lo:hi to `sums` (k + o,).

    Rows with p >= `TRIM` count nothing.
    """
    k = beta.size
    limit = np.log(TRIM / (1.0 - TRIM))
    for i in range(lo, hi):
        eta = predictor(x, i, beta)
        if eta < limit:
            odds = w[i] * np.exp(eta)
            for a in range(k):
                sums[a] += odds * x[i, a]
            for o in range(outcomes.size):
                sums[k + o] += odds * y[i, outcomes[o]]


@jit
def odds_sums(
    lo: int,
    hi: int,
    x: Floats,
    w: Floats,
    y: Floats,
    outcomes: Ints,
    start: Ints,
    chosen: Ints,
    cluster: Ints,
    deleted: Ints,
    beta: Floats,
    sums: Floats,
) -> None:
    """Sum w p/(1-p) times (x, y) over comparison rows but a deleted cluster's, replicates lo:hi.

    Parameters
    ----------
    y : (n, O); outcomes : (o,) columns of y to sum
    chosen : (c,) strata of comparison rows
    deleted : (r,) cluster left out, -1 for none
    beta : (r, k)
    sums : (r, k + o)
        Zeros, filled in.
    """
    for r in range(lo, hi):
        for j in range(chosen.size):
            s = chosen[j]
            if cluster[s] != deleted[r]:
                add_odds(x, w, y, outcomes, start[s], start[s + 1], beta[r], sums[r])


@jit
def collapse(
    code: Ints, n_patterns: int, first: Floats, second: Floats
) -> tuple[Floats, Floats, Floats]:
    """Count rows and add up two columns by pattern.

    The sums carry their rounding errors along (Knuth's two-sum), so that they do not depend on
    the order of the rows.

    Parameters
    ----------
    code : (N,) pattern of each row
    first, second : (N,)

    Returns
    -------
    count, and the sums of both : (n_patterns,)
    """
    count = np.zeros(n_patterns)
    sums = np.zeros((n_patterns, 2, 2))
    for i in range(code.size):
        c = code[i]
        count[c] += 1.0
        for part in range(2):
            value = first[i] if part == 0 else second[i]
            old = sums[c, part, 0]
            new = old + value
            back = new - old
            sums[c, part, 1] += (old - (new - back)) + (value - back)
            sums[c, part, 0] = new
    return count, sums[:, 0, 0] + sums[:, 0, 1], sums[:, 1, 0] + sums[:, 1, 1]


@jit
def hash_rows(y: Floats, x: Floats, w: Floats) -> Ints:
    """Hash the contents of rows; y (n,), x (n, k), w (Q, n) -> (n,)."""
    n = y.size
    result = np.empty(n, dtype=np.int64)
    y_bits, x_bits, w_bits = y.view(np.uint64), x.view(np.uint64), w.view(np.uint64)
    for i in range(n):
        h = mix(y_bits[i])
        for a in range(x.shape[1]):
            h = mix(h ^ x_bits[i, a])
        for q in range(w.shape[0]):
            h = mix(h ^ w_bits[q, i])
        result[i] = np.int64(h >> np.uint64(1))
    return result


@jit
def mix(h: Any) -> Any:
    """Scramble 64 bits: a step of SplitMix64."""
    h = h + np.uint64(GAMMA)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@jit
def binary_counts(x: Floats, w: Floats, low: Floats, start: Ints, chosen: Ints) -> Floats:
    """Count rows with weight by the value of binary columns, for some strata.

    Parameters
    ----------
    x : (n, b) binary columns, low : (b,) the lower value of each

    Returns
    -------
    (S, b, 2)
    """
    result = np.zeros((start.size - 1, low.size, 2))
    for s in chosen:
        for i in range(start[s], start[s + 1]):
            if w[i] > 0.0:
                for b in range(low.size):
                    result[s, b, 0 if x[i, b] == low[b] else 1] += 1.0
    return result
