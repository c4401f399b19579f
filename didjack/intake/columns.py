"""Any data frame -> pandas Series of the used columns -> plain numpy columns."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.errors import DataError
from didjack.options import MOST_PERIODS
from didjack.wording import brief, did_you_mean, name_some, nearest, plural

if TYPE_CHECKING:
    import narwhals as nw


_CALENDARS = ("Y", "Q", "Q-JAN", "Q-FEB", "M", "W")
"""Frequencies, the coarsest first, that not just any few dates have."""

_CLOCKS = ("D", "h", "min", "s")
"""Frequencies that any whole days, hours, ... have; their steps have to be regular."""

_NESTED = ("List", "Array", "Struct", "Object", "Binary")
"""Types of polars and pyarrow columns that hold no plain values."""

# ---- tables -------------------------------------------------------------------------------------


def column_names(df: Any) -> list[Any]:
    """List the column names of a pandas, polars or pyarrow table, duplicates included."""
    if isinstance(df, pd.DataFrame):
        if df.columns.nlevels > 1:
            raise DataError("df has MultiIndex columns; flatten them to one level of names")
        return list(df.columns)
    if _is_arrow(df):
        return list(df.column_names)
    return list(_eager(df).columns)


def _is_arrow(df: Any) -> bool:
    from narwhals.dependencies import is_pyarrow_table

    return bool(is_pyarrow_table(df))


def _eager(df: Any) -> nw.DataFrame[Any]:
    """Wrap a table, or raise for what is none; narwhals is only imported when it is needed."""
    import narwhals as nw

    try:
        return nw.from_native(df, eager_only=True)
    except TypeError as error:
        name = type(df).__name__
        if hasattr(df, "collect"):
            raise DataError(f"df is lazy ({name}); call .collect() first") from error
        raise DataError(f"df must be a pandas, polars or pyarrow table, got {name}") from error


def read_columns(df: Any, roles: dict[str, str]) -> dict[str, pd.Series]:
    """Take the used columns out of any supported table as pandas Series with a plain index.

    Nothing is copied here where it need not be.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    roles : dict
        Column name -> what it is used as, for the messages.

    Raises
    ------
    DataError
        Not a table, a column that is not there or stands in it twice, or no rows.
    """
    present = column_names(df)
    words = strings(present)
    for name, role in roles.items():
        count = words.count(name)
        if count == 0:
            raise DataError(f"{role}: {no_column(df, name, present)}")
        if count > 1:
            raise DataError(f"{role}: df has {count} columns named {name!r}; keep one")
    if isinstance(df, pd.DataFrame):
        columns = {name: pd.Series(df[name].array, name=name, copy=False) for name in roles}
    else:
        # Taken out natively: other columns may have the same name twice.
        table = _eager(df.select(list(roles)) if _is_arrow(df) else df)
        columns = {name: _plain_series(table[name], role) for name, role in roles.items()}
    if not len(next(iter(columns.values()))):
        raise DataError("df has no rows")
    return columns


def strings(names: list[Any]) -> list[str]:
    """Return the column names that are strings; others cannot be asked for."""
    return [name for name in names if isinstance(name, str)]


def no_column(df: Any, name: str, present: list[Any]) -> str:
    """Say that a column is not there, and what may have been meant."""
    message = f"df has no column {name!r}"
    if isinstance(df, pd.DataFrame) and name in df.index.names:
        return message + "; it is a level of the index: call df.reset_index() first"
    match = nearest(name, strings(present))
    listed = f"columns: {name_some(present, most=12)}" if present else "it has no columns at all"
    return f"{message}{did_you_mean(match)}; {listed}"


def _plain_series(column: nw.Series[Any], role: str) -> pd.Series:
    """Return a polars or pyarrow column as the pandas Series it would be in a pandas table."""
    import narwhals as nw

    dtype, name = column.dtype, column.name
    kind = type(dtype).__name__
    if kind in _NESTED or (kind == "Unknown" and column.null_count() < len(column)):
        raise DataError(f"{role} {name!r} holds {dtype} values; it must hold plain ones")
    if isinstance(dtype, nw.Enum):
        levels = getattr(dtype, "categories", None)  # older versions of narwhals do not tell
        labels = pd.Categorical(column.cast(nw.String).to_numpy(), categories=levels)
        return pd.Series(labels, name=name)
    if isinstance(dtype, nw.Categorical):
        column = column.cast(nw.String)
    elif isinstance(dtype, nw.Date):
        column = column.cast(nw.Datetime("us"))
    elif isinstance(dtype, nw.Decimal):
        column = column.cast(nw.Float64)
    elif isinstance(dtype, (nw.Int128, nw.UInt128)):
        column = _narrow(column, role)
    if column.dtype.is_integer() and column.null_count():
        # As floats, large identifiers would lose digits.
        gone = np.array(column.is_null().to_numpy())
        return pd.Series(pd.arrays.IntegerArray(column.fill_null(0).to_numpy(), gone), name=name)
    values = column.to_numpy()
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"), name=name)
    return pd.Series(values, name=name)


def _narrow(column: nw.Series[Any], role: str) -> nw.Series[Any]:
    """Return 128-bit integers as 64-bit ones, or raise."""
    import narwhals as nw

    size = column.cast(nw.Float64).abs().max()
    if size is not None and size >= 2.0**63:
        raise DataError(f"{role} {column.name!r} holds whole numbers of more than 64 bits")
    return column.cast(nw.Int64)


# ---- numbers ------------------------------------------------------------------------------------


def offenders(bad: Bools, values: Any) -> str:
    """Write how many rows are bad, and the first few of their values."""
    rows = np.flatnonzero(bad)
    shown = [str(value) for value in np.asarray(values)[rows[:3]]]
    return f"{plural(rows.size, 'row')}; first: {', '.join(shown)} (row {rows[0]})"


def as_float(column: pd.Series, role: str) -> Floats:
    """Return a numeric, boolean or object-of-numbers column as new float64; missing is NaN.

    Raises
    ------
    DataError
        The column holds text, dates or other things that are not real numbers.
    """
    column = uncategorized(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return column.to_numpy().astype(np.float64)
    if column.dtype == object:
        return _numbers_of_object(column, role)
    if is_complex(column) or not (
        pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
    ):
        present = column[column.notna().to_numpy()]
        if not len(present):
            return np.full(len(column), np.nan)
        shown = name_some((brief(value, 40) for value in present.iloc[:3]), most=3)
        raise DataError(f"{role} {column.name!r} is not numeric ({column.dtype}); first: {shown}")
    return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))


def is_complex(column: pd.Series) -> bool:
    """Whether a column holds complex numbers."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "c"


