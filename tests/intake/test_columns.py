"""Every way to store a column gives the results of the plain one."""

import datetime
import decimal
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import (
    COVARIATES,
    assert_close,
    assert_same,
    fit,
    numbers,
    panel,
    quiet_fit,
    refusal,
    where,
)

from didjack._typing import NEVER
from didjack.errors import DataError
from didjack.intake.calendar import as_times
from didjack.intake.labels import as_codes, distinct
from didjack.intake.numbers import as_float
from didjack.intake.tables import read_columns

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

ROLES = {"y": "float", "t": "int", "g": "int", "id": "int", "cl": "int", "w": "float"}
ROLES |= {"x1": "float", "x2": "int"}


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def plain(df):
    return fit(df, **COVARIATES)


@pytest.fixture(scope="module")
def simple(df):
    return fit(df)


def decimals(column):
    return column.map(lambda value: decimal.Decimal(repr(value))).astype(object)


# ---- numbers in pandas --------------------------------------------------------------------------

FLOATS = {
    "Float64": "Float64",
    "Arrow": "double[pyarrow]",
    "object": object,
    "Decimal": decimals,
    "sparse": pd.SparseDtype("float64"),
    "category": "category",
    "Arrow decimal": lambda c: decimals(c).astype(pd.ArrowDtype(pa.decimal128(38, 25))),
}
INTEGERS = FLOATS | {
    "int16": "int16",
    "uint16": "uint16",
    "uint64": "uint64",
    "float32": "float32",
    "Int64": "Int64",
    "UInt32": "UInt32",
    "Arrow": "int64[pyarrow]",
    "Arrow int16": "int16[pyarrow]",
    "Fortran and strided": lambda c: pd.Series(np.asfortranarray(np.c_[c, c])[:, 1]),
}


def stored(column, how):
    return how(column) if callable(how) and how is not object else column.astype(how)


@pytest.mark.parametrize("how", FLOATS)
@pytest.mark.parametrize("role", ["y", "w", "x1"])
def test_floats_may_be_stored_in_any_way(df, role, how):
    if role == "x1" and how == "category":
        return  # stands for dummies
    # Binary fractions, which a decimal of 25 digits holds without error.
    rounded = df.assign(**{role: (df[role] * 2**20).round() / 2**20})
    want = fit(rounded, **COVARIATES)
    assert_same(
        fit(rounded.assign(**{role: stored(rounded[role], FLOATS[how])}), **COVARIATES), want
    )


@pytest.mark.parametrize("how", INTEGERS)
@pytest.mark.parametrize("role", ["t", "g", "id", "cl", "x2"])
def test_whole_numbers_may_be_stored_in_any_way(df, plain, role, how):
    result = fit(df.assign(**{role: stored(df[role], INTEGERS[how])}), **COVARIATES)
    assert_same(result, plain)
    assert (result.tidy()[["group", "time"]] == plain.tidy()[["group", "time"]]).all(axis=None)


@pytest.mark.parametrize("dtype", [bool, "boolean", "bool[pyarrow]", "bool object"])
def test_truth_values_are_zero_and_one(df, plain, dtype):
    flag = df["x2"].astype(bool)
    flag = flag.astype(object) if dtype == "bool object" else flag.astype(dtype)
    assert_same(fit(df.assign(x2=flag), **COVARIATES), plain)
    binary = df.assign(y=(df["y"] > 0).astype(int))
    assert_same(fit(binary.assign(y=binary["y"].astype(bool).astype(flag.dtype))), fit(binary))


@pytest.mark.parametrize("role", ["id", "cl"])
@pytest.mark.parametrize("dtype", ["str", "string", "string[pyarrow]", object, "category"])
def test_identifiers_may_be_text(df, plain, role, dtype):
    padded = df[role].astype(str).str.zfill(5)
    assert_same(fit(df.assign(**{role: padded.astype(dtype)}), **COVARIATES), plain)
    unpadded = df[role].astype(str).astype(dtype)  # in another order: sums differ in last digits
    assert_close(fit(df.assign(**{role: unpadded}), **COVARIATES), plain)


@pytest.mark.parametrize("role", ["id", "cl"])
def test_identifiers_may_be_anything_that_can_be_a_label(df, plain, role):
    values = df[role]
    for labels in (
        [(1, value) for value in values],
        pd.to_datetime(values, unit="D"),
        pd.PeriodIndex.from_ordinals(values, freq="M"),
        values * 10**13,
        values + 2**62,
        [2**70 + value for value in values],
        values.astype("uint64") + np.uint64(2**63),
        values / 3,
        values - 1000,
    ):
        assert_same(fit(df.assign(**{role: labels}), **COVARIATES), plain)
    assert_close(fit(df.assign(**{role: [v if v % 2 else str(v) for v in values]})), fit(df))


