"""How often do tests at 5% reject if there is no effect? The claim of the cluster-jackknife paper.

Run it as ``python replications/simulation.py --out DIR``. Panels of 20 clusters, of which 2, 3 or 5
are treated, in two cohorts; the overall ATT is tested in three ways.
"""

import argparse
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from statsmodels.iolib.table import SimpleTable
from study import block, compare, finish, written

import didjack

SEED = 20260212
CLUSTERS, TREATED = 20, (2, 3, 5)
ALPHA = 0.05
SOURCE = (
    "Karim, Nielsen, MacKinnon and Webb (2026), arXiv 2602.12043: with few treated clusters "
    "clustered standard errors reject too often, CV3 less so; nominal level of the test, 5%"
)
TESTS = {
    "clustered": {"vcov": "analytic"},
    "CV3, t(R-1)": {"reference": "t", "undefined": "skip"},
    "CV3, model": {},
}


def p_values(treated: int, draw: int) -> list[float]:
    """Draw a panel without effect, and test the overall ATT."""
    df = didjack.simulate.panel(
        n_clusters=CLUSTERS,
        cluster_size=10,
        n_periods=6,
        cohorts=[3, 5],
        treated_clusters=treated,
        effect=0.0,
        seed=np.random.default_rng([SEED, treated, draw]),
    )
    result = didjack.csdid(
        df, yname="y", tname="period", gname="cohort", idname="id", cluster="cluster"
    )
    average = result.aggregate("simple")
    return [average.with_options(**options).overall["p_value"] for options in TESTS.values()]


def rates(draws: int) -> pd.DataFrame:
    """Share of draws in which each test rejects: treated clusters x tests."""
    with warnings.catch_warnings():
        # Each panel has few treated clusters, which is the point, and hundreds would say so.
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        found = {k: [p_values(k, draw) for draw in range(draws)] for k in TREATED}
    table = pd.DataFrame(
        {k: (np.array(p) < ALPHA).mean(axis=0) for k, p in found.items()}, index=[*TESTS]
    )
    return table.T.rename_axis("treated")


def drawn(table: pd.DataFrame, error: float) -> plt.Figure:
    """Draw rejection rates by the number of treated clusters."""
    picture, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, marker in zip(table, "osD", strict=True):
        ax.plot(table.index, table[name], marker=marker, label=name)
    band = (ALPHA - 2.0 * error, ALPHA + 2.0 * error)
    ax.axhspan(*band, color="0.9", label="5% ± 2 standard errors")
    ax.set(xlabel=f"treated clusters of {CLUSTERS}", ylabel="rejection rate without effect")
    ax.set_xticks(table.index)
    ax.set_ylim(bottom=0.0)
    ax.legend(frameon=False)
    return picture


def main(argv: list[str] | None = None) -> int:
    """Simulate, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that results go to")
    parser.add_argument("--draws", type=int, default=300, help="of each number of treated clusters")
    options = parser.parse_args(argv)
    table = rates(options.draws)
    error = float(np.sqrt(ALPHA * (1.0 - ALPHA) / options.draws))

    level = {f"CV3, model, {k} treated: rejections": f"{ALPHA}" for k in TREATED}
    found = {f"CV3, model, {k} treated: rejections": table.loc[k, "CV3, model"] for k in TREATED}
    order = "designs in which clustered standard errors reject more often than CV3 with t(R-1)"
    fewer = (table["clustered"] > table["CV3, t(R-1)"]).sum()
    limits = dict.fromkeys(level, 3.0 * error)
    comparison = compare(level | {order: f"{len(TREATED)}"}, found | {order: fewer}, SOURCE, limits)
    report = written(
        "simulation",
        comparison,
        clusters=CLUSTERS,
        draws=options.draws,
        error=error,
        table=block(table, 3),
        fewer=fewer,
        designs=len(TREATED),
        t=table.loc[2, "CV3, t(R-1)"],
        law=table.loc[2, "CV3, model"],
    )
    body = [[f"{rate:.3f}" for rate in row] for row in table.to_numpy()]
    latex = SimpleTable(body, [*table], [f"{k} treated" for k in TREATED]).as_latex_tabular()
    return finish(options.out, comparison, report, latex, drawn(table, error))


if __name__ == "__main__":
    sys.exit(main())
