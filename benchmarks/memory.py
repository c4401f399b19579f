"""How much memory does a call take on top of the data?

Each call has a process of its own, which reports its highest resident memory during the call,
less what it held before. Kernels are loaded (with a small call) before that.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from contenders import PEERS, Case, didjack_all
from report import Check, Report, Table, main, number
from timing import quiet
from workloads import many_cells, panel

MIB = 2**20
STATUS = Path("/proc/self/status")
LIMIT = 3.0
MOST_SECONDS, MOST_MIB = 5.0, 1024.0
"""What 29,900 ATT(g,t) of 660,000 rows with an event study and its tests may take in all."""
TRIALS = {
    "reg": ("reg", ()),
    "reg, 2 covariates": ("reg", ("x1", "x2")),
    "dr, 2 covariates": ("dr", ("x1", "x2")),
}


def make_case(n_units: int, trial: str, is_panel: bool) -> Case:
    """Simulate a panel and keep the columns used."""
    method, covariates = TRIALS[trial]
    case = Case("", panel(n_units), method, covariates, is_panel)
    return Case("", case.data[case.used].copy(), method, covariates, is_panel)


def resident(key: str) -> int:
    """Return a line of the kernel's account of this process, in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def start_account() -> int:
    """Give back free memory, set the highest value back, and return the resident memory."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    if not STATUS.exists():
        return _highest_ever()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS:")


def highest() -> int:
    """Return the highest resident memory since the account was started."""
    return resident("VmHWM:") if STATUS.exists() else _highest_ever()


def _highest_ever() -> int:
    """Return the highest resident memory of the process; bytes on macOS, else KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def child(n_units: int, trial: str, is_panel: bool, package: str) -> dict[str, float]:
    """Measure one call in this process."""
    contender = didjack_all if package == "didjack all" else PEERS[package]
    with quiet():
        contender(make_case(500, trial, is_panel))
        case = make_case(n_units, trial, is_panel)
        before = start_account()
        start = time.perf_counter()
        contender(case)
        taken = time.perf_counter() - start
    used = int(case.data.memory_usage(index=False).sum())
    return {"used": used, "extra": highest() - before, "seconds": taken, "columns": len(case.used)}


def many_cells_child(control_group: str) -> dict[str, float]:
    """Fit 29,900 ATT(g,t), with the event study and its tests, in this process."""
    import didjack

    options = {"cluster": "cl", "est_method": "reg", "control_group": control_group}

    def study(data: pd.DataFrame) -> None:
        result = didjack.csdid(data, "y", "t", "g", "id", progress=False, **options)
        event = result.aggregate("event")
        for call in (event.tidy, event.pretest, event.summary):
            str(call())

    with quiet():
        study(many_cells(500, 12, 5))
        data = many_cells()
        before = start_account()
        start = time.perf_counter()
        study(data)
        taken = time.perf_counter() - start
    used = int(data.memory_usage(index=False).sum())
    peak = highest()
    return {"used": used, "extra": peak - before, "peak": peak, "seconds": taken, "columns": 5}


def study_many_cells() -> tuple[Table, list[Check]]:
    """Measure both control groups."""
    head = ["control group", "MiB", "extra MiB", "highest MiB", "seconds"]
    note = "660,000 rows, 50 clusters, reg: fit, event study, tests and summary."
    table, checks = Table("29,900 ATT(g,t)", head, note=note), []
    for group in ("nevertreated", "notyettreated"):
        found = measure(group)
        sizes = [found[name] / MIB for name in ("used", "extra", "peak")]
        table.rows.append([group, *map(number, [*sizes, found["seconds"]])])
        what = f"29,900 ATT(g,t), {group}"
        checks.append(Check(4, what, found["seconds"], MOST_SECONDS, unit="s"))
        checks.append(Check(4, f"{what}, highest memory", sizes[2], MOST_MIB, unit="MiB"))
    return table, checks


def measure(*spec: object) -> dict[str, float]:
    """Measure one call in a process of its own."""
    command = [sys.executable, __file__, "--child", json.dumps(spec)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise RuntimeError(tail[0][:90])
    return json.loads(done.stdout)


def specs(args: argparse.Namespace) -> list[tuple[int, str, bool, str]]:
    """List the calls: units, trial, panel or repeated cross sections, package."""
    ours = "didjack all"
    sizes = (10_000,) if args.quick else (100_000, 500_000)
    found = [(size, trial, True, ours) for size in sizes for trial in TRIALS]
    found += [(size, "reg", False, ours) for size in sizes]
    found += [(sizes[0], "dr, 2 covariates", False, ours)]
    found += [(sizes[0], trial, True, peer) for trial in list(TRIALS)[::2] for peer in PEERS]
    if args.large:
        found += [(2_000_000, "reg", False, ours), (2_000_000, "reg", True, ours)]
    return found


def run(args: argparse.Namespace) -> Report:
    """Measure all calls."""
    head = ["rows", "data", "package", "columns", "MiB", "extra MiB", "extra ÷ columns", "seconds"]
    note = (
        "*MiB*: the columns used. *Extra*: highest resident memory during the call, less that "
        "before it. Where clusters are units, there are as many replicates as units, each with "
        "sums and regressions of its own, of (k + 1)k numbers or so with k columns of covariates, "
        "the intercept included, for every set of cohorts compared: then the replicates, not the "
        "rows, decide on memory and time."
    )
    report = Report([Table("Memory", head, note=note, n_text=3)])
    for spec in specs(args):
        n_units, trial, is_panel, package = spec
        data = f"{'panel' if is_panel else 'repeated cross sections'}, {trial}"
        label = [f"{n_units * 10:,}", data, package]
        try:
            found = measure(*spec)
        except (RuntimeError, ValueError) as error:
            report.tables[0].rows.append([*label, "", "", "", "–", str(error)])
            continue
        ratio = found["extra"] / found["used"]
        numbers = [found["used"] / MIB, found["extra"] / MIB, ratio, found["seconds"]]
        report.tables[0].rows.append([*label, str(found["columns"]), *map(number, numbers)])
        if package == "didjack all":
            what = f"extra memory ÷ columns used, {label[0]} rows, {data}"
            report.checks.append(Check(4, what, ratio, LIMIT))
    if not args.quick:
        table, checks = study_many_cells()
        report.tables.append(table)
        report.checks += checks
    return report


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        spec = json.loads(sys.argv[2])
        print(json.dumps(many_cells_child(*spec) if len(spec) == 1 else child(*spec)))
    else:
        main(run, __doc__)
