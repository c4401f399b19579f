"""Moments -> a few rows that have them, to which regressions are indifferent.

Rows with the same sums of w, w z, w z z' and w z y have the same weighted regressions, means and
influence of clusters. There are k such rows with k covariates, the intercept included:
with W, m, S and c the weight, means, and central moments of covariates, and of covariates and
outcome, S = V diag(l) V', and H the rows of an orthogonal matrix that are orthogonal to ones,
the i-th has weight W/k, covariates m + sqrt(k/W) V diag(sqrt(l)) H_i and an outcome that exceeds
the mean by sqrt(k/W) (V'c / sqrt(l))'H_i.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from didjack._typing import Floats, Ints
from didjack.imports import load
from didjack.intake.sample import CleanData
from didjack.lazy.moments import CROSS, HIGH, LOW

_LEAST = 1e-20
"""What varies by a smaller share of its square than this is taken to be constant."""


class Columns(NamedTuple):
    """A design that is part of moments.

    Attributes
    ----------
    names : (k,) columns, the intercept first
    places : (k,) where they are among the columns of the moments
    """

    names: list[str]
    places: list[int]


def spread(clean: CleanData, design: Columns, centre: float, steady: bool) -> CleanData:
    """Put k rows in the place of each row with moments.

    Parameters
    ----------
    clean : with moments, (N, ...), of outcomes measured from `centre`
    design : Columns
    centre : float
    steady : whether units have the same covariates in all periods

    Returns
    -------
    CleanData
        Of N k rows.
    """
    assert clean.moments is not None
    assert clean.count is not None
    assert clean.square is not None
    n, k = clean.y.size, len(design.places)
    base = _first_rows(clean) if steady else np.arange(n)
    moments = clean.moments[:, design.places]
    low, high = moments[base][:, 1:, LOW], moments[base][:, 1:, HIGH]
    constant = np.where(low == high, low, np.nan)
    x, y = _rows(moments[base][:, :, design.places], moments[:, :, CROSS], constant)
    # Where there is no weight, there are only rows.
    weight = clean.count if clean.weight is None else clean.weight
    more = np.arange(k) < (clean.count % k)[:, None]
    unit = clean.unit[:, None] * k + np.arange(k if clean.unit.size else 0)
    return replace(
        clean,
        y=(y + centre).ravel(),
        period=np.repeat(clean.period, k),
        cohort=np.repeat(clean.cohort, k),
        unit=unit.ravel(),
        cluster=np.repeat(clean.cluster, k),
        weight=np.repeat(weight / k, k),
        x=np.ascontiguousarray(x.reshape(n * k, k)),
        count=(clean.count[:, None] // k + more).ravel(),
        square=np.repeat(clean.square / k, k),
        moments=None,
        x_names=design.names,
    )


def _first_rows(clean: CleanData) -> Ints:
    """Return the row of each row's unit in its first period, (N,)."""
    order = np.argsort(clean.period, kind="stable")
    _, first, of_row = np.unique(clean.unit[order], return_index=True, return_inverse=True)
    found = np.empty(order.size, dtype=np.int64)
    found[order] = order[first[of_row]]
    return found


def _rows(gram: Floats, cross: Floats, constant: Floats) -> tuple[Floats, Floats]:
    """Return k rows for each of N, with equal weights: covariates (N, k, k), outcomes (N, k).

    Parameters
    ----------
    gram : (N, k, k) sum of w z z'
    cross : (N, k) sum of w z y
    constant : (N, k - 1) the value of a column, but for the intercept, that has only one, or NaN:
        with rounding errors instead, it would seem to vary between the rows of several patterns
    """
    helmert = load("scipy.linalg").helmert

    k = gram.shape[1]
    weight = gram[:, 0, 0]
    scale = np.where(weight > 0, weight, 1.0)
    mean, y_mean = gram[:, 0] / scale[:, None], cross[:, 0] / scale
    # In units of the columns' norms, each is as exact as the others.
    norm = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))
    norm = np.where(norm > 0, norm, 1.0)[:, 1:]
    s = (gram - mean[:, :, None] * gram[:, :1])[:, 1:, 1:] / (norm[:, :, None] * norm[:, None])
    c = (cross - mean * cross[:, :1])[:, 1:] / norm
    fixed = ~np.isnan(constant)
    s[fixed[:, :, None] | fixed[:, None]] = c[fixed] = 0.0
    values, vectors = np.linalg.eigh(s)
    vectors[fixed] = 0.0
    varies = values > _LEAST
    root = np.sqrt(np.where(varies, values, 0.0))
    side = np.sqrt(k / scale)[:, None, None] * helmert(k)
    x = np.ones_like(gram)
    centre = np.where(fixed, constant, mean[:, 1:])
    x[:, :, 1:] = centre[:, None] + norm[:, None] * np.einsum(
        "nji,nj,nbj->nib", side, root, vectors
    )
    along = np.einsum("nbj,nb->nj", vectors, c)
    u = np.divide(along, root, out=np.zeros_like(along), where=varies)
    return x, y_mean[:, None] + np.einsum("nji,nj->ni", side, u)
