"""Where does the time of a call go? `python benchmarks/hotspots.py --units 100000 --method dr`.

Kernels run in threads of their own, which a profile cannot see into; here all work is done in
the calling thread.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any
from unittest import mock

from contenders import Case, didjack_all, didjack_fit
from timing import quiet, seconds
from workloads import microdata, panel, time_varying

from didjack.estimation.kernels import compiled

COVARIATES = {"panel": ("x1", "x2", "x3"), "varying": ("z1", "z2"), "survey": ("x1", "x2", "x3")}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=list(COVARIATES), default="panel")
    parser.add_argument("--units", type=int, default=100_000, help="of a panel")
    parser.add_argument("--method", choices=["reg", "ipw", "dr"], default="reg")
    parser.add_argument("--covariates", type=int, default=0)
    parser.add_argument("--fit", action="store_true", help="analytic errors instead of CV3")
    parser.add_argument("--sort", choices=["tottime", "cumulative"], default="tottime")
    parser.add_argument("--lines", type=int, default=25)
    return parser.parse_args()


def make_case(args: argparse.Namespace) -> Case:
    """Simulate the data."""
    if args.data == "survey":
        data = microdata()
    else:
        data = (panel if args.data == "panel" else time_varying)(args.units)
    covariates = COVARIATES[args.data][: args.covariates]
    return Case(args.data, data, args.method, covariates, args.data != "survey")


class Inline:
    """A pool of threads without threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what a pool takes."""

    def __enter__(self) -> Inline:
        """Enter."""
        return self

    def __exit__(self, *args: Any) -> None:
        """Leave."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Call at once."""
        future: Future[Any] = Future()
        future.set_result(function(*args))
        return future

    def shutdown(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


def profile(args: argparse.Namespace) -> None:
    """Profile one call after a first one, and print the functions that take longest."""
    call = partial(didjack_fit if args.fit else didjack_all, make_case(args))
    seconds(call)
    print(f"{min(seconds(call) for _ in range(3)):.3f} s a call, with threads, without profiler")
    profiler = cProfile.Profile()
    with (
        mock.patch.object(compiled, "ThreadPoolExecutor", Inline),
        quiet(),
    ):
        profiler.runcall(call)
    pstats.Stats(profiler).strip_dirs().sort_stats(args.sort).print_stats(args.lines)


if __name__ == "__main__":
    profile(arguments())
