"""A progress bar for work that takes long, by tqdm."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

DELAY = 1.0
"""Seconds before a bar appears that was not asked for."""


class Progress:
    """Count work done, and show a bar of it.

    Parameters
    ----------
    show : bool or None
        None: after a second, on a terminal or in a notebook.
    total : int
        Amount of work.
    """

    def __init__(self, show: bool | None, total: int) -> None:
        self.done = 0
        self._bar: Any = None
        if show or (show is None and _watched()):
            from tqdm import tqdm

            self._bar = tqdm(total=total, delay=0.0 if show else DELAY, desc="didjack", leave=False)

    def advance(self, amount: int) -> None:
        """Count more work as done."""
        self.done += amount
        if self._bar is not None:
            self._bar.update(amount)

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
            self._bar.close()


def _watched() -> bool:
    """Whether somebody looks at the standard error: a terminal, or a notebook."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return sys.stderr.isatty() or kernel is not None
