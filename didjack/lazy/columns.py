"""Columns of a lazy table as expressions: where they are complete, and what they hold."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd


def complete(schema: dict[str, Any], name: str) -> nw.Expr:
    """Return where a column is neither missing nor infinite."""
    there = ~nw.col(name).is_null()
    return there & nw.col(name).is_finite() if schema[name].is_float() else there


def all_complete(schema: dict[str, Any], names: list[str]) -> nw.Expr:
    """Return where all of some columns are complete."""
    first, *others = names
    both = complete(schema, first)
    for name in others:
        both = both & complete(schema, name)
    return both


def literals(schema: dict[str, Any], name: str, values: pd.Series) -> list[Any]:
    """Return values of a column, none of them missing, as the engine knows them."""
    if isinstance(schema[name], nw.Date):
        values = values.dt.date
    return list(values.tolist())


def among(schema: dict[str, Any], name: str, values: pd.Series) -> nw.Expr:
    """Return where a column has one of some values, missing ones included."""
    there = values[values.notna()].drop_duplicates()
    found = nw.lit(False)
    if len(there):
        found = nw.col(name).is_in(literals(schema, name, there))
    if len(there) < len(values.drop_duplicates()):
        gone = nw.col(name).is_null()
        if schema[name].is_float():
            gone = gone | nw.col(name).is_nan()
        found = found.fill_null(False) | gone
    return found


def number(name: str) -> nw.Expr:
    """Return a column of numbers or truth values as floats."""
    return nw.col(name).cast(nw.Float64)
