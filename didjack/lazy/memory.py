"""Lazy tables whose rows are needed: when that is, how much memory they take, and to fetch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from didjack.errors import DataError
from didjack.lazy.used import Used
from didjack.wording import name_some, plural

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 5_000_000
"""So many rows, or patterns of rows, are brought into memory without being asked to."""

_TEXT = 24
"""Bytes of a text, about, or of what is no number."""


def few_enough(used: Used) -> bool:
    """Whether patterns would be rows, but so few that they are brought into memory.

    Raises
    ------
    DataError
        They are too many for that.
    """
    options = used.options
    if not options.by_unit:
        return False
    rows = n_rows(used)
    if rows <= MOST_ROWS:
        return True
    what = "units that are clusters of their own" if options.panel else "rows without clusters"
    raise DataError(
        f"{what} cannot be put together: name larger clusters in cluster, or {remedy(used, rows)}"
    )


def check_number(used: Used) -> None:
    """Raise for a table of many rows that are all different."""
    if n_rows(used) > MOST_ROWS:
        raise too_many(used)


def too_many(used: Used) -> DataError:
    """Return the error for more patterns than are brought into memory."""
    return DataError(
        f"df has more than {plural(MOST_ROWS, 'different row')} in {name_some(used.keys, 8)}, by "
        "which lazy tables are grouped: make covariates of few values in the engine, such as "
        f"classes of age, or {remedy(used, n_rows(used))}"
    )


def n_rows(used: Used) -> int:
    """Count the rows of the table."""
    n = used.table.own("n")
    counted = used.table.frame.select(nw.len().cast(nw.Int64).alias(n))
    return int(used.table.fetch(counted, "count its rows")[n][0].as_py())


def remedy(used: Used, rows: int) -> str:
    """Write what helps in any case, and how much memory it takes."""
    return f"use collect=True, which brings {_needed(used, rows)} into memory"


def _needed(used: Used, rows: int) -> str:
    columns, size = plural(len(used.roles), "column"), sum(map(_width, _types(used)))
    return f"{plural(rows, 'row')} of {columns}, about {rows * size / 1e9:.2g} GB,"


def _types(used: Used) -> list[Any]:
    return [used.table.schema[name] for name in used.roles]


def _width(dtype: Any) -> int:
    """Return how many bytes a value takes."""
    if isinstance(dtype, nw.Boolean):
        return 1
    return 8 if dtype.is_numeric() or dtype.is_temporal() else _TEXT


def arrow_table(used: Used) -> pa.Table:
    """Bring the used columns into memory, and say first what that takes."""
    used.table.progress.say(f"didjack brings {_needed(used, n_rows(used))} into memory")
    return used.table.fetch(used.table.frame.select(*used.roles), "give its rows")
