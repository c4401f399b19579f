"""Rows that are alike in all but outcome and weight, put together by the engine.

They are grouped by cluster, cohort, period and covariates, and by whether outcome, weight and
unit are there. Sums of weights, of squared weights and of weighted outcomes are all that any
estimate needs of the rows of one pattern, so that few patterns stand for any number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats
from didjack.errors import DataError
from didjack.intake.checks import LARGEST
from didjack.intake.read import Values, as_sample
from didjack.intake.sample import Sample
from didjack.intake.tables import read_columns
from didjack.lazy.columns import number
from didjack.lazy.memory import MOST_ROWS, too_many
from didjack.lazy.used import Used
from didjack.wording import plural

if TYPE_CHECKING:
    import pyarrow as pa


def totals(used: Used, centre: float) -> list[nw.Expr]:
    """Return the sums that are taken over the rows of a pattern."""
    options, own = used.options, used.table.own
    above = number(options.yname) - nw.lit(centre)
    count = nw.len().cast(nw.Int64).alias(own("n"))
    if options.weightsname is None:
        return [count, above.sum().alias(own("wy"))]
    w = number(options.weightsname)
    return [
        count,
        (w * above).sum().alias(own("wy")),
        w.sum().alias(own("w")),
        (w * w).sum().alias(own("ww")),
        w.min().alias(own("w_low")),
        w.max().alias(own("w_high")),
    ]


def grouped(used: Used, rows: nw.LazyFrame[Any], centre: float, *more: str) -> nw.LazyFrame[Any]:
    """Put rows together by pattern, and by more keys."""
    keys = [*used.keys, *used.flags.values(), *more]
    found = used.table.grouped(rows, keys, *totals(used, centre))
    return found.sort(*keys).head(MOST_ROWS + 1)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns that were brought into memory.

    Attributes
    ----------
    keys : columns by which rows were grouped, as `read_columns` returns them, (N,) each
    flags : column -> where it is there, (N,)
    numbers : outcomes and weights
    """

    keys: dict[str, pd.Series]
    flags: dict[str, Bools]
    numbers: Values

    @classmethod
    def of(cls, used: Used, rows: nw.LazyFrame[Any], centre: float) -> Patterns:
        """Let the engine put rows together by pattern."""
        found = used.table.fetch(grouped(used, rows, centre), "group its rows")
        return cls.read(used, found, centre)

    @classmethod
    def read(cls, used: Used, found: pa.Table, centre: float, *more: str) -> Patterns:
        """Read what `grouped` gave."""
        own = used.table.own
        if found.num_rows > MOST_ROWS:
            raise too_many(used)
        key_roles = {name: used.roles[name] for name in used.keys}
        keys = read_columns(found.select([*key_roles, *more]), key_roles | dict.fromkeys(more, ""))
        numbers = {name: found[name].to_numpy() for name in found.column_names if name not in keys}
        flags = {column: numbers[flag].astype(bool) for column, flag in used.flags.items()}
        options = used.options
        n, total = numbers[own("n")].astype(np.int64), numbers[own("wy")].astype(np.float64)
        there = flags[options.yname]
        _check_outcomes(used, total, there)
        if options.weightsname is None:
            return cls(keys, flags, Values(_mean(total, n, there, centre), None, n, n * 1.0))
        weight = np.where(flags[options.weightsname], numbers[own("w")], np.nan)
        _check_weights(used, numbers, flags[options.weightsname])
        y = _mean(total, weight, there, centre)
        return cls(keys, flags, Values(y, weight, n, numbers[own("ww")]))

    def sample(self, used: Used) -> tuple[Sample, dict[str, Bools], Bools]:
        """Code the patterns as rows of a sample."""
        options = used.options
        sample, missing, zero = as_sample(self.keys, used.covariates, options, self.numbers)
        if options.idname is not None:
            missing = {
                options.yname: missing.pop(options.yname),
                options.tname: missing.pop(options.tname),
                options.idname: ~self.flags[options.idname],
                **missing,
            }
        return sample, missing, zero


def _mean(total: Any, weight: Any, there: Bools, centre: float) -> Floats:
    """Return mean outcomes; where there are outcomes without any weight, something finite."""
    above = np.divide(total, weight, out=np.zeros(total.size), where=there & (weight > 0))
    return np.where(there, above + centre, np.nan)


def _check_outcomes(used: Used, total: Any, there: Bools) -> None:
    """Raise for outcomes whose squares overflow."""
    if (np.abs(total[there]) <= LARGEST).all():
        return
    name = used.options.yname
    n_rows, shown = _offenders(used, name, number(name).abs() > LARGEST)
    if n_rows:
        raise DataError(f"yname {name!r} is too large to be squared: {shown}; rescale it")


def _offenders(used: Used, name: str, bad: nw.Expr) -> tuple[int, str]:
    """Count the rows in which a column is there, but bad; write how many, and the smallest."""
    table, n = used.table, used.table.own("n")
    rows = used.flagged().filter(nw.col(used.flags[name]) & bad)
    n_rows = int(table.fetch(rows.select(nw.len().alias(n)), f"count bad {name!r}")[n][0].as_py())
    first = rows.select(number(name)).sort(name).head(3)
    shown = ", ".join(map(str, table.fetch(first, f"find bad {name!r}")[name].to_pylist()))
    return n_rows, f"{plural(n_rows, 'row')}; first: {shown}"


def _check_weights(used: Used, numbers: dict[str, Any], there: Bools) -> None:
    """Raise for negative weights, and for those whose squares are not finite, or 0."""
    own, name = used.table.own, used.options.weightsname
    assert name is not None
    if not there.any():
        return
    low, high = numbers[own("w_low")][there].min(), numbers[own("w_high")][there].max()
    if low < 0:
        _, shown = _offenders(used, name, number(name) < 0)
        raise DataError(f"weightsname {name!r} has negative values: {shown}")
    if high and not 1 / LARGEST < high < LARGEST:
        raise DataError(f"weightsname {name!r}: {high:.3g} cannot be squared; rescale it")
