"""The first rows of a lazy table: of what kind its numbers are, and whether grouping is of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from didjack.intake.numbers import as_float
from didjack.intake.tables import read_columns
from didjack.intake.zero_weights import no_weight
from didjack.lazy import zero_weights
from didjack.lazy.offenders import raise_for_text
from didjack.lazy.used import Used

_ROWS = 10_000
"""Number of rows that are looked at first."""

_MORE_ROWS = 1_000_000
"""So many are grouped by the engine, to see how many patterns they have."""

_DIFFERENT = 0.8
"""With more patterns among these, there are too many. Files are often sorted, by period above all:
even 10,000 rows of one period that all differ may be of 10,000 patterns, and all others too."""


@dataclass(frozen=True, slots=True)
class FirstRows:
    """What the first rows say.

    Attributes
    ----------
    centre : about where outcomes are: sums of what they exceed that by have the more digits
    differ : whether most of them differ in cluster, cohort, period or covariates, so that there
        may be too many patterns
    n_zero : rows of weight zero in the whole table, which are none of these
    """

    centre: float
    differ: bool
    n_zero: int

    @classmethod
    def of(cls, used: Used) -> FirstRows:
        """Look at them; raise for columns that are of another kind than they have to be."""
        options, table = used.options, used.table
        kept = zero_weights.without(used)
        rows = kept.table.frame.select(*used.roles).head(_ROWS)
        queries = [rows, _patterns(kept), *zero_weights.count(used)]
        first, counted, *zeros = table.fetch_together(queries, "read its first rows")
        n_zero = int(zeros[0].columns[0][0].as_py() or 0) if zeros else 0
        if n_zero and not len(first):
            raise no_weight(options, n_zero)
        data = read_columns(first, used.roles)
        unnumbered = np.ones(len(first), dtype=np.int64)
        for role in ("yname", "weightsname"):
            if (name := getattr(options, role)) is not None:
                raise_for_text(used, name, role)
                as_float(data[name], role, unnumbered, table.package)
        y = as_float(data[options.yname], "yname", unnumbered)
        keys = pd.DataFrame({name: data[name] for name in used.keys})
        n_rows, n_patterns = (column[0].as_py() or 0.0 for column in counted.columns)
        differ = y.size == _ROWS and 2 * len(keys.drop_duplicates()) > _ROWS
        differ &= n_patterns > _DIFFERENT * n_rows
        y = y[np.isfinite(y)]
        return cls(float(np.median(y)) if y.size else 0.0, differ, n_zero)


def _patterns(used: Used) -> nw.LazyFrame[Any]:
    """Return how many rows there are among many, and how many of them differ."""
    table, n, rows = used.table, used.table.own("n"), used.table.own("rows")
    many = table.frame.select(*used.keys).head(_MORE_ROWS)
    patterns = table.grouped(many, used.keys, nw.len().cast(nw.Float64).alias(n))
    return patterns.select(nw.col(n).sum().alias(rows), nw.len().cast(nw.Float64).alias(n))
