"""How does the time grow with rows, clusters, cohorts and periods, and covariates?"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from contenders import Case, didjack_all
from report import Check, Report, Table, main, number
from timing import Seconds, interleave, quiet, ratios, seconds
from workloads import panel, staggered

NOISE = 1.1
"""Two sizes in a row may differ by this factor in the time a row, for noise."""
ROWS = (20_000, 100_000, 500_000, 1_000_000, 5_000_000)
CLUSTERS = (10, 50, 200, 1_000, 10_000)
COHORTS_PERIODS = ((5, 10), (10, 20), (20, 40), (38, 40))
COVARIATES = (0, 1, 2, 5, 10, 20)


def time_cases(cases: Sequence[Case], budget: float, least: int = 3) -> list[Seconds]:
    """Time didjack on cases that take turns, after one call of each."""
    calls = {str(position): partial(didjack_all, case) for position, case in enumerate(cases)}
    for call in calls.values():
        seconds(call)
    return list(interleave(calls, budget, least).values())


def reading(case: Case) -> float:
    """Return the seconds it takes to read the columns used once, to add them up."""
    columns = [case.data[name].to_numpy() for name in case.used]
    return min(seconds(lambda: [column.sum() for column in columns]) for _ in range(5))


def rows(quick: bool) -> tuple[Table, list[Check]]:
    """Grow the number of units."""
    sizes = ROWS[:2] if quick else ROWS
    table = Table(
        "Rows",
        ["rows", "method", "seconds", "ns a row", "time ÷ rows, to size above", "÷ reading once"],
        note=(
            "didjack all; 10 periods, 50 clusters; reg without and dr with 2 covariates. Growth "
            "is that of the best times. Last column: the time divided by what it takes to add up "
            "each column used once."
        ),
        n_text=2,
    )
    checks = []
    data = [panel(size // 10) for size in sizes]
    for method, covariates in (("reg", ()), ("dr", ("x1", "x2"))):
        cases = [Case(f"{len(frame):,}", frame, method, covariates) for frame in data]
        taken = time_cases(cases, 0.5 if quick else 3.0, least=9)
        growth = [_growth(*pair) for pair in zip(taken, taken[1:], sizes, sizes[1:], strict=False)]
        for case, times, grown in zip(cases, taken, [None, *growth], strict=True):
            middle = statistics.median(times)
            cells = [case.name, method, number(middle), number(middle / len(case.data) * 1e9)]
            cells += ["" if grown is None else number(grown[1]), number(middle / reading(case))]
            table.rows.append(cells)
        what = (
            f"growth of time ÷ growth of rows, {method}, worst step (1 and {NOISE - 1:.0%} noise)"
        )
        low, middle, high = max(growth, key=lambda grown: grown[1])
        checks.append(Check(4, what, middle, NOISE, low, high))
        what = f"the same from {sizes[0]:,} to {sizes[-1]:,} rows, {method}"
        low, middle, high = _growth(taken[0], taken[-1], sizes[0], sizes[-1])
        checks.append(Check(4, what, middle, 1.0, low, high))
    return table, checks


def _growth(
    before: Seconds, after: Seconds, size_before: int, size_after: int
) -> tuple[float, ...]:
    """Return the growth of the time over the growth of the size.

    The least ratio within a round, that of the best times, and the largest within a round: the
    machine's noise is never negative, and falls on some sizes and not on others.
    """
    low, _, high = ratios(after, before)
    return tuple(r * size_before / size_after for r in (low, min(after) / min(before), high))


def clusters(quick: bool) -> tuple[Table, list[Check]]:
    """Grow the number of clusters on the same number of rows."""
    n_units = 2_000 if quick else 20_000
    data = [panel(n_units, n_clusters=count) for count in CLUSTERS]
    forms = [("reg", ()), ("reg", ("x1", "x2")), ("dr", ("x1", "x2"))]
    names = [f"{method}, {len(covariates)} covariates" for method, covariates in forms]
    table = Table(
        "Clusters", ["clusters", *names], note=f"didjack all, {n_units * 10:,} rows; seconds."
    )
    columns, checks = [], []
    for (method, covariates), name in zip(forms, names, strict=True):
        taken = time_cases([Case("", f, method, covariates) for f in data], 0.5 if quick else 2.0)
        columns.append([number(statistics.median(times)) for times in taken])
        if method == "reg":
            low, middle, high = ratios(taken[3], taken[1])
            checks.append(Check(4, f"1,000 ÷ 50 clusters, {name}", middle, 3.0, low, high))
    checks.append(fits_of_many_clusters(quick))
    cells = zip(*columns, strict=True)
    table.rows = [[f"{n:,}", *row] for n, row in zip(CLUSTERS, cells, strict=True)]
    return table, checks


def fits_of_many_clusters(quick: bool) -> Check:
    """Compare the time of `csdid` alone with 2,000 and with 50 clusters, 20,000 rows."""
    cases = [Case("", panel(2_000, n_clusters=count), "reg") for count in (50, 2_000)]
    calls = {str(position): partial(csdid_alone, case) for position, case in enumerate(cases)}
    for call in calls.values():
        seconds(call)
    few, many = interleave(calls, 0.5 if quick else 2.0, 9).values()
    low, middle, high = ratios(many, few)
    return Check(4, "csdid alone, 2,000 ÷ 50 clusters, 20,000 rows, reg", middle, 2.0, low, high)


def csdid_alone(case: Case) -> object:
    """Fit a case, and ask for nothing else."""
    import didjack

    data, options = case.data, {"cluster": "cl", "est_method": case.method, "progress": False}
    return didjack.csdid(data, "y", "t", "g", "id", case.formula, **options)


def cohorts(quick: bool) -> Table:
    """Grow cohorts and periods."""
    shapes = COHORTS_PERIODS[:2] if quick else COHORTS_PERIODS
    data = [staggered(5_000, n_periods, n_cohorts, n_x=2) for n_cohorts, n_periods in shapes]
    table = Table(
        "Cohorts and periods",
        [
            "cohorts × periods",
            "cells",
            "rows",
            "reg, s",
            "dr, s",
            "reg, ms a cell",
            "dr, ms a cell",
        ],
        note="didjack all, 5,000 units, 100 clusters, 2 covariates.",
    )
    budget = 0.5 if quick else 2.0
    times = [
        [
            statistics.median(taken)
            for taken in time_cases([Case("", f, method, ("x1", "x2")) for f in data], budget)
        ]
        for method in ("reg", "dr")
    ]
    for shape, frame, reg, dr in zip(shapes, data, *times, strict=True):
        cells = shape[0] * (shape[1] - 1)
        numbers = [reg, dr, reg / cells * 1e3, dr / cells * 1e3]
        sizes = [f"{shape[0]} × {shape[1]}", f"{cells:,}", f"{len(frame):,}"]
        table.rows.append(sizes + [number(value) for value in numbers])
    return table


def covariates(quick: bool) -> Table:
    """Grow the number of covariates."""
    data = staggered(2_000 if quick else 20_000, 10, 5, n_clusters=50, n_x=max(COVARIATES))
    table = Table(
        "Covariates",
        ["covariates", "reg, s", "dr, s"],
        note=f"didjack all, {len(data):,} rows, 50 clusters, covariates constant in time.",
    )
    names = tuple(f"x{j + 1}" for j in range(max(COVARIATES)))
    times = [
        time_cases([Case("", data, method, names[:k]) for k in COVARIATES], 0.5 if quick else 2.0)
        for method in ("reg", "dr")
    ]
    for k, reg, dr in zip(COVARIATES, *times, strict=True):
        table.rows.append([str(k), *(number(statistics.median(taken)) for taken in (reg, dr))])
    return table


def arrangements(quick: bool) -> Table:
    """Hand over the same data in other orders and types."""
    data = panel(2_000 if quick else 20_000)
    label = {"id": lambda x: "unit " + x.astype(str), "cl": lambda x: "state " + x.astype(str)}
    text = data.assign(**{name: make(data[name]) for name, make in label.items()})
    makers: dict[str, Callable[[], object]] = {
        "pandas, sorted by unit and period": lambda: data,
        "rows in random order": lambda: data.sample(frac=1, random_state=0),
        "sorted by period": lambda: data.sort_values("t", kind="stable"),
        "labels of units and clusters are strings": lambda: text,
        "and in random order": lambda: text.sample(frac=1, random_state=0),
        "labels are categories": lambda: text.astype({"id": "category", "cl": "category"}),
        "float32 outcome, int32 integers": lambda: narrow(data),
        "polars": lambda: _polars(data),
        "pyarrow": lambda: _arrow(data),
    }
    note = f"didjack all, {len(data):,} rows, reg without covariates."
    table = Table("Order and type of the columns", ["data", "seconds", "÷ the first"], note=note)
    cases, calls = {}, {}
    for name, make in makers.items():
        try:
            cases[name] = Case(name, make(), "reg")
            with quiet():
                didjack_all(cases[name])
            calls[name] = partial(didjack_all, cases[name])
        except Exception as error:
            table.rows.append([name, "–", f"{type(error).__name__}: {str(error)[:60]}"])
    taken = interleave(calls, 0.5 if quick else 1.0)
    first = next(iter(taken.values()))
    for name, times in taken.items():
        table.rows.append([name, number(statistics.median(times)), number(ratios(times, first)[1])])
    return table


def narrow(data: pd.DataFrame) -> pd.DataFrame:
    """Halve the width of every column."""
    return data.astype(
        {n: np.float32 if t.kind == "f" else np.int32 for n, t in data.dtypes.items()}
    )


def _polars(data: pd.DataFrame) -> object:
    import polars

    return polars.from_pandas(data)


def _arrow(data: pd.DataFrame) -> object:
    import pyarrow

    return pyarrow.Table.from_pandas(data, preserve_index=False)


def run(args: argparse.Namespace) -> Report:
    """Measure all growth."""
    by_rows, row_checks = rows(args.quick)
    by_clusters, cluster_checks = clusters(args.quick)
    tables = [by_rows, by_clusters, cohorts(args.quick), covariates(args.quick)]
    return Report([*tables, arrangements(args.quick)], row_checks + cluster_checks)


if __name__ == "__main__":
    main(run, __doc__)