def test_cluster_labels_come_back(df):
    names = df["cl"].map(lambda h: f"state {h:02}")
    assert list(fit(df.assign(cl=names)).replicates().index) == sorted(names.unique())
    interval = pd.cut(df["cl"], range(14))
    assert fit(df.assign(cl=interval)).replicates().index[0] == pd.Interval(0, 1)


# ---- polars and pyarrow -------------------------------------------------------------------------

POLARS_FLOATS = [pl.Decimal(38, 20), pl.Float64]
POLARS_INTEGERS = [pl.Int16, pl.UInt32, pl.UInt64, pl.Int128, pl.Float32, pl.Float64]
POLARS_INTEGERS += [pl.Decimal(20, 2)]


@pytest.mark.parametrize("arrow", [False, True], ids=["polars", "pyarrow"])
@pytest.mark.parametrize("role", ROLES)
def test_polars_and_pyarrow(df, plain, role, arrow):
    table = pl.from_pandas(df)
    for dtype in POLARS_INTEGERS if ROLES[role] == "int" else POLARS_FLOATS:
        if arrow and dtype == pl.Int128:
            continue
        other = table.with_columns(pl.col(role).cast(dtype))
        result = fit(other.to_arrow() if arrow else other, **COVARIATES)
        compare = assert_close if dtype == pl.Decimal(38, 20) else assert_same
        compare(result, plain)


@pytest.mark.parametrize("arrow", [False, True], ids=["polars", "pyarrow"])
@pytest.mark.parametrize("role", ["id", "cl", "x2"])
def test_text_in_polars_and_pyarrow(df, plain, role, arrow):
    text = df[role].astype(str).str.zfill(5)
    table = pl.from_pandas(df.assign(**{role: text}))
    for dtype in (pl.String, pl.Categorical, pl.Enum(sorted(text.unique()))):
        other = table.with_columns(pl.col(role).cast(dtype))
        assert_same(fit(other.to_arrow() if arrow else other, **COVARIATES), plain)


def test_chunked_pyarrow_and_duplicate_names_elsewhere(df, plain):
    table = pa.Table.from_pandas(df)
    chunked = pa.concat_tables([table.slice(0, 70), table.slice(70)])
    assert_same(fit(chunked, **COVARIATES), plain, labels=True)
    assert_same(fit(table.append_column("x1", table["x1"])), fit(df), labels=True)
    refusal(table.append_column("y", table["y"]), "yname", "2 columns named 'y'")


def test_large_identifiers_with_missing_ones_keep_their_digits(df):
    large = pl.Series([None if i == 3 else unit + 2**60 for i, unit in enumerate(df["id"])])
    with pytest.warns(match=r"dropped 1 row: .*'id' \(1\)"), pytest.warns(match="4 rows of 1 unit"):
        result = fit(pl.from_pandas(df).with_columns(id=large))
    assert result.glance()["n_units"].item() == 47


def test_enum_keeps_the_order_of_its_levels(df):
    levels = ["west", "north", "south"]
    region = df["id"].map(lambda i: levels[i % 3])
    table = pl.from_pandas(df.assign(region=region))
    table = table.with_columns(pl.col("region").cast(pl.Enum(levels)))
    categories = df.assign(region=pd.Categorical(region, categories=levels))
    assert_same(fit(table, xformla="~ region"), fit(categories, xformla="~ region"))


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (pl.concat_list("t", "g"), "t"),
        (pl.struct("t", "g"), "y"),
        (pl.col("cl").cast(pl.String).cast(pl.Binary), "cl"),
        (pl.Series([object()] * 240, dtype=pl.Object), "id"),
    ],
)
def test_nested_columns_are_refused(df, values, role):
    refusal(pl.from_pandas(df).with_columns(values.alias(role)), f"'{role}' holds", "plain")


def test_more_than_64_bits_are_refused(df):
    big = pl.from_pandas(df).with_columns(pl.col("id").cast(pl.Int128) * 2**40 * 2**40)
    refusal(big, "idname 'id'", "more than 64 bits")


# ---- missing values -----------------------------------------------------------------------------

ROWS = [3, 77]


