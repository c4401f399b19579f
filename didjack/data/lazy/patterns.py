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
from didjack.data.checks import LARGEST
from didjack.data.clean import UsedColumns, Values, as_sample
from didjack.data.frames import read_columns
from didjack.data.lazy.lazy_table import number
from didjack.data.lazy.moments import ALL, Moments
from didjack.data.lazy.used import Used, most_patterns
from didjack.data.sample import Sample
from didjack.errors import DataError
from didjack.wording import plural

if TYPE_CHECKING:
    import pyarrow as pa


def totals(used: Used, centre: float) -> list[nw.Expr]:
    """Return the sums that are taken over the rows of a pattern."""
    options, own = used.options, used.table.own
    above = number(options.yname) - nw.lit(centre)
    count = nw.len().cast(nw.Int64).alias(own("n"))
    w = None if options.weightsname is None else number(options.weightsname)
    moments = [] if used.moments is None else used.moments.totals(ALL, above, w)
    if w is None:
        return [count, above.sum().alias(own("wy")), *moments]
    return [
        count,
        *moments,
        (w * above).sum().alias(own("wy")),
        w.sum().alias(own("w")),
        (w * w).sum().alias(own("ww")),
        w.min().alias(own("w_low")),
        w.max().alias(own("w_high")),
    ]


def grouped(used: Used, rows: nw.LazyFrame[Any], centre: float, *more: str) -> nw.LazyFrame[Any]:
    """Put rows together by pattern, and by more keys."""
    keys, table = [*used.keys, *used.flags.values(), *used.finite.values(), *more], used.table
    moments, sums = used.moments, totals(used, centre)
    if moments is None or moments.category is None:
        found = table.grouped(rows, keys, *sums)
    else:
        parts = table.grouped(rows, [*keys, table.own("level")], *sums)
        found = table.grouped(moments.with_levels(parts), keys, *_totals_of_levels(used, moments))
    return found.sort(*keys).head(most_patterns(used) + 1)


def _totals_of_levels(used: Used, moments: Moments) -> list[nw.Expr]:
    """Return the same sums over all levels, from the sums by level."""
    own, n = used.table.own, used.table.own("n")
    sums = [own("wy"), *([own("w"), own("ww")] if used.options.weightsname is not None else [])]
    found = [nw.col(n).sum().cast(nw.Int64).alias(n), *(nw.col(name).sum() for name in sums)]
    if used.options.weightsname is not None:
        found += [nw.col(own("w_low")).min(), nw.col(own("w_high")).max()]
    return [*found, *moments.totals_of_levels(ALL)]


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns that were brought into memory.

    Attributes
    ----------
    keys : columns by which rows were grouped, as `read_columns` returns them, (N,) each
    flags : column -> where it is there, (N,)
    finite : term -> where it is finite, (N,)
    numbers : outcomes and weights
    """

    keys: dict[str, pd.Series]
    flags: dict[str, Bools]
    finite: dict[str, Bools]
    numbers: Values

    @classmethod
    def from_table(cls, used: Used, centre: float) -> Patterns | None:
        """Let the engine put rows together by pattern; None if there are too many patterns."""
        found = used.table.fetch(grouped(used, used.flagged(), centre), "group its rows")
        return None if found.num_rows > most_patterns(used) else cls.read(used, found, centre)

    @classmethod
    def read(cls, used: Used, found: pa.Table, centre: float, *more: str) -> Patterns:
        """Read what `grouped` gave."""
        options, own = used.options, used.table.own
        key_roles = {name: used.roles[name] for name in used.keys}
        keys = read_columns(found.select([*key_roles, *more]), key_roles | dict.fromkeys(more, ""))
        numbers = {name: found[name].to_numpy() for name in found.column_names if name not in keys}
        flags, finite = (
            {column: numbers[flag].astype(bool) for column, flag in named.items()}
            for named in (used.flags, used.finite)
        )
        n, total = numbers[own("n")].astype(np.int64), numbers[own("wy")].astype(np.float64)
        there = flags[options.yname]
        _check_outcomes(used, total, there)
        weight, square = None, n * 1.0
        if options.weightsname is not None:
            weight = np.where(flags[options.weightsname], numbers[own("w")], np.nan)
            square = numbers[own("ww")]
            _check_weights(used, numbers, flags[options.weightsname])
        y = _mean(total, n if weight is None else weight, there, centre)
        moments = None if used.moments is None else used.moments.read(numbers)
        return cls(keys, flags, finite, Values(y, weight, n, square, moments))

    def sample(self, used: Used) -> tuple[Sample, dict[str, Bools], Bools]:
        """Code the patterns as rows of a sample."""
        options, moments = used.options, used.moments
        covariates = used.covariates if moments is None else UsedColumns(None, [])
        sample, missing, zero = as_sample(
            self.keys, covariates, (options, used.estimation), self.numbers, used.table.package
        )
        if moments is not None:
            sample.design = moments.design if self.finite else None
            sample.covariates = {
                term: pd.Series(np.where(there, 1.0, np.nan)) for term, there in self.finite.items()
            }
            for name in used.covariates.names:
                missing.setdefault(name, ~self.flags[name])
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
