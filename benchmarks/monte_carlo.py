"""How often do tests at 5 % reject when there is no effect?

Run from the root of the repository::

    python benchmarks/monte_carlo.py

It draws panels and cross sections without effect, tests the overall ATT (the simple average), the
pre-treatment ATT(g,t) and whole event studies, and writes the tables to docs/monte_carlo.md. Seeds
are fixed: the numbers do not depend on the number of processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pandas as pd
from monte_carlo_page import page
from scipy import stats

import didjack

ALPHA = 0.05
BELOW = {"placebo": ALPHA + 1e-9}
"""Tests reject where p is below ALPHA, the placebo test also where it is ALPHA: its p-values are
multiples of 1 / (C + 1), and with C = 19 never-treated clusters that is the smallest."""
SEED = 20240607
MEAN_SIZE = 10
SPREAD = 3.0
CHUNK = 50
N_PERIODS = 6
PERMUTATIONS = 199
OUTPUT = Path(__file__).parents[1] / "docs" / "monte_carlo.md"


@dataclass(frozen=True)
class Design:
    """What is drawn.

    Attributes
    ----------
    sizes : "equal", or "unequal" clusters
    clusters, treated : number of clusters, and of treated ones
    shocks : what differs from normal shocks with intra-cluster correlation 0.2, autocorrelation 0.5
    effect : of treatment, in every treated period
    """

    sizes: str
    clusters: int
    treated: int
    shocks: str = "normal"
    effect: float = 0.0


SHOCKS = {
    "normal": "normal",
    "persistent": "autocorrelation 0.9, intra-cluster correlation 0.5",
    "skewed": "skewed (exponential)",
    "t(3)": "heavy tails, t(3)",
    "noisier": "treated clusters twice as noisy",
    "cross sections": "repeated cross sections",
    "covariates": "dr with two covariates",
}


def base_designs() -> Iterator[Design]:
    """Normal shocks: sizes of clusters, their number, and how many are treated."""
    for sizes, clusters in product(("equal", "unequal"), (10, 20, 50)):
        for treated in sorted({1, 2, 3, 5, clusters // 2}):
            yield Design(sizes, clusters, treated)


def other_designs() -> Iterator[Design]:
    """Other shocks and data, with 20 clusters of unequal size."""
    for shocks, treated in product(list(SHOCKS)[1:], (1, 2, 3, 5)):
        yield Design("unequal", 20, treated, shocks)


def joint_designs() -> Iterator[Design]:
    """Designs of the joint tests."""
    for sizes, treated in product(("equal", "unequal"), (1, 2, 4, 10)):
        yield Design(sizes, 20, treated)
    yield Design("unequal", 50, 4)


def power_designs() -> Iterator[Design]:
    """Designs with an effect."""
    for clusters, treated in product((20, 50), (1, 2, 3, 5)):
        yield Design("unequal", clusters, treated, effect=1.5)


# Data -----------------------------------------------------------------------------------------


def cluster_sizes(sizes: str, clusters: int) -> float | np.ndarray:
    """Equal sizes, or sizes that grow exponentially by the factor exp(SPREAD) from end to end."""
    if sizes == "equal":
        return MEAN_SIZE
    weight = np.exp(SPREAD * np.arange(clusters) / clusters)
    return np.maximum(1.0, MEAN_SIZE * clusters * weight / weight.sum())


def innovations(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw independent shocks of mean 0 and variance 1."""
    if kind == "skewed":
        return rng.exponential(size=shape) - 1.0
    if kind == "t(3)":
        return rng.standard_t(3, size=shape) / np.sqrt(3.0)
    return rng.standard_normal(shape)


