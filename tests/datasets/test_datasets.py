"""The packaged data are what their documentation says."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from didjack.datasets import load_mpdta

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def mpdta():
    return load_mpdta()


def test_mpdta_has_the_documented_columns_and_types(mpdta):
    assert list(mpdta.columns) == [
        "year",
        "countyreal",
        "lpop",
        "lemp",
        "first.treat",
        "treat",
        "state",
    ]
    floats = {"lpop", "lemp"}
    for name, dtype in mpdta.dtypes.items():
        assert dtype == (np.float64 if name in floats else np.int64), name
    assert mpdta.notna().all(axis=None)


def test_mpdta_is_a_balanced_panel_of_500_counties(mpdta):
    years = mpdta.groupby("countyreal")["year"].agg(list)
    assert len(years) == 500
    assert (years.map(tuple) == (2003, 2004, 2005, 2006, 2007)).all()


def test_mpdta_cohorts_and_states(mpdta):
    counties = mpdta.drop_duplicates("countyreal")
    assert counties["first.treat"].value_counts().to_dict() == {
        0: 309,
        2007: 131,
        2006: 40,
        2004: 20,
    }
    states = counties.groupby("first.treat")["state"].nunique()
    assert states.to_dict() == {0: 16, 2004: 1, 2006: 3, 2007: 9}
    assert (mpdta["state"] == mpdta["countyreal"] // 1000).all()
    assert (mpdta["treat"] == (mpdta["first.treat"] > 0)).all()
    # Constant within county: cohort, state and population; cohort also within state.
    for name in ("first.treat", "state", "lpop"):
        assert (mpdta.groupby("countyreal")[name].nunique() == 1).all()
    assert (mpdta.groupby("state")["first.treat"].nunique() == 1).all()


def test_mpdta_values(mpdta):
    first = mpdta.iloc[0]
    assert (first["year"], first["countyreal"], first["first.treat"]) == (2003, 8001, 2007)
    assert first["lemp"] == 8.46146904264388
    # Adams County, Colorado, had 363,857 inhabitants in the census of 2000.
    assert first["lpop"] == pytest.approx(np.log(363.857), abs=1e-12)


def test_each_load_is_a_new_frame(mpdta):
    changed = load_mpdta()
    changed["lemp"] = 0.0
    pd.testing.assert_frame_equal(load_mpdta(), mpdta)


def test_packaged_file_is_the_raw_file_with_the_state(mpdta):
    text = dict.fromkeys(["lpop", "lemp"], float)
    raw = pd.read_csv(DATA / "mpdta_raw.csv", converters=text)
    pd.testing.assert_frame_equal(mpdta.drop(columns="state"), raw, check_exact=True)


def test_making_the_packaged_file_again_gives_the_same_bytes(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("make_mpdta", DATA / "make_mpdta.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    packaged = make.PACKAGED.read_bytes()
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "PACKAGED", tmp_path / "mpdta.csv")
    monkeypatch.setattr("sys.argv", ["make_mpdta.py"])
    make.main()
    assert (tmp_path / "mpdta.csv").read_bytes() == packaged
