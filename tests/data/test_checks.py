"""Rule 6: data that do not make sense are refused."""

import numpy as np
import pandas as pd
import pytest
from small_panels import NAMES, fit, panel, quiet_fit, refusal, where

import didjack
from didjack.data.clean import clean
from didjack.options import EstimationOptions, SampleOptions

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


def test_two_cohorts(df):
    moved = where(where(df, [200], "g", 2004), [3], "g", 2003).astype({"g": int})
    refusal(moved, "2 units of 'id' in more than one cohort ('g')", "1 (2003, never)", "41 (200")
    refusal(moved, "in more than one cohort", allow_unbalanced_panel=True)
    years = moved.assign(
        t=pd.PeriodIndex(moved["t"].astype(str), freq="Y"),
        g=pd.PeriodIndex(moved["g"].replace(0, 2003).astype(str), freq="Y"),
    )
    refusal(years, "41 (200")
    with pytest.warns(didjack.EstimationWarning, match="no rows of the cohort"):  # 2004 has one row
        fit(moved, panel=False, idname=None)


def test_two_clusters(df):
    moved = where(df, [20, 21], "cl", 3).astype({"cl": int})
    refusal(moved, "1 unit of 'id' in more than one cluster ('cl')", "first: 5 (2, 3)")
    named = moved.assign(cl="state " + moved["cl"].astype(str), id="unit " + df["id"].astype(str))
    refusal(named, "unit 5 (state 2, state 3)")
    fit(moved, cluster=None)


def test_duplicates(df):
    twice = pd.concat([df, df.iloc[[3, 7, 9, 11, 3]]])
    refusal(
        twice,
        "('id', 't') is not unique",
        "9 rows",
        "(1, 2004), (2, 2003), (2, 2005)",
        "panel=False",
    )
    refusal(twice, "is not unique", allow_unbalanced_panel=True)
    sparse = twice.assign(t=twice["t"] * 10**6, g=twice["g"] * 10**6, id=twice["id"] * 10**9)
    refusal(sparse, "9 rows", "(1000000000, 2004000000)")
    years = twice.assign(t=pd.PeriodIndex(twice["t"].astype(str), freq="Y"), g=pd.NaT)
    refusal(years, "(1, 2004), (2, 2003)")


def test_many_periods_and_few_rows():
    """The table of units and periods need not fit into memory."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"id": np.arange(3000) // 3, "t": rng.permutation(3000), "y": 1.0})
    df["cl"], df["g"] = df["id"] % 7, np.where(df["id"] % 2, 1500, 0)
    refusal(df, "no unit of 'id' is observed in all 3000 periods", "allow_unbalanced_panel=True")
    options = SampleOptions(**NAMES, allow_unbalanced_panel=True)
    data = clean(df.assign(t=df["t"] + 1), options, EstimationOptions())
    assert data.pooled
    assert data.periods.size == 3000


def test_no_treated_cohort(df):
    for g in (0, 3000, np.inf, np.nan):
        refusal(df.assign(g=g), "gname 'g'", "no treated cohort is left", "240 rows")
    refusal(df.assign(g=df["g"].where(df["g"] == 0, 2001)), "no treated cohort is left")


def test_no_comparison_unit(df):
    for g in (2001, 2003, 2005):
        for control_group in ("nevertreated", "notyettreated"):
            refusal(df.assign(g=g), f"cohort {g}", "no control unit", control_group=control_group)
    # All never-treated units are incomplete: the last cohort serves as comparison.
    gaps = df[(df["g"] > 0) | (df["t"] > 2001)]
    for control_group in ("nevertreated", "notyettreated"):
        result = quiet_fit(gaps, control_group=control_group)
        want = quiet_fit(df[df["g"] > 0], control_group=control_group)
        pd.testing.assert_frame_equal(result.tidy(), want.tidy(), check_exact=True)


def test_a_single_period(df):
    refusal(df[df["t"] == 2003], "tname 't' has a single period (2003)")
    none = df.assign(g=df["g"].replace({0: 2005, 2003: 2004}))
    refusal(none[none["t"].isin([2003, 2005])], "tname 't': a single period (2003) is left")


def test_clusters(df):
    refusal(df.assign(cl=7), "cluster 'cl' has 1 cluster (7)", "at least 2")
    refusal(df.assign(cl="all"), "1 cluster (all)", vcov="CV3J")
    fit(df.assign(cl=7), vcov="analytic")
    refusal(df[df["id"].isin([1])], "no treated cohort")


def test_rules_that_leave_one_cluster(df):
    short = df.assign(cl=np.where(df["id"] <= 40, "long", "short"))
    refusal(short[(short["id"] <= 40) | (short["t"] > 2001)], "1 cluster (long)", "at least 2")


@pytest.mark.parametrize(("column", "value"), [("g", 0), ("cl", 99)])
def test_the_remedy_for_units_that_move_works(df, column, value):
    moved = df.copy()
    unit = moved.loc[moved["g"] > 0, "id"].iloc[0]
    moved.loc[(moved["id"] == unit) & (moved["t"] == moved["t"].max()), column] = value
    code = f"df.sort_values('t').groupby('id')['{column}'].transform('first')"
    refusal(moved, code, "panel=False")
    moved[column] = moved.sort_values("t").groupby("id")[column].transform("first")
    quiet_fit(moved)


@pytest.mark.parametrize("size", [1e60, 1e100, 1e200, 1e300])
def test_weights_beside_which_others_vanish(df, size):
    weighted = df.assign(w=1.0)
    weighted.loc[[3, 7], "w"] = size
    refusal(weighted, "ranges from 1 to", "2 rows above 1e+50", weightsname="w")
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        quiet_fit(weighted.assign(w=weighted["w"].clip(upper=1e30)), weightsname="w")
