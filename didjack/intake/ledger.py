"""What each sample rule did: the entries of `result.sample`, and their warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from didjack.wording import plural


class Entry(NamedTuple):
    """One thing that a rule did.

    Attributes
    ----------
    rule : number and name of the rule
    action : "dropped", "recoded" or "kept"
    n_rows, n_units : how many rows, of how many units
    reason : why
    examples : the first few units, or rows
    """

    rule: str
    action: str
    n_rows: int
    n_units: int
    reason: str
    examples: str

    def message(self, panel: bool) -> str:
        """Write the entry as a warning; in repeated cross sections a row is its own unit."""
        what = plural(self.n_rows, "row")
        if panel and self.n_units:
            what += f" of {plural(self.n_units, 'unit')}"
        kind = "unit" if panel else "row"
        where = f"; first: {kind} {self.examples}" if self.examples else ""
        return f"{self.action} {what}: {self.reason}{where} (see result.sample)"


LEDGER_COLUMNS = list(Entry._fields)


def ledger_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Arrange entries as a table."""
    return pd.DataFrame(entries, columns=LEDGER_COLUMNS)
