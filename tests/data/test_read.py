"""Missing values, and codes of never-treated units, in many ways."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from small_panels import COVARIATES, assert_same, fit, panel, quiet_fit, refusal, where

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

ROLES = {"y": "float", "t": "int", "g": "int", "id": "int", "cl": "int", "w": "float"}
ROLES |= {"x1": "float", "x2": "int"}


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def simple(df):
    return fit(df)


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
