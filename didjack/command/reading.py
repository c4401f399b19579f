"""Files -> data frames, by the readers of pandas."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from didjack.errors import DataError, OptionError
from didjack.wording import did_you_mean, name_some, nearest

COMPRESSED = ("", ".gz", ".bz2", ".xz", ".zip", ".zst")


BROKEN = (
    *(OSError, EOFError, ValueError, ImportError),
    *(zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error),
)
"""What readers raise if a file is not what its name says."""

_EXACT: Any = {"float_precision": "round_trip"} if pd.__version__.startswith("2.") else {}
"""The default parser of pandas 2 may be off in the last digit."""


def _csv(path: Path) -> pd.DataFrame:
    _check_header(path)
    # The type of a column does not depend on where chunks of it begin.
    table: pd.DataFrame = pd.read_csv(path, low_memory=False, **_EXACT)
    return table


def _check_header(path: Path) -> None:
    """Raise for a name that two columns have: pandas would rename the second."""
    first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = first.iloc[0][first.iloc[0] != ""]
    twice = list(dict.fromkeys(names[names.duplicated()]))
    if twice:
        raise DataError(
            f"{path} has more than one column {name_some([repr(name) for name in twice])}: rename "
            "or remove all but one"
        )


def _stata(path: Path) -> pd.DataFrame:
    # Codes, not their labels: periods and cohorts are numbers.
    return pd.read_stata(path, convert_categoricals=False)


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": pd.read_parquet,
    ".dta": _stata,
    **{f".csv{suffix}": _csv for suffix in COMPRESSED},
}
"""What a name ends with, and who reads such a file."""


def read(path: Path, dates: Sequence[str]) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    path : Path
        Its name ends with a key of `READERS`.
    dates : sequence of str
        Columns of text that are dates.

    Returns
    -------
    DataFrame

    Raises
    ------
    OptionError
        The name ends with something else.
    DataError
        There is no such file, it cannot be read, or such a column holds no dates.
    """
    reader = next((READERS[end] for end in READERS if path.name.lower().endswith(end)), None)
    if reader is None:
        raise OptionError(f"{path}: the name of a table ends with {', '.join(READERS)}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table")
    if not path.is_file():
        there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}{did_you_mean(nearest(path.name, there))}")
    try:
        df = reader(path)
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for name in dates:
        if name in df:
            df[name] = _as_dates(df[name])
    return df


def _as_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    """Read dates that start with the year; which of 01/02/2004 is the month nobody can tell."""
    if pd.api.types.is_numeric_dtype(column) and column.notna().any():
        raise DataError(f"column {column.name!r} holds numbers, no dates: leave out --dates")
    try:
        return pd.to_datetime(column, format="ISO8601")
    except ValueError as error:
        raise DataError(
            f"column {column.name!r} holds no dates such as 2004-01-31: {error}"
        ) from error
