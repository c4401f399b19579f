"""Tables of pandas, polars and pyarrow give the results of the plain one."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import COVARIATES, assert_close, assert_same, fit, numbers, panel, refusal, where

import didjack
from didjack.data.frames import read_columns

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

ROLES = {"y": "float", "t": "int", "g": "int", "id": "int", "cl": "int", "w": "float"}
ROLES |= {"x1": "float", "x2": "int"}


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def plain(df):
    return fit(df, **COVARIATES)


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


def test_whole_decimals_keep_their_digits(df, plain):
    table = pl.from_pandas(df).with_columns(pl.col("id", "cl").cast(pl.Decimal(38, 0)))
    assert_same(fit(table, **COVARIATES), plain)
    assert_same(fit(table.with_columns(pl.col("id", "cl") + 2**60), **COVARIATES), plain)
    refusal(
        table.with_columns(pl.col("id") + 2**70), "idname 'id' holds whole numbers of more than"
    )


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


def test_reading_copies_nothing(df):
    columns = read_columns(df, {"y": "yname", "id": "idname"})
    assert np.shares_memory(columns["y"].to_numpy(), df["y"].to_numpy())
    assert list(columns["id"].index) == list(range(len(df)))


def test_results_do_not_depend_on_the_frame_afterwards(df):
    mine = df.copy()
    for name in ("y", "w"):
        mine[name] = np.array(mine[name])
    result = fit(mine, **COVARIATES)
    before = numbers(result.with_options(vcov="analytic"))
    for name in ("y", "w", "id", "t", "g", "cl", "x1"):
        values = mine[name].to_numpy()
        values.flags.writeable = True
        values[:] = 7
    pd.testing.assert_frame_equal(numbers(result.with_options(vcov="analytic")), before)
    pd.testing.assert_frame_equal(numbers(result), numbers(fit(df, **COVARIATES)))


@pytest.mark.parametrize("role", ROLES)
def test_dictionaries_of_pyarrow(df, plain, role):
    encoded = pa.chunked_array([pa.array(df[role]).dictionary_encode()])
    column = pd.Series(pd.arrays.ArrowExtensionArray(encoded))
    assert_same(fit(df.assign(**{role: column}), **COVARIATES), plain)
    table = pa.Table.from_pandas(df)
    other = table.set_column(table.column_names.index(role), role, encoded)
    assert_same(fit(other, **COVARIATES), plain)


@pytest.mark.parametrize("role", ["id", "cl"])
def test_dictionaries_of_text_or_with_missing_values(df, plain, role):
    text = pa.array(df[role].astype(str).str.zfill(5)).dictionary_encode()
    column = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([text])))
    assert_same(fit(df.assign(**{role: column}), **COVARIATES), plain)
    gone = pa.array([None, *df[role][1:]]).dictionary_encode()
    column = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([gone])))
    floats = where(df.assign(**{role: df[role] * 1.0}), [0], role, np.nan)
    with pytest.warns(didjack.SampleWarning):
        assert_same(fit(df.assign(**{role: column}), **COVARIATES), fit(floats, **COVARIATES))


@pytest.mark.parametrize("role", ["id", "cl", "x2"])
def test_decimals_of_negative_scale(df, role):
    hundreds = df[role] * 100
    want = fit(df.assign(**{role: hundreds}), **COVARIATES)
    decimals = pa.array([decimal.Decimal(int(v)) for v in hundreds], pa.decimal128(12, -2))
    table = pa.Table.from_pandas(df)
    other = table.set_column(table.column_names.index(role), role, decimals)
    assert_same(fit(other, **COVARIATES), want)
    column = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([decimals])))
    assert_same(fit(df.assign(**{role: column}), **COVARIATES), want)
    digits = pa.py_buffer((10**10).to_bytes(16, "little") * len(df))
    far = pa.Array.from_buffers(pa.decimal128(20, -50), len(df), [None, digits])
    other = table.set_column(table.column_names.index(role), role, far)
    assert f"column {role!r} of type decimal128(20, -50) cannot be read as" in refusal(
        other, **COVARIATES
    )


@pytest.mark.parametrize("role", ["id", "cl"])
def test_labels_that_are_decimals_keep_all_digits(df, plain, role):
    labels = [decimal.Decimal(10**16 + v) + decimal.Decimal("0.25") for v in df[role]]
    table = pa.Table.from_pandas(df.drop(columns=role))
    table = table.append_column(role, pa.array(labels, pa.decimal128(20, 2)))
    for other in (table, pl.from_arrow(table)):
        assert_same(fit(other, **COVARIATES), plain)


def test_text_of_arrow_that_is_not_utf_8_is_refused():
    """Files may hold it; pyarrow raised errors of its own, wherever it was used."""
    df = didjack.simulate.panel(n_clusters=8, cluster_size=3, n_periods=3)
    foreign = pa.chunked_array([pa.array([b"\xe9"] * len(df), pa.binary()).view(pa.string())])
    table = pa.Table.from_pandas(df).drop_columns("cluster").append_column("cluster", foreign)
    frame = df.assign(cluster=pd.arrays.ArrowExtensionArray(foreign))
    for one in (table, frame):
        with pytest.raises(
            didjack.DataError, match="'cluster' contains strings that are not UTF-8"
        ):
            didjack.csdid(one, "y", "period", "cohort", "id", cluster="cluster")


def test_times_of_day_with_nanoseconds_would_merge():
    df = pl.from_pandas(panel()).with_columns(cl=(pl.col("id") % 7).cast(pl.Time))
    with pytest.raises(didjack.DataError, match="cluster 'cl' holds times of day with nanosec"):
        fit(df)
    micro = pl.from_pandas(panel()).with_columns(cl=(pl.col("id") % 7 * 1000).cast(pl.Time))
    assert len(fit(micro).clusters()) == 7