def uncategorized(column: pd.Series) -> pd.Series:
    """Return the values of a categorical column; other columns as they are."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    values = pd.Series(column.cat.categories).reindex(column.cat.codes)
    return pd.Series(values.array, name=column.name)


def _numbers_of_object(column: pd.Series, role: str) -> Floats:
    """Convert an object column of numbers; text that looks like a number is not one."""
    missing = column.isna().to_numpy(dtype=bool)
    values = [None if gone else value for value, gone in zip(column, missing, strict=True)]
    bad = np.array([value is not None and not is_number(value) for value in values])
    if bad.any():
        shown = np.array([brief(value, 40) for value in column], dtype=object)
        raise DataError(f"{role} {column.name!r} is not numeric: {offenders(bad, shown)}")
    return np.array([np.nan if value is None else _to_float(value) for value in values])


def is_number(value: object) -> bool:
    """Whether a value is a real number; truth values are, spans of time are not."""
    number = isinstance(value, (Real, Decimal, np.bool_))
    return number and not isinstance(value, np.timedelta64)


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float
        return np.inf if value > 0 else -np.inf


# ---- labels -------------------------------------------------------------------------------------


def distinct(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct integers, sorted, and the position of each value among them.

    Those of a narrow range are found by marking them, which is faster than to sort them. Both
    arrays are new.
    """
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * values.size:
        labels, codes = np.unique(values, return_inverse=True)
        return labels, codes
    offset = values - low
    present = np.zeros(high - low + 1, dtype=bool)
    present[offset] = True
    labels = np.flatnonzero(present)
    codes = offset if labels.size == present.size else (np.cumsum(present) - 1)[offset]
    return labels + low, codes


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of labels as integer codes.

    Attributes
    ----------
    codes : (N,) position of each row's label in `labels`; -1 where it is missing
    labels : (L,) the distinct labels, sorted
    """

    codes: Ints
    labels: pd.Index


def as_codes(column: pd.Series, role: str) -> Coded:
    """Factorize a column of any hashable labels; codes follow the sorted labels.

    Numbers that are not finite are missing.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _codes_of_categories(column, role)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and dtype != np.uint64:
        values = column.to_numpy()
        labels, codes = distinct(values.astype(np.int64, copy=False))
        return Coded(codes, pd.Index(labels.astype(dtype)))
    if pd.api.types.is_float_dtype(dtype):
        return _codes_of_floats(as_float(column, role))
    if column.dtype == object:
        column = column.where(~_missing_labels(column), None)
    return _factorized(column, role)


def _codes_of_floats(values: Floats) -> Coded:
    finite = np.isfinite(values)
    codes, labels = np.full(values.size, -1), np.empty(0)
    present = values[finite]
    if present.size and (present == np.floor(present)).all() and np.abs(present).max() < 2.0**53:
        whole, codes[finite] = distinct(present.astype(np.int64))
        labels = whole.astype(np.float64)
    elif present.size:
        labels, codes[finite] = np.unique(present, return_inverse=True)
    return Coded(codes, pd.Index(labels))


