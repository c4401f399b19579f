"""Any data frame -> pandas Series of the used columns -> plain numpy columns."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from didjack.errors import DataError, name_some, plural
from didjack.options import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = np.int64(2**62)
"""The cohort code of never-treated units: later than any period."""

_PERIOD_FREQUENCIES = ("Y", "Q", "M", "W", "D", "h", "min", "s")


def column_names(df: Any) -> list[Any]:
    """List the column names of a pandas, polars or pyarrow table, duplicates included."""
    if nw.dependencies.is_pandas_dataframe(df) and df.columns.nlevels > 1:
        raise DataError("df has MultiIndex columns; flatten them to one level of names")
    try:
        native: Any = nw.from_native(df)
    except nw.exceptions.DuplicateError:
        native = None
    except TypeError as error:
        raise DataError(
            f"df must be a pandas, polars or pyarrow table, got {type(df).__name__}"
        ) from error
    if isinstance(native, nw.LazyFrame):
        raise DataError(f"df is a lazy {type(df).__module__.split('.')[0]} frame; collect it first")
    names = df.column_names if nw.dependencies.is_pyarrow_table(df) else df.columns
    return list(names)


def read_columns(df: Any, roles: dict[str, str]) -> dict[str, pd.Series]:
    """Take the used columns out of any supported table as pandas Series with a plain index.

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
    for name, role in roles.items():
        count = present.count(name)
        if count == 0:
            raise DataError(_unknown_column(df, name, role, present))
        if count > 1:
            raise DataError(f"{role}: df has {count} columns named {name!r}; keep one")
    if nw.dependencies.is_pandas_dataframe(df):
        frame = df.loc[:, list(roles)]
        columns = {name: frame[name].reset_index(drop=True) for name in roles}
    else:
        table = df.select(list(roles))
        wrapped = nw.from_native(table, eager_only=True)
        columns = {name: _plain_series(wrapped[name]) for name in roles}
    if not len(next(iter(columns.values()))):
        raise DataError("df has no rows")
    return columns


def _plain_series(column: nw.Series[Any]) -> pd.Series:
    """Return a polars or pyarrow column as a pandas Series."""
    if isinstance(column.dtype, (nw.Categorical, nw.Enum)):
        column = column.cast(nw.String)
    elif isinstance(column.dtype, nw.Date):
        column = column.cast(nw.Datetime("us"))
    elif isinstance(column.dtype, nw.Decimal):
        column = column.cast(nw.Float64)
    return pd.Series(column.to_numpy(), name=column.name)


def _unknown_column(df: Any, name: str, role: str, present: list[Any]) -> str:
    message = f"{role}: df has no column {name!r}"
    if nw.dependencies.is_pandas_dataframe(df) and name in df.index.names:
        return message + "; it is a level of the index: call df.reset_index() first"
    match = nearest(name, [str(column) for column in present])
    hint = f" (did you mean {match!r}?)" if match else ""
    return message + hint + f"; columns: {name_some(present, most=12)}"


def offenders(bad: Bools, values: Any) -> str:
    """Write how many rows are bad, and the first few of their values."""
    rows = np.flatnonzero(bad)
    shown = [str(value) for value in np.asarray(values)[rows[:3]]]
    return f"{plural(rows.size, 'row')}; first: {', '.join(shown)} (row {rows[0]})"


