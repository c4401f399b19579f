"""How the labels of periods stand for integers, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.data.numbers import PANDAS
from didjack.errors import DataError
from didjack.wording import name_some, plural

_CALENDARS = ("Y", "Q", "Q-JAN", "Q-FEB", "M", "W")
"""Frequencies, the coarsest first, that not just any few dates have."""

_CLOCKS = ("D", "h", "min", "s")
"""Frequencies that any whole days, hours, ... have; their steps have to be regular."""

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

    @property
    def words(self) -> str:
        """Name what the labels are."""
        if self.kind in ("int", "float"):
            return "numbers"
        if self.kind == "period":
            return str(self.dtype)
        return f"{self.kind} {self.freq or self.dtype}"

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


def periods_of_dates(dates: Any, freq: str) -> pd.PeriodIndex:
    """Return the periods of a frequency in which dates lie."""
    return pd.DatetimeIndex(dates).to_period(freq)


def axis_of_dates(time: pd.Series, cohort: pd.Series, package: str = "") -> TimeAxis:
    """Find the coarsest calendar on which each date of `time` is one period, and check it.

    Parameters
    ----------
    time, cohort : (N,)
    package : that of the user's table, whose code remedies are
    """
    pandas = package == PANDAS
    for role, column in (("tname", time), ("gname", cohort)):
        if getattr(column.dtype, "tz", None) is not None:
            raise DataError(
                f"{role} {column.name!r} has a time zone; "
                + (
                    f"use df[{column.name!r}].dt.tz_localize(None)"
                    if pandas
                    else "make dates without one of it"
                )
            )
    stamps = pd.DatetimeIndex(time.dropna().unique()).sort_values()
    try:
        axis = _coarsest_axis(stamps, time.dtype)
    except pd.errors.OutOfBoundsDatetime as error:
        # pandas 2 has periods begin at nanoseconds, which reach from 1677 to 2262.
        raise DataError(
            f"tname {time.name!r} has dates of which this version of pandas makes no periods: "
            f"{name_some(stamps[[0, -1]].astype(str))}; number the periods 1, 2, 3, ..."
        ) from error
    if axis is None:
        periods = f"df[{time.name!r}].dt.to_period('M')"
        raise DataError(
            f"tname {time.name!r} has dates of no regular frequency (year, quarter, month, week, "
            f"day, ...): {name_some(stamps[:4])}; "
            + (f"use pandas Periods, such as {periods}, or " if pandas else "")
            + "number the periods 1, 2, 3, ..."
        )
    _check_cohort_dates(axis, cohort, time, pandas)
    return axis


def _coarsest_axis(stamps: pd.DatetimeIndex, dtype: Any) -> TimeAxis | None:
    """Find the axis of sorted distinct dates, or return None if they have none."""
    for freq in _CALENDARS + _CLOCKS:
        periods = periods_of_dates(stamps, freq)
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


def _check_cohort_dates(axis: TimeAxis, cohort: pd.Series, time: pd.Series, pandas: bool) -> None:
    """Raise for dates of first treatment that are not among the dates that periods can have."""
    stamps = pd.DatetimeIndex(cohort.dropna().unique())
    try:
        off = stamps[axis.labels(periods_of_dates(stamps, axis.freq).asi8) != stamps]
    except (pd.errors.OutOfBoundsDatetime, OverflowError):  # a year such as 9999
        off = stamps[(stamps.year < 1678) | (stamps.year > 2261)]
    if not off.size:
        return
    rows = int(cohort.isin(off).sum())
    freq, t, g = axis.freq, f"df[{time.name!r}]", f"df[{cohort.name!r}]"
    raise DataError(
        f"gname {cohort.name!r} has dates that are not periods of tname {time.name!r}, "
        f"whose frequency is {axis.freq!r}: {plural(rows, 'row')}; first: "
        f"{name_some(off, most=3)}; "
        + (
            f"use {t}.dt.to_period({freq!r}) and {g}.dt.to_period({freq!r}), with NaT for "
            "never-treated"
            if pandas
            else "give each the date that its period has, and leave never-treated missing"
        )
    )
