"""Put what monte_carlo.py found into docs/monte_carlo.md.

Run from the root of the repository: ``python benchmarks/monte_carlo_page.py``.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from monte_carlo import NOISE, SPATIAL, cluster_sizes

RESULTS = Path(__file__).with_name("monte_carlo.csv")
PAGE = Path(__file__).parents[1] / "docs" / "monte_carlo.md"
SINGLE = ("clustered", "CV3, t(R-1)", "CV3, model", "randomization, t", "placebo")
JOINT = ("Wald, t(R-1)", "Wald, model", "largest t, model", "band, t(R-1)", "band, model")
HEADS = {
    "clustered": "clustered analytic",
    "Wald, t(R-1)": "Wald pre-test, F(k, R-1)",
    "Wald, model": "Wald pre-test, model",
    "largest t, model": "largest t of leads, model",
    "band, t(R-1)": "band misses, t(R-1)",
    "band, model": "band misses, model",
}
FLOORED = ("CV3, model", "largest t, model", "band, model")
"""These tests are never less conservative than t(R'-1) since `FLOOR`, the day of a run."""
FLOOR = "2026-11-30"
BROKEN = ("noisier", "neighbours", "treated neighbours")
"""In these designs the working model does not hold: clusters differ, or are not independent."""
WANTED = (3.0, 7.0)
NOT_RUN = "(not run)"
NO_LARGEST_T = "The default pre-test, by the largest |t|, has not been run on these designs yet."
WIDE = 130


def rates(path: Path = RESULTS) -> pd.DataFrame:
    """Read rejections, with rates in percent and their simulation standard errors."""
    found = pd.read_csv(path)
    share = found["rejected"] / found["samples"]
    error = np.sqrt(share * (1.0 - share) / found["samples"])
    old = found["test"].isin(FLOORED) & (found["run"] < FLOOR)
    return found.assign(rate=100.0 * share, error=100.0 * error, old=old)


# Tables -----------------------------------------------------------------------------------------


def entry(row: pd.Series) -> str:
    """Write a rate; in italics if it is from before the floor."""
    text = f"{row['rate']:.1f} ({row['error']:.1f})"
    return f"*{text}*" if row["old"] else text


def table(found: pd.DataFrame, names: tuple[str, ...], labels: tuple[str, ...]) -> str:
    """Write a table with one row a design and one column a test."""
    names = tuple(name for name in names if name in set(found["test"]))
    heads = [*labels, *(HEADS.get(name, name) for name in names)]
    align = [":---" if label in ("errors", "sizes") else "---:" for label in heads]
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(align)}|"]
    for design, part in found.groupby(list(labels), sort=False):
        by_test = part.set_index("test")
        cells = [entry(by_test.loc[name]) if name in by_test.index else "" for name in names]
        lines.append(f"| {' | '.join([*map(str, design), *cells])} |")
    return "\n".join(lines)


def noise_table(level: pd.DataFrame) -> str:
    """Write how often the breakdown value is below the true ratio in samples that reject."""
    noisy = level[level["errors"] == "noisier"].set_index(["treated", "test"])
    lines = [
        "| treated | CV3, model rejects | samples that reject | breakdown value is below 2 |",
        "|---:|---:|---:|---:|",
    ]
    for treated in noisy.index.unique("treated"):
        if (treated, "breakdown") in noisy.index:
            low = noisy.loc[(treated, "breakdown")]
            model = entry(noisy.loc[(treated, "CV3, model")])
            lines.append(f"| {treated} | {model} | {low['samples']} | {entry(low)} |")
    return "\n".join(lines)


# Prose ------------------------------------------------------------------------------------------


def between(found: pd.DataFrame, name: str) -> str:
    """The range of the rates of a test."""
    rate = found.loc[found["test"] == name, "rate"]
    if rate.empty:
        return NOT_RUN
    low, high = f"{rate.min():.1f}", f"{rate.max():.1f}"
    return f"{low}%" if low == high else f"{low} to {high}%"


