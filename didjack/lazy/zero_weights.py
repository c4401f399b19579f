"""Rule 0 for a lazy table: the engine leaves rows of weight zero out, and counts them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw

from didjack.intake.ledger import Entry
from didjack.intake.tables import read_columns
from didjack.intake.zero_weights import entry, reason_for
from didjack.lazy.columns import complete, number
from didjack.lazy.first_units import FirstUnits
from didjack.lazy.used import Used


def _weight(used: Used) -> str | None:
    """Return the column of weights, if there is one of numbers; others are refused elsewhere."""
    name = used.options.weightsname
    if name is None:
        return None
    dtype = used.table.schema[name]
    return name if dtype.is_numeric() or isinstance(dtype, nw.Boolean) else None


def without(used: Used) -> Used:
    """Return what is used of the rows whose weight is not zero."""
    name = _weight(used)
    if name is None:
        return used
    kept = used.table.frame.filter((number(name) != 0).fill_null(True))
    return replace(used, table=replace(used.table, frame=kept))


def count(used: Used) -> list[nw.LazyFrame[Any]]:
    """Return a query that counts rows of weight zero; none without weights."""
    name = _weight(used)
    if name is None:
        return []
    one = nw.when(number(name) == 0).then(nw.lit(1)).otherwise(nw.lit(0))
    zeros = one.sum().cast(nw.Int64).alias(used.table.own("zeros"))
    return [used.table.frame.select(zeros)]


def entry_of_table(used: Used, n_rows: int) -> Entry:
    """Return the ledger's entry for so many rows of weight zero, which are still in the table."""
    options, table, own = used.options, used.table, used.table.own
    assert options.weightsname is not None
    zero = (number(options.weightsname) == 0).fill_null(False)
    keys = {name: used.roles[name] for name in (options.gname, options.cluster) if name is not None}
    marked = table.frame.select(*used.roles).with_columns(zero.alias(own("zero")))
    n = nw.len().cast(nw.Int64).alias(own("n"))
    groups = table.fetch(table.grouped(marked, [*keys, own("zero")], n), "find zero weights")
    dropped = groups[own("zero")].to_numpy(zero_copy_only=False).astype(bool)
    reason = reason_for(read_columns(groups, keys), options, dropped, ~dropped)
    if options.idname is None:
        return entry(n_rows, n_rows, reason, "")
    rows = table.frame.filter(zero, complete(table.schema, used.unit))
    counted = rows.select(used.unit).unique().select(n)
    n_units = int(table.fetch(counted, "count units of weight zero")[own("n")][0].as_py())
    return entry(n_rows, n_units, reason, FirstUnits(used).named(rows))
