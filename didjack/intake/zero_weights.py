"""Rule 0: rows of weight zero are dropped before all else, as if they were not in the table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from didjack._typing import Bools, Ints
from didjack.errors import DataError
from didjack.intake.labels import as_codes
from didjack.intake.ledger import Entry
from didjack.options import Options
from didjack.wording import name_some, plural

RULE = "0 zero weights"

_MOST_NAMES = 3
"""More cohorts or clusters are counted."""


def no_weight(options: Options, n_rows: int) -> DataError:
    """Return the error for a table all of whose rows have weight zero."""
    rows = plural(n_rows, "row")
    return DataError(f"weightsname {options.weightsname!r} has mean 0 over {rows}")


def entry_of_rows(data: Mapping[str, pd.Series], options: Options, dropped: Bools) -> Entry:
    """Return the ledger's entry for rows that are dropped.

    Parameters
    ----------
    data : columns by name, (N,) each
    options : Options
    dropped : (N,)
    """
    if options.idname is None:
        units = pd.Index(np.flatnonzero(dropped))
    else:
        coded = as_codes(data[options.idname], "idname")
        units = coded.labels[np.unique(coded.codes[dropped & (coded.codes >= 0)])]
    reason = reason_for(data, options, dropped, ~dropped)
    return entry(int(dropped.sum()), len(units), reason, name_some(units[:3]))


def entry(n_rows: int, n_units: int, reason: str, examples: str) -> Entry:
    """Return an entry of this rule."""
    return Entry(RULE, "dropped", n_rows, n_units, reason, examples)


def reason_for(data: Mapping[str, pd.Series], options: Options, dropped: Bools, kept: Bools) -> str:
    """Write why rows are dropped, and which cohorts and clusters are lost with them.

    Parameters
    ----------
    data : the columns of cohort and cluster at least, (N,) each
    options : Options
    dropped, kept : (N,) where there are rows that are dropped, and others
    """
    lost = _lost_cohorts(data[options.gname], dropped, kept)
    if options.cluster is not None and options.cluster != options.idname:
        coded = as_codes(data[options.cluster], "cluster")
        gone = coded.labels[_lost(coded.codes, len(coded.labels), dropped, kept)]
        lost += _listed("cluster", gone)
    reason = f"weight 0 in {options.weightsname!r}"
    return reason + (f" (all rows of {' and '.join(lost)})" if lost else "")


def _lost_cohorts(cohort: pd.Series, dropped: Bools, kept: Bools) -> list[str]:
    coded = as_codes(cohort, "gname")
    numbers = pd.api.types.is_numeric_dtype(coded.labels.dtype)
    zero = np.asarray(coded.labels == 0) if numbers else np.zeros(len(coded.labels), dtype=bool)
    never = np.append(zero, True)[coded.codes]
    codes = np.where(never, -1, coded.codes)
    labels = coded.labels[_lost(codes, len(coded.labels), dropped, kept)]
    if numbers and (labels == np.floor(labels)).all():
        labels = labels.astype(np.int64)
    found = _listed("cohort", labels)
    if (never & dropped).any() and not (never & kept).any():
        found.append("the never-treated")
    return found


def _lost(codes: Ints, n_codes: int, dropped: Bools, kept: Bools) -> Bools:
    """Return which codes occur in rows that are dropped, and in no other."""
    counts = [
        np.bincount(codes[rows & (codes >= 0)], minlength=n_codes) for rows in (dropped, kept)
    ]
    return np.asarray((counts[0] > 0) & (counts[1] == 0))


def _listed(noun: str, labels: pd.Index) -> list[str]:
    if not len(labels):
        return []
    if len(labels) > _MOST_NAMES:
        return [plural(len(labels), noun)]
    return [f"{noun}{'s' * (len(labels) > 1)} {name_some(labels)}"]
