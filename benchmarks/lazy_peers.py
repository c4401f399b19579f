"""What moderndid takes on the files of benchmarks/lazy.py, beside `csdid`: time, CPU and memory.

    pip install "didjack[duckdb,spark]" "moderndid[dask,spark,numba]==0.2.0"
    python benchmarks/lazy.py make /tmp/big7 1e7
    python benchmarks/lazy_peers.py run /tmp/big7                          # all of them
    python benchmarks/lazy_peers.py run /tmp/big7 panel "moderndid, Dask"  # one of them
    python benchmarks/lazy_peers.py run /tmp/big7 panel "moderndid, Dask" '{"n_partitions": 16}'

All estimate ATT(g,t), dr, with three dummies, and the never treated as comparison. didjack adds
every replicate of 50 clusters (CV3), moderndid the influence of every unit (analytic errors). Each
has its own process, and a process for each worker. Engines are started before the clock; what is
timed reads the file. Memory is the most that all processes, workers and the JVM included, hold at
once, without files that the system keeps in memory. A call is stopped after LIMIT_SECONDS, or where
it has LIMIT_GB. The difference is the largest from the estimates of didjack on DuckDB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from lazy import DUMMIES, NAMES

LIMIT_SECONDS, LIMIT_GB = 900, 18
USED = ["cluster", "cohort", "period", "x1", "x2", "x3", "y"]
UNITS = {"survey": None, "panel": "id"}


def start_duckdb():
    import didjack

    return lambda path, columns: didjack.scan(path, engine="duckdb")


def start_polars():
    import polars as pl

    return lambda path, columns: pl.read_parquet(path, columns=columns)


def start_dask():
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    Client(cluster)  # moderndid takes the current one
    return lambda path, columns: dd.read_parquet(path, columns=columns)


def start_spark():
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.memory": "8g",
        "spark.driver.maxResultSize": "0",  # moderndid brings the rows of cohorts to the driver
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.enabled": "false",
    }
    spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return lambda path, columns: spark.read.parquet(str(path)).select(*columns)


def call_didjack(table, idname, options):
    from didjack import csdid

    fit = csdid(table, idname=idname, panel=idname is not None, **NAMES, **DUMMIES)
    cells = fit.tidy()
    return cells["group"], cells["time"], cells["estimate"]


def call_moderndid(table, idname, options):
    from moderndid import att_gt

    names = {key: NAMES[key] for key in ("yname", "tname", "gname")}
    # With Dask and Spark it asks for a column of labels even where each row is a unit.
    idname, panel = idname or "cluster", idname is not None
    if type(table).__module__.startswith("dask"):
        # In Python 3.11 its threads for several cohorts can wait for each other for ever: a cached
        # property has one lock for all objects, and Dask's ask for each other's.
        options = {"max_cohorts": 1, **options}
    fit = att_gt(table, idname=idname, panel=panel, cband=False, **names, **DUMMIES, **options)
    return fit.groups, fit.times, fit.att_gt


CONTENDERS = {
    "didjack, DuckDB": (start_duckdb, call_didjack),
    "didjack, Spark": (start_spark, call_didjack),
    "moderndid, polars": (start_polars, call_moderndid),
    "moderndid, Dask": (start_dask, call_moderndid),
    "moderndid, Spark": (start_spark, call_moderndid),
}


def tree():
    """Return this process and all that it has started."""
    process = psutil.Process()
    return [process, *process.children(recursive=True)]


def cpu(process):
    """Return seconds of CPU, with those of children that have ended."""
    return sum(process.cpu_times()[:4])


def memory():
    """Return anonymous and shared memory of all that this process has started, in GB."""
    held = 0
    for process in tree()[1:]:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text("ascii").splitlines()
        except (FileNotFoundError, ProcessLookupError):  # has ended in the meantime
            continue
        kinds = [line.split() for line in lines[1:]]
        held += sum(int(size) for kind, size, _ in kinds if kind in ("Pss_Anon:", "Pss_Shmem:"))
    return held / 1e6


def one(folder, sample, who, options):
    """Make one call, and print what it took as JSON."""
    start, call = CONTENDERS[who]
    read = start()
    idname = UNITS[sample]
    columns = USED + ([idname] if idname else [])
    began, before = time.perf_counter(), sum(map(cpu, tree()))
    cells = call(read(folder / f"{sample}.parquet", columns), idname, json.loads(options))
    wall, used = time.perf_counter() - began, sum(map(cpu, tree())) - before
    found = {f"{int(g)} {int(t)}": float(att) for g, t, att in zip(*cells, strict=True)}
    print(json.dumps({"wall": wall, "cpu": used, "estimates": found}), flush=True)


def watched(words):
    """Run a call until it ends or exceeds a limit: its output, its memory, what went wrong."""
    began, most, wrong = time.perf_counter(), 0.0, ""
    command = [sys.executable, __file__, "one", *words]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        while process.poll() is None:
            time.sleep(0.2)
            most, seconds = max(most, memory()), time.perf_counter() - began
            if seconds > LIMIT_SECONDS or most > LIMIT_GB:
                wrong = f"stopped after {seconds:.0f} s, {sum(map(cpu, tree()[1:])):.0f} s CPU"
                for each in reversed(tree()[1:]):
                    each.kill()
        output.seek(0), errors.seek(0)
        lines = errors.read().strip().splitlines() or ["ended without a word"]
        wrong = wrong or (lines[-1] if process.returncode else "")
        return output.read(), most, wrong


def run(folder, samples, contenders, options):
    for sample in samples:
        truth = None
        for who in contenders:
            output, most, wrong = watched([str(folder), sample, who, options])
            line = f"{folder.name:10} {sample:7} {who:18}"
            if wrong:
                print(f"{line} {wrong}; {most:.2f} GB", flush=True)
                continue
            got = json.loads(output.splitlines()[-1])
            truth = truth or got["estimates"]
            both = truth.keys() & got["estimates"].keys()
            apart = max(abs(truth[cell] - got["estimates"][cell]) for cell in both)
            line += f" {got['wall']:7.1f} s {got['cpu']:7.1f} s CPU {most:6.2f} GB"
            print(f"{line}  {len(both)} of {len(truth)} cells, {apart:.0e}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["run", "one"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sample", nargs="?", choices=list(UNITS))
    parser.add_argument("who", nargs="?", choices=list(CONTENDERS))
    parser.add_argument("options", nargs="?", default="{}", help="arguments of moderndid, as JSON")
    given = parser.parse_args()
    if given.command == "one":
        one(given.folder, given.sample, given.who, given.options)
    else:
        samples = [given.sample] if given.sample else list(UNITS)
        first = next(iter(CONTENDERS))  # what the others are compared with
        contenders = dict.fromkeys([first, given.who]) if given.who else CONTENDERS
        run(given.folder, samples, contenders, given.options)
