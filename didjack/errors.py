"""The errors and warnings of the package.

Everything didjack raises on purpose derives from `DidjackError`; everything it warns about derives
from `DidjackWarning`, so that a script can catch or silence exactly these and nothing else.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from didjack.wording import tidy

__all__ = [
    "DataError",
    "DeprecatedWarning",
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
    """Base class of all errors that didjack raises deliberately."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(tidy(arg) if isinstance(arg, str) else arg for arg in args))


class OptionError(DidjackError, ValueError):
    """An option has an invalid value."""


class UnknownOptionError(OptionError, TypeError):
    """A keyword is unknown, or a required one is missing."""


class DataError(DidjackError, ValueError):
    """The data cannot be used as they are; the message names column, count and offenders."""


class UndefinedReplicateError(DidjackError, ArithmeticError):
    """A jackknife replicate cannot be computed, with ``undefined="raise"``."""


class DidjackWarning(UserWarning):
    """Base class of all warnings of didjack."""


class SampleWarning(DidjackWarning):
    """The sample rules dropped or recoded observations."""


class DeprecatedWarning(DidjackWarning, FutureWarning):
    """A name is deprecated; the message says which to use instead."""


class EstimationWarning(DidjackWarning):
    """Some ATT(g,t) could not be estimated."""


class InferenceWarning(DidjackWarning):
    """A standard error is missing, imputed in part, or leaves clusters out."""


class FewClustersWarning(InferenceWarning):
    """Inference is driven by few clusters: few are treated, or one has most of the weight."""


Warned = list[tuple[str, type[DidjackWarning]]]
"""Messages with their categories."""

_held_back: ContextVar[Warned | None] = ContextVar("held_back", default=None)


@contextmanager
def warnings_held_back() -> Iterator[Warned]:
    """Collect the warnings of the package instead of giving them: the caller does, in its words."""
    found: Warned = []
    before = _held_back.set(found)
    try:
        yield found
    finally:
        _held_back.reset(before)


def warn(message: str, category: type[DidjackWarning]) -> None:
    """Give a warning that points at the user's own line, however deep it arose in the package."""
    collected = _held_back.get()
    if collected is not None:
        collected.append((message, category))
        return
    package = str(Path(__file__).parent) + os.sep
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(tidy(message), category, stacklevel=level)


def warn_deprecated(old: str, new: str, since: str) -> None:
    """Say that a name is deprecated; CONTRIBUTING.md has the policy."""
    warn(f"{old} is deprecated since didjack {since}; use {new}", DeprecatedWarning)
