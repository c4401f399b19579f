"""Files of one table: which they are, and those that have the same columns."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import narwhals as nw

from didjack.errors import OptionError
from didjack.wording import brief

_ENDINGS = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class Part:
    """Files that have the same columns, of the same types.

    Attributes
    ----------
    names : the files
    frame : their rows
    types : column -> type, as the engine writes it
    """

    names: list[str]
    frame: nw.LazyFrame[Any]
    types: dict[str, str]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a table, and who reads them.

    Attributes
    ----------
    names : the files, or a pattern that only the engine knows
    engine : "duckdb" or "polars"
    source : polars, or a connection of DuckDB
    text : whether they are CSV files, whose cells are read as text
    """

    names: list[str]
    engine: str
    source: Any
    text: bool

    def part(self, names: list[str]) -> Part:
        """Read files that have the same columns."""
        native = self._read(names)
        if self.engine == "polars":
            types = {name: str(dtype) for name, dtype in native.collect_schema().items()}
        else:
            types = dict(zip(native.columns, map(str, native.types), strict=True))
        return Part(names, nw.from_native(native), types)

    def alike(self) -> list[list[str]]:
        """Return the files in groups of those that have the same columns, in any order."""
        groups: dict[Any, list[str]] = {}
        for name in self.names:
            types = self.part([name]).types
            # Cells of CSV files are matched by their place.
            key = tuple(types) if self.text else frozenset(types.items())
            groups.setdefault(key, []).append(name)
        return list(groups.values())

    def _read(self, names: list[str]) -> Any:
        pattern = "://" in names[0]  # others are names of files, whatever they have in them
        if self.engine == "polars":
            if self.text:
                return self.source.scan_csv(names, infer_schema=False, glob=pattern)
            return self.source.scan_parquet(names, glob=pattern)
        if not pattern:
            names = [glob.escape(name) for name in names]
        if self.text:
            return self.source.read_csv(names, all_varchar=True, header=True)
        return self.source.read_parquet(names)


def files_of(path: str, engine: str) -> Files:
    """Find the files that a path, a pattern or a folder stands for.

    Raises
    ------
    OptionError
        Files of another kind.
    """
    if os.path.isdir(path):
        path = os.path.join(path, "**", "*.parquet")
    if not path.lower().endswith(_ENDINGS):
        raise OptionError(
            f"path={brief(path)} is not allowed; it must end in {', '.join(_ENDINGS)}, or be a "
            "folder"
        )
    module: Any = import_module(engine)
    # A connection of its own: nothing is left in the one that the user may have.
    source = module.connect() if engine == "duckdb" else module
    text = not path.lower().endswith(".parquet")
    return Files(_listed(path, engine, source) or [path], engine, source, text)


def _listed(path: str, engine: str, source: Any) -> list[str]:
    """List the files; none where only the engine, which says so, knows whether there are any."""
    if "://" not in path:
        return sorted(glob.glob(path, recursive=True))
    if engine == "polars":  # reads only files of the same columns and types
        return []
    found = source.execute("SELECT file FROM glob(?)", [path]).fetchall()
    return sorted(name for (name,) in found)
