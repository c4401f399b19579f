"""How long do 999 permutations of cohorts over clusters take, all replicates included?"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from functools import partial

from contenders import Case
from report import Check, Report, Table, main, number
from timing import quiet, seconds
from workloads import panel, staggered

MOST = {550: {"reg": 1.5, "dr": 15.0}, 20_000: {"reg": 3.0, "dr": 60.0}}
"""Seconds that 999 permutations may take, by the number of rows in 50 clusters."""
MOST_OF_COMPARISON = 0.3
"""Seconds that all variances and tests of the county data may take."""


def cases() -> Iterator[Case]:
    """Yield a small and a larger panel for both methods."""
    for data in (staggered(55, 10, 5, n_clusters=50, n_x=2), panel(2_000)):
        yield Case(f"panel {len(data):,} rows, reg", data, "reg")
        yield Case(f"panel {len(data):,} rows, dr, 2 covariates", data, "dr", ("x1", "x2"))


def comparison() -> Check:
    """Time `compare_vcov` of fresh results for the county data, by state."""
    import didjack

    data, taken = didjack.datasets.load_mpdta(), []
    names = ["lemp", "year", "first.treat", "countyreal"]
    with quiet():
        for _ in range(6):
            result = didjack.csdid(data, *names, cluster="state", est_method="reg")
            taken.append(seconds(result.compare_vcov))
    warm = taken[1:]
    what = "compare_vcov, county data by state, 199 permutations"
    middle = statistics.median(warm)
    return Check(6, what, middle, MOST_OF_COMPARISON, min(warm), max(warm), unit="s")


def run(args: argparse.Namespace) -> Report:
    """Time a test of each kind; with `--quick`, a tenth of the permutations."""
    import didjack

    n = 99 if args.quick else 999
    head = ["workload", 'statistic="t", s', 'statistic="estimate", s', "ms a permutation of t"]
    table = Table(f"Randomization test, {n} permutations", head)
    report = Report([table])
    for case in cases():
        with quiet():
            fit = didjack.csdid(
                case.data, "y", "t", "g", "id", case.formula, cluster="cl", est_method=case.method
            )
            average = fit.aggregate("simple")
            average.randomization_test(n_permutations=9)
        taken = {
            kind: [
                seconds(partial(average.randomization_test, kind, n_permutations=n))
                for _ in range(1 if args.quick else 3)
            ]
            for kind in ("t", "estimate")
        }
        t, estimate = (min(times) for times in taken.values())
        table.rows.append([case.name, number(t), number(estimate), number(1e3 * t / (n + 1))])
        if not args.quick:
            ends = min(taken["t"]), max(taken["t"])
            most = MOST[len(case.data)][case.method]
            report.checks.append(Check(6, case.name, t, most, *ends, unit="s"))
    report.checks.append(comparison())
    return report


if __name__ == "__main__":
    main(run, __doc__)
