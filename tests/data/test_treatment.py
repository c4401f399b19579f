"""First treated periods from a treatment that is 0 or 1."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import as_periods, assert_same, assert_unchanged, fit, panel, quiet_fit, state

import didjack
from didjack import first_treated

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    table = panel()
    return table.assign(d=((table["g"] > 0) & (table["t"] >= table["g"])).astype(int))


def cohort(df, treatment="d", tname="t", idname="id"):
    return first_treated(df, treatment, tname, idname)


def refusal(df, *parts, error=didjack.DataError, **names):
    before = state(df)
    with pytest.raises(didjack.DidjackError) as caught:
        cohort(df, **names)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value)
    assert_unchanged(df, before)


def said(df, **names):
    """Return the column, and the one warning that points here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        column = cohort(df, **names)
    (one,) = caught
    assert one.category is didjack.SampleWarning
    assert one.filename == __file__
    return column, str(one.message)


def test_cohorts_of_a_panel(df):
    before = state(df)
    found = cohort(df)
    assert found.name == "first_treated"
    assert found.index.equals(df.index)
    np.testing.assert_array_equal(found.fillna(0), df["g"])
    n = df["id"].nunique()
    never = df.loc[df["g"] == 0, "id"].nunique()
    want = {"n_units": n, "n_never_treated": never, "n_always_treated": 0}
    want |= {"n_unseen_before": 0, "n_unseen_last": 0}
    assert found.attrs == want
    assert_unchanged(df, before)
    assert_same(fit(df.assign(g=found)), fit(df), labels=True)


@pytest.mark.parametrize("dtype", [bool, float, "boolean", "Int8", "category", object])
def test_any_kind_of_treatment(df, dtype):
    pd.testing.assert_series_equal(cohort(df.astype({"d": dtype})), cohort(df))


def test_order_and_index_of_rows(df):
    mixed = df.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(cohort(mixed), cohort(df).loc[mixed.index])
    labelled = df.set_axis(["row"] * len(df), axis=0)
    assert set(cohort(labelled).index) == {"row"}
    np.testing.assert_array_equal(cohort(labelled), cohort(df))


def test_strings_as_units(df):
    names = df.assign(id="unit " + df["id"].astype(str))
    pd.testing.assert_series_equal(cohort(names), cohort(df))


def test_whole_numbers_stay_so_where_none_is_missing(df):
    treated = df[df["g"] > 0]
    assert cohort(treated).dtype == df["t"].dtype
    assert cohort(df.astype({"t": "Int64"})).dtype == "Int64"


@pytest.mark.parametrize("freq", ["Y", "M"])
def test_periods_and_dates(df, freq):
    time, g = as_periods(df, "2001-01-04", freq)
    for t, want in ((time, g), (time.dt.start_time, g.dt.start_time)):
        dated = df.assign(t=t)
        found = cohort(dated)
        assert found.dtype == t.dtype
        pd.testing.assert_series_equal(found, want, check_names=False)
        quiet_fit(dated.assign(g=found))
    days = df.assign(t=time.dt.start_time.dt.date)
    of_days = pd.to_datetime(cohort(days)).astype(g.dt.start_time.dtype)
    pd.testing.assert_series_equal(of_days, g.dt.start_time, check_names=False)


def test_the_column_is_of_the_kind_of_the_table(df):
    dates = pd.to_datetime(df["t"].astype(str))
    for frame in (df, df.assign(t=dates)):
        want = cohort(frame)
        columns = frame[["id", "t", "d"]]
        of_polars = cohort(pl.from_pandas(columns))
        assert isinstance(of_polars, pl.Series)
        assert of_polars.name == "first_treated"
        of_arrow = cohort(pa.Table.from_pandas(columns))
        assert isinstance(of_arrow, pa.ChunkedArray)
        for found in (of_polars, of_arrow):
            np.testing.assert_array_equal(found.to_pandas().isna(), want.isna())
            np.testing.assert_array_equal(found.to_pandas().dropna(), want.dropna())
    table = pl.from_pandas(df)
    assert_same(fit(table.with_columns(g=cohort(table))), fit(df))


def test_several_rows_a_period(df):
    """What is treated is the cluster; its rows agree."""
    by_cluster = df.groupby("cl")["g"].first()
    rows = df.assign(d=(df["t"] >= df["cl"].map(by_cluster.where(by_cluster > 0, 9999))) * 1)
    found = cohort(rows, idname="cl")
    np.testing.assert_array_equal(found.fillna(0), df["cl"].map(by_cluster))
    assert found.attrs["n_units"] == df["cl"].nunique()
    first = int(by_cluster.index[by_cluster > 0][0])
    odd = rows.copy()
    odd.loc[odd.index[(odd["cl"] == first) & (odd["t"] == 2005)][0], "d"] = 0
    refusal(odd, "both 0 and 1", "'cl'", f"1 time; first: ({first}, 2005)", idname="cl")