def gaps(df, role):
    """The frame with two missing values in a column, stored in many ways."""
    plain = where(df, ROWS, role, np.nan)
    whole, floats = ("Int64", "int64[pyarrow]"), ("Float64", "double[pyarrow]")
    for dtype in whole if ROLES[role] == "int" else floats:
        yield plain.astype({role: dtype})
    for nothing in (None, pd.NA, pd.NaT, decimal.Decimal("NaN")):
        yield where(df, ROWS, role, nothing)
    nulls = pl.Series(range(len(df))).is_in(ROWS)
    table = pl.from_pandas(df).with_columns(
        pl.when(nulls).then(None).otherwise(pl.col(role)).alias(role)
    )
    yield table
    yield table.to_arrow()
    if role in ("id", "cl"):
        text = df[role].astype(str).str.zfill(5)
        gone = df.index.isin(ROWS)
        for dtype in ("str", "string", object, "category"):
            yield df.assign(**{role: text.astype(dtype).mask(gone)})
        text = text.astype(object).mask(gone, None)
        table = pl.from_pandas(df.assign(**{role: text}))
        yield table
        yield table.with_columns(pl.col(role).cast(pl.Categorical)).to_arrow()


@pytest.mark.parametrize("role", ["y", "t", "id", "cl", "w", "x1", "x2"])
def test_missing_values_may_be_stored_in_any_way(df, role):
    plain = quiet_fit(where(df, ROWS, role, np.nan), **COVARIATES)
    ledger = plain.sample.drop(columns="examples")
    assert ledger["n_rows"].tolist() == [2, 8, 230]
    for other in gaps(df, role):
        result = quiet_fit(other, **COVARIATES)
        assert_same(result, plain)
        pd.testing.assert_frame_equal(result.sample.drop(columns="examples"), ledger)


@pytest.mark.parametrize("role", ["y", "t", "id", "cl", "w", "x1"])
def test_infinite_values_are_missing(df, role):
    plain = quiet_fit(where(df, ROWS, role, np.nan), **COVARIATES)
    for value in (np.inf, -np.inf):
        if role == "w" and value < 0:
            continue
        other = where(df, ROWS, role, value)
        for dtype in (float, object, "Float64", "double[pyarrow]"):
            assert_same(quiet_fit(other.astype({role: dtype}), **COVARIATES), plain)


# ---- never-treated ------------------------------------------------------------------------------


def never_codes(df):
    cohort = df["g"].where(df["g"] > 0)
    treated = cohort.notna()
    return {
        "NaN": cohort,
        "inf": cohort.fillna(np.inf),
        "inf, float32": cohort.fillna(np.inf).astype("float32"),
        "inf, Float64": cohort.fillna(np.inf).astype("Float64"),
        "Int64": cohort.astype("Int64"),
        "Arrow": cohort.astype("Int64").astype("int64[pyarrow]"),
        "None": cohort.astype(object).where(treated, None),
        "NA": cohort.astype(object).where(treated, pd.NA),
        "NaT": cohort.astype(object).where(treated, pd.NaT),
        "inf, object": cohort.fillna(np.inf).astype(object),
        "category": cohort.astype("category"),
        "whole category": df["g"].astype("category").cat.remove_categories([0]),
        "late": df["g"].replace(0, 9999),
        "0 and inf": df["g"].astype(float).mask((df["g"] == 0) & (df["id"] % 2 == 0), np.inf),
    }


def test_never_treated_has_many_codes(df, simple):
    for cohort in never_codes(df).values():
        assert_same(fit(df.assign(g=cohort)), simple)
    table = pl.from_pandas(df)
    cohort = pl.when(pl.col("g") > 0).then(pl.col("g"))
    for value in (cohort, cohort.cast(pl.Float64).fill_null(float("nan"))):
        assert_same(fit(table.with_columns(g=value)), simple)
        assert_same(fit(table.with_columns(g=value).to_arrow()), simple)


@pytest.mark.parametrize("code", [0, np.inf])
def test_missing_and_coded_never_treated_do_not_mix(df, code):
    cohort = df["g"].where(df["g"] > 0).mask(df["id"] <= 8, code)
    n_missing, n_coded = cohort.isna().sum(), cohort.isin([code]).sum()
    refusal(df.assign(g=cohort), "'g'", f"({n_missing} rows", f"({n_coded} rows)", "never-treated")


def test_minus_infinity_is_no_cohort(df):
    refusal(where(df, [3], "g", -np.inf), "gname 'g' holds -inf", "1 row", "(row 3)")


# ---- time ---------------------------------------------------------------------------------------


