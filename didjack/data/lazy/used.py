"""What is used of a lazy table, what is refused in it, and its rows where they are in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from didjack.data.clean import UsedColumns, roles
from didjack.data.formula import parse
from didjack.data.frames import FIRST, LAST, REMEDY, check_columns, read_columns
from didjack.data.labels import as_codes
from didjack.data.lazy.lazy_table import LazyTable, all_complete, complete, engine_name, number
from didjack.data.lazy.moments import Moments
from didjack.data.rules import dropped_rows, reason_for
from didjack.data.sample import Entry, Sample
from didjack.errors import DataError
from didjack.options import EstimationOptions, SampleOptions
from didjack.wording import name_some, plural

if TYPE_CHECKING:
    import pyarrow as pa


# ---- used ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Used:
    """What is used of a lazy table.

    Attributes
    ----------
    table : LazyTable
    options : SampleOptions
    estimation : EstimationOptions
    covariates : UsedColumns
    roles : column -> what it is used as
    moments : Moments, if rows that differ in covariates are put together; None: they are not
    """

    table: LazyTable
    options: SampleOptions
    estimation: EstimationOptions
    covariates: UsedColumns
    roles: dict[str, str]
    moments: Moments | None = None

    @classmethod
    def from_table(
        cls, table: LazyTable, options: SampleOptions, estimation: EstimationOptions
    ) -> Used:
        """Find the columns; raise for those that are not there."""
        formula, present = parse(options.xformla), table.columns
        named = formula.columns(table.frame, present) if formula is not None else []
        used = roles(options, named)
        check_columns(table.frame, present, used)
        for name, role in used.items():
            if not name or "\0" in name:  # polars may panic, which no `except Exception` catches
                raise DataError(
                    f"{role} {name!r}: engines accept neither an empty name nor one with NUL; "
                    "rename the column"
                )
        return cls(table, options, estimation, UsedColumns(formula, named), used)

    @property
    def unit(self) -> str:
        """The column of the unit; empty in repeated cross sections."""
        return self.options.idname or ""

    @property
    def complete(self) -> nw.Expr:
        """Where a row has all that is used; a missing cohort is never-treated."""
        gname = self.options.gname
        names = [n for n in self.roles if n != gname or n in self.covariates.names]
        return all_complete(self.table.schema, names)

    @property
    def keys(self) -> list[str]:
        """The columns by which rows are grouped."""
        options = self.options
        covariates = [] if self.moments is not None else self.covariates.names
        eligible = [] if options.pname is None else [options.pname]
        named = [options.cluster or "", options.gname, options.tname, *eligible, *covariates]
        return list(dict.fromkeys(named))

    @property
    def flags(self) -> dict[str, str]:
        """Column that has to be there in a row -> name of the key that says whether it is."""
        options, own = self.options, self.table.own
        named = {"y": options.yname, "w": options.weightsname, "id": options.idname}
        found = {column: own(f"has_{key}") for key, column in named.items() if column is not None}
        if self.moments is not None:
            for j, name in enumerate(self.covariates.names):
                found.setdefault(name, own(f"has_{j}"))
        return found

    @property
    def finite(self) -> dict[str, str]:
        """Term -> name of the key that says whether it is finite."""
        return {} if self.moments is None else self.moments.flags

    def flagged(self) -> nw.LazyFrame[Any]:
        """Return the used columns, with the flags."""
        schema = self.table.schema
        flags = {flag: complete(schema, column) for column, flag in self.flags.items()}
        return self.with_moments(self.table.frame.select(*self.roles).with_columns(**flags))

    def with_moments(self, rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Return rows with the columns that moments are made of."""
        return rows if self.moments is None else rows.with_columns(**self.moments.of_rows())


