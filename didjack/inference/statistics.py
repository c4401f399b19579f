"""Replicates or influence -> standard errors, degrees of freedom, tests and intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.options import Undefined

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


def deviations(theta: Floats, centre_on_mean: bool) -> tuple[Floats, Bools]:
    """Replicates less their centre, (H, M), zero where missing; and where they are not missing."""
    replicates = theta[1:]
    valid = ~np.isnan(replicates)
    centre = theta[0]
    if centre_on_mean:
        count = valid.sum(axis=0)
        total = np.where(valid, replicates, 0.0).sum(axis=0)
        centre = np.divide(total, count, out=np.full(count.size, np.nan), where=count > 0)
    return np.where(valid, replicates - centre, 0.0), valid


def jackknife(theta: Floats, undefined: Undefined, centre_on_mean: bool = False) -> Variance:
    r"""Cluster jackknife standard errors, CV3 or CV3J.

    The square roots of the diagonal of

    .. math:: \frac{R-1}{R} \sum_h (\theta_{(h)} - c)(\theta_{(h)} - c)'

    with c the full-sample estimate (CV3) or the mean of the replicates (CV3J), and R the number
    of replicates. Tests use t(R - 1).

    Parameters
    ----------
    theta : (1 + H, M) estimates; row 0 of the full sample, row 1 + h without cluster h
    undefined : what a missing replicate does: "skip" leaves it out, otherwise the error is NaN
    centre_on_mean : CV3J

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), J. Applied Econometrics, doi:10.1002/jae.2969; Karim,
    Nielsen, MacKinnon & Webb (2026).
    """
    deviation, valid = deviations(theta, centre_on_mean)
    count = valid.sum(axis=0)
    bad = (count < 2) | np.isnan(theta[0])
    if undefined != "skip":
        bad |= ~valid.all(axis=0)
    variance = _shrink(count) * (deviation**2).sum(axis=0)
    return Variance(
        np.where(bad, np.nan, np.sqrt(variance)), np.where(bad, np.nan, count - 1.0), count
    )


def jackknife_covariance(
    theta: Floats, undefined: Undefined, centre_on_mean: bool = False
) -> Floats:
    """Cluster jackknife covariance, (M, M); its diagonal is that of `jackknife`.

    Where replicates are skipped, a covariance uses those that both coefficients have.
    """
    deviation, valid = deviations(theta, centre_on_mean)
    both = valid.T.astype(float) @ valid.astype(float)
    error = jackknife(theta, undefined, centre_on_mean).std_error
    return with_diagonal(_shrink(both) * (deviation.T @ deviation), error)


def _shrink(count: Floats | Ints) -> Floats:
    """(R - 1) / R; NaN for R = 0."""
    count = np.asarray(count, dtype=float)
    shrink: Floats = np.divide(
        count - 1.0, count, out=np.full(count.shape, np.nan), where=count > 0
    )
    return shrink


def analytic(influence: Floats, df: float) -> Variance:
    """Square roots of the sums of squared influence of units or clusters, (G, M).

    Coefficients with no influence at all (reference periods, zero by construction) get NaN.
    """
    total = (influence**2).sum(axis=0)
    bad = ~(total > 0)
    none = np.zeros(total.size, dtype=np.int64)
    return Variance(np.where(bad, np.nan, np.sqrt(total)), np.where(bad, np.nan, df), none)


def analytic_covariance(influence: Floats) -> Floats:
    """Sum of products of the influence of units or clusters, (G, M) -> (M, M)."""
    return with_diagonal(influence.T @ influence, analytic(influence, np.inf).std_error)


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
