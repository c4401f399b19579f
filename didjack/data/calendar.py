"""The columns of period and cohort -> integers on one time axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.data.numbers import PANDAS, as_float, offenders, uncategorized
from didjack.data.sample import Sample
from didjack.data.text_periods import refuse_text
from didjack.data.time_axis import TimeAxis, axis_of_dates, periods_of_dates
from didjack.errors import DataError, SampleWarning, warn
from didjack.options import MOST_PERIODS

# ---- calendar ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Times:
    """Time and cohort on one integer axis.

    Attributes
    ----------
    axis : TimeAxis
    period : (N,) period; that of some other row where it is missing
    period_missing : (N,)
    cohort : (N,) first treated period; `NEVER` for one coded 0 or inf, or missing
    cohort_missing : (N,) where the cohort is missing rather than coded
    zero : (N,) where the cohort is the number 0
    count : (N,) how many rows of the user's table each stands for; None: one
    """

    axis: TimeAxis
    period: Ints
    period_missing: Bools
    cohort: Ints
    cohort_missing: Bools
    zero: Bools
    count: Ints | None = None

    def n_rows(self, rows: Bools) -> int:
        """Count rows of the user's table."""
        return int(np.count_nonzero(rows) if self.count is None else self.count[rows].sum())


def as_times(
    time: pd.Series, cohort: pd.Series, count: Ints | None = None, package: str = ""
) -> Times:
    """Read the columns of period (`tname`) and cohort (`gname`).

    Parameters
    ----------
    time, cohort : (N,)
    count : (N,) how many rows of the user's table each stands for; None: one
    package : that of the user's table, whose code remedies are
    """
    refuse_text(time, cohort, count, package)
    time, cohort = _with_own_dtype(time, "tname"), _with_own_dtype(cohort, "gname")
    kinds = {_kind(column) for column in (time, cohort) if column.notna().any()}
    if kinds <= {"number"}:
        return _numeric_times(time, cohort, count)
    if len(kinds) > 1:
        raise DataError(
            f"tname {time.name!r} ({time.dtype}) and gname {cohort.name!r} ({cohort.dtype}) must "
            "be of one kind: both whole numbers, both pandas Periods, or both dates"
        )
    return replace(_calendar_times(time, cohort, package), count=count)


def _with_own_dtype(column: pd.Series, role: str) -> pd.Series:
    """Give dates and Periods in categorical, object or Arrow columns their pandas dtype."""
    column = uncategorized(column)
    kind = getattr(column.dtype, "pyarrow_dtype", None)
    if kind is not None and str(kind).startswith(("date", "timestamp")):
        zone = getattr(kind, "tz", None)
        dtype: Any = f"datetime64[us, {zone}]" if zone else "datetime64[us]"
        return pd.Series(column.astype(dtype))
    if column.dtype != object or not column.notna().any():
        return column
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    try:
        if inferred == "date":  # pandas 2 would read them as nanoseconds, which end in 2262
            there = column.where(column.notna(), None)
            return pd.Series(there.to_numpy(dtype="datetime64[us]"), name=column.name)
        if inferred in ("datetime", "datetime64"):
            return pd.to_datetime(column)
        if inferred == "period":
            return pd.Series(pd.PeriodIndex(column), name=column.name)
    except pd.errors.OutOfBoundsDatetime as error:  # nanoseconds of pandas 2
        raise DataError(
            f"{role} {column.name!r} has dates that this version of pandas does not read: {error}; "
            "make them datetime.date"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{role} {column.name!r} mixes dates with and without a time zone, or Periods of "
            "several frequencies"
        ) from error
    return column


def _kind(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.PeriodDtype):
        return "period"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "datetime"
    return "number"


def _numeric_times(time: pd.Series, cohort: pd.Series, count: Ints | None) -> Times:
    period, of_time = _whole(time, "tname", count)
    first, of_cohort = _whole(cohort, "gname", count)
    zero, nobody = first == 0, np.zeros(len(cohort), dtype=bool)
    never, missing = zero, nobody
    if of_cohort is not None:
        missing, infinite = np.isnan(of_cohort), np.isinf(of_cohort)
        negative = infinite & (of_cohort < 0)
        if negative.any():
            shown = offenders(negative, of_cohort, count, cohort.index)
            raise DataError(
                f"gname {cohort.name!r} holds -inf: {shown}; never-treated is 0, inf or missing"
            )
        zero = zero & ~missing & ~infinite
        never = zero | missing | infinite
    gone = nobody if of_time is None else ~np.isfinite(of_time)
    # Whole numbers with gaps are floats in pandas, which the user did not choose.
    floats = pd.api.types.is_float_dtype(time.dtype) and bool(time.notna().all())
    return Times(
        axis=TimeAxis("float" if floats else "int"),
        period=_filled(period, gone),
        period_missing=gone,
        cohort=np.where(never, NEVER, first),
        cohort_missing=missing,
        zero=zero,
        count=count,
    )


def _whole(column: pd.Series, role: str, count: Ints | None) -> tuple[Ints, Floats | None]:
    """Return whole numbers, 0 where there is none, and the floats they come from, if they do.

    Raises
    ------
    DataError
        Other numbers, or numbers so large that they could be.
    """
    if pd.api.types.is_bool_dtype(column.dtype):
        raise DataError(f"{role} {column.name!r} is boolean; it must hold whole numbers or dates")
    values: Any = column.to_numpy()
    floats = None
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        odd = max(-int(values.min()), int(values.max())) > MOST_PERIODS
        bad = np.abs(values.astype(np.float64)) > MOST_PERIODS if odd else np.zeros(1, dtype=bool)
    else:
        floats = values = as_float(column, role)
        values = np.where(np.isfinite(values), values, 0.0)
        bad = (values != np.floor(values)) | (np.abs(values) > MOST_PERIODS)
    if bad.any():
        raise DataError(
            f"{role} {column.name!r} must hold whole numbers below 2^53 (or Periods or dates): "
            f"{offenders(bad, values, count, column.index)}; number the periods 1, 2, 3, ..."
        )
    return values.astype(np.int64, copy=False), floats


