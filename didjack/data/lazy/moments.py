"""Sums over rows that differ in their covariates, which are all that a linear regression needs.

Rows with the same sums of w, w z, w z z' and w z y have the same weighted regressions, means and
influence of clusters. There are k such rows with k covariates, the intercept included:
with W, m, S and c the weight, means, and central moments of covariates, and of covariates and
outcome, S = V diag(l) V', and H the rows of an orthogonal matrix that are orthogonal to ones,
the i-th has weight W/k, covariates m + sqrt(k/W) V diag(sqrt(l)) H_i and an outcome that exceeds
the mean by sqrt(k/W) (V'c / sqrt(l))'H_i.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.data.sample import CleanData
from didjack.imports import load

# ---- moments -------------------------------------------------------------------------------------

CROSS, NUMBER, LOW, HIGH = -4, -3, -2, -1
"""Where moments have sums of w z y, sums of z, and the least and largest z."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Which sums of covariates an engine is asked for.

    Attributes
    ----------
    own : name -> name for a column that is none of the table's
    z : (k,) columns of the design as expressions, but for the intercept, which is first and None
    dummy : (k,) the category that a column is a dummy of, or None
    finite : term -> expression for where it is finite, of those that need not be
    design : FiniteTerms
    """

    own: Callable[[str], str]
    z: list[nw.Expr | None]
    dummy: list[str | None]
    finite: dict[str, nw.Expr]
    design: FiniteTerms

    @property
    def flags(self) -> dict[str, str]:
        """Term -> name of the key that says whether it is finite."""
        return {term: self.own(f"finite_{j}") for j, term in enumerate(self.finite)}

    def columns(self) -> dict[str, nw.Expr]:
        """Return the columns that are added up, and the keys, by name."""
        z = {self._z(j): column for j, column in enumerate(self.z) if column is not None}
        return z | {flag: self.finite[term] for term, flag in self.flags.items()}

    def totals(self, above: nw.Expr, weight: nw.Expr | None) -> list[nw.Expr]:
        """Return the sums.

        Parameters
        ----------
        above : outcome
        weight : None: one
        """

        def total(value: nw.Expr, name: str) -> nw.Expr:
            return (value if weight is None else weight * value).sum().alias(self.own(name))

        found = []
        for a, column in enumerate(self.z):
            if column is None:
                continue
            z = nw.col(self._z(a))
            found += [total(z, f"z_{a}"), total(z * above, f"zy_{a}")]
            if weight is not None:
                found.append(z.sum().alias(self.own(f"n_{a}")))
            if self.dummy[a] is None:
                found.append(z.min().alias(self.own(f"low_{a}")))
                found.append(z.max().alias(self.own(f"high_{a}")))
        for a, b in _pairs(self.dummy):
            found.append(total(nw.col(self._z(a)) * nw.col(self._z(b)), f"zz_{a}_{b}"))
        return found

    def _z(self, place: int) -> str:
        return self.own(f"x_{place}")

    @property
    def size(self) -> int:
        """How many numbers the moments of a row are."""
        return len(self.z) * (len(self.z) + 4)

    def read(self, found: Mapping[str, Any]) -> Floats:
        """Arrange the sums as moments of rows, (N, k, k + 4).

        Parameters
        ----------
        found : name -> what came back, (N,) each, with the sums that are taken anyway
        """
        own, k = self.own, len(self.z)
        count = found[own("n")].astype(np.float64)
        weight = found.get(own("w"), count)
        moments = np.zeros((count.size, k, k + 4))
        moments[:, 0, 0], moments[:, 0, CROSS] = weight, found[own("wy")]
        moments[:, 0, NUMBER], moments[:, 0, LOW:] = count, 1.0
        for a in range(1, k):
            z = found[own(f"z_{a}")]
            moments[:, a, 0] = moments[:, 0, a] = z
            moments[:, a, CROSS] = found[own(f"zy_{a}")]
            moments[:, a, NUMBER] = found.get(own(f"n_{a}"), z)
            if self.dummy[a] is None:
                moments[:, a, LOW] = found[own(f"low_{a}")]
                moments[:, a, HIGH] = found[own(f"high_{a}")]
            else:
                moments[:, a, a], moments[:, a, LOW], moments[:, a, HIGH] = z, z == weight, z > 0
        for a, b in _pairs(self.dummy):
            moments[:, a, b] = moments[:, b, a] = found[own(f"zz_{a}_{b}")]
        return moments


def _pairs(dummy: list[str | None]) -> Iterator[tuple[int, int]]:
    """Yield the products of columns whose sums have to be asked for.

    A dummy is its own square, and its product with that of another level is 0.
    """
    for a in range(1, len(dummy)):
        for b in range(1, a + 1):
            if dummy[a] is None or dummy[a] != dummy[b]:
                yield a, b


def count_products(dummy: list[str | None]) -> int:
    """Count the products of columns whose sums have to be asked for."""
    return sum(1 for _ in _pairs(dummy))


@dataclass(frozen=True, slots=True)
class FiniteTerms:
    """A design of which no more is known, row by row, than whether its columns are finite.

    Attributes
    ----------
    shown : the formula as messages show it
    names : (k,) columns
    terms : (k,) the terms in each that need not be finite
    """

    shown: str
    names: list[str]
    terms: list[list[str]]

    def matrix(self, columns: Mapping[str, pd.Series]) -> tuple[Floats, list[str]]:
        """Return ones, or NaN where a column is not finite, (N, k), and the names."""
        x = np.ones((len(next(iter(columns.values()))), len(self.names)))
        for j, terms in enumerate(self.terms):
            for term in terms:
                x[:, j] *= columns[term]
        return x, self.names


# ---- spread --------------------------------------------------------------------------------------

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
        eligible=None if clean.eligible is None else np.repeat(clean.eligible, k),
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
    mean, y_mean = gram[:, 0] / weight[:, None], cross[:, 0] / weight
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
    side = np.sqrt(k / weight)[:, None, None] * helmert(k)
    x = np.ones_like(gram)
    centre = np.where(fixed, constant, mean[:, 1:])
    x[:, :, 1:] = centre[:, None] + norm[:, None] * np.einsum(
        "nji,nj,nbj->nib", side, root, vectors
    )
    along = np.einsum("nbj,nb->nj", vectors, c)
    u = np.divide(along, root, out=np.zeros_like(along), where=varies)
    return x, y_mean[:, None] + np.einsum("nji,nj->ni", side, u)
