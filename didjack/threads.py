"""Kernels in threads, on disjoint chunks of their output."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

LEAST_WORK = 5_000_000
"""Less work than this (in multiplications or so) is done before a thread would have started."""
CHUNKS_PER_THREAD = 4


def run(kernel: Callable[..., None], n_items: int, work: float, *args: Any) -> None:
    """Call ``kernel(lo, hi, *args)`` on chunks that cover ``range(n_items)``.

    What a chunk computes does not depend on where it begins or ends, so neither does the result
    on the number of threads, which is `numba.get_num_threads`.

    Parameters
    ----------
    work : rough number of multiplications in all
    """
    threads = 1 if work < LEAST_WORK or n_items < 2 else numba.get_num_threads()
    if threads == 1:
        kernel(0, n_items, *args)
        return
    bounds = np.linspace(0, n_items, min(n_items, threads * CHUNKS_PER_THREAD) + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        chunks = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        for done in [pool.submit(kernel, lo, hi, *args) for lo, hi in chunks]:
            done.result()
