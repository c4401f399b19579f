"""How many digits of a number a table shows."""

from __future__ import annotations

import numpy as np
import pandas as pd


def decimals(values: pd.Series) -> int:
    """Choose how many decimals show three digits of the smaller numbers.

    Examples
    --------
    >>> decimals(pd.Series([0.0123, 0.5])), decimals(pd.Series([120.0, 4300.0]))
    (4, 2)
    """
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    if size.empty:
        return 4
    return int(np.clip(2 - np.floor(np.log10(size.quantile(0.25, interpolation="lower"))), 2, 10))


def decimals_of(table: pd.DataFrame) -> int:
    """Choose the decimals of estimates by their standard errors; where none has one, by size."""
    errors = table["std_error"]
    return decimals(errors if errors.notna().any() else table["estimate"])


def number(value: float, places: int) -> str:
    """Write a number, or nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.{places}f}"