# ---- memory --------------------------------------------------------------------------------------

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
        regression = "use est_method='reg', which needs only sums over rows, "
    most = plural(most_patterns(used), "different row")
    return DataError(
        f"data has more than {most} in {name_some(used.keys, 8)}, by "
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


# ---- first units ---------------------------------------------------------------------------------


class FirstUnits:
    """Finds the first three units of some rows, of all entries in one query.

    Parameters
    ----------
    used : Used
    """

    def __init__(self, used: Used) -> None:
        self._used = used
        self._wanted: dict[int, nw.LazyFrame[Any]] = {}
        self._found: dict[int, str] = {}

    def want(self, entry: int, rows: nw.LazyFrame[Any]) -> None:
        """Note that the units of some rows belong to an entry, which need not be there yet."""
        self._wanted[entry] = self._smallest(rows)

    def fetch(self, *others: nw.LazyFrame[Any]) -> list[pa.Table]:
        """Ask for all that is wanted, and for the rows of other queries, at once."""
        queries = [*others, *self._wanted.values()]
        if not queries:
            return []
        what = "group its rows again" if others else "find the first units of each rule"
        tables = self._used.table.fetch_together(queries, what)
        for entry, table in zip(self._wanted, tables[len(others) :], strict=True):
            self._found[entry] = self._shown(table)
        self._wanted.clear()
        return tables[: len(others)]

    def complete(self, sample: Sample) -> None:
        """Write the first units of each entry of the ledger."""
        self.fetch()
        for entry, shown in self._found.items():
            if entry < len(sample.entries):
                sample.entries[entry] = sample.entries[entry]._replace(examples=shown)

    def named(self, rows: nw.LazyFrame[Any]) -> str:
        """Write the first units of some rows now."""
        return self._shown(self._used.table.fetch(self._smallest(rows), "find the first units"))

    def _smallest(self, rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        name = self._used.unit
        return rows.select(name).unique().sort(name).head(3)

    def _shown(self, table: pa.Table) -> str:
        if not table.num_rows:  # the unit is what was missing
            return ""
        name = self._used.unit
        return name_some(as_codes(read_columns(table, {name: "idname"})[name], "idname").labels)


# ---- zero weights --------------------------------------------------------------------------------


def _weight(used: Used) -> str | None:
    """Return the column of weights, if there is one of numbers; others are refused elsewhere."""
    name = used.options.weightsname
    if name is None:
        return None
    dtype = used.table.schema[name]
    return name if dtype.is_numeric() or isinstance(dtype, nw.Boolean) else None


def with_weight(used: Used) -> Used:
    """Return what is used of the rows whose weight is not zero."""
    name = _weight(used)
    if name is None:
        return used
    kept = used.table.frame.filter((number(name) != 0).fill_null(True))
    return replace(used, table=replace(used.table, frame=kept))


def count_without_weight(used: Used) -> list[nw.LazyFrame[Any]]:
    """Return a query that counts rows of weight zero; none without weights."""
    name = _weight(used)
    if name is None:
        return []
    one = nw.when(number(name) == 0).then(nw.lit(1)).otherwise(nw.lit(0))
    zeros = one.sum().cast(nw.Int64).alias(used.table.own("zeros"))
    return [used.table.frame.select(zeros)]


def dropped_entry(used: Used, n_rows: int) -> Entry:
    """Return the ledger's entry for so many rows of weight zero, which are still in the table."""
    options, table, own = used.options, used.table, used.table.own
    assert options.weightsname is not None
    zero = (number(options.weightsname) == 0).fill_null(False)
    keys = {name: used.roles[name] for name in (options.gname, options.cluster) if name is not None}
    marked = table.frame.select(*used.roles).with_columns(zero.alias(own("zero")))
    n = nw.len().cast(nw.Int64).alias(own("n"))
    groups = table.fetch(table.grouped(marked, [*keys, own("zero")], n), "find zero weights")
    dropped = groups[own("zero")].to_numpy(zero_copy_only=False).astype(bool)
    reason = reason_for(read_columns(groups, keys), options, dropped, ~dropped)
    if options.idname is None:
        return dropped_rows(n_rows, n_rows, reason, "")
    rows = table.frame.filter(zero, complete(table.schema, used.unit))
    counted = rows.select(used.unit).unique().select(n)
    n_units = int(table.fetch(counted, "count units of weight zero")[own("n")][0].as_py())
    return dropped_rows(n_rows, n_units, reason, FirstUnits(used).named(rows))


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
                    f"{used.roles[name]} {name!r} has a collation under which {engine} treats "
                    f"{one!r} and {other!r} as equal; give the column a binary collation, "
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
