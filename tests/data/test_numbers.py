"""Every way to store numbers gives the results of the plain one."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_panels import (
    COVARIATES,
    assert_same,
    fit,
    panel,
)

from didjack import DataError
from didjack.data.numbers import as_float

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def plain(df):
    return fit(df, **COVARIATES)


def decimals(column):
    return column.map(lambda value: decimal.Decimal(repr(value))).astype(object)


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
