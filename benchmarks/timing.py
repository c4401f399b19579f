"""Clocks: calls that take turns, ratios of neighbours, and silence."""

from __future__ import annotations

import contextlib
import gc
import io
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping

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
    calls: Mapping[str, Callable[[], object]], budget: float, least: int = 3, most: int = 15
) -> dict[str, Seconds]:
    """Time calls in turns, so that a change of the machine's load meets all of them.

    The order is turned around from round to round. A call takes part in at least `least` rounds
    (fewer if one takes longer than `budget`), and until it has had `budget` seconds or `most`
    rounds. Entries at the same position of two lists come from the same round.
    """
    taken: dict[str, Seconds] = {name: [] for name in calls}
    for turn in range(most):
        active = [name for name in calls if _continues(taken[name], turn, budget, least)]
        for name in active if turn % 2 == 0 else reversed(active):
            taken[name].append(seconds(calls[name]))
    return taken


def _continues(taken: Seconds, turn: int, budget: float, least: int) -> bool:
    """Tell whether a call is still in."""
    if len(taken) < turn:
        return False
    slow = bool(taken) and min(taken) > budget
    return sum(taken) < budget or (len(taken) < least and not (slow and len(taken) >= 2))


def ratios(ours: Seconds, theirs: Seconds) -> tuple[float, float, float]:
    """Return the least, median and largest ratio within a round."""
    pairs = sorted(a / b for a, b in zip(ours, theirs, strict=False))
    return pairs[0], statistics.median(pairs), pairs[-1]
