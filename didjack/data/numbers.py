"""A column of numbers, however they are stored -> float64; how to make numbers of text."""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def as_float(column: pd.Series, role: str, count: Ints | None = None, package: str = "") -> Floats:
    """Return a numeric, boolean or object-of-numbers column as new float64; missing is NaN.

    Parameters
    ----------
    column : (N,)
    role : what it is for
    count : (N,) as in `offenders`
    package : that of the user's table

    Raises
    ------
    DataError
        The column holds text, dates or other things that are not real numbers.
    """
    given, column = column, uncategorized(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return column.to_numpy().astype(np.float64)
    missing = column.isna().to_numpy(dtype=bool)
    if column.dtype == object:
        values = [None if gone else value for value, gone in zip(column, missing, strict=True)]
        if any(value is not None and not is_number(value) for value in values):
            raise not_numeric(given, role, count, package)
        return np.array([np.nan if value is None else _to_float(value) for value in values])
    if is_complex(column) or not (
        pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
    ):
        if missing.all():
            return np.full(len(column), np.nan)
        raise not_numeric(given, role, count, package)
    return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))


def not_numeric(column: pd.Series, role: str, count: Ints | None, package: str) -> DataError:
    """Return the error for a column that holds other things than numbers: those that are none."""
    column = uncategorized(column)
    there = column.notna().to_numpy(dtype=bool)
    values = [value if known else None for value, known in zip(column, there, strict=True)]
    number = np.array([reads_as_number(value) for value in values])
    rows = np.ones(there.size) if count is None else count
    mostly_numbers = 2 * rows[number].sum() > rows[there].sum()
    bad = there & ~number
    if not mostly_numbers or not bad.any():  # numbers written as text are none either
        bad = np.array([value is not None and not is_number(value) for value in values])
    what, hint = f"{role} {column.name!r} is not numeric", ""
    if mostly_numbers:
        written = [value for value in values if isinstance(value, str) and "," in value]
        hint = "; " + numbers_of_text(package, column.name, bool(number[there].all()), written)
    if bad.sum() < there.sum():
        shown = np.array([brief(value, 40) for value in values], dtype=object)
        return DataError(f"{what}: {offenders(bad, shown, count, column.index)}{hint}")
    texts = list(dict.fromkeys(brief(value, 40) for value in column[there].iloc[:100]))
    return DataError(f"{what} ({column.dtype}); first: {name_some(texts[:3])}{hint}")


def reads_as_number(value: object) -> bool:
    """Whether a value is a number, or text that writes one, perhaps with commas."""
    if not isinstance(value, str):
        return is_number(value)
    try:
        float(value.replace(",", ""))
    except ValueError:
        return False
    return any(character.isdigit() for character in value)


def is_complex(column: pd.Series) -> bool:
    """Whether a column holds complex numbers."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "c"


def uncategorized(column: pd.Series) -> pd.Series:
    """Return the values of a categorical column; other columns as they are."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    values = pd.Series(column.cat.categories).reindex(column.cat.codes)
    return pd.Series(values.array, index=column.index, name=column.name)


def is_number(value: object) -> bool:
    """Whether a value is a real number; truth values are, spans of time are not."""
    number = isinstance(value, (Real, Decimal, np.bool_))
    return number and not isinstance(value, np.timedelta64)


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float
        return np.inf if value > 0 else -np.inf


# ---- remedies, in the words of the package that the user's table is of ---------------------------

PANDAS = "pandas"

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")


def package_of(df: Any) -> str:
    """Return the name of the package that a table is of.

    Examples
    --------
    >>> package_of(pd.DataFrame())
    'pandas'
    """
    if isinstance(df, pd.DataFrame):
        return PANDAS
    return type(df).__module__.partition(".")[0].lstrip("_")


def numbers_of_text(
    package: str, name: object, all_numbers: bool, with_commas: Iterable[str] = ()
) -> str:
    """Say how a column of text becomes one of numbers.

    Parameters
    ----------
    package : of the user's table
    name : of the column
    all_numbers : whether all of its values write numbers; others become missing
    with_commas : the texts in it that have commas: what these are is only clear of thousands
    """
    commas = list(with_commas)
    plain = "convert the strings to numbers" if all_numbers else "correct or drop these rows"
    if not all(_THOUSANDS.fullmatch(text.strip()) for text in commas):
        return plain
    code = ""
    if package == PANDAS:
        text = f"df[{name!r}]" + (".astype(object).replace(',', '', regex=True)" if commas else "")
        coerced = "" if all_numbers else ", errors='coerce'"
        code = f"df[{name!r}] = pd.to_numeric({text}{coerced})"
    elif package == "polars":
        text = f"pl.col({name!r}).cast(pl.String)" + (".str.replace_all(',', '')" if commas else "")
        code = f"df = df.with_columns({text}.cast(pl.Float64, strict={all_numbers}))"
    elif package == "duckdb":
        # Dollars quote, within the quotes of Python.
        text = f"replace({sql_name(name)}, $$,$$, $$$$)" if commas else sql_name(name)
        cast = "CAST" if all_numbers else "TRY_CAST"
        code = f"df = df.project('* REPLACE ({cast}({text} AS DOUBLE) AS {sql_name(name)})')"
    if not code:
        return plain
    return f"{code} converts the strings to numbers" + (
        "" if all_numbers else ", and makes these missing"
    )


def sql_name(name: object) -> str:
    """Write the name of a column as SQL does, within a Python string in single quotes."""
    return '"' + str(name).replace('"', '""').replace("'", "\\'") + '"'