def add_shocks(data: pd.DataFrame, design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Add shocks that are common to a cluster in a period, and shocks of single rows."""
    icc, rho = (0.5, 0.9) if design.shocks == "persistent" else (0.2, 0.5)
    common = innovations(design.shocks, rng, (design.clusters, N_PERIODS))
    common[:, 1:] *= np.sqrt(1.0 - rho**2)
    for period in range(1, N_PERIODS):
        common[:, period] += rho * common[:, period - 1]
    own = innovations(design.shocks, rng, (len(data),))
    shock = np.sqrt(icc) * common[data["cluster"] - 1, data["period"] - 1]
    shock = shock + np.sqrt(1.0 - icc) * own
    if design.shocks == "noisier":
        shock = np.where(data["cohort"] > 0, 2.0, 1.0) * shock
    return data.assign(y=data["y"] + shock)


def data_of(design: Design, number: int) -> tuple[pd.DataFrame, dict]:
    """Draw data, and say how they are estimated."""
    place = [list(SHOCKS).index(design.shocks), ("equal", "unequal").index(design.sizes)]
    seeds = np.random.SeedSequence([SEED, *place, design.clusters, design.treated, number])
    rng = np.random.default_rng(seeds)
    options = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
    options |= {"est_method": "reg", "progress": False}
    model = {
        "n_clusters": design.clusters,
        "cluster_size": cluster_sizes(design.sizes, design.clusters),
        "n_periods": N_PERIODS,
        "cohorts": [3, 5] if design.treated > 1 else [3],
        "treated_clusters": design.treated,
        "effect": design.effect,
        "error_sd": 0.0,
        "seed": rng,
    }
    if design.shocks == "covariates":
        model |= {"n_covariates": 1, "n_dummies": 1, "covariate_shift": 0.25}
        options |= {"est_method": "dr", "xformla": "~ x1 + x2"}
    if design.shocks == "cross sections":
        data = didjack.simulate.repeated_cross_section(**model)
        options |= {"panel": False}
    else:
        data = didjack.simulate.panel(**model)
        options |= {"idname": "id"}
    return add_shocks(data, design, rng), options


# Tests ----------------------------------------------------------------------------------------


def published(average: didjack.AggregateResult) -> float:
    """p-value of `reference="t", undefined="skip"`, from the replicates that are there anyway."""
    replicates = average.replicates()["overall"].dropna().to_numpy()
    r, estimate = replicates.size, average.overall["estimate"]
    error = np.sqrt((r - 1) / r * np.sum((replicates - estimate) ** 2))
    return float(2.0 * stats.t.sf(abs(estimate / error), r - 1))


def single_tests(design: Design, number: int, permute: bool) -> dict[str, float]:
    """p-values of the overall ATT; NaN where there is no test."""
    data, options = data_of(design, number)
    average = didjack.csdid(data, **options).aggregate("simple")
    overall = average.overall
    error = np.sqrt(average.vcov("analytic").to_numpy()[0, 0])
    found = {
        "clustered": 2.0 * stats.t.sf(abs(overall["estimate"] / error), design.clusters - 1),
        "CV3, t(R-1)": published(average),
        "CV3, model": overall["p_value"],
    }
    if design.treated == 1:
        found["placebo"] = average.placebo_test()["p_value"]
    elif permute:
        test = average.randomization_test(n_permutations=PERMUTATIONS, seed=number)
        found["randomization, t"] = test["p_value"]
    return found


def joint_tests(design: Design, number: int, permute: bool) -> dict[str, float]:
    """p-values of pre-tests, and 0 where a joint band misses a true value, 1 where it does not."""
    data, options = data_of(design, number)
    found = {}
    for name, more in (("model", {}), ("t(R-1)", {"reference": "t", "undefined": "skip"})):
        result = didjack.csdid(data, **options, **more)
        found[f"pre-test, {name}"] = result.pretest("wald")["p_value"]
        found[f"largest t, {name}"] = result.pretest()["p_value"]
        study = result.aggregate("event")
        band = study.confint(joint=True).iloc[:-1]
        covered = (band["conf_low"] <= 0.0) & (band["conf_high"] >= 0.0)
        known = band["conf_low"].notna()
        found[f"band, {name}"] = float(covered[known].all()) if known.any() else np.nan
    return found


Tests = Callable[[Design, int, bool], dict[str, float]]


def run_chunk(task: tuple[Tests, Design, range, int]) -> tuple[Design, pd.DataFrame, int]:
    """Simulate some draws of a design; a draw that fails counts as one without a test."""
    tests, design, numbers, n_permuted = task
    numba.set_num_threads(1)
    rows, failures = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        for number in numbers:
            try:
                rows.append(tests(design, number, number < n_permuted))
            except didjack.DidjackError:
                failures += 1
                rows.append({})
    return design, pd.DataFrame(rows), failures


def simulate(
    tests: Tests, designs: list[Design], n_draws: int, n_permuted: int, n_processes: int
) -> pd.DataFrame:
    """Rejection rates by design in percent, with Monte Carlo errors, and the draws without test."""
    tasks = [
        (tests, design, range(start, min(start + CHUNK, n_draws)), n_permuted)
        for design in designs
        for start in range(0, n_draws, CHUNK)
    ]
    found: dict[Design, list[pd.DataFrame]] = {design: [] for design in designs}
    failures = dict.fromkeys(designs, 0)
    with multiprocessing.Pool(n_processes) as pool:
        for design, p_values, failed in pool.imap_unordered(run_chunk, tasks):
            found[design].append(p_values)
            failures[design] += failed
    rows = []
    for design, parts in found.items():
        p_values = pd.concat(parts)
        row: dict[str, object] = {**vars(design), "failures": failures[design]}
        for name in p_values:
            known = p_values[name].dropna()
            rate = (known < BELOW.get(name, ALPHA)).mean()
            row[name] = 100.0 * rate
            row[f"{name} error"] = 100.0 * np.sqrt(rate * (1.0 - rate) / max(len(known), 1))
            row[f"{name} draws"] = len(known)
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Simulate everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000, help="draws of each design")
    parser.add_argument("--permuted", type=int, default=100, help="of these, randomised")
    parser.add_argument("--joint", type=int, default=150, help="draws of each joint design")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    start = time.perf_counter()
    shared = {"n_permuted": options.permuted, "n_processes": options.processes}
    single = [*base_designs(), *other_designs()]
    level = simulate(single_tests, single, options.draws, **shared)
    power = simulate(single_tests, list(power_designs()), options.draws, **shared)
    joint = simulate(joint_tests, list(joint_designs()), options.joint, **shared)
    for table in (level, power, joint):
        print(table.round(1).to_string())
    command = (
        f"python benchmarks/monte_carlo.py --draws {options.draws} --permuted {options.permuted} "
        f"--joint {options.joint} --processes {options.processes}"
    )
    sizes = np.rint(cluster_sizes("unequal", 20))
    minutes = (time.perf_counter() - start) / 60.0
    options.output.write_text(page(level, power, joint, sizes, f"`{command}`", minutes))


if __name__ == "__main__":
    main()
