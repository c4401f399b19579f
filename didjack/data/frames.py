"""Any data frame -> pandas Series of the columns that are used."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.data.numbers import offenders
from didjack.errors import DataError
from didjack.wording import did_you_mean, name_some, nearest

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa


# ---- arrow ---------------------------------------------------------------------------------------


def plain_columns(table: pa.Table) -> pa.Table:
    """Return a table whose dictionaries of numbers or dates, odd decimals and dates are plain."""
    for i, field in enumerate(table.schema):
        _check_text(table.column(i), field.name)
        plain = _plain_type(field.type, text=False)
        if plain is not None:
            table = table.set_column(i, field.name, _cast(table.column(i), plain, field.name))
    return table


def plain_pandas(column: pd.Series) -> pd.Series:
    """Return a column of pandas that is not a dictionary of pyarrow."""
    check_text(column)
    if not isinstance(column.dtype, pd.ArrowDtype):
        return column
    plain = _plain_type(column.dtype.pyarrow_dtype, text=True)
    if plain is None:
        return column
    import pyarrow as pa

    values = _cast(pa.chunked_array(pa.array(column.array)), plain, column.name)
    return pd.Series(pd.arrays.ArrowExtensionArray(values), name=column.name)


def check_text(column: pd.Series) -> None:
    """Raise for text of pyarrow that is not UTF-8, which files may hold: any use of it fails."""
    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype) or getattr(dtype, "storage", "") == "pyarrow":
        import pyarrow as pa

        _check_text(pa.chunked_array([pa.array(column.array)]), column.name)


def _check_text(values: pa.ChunkedArray, name: Any) -> None:
    import pyarrow as pa

    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} contains strings that are not UTF-8: {error}; write it as UTF-8"
        ) from error


def _cast(values: pa.ChunkedArray, plain: pa.DataType, name: Any) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return values.cast(plain)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"column {name!r} of type {values.type} cannot be read as {plain}: {error}; "
            "cast it to plain numbers or strings"
        ) from error


def _plain_type(dtype: Any, *, text: bool) -> Any:
    """Return the type that values are read as, or None for as they are.

    Parameters
    ----------
    text : whether dictionaries of text are unpacked too
    """
    import pyarrow as pa

    if pa.types.is_dictionary(dtype):
        value = dtype.value_type
        words = pa.types.is_string(value) or pa.types.is_large_string(value)
        return None if words and not text else _plain_type(value, text=text) or value
    if pa.types.is_date64(dtype):
        return pa.timestamp("ms")
    if pa.types.is_decimal(dtype) and dtype.scale < 0:
        return pa.decimal128(min(dtype.precision - dtype.scale, 38), 0)
    return None


# ---- dates ---------------------------------------------------------------------------------------

FIRST, LAST = "0001-01-01", "9999-12-31"
"""The dates of Python's calendar."""

REMEDY = (
    "outside of the years 1 to 9999, such as 'infinity' of a database; make them missing, as the "
    "cohort of the never-treated is"
)


def check_series(column: nw.Series[Any], role: str) -> None:
    """Raise for dates of a polars or pyarrow column that are beyond the calendar."""
    import narwhals as nw

    dtype = column.dtype
    if isinstance(dtype, nw.Date):
        days = column.cast(nw.Int32).fill_null(0).to_numpy()
        _check(days.astype("M8[D]"), column.name, role)
    elif isinstance(dtype, nw.Datetime):
        ticks = column.cast(nw.Int64).fill_null(0).to_numpy()
        _check(ticks.astype(f"M8[{dtype.time_unit}]"), column.name, role)


