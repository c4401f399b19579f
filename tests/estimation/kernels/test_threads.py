"""Chunks of work in threads, and what becomes of them when a run is interrupted."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from didjack.estimation.kernels import compiled


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_items", [2, 7, 100])
def test_threads_cover_all_items_once(n_threads, n_items, monkeypatch):
    monkeypatch.setattr(compiled.numba, "get_num_threads", lambda: n_threads)
    seen, ticks, chunks = np.zeros(n_items), [], []

    def kernel(lo, hi, step):
        seen[lo:hi] += step
        chunks.append((lo, hi))

    compiled.run(kernel, n_items, 2 * compiled.LEAST_WORK, 1.0, tick=ticks.append)
    np.testing.assert_array_equal(seen, 1.0)
    assert sum(ticks) == n_items
    assert len(chunks) == min(n_items, n_threads * compiled.CHUNKS_PER_THREAD)


def test_little_work_is_done_without_threads(monkeypatch):
    monkeypatch.delattr(compiled, "ThreadPoolExecutor")
    seen = []
    compiled.run(lambda lo, hi: seen.append((lo, hi)), 50, compiled.LEAST_WORK / 2)
    assert seen == [(0, 50)]


def test_errors_in_threads_come_out():
    def kernel(lo, hi):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compiled.run(kernel, 10, 2 * compiled.LEAST_WORK)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_waits_for_nothing(monkeypatch, error):
    monkeypatch.setattr(compiled.numba, "get_num_threads", lambda: 2)
    begun, end = [], threading.Event()

    def kernel(lo, hi):
        begun.append(lo)
        if lo:
            end.wait(60)

    def interrupt(done):
        raise error

    with pytest.raises(error):
        compiled.run(kernel, 100, 2 * compiled.LEAST_WORK, tick=interrupt)
    assert not end.is_set()  # chunks are running still
    assert len(begun) <= 3  # the first one, and one in each thread
    end.set()


def test_one_long_item_is_not_run_in_the_thread_that_is_interrupted():
    where = []
    compiled.run(lambda lo, hi: where.append(threading.get_ident()), 1, 2 * compiled.LEAST_WORK)
    assert where != [threading.get_ident()]


LONG = """
import os, signal, threading
import numpy as np
from didjack.inference.variance.bootstrap import multiplier_draws
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
influence = np.ones((20_000, 1))
multiplier_draws(influence, 1000)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    multiplier_draws(influence, 8_000_000)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_a_bootstrap_that_would_take_minutes():
    done = subprocess.run(
        [sys.executable, "-c", LONG], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "interrupted\n"
