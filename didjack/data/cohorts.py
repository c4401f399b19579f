"""What values of the cohort column mean, and cohorts made from a 0/1 treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Ints
from didjack.data.calendar import Times, as_times
from didjack.data.frames import column_like, read_columns
from didjack.data.labels import as_codes
from didjack.data.numbers import PANDAS, as_float, offenders, package_of, uncategorized
from didjack.data.sample import Sample
from didjack.data.time_axis import TimeAxis
from didjack.errors import DataError, OptionError, SampleWarning, warn
from didjack.options import SampleOptions, check_column, validate_keywords
from didjack.wording import label_text, name_some, plural, short

# ---- cohort codes --------------------------------------------------------------------------------

ZERO_IS_A_PERIOD = (
    "0 is among the periods of {!r}: if it is a first treated period, add the same number to both "
    "columns"
)

_EPOCH = pd.Timestamp(1970, 1, 1)
"""What 0 becomes when it is made a date."""


def check_dummy(times: Times, options: SampleOptions, package: str) -> None:
    """Raise for cohorts that are only 0 and 1: a treatment dummy, not periods."""
    if times.cohort.min() != 1 or not times.zero.any():
        return
    if (times.cohort[~times.cohort_missing & ~times.zero] != 1).any():
        return
    name = options.gname
    code = f": df[{name!r}].replace(0, np.inf)" if package == PANDAS else ""
    raise DataError(
        f"gname {name!r} holds only 0 and 1, like a treatment dummy; "
        f"{_first_treated(options, package)}. If 1 is indeed a period, say so by coding "
        f"never-treated as inf or missing{code}"
    )


def check_boolean(cohort: pd.Series, options: SampleOptions, package: str) -> None:
    """Raise for cohorts that are False and True: a treatment dummy, too."""
    if pd.api.types.is_bool_dtype(uncategorized(cohort).dtype):
        raise DataError(f"gname {options.gname!r} is boolean; {_first_treated(options, package)}")


def _first_treated(options: SampleOptions, package: str) -> str:
    """Say how a dummy becomes a cohort; of cross sections, clusters are what is treated."""
    treated = options.idname or options.cluster
    where = "" if package == PANDAS else ", in a table in memory"
    unit = "idname" if treated is None else repr(treated)
    return (
        "it must hold the first treated period, which "
        f"didjack.first_treated(df, {options.gname!r}, {options.tname!r}, {unit}) finds from a "
        f"dummy that is 1 once a unit is treated{where}"
    )


def check_never_codes(times: Times, options: SampleOptions) -> None:
    """Raise where never-treated is both missing and coded: one of them may mean 'unknown'."""
    missing = times.cohort_missing
    if not missing.any():
        return
    n_coded = times.n_rows((times.cohort == NEVER) & ~missing)
    if n_coded:
        among = zero_among_periods(times.zero, times.period[~times.period_missing])
        row = f", first at row {np.flatnonzero(missing)[0]}" if times.count is None else ""
        raise DataError(
            f"gname {options.gname!r} mixes missing values "
            f"({plural(times.n_rows(missing), 'row')}{row}) "
            f"with 0 or inf ({plural(n_coded, 'row')}): does missing mean never-treated or "
            "unknown? Recode one, or drop the unknown ones"
            + (f"; {ZERO_IS_A_PERIOD.format(options.tname)}" if among else "")
        )


def zero_among_periods(zero: Bools, periods: Ints) -> bool:
    """Whether 0 is the cohort of some rows, and could be a period too."""
    return bool(zero.any() and periods.size and periods.min() <= 0 <= periods.max())


def check_unknown_code(sample: Sample) -> None:
    """Raise where no unit is never-treated by its code, but all of some code, such as -1, may be.

    Read as it stands, the code says that they were treated before the first period.
    """
    cohort = sample.rows.cohort
    if (cohort == NEVER).any():
        return
    early = np.unique(cohort[cohort < sample.periods[0]])
    codes = [code for code in early if _may_be_never(sample, code)]
    if len(codes) != 1:
        return
    chosen = cohort == codes[0]
    n_units, first = sample.who(None, chosen)
    kind = "unit" if sample.options.panel else "row"
    raise DataError(
        f"gname {sample.options.gname!r} is {sample.label(codes[0])} for "
        f"{plural(n_units, kind)} (first: {first}), and none "
        "is never-treated. If these are, code them as 0, inf or missing; if they are treated "
        "from before the first period on, drop them, as nothing can be learnt from them"
    )


def _may_be_never(sample: Sample, cohort: int) -> bool:
    """Whether a cohort before the first period is not likely to be a period itself."""
    if sample.axis.kind in ("int", "float"):
        return bool(cohort < 0 <= sample.periods[0])
    label: Any = sample.axis.labels([cohort])[0]
    start = label.start_time if isinstance(label, pd.Period) else label
    return bool(start == _EPOCH or start.year <= 1900)


# ---- treatment -----------------------------------------------------------------------------------

NAME = "first_treated"
"""What the column is called."""

DOUBTS = {
    "always_treated": "treated whenever observed",
    "unseen_before": "unobserved just before treatment",
    "unseen_last": "unobserved in the last period",
}
"""Why the cohort of a unit may be another."""


@validate_keywords
def first_treated(data: Any, treatment: str, tname: str, idname: str) -> Any:
    """Find the cohort of each row: the first period in which its unit is treated.

    Parameters
    ----------
    data : pandas, polars or pyarrow table
        N rows. It is not modified.
    treatment : str
        Column that is 1 (True) in the periods in which a unit is treated, from the first of them
        on, and 0 (False) before.
    tname : str
        Column of the period: whole numbers, pandas Periods, or dates of a regular frequency.
    idname : str
        Column of the level at which treatment varies: the unit of a panel; in repeated cross
        sections, or with several rows per period, the state or another group.

    Returns
    -------
    Series, or ChunkedArray of pyarrow
        (N,) named "first_treated", of the kind of `data` and in its order, for `gname` of `csdid`:
        a period of the column `tname`; missing (NaN, NaT, null) where a unit is never treated.
        Whole numbers of pandas are floats where some are missing. Of pandas, ``attrs`` has n_units,
        n_never_treated, n_always_treated (treated in all observed periods), n_unseen_before (not
        observed in the period before the first treated one) and n_unseen_last (not observed in the
        last period, and never observed as treated).

    Raises
    ------
    DataError
        Treatment that is neither 0 nor 1, or is switched off again; rows of one unit and period
        that differ in it; a missing value in one of the columns.
    OptionError
        An argument is not the name of a column.

    Warns
    -----
    SampleWarning
        Units whose cohort is uncertain: treated in all observed periods, or not observed just
        before treatment or up to the end. If a larger group is treated as a whole, name it in
        `idname`.

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
    history = _read(read_columns(data, roles), roles, package_of(data))
    first = history.first()
    _check_absorbing(history, first)
    doubts = _doubts(history, first)
    _warn(history, doubts, first != NEVER)
    counts = {"n_units": first.size, "n_never_treated": int((first == NEVER).sum())}
    counts |= {f"n_{name}": int(which.sum()) for name, which in doubts.items()}
    # Where each unit is first treated, in some row of the table: labels come from there.
    row = np.full(first.size, -1)
    start = np.flatnonzero(history.on & (history.period == first[history.unit]))
    row[history.unit[start[::-1]]] = start[::-1]
    return column_like(data, tname, row[history.unit], NAME, counts)


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
class _History:
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

    def in_period(self, period: Ints) -> Bools:
        """Return whether units are seen in a period, (L,), of their own."""
        there = np.zeros(period.size, dtype=bool)
        there[self.unit[self.period == period[self.unit]]] = True
        return there

    def pairs(self, rows: Bools) -> Ints:
        """Return the distinct pairs of unit and period of some rows, sorted, (P, 2)."""
        pairs: Ints = np.unique(np.column_stack([self.unit[rows], self.period[rows]]), axis=0)
        return pairs

    def period_text(self, period: int) -> str:
        """Write a period."""
        return label_text(self.axis.labels([period])[0])


