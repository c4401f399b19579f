"""Covariates of many values: their columns are standardised, so that an engine can add them up."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from math import isfinite
from operator import mul
from typing import Any

import narwhals as nw

from didjack.data.checks import check_covariates
from didjack.data.lazy.moments import (
    ENDS,
    Column,
    FiniteTerms,
    Moments,
    Number,
    most_frequent,
    sum_of,
)
from didjack.data.lazy.terms import Factor, Product, Terms
from didjack.data.lazy.used import Used, remedy, too_many
from didjack.errors import DataError

_MOST_COLUMNS, _MOST_SUMS = 200, 2_000
"""So many sums over rows take an engine half a minute for ten million rows."""


def with_moments(used: Used, rows: int) -> tuple[Used, Terms]:
    """Have rows put together that differ in covariates.

    Parameters
    ----------
    used : Used
    rows : number of rows of the table

    Raises
    ------
    DataError
        There are no covariates, sums do not suffice for the estimator, or the engine is not asked
        for some term, or for so many.
    """
    if used.covariates.formula is None or used.estimation.est_method != "reg":
        raise too_many(used, rows)
    terms = Terms.from_table(used, rows)
    columns = len(terms.columns)
    if columns > _MOST_COLUMNS:
        raise _too_wide(used, terms, rows, f"{columns} columns", f"{_MOST_COLUMNS}")
    moments = _moments(used, terms)
    if (sums := len(moments.sums_of_rows)) > _MOST_SUMS:
        what = f"{columns} columns, which take {sums:,} sums over rows"
        raise _too_wide(used, terms, rows, what, f"{_MOST_SUMS:,} sums")
    return replace(used, moments=_standardised(used, terms, moments)), terms


def _too_wide(used: Used, terms: Terms, rows: int, what: str, most: str) -> DataError:
    """Return the error for more columns, or sums, than an engine is asked for."""
    return DataError(
        f"{terms.formula.shown} has {what}; at most {most} are computed in the engine. Use fewer "
        f"categories, or {remedy(used, rows)}"
    )


def _parts(terms: Terms, product: Product) -> tuple[frozenset[Factor], Product]:
    """Divide a column into dummies and numbers."""
    dummies = frozenset(factor for factor in product if factor.name in terms.categories)
    return dummies, tuple(factor for factor in product if factor not in dummies)


def _moments(used: Used, terms: Terms) -> Moments:
    """Return the sums of a design whose numbers are not standardised yet."""
    parts = [_parts(terms, product) for product in terms.columns]
    # What a mean is taken out of, and what it is not: see `Number`.
    numbers = list(dict.fromkeys((number, not dummies) for dummies, number in parts if number))
    columns = [
        Column(frozenset(dummies), numbers.index((number, not dummies)) if number else None)
        for dummies, number in parts
    ]
    category = most_frequent(columns)
    factors = {factor: terms.number(factor) for number, _ in numbers for factor in number}
    written = [factor for factor in factors if factor.name not in used.table.schema]
    level, own = None if category is None else terms.category(category), used.table.own
    values = {name: terms.category(name) for name in terms.categories}
    if category is not None:
        values[category] = nw.col(own("level"))
    names, places = terms.design(set(terms.columns))
    design = FiniteTerms(
        terms.formula.shown,
        names,
        [[f.name for f in terms.columns[place] if f in written] for place in places],
    )
    return Moments(
        own=own,
        columns=columns,
        numbers=[
            Number(reduce(mul, (factors[f] for f in number)), alone) for number, alone in numbers
        ],
        dummies={
            factor: terms.dummy(factor, values[factor.name])
            for factor in terms.factors
            if factor.name in values
        },
        category=category,
        level=level,
        finite={f.name: ~factors[f].is_null() for f in written},
        design=design,
    )


def _standardised(used: Used, terms: Terms, moments: Moments) -> Moments:
    """Ask for means and standard deviations, and take these out of the numbers.

    They are medians of those of clusters' levels. A cluster with values of another size moves the
    mean of all, far from the other clusters, whose covariates would have few digits left.

    Raises
    ------
    DataError
        Squares of a column overflow, or vanish.
    """
    if not moments.numbers:
        return moments
    found = _sizes(used, moments)
    own, names = used.table.own, moments.sums
    sizes = {}
    for product, column in zip(terms.columns, moments.columns, strict=True):
        asked = [sum_of(what, column) for what in ENDS]
        ends = [found[names[end]] for end in asked if end in names]
        if ends and None not in ends:
            sizes[":".join(map(_written, product))] = max(abs(end) for end in ends)
    check_covariates(terms.formula.shown, sizes)
    scaled = [
        number.standardised(_number(found[own(f"mean_{j}")]), _number(found[own(f"sd_{j}")]))
        for j, number in enumerate(moments.numbers)
    ]
    return replace(moments, numbers=scaled)


def _sizes(used: Used, moments: Moments) -> dict[str, Any]:
    """Ask for medians of means and standard deviations, and for the ends of all columns."""
    table, own, cluster = used.table, used.table.own, used.options.cluster
    assert cluster is not None
    rows = table.frame.select(*used.roles).filter(used.complete)
    rows = rows.with_columns(**moments.of_rows())
    keys = [cluster] if moments.category is None else [cluster, own("level")]
    asked, medians = [], []
    for j in range(len(moments.numbers)):
        number, mean, sd = (nw.col(own(f"{what}_{j}")) for what in ("x", "mean", "sd"))
        asked += [number.mean().alias(own(f"mean_{j}")), number.std().alias(own(f"sd_{j}"))]
        medians += [mean.median(), sd.median()]
    parts = table.grouped(rows, keys, *asked, *moments.totals(ENDS))
    query = moments.with_levels(parts).select(*medians, *moments.totals_of_levels(ENDS))
    return dict(table.fetch(query, "find the means of covariates").to_pylist()[0])


def _written(factor: Factor) -> str:
    return factor.name if factor.level is None else f"{factor.name}[{factor.level}]"


def _number(value: Any) -> float:
    """Return a number, or 0 for one that is not there or not finite."""
    return float(value) if value is not None and isfinite(value) else 0.0
