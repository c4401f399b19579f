"""The rows of a sample: while the rules are applied to them, and afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from didjack import errors
from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.errors import DataError, SampleWarning
from didjack.intake.formula import Covariates
from didjack.intake.labels import renumber
from didjack.intake.ledger import Entry
from didjack.intake.time_axis import TimeAxis
from didjack.options import Options
from didjack.wording import name_some, plural


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
    """

    y: Floats
    period: Ints
    cohort: Ints
    unit: Ints
    cluster: Ints
    weight: Floats | None
    x: Floats | None

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by name."""
        return {part.name: getattr(self, part.name) for part in fields(Rows)}

    def take(self, keep: Bools) -> Self:
        """Return the rows for which `keep`, (N,), is true; codes stay as they are."""
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

    def take(self, keep: Bools) -> Self:
        """Return the sample of some rows: periods and units numbered anew, clusters as before."""
        part = Rows.take(self, keep)
        period, seen = renumber(part.period, self.periods.size)
        unit = part.unit
        if unit.size:
            unit, _ = renumber(unit, int(self.unit.max()) + 1)
        return replace(part, period=period, periods=self.periods[seen], unit=unit)


@dataclass(slots=True)
class Sample:
    """The rows still in the sample while the rules are applied, and what the rules did.

    Attributes
    ----------
    options : Options
    rows : the rows that are left
    axis : TimeAxis
    periods : (T,) the distinct periods of the rows, sorted
    unit_labels : label of each unit code; in repeated cross sections, the number of each row
    cluster_labels : label of each cluster code
    formula : the covariate formula, if any
    covariates : the columns in the formula, (N,) each
    x_names : names of the columns of `rows.x`
    entries : the ledger so far
    """

    options: Options
    rows: Rows
    axis: TimeAxis
    periods: Ints
    unit_labels: pd.Index
    cluster_labels: pd.Index
    formula: Covariates | None
    covariates: dict[str, pd.Series]
    x_names: list[str] = field(default_factory=lambda: ["Intercept"])
    entries: list[Entry] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of rows that are left."""
        return self.rows.y.size

    def units(self, rows: Bools) -> Ints:
        """Return the units of some rows, sorted; a row whose unit is missing has none."""
        if not self.rows.unit.size:
            return np.flatnonzero(rows)
        present = np.zeros(len(self.unit_labels) + 1, dtype=bool)
        present[self.rows.unit[rows]] = True
        return np.flatnonzero(present[:-1])

    def label(self, period: int) -> Any:
        """Return the user's label of a period, or of a cohort."""
        return "never" if period == NEVER else self.axis.labels([period])[0]

    def record(self, rule: str, action: str, rows: Bools, reason: str, warn: bool = True) -> None:
        """Write an entry of the ledger, and warn."""
        units = self.units(rows)
        shown = name_some(self.unit_labels[units[:3]])
        entry = Entry(rule, action, int(np.count_nonzero(rows)), units.size, reason, shown)
        self.entries.append(entry)
        if warn:
            errors.warn(entry.message(self.options.panel), SampleWarning)

    def drop(self, rule: str, rows: Bools, reason: str) -> None:
        """Take rows out of the sample, with an entry in the ledger and a warning."""
        if not rows.any():
            return
        keep = ~rows
        if not keep.any():
            raise DataError(f"no row is left in the sample ({plural(rows.size, 'row')}): {reason}")
        self.record(rule, "dropped", rows, reason)
        # The design depends on all rows: levels may have vanished, splines look at all values.
        left = replace(self.rows, x=None).take(keep)
        period, seen = renumber(left.period, self.periods.size)
        self.rows, self.periods = replace(left, period=period), self.periods[seen]
        if not left.unit.size:
            self.unit_labels = self.unit_labels[keep]
        for name, column in self.covariates.items():
            self.covariates[name] = column[keep].reset_index(drop=True)