def _filled(period: Ints, missing: Bools) -> Ints:
    """Put the first period that is there where one is missing: the range stays as narrow."""
    if not missing.any() or missing.all():
        return period
    return np.where(missing, period[np.argmin(missing)], period)


def _calendar_times(time: pd.Series, cohort: pd.Series, package: str) -> Times:
    missing, gone = time.isna().to_numpy(), cohort.isna().to_numpy()
    axis = TimeAxis("int")  # stands for a column of time without any value
    if isinstance(time.dtype, pd.PeriodDtype):
        axis = TimeAxis("period", dtype=time.dtype)
        if not gone.all() and cohort.dtype != time.dtype:
            raise DataError(
                f"gname {cohort.name!r} ({cohort.dtype}) and tname {time.name!r} ({time.dtype}) "
                "must have one frequency; use .dt.asfreq()"
            )
    elif not missing.all():
        axis = axis_of_dates(time, cohort, package)
    return Times(
        axis=axis,
        period=_filled(_ordinals(axis, time, missing), missing),
        period_missing=missing,
        cohort=np.where(gone, NEVER, _ordinals(axis, cohort, gone)),
        cohort_missing=gone,
        zero=np.zeros(len(cohort), dtype=bool),
    )


def _ordinals(axis: TimeAxis, column: pd.Series, missing: Bools) -> Ints:
    """Return the integer periods of a column, 0 where it is missing."""
    if axis.kind == "int" or missing.all():
        return np.zeros(len(column), dtype=np.int64)
    codes, values = pd.factorize(column)
    periods = (
        pd.PeriodIndex(values) if axis.kind == "period" else periods_of_dates(values, axis.freq)
    )
    return np.append(np.asarray(periods.asi8, dtype=np.int64), 0)[codes]


# ---- calendar codes ------------------------------------------------------------------------------


class _Code(NamedTuple):
    """A way to write a date as one number: a year of four digits, and what follows it.

    Attributes
    ----------
    what : what is written
    divisor : that number, divided by this, is the year
    least, most : what may follow the year
    wrap : numbers divided by this differ where there is a gap
    remedy : how pandas reads such a column
    """

    what: str
    divisor: int
    least: int
    most: int
    wrap: int
    remedy: str


_FIELDS = "pd.PeriodIndex.from_fields(year=df[{0!r}] // %d, %s=df[{0!r}] %% %d, freq=%r)"
_PARSED = "pd.PeriodIndex(pd.to_datetime(df[{0!r}].astype(str), format=%r), freq='D')"
_BY_HAND = "pd.PeriodIndex"

_CODES = (
    _Code("year and quarter", 10, 1, 4, 10, _FIELDS % (10, "quarter", 10, "Q")),
    _Code("year and month", 100, 1, 12, 100, _FIELDS % (100, "month", 100, "M")),
    _Code("year and week", 100, 1, 53, 100, _BY_HAND),
    _Code("year and day", 1000, 1, 366, 1000, _PARSED % "%Y%j"),
    _Code("year, month and day", 10_000, 101, 1231, 100, _PARSED % "%Y%m%d"),
)


def warn_of_calendar_codes(sample: Sample) -> None:
    """Warn where periods are numbers that write dates, of several years: name the first gap."""
    if sample.axis.kind not in ("int", "float"):
        return
    for code in _CODES:
        gap = _first_gap(sample.periods, code)
        if gap:
            before, after = gap
            name = sample.options.tname
            warn(
                f"tname {name!r} looks like {code.what}: from {before} to {after} are "
                f"{after - before} periods. {_remedy(code, sample)}",
                SampleWarning,
            )
            return


def warn_of_weekends(sample: Sample) -> None:
    """Warn where periods are days, but none is a weekend: their event times count these too."""
    axis, days = sample.axis, sample.periods
    daily = axis.freq == "D" if axis.kind == "datetime" else str(axis.dtype) == "period[D]"
    weekday = (days + 3) % 7  # day 0, 1 January 1970, was a Thursday
    mondays = np.flatnonzero(np.diff(days) == 3) + 1
    if daily and (weekday < 5).all() and mondays.size:
        before, after = (sample.label(days[at]) for at in (mondays[0] - 1, mondays[0]))
        warn(
            f"tname {sample.options.tname!r} has no weekends, but they count: from {before} to "
            f"{after} are 3 periods. If they should not, number the periods 1, 2, 3, ...",
            SampleWarning,
        )


def _remedy(code: _Code, sample: Sample) -> str:
    if sample.package != PANDAS:
        return "Number the periods 1, 2, 3, ..."
    periods = code.remedy.format(sample.options.tname)
    return f"Use Periods, such as {periods}, for tname and gname"


def _first_gap(periods: Ints, code: _Code) -> tuple[int, int] | None:
    """Return the sorted periods between which a code has its first gap; None if it is another."""
    year, rest = periods // code.divisor, periods % code.divisor
    dates = (year >= 1800) & (year < 2200) & (rest >= code.least) & (rest <= code.most)
    jumps = np.flatnonzero(np.diff(periods // code.wrap))
    if not dates.all() or not jumps.size:
        return None
    return int(periods[jumps[0]]), int(periods[jumps[0] + 1])
