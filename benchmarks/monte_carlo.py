"""How often do tests at 5 % reject when there is no effect?

Run from the root of the repository::

    python benchmarks/monte_carlo.py
    python benchmarks/monte_carlo_page.py

The first draws panels and cross sections without effect, tests the overall ATT (the simple
average), the pre-treatment ATT(g,t) and whole event studies, and counts rejections in
benchmarks/monte_carlo.csv; the second writes the tables to docs/monte_carlo.md. The seed of a
sample depends on its design and its number alone, so that any design can be rerun by itself: it
replaces its rows in the CSV.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import multiprocessing
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pandas as pd
from scipy import stats

import didjack

ALPHA = 0.05
BELOW = {"placebo": ALPHA + 1e-9}
"""Tests reject where p is below ALPHA, the placebo test also where it is ALPHA: its p-values are
multiples of 1 / (C + 1), and with C = 19 never-treated clusters that is the smallest."""
SEED = 20240607
MEAN_SIZE = 10
SPREAD = 3.0
N_PERIODS = 6
PERMUTATIONS = 199
NOISE = 2.0
"""Standard deviation of the errors of treated clusters in the noisier designs."""
SPATIAL = 0.3
"""Correlation of the cluster-level errors of neighbours."""
OUTPUT = Path(__file__).with_suffix(".csv")
KEY = ["part", "sizes", "clusters", "treated", "errors", "effect"]
COLUMNS = [*KEY, "test", "samples", "rejected", "failed", "run", "seconds"]


@dataclass(frozen=True)
class Design:
    """What is drawn.

    Attributes
    ----------
    sizes : "equal", or "unequal" clusters
    clusters, treated : number of clusters, and of treated ones
    errors : what differs from normal errors with intra-cluster correlation 0.2, autocorrelation 0.5
    effect : of treatment, in every treated period
    """

    sizes: str
    clusters: int
    treated: int
    errors: str = "normal"
    effect: float = 0.0


ERRORS = {
    "normal": "normal",
    "persistent": "autocorrelation 0.9, intra-cluster correlation 0.5",
    "skewed": "skewed (exponential)",
    "t(3)": "heavy tails, t(3)",
    "noisier": "treated clusters twice as noisy",
    "cross sections": "repeated cross sections",
    "covariates": "dr with two covariates",
    "neighbours": "neighbouring clusters correlated, treated clusters anywhere",
    "treated neighbours": "neighbouring clusters correlated, treated clusters next to each other",
    "single cohorts": "each treated cluster a cohort of its own",
}
SINGLE = "single cohorts"
"""Two treated clusters are always two cohorts."""


def base_designs() -> Iterator[Design]:
    """Normal errors: sizes of clusters, their number, and how many are treated."""
    for sizes, clusters in product(("equal", "unequal"), (10, 20, 50)):
        for treated in sorted({1, 2, 3, 5, clusters // 2}):
            yield Design(sizes, clusters, treated)
    for sizes, treated in product(("equal", "unequal"), (17, 18, 19)):
        yield Design(sizes, 20, treated)


def other_designs() -> Iterator[Design]:
    """Other errors and data, with 20 clusters of unequal size."""
    for errors, treated in product([name for name in ERRORS if name != SINGLE][1:], (1, 2, 3, 5)):
        yield Design("unequal", 20, treated, errors)
    for treated in (3, 4, 5):
        yield Design("unequal", 20, treated, SINGLE)


def joint_designs() -> Iterator[Design]:
    """Designs of the joint tests."""
    for sizes, treated in product(("equal", "unequal"), (1, 2, 4, 10)):
        yield Design(sizes, 20, treated)
    yield Design("unequal", 50, 4)
    for treated in (17, 18):
        yield Design("unequal", 20, treated)
    for errors in ("neighbours", "treated neighbours", SINGLE):
        yield Design("unequal", 20, 4, errors)


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
    """Draw independent errors of mean 0 and variance 1."""
    if kind == "skewed":
        return rng.exponential(size=shape) - 1.0
    if kind == "t(3)":
        return rng.standard_t(3, size=shape) / np.sqrt(3.0)
    return rng.standard_normal(shape)


def spatial(
    errors: np.ndarray, treated: np.ndarray, together: bool, rng: np.random.Generator
) -> np.ndarray:
    """Put clusters in a row, and correlate neighbours; treated clusters are first if `together`."""
    order = rng.permutation(len(errors))
    if together:
        order = order[np.argsort(~treated[order], kind="stable")]
    row = errors[order]
    for place in range(1, len(row)):
        row[place] = SPATIAL * row[place - 1] + np.sqrt(1.0 - SPATIAL**2) * row[place]
    errors[order] = row
    return errors


def add_errors(data: pd.DataFrame, design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Add errors that are common to a cluster in a period, and errors of single rows."""
    icc, rho = (0.5, 0.9) if design.errors == "persistent" else (0.2, 0.5)
    common = innovations(design.errors, rng, (design.clusters, N_PERIODS))
    if "neighbours" in design.errors:
        treated = data.groupby("cluster")["cohort"].max().to_numpy() > 0
        common = spatial(common, treated, design.errors == "treated neighbours", rng)
    common[:, 1:] *= np.sqrt(1.0 - rho**2)
    for period in range(1, N_PERIODS):
        common[:, period] += rho * common[:, period - 1]
    own = innovations(design.errors, rng, (len(data),))
    error = np.sqrt(icc) * common[data["cluster"] - 1, data["period"] - 1]
    error = error + np.sqrt(1.0 - icc) * own
    if design.errors == "noisier":
        error = np.where(data["cohort"] > 0, NOISE, 1.0) * error
    return data.assign(y=data["y"] + error)


