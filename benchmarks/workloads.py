"""Simulated data sets that speed is measured on.

`panel(2_000)` is 20,000 rows; `microdata()` is the size of a survey replication.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

COHORTS = np.array([0, 0, 4, 5, 6, 7, 8])
MICRO_COHORTS = [1991, 1993, 1996, 1997, 1997, 1998, 1998, 1999, 2000, 2000]


def panel(n_units: int, n_periods: int = 10, n_clusters: int = 50, seed: int = 0) -> pd.DataFrame:
    """Simulate a balanced panel in which whole clusters are treated, in periods 4 to 8 or never.

    Columns: id, t, g, cl, y and three standard normal covariates, constant in time.
    """
    rng = np.random.default_rng(seed)
    cluster = np.sort(rng.integers(0, n_clusters, n_units))
    cohort = COHORTS[rng.integers(0, 7, n_clusters)][cluster]
    period = np.arange(1, n_periods + 1)
    x = rng.normal(size=(n_units, 3))
    unit_effect = rng.normal(size=n_units)
    treated = (cohort[:, None] > 0) & (period >= cohort[:, None])
    y = (
        unit_effect[:, None]
        + 0.3 * period
        + 0.1 * x[:, :1] * period
        + np.where(treated, 1.0, 0.0)
        + rng.normal(size=(n_units, n_periods))
        + 0.2 * rng.normal(size=(n_clusters, n_periods))[cluster]
    )
    return _long(cohort, cluster, period, y, x)


def _long(
    cohort: np.ndarray, cluster: np.ndarray, period: np.ndarray, y: np.ndarray, x: np.ndarray
) -> pd.DataFrame:
    """Write units by periods as one row a unit and period."""
    n_units, n_periods = y.shape
    columns = {
        "id": np.repeat(np.arange(1, n_units + 1), n_periods),
        "t": np.tile(period, n_units),
        "g": np.repeat(cohort, n_periods),
        "cl": np.repeat(cluster, n_periods),
        "y": y.ravel(),
    }
    columns |= {f"x{j + 1}": np.repeat(x[:, j], n_periods) for j in range(x.shape[1])}
    return pd.DataFrame(columns)


def time_varying(n_units: int, seed: int = 0) -> pd.DataFrame:
    """Simulate `panel` with two covariates that move over time, z1 slowly and z2 fast."""
    data = panel(n_units, seed=seed)
    rng = np.random.default_rng(seed + 1)
    data["z1"] = data["x1"] + 0.1 * data["t"] * rng.normal(size=len(data))
    data["z2"] = 0.5 * data["x2"] + rng.normal(size=len(data))
    return data


def staggered(
    n_units: int, n_periods: int, n_cohorts: int, n_clusters: int = 100, n_x: int = 0, seed: int = 0
) -> pd.DataFrame:
    """Simulate a balanced panel with any number of cohorts, periods and covariates.

    Clusters take turns in being never treated (every third) and in one of the cohorts, whose
    first treated periods are evenly spaced from the third period to the last.
    """
    rng = np.random.default_rng(seed)
    starts = np.unique(np.linspace(3, n_periods, n_cohorts).round().astype(int))
    clusters = np.arange(n_clusters)
    treated_in_turn = starts[(clusters - clusters // 3 - 1) % starts.size]
    cluster = np.sort(rng.integers(0, n_clusters, n_units))
    cohort = np.where(clusters % 3 == 0, 0, treated_in_turn)[cluster]
    period = np.arange(1, n_periods + 1)
    x = rng.normal(size=(n_units, n_x))
    y = rng.normal(size=(n_units, 1)) + rng.normal(size=(n_units, n_periods))
    y += 0.1 * x.sum(axis=1, keepdims=True) * period / n_periods
    y += (cohort[:, None] > 0) & (period >= cohort[:, None])
    return _long(cohort, cluster, period, y, x)


def microdata(n_rows: int = 42_000, n_clusters: int = 51, seed: int = 0) -> pd.DataFrame:
    """Simulate repeated cross sections: a binary outcome and three dummies over twelve years.

    States are very unequal in size; 10 of the 51 are treated, in seven cohorts.
    """
    rng = np.random.default_rng(seed)
    share = rng.gamma(0.7, size=n_clusters) + 0.05
    cluster = rng.choice(n_clusters, n_rows, p=share / share.sum())
    start = np.zeros(n_clusters, int)
    start[rng.permutation(n_clusters)[:10]] = MICRO_COHORTS
    cohort = start[cluster]
    year = rng.integers(1989, 2001, n_rows)
    x = (rng.random((n_rows, 3)) < [0.49, 0.12, 0.04]).astype(int)
    probability = (
        0.4
        + 0.01 * (year - 1989)
        - 0.05 * x[:, 0]
        + 0.04 * ((cohort > 0) & (year >= cohort))
        + 0.05 * rng.normal(size=(n_clusters, 12))[cluster, year - 1989]
    )
    y = (rng.random(n_rows) < probability).astype(float)
    dummies = {f"x{j + 1}": x[:, j] for j in range(3)}
    return pd.DataFrame({"y": y, "t": year, "g": cohort, "cl": cluster, **dummies})


def many_cells(
    n_units: int = 2_200, n_periods: int = 300, n_cohorts: int = 100, n_clusters: int = 50
) -> pd.DataFrame:
    """Simulate a balanced panel in which every cluster has units of many cohorts.

    660,000 rows and 100 x 299 ATT(g,t) if nothing else is asked for; a twentieth of the units is
    never treated.
    """
    rng = np.random.default_rng(0)
    starts = np.arange(n_cohorts) + n_periods - n_cohorts - 1
    cohort = np.where(rng.random(n_units) < 0.05, 0, starts[np.arange(n_units) % n_cohorts])
    cluster, period = rng.integers(0, n_clusters, n_units), np.arange(1, n_periods + 1)
    y = rng.normal(size=(n_units, 1)) + rng.normal(size=(n_units, n_periods))
    y += (cohort[:, None] > 0) & (period >= cohort[:, None])
    return _long(cohort, cluster, period, y, np.empty((n_units, 0)))
