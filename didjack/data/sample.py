"""The rows of a sample, during the sample rules and afterwards, and the ledger of the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd

from didjack import errors
from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data.labels import renumber
from didjack.data.time_axis import TimeAxis
from didjack.errors import DataError, SampleWarning
from didjack.options import EstimationOptions, SampleOptions
from didjack.wording import label_text, name_some, plural

# ---- ledger --------------------------------------------------------------------------------------


class Rule(Enum):
    """A sample rule; the value is its number and name in the ledger."""

    ZERO_WEIGHTS = "0 zero weights"
    COMPLETE_ROWS = "1 complete rows"
    NEVER_TREATED = "1 never-treated"
    LATE_COHORTS = "2 late cohorts"
    NO_NEVER_TREATED = "3 no never-treated"
    ALREADY_TREATED = "4 already treated"
    UNBALANCED_PANEL = "5 unbalanced panel"
    BALANCED_PANEL = "5 balanced panel"
    SAMPLE = "6 sample"


class Entry(NamedTuple):
    """One thing that a rule did.

    Attributes
    ----------
    rule : Rule
    action : "dropped", "recoded" or "kept"
    n_rows, n_units : how many rows, of how many units
    reason : why
    examples : the first few units, or rows
    """

    rule: Rule
    action: str
    n_rows: int
    n_units: int
    reason: str
    examples: str

    def message(self, panel: bool) -> str:
        """Write the entry as a warning; in repeated cross sections a row is its own unit."""
        what = plural(self.n_rows, "row")
        if panel and self.n_units:
            what += f" of {plural(self.n_units, 'unit')}"
        kind = "unit" if panel else "row"
        where = f"; first: {kind} {self.examples}" if self.examples else ""
        return f"{self.action} {what}: {self.reason}{where} (see result.sample)"


LEDGER_COLUMNS = list(Entry._fields)


def ledger_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Arrange entries as a table."""
    rows = [(entry.rule.value, *entry[1:]) for entry in entries]
    return pd.DataFrame(rows, columns=LEDGER_COLUMNS)


# ---- sample --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known of each of N rows, in the order of the user's table.

    Attributes
    ----------
    y : (N,) outcome
    period : (N,) position of the row's period among the periods of the sample
    cohort : (N,) first treated period on the integer axis; `NEVER` for never-treated
    unit : (N,) unit code; empty in repeated cross sections where each row is its own
    cluster : (N,) cluster code
    weight : (N,) sampling weight, or None
    x : (N, k) covariate design with the intercept first, or None without covariates
    count : (N,) how many rows of the user's table each row stands for, with the mean of their
        outcomes and the sum of their weights; None: one
    square : (N,) sum of the squared weights of these; None: one each
    eligible : (N,) whether the row's unit is one of those whom the treatment concerns, or None
        where all are
    moments : (N, k, k + 4) sums over rows that differ in their covariates z, the first of which is
        the intercept: of w z z', of w z y, and of z; then the least and largest z that has a
        weight; None: all have those in `x`
    """

    y: Floats
    period: Ints
    cohort: Ints
    unit: Ints
    cluster: Ints
    weight: Floats | None
    x: Floats | None
    count: Ints | None = field(default=None, kw_only=True)
    square: Floats | None = field(default=None, kw_only=True)
    eligible: Bools | None = field(default=None, kw_only=True)
    moments: Floats | None = field(default=None, kw_only=True)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by name."""
        return {part.name: getattr(self, part.name) for part in fields(Rows)}

    def take(self, keep: Bools | Ints) -> Self:
        """Return the rows for which `keep`, (N,), is true, or those at its positions."""
        taken = {
            name: array if array is None or not len(array) else array[keep]
            for name, array in self.arrays().items()
        }
        return replace(self, **taken)


@dataclass(frozen=True, slots=True)
class CleanData(Rows):
    """The sample after all rules.

    Units are numbered 0..U-1, clusters 0..H-1, in the order of their labels.

    Attributes
    ----------
    x_names : names of the k columns of `x`
    periods : (T,) the distinct periods, sorted
    axis : TimeAxis
    cluster_labels : (H,) the user's cluster labels, of all clusters with a complete row
    horizon : last period before rule 3 cut any
    pooled : whether periods are compared as repeated cross sections
    ledger : DataFrame, what each rule did
    """

    x_names: list[str]
    periods: Ints
    axis: TimeAxis
    cluster_labels: pd.Index
    horizon: int
    pooled: bool
    ledger: pd.DataFrame

    @property
    def panel(self) -> bool:
        """Whether rows are of units that are followed over time."""
        return self.unit.size > 0

    def take(self, keep: Bools | Ints) -> Self:
        """Return the sample of some rows: periods and units numbered anew, clusters as before."""
        part = Rows.take(self, keep)
        period, observed = renumber(part.period, self.periods.size)
        unit = part.unit
        if unit.size:
            unit, _ = renumber(unit, int(self.unit.max()) + 1)
        return replace(part, period=period, periods=self.periods[observed], unit=unit)


