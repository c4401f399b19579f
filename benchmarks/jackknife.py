"""How long does the jackknife of one number take elsewhere, next to didjack's whole jackknife?"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from functools import partial

from contenders import Case, didjack_all
from report import Report, Table, difference, main, number
from timing import interleave, quiet
from workloads import panel


def cases(quick: bool) -> Iterator[Case]:
    """Yield balanced panels; StatsPAI's jackknife takes nothing else."""
    for n_units in (2_000,) if quick else (2_000, 20_000):
        data = panel(n_units)
        yield Case(f"panel {len(data):,} rows, reg", data, "reg")
        yield Case(f"panel {len(data):,} rows, dr, 2 covariates", data, "dr", ("x1", "x2"))


def peer(case: Case) -> tuple[float, float]:
    """Return StatsPAI's overall ATT and its CV3 standard error."""
    import statspai as sp

    result = sp.cs_jackknife(
        case.data,
        y="y",
        g="g",
        time="t",
        id="id",
        type="simple",
        cluster="cl",
        x=case.names,
        estimator=case.method,
        base_period="varying",
    )
    return float(result.estimate), float(result.se)


def ours(case: Case) -> tuple[float, float]:
    """Return didjack's."""
    import didjack

    result = didjack.csdid(
        case.data, "y", "t", "g", "id", case.formula, cluster="cl", est_method=case.method
    )
    overall = result.aggregate("simple").overall
    return float(overall["estimate"]), float(overall["std_error"])


def row(case: Case, quick: bool) -> list[str]:
    """Time one case and compare the numbers."""
    found = {}

    def keep_peer() -> None:
        found["peer"] = peer(case)

    with quiet():
        found["ours"] = ours(case)
        didjack_all(case)
    taken = interleave({"ours": partial(didjack_all, case)}, 0.5 if quick else 2.0)
    try:
        taken |= interleave({"peer": keep_peer}, 0.1, least=1, most=1)
    except Exception as error:
        return [case.name, f"{type(error).__name__}: {str(error)[:90]}", "", "", "", ""]
    mine, theirs = statistics.median(taken["ours"]), taken["peer"][0]
    gaps = [difference(abs(a - b)) for a, b in zip(found["ours"], found["peer"], strict=True)]
    return [case.name, number(theirs), number(mine), number(theirs / mine), *gaps]


def run(args: argparse.Namespace) -> Report:
    """Time all cases."""
    head = [
        "workload",
        "StatsPAI `cs_jackknife`, s",
        "didjack all, s",
        "times faster",
        "difference of the ATT",
        "of its CV3 error",
    ]
    note = (
        "StatsPAI: CV3 of the overall ATT, one run. didjack: CV3 of every ATT(g,t) and of all "
        "four aggregations, median."
    )
    return Report(
        [Table("Jackknife", head, [row(case, args.quick) for case in cases(args.quick)], note)]
    )


if __name__ == "__main__":
    main(run, __doc__)
