"""The one decorator of compiled functions, and where these are kept on disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cached_property
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import caching

from didjack.errors import DidjackWarning, warn

P = ParamSpec("P")
R = TypeVar("R")

BROKEN = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What reading a damaged or foreign file of pickles may raise."""


class DiskCache:
    """What numba keeps of a function on disk, where it can; a fit does without, where it cannot.

    Numba's own cache raises where no folder can be written, where the disk is full, and where a
    file was cut off while it was written. This one has the same methods, which do not. It looks
    for its folder when the function is compiled, not when it is imported.
    """

    told = False
    """Whether it was said that there is no folder; once is enough for all functions."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @cached_property
    def _files(self) -> Any:
        """The cache of numba; None where no folder can be written."""
        of_numba: Any = caching.FunctionCache
        try:
            return of_numba(self._function)
        except RuntimeError:  # no locator available
            return None

    @property
    def cache_path(self) -> str | None:
        """The folder, if there is one."""
        return None if self._files is None else str(self._files.cache_path)

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return the compiled function for a signature, None if it is not there or damaged."""
        if self._files is None:
            _tell()
            return None
        try:
            return self._files.load_overload(signature, context)
        except BROKEN:
            self.flush()
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a compiled function, if there is room for it."""
        if self._files is not None:
            try:
                self._files.save_overload(signature, compiled)
            except BROKEN:
                self.flush()

    def flush(self) -> None:
        """Forget what is kept, so that it is written anew."""
        if self._files is not None:
            try:
                self._files.flush()
            except OSError:
                return


def _tell() -> None:
    """Say, once, that functions are compiled anew in every process, and how to change that."""
    if not DiskCache.told:
        DiskCache.told = True
        warn(
            "compiled functions cannot be kept on disk, as neither the folder of didjack nor a "
            "cache folder in the home directory can be written: each new process compiles them "
            "again, which takes some seconds. Set the environment variable NUMBA_CACHE_DIR to a "
            "folder that can be written, before didjack is imported, to have them kept",
            DidjackWarning,
        )


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel, cached on disk; type checkers see the function itself.

    Kernels are serial and release the GIL: `didjack.kernels.threads` runs them on disjoint chunks.
    """
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if compiled is not function:  # which it is where NUMBA_DISABLE_JIT is set
        compiled._cache = DiskCache(function)  # noqa: SLF001 (numba's `cache=True` does the same)
    return cast(Callable[P, R], compiled)
