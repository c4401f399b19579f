"""Time and memory of `csdid` on Parquet files of any size, beside the bare queries of the engine.

    python benchmarks/lazy.py make /tmp/big 1e8         # writes survey.parquet and panel.parquet
    python benchmarks/lazy.py make /tmp/big9 1e9 survey
    python benchmarks/lazy.py run /tmp/big 3            # all, three times, each in its own process
    python benchmarks/lazy.py run /tmp/big 1 panel      # some
    python benchmarks/lazy.py one /tmp/big survey duckdb csdid
    python benchmarks/lazy.py write /tmp/big /tmp/big9  # lazy.md and lazy_targets.md

`run` keeps what it measures in FOLDER/results.json: seconds of wall time, seconds of CPU (which
other work on the machine inflates less), the largest resident memory, and the load before. A query
and `csdid` take turns; the fastest counts.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from report import Check, Table, load, number, targets

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
        random() AS z1, random() AS z2, 0.5 + random() AS w, (random() * 31)::INT % 31 AS x31
    FROM range({{n}}) t(i)
"""
PANEL = f"""
    SELECT (i // {N_PERIODS})::INT AS id, (i // {N_PERIODS} % {N_CLUSTERS})::INT AS cluster,
        1 + (i % {N_PERIODS})::INT AS period,
        (hash(i // {N_PERIODS}) % 10 < 4)::INT AS x1, (hash(i // {N_PERIODS}) % 7 < 2)::INT AS x2,
        (hash(i // {N_PERIODS}) % 5 < 1)::INT AS x3, 1.0 AS w,
        (hash(i // {N_PERIODS} + 1) % 100003) / 1e3 AS z1,
        sqrt((hash(i // {N_PERIODS} + 2) % 100019)::DOUBLE) AS z2
    FROM range({{n}}) t(i)
"""

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
DUMMIES = {"xformla": "~ x1 + x2 + x3", "est_method": "dr"}
SUMS = {"xformla": "~ z1 + z2", "est_method": "reg"}
TASKS = {
    "survey": {"panel": False, **DUMMIES},
    "survey, weights": {"panel": False, "weightsname": "w", **DUMMIES},
    "survey, continuous": {"panel": False, **SUMS},
    "survey, slopes of 31 levels": {"panel": False, **SUMS, "xformla": "~ C(x31) * z1"},
    "panel": {"idname": "id", **DUMMIES},
    "panel, continuous": {"idname": "id", **SUMS},
}
ENGINES = ("duckdb", "polars")
BARE = ("survey", "survey, weights")
"""Tasks beside which there is one query that is all of the engine's work."""


def make(folder, n, *names):
    import duckdb

    folder.mkdir(exist_ok=True)
    duckdb.sql("SET preserve_insertion_order=false")
    for name, rows in (("survey", SURVEY), ("panel", PANEL)):
        if not names or name in names:
            query = MADE.format(rows=rows.format(n=int(float(n))))
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

    before = load()
    table = didjack.scan(folder / f"{task.split(',')[0]}.parquet", engine=engine)
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    rows = None
    if what == "bare":
        bare(table, "weights" in task)
    else:
        rows = didjack.csdid(table, **NAMES, **TASKS[task]).nobs
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    found = {"task": task, "engine": engine, "what": what, "rows": rows, "wall": wall, "cpu": cpu}
    print(json.dumps(found | {"memory": after.ru_maxrss / 1e6, "load": before}), flush=True)


def run(folder, repeats, *tasks):
    kept = folder / "results.json"
    found = json.loads(kept.read_text()) if kept.exists() else []
    there = [task for task in TASKS if (folder / f"{task.split(',')[0]}.parquet").exists()]
    for task in tasks or there:
        for engine in ENGINES:
            for _ in range(int(repeats)):
                for what in ("bare", "csdid") if task in BARE else ("csdid",):
                    words = [sys.executable, __file__, "one", str(folder), task, engine, what]
                    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
                    print(done.stdout, end="", flush=True)
                    day = f"{datetime.now(tz=UTC):%Y-%m-%d}"
                    found.append(json.loads(done.stdout) | {"day": day})
                    kept.write_text(json.dumps(found, indent=1))


def fastest(found, *key):
    """Return the fastest of some measurements of a task, an engine, and what was done."""
    own = [each for each in found if (each["task"], each["engine"], each["what"]) == key]
    return min(own, key=lambda each: each["wall"], default=None)


NOTE = """Parquet files of 10 periods and 50 clusters, three of five treated from 4, 6 or 8 on;
dr with three dummies, or, *continuous*, reg with two continuous covariates, or, *slopes*, reg with
a slope of one for each level of a category; CV3 with every replicate. The fastest of three runs or
fewer, with the load of the machine before it ({days}).
Written by `benchmarks/lazy.py`."""


def write(*folders):
    """Write the fastest runs for docs/benchmarks.md, and the targets that they meet."""
    head = ["sample", "engine", "rows", "bare query, s", "csdid, s", "CPU, s", "memory, GB", "load"]
    table, checks, days = Table("Files of any size", head, n_text=2), [], set()
    for folder in map(Path, folders):
        found = json.loads((folder / "results.json").read_text())
        days |= {each["day"] for each in found}
        for task, engine in product(TASKS, ENGINES):
            ours, query = (fastest(found, task, engine, what) for what in ("csdid", "bare"))
            if ours is None:
                continue
            bare_time = number(query["wall"]) if query else ""
            numbers = [number(ours[key]) for key in ("wall", "cpu", "memory")]
            load_before = ours["load"].split()[0]
            table.rows.append([task, engine, f"{ours['rows']:,}", bare_time, *numbers, load_before])
            if ours["rows"] == 100_000_000:
                checks += checked(task, engine, ours, query)
    table.note = NOTE.format(days=", ".join(sorted(days)))
    goals = targets(checks, "Out-of-core data, a hundred million rows")
    here = Path(__file__).parent
    (here / "lazy.md").write_text(table.markdown() + "\n", encoding="utf-8")
    (here / "lazy_targets.md").write_text(goals.markdown(level=2) + "\n", encoding="utf-8")


def checked(task, engine, ours, query):
    """Hold a measurement against what it may be."""
    what, memory = f"{task}, {engine}", Check(0, "", ours["memory"], 2.0, unit="GB")
    if query:
        most = 1.3 * query["wall"] + 1
        memory.what = f"{what}: memory"
        return [Check(0, f"{what}: 1.3 bare queries and 1 s", ours["wall"], most, unit="s"), memory]
    return [Check(0, what, ours["wall"], 60.0, unit="s")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["make", "run", "one", "write"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    globals()[given.command](given.folder, *given.words)
