"""Covariates as the estimators work on them."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats


def standardise(x: Floats) -> Floats:
    """Centre and scale (Q, n, k) covariates over rows and slots, all but the intercept.

    Estimates do not depend on it, as there is an intercept; their accuracy does. Quartiles make
    sure that it does not suffer where a single cluster has values of another size. Changes x.
    """
    for a in range(1, x.shape[2]):
        column = x[:, :, a]
        low, centre, high = np.percentile(column, (25, 50, 75))
        spread = high - low if high > low else column.std()
        if spread > 1e-14 * abs(centre):
            column -= centre
            column /= spread
    return x


def binary_columns(x: Floats) -> Bools:
    """Return which columns of (Q, n, k) covariates have exactly two values, (k,)."""
    two = np.zeros(x.shape[2], dtype=bool)
    for a in range(1, x.shape[2]):
        column = np.ascontiguousarray(x[:, :, a])
        low, high = column.min(), column.max()
        few = np.isin(column.ravel()[:100], (low, high)).all()
        two[a] = low < high and few and ((column == low) | (column == high)).all()
    return two
