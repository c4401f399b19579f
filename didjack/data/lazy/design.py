"""Covariates of many values: their columns are standardised, so that an engine can add them up."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from math import isfinite
from operator import mul
from typing import Any, NamedTuple

import narwhals as nw

from didjack.data.checks import check_covariates
from didjack.data.lazy.moments import FiniteTerms, Moments, count_products
from didjack.data.lazy.terms import Factor, Product, Terms
from didjack.data.lazy.used import Used, remedy, too_many
from didjack.errors import DataError

_MOST_COLUMNS, _MOST_PRODUCTS = 200, 2_000
"""Sums of so many products take an engine half a minute for ten million rows."""


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
    columns, products = len(terms.columns), count_products(terms.dummies)
    if columns > _MOST_COLUMNS or products > _MOST_PRODUCTS:
        raise DataError(
            f"{terms.formula.shown} has {columns} columns with {products:,} products; an engine is "
            f"asked for the sums of {_MOST_COLUMNS} and {_MOST_PRODUCTS:,} of them at most. Use "
            f"fewer categories, or {remedy(used, rows)}"
        )
    return replace(used, moments=_moments(used, terms)), terms


def _moments(used: Used, terms: Terms) -> Moments:
    factors = {factor: terms.expression(factor) for factor in terms.factors}
    written = [f for f in factors if f.level is None and f.name not in used.table.schema]
    columns = {
        column: reduce(mul, (factors[factor] for factor in column)) for column in terms.columns[1:]
    }
    names, places = terms.design(set(terms.columns))
    design = FiniteTerms(
        terms.formula.shown,
        names,
        [[f.name for f in terms.columns[place] if f in written] for place in places],
    )
    numbers = {
        column: z
        for (column, z), dummy in zip(columns.items(), terms.dummies[1:], strict=True)
        if dummy is None
    }
    columns |= _standardised(used, terms, numbers)
    return Moments(
        own=used.table.own,
        z=[None, *columns.values()],
        dummy=terms.dummies,
        finite={f.name: ~factors[f].is_null() for f in written},
        design=design,
    )


def _standardised(
    used: Used, terms: Terms, columns: dict[Product, nw.Expr]
) -> dict[Product, nw.Expr]:
    """Ask for means and standard deviations, and take these out of the columns.

    Raises
    ------
    DataError
        Squares of a column overflow, or vanish.
    """
    if not columns:
        return {}
    sizes = _sizes(used, list(columns.values()))
    check_covariates(
        terms.formula.shown,
        {
            ":".join(_written(factor) for factor in column): size.top
            for column, size in zip(columns, sizes, strict=True)
            if size.top is not None
        },
    )
    scaled = {}
    for (column, z), size in zip(columns.items(), sizes, strict=True):
        mean, sd = _number(size.mean), _number(size.sd)
        scaled[column] = (z - nw.lit(mean)) / nw.lit(sd if sd > 1e-14 * abs(mean) else 1.0)
    return scaled


class _Size(NamedTuple):
    """Where a column is; None: nowhere."""

    mean: float | None
    sd: float | None
    top: float | None


def _sizes(used: Used, columns: list[nw.Expr]) -> list[_Size]:
    """Ask for medians of clusters' means and standard deviations, and for the largest values.

    A cluster with values of another size moves the mean of all, far from the other clusters, whose
    covariates would have few digits left.
    """
    table, own, cluster = used.table, used.table.own, used.options.cluster
    assert cluster is not None
    rows = table.frame.select(*used.roles).filter(used.complete)
    rows = rows.with_columns(**{own(f"x_{j}"): z for j, z in enumerate(columns)})
    asked, medians = [], []
    for j in range(len(columns)):
        z, mean, sd, top = (nw.col(own(f"{what}_{j}")) for what in ("x", "mean", "sd", "top"))
        asked += [z.mean().alias(own(f"mean_{j}")), z.std().alias(own(f"sd_{j}"))]
        asked.append(z.abs().max().alias(own(f"top_{j}")))
        medians += [mean.median(), sd.median(), top.max()]
    by_cluster = table.grouped(rows, [cluster], *asked).select(*medians)
    found = table.fetch(by_cluster, "find the means of covariates").to_pylist()[0]
    return [
        _Size(*(found[own(f"{what}_{j}")] for what in _Size._fields)) for j in range(len(columns))
    ]


def _written(factor: Factor) -> str:
    return factor.name if factor.level is None else f"{factor.name}[{factor.level}]"


def _number(value: Any) -> float:
    """Return a number, or 0 for one that is not there or not finite."""
    return float(value) if value is not None and isfinite(value) else 0.0
