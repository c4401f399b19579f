"""Columns of pyarrow in types that nothing else reads -> the same values in plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from didjack.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


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
            f"column {name!r} holds text that is not UTF-8: {error}; write it as UTF-8"
        ) from error


def _cast(values: pa.ChunkedArray, plain: pa.DataType, name: Any) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return values.cast(plain)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"column {name!r} of type {values.type} cannot be read as {plain}: {error}; "
            "cast it to plain numbers or text"
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
