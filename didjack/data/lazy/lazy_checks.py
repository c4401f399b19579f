"""What is refused in a lazy table: dates beyond the calendar, and collations that merge labels."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np

from didjack.data.frames import FIRST, LAST, REMEDY
from didjack.data.lazy.lazy_table import engine_name
from didjack.data.lazy.used import Used
from didjack.errors import DataError
from didjack.wording import plural

# ---- collation -----------------------------------------------------------------------------------

_EXACT = ("duckdb", "polars")
"""Engines that compare all text exactly: polars always does, DuckDB is told to."""

_ALIKE = (("a", "A"), ("a", "á"), ("a", "a "))
"""Texts that collations take for the same."""


def check_collation(used: Used) -> None:
    """Raise for columns of text in which texts that differ are the same to the engine."""
    table, engine = used.table, engine_name(used.table.frame)
    text = [name for name in used.roles if isinstance(table.schema[name], nw.String)]
    if engine in _EXACT or not text:
        return
    alike = {
        table.own(f"{name}_{j}"): _text(name, one) == _text(name, other)
        for name in text
        for j, (one, other) in enumerate(_ALIKE)
    }
    found = table.fetch(table.frame.head(1).select(**alike), "compare its text")
    for name in text:
        for j, (one, other) in enumerate(_ALIKE):
            if found.num_rows and found[table.own(f"{name}_{j}")][0].as_py():
                raise DataError(
                    f"{used.roles[name]} {name!r} has a collation under which {engine} takes "
                    f"{one!r} and {other!r} for the same text; give the column a binary collation, "
                    "or use collect=True"
                )


def _text(name: str, text: str) -> nw.Expr:
    """Return a text that is compared as those of a column are."""
    nothing = nw.col(name).fill_null("").str.slice(0, 0)
    return nw.concat_str([nothing, nw.lit(text)])


# ---- dates ---------------------------------------------------------------------------------------


def check_dates(used: Used) -> None:
    """Raise for dates beyond the calendar in any of the used columns."""
    schema, table = used.table.schema, used.table
    dates = [name for name in used.roles if _may_be_beyond(schema[name])]
    if not dates:
        return
    polars = table.frame.implementation.is_polars()
    beyond = _beyond_in_polars if polars else _beyond
    counts = table.frame.select(
        beyond(name, schema[name]).cast(nw.Int64).sum().alias(name) for name in dates
    )
    found = table.fetch(counts, "look at its dates")
    for name in dates:
        if rows := int(found[name][0].as_py() or 0):
            raise DataError(
                f"{used.roles[name]} {name!r} has dates {REMEDY}: {plural(rows, 'row')}"
            )


def _may_be_beyond(dtype: Any) -> bool:
    """Whether a type has dates beyond the calendar; nanoseconds reach from 1677 to 2262."""
    return isinstance(dtype, nw.Date) or (
        isinstance(dtype, nw.Datetime) and dtype.time_unit != "ns"
    )


def _beyond(name: str, _dtype: Any) -> nw.Expr:
    day = nw.col(name).cast(nw.Date)
    first, last = date.fromisoformat(FIRST), date.fromisoformat(LAST)
    return (day < nw.lit(first)) | (day > nw.lit(last))


def _beyond_in_polars(name: str, dtype: Any) -> nw.Expr:
    """Compare the whole numbers that dates are stored as: others of them polars may not convert."""
    ticks = nw.col(name).cast(nw.Int64)
    unit: Any = "D"
    if isinstance(dtype, nw.Datetime):
        unit = dtype.time_unit
    one = int(np.timedelta64(1, "D") // np.timedelta64(1, unit))
    first, last = (int(np.datetime64(day, "D").astype(np.int64)) for day in (FIRST, LAST))
    return (ticks < first * one) | (ticks >= (last + 1) * one)
