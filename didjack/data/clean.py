"""Any data frame -> the columns that are used, as a sample to which the rules can be applied.

All complaints about data are raised in this room, so that everything to the right of it can rely
on what it gets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data import checks, rules
from didjack.data.calendar import Times, as_times, warn_of_calendar_codes, warn_of_weekends
from didjack.data.cohorts import check_boolean, check_dummy, check_never_codes, check_unknown_code
from didjack.data.covariates import FormulaDesign
from didjack.data.eligibility import check_eligible, read_eligible
from didjack.data.formula import Covariates, parse
from didjack.data.frames import column_names, read_columns
from didjack.data.labels import Coded, as_codes, distinct, renumber, text_as_categories
from didjack.data.numbers import as_float, package_of
from didjack.data.sample import CleanData, Entry, Rows, Rule, Sample, ledger_table
from didjack.options import EstimationOptions, SampleOptions

# ---- read ----------------------------------------------------------------------------------------


def read(
    df: Any, options: SampleOptions, estimation: EstimationOptions, package: str = ""
) -> tuple[Sample, dict[str, Bools], Bools]:
    """Read the used columns.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    options : SampleOptions
    estimation : EstimationOptions
    package : that of the user's table; default: that of `df`

    Returns
    -------
    sample : Sample
        All rows of the table.
    missing : dict
        Column name -> where it is missing, (N,).
    zero : (N,) array
        Where the cohort is the number 0.
    """
    formula = parse(options.xformla)
    named = formula.columns(df, column_names(df)) if formula is not None else []
    data = read_columns(df, roles(options, named))
    package = package or package_of(df)
    dropped = []
    weight = None
    if options.weightsname is not None:
        weight = as_float(data[options.weightsname], "weightsname", package=package)
        checks.check_negative(weight, options)
        zero = weight == 0
        if zero.all():
            raise rules.no_weight(options, zero.size)
        if zero.any():
            dropped.append(rules.entry_of_rows(data, options, zero))
            weight = weight[~zero]
            # Their index goes on to say which rows of the user's table they are.
            data = {name: column[~zero] for name, column in data.items()}
    y = as_float(data[options.yname], "yname", package=package)
    checks.check_large(y, options, data[options.yname].index)
    used = UsedColumns(formula, named)
    sample, missing, code_zero = as_sample(
        data, used, (options, estimation), Values(y, weight), package
    )
    for entry in dropped:
        sample.add(entry)
    return sample, missing, code_zero


class UsedColumns(NamedTuple):
    """The formula of the covariates, if any, and the columns in it."""

    formula: Covariates | None
    names: list[str]


@dataclass(frozen=True, slots=True)
class Values:
    """Outcomes and weights: of each row, or of several that are alike in all else.

    Attributes
    ----------
    y : (N,) outcome, or mean outcome
    weight : (N,) weight, or sum of weights; None without weights
    count, square : (N,) how many rows each stands for, and the sum of their squared weights;
        None: one row
    moments : (N, k, k + 4) as of `Rows`
    """

    y: Floats
    weight: Floats | None
    count: Ints | None = None
    square: Floats | None = None
    moments: Floats | None = None


def as_sample(
    data: dict[str, pd.Series],
    covariates: UsedColumns,
    asked: tuple[SampleOptions, EstimationOptions],
    values: Values,
    package: str,
) -> tuple[Sample, dict[str, Bools], Bools]:
    """Code periods, cohorts, units and clusters.

    Parameters
    ----------
    data : columns by name, (N,) each; without that of the unit where rows stand for several
    covariates : UsedColumns
    asked : SampleOptions and EstimationOptions
    values : outcomes and weights; missing ones are not finite
    package : that of the user's table

    Returns
    -------
    sample, missing, zero : as `read` does
    """
    (options, estimation), count = asked, values.count
    check_boolean(data[options.gname], options, package)
    times = as_times(data[options.tname], data[options.gname], count, package)
    check_dummy(times, options, package)
    check_never_codes(times, options)
    unit, cluster = _unit_and_cluster(data, options)
    eligible, unknown = _eligible(data, options, count, package)
    periods, period = distinct(times.period)
    rows = Rows(
        values.y,
        period,
        times.cohort,
        unit.codes,
        cluster.codes,
        values.weight,
        x=None,
        count=count,
        square=values.square,
        eligible=eligible,
        moments=values.moments,
    )
    sample = Sample(
        options=options,
        estimation=estimation,
        package=package,
        rows=rows,
        axis=times.axis,
        periods=periods,
        unit_labels=unit.labels,
        cluster_labels=cluster.labels,
        design=None if covariates.formula is None else FormulaDesign(covariates.formula),
        covariates=_covariates(data, covariates, count),
    )
    return sample, _missing(sample, times) | unknown, times.zero


def roles(options: SampleOptions, covariates: list[str]) -> dict[str, str]:
    """Map each used column to what it is used as; the first use counts."""
    found: dict[str, str] = {}
    for name in ("yname", "tname", "gname", "idname", "cluster", "weightsname", "pname"):
        if (column := getattr(options, name)) is not None:
            found.setdefault(column, name)
    for column in covariates:
        found.setdefault(column, "covariate")
    return found


def _unit_and_cluster(data: dict[str, pd.Series], options: SampleOptions) -> tuple[Coded, Coded]:
    """Code units and clusters; without a name, each row is its own (and units have no codes)."""
    if options.idname in data:
        unit = as_codes(data[options.idname], "idname")
    else:
        unit = Coded(np.empty(0, dtype=np.int64), data[options.tname].index)
    if options.cluster is not None and options.cluster != options.idname:
        return unit, as_codes(data[options.cluster], "cluster")
    if options.idname is not None:
        return unit, unit
    return unit, Coded(np.arange(len(unit.labels)), unit.labels)


def _eligible(
    data: dict[str, pd.Series], options: SampleOptions, count: Ints | None, package: str
) -> tuple[Bools | None, dict[str, Bools]]:
    """Return where units are eligible, (N,), and where that is missing, by the column's name."""
    if options.pname is None:
        return None, {}
    eligible, missing = read_eligible(data[options.pname], count, package)
    return eligible, {options.pname: missing}


