"""Units of a panel, counted by the engine, and those that break a rule.

A unit's periods are a sum of powers of two, one for each period in which it is seen. With as many
rows as the sum has ones, no period is there twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Bools, Ints
from didjack.data.calendar import as_times
from didjack.data.checks import duplicates, moved_units
from didjack.data.frames import read_columns
from didjack.data.labels import as_codes
from didjack.data.lazy.lazy_table import changed, complete, literals, number
from didjack.data.lazy.used import Used
from didjack.data.numbers import numbers_of_text
from didjack.data.sample import Sample
from didjack.errors import DataError
from didjack.wording import brief, name_some, plural, short

# ---- units ---------------------------------------------------------------------------------------

_BITS = 30
"""Periods in one sum: powers of two below this, added up over any number of rows, are exact."""


@dataclass(frozen=True, slots=True)
class Units:
    """How many units there are of each kind.

    Attributes
    ----------
    cohort : (K,) raw first treated period; missing where never-treated
    observed : (K, T) in which periods of complete rows such a unit is seen
    n_rows : (K,) complete rows of one such unit
    incomplete : (K,) whether it has incomplete rows
    in_cohorts, in_clusters, in_both, varies : (K,) whether it is in several cohorts or clusters,
        is eligible at times, or has covariates or weights that vary
    number : (K,) how many such units there are
    """

    cohort: pd.Series
    observed: Bools
    n_rows: Ints
    incomplete: Bools
    in_cohorts: Bools
    in_clusters: Bools
    in_both: Bools
    varies: Bools
    number: Ints

    @property
    def twice(self) -> Bools:
        """(K,) whether a unit is seen more than once in some period."""
        return np.asarray(self.n_rows > self.observed.sum(axis=1))


def packed(observed: Bools) -> list[Ints]:
    """Return the sums of powers of two, (K,) each, that stand for periods, (K, T)."""
    parts = (observed[:, start : start + _BITS] for start in range(0, observed.shape[1], _BITS))
    return [(part.astype(np.int64) << np.arange(part.shape[1])).sum(axis=1) for part in parts]


class UnitQueries:
    """Queries about the units of a panel.

    Parameters
    ----------
    used : Used
    periods : raw labels of the T periods of complete rows, sorted
    """

    def __init__(self, used: Used, periods: pd.Series) -> None:
        self.used = used
        self.periods = periods
        self._own = used.table.own

    def rows(self) -> nw.LazyFrame[Any]:
        """Return the rows whose unit is known, with what is asked of each."""
        used, own = self.used, self._own
        options, schema = used.options, used.table.schema
        cohort = nw.col(options.gname)
        if schema[options.gname].is_numeric():
            treated = complete(schema, options.gname) & (cohort != 0)
            cohort = nw.when(treated).then(cohort)
        known = used.table.frame.select(*used.roles).filter(complete(schema, used.unit))
        marked = known.with_columns(
            used.complete.alias(own("complete")), cohort.alias(own("cohort"))
        )
        return marked.with_columns(
            *(bits.alias(own(f"bits{j}")) for j, bits in enumerate(self._bits()))
        )

    def _bits(self) -> list[nw.Expr]:
        """Return powers of two that stand for the period of a row, 0 in all sums but one."""
        found, name = [], self.used.options.tname
        labels = literals(self.used.table.schema, name, self.periods)
        for start in range(0, len(labels), _BITS):
            bits: Any = nw.lit(0)
            for j, label in enumerate(labels[start : start + _BITS]):
                bits = nw.when(nw.col(name) == nw.lit(label)).then(nw.lit(2**j)).otherwise(bits)
            found.append(nw.when(nw.col(self._own("complete"))).then(bits).otherwise(nw.lit(0)))
        return found

    @property
    def n_sums(self) -> int:
        """Number of sums of powers of two."""
        return -(-len(self.periods) // _BITS)

    def units(self) -> nw.LazyFrame[Any]:
        """Return one row a unit."""
        used, own = self.used, self._own
        options = used.options
        bits = [own(f"bits{j}") for j in range(self.n_sums)]
        assert options.cluster is not None
        constant = [name for name in used.roles if name not in self._varying]
        whole, there = nw.Int64, nw.col(own("complete"))
        as_seen = used.table.grouped(
            self.rows(),
            [*constant, own("cohort"), own("complete")],
            nw.len().cast(whole).alias(own("n")),
            *(nw.col(b).sum().cast(whole) for b in bits),
        )
        cohort, cluster = nw.col(own("cohort")), nw.col(options.cluster)
        only = nw.when(there)
        eligible = [] if options.pname is None else [only.then(number(options.pname))]
        return used.table.grouped(
            as_seen,
            [used.unit],
            only.then(nw.col(own("n"))).otherwise(nw.lit(0)).sum().cast(whole).alias(own("n")),
            only.then(nw.lit(0)).otherwise(nw.lit(1)).max().cast(whole).alias(own("incomplete")),
            only.then(nw.lit(1)).otherwise(nw.lit(0)).sum().cast(whole).alias(own("kinds")),
            only.then(cohort).min().alias(own("low")),
            only.then(cohort).max().alias(own("high")),
            (there & cohort.is_null()).cast(whole).sum().cast(whole).alias(own("never")),
            only.then(cluster).min().alias(own("cluster_low")),
            only.then(cluster).max().alias(own("cluster_high")),
            *(value.min().alias(own("eligible_low")) for value in eligible),
            *(value.max().alias(own("eligible_high")) for value in eligible),
            *(nw.col(b).sum().cast(whole).alias(b) for b in bits),
        )

    @property
    def _varying(self) -> set[str | None]:
        """The columns that may differ between rows of a unit, and the cohort, which has its own."""
        options = self.used.options
        own = self.used.estimation.fix_weights == "varying"
        weights = {options.weightsname} if own else set()
        return {options.yname, options.tname, options.gname, *weights} - {
            *self.used.covariates.names,
            options.cluster,
        }

    def flagged_units(self) -> nw.LazyFrame[Any]:
        """Return one row a unit, with what is odd about it."""
        own, col = self._own, nw.col
        in_cohorts = (col(own("low")) != col(own("high"))).fill_null(False) | (
            (col(own("never")) > 0) & ~col(own("low")).is_null()
        )
        in_clusters = (col(own("cluster_low")) != col(own("cluster_high"))).fill_null(False)
        in_both = nw.lit(False)
        if self.used.options.pname is not None:
            in_both = (col(own("eligible_low")) != col(own("eligible_high"))).fill_null(False)
        return self.units().with_columns(
            in_cohorts.alias(own("in_cohorts")),
            in_clusters.alias(own("in_clusters")),
            in_both.alias(own("in_both")),
            (col(own("kinds")) > 1).alias(own("varies")),
        )

    def kinds(self) -> nw.LazyFrame[Any]:
        """Return one row for each kind of unit."""
        names = ("low", "n", "incomplete", "in_cohorts", "in_clusters", "in_both", "varies")
        keys = [*map(self._own, names), *(self._own(f"bits{j}") for j in range(self.n_sums))]
        units = nw.len().cast(nw.Int64).alias(self._own("units"))
        return self.flagged_units().group_by(*keys).agg(units)

    def count(self) -> Units:
        """Let the engine count the units of each kind."""
        own = self._own
        found = self.used.table.fetch(self.kinds(), "check its units")
        if not found.num_rows:
            raise changed()
        cohort = read_columns(found, {own("low"): "gname"})[own("low")]

        def column(name: str) -> Any:
            return found[own(name)].to_numpy().astype(np.int64)

        observed = [column(f"bits{j}")[:, None] >> np.arange(_BITS) & 1 for j in range(self.n_sums)]
        return Units(
            cohort=cohort,
            observed=np.hstack(observed)[:, : len(self.periods)].astype(bool),
            n_rows=column("n"),
            incomplete=column("incomplete") > 0,
            in_cohorts=column("in_cohorts") > 0,
            in_clusters=column("in_clusters") > 0,
            in_both=column("in_both") > 0,
            varies=column("varies") > 0,
            number=column("units"),
        )


# ---- offenders -----------------------------------------------------------------------------------

_NUMBER = r"^\s*[-+]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
"""Text that writes a number, perhaps with commas; in a pattern that all engines read."""


def raise_for_text(used: Used, name: str, role: str) -> None:
    """Raise where a column is text that mostly writes numbers: name what does not, in all rows."""
    table, n, bad = used.table, used.table.own("n"), used.table.own("bad")
    if not isinstance(table.schema[name], (nw.String, nw.Categorical, nw.Enum)):
        return
    text = table.frame.select(nw.col(name).cast(nw.String)).filter(~nw.col(name).is_null())
    word = ~nw.col(name).str.contains(_NUMBER)
    counted = text.select(nw.len().cast(nw.Int64).alias(n), word.cast(nw.Int64).sum().alias(bad))
    found = table.fetch(counted, f"count text in {name!r}")
    n_rows, n_bad = found[n][0].as_py(), found[bad][0].as_py() or 0
    if n_bad and 2 * n_bad < n_rows:
        first = table.fetch(text.filter(word).sort(name).head(3), f"find text in {name!r}")
        shown = name_some([brief(value, 40) for value in first[name].to_pylist()])
        raise DataError(
            f"{role} {name!r} is not numeric: {plural(n_bad, 'row')}; first: {shown}; "
            f"{numbers_of_text(table.package, name, all_numbers=False)}"
        )


def raise_for_cohorts(queries: UnitQueries, sample: Sample, n_units: int) -> NoReturn:
    """Raise for units in several cohorts."""
    options = sample.options
    rows = _rows_of_first(queries, "in_cohorts")
    cohort = pd.Series(as_times(queries.periods, rows[options.gname]).cohort)
    shown = []
    for unit, own in cohort.groupby(rows[options.idname].to_numpy()):
        observed = name_some(map(sample.label, own.drop_duplicates().sort_values()))
        shown.append(f"{short(unit)} ({observed})")
    raise moved_units(sample, "cohort", n_units, shown)


def raise_for_clusters(queries: UnitQueries, sample: Sample, n_units: int) -> NoReturn:
    """Raise for units in several clusters."""
    options = sample.options
    rows = _rows_of_first(queries, "in_clusters")
    shown = []
    for unit, own in rows[options.cluster].groupby(rows[options.idname].to_numpy()):
        shown.append(f"{short(unit)} ({name_some(as_codes(own, 'cluster').labels)})")
    raise moved_units(sample, "cluster", n_units, shown)


def raise_for_eligibility(queries: UnitQueries, sample: Sample, n_units: int) -> NoReturn:
    """Raise for units that are eligible in some periods only."""
    options = sample.options
    rows = _rows_of_first(queries, "in_both")
    shown = [
        f"{short(unit)} (0, 1)" for unit in rows[options.idname].drop_duplicates().sort_values()
    ]
    raise moved_units(sample, "eligibility", n_units, shown)


def _rows_of_first(queries: UnitQueries, flag: str) -> dict[Any, pd.Series]:
    """Return the complete rows of the first three units with a flag."""
    used, own = queries.used, queries.used.table.own
    name = used.unit
    units = queries.flagged_units().filter(nw.col(own(flag))).select(name).sort(name).head(3)
    rows = queries.rows().filter(nw.col(own("complete"))).select(*used.roles)
    found = used.table.fetch(rows.join(units, on=name, how="inner"), "find units that change")
    if not found.num_rows:
        raise changed()
    return dict(read_columns(found, used.roles))


def raise_for_duplicates(queries: UnitQueries, sample: Sample) -> NoReturn:
    """Raise for units that are seen more than once in a period."""
    used, options, own = queries.used, sample.options, queries.used.table.own
    unit, time = used.unit, options.tname
    rows = queries.rows().filter(nw.col(own("complete")))
    twice = used.table.grouped(rows, [unit, time], nw.len().cast(nw.Int64).alias(own("n")))
    twice = twice.filter(nw.col(own("n")) > 1)
    total = used.table.fetch(twice.select(nw.col(own("n")).sum()), "count rows seen twice")
    first = used.table.fetch(twice.sort(unit, time).head(3), "find rows seen twice")
    if not first.num_rows:
        raise changed()
    columns = read_columns(first, {unit: "idname", time: "tname"})
    labels = {raw: sample.label(code) for raw, code in _codes(queries.periods)}
    shown = [
        f"({short(label)}, {labels[period]})"
        for label, period in zip(columns[unit], columns[time], strict=True)
    ]
    raise duplicates(options, int(total[own("n")][0].as_py()), shown)


def _codes(periods: pd.Series) -> list[tuple[Any, int]]:
    """Return labels of periods with what stands for them on the integer axis."""
    codes = as_times(periods, periods).period
    return list(zip(periods, codes.tolist(), strict=True))
