"""How long do reference distributions of the jackknife take, one by one and jointly?"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

from report import Check, Report, Table, main, number
from timing import interleave, quiet, seconds
from workloads import panel

KINDS = ("simple", "event", "group", "calendar")
MOST_EACH, MOST_JOINT = 1e-3, 0.5
"""Seconds for a reference distribution, and for the joint one of 20 coefficients."""


def everything(data: object, reference: str) -> list[object]:
    """Fit, and read the tables of ATT(g,t) and of all aggregations."""
    import didjack

    fit = didjack.csdid(
        data, "y", "t", "g", "id", cluster="cl", est_method="reg", reference=reference
    )
    results = [fit, *(fit.aggregate(kind) for kind in KINDS)]
    for result in results:
        result.tidy()
    return results


def joint(data: object, what: str) -> float:
    """Time a joint test or band; a new fit, as results keep what they have computed."""
    fit = everything(data, "model")[0]
    tested = fit.tidy().query("event_time < 0").head(20)
    labels = list(zip(tested["group"], tested["time"], strict=True))
    study = fit.aggregate("event")
    calls = {"test": partial(fit.wald_test, labels), "band": partial(study.confint, joint=True)}
    return seconds(calls[what])


def run(args: argparse.Namespace) -> Report:
    """Time fits with and without reference distributions, and joint ones."""
    data = panel(2_000)
    with quiet():
        n_distributions = sum(
            len(result.replicates().columns) for result in everything(data, "model")
        )
        joint(data, "test")
    budget = 0.5 if args.quick else 3.0
    taken = interleave(
        {name: partial(everything, data, name) for name in ("t", "model")}, budget, most=60
    )
    extra = [(a - b) / n_distributions for a, b in zip(taken["model"], taken["t"], strict=False)]
    each = statistics.median(extra)
    head = ["panel of 20,000 rows, 50 clusters, 10 periods", "seconds"]
    table = Table("Reference distributions", head)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    table.rows += [
        ["fit and all tables, t(R - 1)", number(medians["t"])],
        [f"the same with {n_distributions} reference distributions", number(medians["model"])],
        ["each reference distribution", number(each)],
    ]
    report = Report([table])
    report.checks.append(
        Check(7, "each reference distribution", each, MOST_EACH, min(extra), max(extra), unit="s")
    )
    for what, name in (("test", "Wald test of 20 ATT(g,t)"), ("band", "band of an event study")):
        times = [joint(data, what) for _ in range(3)]
        table.rows.append([name, number(min(times))])
        ends = min(times), max(times)
        report.checks.append(Check(7, name, min(times), MOST_JOINT, *ends, unit="s"))
    return report


if __name__ == "__main__":
    main(run, __doc__)