def as_float(column: pd.Series, role: str) -> Floats:
    """Return a numeric, boolean or object-of-numbers column as float64; missing is NaN.

    Raises
    ------
    DataError
        The column holds text, dates or other things that are not real numbers.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object:
        column = _numbers_of_object(column, role)
    if pd.api.types.is_complex_dtype(column.dtype) or not (
        pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
    ):
        missing = column.isna().to_numpy()
        shown = name_some((repr(v) for v in column[~missing].iloc[:3]), most=3)
        raise DataError(f"{role} {column.name!r} is not numeric ({column.dtype}); first: {shown}")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _numbers_of_object(column: pd.Series, role: str) -> pd.Series:
    """Convert an object column of numbers; text that looks like a number is not one."""
    missing = column.isna().to_numpy(dtype=bool)
    kinds = {type(value) for value in column[~missing]}
    numeric = {kind for kind in kinds if _is_number(kind)}
    if kinds - numeric:
        bad = np.array([not _is_number(type(value)) for value in column]) & ~missing
        raise DataError(
            f"{role} {column.name!r} is not numeric: "
            f"{offenders(bad, [repr(value) for value in column])}"
        )
    values = np.array(
        [np.nan if gone else float(v) for v, gone in zip(column, missing, strict=True)]
    )
    return pd.Series(values, name=column.name)


def _is_number(kind: type) -> bool:
    return hasattr(kind, "__float__") and not issubclass(
        kind, (str, bytes, complex, np.complexfloating, datetime.date, pd.Period, np.datetime64)
    )


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


def as_codes(column: pd.Series) -> Coded:
    """Factorize a column of any hashable labels; codes follow the sorted labels."""
    if column.dtype == object:
        column = column.where(column.notna(), None)
    elif isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        column = column.where(np.isfinite(column))
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.remove_unused_categories().cat.as_unordered()
        column = column.astype(column.cat.categories.dtype)
    fast = _codes_of_small_integers(column)
    if fast is not None:
        return fast
    try:
        codes, labels = pd.factorize(column, sort=True)
    except TypeError:  # labels of several types have no order of their own
        codes, labels = pd.factorize(column, sort=False)
        order = sorted(range(len(labels)), key=lambda i: (str(type(labels[i])), str(labels[i])))
        rank = np.empty(len(labels) + 1, dtype=np.int64)
        rank[order] = np.arange(len(labels))
        rank[-1] = -1
        codes, labels = rank[codes], labels[order]
    return Coded(np.asarray(codes, dtype=np.int64), pd.Index(labels))


def _codes_of_small_integers(column: pd.Series) -> Coded | None:
    """Code integers of a narrow range by counting, which is faster than hashing them."""
    if not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"):
        return None
    values = column.to_numpy()
    low, high = int(values.min()), int(values.max())
    if high > np.iinfo(np.int64).max or high - low > 4 * len(values):
        return None
    offset = values.astype(np.int64) - low if low else values.astype(np.int64)
    present = np.bincount(offset, minlength=high - low + 1) > 0
    labels = np.flatnonzero(present)
    codes = offset if labels.size == present.size else (np.cumsum(present) - 1)[offset]
    return Coded(codes, pd.Index((labels + low).astype(values.dtype)))


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """How calendar labels stand for integers, so that t - g counts periods.

    Attributes
    ----------
    kind : "int", "float", "period" or "datetime"
    freq : pandas frequency of "period" and "datetime" axes
    shift : distance of a datetime label from the start (or end) of its period
    at_end : whether datetime labels are measured from the end of their period
    """

    kind: str
    freq: str | None = None
    shift: pd.Timedelta | None = None
    at_end: bool = False

    def labels(self, values: Iterable[int] | Ints) -> pd.Index:
        """Return the user's labels of integer periods."""
        whole = np.asarray(values, dtype=np.int64)
        if self.kind == "int":
            return pd.Index(whole)
        if self.kind == "float":
            return pd.Index(whole.astype(np.float64))
        from_ordinals = pd.PeriodIndex.from_ordinals  # type: ignore[attr-defined]
        periods: pd.PeriodIndex = from_ordinals(whole, freq=self.freq)
        if self.kind == "period":
            return periods
        edge = periods.end_time.normalize() if self.at_end else periods.start_time
        return edge + self.shift


def as_times(
    tname: str, time: pd.Series, gname: str, cohort: pd.Series
) -> tuple[TimeAxis, Ints, Bools, Ints, Bools]:
    """Read time and cohort on one integer axis.

    Returns
    -------
    axis : TimeAxis
    period : (N,) integer period; period_missing : (N,) where it is missing
    group : (N,) integer first treated period, `NEVER` for coded 0, inf or missing
    group_missing : (N,) where the cohort is missing rather than coded
    """
    time, cohort = _calendar(time), _calendar(cohort)
    kinds = {_calendar_kind(time), _calendar_kind(cohort) if cohort.notna().any() else None}
    if kinds - {None} == {"number"}:
        return _numeric_times(tname, time, gname, cohort)
    if kinds - {None} not in ({"period"}, {"datetime"}):
        raise DataError(
            f"tname {tname!r} ({time.dtype}) and gname {gname!r} ({cohort.dtype}) must be "
            "of one kind: both whole numbers, both pandas Periods, or both dates"
        )
    return _calendar_times(tname, time, gname, cohort)


def _calendar(column: pd.Series) -> pd.Series:
    """Give object columns of dates or Periods, and Arrow dates, their pandas dtype."""
    kind = getattr(column.dtype, "pyarrow_dtype", None)
    if kind is not None and str(kind).startswith(("date", "timestamp")):
        return column.astype("datetime64[us]")
    if column.dtype != object or not column.notna().any():
        return column
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred in ("date", "datetime", "datetime64"):
        return pd.to_datetime(column)
    return pd.Series(pd.PeriodIndex(column), name=column.name) if inferred == "period" else column


def _calendar_kind(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.PeriodDtype):
        return "period"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "datetime"
    return "number"


