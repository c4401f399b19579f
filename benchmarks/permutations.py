"""How long do 999 permutations of cohorts over clusters take, all replicates included?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from contenders import Case
from report import Check, Report, Table, main, number
from timing import quiet, seconds
from workloads import panel

MOST = {"reg": 3.0, "dr": 60.0}
"""Seconds that 999 permutations of 20,000 rows in 50 clusters may take."""


def cases() -> Iterator[Case]:
    """Yield the same panel for both methods."""
    data = panel(2_000)
    yield Case(f"panel {len(data):,} rows, reg", data, "reg")
    yield Case(f"panel {len(data):,} rows, dr, 2 covariates", data, "dr", ("x1", "x2"))


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
            report.checks.append(Check(6, case.name, t, MOST[case.method], *ends, unit="s"))
    return report


if __name__ == "__main__":
    main(run, __doc__)
