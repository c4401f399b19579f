"""What values of the cohort column stand for."""

import numpy as np
import pandas as pd
import pytest
from small_panels import as_periods, assert_same, fit, panel, quiet_fit, refusal, sample_warnings

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


# ---- codes of never-treated units that are none -------------------------------------------------


@pytest.mark.parametrize("code", [-1, -9, -99, -999, -(2**53)])
def test_a_negative_number_for_all_untreated_units(df, code):
    never = df["g"] == 0
    coded = df.assign(g=df["g"].mask(never, code))
    units = df.loc[never, "id"].nunique()
    for frame in (coded, coded.astype({"g": float}), coded.assign(t=df["t"] - 2001, g=coded["g"])):
        message = refusal(
            frame, f"gname 'g' is {code} for", f" {units} units", "code them as 0, inf"
        )
        assert f"(first: {df.loc[never, 'id'].iloc[0]}, " in message
    refusal(coded, "none is never-treated", control_group="notyettreated")
    refusal(coded, f"for {never.sum()} rows", panel=False, idname=None)


def test_a_negative_number_beside_other_cohorts_without_a_period_of_their_own(df):
    coded = df.assign(g=df["g"].replace(0, -1).mask(df["id"] == 1, 1990).mask(df["id"] == 2, 2009))
    refusal(coded, "gname 'g' is -1 for")


def test_a_negative_number_for_some_untreated_units(df):
    """Others have a code: these are read as they stand, and dropped with a warning."""
    some = df.assign(g=df["g"].mask((df["g"] == 0) & (df["id"] % 2 == 0), -1))
    result, texts = sample_warnings(some)
    assert texts[0].startswith("dropped ")
    assert "already treated in the first period" in texts[0]
    assert_same(result, fit(some[some["g"] >= 0]))


def test_negative_periods_may_be_cohorts(df):
    """Where time itself is negative, or cohorts differ."""
    centred = df.assign(t=df["t"] - 2003, g=(df["g"] - 2003).where(df["g"] > 0, -9))
    quiet_fit(centred.assign(g=centred["g"].replace(0, 1)))
    two = df.assign(t=df["t"] - 2001, g=(df["g"] - 2001).where(df["g"] > 0, -df["id"] % 2 - 1))
    quiet_fit(two)


@pytest.mark.parametrize("code", ["1900-01-01", "1970-01-01", "1899-12-30"])
@pytest.mark.parametrize("freq", ["Y", "M"])
def test_an_early_date_for_all_untreated_units(df, code, freq):
    time, cohort = as_periods(df, "2001-01-04", freq)
    coded = df.assign(t=time, g=cohort.fillna(pd.Period(code, freq=freq)))
    refusal(coded, f"gname 'g' is {code[:4]}", "none is never-treated")
    if code != "1899-12-30":
        dates = df.assign(t=time.dt.start_time, g=cohort.dt.start_time.fillna(pd.Timestamp(code)))
        refusal(dates, f"gname 'g' is {code}", "none is never-treated")
    fit(coded.assign(g=cohort))


def test_early_dates_may_be_cohorts(df):
    time, cohort = as_periods(df, "2001-01-04", "Y")
    early = df.assign(t=time, g=cohort.fillna(pd.Period("1999", freq="Y")))
    quiet_fit(early)
    early["g"] = early["g"].mask(df["id"] == 1, pd.Period("1950", freq="Y"))
    quiet_fit(early)
    assert np.isfinite(quiet_fit(early).tidy()["estimate"]).all()


# ---- a treatment dummy --------------------------------------------------------------------------


def treated(df):
    return ((df["g"] > 0) & (df["t"] >= df["g"])).astype(int)


def ever_treated(df):
    return (df["g"] > 0).astype(int)


@pytest.mark.parametrize("dummy", [treated, ever_treated])
@pytest.mark.parametrize("first", [-2, 0, 1, 2001])
def test_a_dummy_is_no_cohort(df, dummy, first):
    """With periods 0, 1, ... it would run as cohort 1."""
    coded = df.assign(g=dummy(df), t=df["t"] - 2001 + first)
    for dtype in (int, float, "Int64", "int8", object, "category"):
        frame = coded.astype({"g": dtype})
        refusal(frame, "gname 'g' holds only 0 and 1", "didjack.first_treated(df, 'g', 't', 'id')")
    refusal(coded, "didjack.first_treated(df, 'g', 't', 'cl')", panel=False, idname=None)
    sections = {"panel": False, "idname": None, "cluster": None, "vcov": "analytic"}
    refusal(coded, "didjack.first_treated(df, 'g', 't', idname)", **sections)
    gaps = coded.astype({"g": float})
    gaps.loc[3, "g"] = np.nan
    refusal(gaps, "gname 'g' holds only 0 and 1")
    refusal(
        coded.astype({"g": bool}), "'g' is boolean", "didjack.first_treated(df, 'g', 't', 'id')"
    )


def test_one_may_be_a_first_treated_period(df):
    """It is said by another code of never-treated, or by other numbers."""
    late = df.assign(t=df["t"] - 2002, g=np.where(df["g"] > 0, 1.0, np.inf))
    want = fit(late)
    assert set(want.tidy()["group"]) == {1}
    assert_same(fit(late.assign(g=late["g"].replace(np.inf, np.nan))), want)
    assert_same(fit(late.assign(t=df["t"], g=late["g"].map({1.0: 2003, np.inf: 0}))), want)
    more = df.assign(t=df["t"] - 2002, g=df["g"].map({0: 0, 2003: 1, 2005: 3}))
    assert set(sample_warnings(more)[0].tidy()["group"]) == {1, 3}


def test_all_zero_or_all_one_is_no_dummy(df):
    refusal(df.assign(g=0), "no treated cohort is left")
    refusal(df.assign(g=1, t=df["t"] - 2001), "all units belong to cohort 1")
