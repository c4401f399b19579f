"""Files of one table; columns of several types are read as the widest of them."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import narwhals as nw

from didjack.errors import DataError
from didjack.imports import load
from didjack.options import must_be
from didjack.wording import name_some

# ---- files ---------------------------------------------------------------------------------------

_ENDINGS = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class Part:
    """Files that have the same columns, of the same types.

    Attributes
    ----------
    names : the files
    frame : their rows
    types : column -> type, as the engine writes it
    """

    names: list[str]
    frame: nw.LazyFrame[Any]
    types: dict[str, str]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a table, and who reads them.

    Attributes
    ----------
    names : the files, or a pattern that only the engine knows
    engine : "duckdb" or "polars"
    source : polars, or a connection of DuckDB
    text : whether they are CSV files, whose cells are read as text
    """

    names: list[str]
    engine: str
    source: Any
    text: bool

    def part(self, names: list[str]) -> Part:
        """Read files that have the same columns."""
        native = self._read(names)
        if self.engine == "polars":
            types = {name: str(dtype) for name, dtype in native.collect_schema().items()}
        else:
            types = dict(zip(native.columns, map(str, native.types), strict=True))
        return Part(names, nw.from_native(native), types)

    def alike(self) -> list[list[str]]:
        """Return the files in groups of those that have the same columns, in any order."""
        groups: dict[Any, list[str]] = {}
        for name in self.names:
            types = self.part([name]).types
            # Cells of CSV files are matched by their place.
            key = tuple(types) if self.text else frozenset(types.items())
            groups.setdefault(key, []).append(name)
        return list(groups.values())

    def _read(self, names: list[str]) -> Any:
        pattern = "://" in names[0]  # others are names of files, whatever they have in them
        if self.engine == "polars":
            if self.text:
                return self.source.scan_csv(names, infer_schema=False, glob=pattern)
            return self.source.scan_parquet(names, glob=pattern)
        if not pattern:
            names = [glob.escape(name) for name in names]
        if self.text:
            return self.source.read_csv(names, all_varchar=True, header=True)
        return self.source.read_parquet(names)


def files_of(path: str, engine: str) -> Files:
    """Find the files that a path, a pattern or a folder stands for.

    Raises
    ------
    OptionError
        Files of another kind.
    """
    if os.path.isdir(path):
        path = os.path.join(path, "**", "*.parquet")
    if not path.lower().endswith(_ENDINGS):
        raise must_be("path", f"a folder, or a file that ends in {', '.join(_ENDINGS)}", path)
    module = load(engine)
    # A connection of its own: nothing is left in the one that the user may have.
    source = module.connect() if engine == "duckdb" else module
    text = not path.lower().endswith(".parquet")
    return Files(_listed(path, engine, source) or [path], engine, source, text)


def _listed(path: str, engine: str, source: Any) -> list[str]:
    """List the files; none where only the engine, which says so, knows whether there are any."""
    if "://" not in path:
        return sorted(glob.glob(path, recursive=True))
    if engine == "polars":  # reads only files of the same columns and types
        return []
    found = source.execute("SELECT file FROM glob(?)", [path]).fetchall()
    return sorted(name for (name,) in found)


# ---- widest --------------------------------------------------------------------------------------

_TEXT = (nw.String, nw.Categorical, nw.Enum)
_UNITS = ("s", "ms", "us", "ns")
_WIDE = (nw.Int128, nw.UInt128)
_DIGITS: dict[Any, int] = {nw.Int8: 3, nw.Int16: 5, nw.Int32: 10, nw.Int64: 19}
_DIGITS |= {nw.UInt8: 3, nw.UInt16: 5, nw.UInt32: 10, nw.UInt64: 20}
"""So many digits whole numbers have."""
_MOST_DIGITS = 38
"""So many digits a decimal may have."""

_REMEDY = (
    "write all files with the same columns and types, or have the engine read them and give that "
    "table to csdid"
)


def together(parts: list[Part]) -> nw.LazyFrame[Any]:
    """Return the rows of all files as one table.

    Raises
    ------
    DataError
        A column that some file does not have, or that is of types of which none holds the values of
        all files exactly.
    """
    first = parts[0]
    if len(parts) == 1:
        return first.frame
    for part in parts[1:]:
        _check_names(first, part)
    kinds = {name: _kind(name, parts) for name in first.types}
    return nw.concat([_cast(part, kinds) for part in parts], how="vertical")


def _check_names(first: Part, other: Part) -> None:
    """Raise for columns that only some files have."""
    for has, lacks in ((first, other), (other, first)):
        missing = [repr(name) for name in has.types if name not in lacks.types]
        if missing:
            raise DataError(
                f"{lacks.names[0]} has no column {name_some(missing, most=3)}, which "
                f"{has.names[0]} has; {_REMEDY}"
            )