def cohorts_of(design: Design) -> list[int]:
    """First treated periods."""
    if design.errors == SINGLE:
        first = min(3, N_PERIODS + 1 - design.treated)
        return list(range(first, first + design.treated))
    return [3, 5] if design.treated > 1 else [3]


def data_of(design: Design, number: int) -> tuple[pd.DataFrame, dict]:
    """Draw data, and say how they are estimated."""
    place = [list(ERRORS).index(design.errors), ("equal", "unequal").index(design.sizes)]
    seeds = np.random.SeedSequence([SEED, *place, design.clusters, design.treated, number])
    rng = np.random.default_rng(seeds)
    options = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
    options |= {"est_method": "reg", "progress": False}
    model = {
        "n_clusters": design.clusters,
        "cluster_size": cluster_sizes(design.sizes, design.clusters),
        "n_periods": N_PERIODS,
        "cohorts": cohorts_of(design),
        "treated_clusters": design.treated,
        "effect": design.effect,
        "error_sd": 0.0,
        "seed": rng,
    }
    if design.errors == "covariates":
        model |= {"n_covariates": 1, "n_dummies": 1, "covariate_shift": 0.25}
        options |= {"est_method": "dr", "xformla": "~ x1 + x2"}
    if design.errors == "cross sections":
        data = didjack.simulate.repeated_cross_section(**model)
        options |= {"panel": False}
    else:
        data = didjack.simulate.panel(**model)
        options |= {"idname": "id"}
    return add_errors(data, design, rng), options


