"""What a script hands over: tables, and how far a target was met; as JSON and as Markdown."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Table:
    """A table of strings with a title and a note; the first `n_text` columns are text."""

    title: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""
    n_text: int = 1

    def markdown(self, level: int = 3) -> str:
        """Write the table under its title, a heading of a level, with numbers to the right."""
        numbers = len(self.head) - self.n_text
        lines = [_row(self.head), _row(["---"] * self.n_text + ["---:"] * numbers)]
        lines += [_row(row) for row in self.rows]
        parts = ["#" * level + " " + self.title, self.note, "\n".join(lines)]
        return "\n\n".join(part for part in parts if part)


@dataclass
class Check:
    """A measured number and the most it may be.

    Attributes
    ----------
    target : number of the target it belongs to
    value, low, high : median, least and largest measurement
    """

    target: int
    what: str
    value: float
    limit: float
    low: float = math.nan
    high: float = math.nan
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Whether the median is within the limit."""
        return self.value <= self.limit

    def row(self) -> list[str]:
        """Write the check as a row of the table of targets."""
        spread = "" if math.isnan(self.low) else f"{number(self.low)} – {number(self.high)}"
        return [
            self.what,
            f"{number(self.limit)} {self.unit}",
            f"{number(self.value)} {self.unit}",
            spread,
            "met" if self.met else "**not met**",
        ]


@dataclass
class Report:
    """All that one script found, and when: date, load before and after, minutes."""

    tables: list[Table] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    when: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read it from JSON."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        tables, checks = [Table(**t) for t in raw["tables"]], [Check(**c) for c in raw["checks"]]
        return cls(tables, checks, raw["when"])

    def markdown(self) -> str:
        """Write the tables, then the checks."""
        parts = [table.markdown() for table in self.tables]
        return "\n\n".join(parts + ([targets(self.checks).markdown()] if self.checks else []))


def targets(checks: list[Check], title: str = "Targets") -> Table:
    """Put checks into a table."""
    head = ["what", "at most", "measured", "least – largest", ""]
    return Table(title, head, [check.row() for check in checks])


def number(value: float) -> str:
    """Write a number with three digits that count."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def difference(value: float) -> str:
    """Write a numerical difference."""
    return "–" if not math.isfinite(value) else f"{value:.0e}"


def load() -> str:
    """Return the load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(run: Callable[[argparse.Namespace], Report], description: str | None) -> None:
    """Run a script from the command line: print its tables, and save them if asked to."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes and few repeats")
    parser.add_argument("--large", action="store_true", help="add 20 million rows to memory.py")
    parser.add_argument("--json", type=Path, help="where to save the results")
    args = parser.parse_args()
    before, start = load(), time.perf_counter()
    report = run(args)
    minutes = f"{(time.perf_counter() - start) / 60:.1f}"
    report.when = [f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M}", before, load(), minutes]
    print(report.markdown(), flush=True)
    if args.json:
        report.save(args.json)
