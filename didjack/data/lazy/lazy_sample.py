"""A lazy table -> a clean sample, whose rows are patterns that stand for many rows of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Bools
from didjack.data.balance import may_balance
from didjack.data.clean import UnitRules, UnitsInRows, apply_rules, roles
from didjack.data.clean import clean as clean_in_memory
from didjack.data.frames import LABELS, read_columns
from didjack.data.lazy.design import with_moments
from didjack.data.lazy.lazy_table import LazyTable, engine_errors, engine_name
from didjack.data.lazy.moments import spread
from didjack.data.lazy.panel import PanelUnits
from didjack.data.lazy.patterns import Patterns
from didjack.data.lazy.units import raise_for_text
from didjack.data.lazy.used import (
    Used,
    arrow_table,
    check_collation,
    check_dates,
    count_without_weight,
    dropped_entry,
    few_enough,
    n_rows,
    too_many,
    too_many_units,
    with_weight,
)
from didjack.data.numbers import as_float
from didjack.data.rules import no_weight
from didjack.data.sample import CleanData, Entry, Rule, Sample
from didjack.options import EstimationOptions, SampleOptions
from didjack.progress import Progress

# ---- first rows ----------------------------------------------------------------------------------

_ROWS = 10_000
"""Number of rows that are looked at first."""

_MORE_ROWS = 1_000_000
"""So many are grouped by the engine, to see how many patterns they have."""

_DIFFERENT = 0.8
"""With more patterns among these, there are too many. Files are often sorted, by period above all:
even 10,000 rows of one period that all differ may be of 10,000 patterns, and all others too."""


@dataclass(frozen=True, slots=True)
class FirstRows:
    """What the first rows say.

    Attributes
    ----------
    centre : about where outcomes are: sums of what they exceed that by have the more digits
    differ : whether most of them differ in cluster, cohort, period or covariates, so that there
        may be too many patterns
    n_zero : rows of weight zero in the whole table, which are none of these
    """

    centre: float
    differ: bool
    n_zero: int

    @classmethod
    def from_tables(cls, used: Used, kept: Used) -> FirstRows:
        """Look at them; raise for columns that are of another kind than they have to be.

        Parameters
        ----------
        used, kept : of the whole table, and of the rows whose weight is not zero
        """
        options, table = used.options, used.table
        rows = kept.table.frame.select(*used.roles).head(_ROWS)
        queries = [rows, _patterns(kept), *count_without_weight(used)]
        first, counted, *zeros = table.fetch_together(queries, "read its first rows")
        n_zero = int(zeros[0].columns[0][0].as_py() or 0) if zeros else 0
        if n_zero and not len(first):
            raise no_weight(options, n_zero)
        data = read_columns(first, used.roles)
        unnumbered = np.ones(len(first), dtype=np.int64)
        numbers = {}
        for role in ("yname", "weightsname"):
            if (name := getattr(options, role)) is not None:
                raise_for_text(used, name, role)
                numbers[role] = as_float(data[name], role, unnumbered, table.package)
        y = numbers["yname"]
        keys = pd.DataFrame({name: data[name] for name in used.keys})
        n_rows, n_patterns = (column[0].as_py() or 0.0 for column in counted.columns)
        differ = y.size == _ROWS and 2 * len(keys.drop_duplicates()) > _ROWS
        differ &= n_patterns > _DIFFERENT * n_rows
        y = y[np.isfinite(y)]
        return cls(float(np.median(y)) if y.size else 0.0, differ, n_zero)


def _patterns(used: Used) -> nw.LazyFrame[Any]:
    """Return how many rows there are among many, and how many of them differ."""
    table, n, rows = used.table, used.table.own("n"), used.table.own("rows")
    many = table.frame.select(*used.keys).head(_MORE_ROWS)
    patterns = table.grouped(many, used.keys, nw.len().cast(nw.Float64).alias(n))
    return patterns.select(nw.col(n).sum().alias(rows), nw.len().cast(nw.Float64).alias(n))


# ---- clean ---------------------------------------------------------------------------------------

_QUERIES = 4
"""So many queries are made where nothing is odd, or less."""


class _RowsAlone:
    """Rows of repeated cross sections: each is a unit, and none has a name."""

    def who(self, sample: Sample, _rule: Rule | None, rows: Bools) -> tuple[int, str]:
        """Return how many rows there are."""
        return sample.n_rows(rows), ""

    def examples(self, sample: Sample) -> None:
        """Do nothing: rows of a lazy table have no numbers."""


def clean(
    df: Any,
    options: SampleOptions,
    estimation: EstimationOptions,
    show_progress: bool | None = None,
) -> CleanData:
    """Apply the sample rules to a lazy table, which is only read from.

    Parameters
    ----------
    df : polars LazyFrame, DuckDB relation, Spark DataFrame or Ibis table
    options : SampleOptions
    estimation : EstimationOptions
    show_progress : as `csdid(progress=)`

    Returns
    -------
    CleanData

    Raises
    ------
    DataError
        As for tables in memory; or the engine fails, the table changes while it is read, or
        what is asked for cannot be had without its rows.
    """
    with Progress(show_progress, _QUERIES) as progress:
        labels = {name for name, role in roles(options, []).items() if role in LABELS}
        table = LazyTable.from_frame(df, progress, labels)
        # Some engines look at a table whenever a query is written down.
        with engine_errors(engine_name(table.frame), "read data"):
            return _clean(Used.from_table(table, options, estimation))


def _clean(used: Used) -> CleanData:
    options = used.options
    if options.collect or options.by_unit:
        rows = n_rows(used)
        if not options.collect and not few_enough(rows):
            raise too_many_units(used, rows)
        return clean_in_memory(
            arrow_table(used, rows), options, used.estimation, used.table.package
        )
    used.table.check_names(used.roles)
    check_dates(used)
    check_collation(used)
    kept = with_weight(used)
    first = FirstRows.from_tables(used, kept)
    patterns = None if first.differ else Patterns.from_table(kept, first.centre)
    if patterns is None and few_enough(rows := n_rows(used)):
        return clean_in_memory(
            arrow_table(used, rows), options, used.estimation, used.table.package
        )
    dropped = [dropped_entry(used, first.n_zero)] if first.n_zero else []
    if patterns is not None:
        return _ruled(kept, patterns, first.centre, dropped)
    return _from_moments(kept, rows, first.centre, dropped)


def _from_moments(used: Used, rows: int, centre: float, dropped: list[Entry]) -> CleanData:
    """Put rows together that differ in covariates, for a regression on these."""
    used, terms = with_moments(used, rows)
    patterns = Patterns.from_table(used, centre)
    if patterns is None:
        raise too_many(used, rows)
    sample = _ruled(used, patterns, centre, dropped)
    assert sample.moments is not None
    steady = used.options.panel and used.estimation.fix_weights != "varying"
    return spread(sample, terms.occurring(sample.moments), centre, steady)


def _ruled(used: Used, patterns: Patterns, centre: float, dropped: list[Entry]) -> CleanData:
    """Apply the sample rules to patterns, once there are entries for rows that were `dropped`."""
    sample, missing, zero = patterns.sample(used)
    for entry in dropped:
        sample.add(entry)
    units: UnitRules = UnitsInRows()
    sample.lookup = _RowsAlone()
    complete = ~np.logical_or.reduce(list(missing.values()))
    if used.options.panel and complete.any():
        units = sample.lookup = PanelUnits(used, patterns, sample, complete, centre)
    clean = apply_rules(sample, missing, zero, units)
    if isinstance(units, PanelUnits) and may_balance(clean):
        units.check_constant(sample, balanced=True)
    return clean
