"""A lazy table -> a clean sample, whose rows are patterns that stand for many rows of the table."""

from __future__ import annotations

from typing import Any

import numpy as np

from didjack._typing import Bools
from didjack.engine.progress import Progress
from didjack.intake.clean import UnitRules, UnitsInRows, apply_rules
from didjack.intake.clean import clean as clean_in_memory
from didjack.intake.ledger import Entry
from didjack.intake.read import roles
from didjack.intake.sample import CleanData, Sample
from didjack.intake.tables import LABELS
from didjack.lazy import zero_weights
from didjack.lazy.collation import check_collation
from didjack.lazy.dates import check_dates
from didjack.lazy.design import with_moments
from didjack.lazy.first_rows import FirstRows
from didjack.lazy.memory import arrow_table, few_enough, n_rows, too_many, too_many_units
from didjack.lazy.panel import PanelUnits
from didjack.lazy.patterns import Patterns
from didjack.lazy.spread import spread
from didjack.lazy.tables import LazyTable, engine_name, told_by
from didjack.lazy.used import Used
from didjack.options import Options
from didjack.sums.balanced import may_balance

_QUERIES = 4
"""So many queries are made where nothing is odd, or less."""


class _RowsAlone:
    """Rows of repeated cross sections: each is a unit, and none has a name."""

    def who(self, sample: Sample, _rule: str, rows: Bools) -> tuple[int, str]:
        """Return how many rows there are."""
        return sample.n_rows(rows), ""

    def examples(self, sample: Sample) -> None:
        """Do nothing: rows of a lazy table have no numbers."""


def clean(df: Any, options: Options) -> CleanData:
    """Apply the sample rules to a lazy table, which is only read from.

    Parameters
    ----------
    df : polars LazyFrame, DuckDB relation, Spark DataFrame or Ibis table
    options : Options

    Returns
    -------
    CleanData

    Raises
    ------
    DataError
        As for tables in memory; or the engine fails, the table changes while it is read, or
        what is asked for cannot be had without its rows.
    """
    with Progress(options.progress, _QUERIES) as progress:
        labels = {name for name, role in roles(options, []).items() if role in LABELS}
        table = LazyTable.of(df, progress, labels)
        # Some engines look at a table whenever a query is written down.
        with told_by(engine_name(table.frame), "read df"):
            return _clean(Used.of(table, options))


def _clean(used: Used) -> CleanData:
    options = used.options
    if options.collect or options.by_unit:
        rows = n_rows(used)
        if not options.collect and not few_enough(rows):
            raise too_many_units(used, rows)
        return clean_in_memory(arrow_table(used, rows), options, used.table.package)
    used.table.check_names(used.roles)
    check_dates(used)
    check_collation(used)
    first, kept = FirstRows.of(used), zero_weights.without(used)
    patterns = None if first.differ else Patterns.of(kept, first.centre)
    if patterns is None and few_enough(rows := n_rows(used)):
        return clean_in_memory(arrow_table(used, rows), options, used.table.package)
    dropped = [zero_weights.entry_of_table(used, first.n_zero)] if first.n_zero else []
    if patterns is not None:
        return _ruled(kept, patterns, first.centre, dropped)
    return _from_moments(kept, rows, first.centre, dropped)


def _from_moments(used: Used, rows: int, centre: float, dropped: list[Entry]) -> CleanData:
    """Put rows together that differ in covariates, for a regression on these."""
    used, terms = with_moments(used, rows)
    patterns = Patterns.of(used, centre)
    if patterns is None:
        raise too_many(used, rows)
    sample = _ruled(used, patterns, centre, dropped)
    assert sample.moments is not None
    steady = used.options.panel and used.options.fix_weights != "varying"
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
    if isinstance(units, PanelUnits) and may_balance(clean, used.options):
        units.check_constant(sample, balanced=True)
    return clean
