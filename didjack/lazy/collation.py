"""Text that an engine compares under a collation: labels that differ would be put together."""

from __future__ import annotations

import narwhals as nw

from didjack.errors import DataError
from didjack.lazy.tables import engine_name
from didjack.lazy.used import Used

_EXACT = ("duckdb", "polars")
"""Engines that compare all text exactly: polars always does, DuckDB is told to."""

_ALIKE = (("a", "A"), ("a", "á"), ("a", "a "))
"""Texts that collations take for the same."""


def check_collation(used: Used) -> None:
    """Raise for columns of text in which texts that differ are the same to the engine."""
    table, engine = used.table, engine_name(used.table.frame)
    text = [name for name in used.roles if isinstance(table.schema[name], nw.String)]
    if engine in _EXACT or not text:
        return
    alike = {
        table.own(f"{name}_{j}"): _text(name, one) == _text(name, other)
        for name in text
        for j, (one, other) in enumerate(_ALIKE)
    }
    found = table.fetch(table.frame.head(1).select(**alike), "compare its text")
    for name in text:
        for j, (one, other) in enumerate(_ALIKE):
            if found.num_rows and found[table.own(f"{name}_{j}")][0].as_py():
                raise DataError(
                    f"{used.roles[name]} {name!r} has a collation under which {engine} takes "
                    f"{one!r} and {other!r} for the same text; give the column a binary collation, "
                    "or use collect=True"
                )


def _text(name: str, text: str) -> nw.Expr:
    """Return a text that is compared as those of a column are."""
    nothing = nw.col(name).fill_null("").str.slice(0, 0)
    return nw.concat_str([nothing, nw.lit(text)])
