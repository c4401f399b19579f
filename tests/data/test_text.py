"""Text among the numbers of a covariate."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from small_panels import assert_close, assert_same, fit, panel, quiet_fit, refusal, where

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    df = panel(cluster_size=8)
    return df.assign(z=df["id"] % 5)


USES = [
    "~ x1",
    "~ x2 + x1",
    "~ x1:x2",
    "~ np.log(x1)",
    "~ I(x1 + 1)",
    "~ bs(x1, df=3)",
    '~ Q("x1")',
]


@pytest.mark.parametrize("text", [*USES, "~ C(x1) + x1"])
def test_a_text_value_among_numbers(df, text):
    """It would turn the covariate into dummies, one for each value."""
    odd = where(df, [3, 9], "x1", "n/a")
    for frame in (odd, odd.assign(x1=odd["x1"].astype(str)), odd.astype({"x1": "string"})):
        refusal(
            frame,
            "covariate 'x1' is mostly numbers, but has strings: 2 rows",
            "first: 'n/a', 'n/a' (row 3)",
            "make it numeric, or write C(x1)",
            xformla=text,
        )


def test_rows_are_those_of_the_table(df):
    odd = where(where(where(df, [0], "y", np.nan), [1], "x1", None), [3], "x1", "abc")
    refusal(odd, "1 row; first: 'abc' (row 3)", xformla="~ x1")
    table = pl.from_pandas(df.assign(x1=[str(v) if i else "?" for i, v in enumerate(df["x1"])]))
    for frame in (table, table.to_arrow()):
        refusal(frame, "covariate 'x1' is mostly numbers", "'?' (row 0)", xformla="~ x1")


@pytest.mark.parametrize(
    "write", ["{:.3f}".format, " {} ".format, "{:e}".format, "{:,.2f}".format, "{:+}".format]
)
def test_numbers_as_text(df, write):
    text = df.assign(x1=(df["x1"] * 10000).map(write))
    n = f"{len(df)} rows; first: '"
    refusal(text, "covariate 'x1' holds numbers as strings", n, xformla="~ x1")
    some = df.assign(x1=[write(v) if i == 5 else v for i, v in enumerate(df["x1"])])
    refusal(some, "covariate 'x1' holds numbers as strings: 1 row", "(row 5)", xformla="~ x1")


def test_mixed_labels_of_numbers_and_text(df):
    mixed = df.assign(z=df["z"].map(lambda v: str(v) if v < 3 else v).astype(object))
    refusal(mixed, "covariate 'z' holds numbers as strings", "write C(z)", xformla="~ z")
    assert_same(fit(mixed, xformla="~ C(z)"), fit(df, xformla="~ C(z)"))
    odd = mixed.rename(columns={"z": "odd name"})
    refusal(odd, "write C(`odd name`)", xformla="~ `odd name`")
    assert_same(fit(odd, xformla="~ C(`odd name`)"), fit(df, xformla="~ C(z)"))


LABELS = {
    "codes": "{:03}".format,
    "names": ["a", "b", "c", "d", "e"].__getitem__,
    "bands": ["0", "1-9", "10-99", "100", "100+"].__getitem__,
    "nan": ["nan", "inf", "-", "", "none"].__getitem__,
    "mostly text": ["1", "2", "c", "d", "e"].__getitem__,
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_stand_for_dummies(df, kind):
    labels = df.assign(z=df["z"].map(LABELS[kind]))
    want = fit(df, xformla="~ C(z)", est_method="reg").tidy()["estimate"]
    for frame in (labels, labels.astype({"z": object}), pl.from_pandas(labels)):
        got = fit(frame, xformla="~ z", est_method="reg").tidy()["estimate"]
        np.testing.assert_allclose(got, want, rtol=1e-9)


def test_categories_are_labels_whatever_they_are(df):
    values = ["0.5", "1.5", "2.5", "x", "3.5"]
    text = df.assign(z=df["z"].map(values.__getitem__))
    refusal(text, "'x', 'x', 'x' (row", xformla="~ z")
    want = quiet_fit(text, xformla="~ C(z)")
    assert_same(quiet_fit(text.astype({"z": "category"}), xformla="~ z"), want)
    table = pl.from_pandas(text)
    for dtype in (pl.Categorical, pl.Enum(values)):
        coded = table.with_columns(pl.col("z").cast(dtype))
        got = quiet_fit(coded, xformla="~ z", est_method="reg").tidy()["estimate"]
        np.testing.assert_allclose(
            got, quiet_fit(text, xformla="~ C(z)", est_method="reg").tidy()["estimate"], rtol=1e-9
        )
    assert_close(quiet_fit(coded.to_arrow(), xformla="~ z"), quiet_fit(coded, xformla="~ z"))


def test_truth_values_and_missing_ones_are_no_text(df):
    for values in (df["x2"] > 0, pd.array(df["x2"], dtype="Int64"), df["x2"].astype(object)):
        assert_same(fit(df.assign(x2=values), xformla="~ x2"), fit(df, xformla="~ x2"))
