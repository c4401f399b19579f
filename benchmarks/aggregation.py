"""How do time and memory of averages grow with the number of ATT(g,t)?

Averages of made-up ATT(g,t), those of a few hundred cohorts and periods without each of 900
clusters; `--whole` estimates them, too, from a panel of 270 cohorts and 270 periods.

    python benchmarks/aggregation.py [--whole]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import get_args

import numpy as np
import pandas as pd
from memory import MIB, highest, start_account
from timing import quiet, seconds

import didjack
from didjack.aggregation.aggregate import CellTable, Window, aggregate
from didjack.options import AggregationType

SIZES = (65, 130, 264)
"""Numbers of cohorts; there are a few more periods than that."""
CLUSTERS = 900
LIMITS = "at most 20 s and 2 GB with 69,000 ATT(g,t), at most 0.1 s with 3,500 and 50 clusters"


def cells(n_cohorts: int, n_clusters: int) -> CellTable:
    """Make up the ATT(g,t) of every cohort in every period but the first."""
    rng = np.random.default_rng(0)
    cohort, time_ = (
        grid.ravel()
        for grid in np.meshgrid(np.arange(2, n_cohorts + 2), np.arange(2, n_cohorts + 1))
    )
    shape = (n_clusters + 1, cohort.size)
    return CellTable(
        cohort=cohort,
        time=time_,
        att=rng.normal(size=shape),
        changed=np.zeros(shape, dtype=bool),
        weight=rng.uniform(1.0, 2.0, (shape[0], n_cohorts)),
        of_weight=cohort - 2,
        first=np.ones(shape[0], dtype=np.int64),
        last=np.full(shape[0], n_cohorts),
        n_shown=cohort.size,
    )


def measured(call: Callable[[], object]) -> str:
    """Time a call, and say how much memory it takes on top of what there is."""
    before = start_account()
    start = time.perf_counter()
    with quiet():
        call()
    taken = time.perf_counter() - start
    return f"{taken:8.3f} s {(highest() - before) / MIB:8.0f} MiB"


def averages() -> None:
    """Average made-up ATT(g,t), of growing number."""
    for size in SIZES:
        table = cells(size, CLUSTERS)
        about = f"{table.cohort.size:>7,} ATT(g,t), {CLUSTERS} clusters"
        for kind in get_args(AggregationType):
            taken = measured(lambda table=table, kind=kind: aggregate(table, kind, Window()))
            print(f"{about} {kind:>9} {taken}", flush=True)


def staggered(n_cohorts: int, n_clusters: int) -> pd.DataFrame:
    """Draw a panel with a unit or two of each cohort, and as many that are never treated."""
    n_periods, n_units = n_cohorts + 1, max(2 * n_cohorts, n_clusters) * 2
    unit, period = np.repeat(np.arange(n_units), n_periods), np.tile(np.arange(n_periods), n_units)
    g = np.arange(n_units) % (2 * n_cohorts)
    cohort = np.where(g < n_cohorts, g + 1, 0)[unit]
    y = np.random.default_rng(0).normal(size=unit.size)
    cluster = unit % n_clusters
    columns = {"unit": unit, "period": period, "cohort": cohort, "cluster": cluster, "y": y}
    return pd.DataFrame(columns)


def fitted(n_cohorts: int, n_clusters: int) -> None:
    """Estimate ATT(g,t), and average them."""
    df = staggered(n_cohorts, n_clusters)
    names = ["y", "period", "cohort", "unit"]
    found: list[didjack.GroupTimeResult] = []

    def fit() -> None:
        found.append(didjack.csdid(df, *names, cluster="cluster", est_method="reg"))

    print(f"csdid, {n_cohorts} cohorts, {n_clusters} clusters: {measured(fit)}", flush=True)
    result = found[0]
    about = f"{len(result.tidy()):>7,} ATT(g,t), {n_clusters} clusters"
    for kind in get_args(AggregationType):
        # The first call also makes the simple average and warnings.
        with quiet():
            taken = measured(lambda kind=kind: result.aggregate(kind, max_e=None))
        best = min(seconds(lambda kind=kind: result.aggregate(kind)) for _ in range(3))
        print(f"{about} {kind:>9} {taken}, again {best:.3f} s", flush=True)


def main(arguments: list[str]) -> None:
    """Print times and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="estimate 72,000 ATT(g,t), too")
    whole = parser.parse_args(arguments).whole
    print(LIMITS)
    averages()
    fitted(60, 50)
    if whole:
        fitted(270, CLUSTERS)


if __name__ == "__main__":
    main(sys.argv[1:])
