"""How long does it take to import didjack, and to call it for the first time?"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from report import Check, Report, Table, main, number
from timing import ratios

BASE = "import numpy, pandas, scipy, numba"
OURS = "import didjack"
TRIALS = ("panel, reg", "panel, dr, 2 covariates", "survey microdata, dr, 3 dummies")
FIRST = """
import didjack
names = dict(yname="lemp", tname="year", gname="first.treat", idname="countyreal")
result = didjack.csdid(didjack.datasets.load_mpdta(), **names)
"""
STUDY = f"""
import matplotlib
matplotlib.use("Agg")
{FIRST}
study = result.aggregate("event")
print(study.summary())
study.plot()
study.confint(joint=True)
study.compare_vcov()
"""
FIRST_USE = {
    "the first `csdid`, 500 units, no covariates": (FIRST, 5.0),
    "the first study: fit, event study, summary, plot, bands, `compare_vcov`": (STUDY, 12.0),
}
"""What is called with nothing compiled, and how many times the CPU of `BASE` it may take."""
CLOCK = "import time; s = time.perf_counter(); {}; print(time.perf_counter() - s)"


def python(code: str, cache: Path | None = None) -> float | dict[str, float]:
    """Run code in a fresh process, with kernels cached in a directory; return what it prints.

    Modules are compiled to bytecode once, as they are where pip installs a package.
    """
    env = os.environ | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(Path(__file__).parent), *filter(None, [env.get("PYTHONPATH")])]
    here = {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env | here,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def cpu(code: str, cache: Path | None = None) -> float:
    """Run code in a fresh process; return its CPU seconds, user and system, on all threads."""
    whole = f"""
import contextlib, io, json, resource, warnings
warnings.simplefilter("ignore")
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    exec({code!r}, {{}})
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps(used.ru_utime + used.ru_stime))
"""
    taken = python(whole, cache)
    assert isinstance(taken, float)
    return taken


def first_use(repeats: int) -> tuple[Table, list[Check]]:
    """Count the CPU of a first use with nothing compiled, beside that of imports, in turns."""
    base: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in FIRST_USE}
    cached: dict[str, list[float]] = {name: [] for name in FIRST_USE}
    for code in (BASE, STUDY):  # bytecode
        cpu(code)
    for _ in range(repeats):
        base.append(cpu(BASE))
        for name, (code, _most) in FIRST_USE.items():
            with tempfile.TemporaryDirectory() as cache:
                taken[name].append(cpu(code, Path(cache)))
                cached[name].append(cpu(code, Path(cache)))
    rows = [[f"`{BASE}`", number(statistics.median(base)), "", "1"]]
    checks = []
    for name, (_code, most) in FIRST_USE.items():
        low, middle, high = ratios(taken[name], base)
        times = [statistics.median(times) for times in (taken[name], cached[name])]
        rows.append([name, *map(number, times), number(middle)])
        checks.append(Check(5, f"{name}, nothing compiled ÷ `{BASE}`", middle, most, low, high))
    head = ["process", "CPU, nothing compiled, s", "CPU, kernels cached, s", "÷ the imports"]
    note = (
        "CPU seconds, user and system, of fresh processes that take turns, the interpreter "
        "included; the county data of `load_mpdta`, default options. The last column is the "
        "median of ratios within a round, with nothing compiled."
    )
    return Table("First use", head, rows, note), checks


def imports(repeats: int) -> tuple[Table, list[Check]]:
    """Time imports in turns."""
    statements = {OURS: OURS, BASE: BASE}
    taken: dict[str, list[float]] = {name: [] for name in statements}
    for statement in statements.values():
        python(CLOCK.format(statement))
    for turn in range(repeats):
        for name in statements if turn % 2 == 0 else reversed(statements):
            taken[name].append(python(CLOCK.format(statements[name])))
    low, middle, high = ratios(taken[OURS], taken[BASE])
    rows = [[f"`{name}`", number(statistics.median(times))] for name, times in taken.items()]
    note = (
        "Medians over fresh processes; the time of the interpreter itself is not counted. "
        "`import didjack` loads next to nothing: a first call loads what it needs, and its time "
        "includes that."
    )
    table = Table("Import", ["statement", "seconds"], rows, note)
    return table, [Check(5, f"`{OURS}` ÷ `{BASE}`", middle, 1.2, low, high)]


def child(trial: str) -> dict[str, float]:
    """Time the first call in this process, and calls after it."""
    from contenders import Case, didjack_all
    from timing import seconds
    from workloads import microdata, panel

    if trial.startswith("panel"):
        covariates = ("x1", "x2") if "covariates" in trial else ()
        case = Case(trial, panel(2_000), "dr" if covariates else "reg", covariates)
    else:
        case = Case(trial, microdata(), "dr", ("x1", "x2", "x3"), panel=False)
    call: Callable[[], object] = lambda: didjack_all(case)  # noqa: E731
    start = seconds(lambda: __import__("didjack"))
    return {"import": start, "first": seconds(call), "warm": min(seconds(call) for _ in range(5))}


def first_calls(repeats: int) -> tuple[Table, list[Check]]:
    """Time first calls without and with cached kernels."""
    head = ["call", "warm, s", "first, cached, s", "first, not cached, s", "import, not cached, s"]
    note = (
        "didjack all, in a fresh process after `import didjack`. Cached: median over processes. "
        "Not cached: one process with an empty cache, so that every kernel is compiled."
    )
    table, checks = Table("First call", head, note=note), []
    for trial in TRIALS:
        code = f"import json, startup; print(json.dumps(startup.child({trial!r})))"
        with tempfile.TemporaryDirectory() as cache:
            cold = python(code, Path(cache))
            hot = [python(code, Path(cache)) for _ in range(repeats)]
        warm, first = (statistics.median(one[key] for one in hot) for key in ("warm", "first"))
        numbers = [warm, first, cold["first"], cold["import"]]
        table.rows.append([trial, *map(number, numbers)])
        over = sorted(one["first"] - one["warm"] for one in hot)
        what = f"first call, cached, over a warm one: {trial}"
        checks.append(Check(5, what, statistics.median(over), 0.5, over[0], over[-1], "s"))
        what = f"first call, not cached: {trial}"
        checks.append(Check(5, what, cold["first"], 10.0, unit="s"))
    return table, checks


def run(args: argparse.Namespace) -> Report:
    """Measure imports and first calls."""
    by_import, import_checks = imports(3 if args.quick else 9)
    by_call, call_checks = first_calls(1 if args.quick else 5)
    by_use, use_checks = first_use(1 if args.quick else 3)
    return Report([by_import, by_call, by_use], import_checks + call_checks + use_checks)


if __name__ == "__main__":
    main(run, __doc__)
