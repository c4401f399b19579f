"""How a result came about, in words: for those who want to get it again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import didjack

PACKAGES = ("numpy", "scipy", "numba", "pandas", "narwhals", "formulaic", "matplotlib")
"""What numbers and pictures are made with."""


def write_log(
    command: str,
    data: Path,
    result: didjack.GroupTimeResult | didjack.AggregateResult,
    average: dict[str, Any],
    warnings: Iterable[str],
) -> str:
    """Write command, data, options, sample, summary, warnings and versions.

    Parameters
    ----------
    command : str
        What was typed.
    data : Path
        The file that was read.
    result : GroupTimeResult or AggregateResult
    average : dict
        Arguments of `aggregate`; empty for ATT(g,t).
    warnings : iterable of str

    Returns
    -------
    str
    """
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    sections = {
        "Command": [command],
        "Data": [f"{data.resolve()}", f"SHA-256 {digest}"],
        "Options of csdid": _named(asdict(result.options)),
        "Options of aggregate": _named(average) or ["none: ATT(g,t)"],
        "Sample": result.sample.to_string(index=False).splitlines(),
        "Summary": str(result.summary()).splitlines(),
        "Warnings": list(warnings) or ["none"],
        "Versions": [
            f"Python {platform.python_version()} on {platform.platform()}",
            *(f"{name} {version(name)}" for name in PACKAGES),
        ],
    }
    head = f"didjack {didjack.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n"
    parts = [f"{name}\n" + "".join(f"  {line}\n" for line in sections[name]) for name in sections]
    return "\n".join([head, *parts])


def _named(values: dict[str, Any]) -> list[str]:
    """Write names and values, one a line."""
    width = max(map(len, values), default=0)
    return [f"{name:{width}} = {value!r}" for name, value in values.items()]
