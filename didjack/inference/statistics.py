"""Standard errors and degrees of freedom -> tests, intervals and the table of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.imports import load
from didjack.status import Status

STATISTICS = [
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "n_replicates",
    "n_composition",
    "status",
]
"""The columns of every coefficient table, after its labels."""


class ReferenceDistribution(Protocol):
    """The null distributions of M statistics, where these are not t."""

    @property
    def method(self) -> str:
        """How they are computed, in words."""

    def p_value(self, statistic: Floats) -> Floats:
        """Two-sided p-values, (M,)."""

    def critical_value(self, alpha: float) -> Floats:
        """Two-sided critical values, (M,)."""

    def df(self, alpha: float) -> Floats:
        """Degrees of freedom of the t with these critical values, (M,)."""

    def take(self, rows: Ints) -> ReferenceDistribution:
        """Select statistics."""


@dataclass(frozen=True, slots=True)
class Variance:
    """Standard errors of M coefficients, and the distribution their t statistics have.

    Attributes
    ----------
    std_error : (M,) NaN where it cannot be had
    df : (M,) degrees of freedom of t; infinite for the normal
    n_replicates : (M,) replicates used; 0 where none are
    reference : ReferenceDistribution that the statistics have instead of t, if any
    """

    std_error: Floats
    df: Floats
    n_replicates: Ints
    reference: ReferenceDistribution | None = None

    def take(self, rows: Ints) -> Variance:
        """Select coefficients."""
        reference = None if self.reference is None else self.reference.take(rows)
        return Variance(self.std_error[rows], self.df[rows], self.n_replicates[rows], reference)

    def p_value(self, statistic: Floats) -> Floats:
        """Two-sided p-values, (M,); never smaller than those of t(df)."""
        student = p_value(statistic, self.df)
        if self.reference is None:
            return student
        return np.maximum(self.reference.p_value(statistic), student)

    def critical_value(self, alpha: float) -> Floats:
        """Two-sided critical values, (M,); never smaller than those of t(df)."""
        student = self.student(alpha)
        if self.reference is None:
            return student
        return np.maximum(self.reference.critical_value(alpha), student)

    def detectable(self, alpha: float, power: float) -> Floats:
        """Return the effects that tests find with a probability, (M,), by symmetry."""
        quantile = np.zeros(self.std_error.size)
        if power != 0.5:
            tails = self.critical_value(2.0 * min(power, 1.0 - power))
            quantile = np.copysign(tails, power - 0.5)
        return np.asarray((self.critical_value(alpha) + quantile) * self.std_error)

    def student(self, alpha: float) -> Floats:
        """Two-sided critical values of t, (M,), whatever the reference distribution."""
        return critical_value(alpha, self.df)

    def df_at(self, alpha: float) -> Floats:
        """Degrees of freedom of the t that has the same critical values, (M,)."""
        if self.reference is None:
            return self.df
        return np.minimum(self.reference.df(alpha), self.df)


def with_diagonal(matrix: Floats, error: Floats) -> Floats:
    """Make the diagonal the squared errors, with NaN rows and columns where these are NaN."""
    matrix = np.where(np.isnan(error)[:, None] | np.isnan(error), np.nan, matrix)
    np.fill_diagonal(matrix, error**2)
    return matrix


def p_value(statistic: Floats, df: Floats) -> Floats:
    """Two-sided p-values of t statistics; normal where df is infinite."""
    special = load("scipy.special")

    normal = np.isinf(df)
    tail = special.stdtr(np.where(normal, 1.0, df), -np.abs(statistic))
    return np.asarray(2.0 * np.where(normal, special.ndtr(-np.abs(statistic)), tail))


def critical_value(alpha: float, df: Floats) -> Floats:
    """Two-sided critical values of t; normal where df is infinite."""
    special = load("scipy.special")

    normal = np.isinf(df)
    # Of the lower tail, as 1 - alpha / 2 has no digits of a small alpha.
    value = -special.stdtrit(np.where(normal, 1.0, df), alpha / 2.0)
    return np.asarray(np.where(normal, -special.ndtri(alpha / 2.0), value))


def statistics(estimate: Floats, variance: Variance, alpha: float) -> dict[str, Floats]:
    """Compute tests and intervals, (M,) each, by the first seven names of `STATISTICS`."""
    error = variance.std_error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / error
    margin = variance.critical_value(alpha) * error
    return {
        "estimate": estimate,
        "std_error": error,
        "statistic": statistic,
        "df": variance.df_at(alpha),
        "p_value": variance.p_value(statistic),
        "conf_low": estimate - margin,
        "conf_high": estimate + margin,
    }


def coefficient_table(
    estimate: Floats, variance: Variance, alpha: float, n_composition: Ints, status: list[Status]
) -> pd.DataFrame:
    """Put estimates, tests and intervals in the columns of `STATISTICS`."""
    values = [
        *statistics(estimate, variance, alpha).values(),
        variance.n_replicates,
        n_composition,
        [str(one) for one in status],
    ]
    return pd.DataFrame(dict(zip(STATISTICS, values, strict=True)))
