"""Dates of a lazy table that are beyond the calendar: no result could say which they are."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np

from didjack.errors import DataError
from didjack.intake.dates import FIRST, LAST, REMEDY
from didjack.lazy.used import Used
from didjack.wording import plural


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
