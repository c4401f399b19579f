"""Periods and dates give the results of numbers, and come back as labels."""

import pandas as pd
import polars as pl
import pytest
from small_panels import as_periods, assert_same, fit, panel, refusal

import didjack

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def simple(df):
    return fit(df)


FREQUENCIES = ["Y", "Y-JUN", "Q", "Q-NOV", "M", "W", "W-WED", "D", "h", "min", "s"]


def check_calendar(df, simple, time, cohort):
    """Same numbers; labels are those of the user."""
    result = fit(df.assign(t=time, g=cohort))
    assert_same(result, simple)
    table = result.tidy()
    old = simple.tidy()
    assert table["event_time"].tolist() == old["event_time"].tolist()
    label = dict(zip(df["t"], pd.Series(time), strict=True))
    assert table["time"].tolist() == [label[t] for t in old["time"]]
    assert table["group"].tolist() == [label[g] for g in old["group"]]
    return result


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_periods(df, simple, freq):
    time, cohort = as_periods(df, "2001-01-04", freq)
    result = check_calendar(df, simple, time, cohort)
    assert result.tidy()["time"].dtype == time.dtype
    check_calendar(df, simple, time.astype(object), cohort.astype(object))
    check_calendar(df, simple, time.astype("category"), cohort.astype("category"))


@pytest.mark.thin(3)
@pytest.mark.parametrize("freq", FREQUENCIES)
def test_dates_of_a_regular_frequency(df, simple, freq):
    time, cohort = as_periods(df, "2001-01-04", freq)
    edges = ["start_time", "end_time"]
    for edge in edges:
        check_calendar(df, simple, getattr(time.dt, edge), getattr(cohort.dt, edge))
    if freq in ("h", "min", "s"):
        return
    last, last_cohort = time.dt.end_time.dt.normalize(), cohort.dt.end_time.dt.normalize()
    check_calendar(df, simple, last, last_cohort)
    noon = pd.Timedelta("12h")
    check_calendar(df, simple, last + noon, last_cohort + noon)
    for days in ("14D", "3D"):
        shift = pd.Timedelta(days) if freq[0] in "YQ" else pd.Timedelta("1h")
        check_calendar(df, simple, time.dt.start_time + shift, cohort.dt.start_time + shift)


DATES = {
    "s": "datetime64[s]",
    "ms": "datetime64[ms]",
    "us": "datetime64[us]",
    "ns": "datetime64[ns]",
    "Arrow timestamp": "timestamp[us][pyarrow]",
    "Arrow date": "date32[pyarrow]",
    "category": "category",
    "object": object,
}


@pytest.mark.parametrize("freq", ["Y", "Q", "M", "W", "D"])
@pytest.mark.parametrize("how", DATES)
def test_dates_may_be_stored_in_any_way(df, simple, freq, how):
    time, cohort = (c.dt.start_time for c in as_periods(df, "2001-01-04", freq))
    result = fit(df.assign(t=time.astype(DATES[how]), g=cohort.astype(DATES[how])))
    assert_same(result, simple)
    assert sorted(result.tidy()["time"].unique()) == sorted(time.unique())[1:]
    if how in ("s", "ms", "us", "ns"):
        assert result.tidy()["group"].dtype == DATES[how]
        assert_same(fit(df.assign(t=time.astype(DATES[how]), g=cohort)), simple)


@pytest.mark.parametrize("arrow", [False, True], ids=["polars", "pyarrow"])
def test_dates_in_polars_and_pyarrow(df, simple, arrow):
    time, cohort = (c.dt.start_time for c in as_periods(df, "2001-01-04", "Q"))
    table = pl.from_pandas(df.assign(t=time, g=cohort))
    for dtype in (pl.Date, pl.Datetime("ms"), pl.Datetime("ns")):
        other = table.with_columns(pl.col("t", "g").cast(dtype))
        result = fit(other.to_arrow() if arrow else other)
        assert_same(result, simple)
        assert result.tidy()["time"].iloc[0] == pd.Timestamp("2001-04-01")


def test_python_dates(df, simple):
    time, cohort = (c.dt.start_time for c in as_periods(df, "2001-01-04", "M"))
    assert_same(fit(df.assign(t=time.dt.date, g=cohort.dt.date)), simple)
    none = cohort.dt.date.astype(object).where(cohort.notna(), None)
    assert_same(fit(df.assign(t=time.dt.date, g=none)), simple)


def test_gaps_between_dates_are_counted(df):
    """Every second year as dates is every second year as numbers."""
    second = {t: 2 * t - 2001 for t in range(2001, 2006)}
    numbers_ = df.assign(t=df["t"].map(second), g=df["g"].map(second))
    year = {t: pd.Timestamp(year, 7, 1) for t, year in second.items()}
    dates = df.assign(t=df["t"].map(year), g=df["g"].map(year))
    result, want = fit(dates), fit(numbers_)
    assert_same(result, want)
    assert result.tidy()["event_time"].tolist() == want.tidy()["event_time"].tolist()
    assert (result.tidy()["time"].dt.year == want.tidy()["time"]).all()


def test_trading_days_count_days(df, simple):
    days = dict(zip(range(2001, 2006), pd.bdate_range("2024-01-04", periods=5), strict=True))
    cohort = df["g"].map(days)
    with pytest.warns(didjack.SampleWarning, match="no weekends, but they count"):
        result = fit(df.assign(t=df["t"].map(days), g=cohort))
    assert_same(result, simple)
    assert result.tidy()["event_time"].max() == 2  # Monday 8 to Wednesday 10
    assert result.tidy()["event_time"].min() == -5  # Wednesday 10 back to Friday 5


def test_irregular_dates_are_refused(df):
    steps = {
        t: pd.Timestamp("2001-01-31") + pd.Timedelta(days=k)
        for t, k in zip(range(2001, 2006), (0, 28, 58, 89, 120), strict=True)
    }
    dates = df.assign(t=df["t"].map(steps), g=df["g"].map(steps))
    refusal(dates, "tname 't'", "no regular frequency", "2001-01-31, 2001-02-28", "to_period")


def test_dates_of_treatment_must_be_on_the_calendar_of_time(df):
    time, cohort = (c.dt.start_time for c in as_periods(df, "2001-01-04", "Y"))
    exact = cohort.mask(cohort == pd.Timestamp("2003-01-01"), pd.Timestamp("2003-04-17"))
    n = int((df["g"] == 2003).sum())
    refusal(df.assign(t=time, g=exact), "gname 'g'", f"{n} rows", "2003-04-17", "to_period('Y')")
    never = cohort.astype("datetime64[s]").fillna(pd.Timestamp("9999-12-31"))
    refusal(df.assign(t=time, g=never), "9999-12-31", "NaT for never-treated")
    periods = df.assign(t=time.dt.to_period("Y"), g=exact.dt.to_period("Y"))
    assert_same(fit(periods), fit(df))
