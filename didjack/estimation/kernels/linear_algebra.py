"""Small symmetric systems: factors of Gram matrices, and solutions."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels.compiled import jit

RANK_TOLERANCE = 1e-12
"""A column whose squared sine with the span of those before it is below this depends on them."""


@jit
def factor_all(
    gram: Floats, keep: Bools, drop: bool, lower: Floats, scale: Floats, first: Ints
) -> None:
    """Factor scaled Gram matrices, (R, k, k): see `linear_systems.factor`.

    Parameters
    ----------
    lower, scale, first : (R, k, k), (R, k), (R,)
        Zeros, zeros and -1, filled in.
    """
    k = gram.shape[1]
    column = np.empty(k)
    for r in range(len(gram)):
        first[r] = factor_one(gram[r], keep[r], drop, lower[r], scale[r])
        if first[r] < 0 and reciprocal_condition(gram[r], lower[r], scale[r], column) < 2.2e-16:
            first[r] = k - 1


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
def reciprocal_condition(gram: Floats, lower: Floats, scale: Floats, column: Floats) -> float:
    """Reciprocal condition number, in the 1-norm, of one scaled Gram matrix.

    Parameters
    ----------
    column : (k,) overwritten
    """
    k = gram.shape[0]
    norm, inverse_norm = 0.0, 0.0
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
        inverse_norm = size if size > inverse_norm else inverse_norm
        norm = total if total > norm else norm
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
def solve_all(lower: Floats, scale: Floats, rhs: Floats, result: Floats) -> None:
    """Solve the systems that were factored: see `linear_systems.solve`.

    Parameters
    ----------
    result : (R, O, k)
        Filled in.
    """
    n_rep, n_out, k = rhs.shape
    for r in range(n_rep):
        for o in range(n_out):
            v = result[r, o]
            for a in range(k):
                v[a] = rhs[r, o, a] * scale[r, a]
            substitute(lower[r], v)
            for a in range(k):
                v[a] *= scale[r, a]