def outside(found: pd.DataFrame, name: str) -> str:
    """Name the designs in which a rate is not between 3 and 7%."""
    found = found[found["test"] == name]
    bad = found[(found["rate"] < WANTED[0]) | (found["rate"] > WANTED[1])]
    if bad.empty:
        return "outside of 3 to 7% in no design"
    shown = [
        f"{row['errors']}, {row['sizes']}, {row['clusters']} clusters, {row['treated']} treated: "
        f"{row['rate']:.1f} ({row['error']:.1f})%"
        for row in bad.to_dict("records")
    ]
    return f"outside of 3 to 7% in {len(bad)} of {len(found)} designs ({'; '.join(shown)})"


def about_few(level: pd.DataFrame) -> list[str]:
    """What the tables say of few treated clusters."""
    holds = level[~level["errors"].isin(BROKEN)]
    one, more = holds[holds["treated"] == 1], holds[holds["treated"] > 1]
    few = more[more["treated"].isin([2, 3])]
    enough = one[one["clusters"] >= 20]
    return [
        f"**Two or three treated clusters.** Clustered analytic standard errors reject in "
        f"{between(few, 'clustered')} of the samples, CV3 with t(R-1) in "
        f"{between(few, 'CV3, t(R-1)')}, CV3 with its reference distribution in "
        f"{between(few, 'CV3, model')}, and the randomization test in "
        f"{between(few, 'randomization, t')}.",
        f"**All designs with two or more treated clusters in which the working model holds.** CV3 "
        f"with its reference distribution rejects in {between(more, 'CV3, model')}; it is "
        f"{outside(more, 'CV3, model')}.",
        f"**One treated cluster.** CV3 with its reference distribution rejects in "
        f"{between(one, 'CV3, model')}, clustered analytic standard errors in "
        f"{between(one, 'clustered')}, and the placebo test in {between(enough, 'placebo')} with "
        "20 or more clusters. With 10 clusters there are 9 placebos: no p-value is below 0.1, and "
        "it never rejects. Both tests assume that the treated cluster's errors are like those of "
        "the others. The placebo test does not assume that they are normal.",
    ]


def about_others(level: pd.DataFrame) -> list[str]:
    """What the tables say where controls are few, or the working model does not hold."""
    control = level[level["treated"].isin([17, 18, 19])]
    single = level[level["errors"] == "single cohorts"]
    near, beside = (level[level["errors"] == name] for name in BROKEN[1:])
    noisy = level[level["errors"] == "noisier"]
    noisy, noisy_one = noisy[noisy["treated"] > 1], noisy[noisy["treated"] == 1]
    return [
        f"**Few never-treated clusters.** With 17, 18 or 19 of 20 clusters treated, clustered "
        f"analytic standard errors reject in {between(control, 'clustered')}, CV3 with t(R-1) in "
        f"{between(control, 'CV3, t(R-1)')}, and CV3 with its reference distribution in "
        f"{between(control, 'CV3, model')}.",
        f"**Cohorts of one cluster each.** CV3 with its reference distribution rejects in "
        f"{between(single, 'CV3, model')}, clustered analytic standard errors in "
        f"{between(single, 'clustered')}.",
        f"**Correlated neighbours.** If treated clusters lie anywhere, CV3 with its reference "
        f"distribution rejects in {between(near, 'CV3, model')}. If two or more are next to each "
        f"other, it rejects in {between(beside[beside['treated'] > 1], 'CV3, model')}: the test "
        "mistakes what treated neighbours have in common for an effect. All tests on this page "
        "assume that clusters are independent.",
        f"**Noisier treated clusters.** CV3 with its reference distribution rejects in "
        f"{between(noisy, 'CV3, model')} with 2 to 5 treated clusters, and in "
        f"{between(noisy_one, 'CV3, model')} with one, where the placebo test rejects in "
        f"{between(noisy_one, 'placebo')}. With two or more, CV3 itself increases with the noise, "
        "which removes most of the problem. The randomization test rejects in "
        f"{between(noisy, 'randomization, t')}. Of the false rejections, the breakdown value is "
        f"below the true ratio in {between(noisy_one, 'breakdown')} with one treated cluster, and "
        f"in {between(noisy, 'breakdown')} with 2 to 5.",
    ]


