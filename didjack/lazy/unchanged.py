"""Whether a table is what it was a query ago: what two queries count has to agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.errors import DataError
from didjack.intake.sample import Rows

_CLOSE = 1e-6
"""Sums of the same numbers, added up in whatever order, differ by less than this part of them."""


def changed(before: int | None = None, after: int | None = None) -> DataError:
    """Return the error for a table that is not what it was, perhaps with its numbers of rows."""
    rows = "" if before == after else f" ({before:,} rows, then {after:,})"
    return DataError(
        f"df changed while it was read{rows}; give a table that stays as it is, such as a copy"
    )


def check_rows(keys: dict[str, Ints], count: Ints, kinds: dict[str, Ints], seen: Bools) -> None:
    """Raise unless rows are as many as the units that are seen, by period and other keys.

    Parameters
    ----------
    keys : name -> (N,), what rows are told apart by; "period" is the place of their period
    count : (N,) number of rows
    kinds : name -> (K,), the same of units, without "period"; "number" is how many units these are
    seen : (K, T) in which periods they are seen
    """
    kind, period = np.nonzero(seen)
    units = pd.DataFrame({name: column[kind] for name, column in kinds.items()})
    names = [*(name for name in kinds if name != "number"), "period"]
    there = units.assign(period=period).groupby(names)["number"].sum()
    if not pd.DataFrame(keys | {"number": count}).groupby(names)["number"].sum().equals(there):
        raise changed()


def check_parts(whole: Rows, parts: Rows, at: Ints) -> None:
    """Raise unless parts of rows add up to what the rows were.

    Parameters
    ----------
    whole : N rows
    parts : M of them
    at : (M,) which of the rows each is a part of; -1: of none
    """
    assert whole.count is not None
    assert parts.count is not None
    before, after = int(whole.count.sum()), int(parts.count.sum())
    if before != after or (at < 0).any():
        raise changed(before, after)
    n = whole.y.size
    weight, of_part = _weight(whole), _weight(parts)
    total = np.bincount(at, of_part, n)
    mean = np.divide(
        np.bincount(at, of_part * parts.y, n), weight, where=weight > 0, out=whole.y.copy()
    )
    same = (
        (np.bincount(at, parts.count, n) == whole.count).all()
        and np.allclose(total, weight, rtol=_CLOSE, atol=0.0)
        and np.abs(mean - whole.y).max() <= _CLOSE * np.abs(whole.y).max()
    )
    if not same:
        raise changed()


def _weight(rows: Rows) -> Floats:
    """Return the weight of all that each row stands for, (N,)."""
    weight = rows.count if rows.weight is None else rows.weight
    return np.asarray(weight, dtype=np.float64)
