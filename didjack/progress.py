"""A progress bar for work that takes long, by tqdm.

A bar that cannot be shown is not worth an error: services run without a standard error, and one
that was there may be closed meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any

DELAY = 1.0
"""Seconds before a bar appears that was not asked for."""


class Progress:
    """Count work done, and show a bar of it.

    Parameters
    ----------
    show : bool or None
        None: after a second, on a terminal or in a notebook. Never where nothing can be written.
    total : int
        Amount of work.
    """

    def __init__(self, show: bool | None, total: int) -> None:
        self.done = 0
        self._bar: Any = None
        if _writable() and (show or (show is None and _watched())):
            delay = 0.0 if show else DELAY
            with self._or_none():
                self._bar = _bar_class()(total=total, delay=delay, desc="didjack", leave=False)

    def advance(self, amount: int) -> None:
        """Count more work as done."""
        self.done += amount
        if self._bar is not None:
            with self._or_none():
                self._bar.update(amount)

    def say(self, text: str) -> None:
        """Write a line above the bar, if there is one."""
        if self._bar is not None:
            with self._or_none():
                self._bar.write(text, file=sys.stderr)

    def reach(self, amount: int) -> None:
        """Count so much work as done in all."""
        self.advance(amount - self.done)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            with self._or_none():
                self._bar.close()

    @contextmanager
    def _or_none(self) -> Iterator[None]:
        """Give the bar up where it cannot be written any more."""
        try:
            yield
        except (AttributeError, OSError, ValueError):  # ValueError: a closed file, or an encoding
            self._bar = None


class _Open:
    """A lock that is always open: a bar is written by one thread alone."""

    def acquire(self, *_args: Any, **_options: Any) -> bool:
        return True

    def release(self) -> None:
        pass

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_error: object) -> None:
        pass


@cache
def _bar_class() -> Any:
    """Return tqdm's bar without its lock and its monitor.

    All bars of a process share these. A write that fails leaves the lock held, and then the bars
    of others, and the monitor when Python ends, would wait for it forever.
    """
    from tqdm import tqdm

    return type("Bar", (tqdm,), {"monitor_interval": 0, "_lock": _Open()})


def _writable() -> bool:
    """Whether there is a standard error that is open."""
    return hasattr(sys.stderr, "write") and not getattr(sys.stderr, "closed", False)


def _watched() -> bool:
    """Whether somebody looks at the standard error: a terminal, or a notebook."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return kernel is not None or (hasattr(sys.stderr, "isatty") and sys.stderr.isatty())
