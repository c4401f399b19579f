"""Loading modules at the first call, faster."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's garbage collector from running, if it may, while modules are loaded.

    They make some 100,000 objects that stay, and the collector goes over all of them again and
    again: a fifth of the first call.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@cache
def special_functions() -> Any:
    """Import `scipy.special`."""
    with collector_paused():
        from scipy import special

    return special
