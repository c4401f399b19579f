"""Clocks: calls that take turns, ratios of neighbours, and silence."""

from __future__ import annotations

import contextlib
import gc
import io
import statistics
import time
import warnings
from collections.abc import Callable, Container, Iterator, Mapping

Seconds = list[float]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what is printed and warned."""
    sink = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        warnings.simplefilter("ignore")
        yield


def seconds(call: Callable[[], object]) -> float:
    """Time one quiet call."""
    gc.collect()
    with quiet():
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


def interleave(
    calls: Mapping[str, Callable[[], object]],
    budget: float,
    least: int = 3,
    most: int = 15,
    longer: Container[str] = (),
) -> dict[str, Seconds]:
    """Time calls in turns, so that a change of the machine's load meets all of them.

    The order is turned around from round to round. Entries at the same position of two lists
    come from the same round.

    Parameters
    ----------
    budget : seconds after which a call leaves; those in `longer` have three times as many
    least : rounds that a call takes part in anyway; two if a single call takes longer than `budget`
    most : rounds at most
    """
    taken: dict[str, Seconds] = {name: [] for name in calls}
    for turn in range(most):
        active = []
        for name, times in taken.items():
            own = budget * (3 if name in longer else 1)
            enough = min(least, 2) if times and min(times) > own else least
            if len(times) == turn and (turn < enough or sum(times) < own):
                active.append(name)
        for name in active if turn % 2 == 0 else reversed(active):
            taken[name].append(seconds(calls[name]))
    return taken


def ratios(ours: Seconds, theirs: Seconds) -> tuple[float, float, float]:
    """Return the least, median and largest ratio within a round."""
    pairs = sorted(a / b for a, b in zip(ours, theirs, strict=False))
    return pairs[0], statistics.median(pairs), pairs[-1]