def _missing_labels(column: pd.Series) -> Bools:
    """Return where an object column holds no label, (N,)."""
    gone = np.array(column.isna(), dtype=bool)
    infinite = [is_number(value) and value in (np.inf, -np.inf) for value in column[~gone]]
    gone[~gone] = infinite
    return gone


def _factorized(column: pd.Series, role: str) -> Coded:
    try:
        codes, labels = pd.factorize(column, sort=False)
    except TypeError as error:
        bad = [value for value in column if not isinstance(value, Hashable)]
        raise DataError(
            f"{role} {column.name!r} holds values that cannot be labels, "
            f"such as {brief(bad[0] if bad else column.iloc[0])}"
        ) from error
    index = pd.Index(labels)
    try:
        order = index.argsort()
    except TypeError:  # labels of several types have no order of their own
        ranked = sorted(range(len(index)), key=lambda i: (str(type(index[i])), str(index[i])))
        order = np.array(ranked, dtype=np.int64)
    rank = np.empty(order.size + 1, dtype=np.int64)
    rank[order] = np.arange(order.size)
    rank[-1] = -1
    return Coded(rank[codes], index[order])


def _codes_of_categories(column: pd.Series, role: str) -> Coded:
    """Factorize categories instead of rows, and renumber those that occur."""
    own = as_codes(pd.Series(column.cat.categories, name=column.name), role)
    codes = np.append(own.codes, -1)[column.cat.codes]
    present = np.zeros(len(own.labels) + 1, dtype=bool)
    present[codes] = True
    rank = np.append(np.cumsum(present[:-1]) - 1, -1)
    return Coded(rank[codes], own.labels[present[:-1]])


# ---- time ---------------------------------------------------------------------------------------


_NO_SHIFT = pd.Timedelta(0)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """How calendar labels stand for integers, so that t - g counts periods.

    Periods of a multiple, such as two years, count in the single unit.

    Attributes
    ----------
    kind : what the labels are
    dtype : pandas dtype of "period" and "datetime" labels
    freq : pandas frequency of the periods that "datetime" labels stand for
    shift : distance of a datetime label from the start of its period, or of its last day
    at_end : whether it is measured from the last day
    """

    kind: Literal["int", "float", "period", "datetime"]
    dtype: Any = None
    freq: str = ""
    shift: pd.Timedelta = _NO_SHIFT
    at_end: bool = False

    def labels(self, values: Iterable[int] | Ints) -> pd.Index:
        """Return the user's labels of integer periods."""
        whole = np.asarray(values, dtype=np.int64)
        if self.kind == "int":
            return pd.Index(whole)
        if self.kind == "float":
            return pd.Index(whole.astype(np.float64))
        if self.kind == "period":
            return pd.PeriodIndex(pd.arrays.PeriodArray(whole, dtype=self.dtype))
        periods = pd.PeriodIndex(pd.arrays.PeriodArray(whole, dtype=pd.PeriodDtype(self.freq)))
        dates: pd.Index = (_edge(periods, self.at_end) + self.shift).astype(self.dtype)
        return dates


def _edge(periods: pd.PeriodIndex, at_end: bool) -> pd.DatetimeIndex:
    """Return the start, or the last day, of periods."""
    return periods.end_time.normalize() if at_end else periods.start_time


@dataclass(frozen=True, slots=True)
class Times:
    """Time and cohort on one integer axis.

    Attributes
    ----------
    axis : TimeAxis
    period : (N,) period; anything where it is missing
    period_missing : (N,)
    cohort : (N,) first treated period; `NEVER` for one coded 0 or inf, or missing
    cohort_missing : (N,) where the cohort is missing rather than coded
    zero : (N,) where the cohort is the number 0
    """

    axis: TimeAxis
    period: Ints
    period_missing: Bools
    cohort: Ints
    cohort_missing: Bools
    zero: Bools


def as_times(time: pd.Series, cohort: pd.Series) -> Times:
    """Read the columns of period (`tname`) and cohort (`gname`)."""
    time, cohort = _calendar(time, "tname"), _calendar(cohort, "gname")
    kinds = {_calendar_kind(column) for column in (time, cohort) if column.notna().any()}
    if kinds <= {"number"}:
        return _numeric_times(time, cohort)
    if len(kinds) > 1:
        raise DataError(
            f"tname {time.name!r} ({time.dtype}) and gname {cohort.name!r} ({cohort.dtype}) must "
            "be of one kind: both whole numbers, both pandas Periods, or both dates"
        )
    return _calendar_times(time, cohort)