class Design(Protocol):
    """Covariates, as functions of the columns in their formula."""

    @property
    def shown(self) -> str:
        """The formula as messages show it."""

    def matrix(self, columns: Mapping[str, pd.Series]) -> tuple[Floats, list[str]]:
        """Evaluate the (N, k) design, with the intercept first, and name its columns."""


class Lookup(Protocol):
    """Where units are found that the rows of a sample do not name."""

    def who(self, sample: Sample, rule: Rule | None, rows: Bools) -> tuple[int, str]:
        """Return how many units a rule finds in some rows, and write the first of them.

        Without a rule they are for an error, and written at once.
        """

    def examples(self, sample: Sample) -> None:
        """Complete the entries of a sample's ledger with the first units of each."""


@dataclass(slots=True)
class Sample:
    """The rows still in the sample while the rules are applied, and what the rules did.

    Attributes
    ----------
    options : SampleOptions
    estimation : EstimationOptions: what is to be compared decides which rows can be used
    package : that of the user's table
    rows : the rows that are left
    axis : TimeAxis
    periods : (T,) the distinct periods of the rows, sorted
    unit_labels : label of each unit code; in repeated cross sections, the number of each row
    cluster_labels : label of each cluster code
    design : the covariates, if any
    covariates : the columns that these are made of, (N,) each
    x_names : names of the columns of `rows.x`
    entries : the ledger so far
    unsaid : positions of those that a warning is still to be given of
    lookup : where units are found if rows stand for several; None: in `rows`
    """

    options: SampleOptions
    estimation: EstimationOptions
    package: str
    rows: Rows
    axis: TimeAxis
    periods: Ints
    unit_labels: pd.Index
    cluster_labels: pd.Index
    design: Design | None
    covariates: dict[str, pd.Series]
    x_names: list[str] = field(default_factory=lambda: ["Intercept"])
    entries: list[Entry] = field(default_factory=list)
    unsaid: list[int] = field(default_factory=list)
    lookup: Lookup | None = None

    @property
    def size(self) -> int:
        """The number of rows that are left, in the user's table."""
        return self.n_rows(np.ones(self.rows.y.size, dtype=bool))

    def n_rows(self, rows: Bools) -> int:
        """Count rows of the user's table."""
        count = self.rows.count
        return int(np.count_nonzero(rows) if count is None else count[rows].sum())

    def units(self, rows: Bools) -> Ints:
        """Return the units of some rows, sorted; a row whose unit is missing has none."""
        if not self.rows.unit.size:
            return np.flatnonzero(rows)
        present = np.zeros(len(self.unit_labels) + 1, dtype=bool)
        present[self.rows.unit[rows]] = True
        return np.flatnonzero(present[:-1])

    def who(self, rule: Rule | None, rows: Bools) -> tuple[int, str]:
        """Return how many units have some of these rows, and write the first of them."""
        if self.lookup is not None:
            return self.lookup.who(self, rule, rows)
        units = self.units(rows)
        return units.size, name_some(self.unit_labels[units[:3]])

    def label(self, period: int) -> str:
        """Write a period, or a cohort, as the user labels it."""
        return "never" if period == NEVER else label_text(self.axis.labels([period])[0])

    def record(self, rule: Rule, action: str, rows: Bools, reason: str, warn: bool = True) -> None:
        """Write an entry of the ledger, and warn."""
        n_units, shown = self.who(rule, rows)
        self.add(Entry(rule, action, self.n_rows(rows), n_units, reason, shown), warn)

    def add(self, entry: Entry, warn: bool = True) -> None:
        """Add an entry to the ledger, and warn."""
        self.entries.append(entry)
        if warn:
            self.unsaid.append(len(self.entries) - 1)
        if self.lookup is None:
            self.say()

    def say(self) -> None:
        """Warn of entries that no warning was given of."""
        if self.lookup is not None:
            self.lookup.examples(self)
        for place in self.unsaid:
            errors.warn(self.entries[place].message(self.options.panel), SampleWarning)
        self.unsaid.clear()

    def drop(self, rule: Rule, rows: Bools, reason: str, warn: bool = True) -> None:
        """Take rows out of the sample, with an entry in the ledger and a warning."""
        if not rows.any():
            return
        keep = ~rows
        if not keep.any():
            raise DataError(f"no row is left in the sample ({plural(self.size, 'row')}): {reason}")
        self.record(rule, "dropped", rows, reason, warn)
        # The design depends on all rows: levels may have vanished, splines look at all values.
        left = replace(self.rows, x=None).take(keep)
        period, observed = renumber(left.period, self.periods.size)
        self.rows, self.periods = replace(left, period=period), self.periods[observed]
        if not left.unit.size and left.count is None:
            self.unit_labels = self.unit_labels[keep]
        for name, column in self.covariates.items():
            self.covariates[name] = column[keep].reset_index(drop=True)
