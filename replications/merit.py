"""Merit scholarships and college enrolment in US states: example of the cluster-jackknife paper.

Run it as ``python replications/merit.py --out DIR --data merit.csv``. The data are public, and not
part of this project: test/data/merit.csv of https://github.com/ebjamieson97/DiDInt.jl has them.
"""

import sys

import matplotlib.pyplot as plt
import pandas as pd
from study import arguments, beyond, carriers, compare, errors, finish, said, written

import didjack

STATA = "Stata log of the authors of csdidjack (csdid 1.81): method dr, covariates male black asian"
R = "R didjack 0.1 on did 2.5.1: method reg, covariates male black asian"
IN_STATA = {
    "simple": ".0463759",
    "simple, CV3": ".0133475",
    "group overall": ".0338627",
    "group overall, CV3": ".0210562",
    "cohort 1991": ".0641066",
    "cohort 1993": ".0326497",
    "cohort 1996": ".0421136",
    "cohort 1997": ".0630693",
    "cohort 1998": ".0380127",
    "cohort 1999": "-.0010263",
    "cohort 2000": "-.0026795",
}
IN_R = {
    "simple": ".047873513",
    "simple, CV3": ".015292114",
    "group overall": ".033899375",
    "group overall, CV3": ".026895867",
    "calendar overall": ".056086004",
    "calendar overall, CV3": ".020493977",
    "dynamic overall": ".042134747",
    "dynamic overall, CV3": ".02356469",
}
AFFECTED = ["cohort 1991", "cohort 1999", "simple", "group overall"]
"""Published numbers in which influence values are averaged over too few rows."""
LIMIT, LIMIT_CV3 = 0.0003, 0.00003
"""Tolerances of these estimates, and of their CV3."""
REBUILT = "simple, with the published cohorts 1991 and 1999"
KINDS = {
    "simple": "simple",
    "group overall": "group",
    "calendar overall": "calendar",
    "dynamic overall": "event",
}
"""Averages, and what `aggregate` calls them."""


def numbers(averages: dict[str, didjack.AggregateResult]) -> dict[str, float]:
    """Overall estimates and their CV3, and the effects of cohorts."""
    found = {}
    for name, average in averages.items():
        overall = average.overall
        found |= {name: overall["estimate"], f"{name}, CV3": overall["std_error"]}
        if average.type == "group":
            table = average.tidy().set_index("group")["estimate"]
            found |= {f"cohort {cohort}": value for cohort, value in table.items()}
    return found


def predicted(df: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Count, by cohort, the cells from treatment on that have no treated row with asian = 1."""
    there = df.groupby(["cohort", "year"])["asian"].sum()
    rows = zip(cells["group"], cells["time"], cells["base_period"], strict=True)
    none = [there[g, t] + there[g, base] == 0 for g, t, base in rows]
    return cells.loc[none].groupby("group").size()


def rebuilt(cells: pd.DataFrame, cohorts: dict[str, float]) -> float:
    """Average effects of cohorts, weighted with their treated rows."""
    weights = cells.groupby("group")["n_treated"].sum()
    values = pd.Series({cohort: cohorts[f"cohort {cohort}"] for cohort in weights.index})
    return float((weights * values).sum() / weights.sum())


def estimated(df: pd.DataFrame, **options: str) -> didjack.GroupTimeResult:
    """Estimate ATT(g,t) from the repeated cross sections."""
    return didjack.csdid(
        df,
        yname="coll",
        tname="year",
        gname="cohort",
        cluster="state",
        xformla="~ male + black + asian",
        panel=False,
        **options,
    )


def main(argv: list[str] | None = None) -> int:
    """Replicate, report, and return the exit code."""
    options = arguments(__doc__, argv, "merit.csv")
    if options.data is None:
        sys.exit("merit.py needs --data merit.csv; its first lines say where to find it")
    df = pd.read_csv(options.data)
    df["cohort"] = didjack.first_treated(df, "merit", "year", "state")
    dr, reg = estimated(df, collinear="drop"), estimated(df, est_method="reg")

    simple, group = (dr.aggregate(kind, weights="cell") for kind in ("simple", "group"))
    found = numbers({"simple": simple, "group overall": group})
    limits = dict.fromkeys(AFFECTED, LIMIT)
    limits |= {f"{name}, CV3": LIMIT_CV3 for name in AFFECTED[2:]}
    stata = compare(IN_STATA, found, STATA, limits)
    r = compare(IN_R, numbers({name: reg.aggregate(kind) for name, kind in KINDS.items()}), R)
    cells = dr.cells.query("time >= group")
    cohorts = found | {name: float(IN_STATA[name]) for name in AFFECTED[:2]}
    check = compare({REBUILT: IN_STATA["simple"]}, {REBUILT: rebuilt(cells, cohorts)}, STATA)
    comparison = pd.concat([stata, check, r], ignore_index=True)

    missing = predicted(df, cells)
    report = written(
        "merit",
        comparison,
        same_r=len(r) - len(beyond(r)),
        n_r=len(r),
        affected=", ".join(AFFECTED),
        n_cells=missing.sum(),
        cohorts=" and ".join(map(str, missing.index)),
        rebuilt=check.loc[0, "didjack"],
        limit=LIMIT,
        limit_cv3=LIMIT_CV3,
        group=group.overall["estimate"],
        group_model=said(group.overall["p_value"]),
        carriers=carriers(simple),
        **errors(simple),
    )
    models = {"dr, cell weights": group, "reg": reg.aggregate("group")}
    latex = didjack.etable(models, cells="ci").to_latex()
    picture, (left, right) = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    group.plot(ax=left, compare="analytic")
    simple.plot(ax=right, kind="replicates")
    return finish(options.out, comparison, report, latex, picture)


if __name__ == "__main__":
    sys.exit(main())
