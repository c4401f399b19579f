"""The working variance of clusters' shocks by its definition, without the package."""

import itertools

import numpy as np
import pandas as pd
from scipy import optimize


def slow_variance(df, weight=None, anticipation=0):
    """v(n) of each cluster, in the order of their labels, from the rows of a clean sample."""
    n, r = slow_squares(df, weight, anticipation)
    if np.isclose(n, n.iloc[0], rtol=1e-12).all() or len(r) < 3:
        return np.ones(len(n))
    x = np.column_stack([np.ones(len(r)), 1 / n[r.index]])
    (a, b), _ = optimize.nnls(x, r.to_numpy())
    return (a + b / n).to_numpy() if a + b > 0 else np.ones(len(n))


def slow_squares(df, weight=None, anticipation=0):
    """n of each cluster, and r of those that have one, by label."""
    df = df.assign(w=1.0 if weight is None else df[weight])
    df["g"] = np.where(df["cohort"] == 0, np.inf, df["cohort"])
    periods = sorted(df["period"].unique())
    squares = df.groupby(["cluster", "period"])["w"].agg(lambda w: w.sum() ** 2 / (w**2).sum())
    n = squares.groupby("cluster").mean()
    moves = {cluster: [] for cluster in n.index}
    for before, after in itertools.pairwise(periods):
        rows = df[df["g"] > after + anticipation]
        parts = {}
        for period in (before, after):
            here = rows[rows["period"] == period]
            total = here.groupby("cluster")["w"].sum()
            parts[period] = total, (here["w"] * here["y"]).groupby(here["cluster"]).sum() / total
        both = parts[before][0].index.intersection(parts[after][0].index)
        if len(both) < 3:
            continue
        move = parts[after][1][both] - parts[before][1][both]
        w = parts[after][0][both]
        for cluster in both:
            others = both.drop(cluster)
            own = move[cluster] - np.average(move[others], weights=w[others])
            moves[cluster].append(own**2)
    return n, pd.Series({cluster: np.mean(values) for cluster, values in moves.items() if values})
