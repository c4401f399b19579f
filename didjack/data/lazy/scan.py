"""Files of any size as a lazy table."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import narwhals as nw

from didjack.data.lazy.files import files_of, together
from didjack.data.lazy.lazy_table import engine_errors
from didjack.errors import DataError
from didjack.imports import load
from didjack.options import check_listed, must_be
from didjack.wording import brief

# ---- csv columns ---------------------------------------------------------------------------------

_FIRST = 1000
"""So many rows are looked at first: most of what columns are not shows there."""

_MISSING = (
    *("", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NULL", "null", "None"),
    *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
"""Cells that pandas reads as missing; so does `didjack fit`."""

_WHOLE = r"(0|-?[1-9][0-9]{0,17})"
_NUMBER = (
    # No number begins with needless zeros, so that codes which do stay text; nor has one more
    # digits before the point than floats hold.
    r"[+-]?((0|[1-9][0-9]{0,14})(\.[0-9]*)?|\.[0-9]+)"
    # 12E3 is a code; as a number, computers write 1.2E4 or 12e+3.
    r"|[+-]?([0-9](\.[0-9]*)?[eE][+-][0-9]+|[0-9]\.[0-9]+[eE][0-9]+)"
    r"|[+-]?(inf|Inf|INF|infinity|Infinity)"
)
_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


class _Kind(NamedTuple):
    """What the cells of a column may write.

    Attributes
    ----------
    pattern : what each cell is like
    read : its text -> its values
    """

    pattern: str
    read: Callable[[nw.Expr], nw.Expr]


def _as_time(text: nw.Expr) -> nw.Expr:
    spaced = text.str.replace_all("T", " ", literal=True)
    return spaced.str.to_datetime(format="%Y-%m-%d %H:%M:%S")


_KINDS = (
    _Kind(_WHOLE, lambda text: text.cast(nw.Int64)),
    _Kind(f"({_NUMBER})", lambda text: text.cast(nw.Float64)),
    _Kind("(true|True|TRUE|false|False|FALSE)", lambda text: text.str.to_lowercase() == "true"),
    _Kind(_DATE, lambda text: text.str.to_date(format="%Y-%m-%d")),
    _Kind(_DATE + r"[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", _as_time),
)
"""What a column may hold. One that does not go with a kind is tried with the next; with none, it
is text."""


def typed(table: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the columns of a table of text as what their cells write; empty cells are missing.

    All cells are read, so that no type depends on which come first. Text is whatever is not written
    as a number, a truth value or a date in every cell; a column with a leading zero, or with whole
    numbers of more than 18 digits, is one of codes, and stays text.
    """
    names = table.collect_schema().names()
    filled = table.select(
        nw.when(~nw.col(name).is_in(_MISSING)).then(nw.col(name)).alias(name) for name in names
    )
    kinds = dict.fromkeys(names, 0)
    for rows in (filled.head(_FIRST), filled):
        _exclude(kinds, rows)
    return filled.with_columns(
        _KINDS[kind].read(nw.col(name)).alias(name)
        for name, kind in kinds.items()
        if kind < len(_KINDS)
    )


def _exclude(kinds: dict[str, int], rows: nw.LazyFrame[Any]) -> None:
    """Go on, for each column, to the first kind that goes with all rows."""
    asked = [name for name, kind in kinds.items() if kind < len(_KINDS)]
    while asked:
        found = rows.select(_fits(name, kinds[name]) for name in asked).collect("pyarrow")
        fits = {name: found[name][0] is not False for name in asked}
        for name in asked:
            kinds[name] += not fits[name]
        asked = [name for name in asked if not fits[name] and kinds[name] < len(_KINDS)]


def _fits(name: str, kind: int) -> nw.Expr:
    """Return whether all cells that are not missing are of a kind."""
    alike = nw.col(name).str.contains(f"^{_KINDS[kind].pattern}$")
    return (alike | nw.col(name).is_null()).all().alias(name)


# ---- scan ----------------------------------------------------------------------------------------

_ENGINES = ("duckdb", "polars")


def scan(path: str | os.PathLike[str], engine: str | None = None) -> Any:
    """Open Parquet or CSV files as a lazy table, of which `csdid` reads what it needs.

    Parameters
    ----------
    path : str or path
        A file, a pattern such as ``"survey/*.parquet"``, or a folder of Parquet files. Remote
        addresses such as ``"s3://bucket/*.parquet"`` work if the engine supports them.
    engine : {"duckdb", "polars"}, optional
        Engine that reads the files; default: DuckDB if it is installed, otherwise polars.

    Returns
    -------
    duckdb.DuckDBPyRelation or polars.LazyFrame
        Use its methods to create columns and to filter rows.

    Raises
    ------
    OptionError
        `path` or `engine` is invalid.
    DataError
        The engine is not installed, or cannot read the files; or the files have different columns,
        or types of a column without a common type that holds all values exactly.

    Notes
    -----
    Where Parquet files have a column in several types, it is read as the widest of them, such as
    float64 for whole numbers and floats. The type of a CSV column follows from all of its cells,
    which are read once for this purpose: whole numbers, numbers, True and False, and dates such as
    2004-01-31, with or without a time. Any other column is a string column, including one with a
    leading zero ("01") or with whole numbers of more than 18 digits. Cells that pandas treats as
    missing, such as empty cells and NA, are missing.

    Examples
    --------
    >>> import tempfile, didjack
    >>> df = didjack.simulate.repeated_cross_section(n_clusters=20, n_dummies=2, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     df.to_parquet(f"{folder}/survey.parquet")
    ...     survey = didjack.scan(f"{folder}/survey.parquet")
    ...     res = didjack.csdid(
    ...         survey, "y", "period", "cohort", xformla="~ x1 + x2", cluster="cluster",
    ...         panel=False,
    ...     )
    >>> res.nobs == len(df)
    True
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise must_be("path", "the name of a file, as a string", path)
    name = os.fspath(path)
    chosen = _installed(engine)
    with engine_errors(chosen, f"read {brief(name)}"):
        files = files_of(name, chosen)
        table = together([files.part(names) for names in files.alike()])
        return (typed(table) if files.text else table).to_native()


def _installed(engine: str | None) -> str:
    """Return the engine that is to be used, or the first that is there."""
    if engine is not None:
        check_listed("engine", engine, _ENGINES)
    for name in _ENGINES if engine is None else (engine,):
        try:
            load(name)
        except ImportError:
            continue
        return name
    missing = engine or " or ".join(_ENGINES)
    raise DataError(
        f"scan needs {missing}, which is not installed: pip install 'didjack[{engine or 'duckdb'}]'"
    )
