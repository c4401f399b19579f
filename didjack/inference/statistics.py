"""Standard errors and degrees of freedom -> tests, intervals and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints

STATISTICS = [
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "n_replicates",
    "n_retargeted",
    "status",
]
"""The columns of every coefficient table, after its labels."""


@dataclass(frozen=True, slots=True)
class Variance:
    """Standard errors of M coefficients, and the distribution their t statistics have.

    Attributes
    ----------
    std_error : (M,) NaN where it cannot be had
    df : (M,) degrees of freedom of t; infinite for the normal
    n_replicates : (M,) replicates used; 0 where none are
    """

    std_error: Floats
    df: Floats
    n_replicates: Ints


def with_diagonal(matrix: Floats, error: Floats) -> Floats:
    """Make the diagonal the squared errors, with NaN rows and columns where these are NaN."""
    matrix = np.where(np.isnan(error)[:, None] | np.isnan(error), np.nan, matrix)
    np.fill_diagonal(matrix, error**2)
    return matrix


def p_value(statistic: Floats, df: Floats) -> Floats:
    """Two-sided p-values of t statistics; normal where df is infinite."""
    from scipy import special  # takes long to import

    normal = np.isinf(df)
    tail = special.stdtr(np.where(normal, 1.0, df), -np.abs(statistic))
    return np.asarray(2.0 * np.where(normal, special.ndtr(-np.abs(statistic)), tail))


def critical_value(alpha: float, df: Floats) -> Floats:
    """Two-sided critical values of t; normal where df is infinite."""
    from scipy import special  # takes long to import

    normal = np.isinf(df)
    value = special.stdtrit(np.where(normal, 1.0, df), 1.0 - alpha / 2.0)
    return np.asarray(np.where(normal, special.ndtri(1.0 - alpha / 2.0), value))


def statistics(estimate: Floats, variance: Variance, alpha: float) -> dict[str, Floats]:
    """Compute tests and intervals, (M,) each, by the first seven names of `STATISTICS`."""
    error = variance.std_error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / error
    margin = critical_value(alpha, variance.df) * error
    return {
        "estimate": estimate,
        "std_error": error,
        "statistic": statistic,
        "df": variance.df,
        "p_value": p_value(statistic, variance.df),
        "conf_low": estimate - margin,
        "conf_high": estimate + margin,
    }


def coefficient_table(
    estimate: Floats, variance: Variance, alpha: float, n_retargeted: Ints, status: list[str]
) -> pd.DataFrame:
    """Put estimates, tests and intervals in the columns of `STATISTICS`."""
    values = [
        *statistics(estimate, variance, alpha).values(),
        variance.n_replicates,
        n_retargeted,
        status,
    ]
    return pd.DataFrame(dict(zip(STATISTICS, values, strict=True)))


def first_reason(missing: Bools, clusters: pd.Index, explain: Callable[[int], str]) -> str:
    """Explain the missing replicates of one coefficient, (H,), by the first of them.

    `explain` says why, given the position of a cluster.
    """
    at = np.flatnonzero(missing).tolist()
    more = f" (and {len(at) - 1} more)" if len(at) > 1 else ""
    return f"cluster {clusters[at[0]]}: {explain(at[0])}{more}"
