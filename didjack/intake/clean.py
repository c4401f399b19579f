"""Any data frame -> a clean sample and a ledger of what the sample rules did to it.

All complaints about data are raised in this room, so that everything to the right of it can rely
on what it gets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from didjack._typing import NEVER, Bools
from didjack.intake import checks, rules
from didjack.intake.calendar_codes import warn_of_calendar_codes, warn_of_weekends
from didjack.intake.cohort_codes import check_unknown_code
from didjack.intake.labels import renumber
from didjack.intake.ledger import Entry, ledger_table
from didjack.intake.read import read
from didjack.intake.sample import CleanData, Sample
from didjack.options import Options


def clean(df: Any, options: Options, package: str = "") -> CleanData:
    """Apply the sample rules to a data frame, which is not modified.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    options : Options
    package : that of the user's table; default: that of `df`

    Returns
    -------
    CleanData
        Its arrays are new: nothing in it is a view of the user's data.

    Raises
    ------
    DataError
        With the column, the count and the first offenders.
    """
    return apply_rules(*read(df, options, package), UnitsInRows())


class UnitRules(Protocol):
    """Rules about units, for which the rows of the sample may not suffice."""

    def check(self, sample: Sample) -> None:
        """Raise for units in two cohorts or clusters, or twice in a period."""

    def balance(self, sample: Sample) -> bool:
        """Make a balanced panel, or return False for an unbalanced one."""


class UnitsInRows:
    """Units that are known row by row."""

    def check(self, sample: Sample) -> None:
        """Raise for units in two cohorts or clusters, or twice in a period."""
        checks.check_units(sample)

    def balance(self, sample: Sample) -> bool:
        """Make a balanced panel, or return False for an unbalanced one."""
        return rules.balance(sample)


def apply_rules(
    sample: Sample, missing: dict[str, Bools], zero: Bools, units: UnitRules
) -> CleanData:
    """Apply the sample rules to a table that was read.

    Parameters
    ----------
    sample, missing, zero : as `read` returns them
    units : UnitRules

    Returns
    -------
    CleanData

    Raises
    ------
    DataError
        With the column, the count and the first offenders.
    """
    try:
        return _in_order(sample, missing, zero, units)
    finally:
        sample.say()


def _in_order(
    sample: Sample, missing: dict[str, Bools], zero: Bools, units: UnitRules
) -> CleanData:
    options = sample.options
    rules.complete_rows(sample, missing, zero)
    rules.evaluate_covariates(sample)
    rules.scale_weights(sample)
    if options.panel:
        units.check(sample)
    _number_clusters(sample)
    checks.check_periods(sample)
    check_unknown_code(sample)
    warn_of_calendar_codes(sample)
    warn_of_weekends(sample)
    horizon = int(sample.periods[-1])
    rules.recode_late_cohorts(sample)
    rules.compare_with_last_cohort(sample)
    rules.drop_already_treated(sample)
    balanced = units.balance(sample) if options.panel else False
    if balanced and not (sample.rows.cohort == NEVER).any():
        # As for a table without the units that balancing took, whose clusters are none either.
        _number_clusters(sample)
        rules.compare_again(sample)
    checks.check_what_is_left(sample)
    if sample.rows.x is None:
        rules.evaluate_covariates(sample, again=True)
    sample.say()
    return _finish(sample, horizon, pooled=not balanced or options.fix_weights == "varying")


def _number_clusters(sample: Sample) -> None:
    """Give clusters of complete rows their numbers; they count even if later rules empty them."""
    cluster, present = renumber(sample.rows.cluster, len(sample.cluster_labels))
    sample.rows = replace(sample.rows, cluster=cluster)
    sample.cluster_labels = sample.cluster_labels[present]


def _finish(sample: Sample, horizon: int, pooled: bool) -> CleanData:
    rows = sample.rows
    n_units, _ = sample.who("6 sample", np.ones(rows.y.size, dtype=bool))
    if rows.unit.size:
        rows = replace(rows, unit=renumber(rows.unit, len(sample.unit_labels))[0])
    kept = Entry("6 sample", "kept", sample.size, n_units, "the sample that is used", "")
    return CleanData(
        **rows.arrays(),
        x_names=sample.x_names,
        periods=sample.periods,
        axis=sample.axis,
        cluster_labels=sample.cluster_labels,
        horizon=horizon,
        pooled=pooled,
        ledger=ledger_table([*sample.entries, kept]),
    )