def about_joint(joint: pd.DataFrame, power: pd.DataFrame) -> list[str]:
    """What the tables say of pre-tests, bands and power."""
    holds = joint[~joint["errors"].isin(BROKEN)]
    return [
        f"**Pre-tests.** The test by the largest t, the default, rejects in "
        f"{between(holds, 'largest t, model')} where the working model holds; it is "
        f"{outside(holds, 'largest t, model')}.",
        f"**Wald pre-tests** reject in {between(holds, 'Wald, t(R-1)')} with F(k, R-1), and in "
        f"{between(holds, 'Wald, model')} with their reference distribution; they are "
        f"{outside(holds, 'Wald, model')}. With two treated clusters, each is a cohort that cannot "
        "be left out. The covariance is then that of the other clusters, and joint tests err on "
        "the conservative side.",
        f"**Joint bands** miss a true value in {between(holds, 'band, t(R-1)')} with t(R-1), and "
        f"in {between(holds, 'band, model')} with their reference distribution.",
        f"**Power.** CV3 with its reference distribution finds an effect of 1.5 in "
        f"{between(power, 'CV3, model')} of the samples. Power increases with the number of "
        "treated clusters, and hardly with that of others.",
    ]


def counts(found: pd.DataFrame, names: tuple[str, ...]) -> str:
    """How many samples each test has."""
    texts = []
    for name in names:
        drawn = found.loc[found["test"] == name, "samples"]
        if len(drawn):
            low, high = int(drawn.min()), int(drawn.max())
            many = f"{low:,} to {high:,}" if high > low else f"{low:,}"
            texts.append(f"{HEADS.get(name, name)} {many}")
    return "; ".join(texts)


def runs(found: pd.DataFrame) -> list[str]:
    """Which numbers are from which run."""
    by_run = [f"{len(part)} are from {run}" for run, part in found.groupby("run")]
    new = found.dropna(subset="seconds").drop_duplicates(["part", *LABELS, "seconds"])
    texts = [
        f"Of the {len(found)} rates above, {' and '.join(by_run)}. A sample's seed depends on its "
        "design and its number alone, so that later runs with fewer samples have the first of "
        "the same samples.",
        f"The runs since {FLOOR} took {new['seconds'].sum() / 60.0:.0f} minutes of one core. Rates "
        "that have not changed since then are from the run with more samples.",
    ]
    if found["old"].any():
        texts.append(
            f"{int(found['old'].sum())} of the {int(found['test'].isin(FLOORED).sum())} rates of "
            "CV3 and bands with their reference distribution are in italics: they are from before "
            f"{FLOOR}. Since then these tests are never less conservative than t(R'-1), which can "
            "make rates smaller, but not larger."
        )
    return texts


LABELS = ("errors", "sizes", "clusters", "treated")
INTRODUCTION = (
    "# Monte Carlo",
    "How often does a test at the 5% level find an effect where there is none? The tables have "
    "rejection rates in percent, with their simulation standard errors in parentheses. A good "
    "test rejects in 5%.",
    "Data are drawn without an effect: six periods, 10 units per cluster on average, an "
    "intra-cluster correlation of the errors of 0.2, an autocorrelation of 0.5, treatment by "
    "cluster from period 3 or 5 (from period 3 if one cluster is treated), and treated clusters "
    "chosen at random. Estimates are by outcome regression without covariates, with never-treated "
    "clusters as the control group. *Clustered analytic* has critical values of t(R-1), where R is "
    'the number of clusters. *CV3, t(R-1)* is the published method (`reference="t", '
    'undefined="skip"`). *CV3, model* is the default: the reference distribution of the CV3 t '
    "statistic under a [working model]"
    "(inference.md#the-reference-distribution-of-the-t-statistic), and never less conservative "
    "than t(R'-1), where R' is the number of clusters that can be left out. "
    "*Randomization, t* permutes treatment over clusters (199 permutations). *Placebo* is for one "
    "treated cluster; it also rejects if p is 0.05, which is the smallest value with 19 placebos.",
)


