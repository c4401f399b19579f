"""A column of numbers, however they are stored -> float64."""

from __future__ import annotations

import re
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.errors import DataError
from didjack.wording import brief, name_some, plural


def offenders(
    bad: Bools, values: Any, count: Ints | None = None, index: pd.Index | None = None
) -> str:
    """Write how many rows are bad, and the first few of their values.

    Parameters
    ----------
    bad, values : (N,)
    count : (N,) how many rows each stands for, which then have no numbers; None: one
    index : (N,) numbers of the rows in the user's table; None: 0, 1, ...
    """
    rows = np.flatnonzero(bad)
    shown = ", ".join(str(value) for value in np.asarray(values)[rows[:3]])
    if count is not None:
        return f"{plural(int(count[rows].sum()), 'row')}; first: {shown}"
    first = rows[0] if index is None else index[rows[0]]
    return f"{plural(rows.size, 'row')}; first: {shown} (row {first})"


def as_float(column: pd.Series, role: str, count: Ints | None = None) -> Floats:
    """Return a numeric, boolean or object-of-numbers column as new float64; missing is NaN.

    Parameters
    ----------
    column : (N,)
    role : what it is for
    count : (N,) as in `offenders`

    Raises
    ------
    DataError
        The column holds text, dates or other things that are not real numbers.
    """
    column = uncategorized(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return column.to_numpy().astype(np.float64)
    if column.dtype == object:
        return _numbers_of_object(column, role, count)
    if is_complex(column) or not (
        pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
    ):
        present = column[column.notna().to_numpy()]
        if not len(present):
            return np.full(len(column), np.nan)
        texts = list(dict.fromkeys(brief(value, 40) for value in present.iloc[:100]))
        shown = name_some(texts[:3], most=3)
        raise DataError(
            f"{role} {column.name!r} is not numeric ({column.dtype}); first: {shown}"
            f"{_hint(present.iloc[0], role)}"
        )
    return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _hint(value: object, role: str) -> str:
    """Say what makes numbers or dates of a text that looks like one."""
    if not isinstance(value, str):
        return ""
    if pd.notna(pd.to_numeric(value, errors="coerce")):
        return "; pd.to_numeric makes numbers of text"
    dated = role in ("tname", "gname") and re.fullmatch(r"\d{4}-\d{2}(-\d{2}.*)?", value.strip())
    return "; pd.to_datetime makes dates of text" if dated else ""


def is_complex(column: pd.Series) -> bool:
    """Whether a column holds complex numbers."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "c"


def uncategorized(column: pd.Series) -> pd.Series:
    """Return the values of a categorical column; other columns as they are."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    values = pd.Series(column.cat.categories).reindex(column.cat.codes)
    return pd.Series(values.array, index=column.index, name=column.name)


def _numbers_of_object(column: pd.Series, role: str, count: Ints | None) -> Floats:
    """Convert an object column of numbers; text that looks like a number is not one."""
    missing = column.isna().to_numpy(dtype=bool)
    values = [None if gone else value for value, gone in zip(column, missing, strict=True)]
    bad = np.array([value is not None and not is_number(value) for value in values])
    if bad.any():
        shown = np.array([brief(value, 40) for value in column], dtype=object)
        raise DataError(
            f"{role} {column.name!r} is not numeric: {offenders(bad, shown, count, column.index)}"
            f"{_hint(values[int(bad.argmax())], role)}"
        )
    return np.array([np.nan if value is None else _to_float(value) for value in values])


def is_number(value: object) -> bool:
    """Whether a value is a real number; truth values are, spans of time are not."""
    number = isinstance(value, (Real, Decimal, np.bool_))
    return number and not isinstance(value, np.timedelta64)


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float
        return np.inf if value > 0 else -np.inf
