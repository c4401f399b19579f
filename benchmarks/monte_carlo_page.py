"""The page of the documentation that shows what `monte_carlo.py` found."""

from __future__ import annotations

import os
import platform
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

import didjack

SINGLE = ("clustered", "CV3, t(R-1)", "CV3, model", "randomization, t", "placebo")
JOINT = (
    "pre-test, t(R-1)",
    "pre-test, model",
    "largest t, t(R-1)",
    "largest t, model",
    "band, t(R-1)",
    "band, model",
)
HEADS = {
    "clustered": "clustered analytic",
    "pre-test, t(R-1)": "Wald pre-test, F(k, R-1)",
    "pre-test, model": "Wald pre-test, model",
    "largest t, t(R-1)": "largest t of leads, t(R-1)",
    "largest t, model": "largest t of leads, model",
    "band, t(R-1)": "band misses, t(R-1)",
    "band, model": "band misses, model",
}
WANTED = (3.0, 7.0)


def table(rows: pd.DataFrame, names: tuple[str, ...], labels: tuple[str, ...]) -> str:
    """Rates in percent, with Monte Carlo errors in parentheses."""
    names = tuple(name for name in names if name in rows and rows[name].notna().any())
    heads = [*labels, *(HEADS.get(name, name) for name in names)]
    align = [":---" if label in ("shocks", "sizes") else "---:" for label in labels]
    lines = [
        "| " + " | ".join(heads) + " |",
        "|" + "|".join([*align, *["---:"] * len(names)]) + "|",
    ]
    for row in rows.to_dict("records"):
        cells = [str(row[label]) for label in labels]
        for name in names:
            rate, error = row.get(name, np.nan), row.get(f"{name} error", np.nan)
            cells.append("" if np.isnan(rate) else f"{rate:.1f} ({error:.1f})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def between(rows: pd.DataFrame, name: str) -> str:
    """The range of a column of rates."""
    if name not in rows or rows[name].isna().all():
        return "(not run)"
    low, high = rows[name].min(), rows[name].max()
    return f"{low:.1f} %" if round(low, 1) == round(high, 1) else f"{low:.1f} to {high:.1f} %"


def outside(rows: pd.DataFrame, name: str) -> str:
    """Name the designs in which a rate is not between 3 and 7 %."""
    low, high = WANTED
    bad = rows[(rows[name] < low) | (rows[name] > high)]
    if bad.empty:
        return "in no design outside of 3 to 7 %"
    shown = [
        f"{row['shocks']}, {row['sizes']}, {row['clusters']} clusters, {row['treated']} treated: "
        f"{row[name]:.1f} %"
        for row in bad.to_dict("records")
    ]
    return f"outside of 3 to 7 % in {len(bad)} of {len(rows)} designs ({'; '.join(shown)})"


def reading(level: pd.DataFrame, power: pd.DataFrame, joint: pd.DataFrame) -> str:
    """What the tables say, with their numbers."""
    quiet = level[level["shocks"] != "noisier"]
    one, more = quiet[quiet["treated"] == 1], quiet[quiet["treated"] > 1]
    enough = one[one["clusters"] > 19]
    few = more[more["treated"].isin([2, 3])]
    noisy = level[level["shocks"] == "noisier"]
    noisy, noisy_one = noisy[noisy["treated"] > 1], noisy[noisy["treated"] == 1]
    points = [
        f"Two or three treated clusters: clustered analytic errors reject in "
        f"{between(few, 'clustered')} of the samples, CV3 with t(R-1) in "
        f"{between(few, 'CV3, t(R-1)')}, CV3 with the law under the working model in "
        f"{between(few, 'CV3, model')}, the randomization test in "
        f"{between(few, 'randomization, t')}.",
        f"All designs with two or more treated clusters but those with noisier ones: CV3 with its "
        f"law rejects in {between(more, 'CV3, model')}, {outside(more, 'CV3, model')}.",
        f"One treated cluster: CV3 with its law {between(one, 'CV3, model')}, placebo "
        f"{between(enough, 'placebo')} with 20 clusters or more; with 10 there are 9 placebos, no "
        "p-value is below 0.1, and it never rejects. Clustered analytic "
        f"{between(one, 'clustered')}. The law then "
        "rests on the assumption that the treated cluster's shocks are like the others'; the "
        "placebo test assumes the same but not that they are normal.",
        f"Treated clusters that are twice as noisy as the others break the assumption: CV3 with "
        f"its law rejects in {between(noisy, 'CV3, model')} with 2 to 5 treated "
        f"clusters, in {between(noisy_one, 'CV3, model')} with one, where the "
        f"placebo test rejects in {between(noisy_one, 'placebo')}. With two or "
        "more, CV3 itself grows with the noise, and most of the problem goes away; the "
        "randomization test rejects in "
        f"{between(noisy, 'randomization, t')}.",
        f"Wald pre-tests with F(k, R-1) reject in {between(joint, 'pre-test, t(R-1)')}, with the "
        f"joint law in {between(joint, 'pre-test, model')}; joint bands miss in "
        f"{between(joint, 'band, t(R-1)')} and {between(joint, 'band, model')}. The Wald pre-test "
        f"with its law is {outside(joint, 'pre-test, model')}. With two treated clusters each is a "
        "cohort of its own that cannot be left out; the covariance is then made of the other "
        "clusters, and the test errs on the safe side.",
        f"An effect of 1.5 is found in {between(power, 'CV3, model')} of the samples by CV3 with "
        "its law; power grows with the number of treated clusters and hardly with that of others.",
    ]
    return "\n".join(
        textwrap.fill(
            point, 110, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
        for point in points
    )


def machine() -> str:
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


def counts(rows: pd.DataFrame, names: tuple[str, ...]) -> str:
    """How many draws each column has."""
    found = []
    for name in names:
        if f"{name} draws" not in rows:
            continue
        drawn = rows[rows[f"{name} draws"] > 0][f"{name} draws"]
        low, high = int(drawn.min()), int(drawn.max())
        found.append(f"{name} {low:,}" + (f" to {high:,}" if high > low else ""))
    return "; ".join(found)


def page(
    level: pd.DataFrame,
    power: pd.DataFrame,
    joint: pd.DataFrame,
    sizes: np.ndarray,
    command: str,
    minutes: float,
) -> str:
    """The page."""
    base = level[level["shocks"] == "normal"]
    other = level[level["shocks"] != "normal"]
    labels = ("clusters", "treated")
    failed = int(level["failures"].sum() + power["failures"].sum() + joint["failures"].sum())
    paragraphs = [
        "# Monte Carlo",
        "How often does a test at the 5 % level find an effect where there is none? The tables "
        "give rejection rates in percent, with their Monte Carlo standard errors in parentheses. "
        "A good test rejects in 5 %.",
        "Data are drawn without effect: six periods, 10 units a cluster on average, intra-cluster "
        "correlation of the shocks 0.2, their autocorrelation 0.5, treatment by cluster from "
        "period 3 or 5 (from period 3 if one cluster is treated), treated clusters chosen at "
        "random. Estimates are those of outcome regression without covariates against the never "
        "treated. *Clustered analytic* is compared with t(H-1), *CV3, t(R-1)* is the published "
        'method (`reference="t", undefined="skip"`), *CV3, model* the default: the law of the '
        "CV3 statistic under a working model. *Randomization, t* permutes treatment over clusters "
        f"(199 permutations), *placebo* is for one treated cluster, and rejects where p is 0.05, "
        f"too: with 19 placebos that is the smallest there is. Draws by column: "
        f"{counts(level, SINGLE)}.",
        "## The overall ATT, clusters of equal size",
        table(base[base["sizes"] == "equal"], SINGLE, labels),
        "## The overall ATT, clusters of very unequal size",
        f"Sizes grow exponentially: with 20 clusters from {sizes.min():.0f} to {sizes.max():.0f} "
        "units. Small and large clusters are treated with the same probability.",
        table(base[base["sizes"] == "unequal"], SINGLE, labels),
        "## Other shocks and other data",
        "20 clusters of unequal size. *persistent*: autocorrelation 0.9, intra-cluster correlation "
        "0.5; *skewed*: exponential; *t(3)*: heavy tails; *noisier*: treated clusters have twice "
        'the standard deviation; *covariates*: `est_method="dr"` with two covariates.',
        table(other, SINGLE, ("shocks", "treated")),
        "## Pre-tests and joint bands",
        "Pre-tests of all pre-treatment ATT(g,t), and the simultaneous band of an event study: "
        f"how often it misses a true value. Draws by column: {counts(joint, JOINT)}.",
        table(joint, JOINT, ("sizes", *labels)),
        "## Power",
        "The effect is 1.5 in every treated period; a unit's shocks have a standard deviation of "
        "1. Rates of tests that reject too often without effect are no power.",
        table(power, SINGLE, labels),
        "## What comes out",
        reading(level, power, joint),
        f"Draws that failed with an error: {failed}.",
        "## How it was made",
        f"{command} on {machine()}, in {minutes:.0f} minutes. Seeds are fixed: the numbers do not "
        "depend on the number of processes.",
    ]
    filled = [
        text
        if text.startswith(("|", "-", "#"))
        else textwrap.fill(text, 110, break_on_hyphens=False)
        for text in paragraphs
    ]
    return "\n\n".join(filled) + "\n"