def _whole(column: pd.Series, values: Floats, role: str) -> Ints:
    """Return finite entries as integers (others 0), or raise where they are not whole."""
    if pd.api.types.is_bool_dtype(column.dtype):
        raise DataError(f"{role} {column.name!r} is boolean; it must hold whole numbers or dates")
    finite = np.isfinite(values)
    whole = np.where(finite, values, 0.0)
    bad = (whole != np.floor(whole)) | (np.abs(whole) > 2.0**53)
    if bad.any():
        raise DataError(
            f"{role} {column.name!r} must hold whole numbers (or Periods or dates): "
            f"{offenders(bad, values)}; number the periods 1, 2, 3, ..."
        )
    return whole.astype(np.int64)


def _numeric_times(
    tname: str, time: pd.Series, gname: str, cohort: pd.Series
) -> tuple[TimeAxis, Ints, Bools, Ints, Bools]:
    integer = [_integer_values(column) for column in (time, cohort)]
    if integer[0] is not None:
        period, missing = integer[0], np.zeros(len(time), dtype=bool)
    else:
        values = as_float(time, "tname")
        period, missing = _whole(time, values, "tname"), ~np.isfinite(values)
    if integer[1] is not None:
        group, never, gone = integer[1], integer[1] == 0, np.zeros(len(cohort), dtype=bool)
    else:
        values = as_float(cohort, "gname") if cohort.notna().any() else np.full(len(cohort), np.nan)
        if (values == -np.inf).any():
            raise DataError(f"gname {gname!r} holds -inf: {offenders(values == -np.inf, values)}")
        group, gone = _whole(cohort, values, "gname"), np.isnan(values)
        never = ~np.isfinite(values) | (values == 0)
    floating = integer[0] is None and pd.api.types.is_float_dtype(time.dtype)
    return (
        TimeAxis("float" if floating and _plain_float(time) else "int"),
        period,
        missing,
        np.where(never, NEVER, group),
        gone,
    )


def _plain_float(time: pd.Series) -> bool:
    """Whether time came as floats by itself, not because integers had missing values."""
    return bool(time.notna().all())


def _integer_values(column: pd.Series) -> Ints | None:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column.to_numpy().astype(np.int64, copy=False)
    return None


def _calendar_times(
    tname: str, time: pd.Series, gname: str, cohort: pd.Series
) -> tuple[TimeAxis, Ints, Bools, Ints, Bools]:
    missing, gone = time.isna().to_numpy(), cohort.isna().to_numpy()
    if isinstance(time.dtype, pd.PeriodDtype):
        axis = TimeAxis("period", freq=time.dtype.freq.freqstr)
        if not gone.all() and cohort.dtype != time.dtype:
            raise DataError(
                f"gname {gname!r} ({cohort.dtype}) and tname {tname!r} ({time.dtype}) "
                "must have one frequency"
            )
    else:
        axis = _datetime_axis(tname, time, gname, cohort)
    period = _ordinals(axis, time, missing)
    group = np.where(gone, NEVER, _ordinals(axis, cohort, gone))
    return axis, period, missing, group, gone


def _ordinals(axis: TimeAxis, column: pd.Series, missing: Bools) -> Ints:
    if missing.all():
        return np.zeros(len(column), dtype=np.int64)
    index = (
        pd.PeriodIndex(column)
        if axis.kind == "period"
        else pd.DatetimeIndex(column).to_period(axis.freq)
    )
    return np.where(missing, 0, np.asarray(index.asi8, dtype=np.int64))


def _datetime_axis(tname: str, time: pd.Series, gname: str, cohort: pd.Series) -> TimeAxis:
    """Find the coarsest regular calendar on which every date is one period."""
    for name, column in ((tname, time), (gname, cohort)):
        if getattr(column.dtype, "tz", None) is not None:
            raise DataError(f"column {name!r} has a time zone; call .dt.tz_localize(None) first")
    stamps = pd.DatetimeIndex(pd.concat([time, cohort]).dropna().unique())
    for freq in _PERIOD_FREQUENCIES:
        periods = stamps.to_period(freq)
        if periods.nunique() < stamps.size:
            continue
        for at_end in (False, True):
            edge = periods.end_time.normalize() if at_end else periods.start_time
            shift = (stamps - edge).unique()
            if shift.size == 1:
                return TimeAxis("datetime", freq=freq, shift=shift[0], at_end=at_end)
    raise DataError(
        f"tname {tname!r} and gname {gname!r} are dates of no regular frequency "
        f"(year, quarter, month, week, day, ...): {name_some(stamps[:3].astype(str))}; "
        "use pandas Periods or number the periods 1, 2, 3, ..."
    )
