"""Any data frame -> who is treated when, and mean outcomes by cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data.calendar import Times, as_times
from didjack.data.clean import roles
from didjack.data.cohorts import check_boolean, check_dummy, check_never_codes
from didjack.data.frames import read_columns
from didjack.data.labels import as_codes, distinct
from didjack.data.numbers import as_float, package_of
from didjack.errors import DataError
from didjack.options import SampleOptions


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """Treatment of N rows in T periods, by G cohorts and H clusters.

    Attributes
    ----------
    periods : (T,) labels
    cohorts : (G,) labels of those that are ever treated, then None for the never-treated, if any
    start : (G,) position of the first treated period; T for the never-treated
    n_units, n_clusters : (G,) units and clusters of each cohort; units are rows without `idname`
    by_cohort : (G, T) share of rows that are treated; NaN without rows
    clusters : (H,) labels, by first treated period and name
    by_cluster : (H, T) share of rows that are treated; NaN without rows
    means : (G, T) weighted means of the outcome; None without one
    """

    periods: pd.Index
    cohorts: list[Any]
    start: Ints
    n_units: Ints
    n_clusters: Ints
    by_cohort: Floats
    clusters: pd.Index
    by_cluster: Floats
    means: Floats | None


def read_timing(data: Any, options: SampleOptions) -> Timing:
    """Read the columns that options name; an empty `yname` stands for no outcome.

    Parameters
    ----------
    data : pandas, polars or pyarrow table
    options : SampleOptions

    Raises
    ------
    DataError
        A column that is not there, periods or cohorts that cannot be read, or no complete row.
    """
    used = {name: role for name, role in roles(options, []).items() if name}
    columns, package = read_columns(data, used), package_of(data)
    check_boolean(columns[options.gname], options, package)
    times = as_times(columns[options.tname], columns[options.gname], None, package)
    check_dummy(times, options, package)
    check_never_codes(times, options)
    keep = ~times.period_missing
    y = weight = None
    if options.yname:
        y = as_float(columns[options.yname], "yname", package=package)
        keep &= np.isfinite(y)
    if options.weightsname is not None:
        weight = as_float(columns[options.weightsname], "weightsname", package=package)
        keep &= np.isfinite(weight) & (weight > 0)
    if not keep.any():
        raise DataError("no row has all that is to be drawn: each lacks a value or has no weight")
    weight = np.ones(keep.size) if weight is None else weight
    name = options.cluster or options.idname
    cluster = columns[name if name is not None else options.gname]
    unit = columns[options.idname] if options.idname is not None else None
    return _arranged(times, keep, cluster, unit, _Outcome(y, weight))


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """Outcome and weight of each row, (N,)."""

    y: Floats | None
    weight: Floats


def _arranged(
    times: Times, keep: Bools, cluster: pd.Series, unit: pd.Series | None, outcome: _Outcome
) -> Timing:
    """Add up rows by cohort, cluster and period."""
    coded = as_codes(cluster, "cluster")
    keep = keep & (coded.codes >= 0)
    periods, t = distinct(times.period[keep])
    cohorts, g = distinct(times.cohort[keep])
    h, w = coded.codes[keep], outcome.weight[keep]
    treated = times.period[keep] >= times.cohort[keep]
    u = np.arange(h.size) if unit is None else as_codes(unit, "idname").codes[keep]
    shape, of_cluster = (cohorts.size, periods.size), (len(coded.labels), periods.size)
    first = np.full(len(coded.labels), NEVER)
    np.minimum.at(first, h, times.cohort[keep])
    there = np.unique(h)
    there = there[np.argsort(first[there], kind="stable")]
    never = bool(cohorts[-1] == NEVER)
    means = None
    if outcome.y is not None:
        means = _ratio(shape, g, t, w * outcome.y[keep], w)
    return Timing(
        periods=times.axis.labels(periods),
        cohorts=[*times.axis.labels(cohorts[: cohorts.size - never]), *[None] * never],
        start=np.searchsorted(periods, cohorts),
        n_units=_counts(g, u, cohorts.size),
        n_clusters=_counts(g, h, cohorts.size),
        by_cohort=_ratio(shape, g, t, treated.astype(float), np.ones(h.size)),
        clusters=coded.labels[there],
        by_cluster=_ratio(of_cluster, h, t, treated.astype(float), np.ones(h.size))[there],
        means=means,
    )


def _ratio(shape: tuple[int, int], row: Ints, column: Ints, top: Floats, low: Floats) -> Floats:
    """Divide two sums by row and column; NaN where there is nothing."""
    at = row * shape[1] + column
    size = shape[0] * shape[1]
    sums = np.bincount(at, top, size), np.bincount(at, low, size)
    ratio = np.divide(*sums, out=np.full(size, np.nan), where=sums[1] > 0)
    return np.asarray(ratio.reshape(shape))


def _counts(cohort: Ints, label: Ints, n: int) -> Ints:
    """Count the distinct labels of each cohort, (n,)."""
    pairs = np.unique(np.column_stack([cohort, label]), axis=0)
    return np.asarray(np.bincount(pairs[:, 0], minlength=n))