# Tests ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A design, and how many samples are drawn.

    Attributes
    ----------
    part : "level" or "power" of tests of the overall ATT; "joint" tests
    samples, slow_samples : for all tests but slow ones, and for slow ones: the first ones. Slow are
        the randomization test, and joint tests with t(R-1)
    default_only : leave out tests that are not the default
    """

    part: str
    design: Design
    samples: int
    slow_samples: int
    default_only: bool = False


def published(average: didjack.AggregateResult) -> float:
    """p-value of `reference="t", undefined="skip"`, from the replicates that are there anyway."""
    replicates = average.replicates()["overall"].dropna().to_numpy()
    r, estimate = replicates.size, average.overall["estimate"]
    error = np.sqrt((r - 1) / r * np.sum((replicates - estimate) ** 2))
    return float(2.0 * stats.t.sf(abs(estimate / error), r - 1))


def quick_tests(cell: Cell, average: didjack.AggregateResult) -> dict[str, float]:
    """p-values of the overall ATT without permutations; NaN where there is no test."""
    design, overall = cell.design, average.overall
    found = {"CV3, model": overall["p_value"]}
    if not cell.default_only:
        error = np.sqrt(average.vcov("analytic").to_numpy()[0, 0])
        t = abs(overall["estimate"] / error)
        found["clustered"] = 2.0 * stats.t.sf(t, design.clusters - 1)
        found["CV3, t(R-1)"] = published(average)
        if design.treated == 1:
            found["placebo"] = average.placebo_test()["p_value"]
    if design.errors == "noisier" and overall["p_value"] < ALPHA:
        # 0, which counts as a rejection, where the breakdown value is below the true ratio
        value = average.noise_sensitivity(ratios=[NOISE]).breakdown["overall"]
        found["breakdown"] = np.nan if np.isnan(value) else float(value >= NOISE)
    return found


def single_tests(cell: Cell, number: int) -> dict[str, float]:
    """p-values of the overall ATT in one sample."""
    data, options = data_of(cell.design, number)
    average = didjack.csdid(data, **options).aggregate("simple")
    found = quick_tests(cell, average) if number < cell.samples else {}
    if cell.design.treated > 1 and number < cell.slow_samples:
        test = average.randomization_test(n_permutations=PERMUTATIONS, seed=number)
        found["randomization, t"] = test["p_value"]
    return found


def joint_tests(cell: Cell, number: int) -> dict[str, float]:
    """p-values of pre-tests, and 0 where a joint band misses a true value, 1 where it does not."""
    data, options = data_of(cell.design, number)
    found = {}
    for name, more, samples in (
        ("model", {}, cell.samples),
        ("t(R-1)", {"reference": "t", "undefined": "skip"}, cell.slow_samples),
    ):
        if number >= samples:
            continue
        result = didjack.csdid(data, **options, **more)
        if not cell.default_only:
            found[f"Wald, {name}"] = result.pretest("wald")["p_value"]
        found[f"largest t, {name}"] = result.pretest()["p_value"]
        study = result.aggregate("event")
        band = study.confint(joint=True).iloc[:-1]
        covered = (band["conf_low"] <= 0.0) & (band["conf_high"] >= 0.0)
        known = band["conf_low"].notna()
        found[f"band, {name}"] = float(covered[known].all()) if known.any() else np.nan
    return found


def run(cell: Cell) -> pd.DataFrame:
    """Count rejections by test; a sample that fails with an error has no p-values."""
    numba.set_num_threads(1)
    start, failed, rows = time.process_time(), 0, []
    tests = joint_tests if cell.part == "joint" else single_tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        for number in range(max(cell.samples, cell.slow_samples)):
            failed += 1
            with contextlib.suppress(didjack.DidjackError):
                rows.append(tests(cell, number))
                failed -= 1
    p = pd.DataFrame(rows)
    level = pd.Series({name: BELOW.get(name, ALPHA) for name in p})
    counts = {"samples": p.notna().sum(), "rejected": (p < level).sum()}
    found = pd.DataFrame(counts).rename_axis("test").reset_index()
    found = found.assign(part=cell.part, **asdict(cell.design), failed=failed)
    found["run"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    found["seconds"] = round(time.process_time() - start, 1)
    return found[COLUMNS]


def update(path: Path, new: pd.DataFrame) -> None:
    """Write rows into the CSV in the place of those of the same designs and tests."""
    old = [pd.read_csv(path)] if path.exists() else []
    rows = pd.concat([*old, new]).drop_duplicates([*KEY, "test"], keep="last")
    order = {"part": list(PARTS).index, "sizes": str, "errors": list(ERRORS).index}
    by = ["part", "errors", "sizes", "clusters", "treated"]
    rows = rows.sort_values(
        by, key=lambda column: column.map(order.get(str(column.name), int)), kind="stable"
    )
    rows.to_csv(path, index=False)


# Command line ---------------------------------------------------------------------------------

PARTS = {
    "level": lambda: [*base_designs(), *other_designs()],
    "power": lambda: list(power_designs()),
    "joint": lambda: list(joint_designs()),
}


def main() -> None:
    """Run the designs; each is written when it is done, so that a run can be stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000, help="of each design")
    parser.add_argument("--slow-samples", type=int, default=300, help="of these, for slow tests")
    parser.add_argument("--default-only", action="store_true", help="no other tests")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--errors", nargs="+", default=list(ERRORS), choices=ERRORS)
    parser.add_argument("--treated", type=int, nargs="+", help="default: all that a part has")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUTPUT, help="CSV of rejections")
    options = parser.parse_args()
    cells = [
        Cell(part, design, options.samples, options.slow_samples, options.default_only)
        for part in options.parts
        for design in PARTS[part]()
        if design.errors in options.errors
        if not options.treated or design.treated in options.treated
    ]
    with multiprocessing.Pool(options.processes) as pool:
        for part in pool.imap(run, cells):
            if part.empty:
                continue
            update(options.out, part)
            rates = ", ".join(
                f"{row.test} {100.0 * row.rejected / row.samples:.1f}%"
                for row in part.itertuples()
                if row.samples
            )
            print(*part.iloc[0][[*KEY, "failed", "seconds"]], rates, flush=True)


if __name__ == "__main__":
    main()