def _kind(name: str, parts: list[Part]) -> Any:
    """Return the type as which a column is read, or None for as it is.

    Raises
    ------
    DataError
        There is none that holds the values of all files exactly.
    """
    if len({part.types[name] for part in parts}) == 1:
        return None
    filled = [part for part in parts if _has_values(part, name)] or parts[:1]
    first, *others = filled
    kind = first.frame.collect_schema()[name]
    for part in others:
        dtype = part.frame.collect_schema()[name]
        wider = kind if part.types[name] == first.types[name] else widest(kind, dtype)
        if wider is None:
            raise DataError(
                f"column {name!r} is {first.types[name]} in {first.names[0]} and "
                f"{part.types[name]} in {part.names[0]}, and no type holds both; {_REMEDY}"
            )
        kind = wider
    for part in filled:
        _check_range(part, name, kind)
    return kind


def _cast(part: Part, kinds: dict[str, Any]) -> nw.LazyFrame[Any]:
    """Return the columns in a common order, of common types."""
    return part.frame.select(
        nw.col(name) if kind is None else nw.col(name).cast(kind) for name, kind in kinds.items()
    )


def _has_values(part: Part, name: str) -> bool:
    """Whether a column has values: where it has none, its type says nothing."""
    return bool(_asked(part.frame.select((~nw.col(name).is_null()).any()))[0])


def _asked(query: nw.LazyFrame[Any]) -> list[Any]:
    """Return the one row of a query."""
    return [column[0].as_py() for column in query.collect("pyarrow").to_native().columns]


def widest(one: Any, other: Any) -> Any:
    """Return the narrowest type that holds the values of two, or None if there is none.

    Of whole numbers and floats these are floats, which do not hold all whole numbers.
    """
    if one == other and not isinstance(one, nw.Unknown):
        return one
    kinds = (one, other)
    if all(isinstance(kind, _TEXT) for kind in kinds):
        return nw.String()
    if all(kind.is_numeric() for kind in kinds):
        return _widest_number(one, other)
    if all(isinstance(kind, (nw.Date, nw.Datetime)) for kind in kinds):
        return _widest_date(one, other)
    return None


def _widest_number(one: Any, other: Any) -> Any:
    kinds = (one, other)
    if any(isinstance(kind, _WIDE) for kind in kinds):
        return None
    if any(isinstance(kind, nw.Decimal) for kind in kinds):
        return _widest_decimal(one, other)
    if any(kind.is_float() for kind in kinds):
        return nw.Float64()
    return nw.UInt64() if all(kind.is_unsigned_integer() for kind in kinds) else nw.Int64()


def _widest_decimal(one: Any, other: Any) -> Any:
    """Return a decimal with the digits of both on either side of the point; floats are none."""
    if one.is_float() or other.is_float():
        return None
    whole, scale = map(max, zip(_digits(one), _digits(other), strict=True))
    return nw.Decimal(whole + scale, scale) if whole + scale <= _MOST_DIGITS else None


def _digits(kind: Any) -> tuple[int, int]:
    """Return how many digits numbers have before the point and after it."""
    if isinstance(kind, nw.Decimal):
        return kind.precision - kind.scale, kind.scale
    return _DIGITS[type(kind)], 0


def _widest_date(one: Any, other: Any) -> Any:
    times = [kind for kind in (one, other) if isinstance(kind, nw.Datetime)]
    if len(times) == 2 and (times[0].time_zone is None) != (times[1].time_zone is None):
        return None
    if len(times) == 1 and times[0].time_zone is not None:
        return None
    zones = {time.time_zone for time in times}
    unit: Any = max((time.time_unit for time in times), key=_UNITS.index)
    return nw.Datetime(unit, zones.pop() if len(zones) == 1 else "UTC")


def _check_range(part: Part, name: str, kind: Any) -> None:
    """Raise for values that the type of all files does not hold."""
    dtype = part.frame.collect_schema()[name]
    limits = _limits(dtype, kind)
    if limits is None:
        return
    column = nw.col(name)
    outside = (column < nw.lit(limits[0])) | (column > nw.lit(limits[1]))
    if _asked(part.frame.select(outside.any()))[0]:
        raise DataError(
            f"column {name!r} is {part.types[name]} in {part.names[0]}"
            f"{' and files like it' if part.names[1:] else ''}, with values beyond {limits[1]} "
            f"or below {limits[0]}, which {kind}, the type of all files together, does not hold; "
            f"{_REMEDY}"
        )


def _limits(dtype: Any, kind: Any) -> tuple[Any, Any] | None:
    """Return between which values of one type another holds all; None: there are no others."""
    if isinstance(kind, nw.Float64) and isinstance(dtype, (nw.Int64, nw.UInt64)):
        return (-(2**53) if isinstance(dtype, nw.Int64) else 0, 2**53)
    if isinstance(kind, nw.Int64) and isinstance(dtype, nw.UInt64):
        return (0, 2**63 - 1)
    if not isinstance(kind, nw.Datetime) or dtype == kind:
        return None
    nano = kind.time_unit == "ns"
    low, high = (date(1678, 1, 1), date(2262, 1, 1)) if nano else (date.min, date.max)
    if isinstance(dtype, nw.Date):
        return (low, high)
    if not nano or dtype.time_zone is not None:
        return None
    return (datetime(low.year, 1, 1), datetime(high.year, 1, 1))
