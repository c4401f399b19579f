"""Time and memory of `csdid` on Parquet files of any size, beside the bare queries of the engine.

    python benchmarks/lazy.py make /tmp/big 1e8        # writes survey.parquet and panel.parquet
    python benchmarks/lazy.py run /tmp/big             # all measurements, each in its own process
    python benchmarks/lazy.py one /tmp/big survey duckdb csdid

Each measurement prints seconds of wall time, seconds of CPU (which other work on the machine
inflates less), and the largest resident memory.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

N_PERIODS, N_CLUSTERS = 10, 50

# Cohorts 4, 6 and 8 in three clusters of five each, of which the others are never treated.
COHORT = "CASE cluster % 5 WHEN 0 THEN 4 WHEN 1 THEN 6 WHEN 2 THEN 8 ELSE 0 END"
MADE = f"""
    SELECT *, x1 + 0.5 * x2 - 0.3 * x3 + 0.1 * period + 0.2 * sin(cluster * period)
        + 0.4 * (cohort > 0 AND period >= cohort)::INT + (random() - 0.5) AS y
    FROM (SELECT *, {COHORT} AS cohort FROM ({{rows}}))
"""
SURVEY = f"""
    SELECT (random() * {N_CLUSTERS})::INT % {N_CLUSTERS} AS cluster,
        1 + (i % {N_PERIODS})::INT AS period,
        (random() < 0.4)::INT AS x1, (random() < 0.3)::INT AS x2, (random() < 0.2)::INT AS x3,
        random() AS z1, random() AS z2, 0.5 + random() AS w
    FROM range({{n}}) t(i)
"""
PANEL = f"""
    SELECT (i // {N_PERIODS})::INT AS id, (i // {N_PERIODS} % {N_CLUSTERS})::INT AS cluster,
        1 + (i % {N_PERIODS})::INT AS period,
        (hash(i // {N_PERIODS}) % 10 < 4)::INT AS x1, (hash(i // {N_PERIODS}) % 7 < 2)::INT AS x2,
        (hash(i // {N_PERIODS}) % 5 < 1)::INT AS x3, 1.0 AS w
    FROM range({{n}}) t(i)
"""

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
DUMMIES = {"xformla": "~ x1 + x2 + x3", "est_method": "dr"}
TASKS = {
    "survey": {"panel": False, **DUMMIES},
    "survey, weights": {"panel": False, "weightsname": "w", **DUMMIES},
    "panel": {"idname": "id", **DUMMIES},
    "survey, continuous": {"panel": False, "xformla": "~ z1 + z2", "est_method": "reg"},
}


def make(folder, n):
    import duckdb

    folder.mkdir(exist_ok=True)
    for name, rows in (("survey", SURVEY), ("panel", PANEL)):
        query = MADE.format(rows=rows.format(n=n))
        duckdb.sql(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet)")


def bare(table, weighted):
    """The group-by that any solution needs, and nothing else."""
    import narwhals as nw

    frame = nw.from_native(table)
    keys = ("cluster", "period", "cohort", "x1", "x2", "x3")
    w, y = nw.col("w"), nw.col("y")
    sums = [w.sum(), (w * w).sum().alias("ww"), (w * y).sum().alias("wy")]
    grouped = frame.group_by(*keys).agg(nw.len().alias("n"), *(sums if weighted else [y.sum()]))
    options = {"engine": "streaming"} if grouped.implementation.is_polars() else {}
    return grouped.collect("pyarrow", **options)


def one(folder, task, engine, what):
    import didjack

    table = didjack.scan(folder / f"{task.split(',')[0]}.parquet", engine=engine)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    if what == "bare":
        bare(table, "weights" in task)
    else:
        result = didjack.csdid(table, **NAMES, **TASKS[task])
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = after.ru_maxrss / 1e6
    print(f"{task:20} {engine:7} {what:6} {wall:8.1f} s {used:8.1f} s CPU {memory:6.2f} GB", end="")
    print("" if what == "bare" else f"  {result.nobs:,} rows", flush=True)


def run(folder):
    for task in TASKS:
        for engine in ("duckdb", "polars"):
            for what in ("bare", "csdid"):
                if what == "csdid" or (task.startswith("survey") and "continuous" not in task):
                    words = ["one", str(folder), task, engine, what]
                    subprocess.run([sys.executable, __file__, *words], check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["make", "run", "one"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    if given.command == "make":
        make(given.folder, int(float(given.words[0])))
    elif given.command == "run":
        run(given.folder)
    else:
        one(given.folder, *given.words)
