"""Small symmetric systems in all replicates: factors of Gram matrices, and solutions.

Without covariates these are numbers. So that nobody waits for a compiler then, numpy does what the
kernels would, with the same digits.
"""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation.kernels import linear_algebra


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
    n_rep, k = keep.shape
    lower, scale = np.zeros((n_rep, k, k)), np.zeros((n_rep, k))
    first = np.full(n_rep, -1)
    if k > 1:
        linear_algebra.factor_all(gram, keep, drop, lower, scale, first)
        return lower, scale, first
    positive = gram[:, 0, 0] > 0.0
    used = keep[:, 0] & positive
    scale[used, 0] = 1.0 / np.sqrt(gram[used, 0, 0])
    lower[:, 0, 0] = scale[:, 0] > 0.0
    first[keep[:, 0] & (scale[:, 0] == 0.0)] = 0
    return lower, scale, first


def solve(lower: Floats, scale: Floats, rhs: Floats) -> Floats:
    """Solve the systems whose factors `factor` made.

    Parameters
    ----------
    lower : (R, k, k), scale : (R, k), rhs : (R, O, k)

    Returns
    -------
    (R, O, k)
    """
    if rhs.shape[2] > 1:
        result = np.empty(rhs.shape)
        linear_algebra.solve_all(lower, scale, rhs, result)
        return result
    with np.errstate(invalid="ignore", over="ignore"):  # kernels do not warn of these
        return np.where(lower > 0.0, rhs * scale[:, None] * scale[:, None], 0.0)
