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

_MOST_NUMBERS = 100_000_000
"""So many sums are brought into memory where a pattern has many."""

_TEXT = 24
"""Bytes of a text, about, or of what is no number."""


def few_enough(rows: int) -> bool:
    """Whether so many rows are brought into memory without being asked to."""
    return rows <= MOST_ROWS


def most_patterns(used: Used) -> int:
    """Return how many patterns are brought into memory."""
    if used.moments is None:
        return MOST_ROWS
    return min(MOST_ROWS, _MOST_NUMBERS // used.moments.size)


def too_many_units(used: Used, rows: int) -> DataError:
    """Return the error for more units that are their own clusters than are brought into memory."""
    panel = used.options.panel
    what = "units that are clusters of their own" if panel else "rows without clusters"
    return DataError(
        f"{what} cannot be put together: name larger clusters in cluster, or {remedy(used, rows)}"
    )


def too_many(used: Used, rows: int) -> DataError:
    """Return the error for more patterns than are brought into memory."""
    classes = regression = ""
    if used.covariates.names and used.moments is None:
        classes = "make covariates of few values in the engine, such as classes of age, "
        regression = "use est_method='reg', for which sums over different rows will do, "
    most = plural(most_patterns(used), "different row")
    return DataError(
        f"df has more than {most} in {name_some(used.keys, 8)}, by "
        f"which lazy tables are grouped: {classes}{regression}or {remedy(used, rows)}"
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


def arrow_table(used: Used, rows: int) -> pa.Table:
    """Bring the used columns of so many rows into memory, and say first what that takes."""
    used.table.progress.say(f"didjack brings {_needed(used, rows)} into memory")
    return used.table.fetch(used.table.frame.select(*used.roles), "give its rows")
