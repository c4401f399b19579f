"""The errors and warnings of the package.

Everything didjack raises on purpose derives from `DidjackError`; everything it warns about derives
from `DidjackWarning`, so that a script can catch or silence exactly these and nothing else.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = [
    "DataError",
    "DidjackError",
    "DidjackWarning",
    "EstimationWarning",
    "FewClustersWarning",
    "InferenceWarning",
    "OptionError",
    "SampleWarning",
    "UndefinedReplicateError",
    "UnknownOptionError",
]


class DidjackError(Exception):
    """Root of all errors that didjack raises on purpose."""


class OptionError(DidjackError, ValueError):
    """An option has a value that is not allowed."""


class UnknownOptionError(OptionError, TypeError):
    """A keyword that the function does not have, or a required one that was not given."""


class DataError(DidjackError, ValueError):
    """The data cannot be used as they are; the message names column, count and offenders."""


class UndefinedReplicateError(DidjackError, ArithmeticError):
    """A jackknife replicate cannot be computed and ``undefined="raise"`` was asked for."""


class DidjackWarning(UserWarning):
    """Root of all warnings that didjack gives."""


class SampleWarning(DidjackWarning):
    """The sample rules dropped or recoded observations."""


class EstimationWarning(DidjackWarning):
    """Some ATT(g,t) could not be estimated."""


class InferenceWarning(DidjackWarning):
    """A standard error is missing, or rests on replicates that differ in what they average."""


class FewClustersWarning(InferenceWarning):
    """Inference hinges on few clusters: few are treated, or one of them outweighs the others."""


def warn(message: str, category: type[DidjackWarning]) -> None:
    """Give a warning that points at the user's own line, however deep it arose in the package."""
    package = str(Path(__file__).parent) + os.sep
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def name_some(items: Iterable[Any], most: int = 5) -> str:
    """Write the first few of `items`, and how many more there are.

    Examples
    --------
    >>> name_some(range(7), most=3)
    '0, 1, 2 and 4 more'
    """
    listed = list(items)
    text = ", ".join(str(item) for item in listed[:most])
    return text + (f" and {len(listed) - most} more" if len(listed) > most else "")


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "unit"), plural(1200, "unit")
    ('1 unit', '1,200 units')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def brief(value: object, most: int = 60) -> str:
    """Write any value on one line, cut to `most` characters.

    Examples
    --------
    >>> brief(["a", "b"]), brief("a" * 100, most=8)
    ("['a', 'b']", "'aaaa...")
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= most else text[: most - 3] + "..."
