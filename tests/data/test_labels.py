"""Units and clusters may have any labels."""

import decimal

import numpy as np
import pandas as pd
import pytest
from small_panels import COVARIATES, assert_close, assert_same, fit, panel, refusal, where

from didjack.data.labels import as_codes, distinct

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def plain(df):
    return fit(df, **COVARIATES)


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
        (pd.Series([2**1000, decimal.Decimal("Infinity")], dtype=object), [2**1000], [0, -1]),
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


@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="no long doubles")
@pytest.mark.parametrize("role", ["id", "cl"])
def test_long_doubles_are_labels_if_floats_tell_them_apart(df, plain, role):
    long = df[role].astype(np.longdouble)
    assert_same(fit(df.assign(**{role: long}), **COVARIATES), plain)
    message = refusal(df.assign(**{role: long + np.longdouble(2) ** 60}))
    assert "labels that 64-bit floats cannot distinguish: " in message
