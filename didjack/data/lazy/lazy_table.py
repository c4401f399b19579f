"""A lazy table: what its engine is asked, and whether the table has changed."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.data.frames import plain_number
from didjack.data.numbers import package_of
from didjack.data.sample import Rows
from didjack.errors import DataError
from didjack.progress import Progress

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa


# ---- columns -------------------------------------------------------------------------------------


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


# ---- unchanged -----------------------------------------------------------------------------------

_CLOSE = 1e-6
"""Sums of the same numbers, added up in whatever order, differ by less than this part of them."""


def changed(before: int | None = None, after: int | None = None) -> DataError:
    """Return the error for a table that is not what it was, perhaps with its numbers of rows."""
    rows = "" if before == after else f" ({before:,} rows, then {after:,})"
    return DataError(
        f"data changed while it was read{rows}; give a table that stays as it is, such as a copy"
    )


def check_rows(keys: dict[str, Ints], count: Ints, kinds: dict[str, Ints], observed: Bools) -> None:
    """Raise unless rows are as many as the units that are seen, by period and other keys.

    Parameters
    ----------
    keys : name -> (N,), what rows are told apart by; "period" is the place of their period
    count : (N,) number of rows
    kinds : name -> (K,), the same of units, without "period"; "number" is how many units these are
    observed : (K, T) in which periods they are seen
    """
    kind, period = np.nonzero(observed)
    units = pd.DataFrame({name: column[kind] for name, column in kinds.items()})
    names = [*(name for name in kinds if name != "number"), "period"]
    there = units.assign(period=period).groupby(names)["number"].sum()
    if not pd.DataFrame(keys | {"number": count}).groupby(names)["number"].sum().equals(there):
        raise changed()


def check_parts(whole: Rows, parts: Rows, at: Ints) -> None:
    """Raise unless parts of rows add up to what the rows were.

    Parameters
    ----------
    whole : N rows
    parts : M of them
    at : (M,) which of the rows each is a part of; -1: of none
    """
    assert whole.count is not None
    assert parts.count is not None
    before, after = int(whole.count.sum()), int(parts.count.sum())
    if before != after or (at < 0).any():
        raise changed(before, after)
    n = whole.y.size
    weight, of_part = _weight(whole), _weight(parts)
    total = np.bincount(at, of_part, n)
    mean = np.divide(
        np.bincount(at, of_part * parts.y, n), weight, where=weight > 0, out=whole.y.copy()
    )
    same = (
        (np.bincount(at, parts.count, n) == whole.count).all()
        and np.allclose(total, weight, rtol=_CLOSE, atol=0.0)
        and np.abs(mean - whole.y).max() <= _CLOSE * np.abs(whole.y).max()
    )
    if not same:
        raise changed()


def _weight(rows: Rows) -> Floats:
    """Return the weight of all that each row stands for, (N,)."""
    weight = rows.count if rows.weight is None else rows.weight
    return np.asarray(weight, dtype=np.float64)


# ---- tables --------------------------------------------------------------------------------------

_FAILURES = {
    "polars.exceptions": "PolarsError",
    "duckdb": "Error",
    "pyspark.errors": "PySparkException",
    "py4j.protocol": "Py4JError",
    "pyarrow.lib": "ArrowException",
    "ibis.common.exceptions": "IbisError",
    "narwhals.exceptions": "NarwhalsError",
}
"""What engines raise, by module; those that are not imported raise nothing."""

_MISREAD = {
    "duckdb": re.compile(r"^\*$|[\s,]$"),
    "polars": re.compile(r"^\*$|^\^.*\$$"),
    "pyspark": re.compile(r"[.`]|^\*$"),
}
"""Names of columns that stand for something else in a query, by engine."""


def is_lazy(df: Any) -> bool:
    """Whether a table is one of those whose rows an engine has: DuckDB, polars, Spark, Ibis."""
    if isinstance(df, pd.DataFrame):
        return False
    import narwhals as nw

    if nw.dependencies.is_pyarrow_table(df):  # names of unused columns may be there twice
        return False
    return isinstance(nw.from_native(df, pass_through=True), nw.LazyFrame)


@dataclass(slots=True)
class LazyTable:
    """A lazy table, which is only read from.

    Attributes
    ----------
    frame : the table
    schema : name -> type of each column
    progress : a bar of the queries
    package : that of the user's table
    prefix : no column's name begins with it
    """

    frame: nw.LazyFrame[Any]
    schema: dict[str, Any]
    progress: Progress
    package: str
    prefix: str = field(default="didjack_")

    @classmethod
    def from_frame(cls, df: Any, progress: Progress, labels: Collection[str] = ()) -> LazyTable:
        """Wrap a table and look at its columns; labels are those whose decimals stay exact."""
        import narwhals as nw

        frame = nw.from_native(df, pass_through=False)
        with engine_errors(engine_name(frame), "list its columns"):
            schema = dict(frame.collect_schema())
        prefix = "didjack_"
        while any(name.lower().startswith(prefix) for name in schema):
            prefix += "_"
        table = cls(_with_exact_text(frame, schema), schema, progress, package_of(df), prefix)
        return table._with_plain_numbers(labels)

    def _with_plain_numbers(self, labels: Collection[str]) -> LazyTable:
        """Make decimals and numbers of 128 bits what they are in memory."""
        import narwhals as nw

        read_as = {
            name: plain_number(dtype)
            for name, dtype in self.schema.items()
            if not (name in labels and isinstance(dtype, nw.Decimal) and dtype.scale)
        }
        plain = {name: dtype() for name, dtype in read_as.items() if dtype is not None}
        if not plain:
            return self
        casts = [nw.col(name).cast(dtype) for name, dtype in plain.items()]
        return replace(self, frame=self.frame.with_columns(*casts), schema=self.schema | plain)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.schema)

    def check_names(self, roles: dict[str, str]) -> None:
        """Raise for names of used columns by which the engine cannot group.

        Parameters
        ----------
        roles : column -> what it is used as
        """
        engine = engine_name(self.frame)
        for name, role in roles.items():
            if engine in _MISREAD and _MISREAD[engine].search(name):
                raise DataError(
                    f"{role} {name!r}: {engine} gives a part of this name another meaning; "
                    "rename the column with letters, digits and underscores"
                )

    def own(self, name: str) -> str:
        """Return a name for a column that is none of the table's."""
        return self.prefix + name

    def grouped(
        self, rows: nw.LazyFrame[Any], keys: list[str], *sums: nw.Expr
    ) -> nw.LazyFrame[Any]:
        """Put rows together that have the same keys.

        DuckDB takes what is before a dot in the name of a key for a table's name: such keys have
        other names meanwhile.
        """
        import narwhals as nw

        other = {key: self.own(f"key_{j}") for j, key in enumerate(keys) if "." in key}
        if not other:
            return rows.group_by(*keys).agg(*sums)
        copied = rows.with_columns(nw.col(key).alias(name) for key, name in other.items())
        found = copied.group_by(*(other.get(key, key) for key in keys)).agg(*sums)
        return found.rename({name: key for key, name in other.items()})

    def fetch(self, query: nw.LazyFrame[Any], what: str) -> pa.Table:
        """Run a query and bring what it gives into memory.

        Parameters
        ----------
        query : of this table
        what : what it does, for messages

        Raises
        ------
        DataError
            The engine fails; the message has the engine's first line.
        """
        # polars would otherwise read whole columns at once.
        options = {"engine": "streaming"} if query.implementation.is_polars() else {}
        with engine_errors(engine_name(query), what):
            found = query.collect("pyarrow", **options).to_native()
        self.progress.advance(1)
        return found

    def fetch_together(self, queries: list[nw.LazyFrame[Any]], what: str) -> list[pa.Table]:
        """Run several queries as one, and bring what each gives into memory.

        Parameters
        ----------
        queries : of this table; columns of one name are of one type
        what : what they do, for messages

        Raises
        ------
        DataError
            The engine fails; the message has the engine's first line.
        """
        import narwhals as nw

        if len(queries) == 1:
            return [self.fetch(queries[0], what)]
        part = self.own("part")
        marked = [query.with_columns(nw.lit(i).alias(part)) for i, query in enumerate(queries)]
        found = nw.from_native(self.fetch(nw.concat(marked, how="diagonal"), what))
        return [
            found.filter(nw.col(part) == i).select(query.collect_schema().names()).to_native()
            for i, query in enumerate(queries)
        ]


