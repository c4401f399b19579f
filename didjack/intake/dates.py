"""Dates beyond the years 1 to 9999, such as the 'infinity' of databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from didjack.errors import DataError
from didjack.intake.numbers import offenders

if TYPE_CHECKING:
    import narwhals as nw

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
