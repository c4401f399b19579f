"""Rows with the same covariates: put together, or in an order of their own."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.intake.labels import distinct
from didjack.kernels import hashing

MOST_VALUES = 64
"""A covariate with more distinct values than this is not worth collapsing rows by."""


def patterns(x: Floats, stratum: Ints) -> tuple[Ints, Ints] | None:
    """Find the distinct (stratum, covariates); None where that would not make rows fewer.

    Returns one row of each pattern, (n,), in the order of strata, and the pattern of each row,
    (N,).
    """
    key, largest = stratum, int(stratum.max()) + 1
    for column in x.T[1:]:
        values = _few_values(column)
        if values is None:
            return None
        largest *= values.size
        if largest >= 2**63:  # number the patterns so far anew, before the key overflows
            labels, key = distinct(key)
            largest = labels.size * values.size
        key = key * values.size + np.searchsorted(values, column)
    labels, code = distinct(key)
    if 2 * labels.size > key.size:
        return None
    rows = np.empty(labels.size, dtype=np.int64)
    rows[code] = np.arange(key.size)
    return rows, code


def _few_values(column: Floats) -> Floats | None:
    """Return the distinct values of a column if they are few."""
    if np.unique(column[:1000]).size > MOST_VALUES:
        return None
    values = np.unique(column)
    return values if values.size <= MOST_VALUES else None


def by_content(stratum: Ints, y: Floats, x: Floats, w: Floats) -> Ints:
    """Order rows by stratum, and within one by a hash of their contents.

    Rows that cannot be told apart may come in any order; all others have theirs, whatever their
    order in the table.
    """
    content = hashing.hash_rows(y, x, np.ascontiguousarray(w))
    return np.lexsort((content, stratum))