def page(found: pd.DataFrame) -> str:
    """Write the page."""
    level, power, joint = (found[found["part"] == part] for part in ("level", "power", "joint"))
    base = level[level["errors"] == "normal"]
    few = base["treated"].isin([17, 18, 19])
    sizes = np.rint(cluster_sizes("unequal", 20))
    labels = ("clusters", "treated")
    points = [*about_few(level), *about_others(level), *about_joint(joint, power)]
    failed = int(found.drop_duplicates(["part", *LABELS])["failed"].sum())
    paragraphs = [
        *INTRODUCTION,
        f"Samples: {counts(level, SINGLE)}.",
        *(text for text in runs(found) if "italics" in text),
        "## The overall ATT, clusters of equal size",
        table(base[~few & (base["sizes"] == "equal")], SINGLE, labels),
        "## The overall ATT, clusters of very unequal size",
        f"Sizes increase exponentially: with 20 clusters, from {sizes.min():.0f} to "
        f"{sizes.max():.0f} units. Small and large clusters are treated with the same probability.",
        table(base[~few & (base["sizes"] == "unequal")], SINGLE, labels),
        "## Few never-treated clusters",
        table(base[few], SINGLE, ("sizes", *labels)),
        "## Other errors and other data",
        "20 clusters of unequal size. *persistent*: autocorrelation 0.9, intra-cluster correlation "
        "0.5; *skewed*: exponential; *t(3)*: heavy tails; *noisier*: the errors of treated "
        f"clusters have {NOISE:g} times the standard deviation; *cross sections*: repeated cross "
        "sections; "
        '*covariates*: `est_method="dr"` with two covariates; *neighbours*: clusters lie in a row, '
        f"and the cluster-level errors of neighbours have a correlation of {SPATIAL:g}; *treated "
        "neighbours*: the same, and the treated clusters are next to each other; *single cohorts*: "
        "each treated cluster is a cohort of its own.",
        table(level[level["errors"] != "normal"], SINGLE, ("errors", "treated")),
        "## Breakdown values where treated clusters are noisier",
        "[`noise_sensitivity()`](inference.md#noisier-treated-clusters) reports how much noisier "
        "treated clusters may be before a result is no longer significant. Here they are twice as "
        "noisy, and there is no effect. If the default test rejects, how often is the breakdown "
        "value below 2, so that it says that the result does not survive such noise?",
        noise_table(level),
        "If a test that allows for the true ratio rejects too, the breakdown value is above 2. "
        "That is to be expected in about 5% of all samples.",
        "## Pre-tests and joint bands",
        "Pre-tests of all pre-treatment ATT(g,t), and the simultaneous band of an event study: how "
        f"often it misses a true value. Samples: {counts(joint, JOINT)}.",
        *([] if "largest t, model" in set(joint["test"]) else [NO_LARGEST_T]),
        table(joint, JOINT, ("errors", "sizes", *labels)),
        "## Power",
        "The effect is 1.5 in every treated period. The errors of a unit have a standard deviation "
        "of 1. Rates of tests that reject too often without an effect do not measure power. "
        f"Samples: {counts(power, SINGLE)}.",
        table(power, SINGLE, labels),
        "## What the tables say",
        "\n".join(fill(point, "- ", "  ") for point in points if NOT_RUN not in point),
        f"{failed or 'No'} samples failed with an error.",
        "## How it was made",
        "`python benchmarks/monte_carlo.py` writes counts to `benchmarks/monte_carlo.csv`, one "
        "design after the other, and `python benchmarks/monte_carlo_page.py` this page. By default "
        "there are 2,000 samples of each design, and 300 of them for tests that take long.",
        *(text for text in runs(found) if "italics" not in text),
    ]
    filled = [text if text.startswith(("|", "-", "#")) else fill(text) for text in paragraphs]
    return "\n\n".join(filled) + "\n"


def fill(text: str, first: str = "", later: str = "") -> str:
    """Break lines."""
    return textwrap.fill(
        text, WIDE, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )


if __name__ == "__main__":
    PAGE.write_text(page(rates()))
