"""How often do tests at 5 % reject when there is no effect?

Run from the root of the repository::

    python benchmarks/monte_carlo.py

It draws panels with `didjack.simulate.panel`, tests the overall ATT (the simple average) under
every variance estimator, and writes the table of rejection rates to docs/monte_carlo.md. Seeds are
fixed: the numbers do not depend on the number of processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import textwrap
import time
import warnings
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pandas as pd

import didjack

ALPHA = 0.05
SEED = 20240607
ESTIMATORS = ["analytic", "clustered", "bootstrap", "CV3J", "CV3"]
N_CLUSTERS = (10, 20, 50)
N_TREATED = (1, 2, 3, 5)
SIZES = ("equal", "unequal")
MEAN_SIZE = 10
SPREAD = 3.0
CHUNK = 100
OUTPUT = Path(__file__).parents[1] / "docs" / "monte_carlo.md"


def designs():
    """All cells of the table: sizes of clusters, their number, and how many are treated."""
    for sizes, n_clusters in product(SIZES, N_CLUSTERS):
        for treated in sorted({*N_TREATED, n_clusters // 2}):
            yield sizes, n_clusters, treated


def cluster_sizes(sizes, n_clusters):
    """Equal sizes, or sizes that grow exponentially by the factor exp(SPREAD) from end to end."""
    if sizes == "equal":
        return MEAN_SIZE
    weight = np.exp(SPREAD * np.arange(n_clusters) / n_clusters)
    return np.maximum(1.0, MEAN_SIZE * n_clusters * weight / weight.sum())


def draw(design, number):
    """p-values of one simulated panel, in the order of ESTIMATORS; NaN where there is no test."""
    sizes, n_clusters, treated = design
    cohorts = [3, 5] if treated > 1 else [3]
    seed = np.random.SeedSequence([SEED, SIZES.index(sizes), n_clusters, treated, number])
    data = didjack.simulate.panel(
        n_clusters=n_clusters,
        cluster_size=cluster_sizes(sizes, n_clusters),
        n_periods=6,
        cohorts=cohorts,
        treated_clusters=treated,
        effect=0.0,
        seed=np.random.default_rng(seed),
    )
    result = didjack.csdid(
        data,
        "y",
        "period",
        "cohort",
        "id",
        cluster="cluster",
        est_method="reg",
        undefined="skip",
        seed=number,
        progress=False,
    )
    return result.aggregate("simple").compare_vcov().loc[ESTIMATORS, "p_value"].to_numpy()


def run_chunk(task):
    """Simulate some draws of a design; a draw that fails counts as one without a test."""
    design, numbers = task
    numba.set_num_threads(1)
    p_values, failures = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        for number in numbers:
            try:
                p_values.append(draw(design, number))
            except didjack.DidjackError:
                failures += 1
                p_values.append(np.full(len(ESTIMATORS), np.nan))
    return design, np.array(p_values), failures


def simulate(n_draws, n_processes):
    """Rejection rates by design, with Monte Carlo errors and failures."""
    tasks = [
        (design, range(start, min(start + CHUNK, n_draws)))
        for design in designs()
        for start in range(0, n_draws, CHUNK)
    ]
    found = {design: [] for design in designs()}
    failures = dict.fromkeys(found, 0)
    with multiprocessing.Pool(n_processes) as pool:
        for design, p_values, failed in pool.imap_unordered(run_chunk, tasks):
            found[design].append(p_values)
            failures[design] += failed
    rows = []
    for design, parts in found.items():
        p_values = np.concatenate(parts)
        tested = ~np.isnan(p_values)
        rate = (p_values < ALPHA).sum(axis=0) / np.maximum(tested.sum(axis=0), 1)
        error = np.sqrt(rate * (1.0 - rate) / np.maximum(tested.sum(axis=0), 1))
        row = dict(zip(["sizes", "clusters", "treated"], design, strict=True))
        row |= {name: 100.0 * value for name, value in zip(ESTIMATORS, rate, strict=True)}
        row |= {f"{name} error": 100.0 * v for name, v in zip(ESTIMATORS, error, strict=True)}
        row["no_test"] = int((~tested).any(axis=1).sum())
        row["failures"] = failures[design]
        rows.append(row)
    return pd.DataFrame(rows)


def markdown_table(table):
    """Rates in percent, with Monte Carlo errors in parentheses."""
    heads = ["clusters", "treated", "analytic, by unit", "analytic, clustered"]
    heads += ["bootstrap", "CV3J", "CV3"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---:|" * len(heads)]
    for row in table.to_dict("records"):
        cells = [str(row["clusters"]), str(row["treated"])]
        cells += [f"{row[name]:.1f} ({row[name + ' error']:.1f})" for name in ESTIMATORS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def between(table, name):
    """The range of a column of rates."""
    low, high = table[name].min(), table[name].max()
    return f"{low:.0f} %" if round(low) == round(high) else f"{low:.0f} to {high:.0f} %"


def reading(table):
    """What the table says, with its numbers."""
    names = ["clustered", "bootstrap", "CV3"]

    def rates(rows):
        clustered, bootstrap, cv3 = (between(rows, name) for name in names)
        return f"clustered analytic {clustered}, bootstrap {bootstrap}, CV3 {cv3}"

    few = table[table["treated"].isin([2, 3])]
    some = table[table["treated"].isin([2, 3, 5])]
    half = table[(table["treated"] == table["clusters"] // 2) & (table["clusters"] > 10)]
    one = table[table["treated"] == 1]
    points = [
        "Analytic standard errors by unit ignore that shocks are common to a cluster. They reject "
        f"in {between(table, 'analytic')} of the samples, whatever the number of clusters.",
        f"One treated cluster: {rates(one)}. Nothing works: no estimator can learn from one "
        "cluster how treated clusters vary. The jackknife cannot leave that cluster out, so by "
        'default didjack gives no standard error; here it was told `undefined="skip"`, and CV3 is '
        "made from the other clusters alone.",
        f"Two or three treated clusters: {rates(few)}. CV3 is much closer and still off.",
        f"Five treated clusters: {rates(table[table['treated'] == 5])}.",
        f"Half of 20 or 50 clusters treated: {rates(half)}.",
        "More untreated clusters are no remedy: with 2, 3 or 5 treated ones CV3 rejects in "
        f"{between(some[some['clusters'] == 10], 'CV3')} where there are 10 clusters in all, in "
        f"{between(some[some['clusters'] == 50], 'CV3')} where there are 50.",
        "CV3J differs from CV3 by "
        f"{(table['CV3J'] - table['CV3']).abs().max():.1f} percentage points at most.",
    ]
    return "\n".join(
        textwrap.fill(point, 110, initial_indent="- ", subsequent_indent="  ") for point in points
    )


def page(table, n_draws, n_processes, seconds):
    """The page of the documentation."""
    parts = {sizes: markdown_table(table[table["sizes"] == sizes]) for sizes in SIZES}
    sizes = np.rint(cluster_sizes("unequal", 20))
    lost, failed = int(table["no_test"].sum()), int(table["failures"].sum())
    paragraphs = [
        "# Monte Carlo",
        "How often does a test at the 5 % level find an effect where there is none? The tables "
        "give rejection rates in percent for the overall ATT (the simple average of all ATT(g,t) "
        "from treatment on), with their Monte Carlo standard errors in parentheses. A good test "
        "rejects in 5 %.",
        f"Each cell has {n_draws:,} panels from {{py:func}}`didjack.simulate.panel` without "
        f"effect: six periods, {MEAN_SIZE} units a cluster on average, intra-cluster correlation "
        "of the shocks 0.2, their autocorrelation 0.5, treatment by cluster from period 3 or 5 "
        "(from period 3 if one cluster is treated), treated clusters chosen at random. Estimates "
        "are those of outcome regression without covariates against the never treated. Tests are "
        "those of `compare_vcov()`: normal for analytic standard errors by unit and for the "
        "bootstrap (999 draws; Webb's weights with 10 clusters, otherwise Rademacher's), t with "
        "the number of clusters less one for clustered analytic standard errors, t with the "
        "number of replicates less one for CV3J and CV3.",
        "## Clusters of equal size",
        parts["equal"],
        "## Clusters of very unequal size",
        f"Sizes grow exponentially: with 20 clusters from {sizes.min():.0f} to {sizes.max():.0f} "
        "units. Small and large clusters are treated with the same probability.",
        parts["unequal"],
        "## What comes out",
        reading(table),
        "If a cohort lies in one cluster, the replicate without it averages over other ATT(g,t) "
        "than the full sample (`n_retargeted` counts such replicates): always so with two treated "
        f"clusters. Draws without a test: {lost:,} of {n_draws * len(table):,}; draws that failed "
        f"with an error: {failed:,}.",
        "## How it was made",
        f"`python benchmarks/monte_carlo.py --draws {n_draws} --processes {n_processes}` on "
        f"{machine()}, in {seconds / 60.0:.0f} minutes. Seeds are fixed: the numbers do not depend "
        "on the number of processes.",
    ]
    filled = [
        text
        if text.startswith(("|", "-", "#"))
        else textwrap.fill(text, 110, break_on_hyphens=False)
        for text in paragraphs
    ]
    return "\n\n".join(filled) + "\n"


def machine():
    """The processor and the software."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":")[1].strip() if models else name
    return (
        f"{name} ({os.cpu_count()} cores), Python {platform.python_version()}, "
        f"numpy {np.__version__}, didjack {didjack.__version__}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000, help="panels in each cell")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    start = time.perf_counter()
    table = simulate(options.draws, options.processes)
    seconds = time.perf_counter() - start
    print(table.round(1).to_string())
    print(f"{seconds:.0f} seconds")
    options.output.write_text(page(table, options.draws, options.processes, seconds))


if __name__ == "__main__":
    main()
