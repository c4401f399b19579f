"""Other packages, imported when they are first needed, and what they do in a process."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep Python from looking for garbage.

    It looks after every so many new objects. Compiling or importing makes very many, which are
    in use until it is done, so that the search takes up to a tenth of the time and finds little.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def load(name: str) -> Any:
    """Import a module of another package, and leave warning filters and environment as they were.

    Some packages add to both when they are imported, or import others that do: scipy and polars.
    Those take long to import, too, so that they are loaded where they are used.
    """
    if name in sys.modules:
        return sys.modules[name]
    environment = dict(os.environ)
    with collection_paused(), warnings.catch_warnings():
        module = import_module(name)
    for added in os.environ.keys() - environment.keys():
        del os.environ[added]
    return module