def check_pandas(column: pd.Series, role: str) -> None:
    """Raise for dates of a pandas column that are beyond the calendar."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        check_pandas(pd.Series(dtype.categories, name=column.name), role)
    elif isinstance(dtype, pd.ArrowDtype):
        import narwhals as nw

        if str(dtype.pyarrow_dtype).startswith(("date", "timestamp")):
            import pyarrow as pa

            values = pa.chunked_array(pa.array(column.array))
            check_series(nw.from_native(values, series_only=True).alias(str(column.name)), role)
    elif isinstance(dtype, pd.PeriodDtype):
        there = column[column.notna()]
        years = there.dt.year.to_numpy()
        _raise_for((years < 1) | (years > 9999), there.astype(str), column.name, role)
    elif pd.api.types.is_datetime64_any_dtype(dtype):
        stamps = pd.DatetimeIndex(column)
        _check(stamps.asi8.view(f"M8[{stamps.unit}]"), column.name, role)
    elif dtype.kind == "O" and pd.api.types.infer_dtype(column, skipna=True).startswith("datetime"):
        there = column[column.notna()]
        years = np.array([pd.Timestamp(value).year for value in there])
        _raise_for((years < 1) | (years > 9999), there.astype(str), column.name, role)


def _check(values: Any, name: Any, role: str) -> None:
    """Raise for dates of numpy, (N,), that are beyond the calendar."""
    unit: Any = np.datetime_data(values.dtype)[0]
    if unit == "ns":  # reach from 1677 to 2262
        return
    end = np.datetime64(LAST, unit) + (np.timedelta64(1, "D") - np.timedelta64(1, unit))
    _raise_for((values < np.datetime64(FIRST, unit)) | (values > end), values, name, role)


def _raise_for(bad: Any, values: Any, name: Any, role: str) -> None:
    if bad.any():
        raise DataError(f"{role} {name!r} has dates {REMEDY}: {offenders(bad, values)}")


# ---- tables --------------------------------------------------------------------------------------

LABELS = ("idname", "cluster")
"""Roles of columns whose values are only told apart, so that none of their digits may go."""

_NESTED = ("List", "Array", "Struct", "Map", "Object", "Binary")
"""Types of polars and pyarrow columns that hold no plain values."""


def column_names(df: Any) -> list[Any]:
    """List the column names of a pandas, polars or pyarrow table, duplicates included."""
    if isinstance(df, pd.DataFrame):
        if df.columns.nlevels > 1:
            raise DataError("data has MultiIndex columns; flatten them to one level of names")
        return list(df.columns)
    if _is_arrow(df):
        return list(df.column_names)
    return list(_eager(df).columns)


def _is_arrow(df: Any) -> bool:
    from narwhals.dependencies import is_pyarrow_table

    return bool(is_pyarrow_table(df))


def _eager(df: Any) -> nw.DataFrame[Any]:
    """Wrap a table, or raise for what is none; narwhals is only imported when it is needed."""
    import narwhals as nw

    try:
        return nw.from_native(df, eager_only=True)
    except TypeError as error:
        name = type(df).__name__
        if hasattr(df, "collect"):
            raise DataError(f"data is lazy ({name}); call .collect() first") from error
        file = "; didjack.scan opens a file" if isinstance(df, (str, PathLike)) else ""
        raise DataError(
            f"data must be a pandas, polars or pyarrow table; got {name}{file}"
        ) from error


def read_columns(df: Any, roles: dict[str, str]) -> dict[str, pd.Series]:
    """Take the used columns out of any supported table as pandas Series with a plain index.

    Nothing is copied here where it need not be.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    roles : dict
        Column name -> what it is used as, for the messages.

    Raises
    ------
    DataError
        Not a table, a column that is not there or stands in it twice, or no rows.
    """
    check_columns(df, column_names(df), roles)
    if isinstance(df, pd.DataFrame):
        columns = {}
        for name, role in roles.items():
            column = plain_pandas(df[name])
            _check_decimals(column, role)
            check_pandas(column, role)
            # Objects are to stay what they are: dates among them may be of several kinds.
            dtype = column.dtype if column.dtype == object else None
            columns[name] = pd.Series(column.array, dtype=dtype, name=name, copy=False)
    else:
        # Taken out natively: other columns may have the same name twice.
        table = _eager(plain_columns(df.select(list(roles))) if _is_arrow(df) else df)
        columns = {name: _plain_series(table[name], role) for name, role in roles.items()}
    if not len(next(iter(columns.values()))):
        raise DataError("data has no rows")
    return columns


def check_columns(df: Any, present: list[Any], roles: dict[str, str]) -> None:
    """Raise for columns that a table does not have among those present, or has twice."""
    words = strings(present)
    for name, role in roles.items():
        count = words.count(name)
        if count == 0:
            raise DataError(f"{role}: {no_column(df, name, present)}")
        if count > 1:
            raise DataError(f"{role}: data has {count} columns named {name!r}; keep one")


def _check_decimals(column: pd.Series, role: str) -> None:
    """Raise for signalling NaN, which is no value and raises an error wherever it is looked at."""
    if column.dtype != object:
        return
    try:
        column.isna()
    except InvalidOperation as error:
        bad = np.array([isinstance(value, Decimal) and value.is_snan() for value in column])
        raise DataError(
            f"{role} {column.name!r} holds signalling NaN: {offenders(bad, column)}; "
            "missing values are NaN, None or NA"
        ) from error


def column_like(df: Any, name: str, rows: Ints, new: str, attrs: Mapping[str, int]) -> Any:
    """Return a column of the kind that `df` has, with what stands in some rows of another.

    Parameters
    ----------
    df : pandas, polars or pyarrow table of N rows
    name : the column that values are taken from
    rows : (N,) which row's; -1: missing
    new : name of the new column
    attrs : what a pandas Series says about itself
    """
    if isinstance(df, pd.DataFrame):
        # Rows are taken more than once, which the table may refuse for its own labels.
        free = df[name].set_flags(allows_duplicate_labels=True)
        values = free.reset_index(drop=True).reindex(rows)
        column = values.set_axis(df.index).rename(new)
        column.attrs.update(attrs)
        return column
    import narwhals as nw

    table = _eager(df.select([name]) if _is_arrow(df) else df).select(nw.col(name).alias(new))
    there = nw.new_series("there", rows >= 0, nw.Boolean, backend=table.implementation)
    taken = table[np.maximum(rows, 0)].with_columns(there)
    return taken.select(nw.when(nw.col("there")).then(nw.col(new)))[new].to_native()


def strings(names: list[Any]) -> list[str]:
    """Return the column names that are strings; others cannot be asked for."""
    return [name for name in names if isinstance(name, str)]


def no_column(df: Any, name: str, present: list[Any]) -> str:
    """Say that a column is not there, and what may have been meant."""
    message = f"data has no column {name!r}"
    if isinstance(df, pd.DataFrame) and name in df.index.names:
        return message + "; it is a level of the index: call reset_index() first"
    match = nearest(name, strings(present))
    listed = f"columns: {name_some(present, most=12)}" if present else "it has no columns at all"
    return f"{message}{did_you_mean(match)}; {listed}"


def _plain_series(column: nw.Series[Any], role: str) -> pd.Series:
    """Return a polars or pyarrow column as the pandas Series it would be in a pandas table."""
    import narwhals as nw

    dtype, name = column.dtype, column.name
    check_series(column, role)
    kind = type(dtype).__name__
    if kind in _NESTED or (kind == "Unknown" and column.null_count() < len(column)):
        raise DataError(f"{role} {name!r} holds {dtype} values; it must hold plain ones")
    if isinstance(dtype, nw.Enum):
        levels = getattr(dtype, "categories", None)  # older versions of narwhals do not tell
        labels = pd.Categorical(column.cast(nw.String).to_numpy(), categories=levels)
        return pd.Series(labels, name=name)
    if isinstance(dtype, nw.Categorical):
        return pd.Series(pd.Categorical(column.cast(nw.String).to_numpy()), name=name)
    if role in LABELS and isinstance(dtype, nw.Decimal) and dtype.scale:
        return pd.Series(column.to_list(), dtype=np.dtype(object), name=name)
    if isinstance(dtype, nw.Time):
        _check_time(column, role)
    if isinstance(dtype, nw.Date):
        column = column.cast(nw.Datetime("us"))
    elif (plain := plain_number(dtype)) is not None:
        column = _narrow(column, role) if plain == nw.Int64 else column.cast(plain)
    if column.dtype.is_integer() and column.null_count():
        # As floats, large identifiers would lose digits.
        gone = np.array(column.is_null().to_numpy())
        return pd.Series(pd.arrays.IntegerArray(column.fill_null(0).to_numpy(), gone), name=name)
    values = column.to_numpy()
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"), name=name)
    return pd.Series(values, name=name)


def _check_time(column: nw.Series[Any], role: str) -> None:
    """Raise for times of day with nanoseconds, which those of Python do not have."""
    import narwhals as nw

    if column.implementation.is_polars() and (column.cast(nw.Int64) % 1000 != 0).any():
        raise DataError(
            f"{role} {column.name!r} holds times of day with nanoseconds; make them whole numbers"
        )


def plain_number(dtype: Any) -> Any:
    """Return as what type of numbers of 64 bits decimals and wider ones are read, or None."""
    import narwhals as nw

    if isinstance(dtype, nw.Decimal):
        return nw.Float64 if dtype.scale else nw.Int64  # whole ones may be labels with many digits
    return nw.Int64 if isinstance(dtype, (nw.Int128, nw.UInt128)) else None


def _narrow(column: nw.Series[Any], role: str) -> nw.Series[Any]:
    """Return whole numbers as 64-bit integers, or raise."""
    import narwhals as nw

    size = column.cast(nw.Float64).abs().max()
    if size is not None and size >= 2.0**63:
        raise DataError(f"{role} {column.name!r} holds whole numbers of more than 64 bits")
    return column.cast(nw.Int64)
