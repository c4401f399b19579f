"""A treatment that is 0 or 1 in each period -> the first treated period of each unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Ints
from didjack.errors import DataError, OptionError, SampleWarning, warn
from didjack.intake.calendar import as_times
from didjack.intake.labels import as_codes
from didjack.intake.numbers import as_float, offenders
from didjack.intake.tables import column_like, read_columns
from didjack.intake.time_axis import TimeAxis
from didjack.options import check_column, told_apart
from didjack.wording import label_text, name_some, one_line, plural

NAME = "first_treated"
"""What the column is called."""


@told_apart
def first_treated(df: Any, treatment: str, tname: str, idname: str) -> Any:
    """Find the cohort of each row: the first period in which its unit is treated.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
        N rows. It is not modified.
    treatment : str
        Column that is 1 (True) in the periods in which a unit is treated, from the first of them
        on, and 0 (False) before.
    tname : str
        Column of the period: whole numbers, pandas Periods, or dates of a regular frequency.
    idname : str
        Column of what is treated: the unit of a panel; of repeated cross sections, or of several
        rows a period, the state or whatever else is treated as a whole.

    Returns
    -------
    Series, or ChunkedArray of pyarrow
        (N,) named "first_treated", of the kind of `df` and in its order, for `gname` of `csdid`:
        a period of the column `tname`; missing (NaN, NaT, null) where a unit is never treated.
        Whole numbers of pandas are floats where some are missing. Of pandas, ``attrs`` has n_units,
        n_never_treated, n_always_treated (treated whenever they are seen) and n_unseen (not seen in
        the last period before the one in which they are first seen treated).

    Raises
    ------
    DataError
        Treatment that is neither 0 nor 1, or is switched off again; rows of one unit and period
        that differ in it; a missing value in one of the columns.
    OptionError
        An argument that is no name of a column.

    Warns
    -----
    SampleWarning
        Units that are treated whenever they are seen, or that were not seen in the period before:
        they may have been treated earlier.

    Examples
    --------
    >>> import didjack, pandas as pd
    >>> df = pd.DataFrame({
    ...     "state": ["NJ", "NJ", "NJ", "PA", "PA", "PA"],
    ...     "year": [1991, 1992, 1993] * 2,
    ...     "raised": [0, 1, 1, 0, 0, 0],
    ... })
    >>> df["cohort"] = didjack.first_treated(df, "raised", "year", "state")
    >>> print(df.to_string(index=False))
    state  year  raised  cohort
       NJ  1991       0  1992.0
       NJ  1992       1  1992.0
       NJ  1993       1  1992.0
       PA  1991       0     NaN
       PA  1992       0     NaN
       PA  1993       0     NaN
    """
    roles = _roles(treatment=treatment, tname=tname, idname=idname)
    seen = _read(read_columns(df, roles), treatment, tname, idname)
    first = seen.first()
    _check_absorbing(seen, first)
    counts = _counted(seen, first)
    _warn_of_early(seen, first)
    # Where each unit is first treated, in some row of the table: labels come from there.
    row = np.full(first.size, -1)
    start = np.flatnonzero(seen.on & (seen.period == first[seen.unit]))
    row[seen.unit[start[::-1]]] = start[::-1]
    return column_like(df, tname, row[seen.unit], NAME, counts)


def _roles(**columns: Any) -> dict[str, str]:
    """Map each column to what it is used as, or raise where these are no three columns."""
    roles: dict[str, str] = {}
    for name, column in columns.items():
        check_column(name, column)
        if column in roles:
            raise OptionError(f"{roles[column]} and {name} are the same column, {column!r}")
        roles[column] = name
    return roles


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """When units are seen, and whether they are treated then.

    Attributes
    ----------
    treatment, idname : the columns
    on : (N,) whether the unit is treated
    period : (N,) on the integer axis
    unit : (N,) codes
    axis : TimeAxis
    labels : (L,) of the units
    """

    treatment: str
    idname: str
    on: Bools
    period: Ints
    unit: Ints
    axis: TimeAxis
    labels: pd.Index

    def first(self, among: Bools | None = None) -> Ints:
        """Return the first period of each unit among some rows, or those treated, (L,)."""
        rows = self.on if among is None else among
        first = np.full(len(self.labels), NEVER)
        np.minimum.at(first, self.unit[rows], self.period[rows])
        return first

    def name(self, units: Ints, most: int = 3) -> str:
        """Name the first few units."""
        return name_some(self.labels[units], most=most)

    def pairs(self, rows: Bools) -> Ints:
        """Return the distinct pairs of unit and period of some rows, sorted, (P, 2)."""
        pairs: Ints = np.unique(np.column_stack([self.unit[rows], self.period[rows]]), axis=0)
        return pairs

    def period_text(self, period: int) -> str:
        """Write a period."""
        return label_text(self.axis.labels([period])[0])


def _read(data: dict[str, pd.Series], treatment: str, tname: str, idname: str) -> _Seen:
    """Read the three columns, or raise."""
    value = as_float(data[treatment], "treatment")
    nobody = pd.Series(np.full(value.size, np.nan), name=tname)
    times = as_times(data[tname], nobody)
    unit = as_codes(data[idname], "idname")
    missing = {
        f"treatment {treatment!r}": np.isnan(value),
        f"tname {tname!r}": times.period_missing,
        f"idname {idname!r}": unit.codes < 0,
    }
    for what, gone in missing.items():
        if gone.any():
            raise DataError(
                f"{what} is missing in {plural(int(gone.sum()), 'row')}; first: row "
                f"{np.flatnonzero(gone)[0]}; fill it, or drop these rows"
            )
    bad = (value != 0) & (value != 1)
    if bad.any():
        raise DataError(
            f"treatment {treatment!r} must be 0 or 1, or False or True: {offenders(bad, value)}"
        )
    on = value == 1
    return _Seen(treatment, idname, on, times.period, unit.codes, times.axis, unit.labels)


def _check_absorbing(seen: _Seen, first: Ints) -> None:
    """Raise where rows of one unit and period differ, or treatment is switched off again."""
    off = ~seen.on & (seen.period >= first[seen.unit])
    if not off.any():
        return
    pairs = seen.pairs(off)
    found, times = np.unique(
        np.concatenate([pairs, seen.pairs(seen.on)]), axis=0, return_counts=True
    )
    both = found[times > 1]
    if len(both):
        shown = ", ".join(
            f"({one_line(seen.labels[unit])}, {seen.period_text(period)})"
            for unit, period in both[:3]
        )
        raise DataError(
            f"treatment {seen.treatment!r} is both 0 and 1 in rows of the same {seen.idname!r} and "
            f"period: {plural(len(both), 'time')}; first: {shown}; idname has to name what is "
            "treated as a whole"
        )
    units, start = np.unique(pairs[:, 0], return_index=True)
    shown = ", ".join(
        f"{one_line(seen.labels[unit])} (on in {seen.period_text(first[unit])}, off in "
        f"{seen.period_text(period)})"
        for unit, period in pairs[start[:3]]
    )
    raise DataError(
        f"treatment {seen.treatment!r} is switched off again in {plural(units.size, 'unit')} of "
        f"{seen.idname!r}; first: {shown}; a cohort has to stay treated. To go by the first "
        f"treatment, whatever follows, take the running maximum of {seen.treatment!r} by unit"
    )


def _counted(seen: _Seen, first: Ints) -> dict[str, int]:
    """Count units, and those treated never, always, or from some time before they are seen."""
    always, unseen = _early(seen, first)
    return {
        "n_units": len(seen.labels),
        "n_never_treated": int((first == NEVER).sum()),
        "n_always_treated": int(always.sum()),
        "n_unseen": int(unseen.sum()),
    }


def _early(seen: _Seen, first: Ints) -> tuple[Bools, Bools]:
    """Return which units are treated whenever seen, and which are not seen just before, (L,)."""
    treated = first != NEVER
    always = treated & (first == seen.first(np.ones(seen.on.size, dtype=bool)))
    periods = np.unique(seen.period)
    # The sample's last period before the one in which a unit is first seen treated.
    at = np.searchsorted(periods, first)
    before = periods[np.maximum(at - 1, 0)]
    watched = np.zeros(first.size, dtype=bool)
    watched[seen.unit[seen.period == before[seen.unit]]] = True
    return always, treated & (at > 0) & ~watched


def _warn_of_early(seen: _Seen, first: Ints) -> None:
    """Warn, once, of units that may have been treated before they are seen treated."""
    always, unseen = _early(seen, first)
    parts = []
    if always.any():
        units = np.flatnonzero(always)
        parts.append(
            f"{plural(units.size, 'unit')} of {seen.idname!r} {_are(units)} treated whenever seen "
            f"(first: {seen.name(units)}): the first of these periods stands for the cohort, and "
            "csdid drops those treated in the first period of the data"
        )
        if (always == (first != NEVER)).all():
            parts[0] += (
                f". Does {seen.treatment!r} mark units that are ever treated? It has to be 0 "
                "before they are"
            )
    if unseen.any():
        units = np.flatnonzero(unseen)
        parts.append(
            f"{plural(units.size, 'unit')} of {seen.idname!r} {_are(units)} not seen in the period "
            f"before the first one seen treated (first: {seen.name(units)}): treatment may have "
            "begun earlier"
        )
    if parts:
        warn("; ".join(parts), SampleWarning)


def _are(units: Ints) -> str:
    return "is" if units.size == 1 else "are"
