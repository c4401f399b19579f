"""Run all benchmarks and write docs/benchmarks.md. `make bench`, or with `--quick`, `--large`.

How far the project's own targets are met goes into benchmarks/targets.md.

Each script is a process of its own and leaves its results in build/benchmarks; with `--only`,
those of the others are taken from there.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from report import Report, Table, targets

HERE = Path(__file__).parent
RESULTS = HERE.parent / "build" / "benchmarks"
PAGE = HERE.parent / "docs" / "benchmarks.md"
GOALS = HERE / "targets.md"
SCRIPTS = [
    "startup",
    "fit",
    "jackknife",
    "scaling",
    "memory",
    "permutations",
    "reference_distributions",
]
PACKAGES = ["didjack", "numpy", "pandas", "scipy", "numba", "narwhals", "formulaic", "polars"]
PEERS = ["diff-diff", "csdid", "statspai", "moderndid"]
TITLES = {
    1: "Target 1: reg against diff-diff's plain fit",
    2: "Target 2: dr and ipw against diff-diff's plain dr fit",
    3: "Target 3: survey microdata against diff-diff's plain reg fit",
    4: "Target 4: growth with rows and clusters, and memory",
    5: "Target 5: import and first call",
    6: "Target 6: 999 permutations with all replicates",
    7: "Target 7: reference distributions, one by one and joint, 50 clusters and 10 periods",
}
INTRO = """# Benchmarks

How long does the jackknife take, compared with a plain fit? Written by `make bench`{how}.

*didjack all* is what a user of the jackknife asks for: a fit, and CV3 with its reference
distribution for every ATT(g,t) and for all coefficients of all four aggregations. The times of
other packages are for a plain fit with analytic standard errors and an event study. Data are
simulated (`benchmarks/workloads.py`) and in memory. Ratios are medians over calls that take turns
in one process.
"""
GOALS_INTRO = """# Targets

What the package is held to, and how far that is met. Written by `make bench`{how}. *Measured* is
the median ratio of calls that take turns in one process.
"""


def installed(name: str) -> str:
    """Return the version of a package, if there is one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory() -> str:
    """Return the size of the main memory."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (ValueError, OSError, AttributeError):
        return "unknown"


def machine() -> Table:
    """Describe the machine and what is installed."""
    rows = [
        ["processor", f"{processor()}, {os.cpu_count()} cores"],
        ["memory", memory()],
        ["system", f"{platform.system()} {platform.release()}, {platform.machine()}"],
        ["Python", f"{platform.python_implementation()} {platform.python_version()}"],
        ["packages", ", ".join(f"{name} {installed(name)}" for name in PACKAGES)],
        ["peers", ", ".join(f"{name} {installed(name)}" for name in PEERS)],
    ]
    return Table("Machine", ["", ""], rows, n_text=2)


def runs(reports: dict[str, Report]) -> Table:
    """Say when each script ran, and how busy the machine was."""
    head = ["script", "date (UTC)", "load before (1, 5, 15 minutes)", "load after", "minutes"]
    return Table("Runs", head, [[name, *report.when] for name, report in reports.items()])


def call(script: str, flags: list[str]) -> str | None:
    """Run a script; return what went wrong, if anything did."""
    output = RESULTS / f"{script}.json"
    output.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / f"{script}.py"), "--json", str(output), *flags]
    print(f"== {script}", flush=True)
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return None
    print(done.stderr, file=sys.stderr)
    tail = done.stderr.strip().splitlines() or ["no message"]
    return f"{script}.py ended with code {done.returncode}: {tail[-1]}"


def page(reports: dict[str, Report], failures: list[str], how: str) -> str:
    """Write the page."""
    parts = [INTRO.format(how=how).strip(), *failures]
    parts += [table.markdown(level=2) for report in reports.values() for table in report.tables]
    parts += ["## Out-of-core data", (HERE / "lazy.md").read_text().strip()]
    parts += [machine().markdown(level=2), runs(reports).markdown(level=2)]
    return "\n\n".join(parts) + "\n"


def goals(reports: dict[str, Report], how: str) -> str:
    """Write how far targets are met."""
    parts = [GOALS_INTRO.format(how=how).strip()]
    checks = [check for report in reports.values() for check in report.checks]
    for target, title in TITLES.items():
        mine = [check for check in checks if check.target == target]
        if mine:
            met = sum(check.met for check in mine)
            of = f"{title} ({met} of {len(mine)} met)"
            parts.append(targets(mine, of).markdown(level=2))
    parts.append((HERE / "lazy_targets.md").read_text().strip())
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run the scripts and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and few repeats")
    parser.add_argument("--large", action="store_true", help="add 20 million rows to memory.py")
    parser.add_argument(
        "--only", nargs="*", choices=SCRIPTS, default=SCRIPTS, help="none: write the page alone"
    )
    parser.add_argument("--output", type=Path, default=PAGE, help="default: docs/benchmarks.md")
    args = parser.parse_args()
    flags = [flag for flag in ("quick", "large") if getattr(args, flag)]
    flags = [f"--{flag}" for flag in flags]
    failures = [failure for script in args.only if (failure := call(script, flags))]
    saved = {script: RESULTS / f"{script}.json" for script in SCRIPTS}
    reports = {name: Report.load(path) for name, path in saved.items() if path.exists()}
    how = f" with `{' '.join(flags)}`" if flags else ""
    args.output.write_text(page(reports, failures, how), encoding="utf-8")
    GOALS.write_text(goals(reports, how), encoding="utf-8")
    print(f"written: {args.output}, {GOALS}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