def _with_exact_text(frame: nw.LazyFrame[Any], schema: dict[str, Any]) -> nw.LazyFrame[Any]:
    """Have DuckDB tell all texts apart, whatever collation they or the connection have."""
    import narwhals as nw

    text = [name for name, dtype in schema.items() if isinstance(dtype, nw.String)]
    if engine_name(frame) != "duckdb" or not text:
        return frame
    quoted = ['"' + name.replace('"', '""') + '"' for name in text]
    exact = ", ".join(f'CAST({name} AS VARCHAR) COLLATE "binary" AS {name}' for name in quoted)
    with engine_errors("duckdb", "compare its text"):
        compared: nw.LazyFrame[Any] = nw.from_native(
            nw.to_native(frame).project(f"* REPLACE ({exact})")
        )
    return compared


def engine_name(frame: nw.LazyFrame[Any]) -> str:
    """Return the name of the engine of a table."""
    return str(frame.implementation.name).lower()


@contextmanager
def engine_errors(engine: str, what: str) -> Iterator[None]:
    """Say in words what an engine could not do, and what it says itself."""
    try:
        yield
    except _failures() as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        said = shorten(first, 300, placeholder=" ...")
        raise DataError(f"{engine} could not {what}: {said}") from error


def _failures() -> tuple[type[Exception], ...]:
    """Return what the engines that are imported raise; files may be gone, or closed to the user."""
    there = [
        (sys.modules[module], name) for module, name in _FAILURES.items() if module in sys.modules
    ]
    return (OSError, *(getattr(module, name) for module, name in there))
