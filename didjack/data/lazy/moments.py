"""Sums over rows that differ in their covariates, which are all that a linear regression needs.

Rows with the same sums of w, w z, w z z' and w z y have the same weighted regressions, means and
influence of clusters. There are k such rows with k covariates, the intercept included:
with W, m, S and c the weight, means, and central moments of covariates, and of covariates and
outcome, S = V diag(l) V', and H the rows of an orthogonal matrix that are orthogonal to ones,
the i-th has weight W/k, covariates m + sqrt(k/W) V diag(sqrt(l)) H_i and an outcome that exceeds
the mean by sqrt(k/W) (V'c / sqrt(l))'H_i.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import mul
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.data.sample import CleanData
from didjack.imports import load

# ---- columns -------------------------------------------------------------------------------------

Dummy = tuple[str, Any]
"""A category and its level."""


class Column(NamedTuple):
    """A column of the design: a product of dummies and of a number.

    Attributes
    ----------
    dummies : of different categories; none: one
    number : place among the numbers; None: one
    """

    dummies: frozenset[Dummy] = frozenset()
    number: int | None = None


class Number(NamedTuple):
    """A number that columns are products of.

    Only alone is it measured from its mean, which changes the column by a multiple of the
    intercept. A product with a dummy would change by a multiple of the dummy, which may be left
    out of a regression as collinear.

    Attributes
    ----------
    value : expression
    alone : whether it is a column by itself, without dummies
    """

    value: nw.Expr
    alone: bool

    def standardised(self, mean: float, sd: float) -> Number:
        """Take out a mean, if that may be, and a standard deviation."""
        if self.alone:
            scale = sd if sd > 1e-14 * abs(mean) else 1.0
            return self._replace(value=(self.value - nw.lit(mean)) / nw.lit(scale))
        return self._replace(value=self.value / nw.lit(max(sd, abs(mean)) or 1.0))


class Sum(NamedTuple):
    """A sum over rows, or the least or largest, of a product.

    Attributes
    ----------
    what : "w" of w times it, "wy" of that times the outcome, "n" of it, "low", "high"
    dummies : of different categories
    numbers : places among the numbers, sorted
    """

    what: str
    dummies: frozenset[Dummy] = frozenset()
    numbers: tuple[int, ...] = ()


def sum_of(what: str, *columns: Column) -> Sum | None:
    """Return what is added up of a product of columns; None if it is 0 in every row.

    A dummy is its own square, and its product with that of another level is 0.
    """
    dummies: frozenset[Dummy] = frozenset().union(*(column.dummies for column in columns))
    if len({name for name, _ in dummies}) < len(dummies):
        return None
    numbers = sorted(column.number for column in columns if column.number is not None)
    return Sum(what, dummies, tuple(numbers))


def most_frequent(columns: list[Column]) -> str | None:
    """Return the category with dummies in most of the columns; None without categories."""
    names = Counter(name for column in columns for name, _ in column.dummies)
    return max(names, key=names.__getitem__, default=None)


# ---- moments -------------------------------------------------------------------------------------

ENDS = ("low", "high")
ALL = ("w", "wy", "n", *ENDS)
"""Which sums there are."""

CROSS, NUMBER, LOW, HIGH = -4, -3, -2, -1
"""Where moments have sums of w z y, sums of z, and the least and largest z."""


@dataclass(frozen=True)
class Moments:
    """Which sums of covariates an engine is asked for.

    Each row has one level of a category, so that columns of different levels have products of 0.
    Rows are added up by the levels of the category with the most columns: of these, few sums over
    many rows, from which all products follow.

    Attributes
    ----------
    own : name -> name for a column that is none of the table's
    columns : (k,) columns of the design, the intercept first
    numbers : that columns are products of
    dummies : expressions of dummies; those of `category` are of the column of levels
    category : by whose levels rows are added up first; None: there are no categories
    level : expression of its levels
    finite : term -> expression for where it is finite, of those that need not be
    design : FiniteTerms
    """

    own: Callable[[str], str]
    columns: list[Column]
    numbers: list[Number]
    dummies: dict[Dummy, nw.Expr]
    category: str | None
    level: nw.Expr | None
    finite: dict[str, nw.Expr]
    design: FiniteTerms

    @property
    def flags(self) -> dict[str, str]:
        """Term -> name of the key that says whether it is finite."""
        return {term: self.own(f"finite_{j}") for j, term in enumerate(self.finite)}

    def of_rows(self) -> dict[str, nw.Expr]:
        """Return what is added up, and the keys, by name."""
        found = {self.own(f"x_{j}"): number.value for j, number in enumerate(self.numbers)}
        found |= self._made(lambda name: name != self.category)
        found |= {flag: self.finite[term] for term, flag in self.flags.items()}
        return found if self.level is None else found | {self.own("level"): self.level}

    def with_levels(self, parts: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Return sums by the levels of the category with the dummies of these."""
        made = self._made(lambda name: name == self.category)
        return parts.with_columns(**made) if made else parts

    def _made(self, chosen: Callable[[str], bool]) -> dict[str, nw.Expr]:
        return {
            self._dummy(dummy): value for dummy, value in self.dummies.items() if chosen(dummy[0])
        }

    def _dummy(self, dummy: Dummy) -> str:
        return self.own(f"d_{self._places[dummy]}")

    @cached_property
    def _places(self) -> dict[Dummy, int]:
        return {dummy: j for j, dummy in enumerate(self.dummies)}

    # ---- sums ------------------------------------------------------------------------------------

    @cached_property
    def sums(self) -> dict[Sum, str]:
        """What is known of the design, with names."""
        found: dict[Sum | None, None] = {}
        for a, column in enumerate(self.columns[1:], start=1):
            whats = ("wy", "n") if column.number is None else ("wy", "n", "low", "high")
            found |= dict.fromkeys(sum_of(what, column) for what in whats)
            found |= dict.fromkeys(sum_of("w", column, other) for other in self.columns[: a + 1])
        return {
            wanted: self.own(f"s_{j}")
            for j, wanted in enumerate(wanted for wanted in found if wanted is not None)
        }

    @cached_property
    def sums_of_rows(self) -> dict[Sum, str]:
        """What rows are asked for, with names: the sums, but for dummies of the category."""
        if self.category is None:
            return self.sums
        return {
            wanted: self.own(f"r_{j}")
            for j, wanted in enumerate(dict.fromkeys(map(self._of_rows, self.sums)))
        }

    def _of_rows(self, wanted: Sum) -> Sum:
        kept = frozenset(dummy for dummy in wanted.dummies if dummy[0] != self.category)
        return wanted._replace(dummies=kept)

    def totals(
        self,
        whats: tuple[str, ...],
        above: nw.Expr | None = None,
        weight: nw.Expr | None = None,
    ) -> list[nw.Expr]:
        """Return the sums over rows.

        Parameters
        ----------
        whats : which of them
        above : outcome
        weight : None: one
        """
        factors = {"w": [weight], "wy": [weight, above]}
        found = []
        for wanted, name in self.sums_of_rows.items():
            if wanted.what in whats:
                parts = [part for part in factors.get(wanted.what, []) if part is not None]
                product = self._factors(wanted, parts)
                value = reduce(mul, product) if product else None
                found.append(_taken(wanted.what, value).alias(name))
        return found

    def _factors(self, wanted: Sum, parts: list[nw.Expr]) -> list[nw.Expr]:
        dummies = (nw.col(self._dummy(dummy)) for dummy in wanted.dummies)
        numbers = (nw.col(self.own(f"x_{j}")) for j in wanted.numbers)
        return [*dummies, *numbers, *parts]

    def totals_of_levels(self, whats: tuple[str, ...]) -> list[nw.Expr]:
        """Return the sums over levels of the sums over rows."""
        of_rows = self.sums_of_rows
        found = []
        for wanted, name in self.sums.items():
            if wanted.what not in whats:
                continue
            value = nw.col(of_rows[self._of_rows(wanted)])
            for dummy in wanted.dummies:
                if dummy[0] == self.category:
                    value = value * nw.col(self._dummy(dummy))
            found.append(_taken(wanted.what, value).alias(name))
        return found

    @property
    def size(self) -> int:
        """How many numbers the moments of a row are."""
        return len(self.columns) * (len(self.columns) + 4)

    def read(self, found: Mapping[str, Any]) -> Floats:
        """Arrange the sums as moments of rows, (N, k, k + 4).

        Parameters
        ----------
        found : name -> what came back, (N,) each, with the sums that are taken anyway
        """
        own, names = self.own, self.sums
        count = found[own("n")].astype(np.float64)
        moments = np.zeros((count.size, len(self.columns), len(self.columns) + 4))
        moments[:, 0, 0], moments[:, 0, CROSS] = found.get(own("w"), count), found[own("wy")]
        moments[:, 0, NUMBER], moments[:, 0, LOW:] = count, 1.0

        def value(what: str, *columns: Column) -> Any:
            wanted = sum_of(what, *columns)
            return 0.0 if wanted is None else found[names[wanted]]

        for a, column in enumerate(self.columns[1:], start=1):
            moments[:, a, CROSS], number = value("wy", column), value("n", column)
            moments[:, a, NUMBER] = number
            if column.number is None:
                moments[:, a, LOW], moments[:, a, HIGH] = number == count, number > 0
            else:
                ends = [value(what, column) for what in ENDS]
                moments[:, a, LOW], moments[:, a, HIGH] = ends
            for b, other in enumerate(self.columns[: a + 1]):
                moments[:, a, b] = moments[:, b, a] = value("w", column, other)
        return moments


def _taken(what: str, value: nw.Expr | None) -> nw.Expr:
    """Take the least or largest of a value, or its sum; of one, if there is none."""
    if value is None:
        return nw.len().cast(nw.Float64)
    return value.min() if what == "low" else value.max() if what == "high" else value.sum()


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
