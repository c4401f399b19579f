"""Other packages, imported when they are first needed."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from typing import Any


def load(name: str) -> Any:
    """Import a module of another package, and leave warning filters and environment as they were.

    Some packages add to both when they are imported, or import others that do: scipy and polars.
    Those take long to import, too, so that they are loaded where they are used.
    """
    if name in sys.modules:
        return sys.modules[name]
    environment = dict(os.environ)
    with warnings.catch_warnings():
        module = import_module(name)
    for added in os.environ.keys() - environment.keys():
        del os.environ[added]
    return module
