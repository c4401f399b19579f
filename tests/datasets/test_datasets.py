"""The packaged data are what their documentation says."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from didjack.datasets import load_castle, load_medicaid, load_mpdta

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


def script(name):
    """Import a script that makes data."""
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_making_the_packaged_file_again_gives_the_same_bytes(tmp_path, monkeypatch):
    make = script("make_mpdta")
    packaged = make.PACKAGED.read_bytes()
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "PACKAGED", tmp_path / "mpdta.csv")
    monkeypatch.setattr("sys.argv", ["make_mpdta.py"])
    make.main()
    assert (tmp_path / "mpdta.csv").read_bytes() == packaged


# Panels of states -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "unit", "cohort", "years", "per_cohort"),
    [
        (
            *(load_castle, "sid", "cohort", range(2000, 2011)),
            {0: 29, 2006: 1, 2007: 13, 2008: 4, 2009: 2, 2010: 1},
        ),
        (
            *(load_medicaid, "stfips", "yexp2", range(2008, 2020)),
            {0: 16, 2014: 22, 2015: 3, 2016: 2, 2017: 1, 2019: 2},
        ),
    ],
)
def test_states_are_balanced_panels(load, unit, cohort, years, per_cohort):
    df = load()
    assert df.notna().all(axis=None)
    assert list(df.select_dtypes(["int64", "float64"])) == list(df.columns[1:])
    pd.testing.assert_frame_equal(df, df.sort_values([unit, "year"], ignore_index=True))
    assert (df.groupby(unit)["year"].agg(tuple) == tuple(years)).all()
    states = df.drop_duplicates(unit)
    assert len(states) == sum(per_cohort.values()) == states["state"].nunique()
    assert states[cohort].value_counts().to_dict() == per_cohort
    for name in ("state", cohort):
        assert (df.groupby(unit)[name].nunique() == 1).all()


def test_castle_values():
    df = load_castle()
    assert df.columns.get_loc("popwt") == 25
    assert (df["post"] == ((df["cohort"] > 0) & (df["year"] >= df["cohort"]))).all()
    assert df["post"].sum() == 5 + 13 * 4 + 4 * 3 + 2 * 2 + 1
    np.testing.assert_allclose(df["l_homicide"], np.log(df["homicide"]), rtol=0, atol=2e-7)
    sums = df[["homicide", "robbery", "burglary", "popwt"]].sum()
    published = [2618.7691947, 58938.0234845, 390449.39933, 3189667988.21]
    np.testing.assert_allclose(sums, published, rtol=1e-12)
    # Each state is who it should be: the largest and the smallest, and who has which law.
    people = df.drop_duplicates("sid").set_index("state")["popwt"]
    assert (people.idxmax(), people.idxmin()) == ("California", "Wyoming")
    cohort = df.drop_duplicates("sid").set_index("state")["cohort"]
    assert (cohort["Florida"], cohort["Montana"], cohort["Texas"]) == (2006, 2010, 2008)
    assert set(cohort[cohort == 2009].index) == {"Ohio", "West Virginia"}


def test_medicaid_values():
    df = load_medicaid()
    assert list(df.columns) == ["state", "stfips", "year", "yexp2", "dins", "W"]
    assert df["dins"].between(0.4, 1.0).all()
    assert df["dins"].sum() == pytest.approx(386.30266749858856, rel=1e-14)
    assert df["W"].sum() == 357362004
    people = df.drop_duplicates("stfips").set_index("state")["W"]
    assert people.idxmax() == "California"
    cohort = df.drop_duplicates("stfips").set_index("state")["yexp2"]
    assert (cohort["Louisiana"], cohort["Virginia"], cohort["Texas"]) == (2017, 2019, 0)


@pytest.mark.parametrize(("name", "package"), [("castle", "causaldata"), ("medicaid", "moderndid")])
def test_making_states_again_gives_the_same_bytes(name, package):
    shipped = pytest.importorskip(package, reason="the source of the data, not in the extra test")
    source = shipped.castle.load_pandas().data if name == "castle" else shipped.load_ehec()
    make = script("make_states")
    table = getattr(make, name)(source if name == "castle" else source.to_pandas())
    made = table.to_csv(index=False, lineterminator="\n").encode()
    assert made == (make.PACKAGED / f"{name}.csv").read_bytes()
