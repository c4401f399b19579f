"""Periods and cohorts as numbers, Periods and dates."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import as_periods, assert_same, fit, panel, refusal, where

from didjack._typing import NEVER
from didjack.data.calendar import as_times

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def simple(df):
    return fit(df)


FREQUENCIES = ["Y", "Y-JUN", "Q", "Q-NOV", "M", "W", "W-WED", "D", "h", "min", "s"]


@pytest.mark.parametrize("role", ["t", "g"])
def test_time_zones_are_refused(df, role):
    time, cohort = (c.dt.start_time for c in as_periods(df, "2001-01-04", "M"))
    dates = df.assign(t=time, g=cohort)
    zoned = dates[role].dt.tz_localize("Europe/Paris")
    want = f"{role}name '{role}' has a time zone"
    refusal(dates.assign(**{role: zoned}), want, "tz_localize(None)")
    refusal(dates.assign(**{role: zoned.astype(object)}), want)
    refusal(dates.assign(**{role: zoned.astype("timestamp[us, tz=Europe/Paris][pyarrow]")}), want)
    refusal(pl.from_pandas(dates.assign(**{role: zoned})), want)
    refusal(pa.Table.from_pandas(dates.assign(**{role: zoned})), want)
    mixed = dates[role].astype(object)
    mixed[mixed.first_valid_index()] = zoned.dropna().iloc[0]
    refusal(dates.assign(**{role: mixed}), f"'{role}' mixes dates")


def test_time_and_cohort_must_be_of_one_kind(df):
    time, cohort = as_periods(df, "2001-01-04", "M")
    refusal(df.assign(t=time), "'t' (period[M])", "'g' (int64)", "one kind")
    refusal(df.assign(t=time, g=cohort.dt.start_time), "one kind")
    refusal(df.assign(t=time, g=as_periods(df, "2001", "Q")[1]), "one frequency", "period[Q-DEC]")
    refusal(df.assign(t=time.dt.start_time.astype(str)), "tname 't' is not numeric", "2001-01-01")
    mixed = [v if i % 2 else 7 for i, v in enumerate(time.dt.start_time)]
    refusal(df.assign(t=mixed), "tname 't' is not numeric")
    several = [v if i % 2 else v.asfreq("D") for i, v in enumerate(time)]
    refusal(df.assign(t=pd.Series(several, dtype=object), g=cohort), "tname 't'")


@pytest.mark.parametrize("role", ["t", "g"])
def test_time_must_be_whole_and_small(df, role):
    refusal(where(df, [5], role, 2003.5), f"'{role}' must hold whole numbers", "2003.5 (row 5)")
    refusal(df.assign(**{role: df["x2"] > 0}), f"'{role}' is boolean")
    for value in (2**60, -(2**60), 2**64 + 5):
        refusal(where(df, [5], role, value), f"'{role}' must hold whole numbers", "(row 5)")
    huge = df[role].astype("uint64") + np.uint64(2**63)
    refusal(df.assign(**{role: huge}), f"'{role}' must hold whole numbers")


def test_narrow_integers_do_not_wrap(df, simple):
    """Periods 120 to 124 in eight bits."""
    shifted = df.assign(t=df["t"] - 1881, g=(df["g"] - 1881).where(df["g"] > 0, 0))
    assert_same(fit(shifted.astype({"t": "int8", "g": "int8", "cl": "int8", "id": "int8"})), simple)


def test_float_periods_come_back_as_floats(df, simple):
    result = fit(df.astype({"t": float}))
    assert result.tidy()["time"].dtype == float
    whole = fit(df.assign(t=df["t"].astype(object)))
    assert whole.tidy()["time"].dtype == int


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_axis_labels_undo_reading(freq):
    time = pd.Series(pd.period_range("1999-06-01", periods=7, freq=freq))
    for column in (time, time.dt.start_time, time.dt.end_time):
        times = as_times(column.rename("t"), column.where(column != column[3]).rename("g"))
        labels = times.axis.labels(times.period)
        assert labels.tolist() == column.tolist()
        assert np.diff(times.period).tolist() == [1] * 6
        assert times.cohort[3] == NEVER
        again = pickle.loads(pickle.dumps(times.axis))
        assert again.labels(times.period).equals(labels)
