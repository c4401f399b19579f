"""Files -> data frames, by the readers of pandas."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd

from didjack.data.frames import check_text
from didjack.errors import DataError, OptionError
from didjack.wording import did_you_mean, name_some, nearest, one_line, plural

COMPRESSED = ("", ".gz", ".bz2", ".xz", ".zip", ".zst")


BROKEN = (
    *(OSError, EOFError, ValueError, ImportError),
    *(zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error),
)
"""What readers raise if a file is not what its name says."""

_EXACT: Any = {"float_precision": "round_trip"} if pd.__version__.startswith("2.") else {}
"""The default parser of pandas 2 may be off in the last digit."""


def _csv(path: Path, labels: Sequence[str]) -> pd.DataFrame:
    try:
        # Names first: pandas would rename the second of two.
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
        _check_names(path, [name for name in first.iloc[0] if name])
        # The type of a column does not depend on where chunks of it begin. Labels stay what was
        # written: as numbers, codes lose leading zeros, and with an empty cell their last digits.
        text = dict.fromkeys(labels, str)
        table: pd.DataFrame = pd.read_csv(path, low_memory=False, dtype=text, **_EXACT)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read: it is not encoded as UTF-8{_first_foreign(path)}; save it as "
            "UTF-8"
        ) from error
    for name in labels:
        if name in table:
            table[name] = _whole(table[name])
    return table


def _check_names(path: Path, names: Iterable[str]) -> None:
    """Raise for a name that two columns have."""
    counts = Counter(names)
    twice = [repr(name) for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"{path} has more than one column {name_some(twice)}: rename or remove all but one"
        )


def _first_foreign(path: Path) -> str:
    """Say in which line, and under which name, the first cell is that is not UTF-8."""
    layout: Any = {"header": None, "skip_blank_lines": False, "dtype": object}
    try:
        cells = pd.read_csv(
            path, **layout, encoding_errors="surrogateescape", keep_default_na=False
        )
    except BROKEN:
        return ""
    for line, row in enumerate(cells.itertuples(index=False), start=1):
        for name, cell in zip(cells.iloc[0], row, strict=True):
            if re.search("[\udc80-\udcff]", str(cell)):
                byte = cell.encode("utf-8", "surrogateescape")
                return f" (line {line}, column {one_line(name)!r}: {byte!r})"
    return ""


def _whole(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return text as whole numbers if all of it is there and nothing is lost; otherwise as is."""
    if column.isna().any():
        return column
    texts = column.unique()
    if not all(re.fullmatch(r"0|-?[1-9]\d{0,17}", text, re.ASCII) for text in texts):
        return column
    return column.map({text: int(text) for text in texts}).astype("int64")


def _parquet(path: Path, _labels: Sequence[str]) -> pd.DataFrame:
    try:
        import pyarrow as pa
        from pyarrow.parquet import read_schema
    except ImportError:
        return pd.read_parquet(path)  # another package reads it, or pandas says which one can
    try:
        _check_names(path, read_schema(path).names)
        table = pd.read_parquet(path)
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for name in table:
        check_text(table[name])
    return table


def _stata(path: Path, _labels: Sequence[str]) -> pd.DataFrame:
    # Codes, not their labels: periods and cohorts are numbers.
    return pd.read_stata(path, convert_categoricals=False)


READERS: dict[str, Callable[[Path, Sequence[str]], pd.DataFrame]] = {
    ".parquet": _parquet,
    ".dta": _stata,
    **{f".csv{suffix}": _csv for suffix in COMPRESSED},
}
"""What a name ends with, and who reads such a file."""


def read(path: Path, dates: Sequence[str], labels: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    path : Path
        Its name ends with a key of `READERS`.
    dates : sequence of str
        Columns of text that are dates.
    labels : sequence of str
        Columns of units and clusters, which are text where the file is text.

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
        df = reader(path, labels)
        _check_names(path, df.columns)
    except DataError:  # a ValueError, which `BROKEN` has: it says itself what is wrong
        raise
    except BROKEN as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for name in dates:
        if name in df:
            df[name] = _as_dates(df[name])
    return df


def notes(df: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Say where it matters that labels are text: equal numbers differ, or cells are empty."""
    said = []
    for name in labels:
        if name not in df:
            continue
        as_number: dict[Decimal, str] = {}
        is_text = pd.api.types.is_string_dtype(df[name].dtype)
        for text in df[name].dropna().unique() if is_text else ():
            number = _number(text)
            if number is not None and as_number.setdefault(number, text) != text:
                said.append(
                    f"column {name!r} is read as strings: {as_number[number]!r} and {text!r} are "
                    "different labels"
                )
                break
        if empty := int(df[name].isna().sum()):
            said.append(f"column {name!r} has {plural(empty, 'empty cell')}: no label")
    return said


def _number(text: Any) -> Decimal | None:
    """Return the number that a text writes, if any."""
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _as_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    """Read dates that start with the year; which of 01/02/2004 is the month nobody can tell."""
    if pd.api.types.is_numeric_dtype(column) and column.notna().any():
        raise DataError(f"column {column.name!r} holds numbers, no dates: leave out --dates")
    try:
        return pd.to_datetime(column, format="ISO8601")
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"column {column.name!r} holds no dates such as 2004-01-31: {error}"
        ) from error
