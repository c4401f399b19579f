"""The one decorator of compiled functions, where these are kept on disk, and threads."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core import caching

from didjack.errors import DidjackWarning, warn
from didjack.imports import collection_paused

# ---- compile -------------------------------------------------------------------------------------

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
"""What reading a foreign file of pickles may raise."""

SIZE = hashlib.sha256().digest_size


class Damaged(ValueError):
    """A file is not what was written."""


FilesOfNumba: Any = caching.IndexDataCacheFile


class CheckedFiles(FilesOfNumba):  # type: ignore[misc]  # numba has no types
    """Index and code of a function on disk, each behind a checksum of its contents.

    Numba runs whatever code it finds. A damaged file could hold any; and of two processes that
    write at the same time, one may leave the code and the other the index, for other arguments.
    """

    def save(self, key: Any, data: Any) -> None:
        """Save code with what it is for."""
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        """Return code, None if there is none, or code for something else."""
        own, data = super().load(key) or (None, None)
        return data if own == key else None

    def _load_index(self) -> dict[Any, str]:
        try:
            version, stamp, overloads = self._read(self._index_path)
        except (FileNotFoundError, Damaged):
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        with open(path, "rb") as file:
            digest, data = file.read(SIZE), file.read()
        if hashlib.sha256(data).digest() != digest:
            raise Damaged(path)
        return pickle.loads(data)

    def _write(self, path: str, value: Any) -> None:
        data = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(data).digest() + data)


class DiskCache:
    """What numba keeps of a function on disk, where it can; a fit does without, where it cannot.

    Numba's own cache raises where no folder can be written, where the disk is full, and where a
    file was cut off while it was written. This one has the same methods, which do not. It looks
    for its folder when the function is compiled, not when it is imported.
    """

    warned = False
    """Whether it was said that there is no folder; once is enough for all functions."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @cached_property
    def _files(self) -> Any:
        """The cache of numba; None where no folder can be written."""
        of_numba: Any = caching.FunctionCache
        try:
            cache = of_numba(self._function)
        except (RuntimeError, OSError):  # no folder can be written, or its files cannot be listed
            return None
        own = cache._impl  # noqa: SLF001 (as numba makes the files, in `Cache.__init__`)
        stamp = own.locator.get_source_stamp()
        cache._cache_file = CheckedFiles(cache.cache_path, own.filename_base, stamp)  # noqa: SLF001
        return cache

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
    if not DiskCache.warned:
        DiskCache.warned = True
        warn(
            "compiled functions cannot be cached: neither didjack's folder nor the home directory "
            "is writable, so each process compiles again. Set NUMBA_CACHE_DIR to a writable folder "
            "before importing didjack",
            DidjackWarning,
        )


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel, cached on disk; type checkers see the function itself.

    Kernels are serial and release the GIL: threads run them on disjoint chunks.
    """
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if compiled is not function:  # which it is where NUMBA_DISABLE_JIT is set
        compiled._cache = DiskCache(function)  # noqa: SLF001 (numba's `cache=True` does the same)
        compiled.compile = collection_paused()(compiled.compile)
    return cast(Callable[P, R], compiled)


# ---- threads -------------------------------------------------------------------------------------

LEAST_WORK = 5_000_000
"""Less work than this (in multiplications or so) is done before a thread would have started."""
CHUNKS_PER_THREAD = 4
MOST_WORK = 2e8
"""Chunks with more work than this are made smaller: about a fifth of a second, after which progress
is told, and after which a run that was interrupted has ended."""


def run(
    kernel: Callable[..., None],
    n_items: int,
    work: float,
    *args: Any,
    tick: Callable[[int], None] | None = None,
) -> None:
    """Call ``kernel(lo, hi, *args)`` on chunks that cover ``range(n_items)``.

    What a chunk computes does not depend on where it begins or ends, so neither does the result
    on the number of threads, which is `numba.get_num_threads`.

    Compiled code does not see a Ctrl-C. So whatever takes long runs in other threads than the one
    that is interrupted, which waits for none of them then: chunks that run end by themselves, and
    those that wait are never begun.

    Parameters
    ----------
    work : rough number of multiplications in all
    tick : called with the number of items of each chunk that is done
    """
    if work < LEAST_WORK:
        kernel(0, n_items, *args)
        return
    threads = numba.get_num_threads()
    n_chunks = min(n_items, max(threads * CHUNKS_PER_THREAD, int(work / MOST_WORK)))
    chunks = list(pairwise(np.linspace(0, n_items, n_chunks + 1).astype(int).tolist()))
    pool = ThreadPoolExecutor(threads)
    try:
        running = [pool.submit(kernel, lo, hi, *args) for lo, hi in chunks]
        for (lo, hi), done in zip(chunks, running, strict=True):
            done.result()
            if tick is not None:
                tick(hi - lo)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
