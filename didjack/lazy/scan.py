"""Files of any size as a lazy table."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from didjack.errors import DataError, OptionError
from didjack.lazy.tables import told_by
from didjack.options import check_listed
from didjack.wording import brief

_ENGINES = ("duckdb", "polars")


def scan(path: str | os.PathLike[str], engine: str | None = None) -> Any:
    """Open Parquet or CSV files as a lazy table, of which `csdid` reads what it needs.

    Parameters
    ----------
    path : str or path
        A file, a pattern such as ``"survey/*.parquet"``, or a folder of Parquet files. Addresses
        such as ``"s3://bucket/*.parquet"`` work as far as the engine knows them.
    engine : {"duckdb", "polars"}, optional
        Who reads the files; default: DuckDB if it is installed, otherwise polars.

    Returns
    -------
    duckdb.DuckDBPyRelation or polars.LazyFrame
        Columns can be made, and rows left out, with what these have for it.

    Raises
    ------
    OptionError
        A path or an engine that is not allowed.
    DataError
        The engine is not installed, or cannot read the files; or the files have different columns,
        or a column of types that no type holds exactly.

    Notes
    -----
    Where Parquet files have a column in several types, it is read as the widest of them, such as
    float64 for whole numbers and floats. The type of a CSV column follows from all of its cells,
    which are read once for that: whole numbers, numbers, True and False, and dates such as
    2004-01-31, with or without a time. Any other column is text, also one with a needless zero
    ("01") or with whole numbers of more than 18 digits. Cells that pandas takes for missing, such
    as empty ones and NA, are missing.

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
        raise OptionError(f"path={brief(path)} is not allowed: the name of a file, as a string")
    name = os.fspath(path)
    chosen = _installed(engine)
    # narwhals is only imported when it is needed.
    from didjack.lazy.csv_columns import typed
    from didjack.lazy.files import files_of
    from didjack.lazy.widest import together

    with told_by(chosen, f"read {brief(name)}"):
        files = files_of(name, chosen)
        table = together([files.part(names) for names in files.alike()])
        return (typed(table) if files.text else table).to_native()


def _installed(engine: str | None) -> str:
    """Return the engine that is to be used, or the first that is there."""
    if engine is not None:
        check_listed("engine", engine, _ENGINES)
    for name in _ENGINES if engine is None else (engine,):
        try:
            import_module(name)
        except ImportError:
            continue
        return name
    missing = engine or " or ".join(_ENGINES)
    raise DataError(
        f"scan needs {missing}, which is not installed: pip install 'didjack[{engine or 'duckdb'}]'"
    )
