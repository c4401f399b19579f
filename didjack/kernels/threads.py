"""Kernels in threads, on disjoint chunks of their output."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numba
import numpy as np

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
