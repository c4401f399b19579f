"""Estimates and what stands below them -> the cells of a table of several results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from didjack.reporting.numbers import number
from didjack.reporting.stars import Stars, legend, mark
from didjack.reporting.view import ResultView
from didjack.wording import name_some

BELOW = {"se": ["std_error"], "ci": ["conf_low", "conf_high"], "p": ["p_value"]}
"""What can stand below an estimate, and the statistics that it is made of."""


@dataclass(frozen=True, slots=True)
class Style:
    """How coefficients are written.

    Attributes
    ----------
    places : decimals
    stars : cut-offs with their marks
    below : what stands below estimates
    """

    places: int
    stars: Stars
    below: str

    def rows(self, name: str, tables: list[pd.DataFrame]) -> list[list[str]]:
        """Write one coefficient of all results: the estimates, and what stands below them."""
        at = [table.index.get_indexer(pd.Index([name]))[0] for table in tables]
        found = [table.iloc[i] if i >= 0 else None for table, i in zip(tables, at, strict=True)]
        return [
            [name, *("" if row is None else self._estimate(row) for row in found)],
            ["", *("" if row is None else self._below(row) for row in found)],
        ]

    def _estimate(self, row: pd.Series) -> str:
        return (number(row["estimate"], self.places) or "none") + mark(row["p_value"], self.stars)

    def _below(self, row: pd.Series) -> str:
        if np.isnan(row["estimate"]):
            return ""
        if row["status"] == "reference":
            return "(ref.)"
        if np.isnan(row["std_error"]):
            return "(none)"
        match self.below:
            case "se":
                return f"({number(row['std_error'], self.places)})"
            case "p":
                return f"[{number(row['p_value'], 3)}]"
            case _:
                low, high = (number(row[end], self.places) for end in BELOW["ci"])
                return f"[{low}, {high}]"

    def notes(
        self, views: Sequence[ResultView], heads: list[str], tables: list[pd.DataFrame]
    ) -> list[str]:
        """Say what the numbers are, and why some are missing."""
        kinds = list(dict.fromkeys(view.errors for view in views))
        kind = f"{kinds[0]} standard errors" if len(kinds) == 1 else "standard errors"
        levels = list(dict.fromkeys(f"{100 * (1 - view.options.alpha):g}%" for view in views))
        lines = {
            "se": f"{kind} in parentheses.",
            "p": f"p-values in brackets, from {kind}.",
            "ci": f"{' and '.join(levels)} confidence intervals in brackets, from {kind}.",
        }
        told = [lines[self.below]]
        if self.below == "se":
            told = [told[0][0].upper() + told[0][1:]]
        if self.stars:
            told.append(legend(self.stars))
        return told + _gaps(heads, tables)


def _gaps(heads: list[str], tables: list[pd.DataFrame]) -> list[str]:
    """Say why coefficients have no estimate or standard error, a sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for head, table in zip(heads, tables, strict=True):
        for name, row in table[table["std_error"].isna()].iterrows():
            what = "No estimate" if np.isnan(row["estimate"]) else "No standard error"
            reason = f"{what} ({row['status']})"
            if row["status"] == "reference":
                reason = "ref.: zero by construction"
            reasons.setdefault(reason, []).append(f"{name} in {head}")
    return [
        f"{reason}." if reason.startswith("ref.") else f"{reason}: {name_some(where, most=6)}."
        for reason, where in reasons.items()
    ]
