"""Which fictitious laws are found? Rejections by how noisy the treated clusters are.

Run from the root of the repository, with the data of real_laws.py::

    python benchmarks/real_laws_noise.py

The samples are those of real_laws.py. A cluster's noise is the variance of its changes from year
to year, less the mean change of all clusters. Within a series, samples are sorted into fifths by
the mean noise of the treated clusters; the default test is counted in each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from pathlib import Path

import numba
import numpy as np
import pandas as pd
from real_laws import ALPHA, SERIES, Cell, draw, fit, read

import didjack

TREATED = (1, 2, 3)
FIFTHS = 5
OUTPUT = Path(__file__).with_suffix(".csv")


def noise(data: pd.DataFrame) -> pd.Series:
    """Variance of a cluster's changes, relative to the mean over clusters."""
    wide = data.pivot_table(index="period", columns="cluster", values="y").sort_index()
    changes = wide.diff().iloc[1:]
    variance = changes.sub(changes.mean(axis=1), axis=0).pow(2).mean()
    return variance / variance.mean()


def run(cell: Cell) -> pd.DataFrame:
    """Count rejections of the default test by fifth, with the fifth's mean noise."""
    numba.set_num_threads(1)
    by_cluster, rows = noise(cell.data), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        for number in range(cell.samples):
            data, _ = draw(cell, number)
            treated = data.loc[data["cohort"] > 0, "cluster"].unique()
            p = fit(data).overall["p_value"]
            rows.append({"noise": by_cluster[treated].mean(), "rejected": p <= ALPHA})
    found = pd.DataFrame(rows)
    rank = found["noise"].rank(method="first") - 1.0
    found["fifth"] = 1 + np.floor(FIFTHS * rank / len(found)).astype(int)
    counts = found.groupby("fifth").agg(
        noise=("noise", "mean"), samples=("rejected", "size"), rejected=("rejected", "sum")
    )
    return counts.reset_index().assign(series=cell.name, treated=cell.treated)


def main() -> None:
    """Run all series."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000, help="of each cell")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    frames = {series.name: read(series) for series in SERIES}
    cells = [
        Cell(name, data, treated, options.samples, 0, 0)
        for name, data in frames.items()
        for treated in TREATED
    ]
    with multiprocessing.Pool(options.processes) as pool:
        found = pd.concat(pool.map(run, cells, chunksize=1))
    columns = ["series", "treated", "fifth", "noise", "samples", "rejected"]
    found[columns].round({"noise": 3}).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