def _calendar(column: pd.Series, role: str) -> pd.Series:
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
        if inferred in ("date", "datetime", "datetime64"):
            return pd.to_datetime(column)
        if inferred == "period":
            return pd.Series(pd.PeriodIndex(column), name=column.name)
    except ValueError as error:
        raise DataError(
            f"{role} {column.name!r} mixes dates with and without a time zone, or Periods of "
            "several frequencies"
        ) from error
    return column


def _calendar_kind(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.PeriodDtype):
        return "period"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "datetime"
    return "number"


def _numeric_times(time: pd.Series, cohort: pd.Series) -> Times:
    period, of_time = _whole(time, "tname")
    group, of_cohort = _whole(cohort, "gname")
    zero, nobody = group == 0, np.zeros(len(cohort), dtype=bool)
    never, missing = zero, nobody
    if of_cohort is not None:
        missing, infinite = np.isnan(of_cohort), np.isinf(of_cohort)
        negative = infinite & (of_cohort < 0)
        if negative.any():
            raise DataError(
                f"gname {cohort.name!r} holds -inf: {offenders(negative, of_cohort)}; "
                "never-treated is 0, inf or missing"
            )
        zero = zero & ~missing & ~infinite
        never = zero | missing | infinite
    # Whole numbers with gaps are floats in pandas, which the user did not choose.
    floats = pd.api.types.is_float_dtype(time.dtype) and bool(time.notna().all())
    return Times(
        axis=TimeAxis("float" if floats else "int"),
        period=period,
        period_missing=nobody if of_time is None else ~np.isfinite(of_time),
        cohort=np.where(never, NEVER, group),
        cohort_missing=missing,
        zero=zero,
    )


def _whole(column: pd.Series, role: str) -> tuple[Ints, Floats | None]:
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
            f"{offenders(bad, values)}; number the periods 1, 2, 3, ..."
        )
    return values.astype(np.int64, copy=False), floats


def _calendar_times(time: pd.Series, cohort: pd.Series) -> Times:
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
        axis = _datetime_axis(time, cohort)
    return Times(
        axis=axis,
        period=_ordinals(axis, time, missing),
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
    periods = pd.PeriodIndex(values) if axis.kind == "period" else _periods(values, axis.freq)
    return np.append(np.asarray(periods.asi8, dtype=np.int64), 0)[codes]


def _periods(dates: Any, freq: str) -> pd.PeriodIndex:
    return pd.DatetimeIndex(dates).to_period(freq)


def _datetime_axis(time: pd.Series, cohort: pd.Series) -> TimeAxis:
    """Find the coarsest calendar on which each date of `time` is one period, and check it."""
    for role, column in (("tname", time), ("gname", cohort)):
        if getattr(column.dtype, "tz", None) is not None:
            raise DataError(
                f"{role} {column.name!r} has a time zone; call .dt.tz_localize(None) first"
            )
    stamps = pd.DatetimeIndex(time.dropna().unique()).sort_values()
    axis = _coarsest_axis(stamps, time.dtype)
    if axis is None:
        raise DataError(
            f"tname {time.name!r} has dates of no regular frequency (year, quarter, month, week, "
            f"day, ...): {name_some(stamps[:4].astype(str))}; use pandas Periods, such as "
            f"df[{time.name!r}].dt.to_period('M'), or number the periods 1, 2, 3, ..."
        )
    _check_cohort_dates(axis, cohort, time)
    return axis


def _coarsest_axis(stamps: pd.DatetimeIndex, dtype: Any) -> TimeAxis | None:
    """Find the axis of sorted distinct dates, or return None if they have none."""
    for freq in _CALENDARS + _CLOCKS:
        periods = _periods(stamps, freq)
        if periods.nunique() < stamps.size:
            continue
        steps = np.diff(periods.asi8)
        if freq in _CLOCKS and steps.size and (steps % steps.min()).any():
            continue
        for at_end in (False, True):
            shift = (stamps - _edge(periods, at_end)).unique()
            if shift.size == 1:
                return TimeAxis("datetime", dtype, freq, shift[0], at_end)
    return None


def _check_cohort_dates(axis: TimeAxis, cohort: pd.Series, time: pd.Series) -> None:
    """Raise for dates of first treatment that are not among the dates that periods can have."""
    stamps = pd.DatetimeIndex(cohort.dropna().unique())
    try:
        off = stamps[axis.labels(_periods(stamps, axis.freq).asi8) != stamps]
    except (pd.errors.OutOfBoundsDatetime, OverflowError):  # a year such as 9999
        off = stamps[stamps.year > 2200]
    if not off.size:
        return
    rows = int(cohort.isin(off).sum())
    raise DataError(
        f"gname {cohort.name!r} has dates that are no period of tname {time.name!r}, "
        f"whose frequency is {axis.freq!r}: {plural(rows, 'row')}; first: "
        f"{name_some(off.astype(str), most=3)}; use Periods for both, such as "
        f".dt.to_period({axis.freq!r}), and NaT for never-treated"
    )