def test_treatment_that_ends(df):
    units = np.sort(df.loc[df["g"] == 2003, "id"].unique())
    ended = df.assign(d=df["d"].mask(df["id"].isin(units[:4]) & (df["t"] == 2005), 0))
    refusal(
        ended,
        "'d' is switched off again in 4 units of 'id'",
        f"first: {units[0]} (on in 2003, off in 2005), {units[1]} ",
    )
    running = ended.assign(d=ended.sort_values("t").groupby("id")["d"].cummax())
    pd.testing.assert_series_equal(cohort(running), cohort(df))


def test_always_treated_units_are_told_about(df):
    unit = df.loc[df["g"] == 2003, "id"].min()
    found, text = said(df.assign(d=df["d"].mask(df["id"] == unit, 1)))
    assert text.startswith("the cohort of 1 unit of 'id' may be wrong: 1 treated whenever observed")
    assert text.endswith(f"(first: {unit})")
    assert (found[df["id"] == unit] == 2001).all()
    assert found.attrs["n_always_treated"] == 1
    _, text = said(df.assign(d=(df["g"] > 0) * 1))
    assert "'d' must be 0 before treatment" in text


def test_gaps_are_told_about_where_they_may_hide_the_first_period(df):
    units = np.sort(df.loc[df["g"] == 2003, "id"].unique())
    gap = df[~((df["id"] == units[0]) & (df["t"] == 2002))]
    found, text = said(gap)
    assert text.startswith("the cohort of 1 unit of 'id' may be wrong: 1 unobserved just before")
    assert f"(first: {units[0]})" in text
    assert found.attrs["n_unseen_before"] == 1
    # A later gap hides nothing, nor does one that all units have.
    cohort(df[~((df["id"] == units[0]) & (df["t"] == 2004))])
    cohort(df[df["t"] != 2002])


def test_units_that_leave_may_be_treated_later(df):
    unit = df.loc[df["g"] == 2005, "id"].min()
    found, text = said(df[(df["id"] != unit) | (df["t"] < 2005)])
    assert text.startswith("the cohort of 1 unit of 'id' may be wrong: 1 unobserved in the last")
    assert text.endswith(f"(first: {unit})")
    assert found.attrs["n_unseen_last"] == 1
    assert found[df["id"] == unit].isna().all()


def test_none_is_treated(df):
    found = cohort(df[df["g"] == 0])
    assert found.isna().all()
    assert found.attrs["n_never_treated"] == found.attrs["n_units"]


def test_values_that_are_no_treatment(df):
    refusal(df.assign(d=df["d"] * 2), "'d' must be 0 or 1", "first: 2")
    refusal(df.assign(d=df["y"]), f"{len(df)} rows")
    refusal(df.assign(d="yes"), "'d' is not numeric")
    refusal(df.assign(d=df["d"].astype(float).where(df["t"] < 2004, np.inf)), "first: inf")


@pytest.mark.parametrize("name", ["d", "t", "id"])
def test_missing_values(df, name):
    role = {"d": "treatment", "t": "tname", "id": "idname"}[name]
    gone = df.assign(**{name: df[name].astype(float).mask(df.index % 7 == 2)})
    count = int((df.index % 7 == 2).sum())
    refusal(gone, f"{role} {name!r} is missing in {count} rows; first: row 2")


def test_columns(df):
    refusal(df, "treatment: data has no column 'D'", "did you mean 'd'", treatment="D")
    refusal(
        df,
        "tname must be the name of a column",
        error=didjack.OptionError,
        tname=2001,
    )
    refusal(df, "tname and idname are the same", error=didjack.OptionError, idname="t")
    with pytest.raises(didjack.UnknownOptionError, match="did you mean 'idname'"):
        first_treated(df, "d", "t", unit="id")
    with pytest.raises(didjack.DataError, match=r"call \.collect"):
        cohort(pl.from_pandas(df).lazy())


@pytest.mark.parametrize("index", ["numbers", "text", "dates", "levels"])
@pytest.mark.parametrize("kind", ["int64", "uint8", "Int64", "float32", "category", "object"])
def test_tables_that_refuse_duplicate_labels(df, index, kind):
    labels = {
        "numbers": np.arange(len(df))[::-1] + 0.5,
        "text": [f"row {i}" for i in range(len(df))],
        "dates": pd.date_range("2000-01-01", periods=len(df)),
        "levels": pd.MultiIndex.from_arrays([df["id"], df["t"]]),
    }
    other = df.assign(t=(df["t"] - 2000 if kind == "uint8" else df["t"]).astype(kind))
    other = other.set_axis(labels[index]).rename_axis(None if index != "levels" else ["a", "b"])
    want = cohort(other)
    strict = other.set_flags(allows_duplicate_labels=False)
    before = state(strict)
    found = cohort(strict)
    pd.testing.assert_series_equal(found, want, check_flags=False)
    assert found.attrs == want.attrs
    assert_unchanged(strict, before)
    if kind == "int64":
        strict["cohort"] = found
        assert not strict.flags.allows_duplicate_labels
        assert_same(fit(strict, gname="cohort"), fit(other.assign(cohort=want), gname="cohort"))