def _covariates(
    data: dict[str, pd.Series], used: UsedColumns, count: Ints | None
) -> dict[str, pd.Series]:
    """Return the columns of a formula, with text as categories, and a plain index."""
    numbers = set() if used.formula is None else set(used.formula.names.numbers)
    columns = {}
    for name in used.names:
        column = text_as_categories(data[name], name not in numbers, count)
        plain = column.index.equals(pd.RangeIndex(len(column)))
        columns[name] = column if plain else column.reset_index(drop=True)
    return columns


def _missing(sample: Sample, times: Times) -> dict[str, Bools]:
    """Map each used column to where it is missing, (N,)."""
    rows, options = sample.rows, sample.options
    missing = {options.yname: ~np.isfinite(rows.y), options.tname: times.period_missing}
    for name, codes in ((options.idname, rows.unit), (options.cluster, rows.cluster)):
        if name is not None and codes.size:
            missing.setdefault(name, codes < 0)
    if rows.weight is not None and options.weightsname is not None:
        missing[options.weightsname] = ~np.isfinite(rows.weight)
    for name, column in sample.covariates.items():
        missing.setdefault(name, _missing_covariate(column))
    return missing


def _missing_covariate(column: pd.Series) -> Bools:
    gone = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype):
        gone = gone | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gone


# ---- clean ---------------------------------------------------------------------------------------


def clean(
    df: Any, options: SampleOptions, estimation: EstimationOptions, package: str = ""
) -> CleanData:
    """Apply the sample rules to a data frame, which is not modified.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    options : SampleOptions
    estimation : EstimationOptions
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
    return apply_rules(*read(df, options, estimation, package), UnitsInRows())


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
    check_eligible(sample)
    if sample.rows.x is None:
        rules.evaluate_covariates(sample, again=True)
    sample.say()
    own_weights = sample.estimation.fix_weights == "varying"
    return _finish(sample, horizon, pooled=not balanced or own_weights)


def _number_clusters(sample: Sample) -> None:
    """Give clusters of complete rows their numbers; they count even if later rules empty them."""
    cluster, present = renumber(sample.rows.cluster, len(sample.cluster_labels))
    sample.rows = replace(sample.rows, cluster=cluster)
    sample.cluster_labels = sample.cluster_labels[present]


def _finish(sample: Sample, horizon: int, pooled: bool) -> CleanData:
    rows = sample.rows
    n_units, _ = sample.who(Rule.SAMPLE, np.ones(rows.y.size, dtype=bool))
    if rows.unit.size:
        rows = replace(rows, unit=renumber(rows.unit, len(sample.unit_labels))[0])
    kept = Entry(Rule.SAMPLE, "kept", sample.size, n_units, "the sample that is used", "")
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
