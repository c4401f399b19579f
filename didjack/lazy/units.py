"""Units of a panel, counted by the engine: where they are seen, and whether they stay the same.

A unit's periods are a sum of powers of two, one for each period in which it is seen. With as many
rows as the sum has ones, no period is there twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Bools, Ints
from didjack.intake.tables import read_columns
from didjack.lazy.columns import complete, literals
from didjack.lazy.unchanged import changed
from didjack.lazy.used import Used

_BITS = 30
"""Periods in one sum: powers of two below this, added up over any number of rows, are exact."""


@dataclass(frozen=True, slots=True)
class Units:
    """How many units there are of each kind.

    Attributes
    ----------
    cohort : (K,) raw first treated period; missing where never-treated
    seen : (K, T) in which periods of complete rows such a unit is seen
    n_rows : (K,) complete rows of one such unit
    incomplete : (K,) whether it has incomplete rows
    in_cohorts, in_clusters, varies : (K,) whether it is in several cohorts or clusters, or
        has covariates or weights that vary
    number : (K,) how many such units there are
    """

    cohort: pd.Series
    seen: Bools
    n_rows: Ints
    incomplete: Bools
    in_cohorts: Bools
    in_clusters: Bools
    varies: Bools
    number: Ints

    @property
    def twice(self) -> Bools:
        """(K,) whether a unit is seen more than once in some period."""
        return np.asarray(self.n_rows > self.seen.sum(axis=1))


def packed(seen: Bools) -> list[Ints]:
    """Return the sums of powers of two, (K,) each, that stand for periods, (K, T)."""
    parts = (seen[:, start : start + _BITS] for start in range(0, seen.shape[1], _BITS))
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
            *(nw.col(b).sum().cast(whole).alias(b) for b in bits),
        )

    @property
    def _varying(self) -> set[str | None]:
        """The columns that may differ between rows of a unit, and the cohort, which has its own."""
        options = self.used.options
        weights = {options.weightsname} if options.fix_weights == "varying" else set()
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
        return self.units().with_columns(
            in_cohorts.alias(own("in_cohorts")),
            in_clusters.alias(own("in_clusters")),
            (col(own("kinds")) > 1).alias(own("varies")),
        )

    def kinds(self) -> nw.LazyFrame[Any]:
        """Return one row for each kind of unit."""
        names = ("low", "n", "incomplete", "in_cohorts", "in_clusters", "varies")
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

        seen = [column(f"bits{j}")[:, None] >> np.arange(_BITS) & 1 for j in range(self.n_sums)]
        return Units(
            cohort=cohort,
            seen=np.hstack(seen)[:, : len(self.periods)].astype(bool),
            n_rows=column("n"),
            incomplete=column("incomplete") > 0,
            in_cohorts=column("in_cohorts") > 0,
            in_clusters=column("in_clusters") > 0,
            varies=column("varies") > 0,
            number=column("units"),
        )
