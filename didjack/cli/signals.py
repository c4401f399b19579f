"""Signals that ask a program to stop: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
STOP = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]  # Windows has no SIGHUP
ONCE = 1.0
"""Seconds within which a second signal is the first again: `timeout` sends two."""


@contextmanager
def deferred() -> Iterator[list[int]]:
    """Have signals wait until the block is done, which can look whether there are any.

    Yields
    ------
    list of int
        Numbers of the signals that came; the first is sent again when the block is done.
    """
    came: list[int] = []
    with _handled(lambda number, _: came.append(number)):
        yield came
    if came:
        signal.raise_signal(came[0])


@contextmanager
def stopping() -> Iterator[None]:
    """End the block at a signal, with exit code 128 + its number, and leave no handler behind.

    Raises
    ------
    SystemExit
        There was a signal, whatever else came of it: exceptions that are raised by handlers are
        at times caught, or become other ones, on their way through packages.
    """
    came: list[int] = []
    last = -ONCE

    def stop(number: int, _: Any) -> None:
        nonlocal last
        came.append(number)
        before, last = last, time.monotonic()
        if last - before >= ONCE:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    with _handled(stop), _quiet(came):
        try:
            yield
        except BaseException:
            if not came:
                raise
        last = float("inf")  # signals are counted from here on, no more
    if came:
        raise SystemExit(128 + came[0])


@contextmanager
def _handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle signals, but those that are ignored, as after `nohup`; only the main thread can."""
    usual: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in STOP:
                # None: a handler that Python does not know, and could not put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    usual[number] = signal.signal(number, handler)
        yield
    finally:
        for number, before in usual.items():
            signal.signal(number, before)


@contextmanager
def _quiet(came: list[int]) -> Iterator[None]:
    """Do not print exceptions that Python drops, such as in a `__del__`, after a signal."""
    usual = sys.unraisablehook

    def hook(dropped: Any) -> None:
        if not came:
            usual(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = usual
