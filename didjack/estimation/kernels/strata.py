"""Compiled: sums over rows by stratum or pattern, and over all clusters but one."""

from __future__ import annotations

from typing import Any

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels.compiled import jit
from didjack.estimation.kernels.inputs import MomentRows, Rows

# ---- hashing -------------------------------------------------------------------------------------

GAMMA = 0x9E3779B97F4A7C15
"""The stride of SplitMix64."""


@jit
def mix(h: Any) -> Any:
    """Scramble 64 bits: a step of SplitMix64."""
    h = h + np.uint64(GAMMA)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


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


# ---- sums ----------------------------------------------------------------------------------------


@jit
def stratum_sums(lo: int, hi: int, rows: Rows, y: Floats, gram: Floats, cross: Floats) -> None:
    """Sum w x x' and w x y over the rows of strata lo:hi.

    Parameters
    ----------
    y : (n, O)
    gram : (S, k, k) and cross : (S, O, k)
        Zeros, filled in.
    """
    x, w, start = rows.x, rows.w, rows.start
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
def moments(lo: int, hi: int, rows: MomentRows, outcomes: Ints, chosen: Ints, sums: Floats) -> None:
    """Sum w, w^2 and w y over the rows of strata chosen[lo:hi].

    Parameters
    ----------
    outcomes : (o,) which columns of y
    chosen : (c,) strata
    sums : (c, 2 + o)
        Zeros, filled in.
    """
    w, y, level, square, start = rows.w, rows.y, rows.level, rows.square, rows.start
    for c in range(lo, hi):
        for i in range(start[chosen[c]], start[chosen[c] + 1]):
            sums[c, 0] += w[i]
            sums[c, 1] += square[i] if square.size else w[i] * w[i]
            for o in range(outcomes.size):
                value = y[i, outcomes[o]] + level[i] if level.size else y[i, outcomes[o]]
                sums[c, 2 + o] += w[i] * value


@jit
def add_others(values: Floats, chosen: Ints, cluster: Ints, sums: Floats, after: Floats) -> None:
    """Sum strata over all clusters, and over all but one cluster at a time.

    What is left without a cluster is added up from the clusters before and after it, never
    subtracted, so that a dominant cluster costs no digits.

    Parameters
    ----------
    values : (S, m)
    chosen : (c,) strata to add up, ordered by cluster
    cluster : (S,)
    sums : (1 + H, m)
        Filled in: row 0 is the full sum, row 1 + h the sum without cluster h. With one row, only
        the full sum.
    after : (m,)
        Zeros, overwritten.
    """
    m, total = values.shape[1], sums[0]
    for o in range(m):
        total[o] = 0.0
    row = 0
    for s in chosen:  # what comes before a cluster
        if cluster[s] + 1 != row:
            row = cluster[s] + 1
            for o in range(m if row < len(sums) else 0):
                sums[row, o] = total[o]
        for o in range(m):
            total[o] += values[s, o]
    above = len(sums)
    for j in range(chosen.size - 1, -2, -1):  # what comes after it
        row = cluster[chosen[j]] + 1 if j >= 0 else 0
        if row < above:
            for other in range(row + 1, above):  # clusters without any of the strata
                for o in range(m):
                    sums[other, o] = total[o]
            above = row
            for o in range(m if row else 0):
                sums[row, o] += after[o]
        for o in range(m if row else 0):
            after[o] += values[chosen[j], o]


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
