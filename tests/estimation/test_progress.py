"""A progress bar is shown where it can be, and never in the way."""

import io
import sys
import threading

import pytest
from small_panels import numbers, panel, quiet_fit

from didjack.progress import Progress


class Bare:
    """A stream that can be written to, and nothing else."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def isatty(self):
        return True


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {"none": lambda: None, "closed": closed, "bare": Bare, "broken": Broken}


@pytest.mark.parametrize("show", [None, True, False])
@pytest.mark.parametrize("stream", STREAMS)
def test_no_stream_is_in_the_way(monkeypatch, stream, show):
    df = panel()
    want = numbers(quiet_fit(df, xformla="~ x1"))
    monkeypatch.setattr(sys, "stderr", STREAMS[stream]())
    result = quiet_fit(df, xformla="~ x1", progress=show)
    assert numbers(result).equals(want)


def test_a_stream_closed_meanwhile(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(True, 3) as progress:
        progress.advance(1)
        stream.close()
        progress.reach(3)
    assert progress.done == 3


def test_a_bar_that_was_asked_for_is_shown(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress(True, 2) as progress:
        progress.advance(1)
        assert "didjack" in sys.stderr.getvalue()


def test_no_bar_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress(None, 2) as progress:
        progress.advance(2)
    assert sys.stderr.getvalue() == ""


def test_a_failed_write_leaves_the_bars_of_others_alone(monkeypatch):
    """Not in a lock that they wait for, nor in a thread that watches over them."""
    tqdm = pytest.importorskip("tqdm").tqdm
    monkeypatch.setattr(sys, "stderr", Broken())
    with Progress(True, 3) as progress:
        progress.reach(3)
    free = []

    def take():
        for lock in tqdm.get_lock().locks:
            free.append(lock.acquire(timeout=5))
            lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    assert free
    assert all(free)
    assert tqdm.monitor is None or not tqdm.monitor.is_alive()
