"""Whom the treatment concerns: the column of 0 and 1 that triple differences need."""

from __future__ import annotations

import numpy as np
import pandas as pd

from didjack._typing import Bools, Ints
from didjack.data.numbers import as_float, offenders
from didjack.data.sample import Sample
from didjack.errors import DataError
from didjack.wording import plural


def read_eligible(
    column: pd.Series, count: Ints | None = None, package: str = ""
) -> tuple[Bools, Bools]:
    """Return where units are eligible, and where that is missing, (N,) each.

    Parameters
    ----------
    column : (N,) of 0 and 1, or False and True
    count : (N,) how many rows each stands for; None: one
    package : that of the user's table

    Raises
    ------
    DataError
        There are other values.
    """
    value = as_float(column, "pname", count, package)
    missing = np.isnan(value)
    bad = ~missing & (value != 0) & (value != 1)
    if bad.any():
        raise DataError(
            f"pname {column.name!r} must be 0 or 1, or False or True: "
            f"{offenders(bad, value, count, column.index)}"
        )
    return value == 1, missing


def check_eligible(sample: Sample) -> None:
    """Raise unless some rows are of eligible units, and others are not."""
    eligible = sample.rows.eligible
    if eligible is None or (eligible.any() and not eligible.all()):
        return
    what = f"pname {sample.options.pname!r} is {int(eligible[0])} in all of the sample's "
    what += plural(sample.size, "row")
    if eligible[0]:
        raise DataError(
            f"{what}: without units that are not eligible there is no triple difference; use csdid"
        )
    raise DataError(f"{what}: without eligible units no unit is treated")