def calendar(df, start, freq):
    """Time and cohort of a panel as Periods; never-treated is NaT."""
    first = pd.Period(start, freq=freq)
    time = pd.Series(pd.PeriodIndex([first + int(t - 2001) for t in df["t"]]))
    periods = [first + int(g - 2001) if g else pd.NaT for g in df["g"]]
    return time, pd.Series(pd.PeriodIndex(periods, freq=freq))


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
    time, cohort = calendar(df, "2001-01-04", freq)
    result = check_calendar(df, simple, time, cohort)
    assert result.tidy()["time"].dtype == time.dtype
    check_calendar(df, simple, time.astype(object), cohort.astype(object))
    check_calendar(df, simple, time.astype("category"), cohort.astype("category"))


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_dates_of_a_regular_frequency(df, simple, freq):
    time, cohort = calendar(df, "2001-01-04", freq)
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
    time, cohort = (c.dt.start_time for c in calendar(df, "2001-01-04", freq))
    result = fit(df.assign(t=time.astype(DATES[how]), g=cohort.astype(DATES[how])))
    assert_same(result, simple)
    assert sorted(result.tidy()["time"].unique()) == sorted(time.unique())[1:]
    if how in ("s", "ms", "us", "ns"):
        assert result.tidy()["group"].dtype == DATES[how]
        assert_same(fit(df.assign(t=time.astype(DATES[how]), g=cohort)), simple)


@pytest.mark.parametrize("arrow", [False, True], ids=["polars", "pyarrow"])
def test_dates_in_polars_and_pyarrow(df, simple, arrow):
    time, cohort = (c.dt.start_time for c in calendar(df, "2001-01-04", "Q"))
    table = pl.from_pandas(df.assign(t=time, g=cohort))
    for dtype in (pl.Date, pl.Datetime("ms"), pl.Datetime("ns")):
        other = table.with_columns(pl.col("t", "g").cast(dtype))
        result = fit(other.to_arrow() if arrow else other)
        assert_same(result, simple)
        assert result.tidy()["time"].iloc[0] == pd.Timestamp("2001-04-01")


def test_python_dates(df, simple):
    time, cohort = (c.dt.start_time for c in calendar(df, "2001-01-04", "M"))
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
    result = fit(df.assign(t=df["t"].map(days), g=cohort))
    assert_same(result, simple)
    assert result.tidy()["event_time"].max() == 2  # Monday 8 to Wednesday 10
    assert result.tidy()["event_time"].min() == -5  # Wednesday 10 back to Friday 5


def test_float_periods_come_back_as_floats(df, simple):
    result = fit(df.astype({"t": float}))
    assert result.tidy()["time"].dtype == float
    whole = fit(df.assign(t=df["t"].astype(object)))
    assert whole.tidy()["time"].dtype == int


@pytest.mark.parametrize("role", ["t", "g"])
def test_time_zones_are_refused(df, role):
    time, cohort = (c.dt.start_time for c in calendar(df, "2001-01-04", "M"))
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


def test_irregular_dates_are_refused(df):
    steps = {
        t: pd.Timestamp("2001-01-31") + pd.Timedelta(days=k)
        for t, k in zip(range(2001, 2006), (0, 28, 58, 89, 120), strict=True)
    }
    dates = df.assign(t=df["t"].map(steps), g=df["g"].map(steps))
    refusal(dates, "tname 't'", "no regular frequency", "2001-01-31, 2001-02-28", "to_period")


def test_dates_of_treatment_must_be_on_the_calendar_of_time(df):
    time, cohort = (c.dt.start_time for c in calendar(df, "2001-01-04", "Y"))
    exact = cohort.mask(cohort == pd.Timestamp("2003-01-01"), pd.Timestamp("2003-04-17"))
    n = int((df["g"] == 2003).sum())
    refusal(df.assign(t=time, g=exact), "gname 'g'", f"{n} rows", "2003-04-17", "to_period('Y')")
    never = cohort.astype("datetime64[s]").fillna(pd.Timestamp("9999-12-31"))
    refusal(df.assign(t=time, g=never), "9999-12-31", "NaT for never-treated")
    periods = df.assign(t=time.dt.to_period("Y"), g=exact.dt.to_period("Y"))
    assert_same(fit(periods), fit(df))


def test_time_and_cohort_must_be_of_one_kind(df):
    time, cohort = calendar(df, "2001-01-04", "M")
    refusal(df.assign(t=time), "'t' (period[M])", "'g' (int64)", "one kind")
    refusal(df.assign(t=time, g=cohort.dt.start_time), "one kind")
    refusal(df.assign(t=time, g=calendar(df, "2001", "Q")[1]), "one frequency", "period[Q-DEC]")
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


