"""Rule 6: complaints about data that do not make sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Floats, Ints
from didjack.data.numbers import PANDAS, offenders, sql_name
from didjack.data.sample import CleanData, Sample
from didjack.errors import DataError
from didjack.options import SampleOptions
from didjack.wording import name_some, plural, short

LARGEST, SMALLEST = 1e140, 1e-140
"""Sums over any sample of squares of outcomes and covariates between these are finite, not 0."""
WIDEST = 1e50
"""Weights whose ratio is larger are no sampling weights; far smaller ones vanish in every sum."""
CROSS_SECTIONS = "panel=False without idname for repeated cross sections"


# ---- columns ------------------------------------------------------------------------------------


def check_negative(weight: Floats, options: SampleOptions) -> None:
    """Raise for negative weights."""
    negative = weight < 0
    if negative.any():
        raise DataError(
            f"weightsname {options.weightsname!r} has negative values: "
            f"{offenders(negative, weight)}"
        )


def check_spread(weight: Floats, options: SampleOptions, count: Ints | None) -> None:
    """Raise for weights beside which others vanish, of all in the sample, (N,)."""
    top, least = float(weight.max()), float(weight.min())
    if top / WIDEST <= least:
        return
    large = weight / WIDEST > least
    n_rows = int(large.sum() if count is None else count[large].sum())
    first = ", ".join(f"{value:g}" for value in weight[large][:3])
    raise DataError(
        f"weightsname {options.weightsname!r} ranges from {least:g} to {top:g}, over more "
        f"orders of magnitude than sums can hold: {plural(n_rows, 'row')} above "
        f"{least * WIDEST:g}; first: {first}; correct or drop them"
    )


def check_large(y: Floats, options: SampleOptions, index: pd.Index) -> None:
    """Raise for outcomes whose squares overflow; infinite ones are missing."""
    if max(-y.min(), y.max()) <= LARGEST:
        return
    large = np.isfinite(y) & (np.abs(y) > LARGEST)
    if large.any():
        shown = offenders(large, y, index=index)
        raise DataError(f"yname {options.yname!r} is too large to be squared: {shown}; rescale it")


def check_covariates(shown: str, sizes: Mapping[str, float]) -> None:
    """Raise for covariates whose squares overflow or vanish.

    Parameters
    ----------
    shown : the formula as messages show it
    sizes : name of a covariate -> its largest absolute value
    """
    for what, names in (
        ("large", [name for name, size in sizes.items() if size > LARGEST]),
        ("small", [name for name, size in sizes.items() if 0 < size < SMALLEST]),
    ):
        if names:
            raise DataError(f"{shown}: {name_some(names)} is too {what} to be squared; rescale it")


# ---- units --------------------------------------------------------------------------------------


def check_units(sample: Sample) -> None:
    """Raise for units in two cohorts or clusters, eligible at times, or twice in a period."""
    rows = sample.rows
    _check_constant(sample, "cohort", rows.cohort, sample.label)
    if not sample.options.by_unit:
        labels = sample.cluster_labels
        _check_constant(sample, "cluster", rows.cluster, lambda code: labels[code])
    if rows.eligible is not None:
        _check_constant(sample, "eligibility", rows.eligible.astype(np.int64), int)
    _check_duplicates(sample)


def _check_constant(sample: Sample, what: str, values: Ints, label: Callable[[int], Any]) -> None:
    """Raise for units with more than one value."""
    unit = sample.rows.unit
    of_unit = np.zeros(len(sample.unit_labels), dtype=np.int64)
    of_unit[unit] = values
    moved = of_unit[unit] != values
    if not moved.any():
        return
    units = sample.units(moved)
    shown = []
    for code in units[:3]:
        observed = name_some(map(label, np.unique(values[unit == code])))
        shown.append(f"{short(sample.unit_labels[code])} ({observed})")
    raise moved_units(sample, what, units.size, shown)


def moved_units(sample: Sample, what: str, n_units: int, shown: list[str]) -> DataError:
    """Return the error for units with more than one value of something, and the remedies.

    Parameters
    ----------
    what : "cohort", "cluster" or "eligibility"
    """
    options = sample.options
    columns = {"cohort": options.gname, "cluster": options.cluster, "eligibility": options.pname}
    column = columns[what]
    return DataError(
        f"{plural(n_units, 'unit')} of {options.idname!r} in more than one {what} ({column!r}); "
        f"first: {', '.join(shown)}; use {CROSS_SECTIONS}, or "
        f"{value_of_first_period(sample.package, options, column)}"
    )


def _check_duplicates(sample: Sample) -> None:
    """Raise for units that are seen more than once in a period."""
    rows, n_periods = sample.rows, sample.periods.size
    key, n_keys = rows.unit * n_periods + rows.period, len(sample.unit_labels) * n_periods
    if n_keys <= 8 * key.size:
        observed = np.zeros(n_keys, dtype=bool)
        observed[key] = True
        if np.count_nonzero(observed) == key.size:
            return
    twice = pd.Series(key).duplicated(keep=False).to_numpy()
    if not twice.any():
        return
    shown = []
    for first in np.unique(key[twice])[:3].tolist():
        code, period = divmod(first, n_periods)
        label = sample.label(sample.periods[period])
        shown.append(f"({short(sample.unit_labels[code])}, {label})")
    raise duplicates(sample.options, int(twice.sum()), shown)


def duplicates(options: SampleOptions, n_rows: int, shown: list[str]) -> DataError:
    """Return the error for units that are seen more than once in a period."""
    return DataError(
        f"({options.idname!r}, {options.tname!r}) is not unique: "
        f"{plural(n_rows, 'row')} share a unit and a period; first: "
        f"{', '.join(shown)}; use {CROSS_SECTIONS}"
    )


def check_periods(sample: Sample) -> None:
    """Raise for a single period."""
    if sample.periods.size == 1:
        raise DataError(
            f"tname {sample.options.tname!r} has a single period "
            f"({sample.label(sample.periods[0])}); a difference in differences needs two"
        )


# ---- what the rules leave -----------------------------------------------------------------------


def check_what_is_left(sample: Sample) -> None:
    """Raise without treated cohorts, control units or a second period.

    Also for outcomes whose squares vanish, so that their standard errors would be 0.
    """
    _check_cohorts(sample)
    options = sample.options
    if sample.periods.size == 1:
        raise DataError(
            f"tname {options.tname!r}: a single period ({sample.label(sample.periods[0])}) is left "
            "after the sample rules"
        )
    size = np.abs(sample.rows.y).max()
    if 0 < size < SMALLEST:
        raise DataError(
            f"yname {options.yname!r} is too small to be squared: no value is beyond {size:.3g}; "
            "rescale it"
        )


def check_second_cluster(clean: CleanData, options: SampleOptions) -> None:
    """Raise without a second cluster, which the jackknife needs."""
    cluster = clean.cluster
    if (cluster == cluster[0]).all():
        raise DataError(
            f"cluster {options.cluster or options.idname!r} has 1 cluster "
            f"({short(clean.cluster_labels[cluster[0]])}); the jackknife needs at least 2"
        )


def _check_cohorts(sample: Sample) -> None:
    """Raise unless there are a treated cohort and others to compare it with."""
    options, cohort = sample.options, sample.rows.cohort
    what, n_rows = f"gname {options.gname!r}", sample.size
    never = cohort == NEVER
    if never.all():
        raise DataError(
            f"{what}: no treated cohort is left after the sample rules "
            f"({plural(n_rows, 'row')}, all never-treated)"
        )
    never_only = sample.estimation.control_group == "nevertreated"
    if not never.any() and (never_only or (cohort == cohort[0]).all()):
        raise DataError(f"{what}: no control unit is left after the sample rules")


def value_of_first_period(package: str, options: SampleOptions, column: str | None) -> str:
    """Say how each unit gets the value of a column that it has in its first period."""
    unit, time = options.idname, options.tname
    code = {
        PANDAS: f"df[{column!r}] = df.sort_values({time!r}).groupby({unit!r})[{column!r}]"
        ".transform('first')",
        "polars": f"df = df.with_columns(pl.col({column!r}).sort_by({time!r}).first().over"
        f"({unit!r}))",
        "duckdb": f"df = df.project('* REPLACE (first_value({sql_name(column)}) OVER (PARTITION BY "
        f"{sql_name(unit)} ORDER BY {sql_name(time)}) AS {sql_name(column)})')",
    }.get(package)
    return "give a unit the value of its first period" + (f", with {code}" if code else "")
