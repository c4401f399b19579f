"""Types of units: those with the same cluster, cohort and covariates, seen in the same periods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.errors import DataError
from didjack.intake.labels import distinct
from didjack.intake.sample import Sample
from didjack.lazy.moments import HIGH, LOW
from didjack.lazy.patterns import Patterns
from didjack.lazy.unchanged import changed
from didjack.lazy.used import Used
from didjack.wording import name_some


def match(used: Used, patterns: Patterns, finer: Patterns, complete: Bools) -> Ints:
    """Return the place of each of some finer patterns among the patterns; -1 if it has none.

    Parameters
    ----------
    complete : (N,) which of the patterns are of complete rows
    """
    own = _keys(used, patterns)[complete]
    own["place"] = np.flatnonzero(complete)
    keys = _keys(used, finer)
    found = keys.merge(own, on=used.keys, how="left")["place"]
    if len(found) != len(keys):
        raise DataError(f"df has values of {name_some(used.keys, 8)} that cannot be told apart")
    return np.asarray(found.fillna(-1), dtype=np.int64)


def _keys(used: Used, patterns: Patterns) -> pd.DataFrame:
    """Return the columns by which rows were grouped, categories as what they are."""
    return pd.DataFrame(
        {
            name: column.astype(object) if column.dtype == "category" else column
            for name, column in patterns.keys.items()
            if name in used.keys
        }
    )


def set_types(sample: Sample, masks: Ints, n_seen: Ints) -> None:
    """Give each row the type of its units, and put rows of one type and period together.

    With weights that vary, so may the covariates: a type is then all units of a cohort and
    cluster that are seen in the same periods.

    Parameters
    ----------
    sample : Sample
    masks : (N,) number of the set of periods in which the units of a row are seen
    n_seen : (N,) how many periods these are
    """
    rows, varying = sample.rows, sample.options.fix_weights == "varying"
    columns = {"cohort": rows.cohort, "cluster": rows.cluster, "mask": masks}
    table = pd.DataFrame(columns | ({} if varying else sample.covariates))
    unit = np.asarray(table.groupby(list(table.columns), observed=True).ngroup(), dtype=np.int64)
    sample.rows = replace(rows, unit=unit)
    sample.unit_labels = pd.RangeIndex(int(unit.max()) + 1)
    if not varying:
        of_type = np.zeros(len(sample.unit_labels), dtype=np.int64)
        of_type[unit] = n_seen
        _put_together(sample)
        _steady(sample, of_type)


def _put_together(sample: Sample) -> None:
    """Put rows of one type and period together, such as those with cohorts 0 and inf."""
    rows = sample.rows
    _, key = distinct(rows.unit * sample.periods.size + rows.period)
    n_keys = int(key.max()) + 1
    if n_keys == key.size:
        return
    first = np.unique(key, return_index=True)[1]
    assert rows.count is not None
    weight = rows.count if rows.weight is None else rows.weight
    total = np.bincount(key, weights=weight)
    y = np.bincount(key, weights=weight * rows.y)
    sample.rows = replace(
        rows.take(first),
        y=np.divide(y, total, out=np.zeros(n_keys), where=total > 0),
        weight=None if rows.weight is None else total.astype(np.float64),
        count=np.rint(np.bincount(key, weights=rows.count)).astype(np.int64),
        square=np.bincount(key, weights=rows.square).astype(np.float64),
        moments=_added(rows.moments, key, n_keys),
    )
    for name, column in sample.covariates.items():
        sample.covariates[name] = column.iloc[first].reset_index(drop=True)


def _added(moments: Floats | None, key: Ints, n_keys: int) -> Floats | None:
    """Add up moments with the same key."""
    if moments is None:
        return None
    total = np.zeros((n_keys, *moments.shape[1:]))
    np.add.at(total, key, moments)
    for place, extreme, start in ((LOW, np.fmin, np.inf), (HIGH, np.fmax, -np.inf)):
        total[:, :, place] = start
        extreme.at(total[:, :, place], key, moments[:, :, place])
    return total


def _steady(sample: Sample, n_seen: Ints) -> None:
    """Give the rows of each type the weights of its first one.

    Sums over the same weights, added up in another order, need not have the same digits.
    """
    rows = sample.rows
    _, first, of_row = np.unique(rows.unit, return_index=True, return_inverse=True)
    at = first[of_row]
    assert rows.count is not None
    assert rows.square is not None
    gaps = (np.bincount(rows.unit) != n_seen).any()
    if gaps or (rows.count != rows.count[at]).any():
        raise changed()
    weight = None if rows.weight is None else rows.weight[at]
    sample.rows = replace(rows, weight=weight, square=rows.square[at])
