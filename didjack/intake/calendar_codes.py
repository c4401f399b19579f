"""Numbers that write dates, such as 202012, and days without weekends: they have gaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from didjack._typing import Ints
from didjack.errors import SampleWarning, warn
from didjack.intake.remedies import PANDAS
from didjack.intake.sample import Sample


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
                f"tname {name!r} looks like {code.what} written as one number, but is counted as a "
                f"number: from {before} to {after} are {after - before} periods, in event times "
                f"too. {_remedy(code, sample)} the periods 1, 2, 3, ...",
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
            f"{after} are 3 periods, in event times too. If they should not, number the periods "
            "1, 2, 3, ...",
            SampleWarning,
        )


def _remedy(code: _Code, sample: Sample) -> str:
    if sample.package != PANDAS:
        return "Number"
    periods = code.remedy.format(sample.options.tname)
    return (
        f"Use pandas Periods, such as {periods}, for tname and gname (NaT for never-treated), or "
        "number"
    )


def _first_gap(periods: Ints, code: _Code) -> tuple[int, int] | None:
    """Return the sorted periods between which a code has its first gap; None if it is another."""
    year, rest = periods // code.divisor, periods % code.divisor
    dates = (year >= 1800) & (year < 2200) & (rest >= code.least) & (rest <= code.most)
    jumps = np.flatnonzero(np.diff(periods // code.wrap))
    if not dates.all() or not jumps.size:
        return None
    return int(periods[jumps[0]]), int(periods[jumps[0] + 1])
