"""A script that repeats a run, and the versions that it needs."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import didjack
from didjack.cli.analyses import Analysis

PACKAGES = ("numpy", "scipy", "numba", "pandas", "narwhals", "formulaic", "matplotlib")
"""What numbers and figures are made with."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was done, from the table to the result.

    Attributes
    ----------
    data : file that was read
    digest : its SHA-256
    dates, labels : columns that were read as dates, and those of units and clusters
    treatment : arguments of `first_treated` after the table, if there was a 0/1 treatment
    options : arguments of `csdid`
    average : arguments of `aggregate`; empty for ATT(g,t)
    """

    data: Path
    digest: str
    dates: Sequence[str]
    labels: Sequence[str]
    treatment: Sequence[str]
    options: dict[str, Any]
    average: dict[str, Any]


def requirements() -> str:
    """Write the versions of everything that numbers and figures are made with, for pip."""
    packages = [f"{name}=={version(name)}" for name in PACKAGES]
    head = f"# Python {platform.python_version()}"
    return "\n".join([head, f"didjack=={didjack.__version__}", *packages, ""])


def script(run: Run, analyses: Sequence[Analysis]) -> str:
    """Write the Python that gives the same numbers, and compares them with those of the folder."""
    parts = [
        _HEAD.format(version=didjack.__version__, data=str(run.data.resolve()), digest=run.digest),
        f"data = read(DATA, dates={list(run.dates)!r}, labels={list(run.labels)!r})",
    ]
    if run.treatment:
        column = run.options["gname"]
        arguments = ", ".join(map(repr, run.treatment))
        parts.append(f"data[{column!r}] = didjack.first_treated(data, {arguments})")
    parts.append(_call("effects = didjack.csdid", ["data"], run.options, didjack.csdid))
    if run.average:
        method = didjack.GroupTimeResult.aggregate
        parts.append(_call("result = effects.aggregate", [], run.average, method))
    else:
        parts.append("result = effects")
    parts.append("print(result.summary())")
    parts += [f"print({one.call})" for one in analyses]
    parts.append(_FOOT.format(overall=bool(run.average)))
    return "\n".join(parts)


def _call(
    name: str, first: list[str], options: dict[str, Any], function: Callable[..., Any]
) -> str:
    """Write a call with the arguments that are not the default."""
    usual = inspect.signature(function).parameters
    given = [
        f"{key}={value!r}"
        for key, value in options.items()
        if key != "progress" and value != usual[key].default
    ]
    lines = "".join(f"    {argument},\n" for argument in [*first, *given])
    return f"{name}(\n{lines})"


_HEAD = '''"""Repeat a run of the command line of didjack {version}, and compare its estimates.

    pip install -r requirements.txt
    python replicate.py [DATA]

Estimates in estimates.csv have to be reproduced, up to 1e-9 of their size on another machine.
"""

import hashlib
import io
import sys
from pathlib import Path

import pandas as pd

import didjack
from didjack.cli.reading import read

DATA = Path(sys.argv[1] if len(sys.argv) > 1 else {data!r})
SHA256 = "{digest}"

if hashlib.sha256(DATA.read_bytes()).hexdigest() != SHA256:
    sys.exit(f"{{DATA}} is not the table of this folder: its SHA-256 is another one")

'''

_FOOT = """
stored = pd.read_csv(Path(__file__).with_name("estimates.csv"))
text = result.tidy(overall={overall}, joint=True).to_csv(index=False)
pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text)), stored, rtol=1e-9, atol=1e-12)
print("All numbers of estimates.csv are reproduced.")
"""
