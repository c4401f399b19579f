"""The first units of each entry of the ledger, which are asked for together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from didjack.intake.labels import as_codes
from didjack.intake.sample import Sample
from didjack.intake.tables import read_columns
from didjack.lazy.used import Used
from didjack.wording import name_some

if TYPE_CHECKING:
    import pyarrow as pa


class FirstUnits:
    """Finds the first three units of some rows, of all entries in one query.

    Parameters
    ----------
    used : Used
    """

    def __init__(self, used: Used) -> None:
        self._used = used
        self._wanted: dict[int, nw.LazyFrame[Any]] = {}
        self._found: dict[int, str] = {}

    def want(self, entry: int, rows: nw.LazyFrame[Any]) -> None:
        """Note that the units of some rows belong to an entry, which need not be there yet."""
        self._wanted[entry] = self._smallest(rows)

    def fetch(self, *others: nw.LazyFrame[Any]) -> list[pa.Table]:
        """Ask for all that is wanted, and for the rows of other queries, at once."""
        queries = [*others, *self._wanted.values()]
        if not queries:
            return []
        what = "group its rows again" if others else "find the first units of each rule"
        tables = self._used.table.fetch_together(queries, what)
        for entry, table in zip(self._wanted, tables[len(others) :], strict=True):
            self._found[entry] = self._shown(table)
        self._wanted.clear()
        return tables[: len(others)]

    def complete(self, sample: Sample) -> None:
        """Write the first units of each entry of the ledger."""
        self.fetch()
        for entry, shown in self._found.items():
            if entry < len(sample.entries):
                sample.entries[entry] = sample.entries[entry]._replace(examples=shown)

    def named(self, rows: nw.LazyFrame[Any]) -> str:
        """Write the first units of some rows now."""
        return self._shown(self._used.table.fetch(self._smallest(rows), "find the first units"))

    def _smallest(self, rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        name = self._used.unit
        return rows.select(name).unique().sort(name).head(3)

    def _shown(self, table: pa.Table) -> str:
        if not table.num_rows:  # the unit is what was missing
            return ""
        name = self._used.unit
        return name_some(as_codes(read_columns(table, {name: "idname"})[name], "idname").labels)
