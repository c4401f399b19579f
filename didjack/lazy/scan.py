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

_READERS = {
    ".parquet": {"duckdb": "read_parquet", "polars": "scan_parquet"},
    ".csv": {"duckdb": "read_csv", "polars": "scan_csv"},
    ".csv.gz": {"duckdb": "read_csv", "polars": "scan_csv"},
}
"""What engines read files with, by how their names end."""


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
        The engine is not installed, or cannot read the files.

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
    if os.path.isdir(name):
        name = os.path.join(name, "**", "*.parquet")
    ending = next((known for known in _READERS if name.lower().endswith(known)), None)
    if ending is None:
        raise OptionError(
            f"path={brief(name)} is not allowed; it must end in {', '.join(_READERS)}, or be a "
            "folder"
        )
    chosen = _installed(engine)
    module: Any = import_module(chosen)
    # A connection of its own: nothing is left in the one that the user may have.
    source = module.connect() if chosen == "duckdb" else module
    with told_by(chosen, f"read {brief(name)}"):
        return getattr(source, _READERS[ending][chosen])(name)


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
