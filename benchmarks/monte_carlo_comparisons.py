"""How often do triple differences and differences of two effects reject at 5%?

Run from the root of the repository::

    python benchmarks/monte_carlo_comparisons.py           # draws samples, into a CSV
    python benchmarks/monte_carlo_comparisons.py --write   # the CSV into docs/comparing_groups.md

Clusters have eligible and other units. Errors have a part that all units of a cluster share in a
period, one that its eligible, or its other units share, and one of each unit. The policy has no
effect, or one on the eligible units of the clusters that enable it. The seed of a sample depends
on its design and number alone.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import didjack

ALPHA = 0.05
SEED = 20261130
MEAN_SIZE = 10
SPREAD = 2.0
N_PERIODS = 6
AUTOCORRELATION = 0.5
SHARES = {"clusters": (0.2, 0.0), "clusters and groups": (0.1, 0.1)}
"""Shares of the variance of errors that clusters have in common, and that their groups have."""
RESULTS = Path(__file__).with_suffix(".csv")
PAGE = Path(__file__).parents[1] / "docs" / "comparing_groups.md"
PLACE = re.compile(r"(?<=<!-- monte carlo -->\n).*?(?=<!-- end -->)", re.DOTALL)
TESTS = {
    "ddd": "`ddd`",
    "difference": "`difference`",
    "ddd clustered": "`ddd`, clustered analytic",
    "csdid": "`csdid`, eligible alone",
}
NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id", "cluster": "cluster"}


@dataclass(frozen=True)
class Design:
    """What is drawn.

    Attributes
    ----------
    clusters, enabling : number of clusters, and of those that enable the policy
    errors : what units have in common
    effect : on eligible units of enabling clusters, in every treated period
    """

    clusters: int
    enabling: int
    errors: str
    effect: float = 0.0


def designs() -> Iterator[Design]:
    """All designs: without effect, then with one."""
    for errors, clusters, enabling in product(SHARES, (20, 50), (2, 3, 5, 10)):
        yield Design(clusters, enabling, errors)
    for clusters, enabling in product((20, 50), (2, 3, 5, 10)):
        yield Design(clusters, enabling, "clusters and groups", effect=1.5)


def autocorrelated(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw n stationary series of variance 1."""
    series = rng.standard_normal((n, N_PERIODS))
    for t in range(1, N_PERIODS):
        new = np.sqrt(1.0 - AUTOCORRELATION**2) * series[:, t]
        series[:, t] = AUTOCORRELATION * series[:, t - 1] + new
    return series


def draw(design: Design, number: int) -> pd.DataFrame:
    """Draw a sample: a balanced panel, clusters of very unequal size, two cohorts."""
    key = [SEED, number, design.clusters, design.enabling, list(SHARES).index(design.errors)]
    rng = np.random.default_rng(key)
    weight = np.exp(SPREAD * np.arange(design.clusters) / design.clusters)
    size = np.maximum(2, np.rint(MEAN_SIZE * design.clusters * weight / weight.sum()).astype(int))
    cohort = np.zeros(design.clusters, dtype=int)
    cohort[rng.permutation(design.clusters)[: design.enabling]] = np.resize([3, 5], design.enabling)
    cluster = np.repeat(np.arange(design.clusters), size)
    eligible = np.concatenate([np.arange(n) % 2 for n in size])
    of_clusters, of_groups = SHARES[design.errors]
    shock = np.sqrt(of_clusters) * autocorrelated(rng, design.clusters)[cluster]
    groups = autocorrelated(rng, 2 * design.clusters)[2 * cluster + eligible]
    own = rng.standard_normal((cluster.size, N_PERIODS))
    period = np.arange(1, N_PERIODS + 1)
    started = (cohort[cluster, None] > 0) & (period >= cohort[cluster, None])
    y = shock + np.sqrt(of_groups) * groups + np.sqrt(1.0 - of_clusters - of_groups) * own
    y += 0.2 * period * eligible[:, None] + design.effect * started * eligible[:, None]
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(cluster.size), N_PERIODS),
            "period": np.tile(period, cluster.size),
            "cluster": np.repeat(cluster, N_PERIODS),
            "cohort": np.repeat(cohort[cluster], N_PERIODS),
            "eligible": np.repeat(eligible, N_PERIODS),
            "y": y.ravel(),
        }
    )


def p_values(df: pd.DataFrame) -> dict[str, float]:
    """Test the overall effect, the simple average, in all ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        triple = didjack.ddd(df, **NAMES, pname="eligible", est_method="reg").aggregate("simple")
        eligible, others = (
            didjack.csdid(df[df["eligible"] == q], **NAMES, est_method="reg").aggregate("simple")
            for q in (1, 0)
        )
        results = {
            "ddd": triple,
            "difference": didjack.difference(eligible, others),
            "ddd clustered": triple.with_options(vcov="analytic"),
            "csdid": eligible,
        }
        return {name: float(result.overall["p_value"]) for name, result in results.items()}


def simulated(design: Design, samples: int) -> pd.DataFrame:
    """Count rejections in a design."""
    p = pd.DataFrame([p_values(draw(design, number)) for number in range(samples)])
    rows = pd.DataFrame({"samples": p.notna().sum(), "rejected": (p < ALPHA).sum()})
    return rows.rename_axis("test").reset_index().assign(**asdict(design))


def table(found: pd.DataFrame) -> str:
    """Write rejections in percent, with their simulation standard errors."""
    head = ["errors in common", "clusters", "enabling", *TESTS.values()]
    lines = [head, [":---", "---:", "---:", *["---:"] * len(TESTS)]]
    keys = ["errors", "clusters", "enabling"]
    for key, part in found.groupby(keys, sort=False):
        cells = part.set_index("test").loc[list(TESTS)]
        share = cells["rejected"] / cells["samples"]
        error = np.sqrt(share * (1.0 - share) / cells["samples"])
        pairs = zip(100.0 * share, 100.0 * error, strict=True)
        lines.append([*map(str, key), *(f"{rate:.1f} ({se:.1f})" for rate, se in pairs)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(found: pd.DataFrame) -> str:
    """Write what the page has."""
    none, some = found[found["effect"] == 0], found[found["effect"] != 0]
    samples, effect = found["samples"], some["effect"].iloc[0]
    return f"""
Without an effect:

{table(none)}

With an effect of {effect:g} on eligible units, whose errors have standard deviation 1:

{table(some)}

Samples of each row: {samples.min():,} to {samples.max():,}.
"""


def main() -> None:
    """Draw samples, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="write the page from the CSV")
    arguments = parser.parse_args()
    if arguments.write:
        page = PAGE.read_text("utf-8")
        text = section(pd.read_csv(RESULTS))
        PAGE.write_text(PLACE.sub(lambda _: text, page, count=1), "utf-8")
        return
    found = []
    for design in designs():
        found.append(simulated(design, arguments.samples))
        print(design, (found[-1]["rejected"] / found[-1]["samples"]).round(3).tolist(), flush=True)
        pd.concat(found).to_csv(RESULTS, index=False)


if __name__ == "__main__":
    main()