def _read(data: dict[str, pd.Series], roles: dict[str, str], package: str) -> _History:
    """Read the three columns, or raise."""
    treatment, tname, idname = roles
    value = as_float(data[treatment], "treatment", package=package)
    nobody = pd.Series(np.full(value.size, np.nan), name=tname)
    times = as_times(data[tname], nobody, package=package)
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
    return _History(treatment, idname, on, times.period, unit.codes, times.axis, unit.labels)


def _check_absorbing(history: _History, first: Ints) -> None:
    """Raise where rows of one unit and period differ, or treatment is switched off again."""
    off = ~history.on & (history.period >= first[history.unit])
    if not off.any():
        return
    pairs = history.pairs(off)
    found, times = np.unique(
        np.concatenate([pairs, history.pairs(history.on)]), axis=0, return_counts=True
    )
    both = found[times > 1]
    if len(both):
        shown = ", ".join(
            f"({short(history.labels[unit])}, {history.period_text(period)})"
            for unit, period in both[:3]
        )
        raise DataError(
            f"treatment {history.treatment!r} is both 0 and 1 in rows of the same "
            f"{history.idname!r} and period: {plural(len(both), 'time')}; first: {shown}; idname "
            "has to name what is treated as a whole"
        )
    units, start = np.unique(pairs[:, 0], return_index=True)
    shown = ", ".join(
        f"{short(history.labels[unit])} (on in {history.period_text(first[unit])}, off in "
        f"{history.period_text(period)})"
        for unit, period in pairs[start[:3]]
    )
    raise DataError(
        f"treatment {history.treatment!r} is switched off again in {plural(units.size, 'unit')} of "
        f"{history.idname!r}; first: {shown}; a cohort has to stay treated. To go by the first "
        f"treatment, whatever follows, take the running maximum of {history.treatment!r} by unit"
    )


def _doubts(history: _History, first: Ints) -> dict[str, Bools]:
    """Return which units, (L,), the first period seen treated may not be the cohort of."""
    treated, periods = first != NEVER, np.unique(history.period)
    # The last period of the table before the one in which a unit is first seen treated.
    at = np.searchsorted(periods, first)
    before = history.in_period(periods[np.maximum(at - 1, 0)])
    last = history.in_period(np.full(first.size, periods[-1]))
    return {
        "always_treated": treated & (first == history.first(np.ones(history.on.size, dtype=bool))),
        "unseen_before": treated & (at > 0) & ~before,
        "unseen_last": ~treated & ~last,
    }


def _warn(history: _History, doubts: dict[str, Bools], treated: Bools) -> None:
    """Warn, once, of units whose cohort may be another."""
    counts = {name: int(which.sum()) for name, which in doubts.items()}
    units = np.flatnonzero(np.any(list(doubts.values()), axis=0))
    if not units.size:
        return
    first = f"(first: {name_some(history.labels[units], most=1)})"
    if treated.any() and (doubts["always_treated"] == treated).all():
        warn(
            f"all treated units of {history.idname!r}, {counts['always_treated']:,}, are treated "
            f"whenever observed {first}: {history.treatment!r} must be 0 before treatment",
            SampleWarning,
        )
        return
    found = ", ".join(f"{count:,} {DOUBTS[name]}" for name, count in counts.items() if count)
    warn(
        f"the cohort of {plural(units.size, 'unit')} of {history.idname!r} may be wrong: {found} "
        f"{first}",
        SampleWarning,
    )
