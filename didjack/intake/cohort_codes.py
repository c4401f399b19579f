"""What values of the cohort column stand for: never-treated, a period, or something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Ints
from didjack.errors import DataError
from didjack.intake.calendar import Times
from didjack.intake.numbers import uncategorized
from didjack.intake.remedies import PANDAS
from didjack.intake.sample import Sample
from didjack.options import Options
from didjack.wording import plural

ZERO_IS_A_PERIOD = (
    "0 is among the periods of {!r}: if it is a first treated period, add the same number to both "
    "columns"
)

_EPOCH = pd.Timestamp(1970, 1, 1)
"""What 0 becomes when it is made a date."""


def check_dummy(times: Times, options: Options, package: str) -> None:
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


def check_boolean(cohort: pd.Series, options: Options, package: str) -> None:
    """Raise for cohorts that are False and True: a treatment dummy, too."""
    if pd.api.types.is_bool_dtype(uncategorized(cohort).dtype):
        raise DataError(f"gname {options.gname!r} is boolean; {_first_treated(options, package)}")


def _first_treated(options: Options, package: str) -> str:
    """Say how a dummy becomes a cohort; of cross sections, clusters are what is treated."""
    treated = options.idname or options.cluster
    where = "" if package == PANDAS else ", in a table in memory"
    unit = "idname" if treated is None else repr(treated)
    return (
        "it must hold the first treated period, which "
        f"didjack.first_treated(df, {options.gname!r}, {options.tname!r}, {unit}) finds from a "
        f"dummy that is 1 once a unit is treated{where}"
    )


def check_never_codes(times: Times, options: Options) -> None:
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
    n_units, first = sample.who("unknown code", chosen)
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