# ---- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [[5], [3, 3, 3], [9, 7, 8, 7], [0, 1, 2, 1], [-4, 10, -4], [2**62, -(2**62), 0, 0], [10**9, 1]],
)
def test_distinct(values):
    values = np.array(values)
    labels, codes = distinct(values)
    want, inverse = np.unique(values, return_inverse=True)
    assert labels.tolist() == want.tolist()
    assert codes.tolist() == inverse.tolist()
    assert not np.shares_memory(codes, values)


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        ([3, 1, 3], [1, 3], [1, 0, 1]),
        ([1.5, np.nan, np.inf, 0.5], [0.5, 1.5], [1, -1, -1, 0]),
        ([2.0, np.nan, -1.0], [-1, 2], [1, -1, 0]),
        (["b", None, "a"], ["a", "b"], [1, -1, 0]),
        (pd.Categorical(["b", None, "a"], categories=["c", "b", "a"]), ["a", "b"], [1, -1, 0]),
        (pd.Categorical([2, 1, 2]), [1, 2], [1, 0, 1]),
        (pd.array([2, None, 1], dtype="Int64"), [1, 2], [1, -1, 0]),
        ([True, False, True], [False, True], [1, 0, 1]),
        ([None, None], [], [-1, -1]),
        ([np.nan, np.inf], [], [-1, -1]),
        (np.array([2**2000, decimal.Decimal("Infinity")], dtype=object), [2**2000], [0, -1]),
        (np.array([2, "a", 1.0, np.inf, None], dtype=object), [1.0, 2, "a"], [1, 2, 0, -1, -1]),
    ],
)
def test_codes_follow_sorted_labels(values, labels, codes):
    coded = as_codes(pd.Series(values, name="c"), "cluster")
    assert coded.labels.tolist() == labels
    assert coded.codes.tolist() == codes
    assert coded.codes.dtype == np.int64


def test_labels_must_be_hashable(df):
    refusal(df.assign(cl=[[1, h] for h in df["cl"]]), "cluster 'cl'", "cannot be labels", "[1, 1]")
    refusal(where(df, [7], "id", {}), "idname 'id'", "cannot be labels", "such as {}")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["1", "2"], "'1', '2'"),
        (pd.array(["a", None], dtype="string"), "'a'"),
        (np.array([1, "x"], dtype=object), "'x' (row 1)"),
        (pd.to_datetime(["2001-01-01"]), "Timestamp"),
        (pd.to_timedelta([1], unit="D"), "Timedelta"),
        (np.array([datetime.date(2001, 1, 1)], dtype=object), "datetime.date(2001, 1, 1)"),
        ([1 + 2j], "(1+2j)"),
        (np.array([np.timedelta64(1, "D")], dtype=object), "timedelta64"),
        (np.array([np.ones(2), None], dtype=object), "array"),
        (pd.Categorical(["a", "b"]), "'a'"),
    ],
)
def test_other_values_are_no_numbers(values, shown):
    with pytest.raises(DataError, match="yname 'y' is not numeric") as caught:
        as_float(pd.Series(values, name="y"), "yname")
    assert shown in str(caught.value)


def test_numbers_too_large_for_floats_are_infinite():
    column = pd.Series([10**400, -(10**400), decimal.Decimal("1e999"), 1], dtype=object)
    assert as_float(column, "yname").tolist() == [np.inf, -np.inf, np.inf, 1.0]


def test_reading_copies_nothing(df):
    columns = read_columns(df, {"y": "yname", "id": "idname"})
    assert np.shares_memory(columns["y"].to_numpy(), df["y"].to_numpy())
    assert list(columns["id"].index) == list(range(len(df)))


def test_results_do_not_depend_on_the_frame_afterwards(df):
    mine = df.copy()
    for name in ("y", "w"):
        mine[name] = np.array(mine[name])
    result = fit(mine, **COVARIATES)
    before = numbers(result._with_vcov("analytic"))
    for name in ("y", "w", "id", "t", "g", "cl", "x1"):
        values = mine[name].to_numpy()
        values.flags.writeable = True
        values[:] = 7
    pd.testing.assert_frame_equal(numbers(result._with_vcov("analytic")), before)
    pd.testing.assert_frame_equal(numbers(result), numbers(fit(df, **COVARIATES)))
