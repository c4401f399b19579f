"""Ibis, with DuckDB behind it."""

import numpy as np
import pytest
from conftest import reference_cases
from lazy_tables import CROSS_SECTIONS, assert_alike, assert_same_answer, refused
from small_panels import COVARIATES, NAMES, panel, where

import didjack

ibis = pytest.importorskip("ibis", reason="ibis is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

CASES = (
    "panel-dr-x2-notye-uni-a0-w",
    "panel_unbalanced-reg-x2-never-var-a0-w-unb",
    "rcs-ipw-x2-never-var-a0-w",
)


@pytest.fixture
def table(tmp_path):
    """Make tables of Ibis from files."""

    def make(df):
        df.to_parquet(tmp_path / "a.parquet")
        return ibis.duckdb.connect().read_parquet(tmp_path / "a.parquet")

    return make


@pytest.mark.parametrize("name", CASES)
def test_reference_cases(table, data, name):
    case = reference_cases()[name]
    df = data(case["data"])
    lazy = didjack.csdid(table(df), **case["options"])
    assert_alike(didjack.csdid(df, **case["options"]), lazy)


@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
def test_ledger_and_missing_values(table, sample):
    df = where(panel(), [3, 4], "y", np.nan)[:-2]
    df["g"] = df["g"].mask(df["id"] == 9, 2001)
    df = where(where(df, [30, 31], "x2", np.nan), [60], "cl", np.nan)
    options = NAMES | COVARIATES | {"est_method": "reg"}
    assert_same_answer(df, table(df), **options | sample)


def test_columns_made_in_ibis(table):
    df = panel()
    lazy = table(df).filter(ibis._.id != 5).mutate(z=ibis._.x1.round())
    memory = df[df["id"] != 5].assign(z=df["x1"].round())
    assert_same_answer(memory, lazy, **NAMES, xformla="~ z", est_method="reg")


def test_columns_that_fail_when_they_are_read(table):
    df = panel().assign(y=lambda d: d["y"].astype(str).where(d["id"] != 48, "none"))
    lazy = table(df).mutate(y=ibis._.y.cast("float64"))
    message = refused(lazy, **NAMES)
    assert message.startswith("ibis could not read its first rows: Conversion Error: ")
    assert "'none'" in message


def test_files_that_are_gone(table, tmp_path):
    lazy = table(panel())
    (tmp_path / "a.parquet").unlink()
    assert refused(lazy, **NAMES).startswith("ibis could not read its first rows: IO Error: ")


@pytest.mark.parametrize(("collation", "other"), [("NOCASE", "'A'"), ("NOACCENT", "'á'")])
@pytest.mark.parametrize("default", [True, False])
def test_text_under_a_collation(collation, other, default):
    df = panel().assign(cl=lambda d: d["cl"].astype(str))
    connection = ibis.duckdb.connect()
    connection.con.register("df", df)
    clause = "" if default else f" COLLATE {collation}"
    connection.raw_sql(f"CREATE VIEW v AS SELECT * REPLACE (cl{clause} AS cl) FROM df")
    if default:
        assert_alike(didjack.csdid(df, **NAMES), didjack.csdid(connection.table("v"), **NAMES))
        connection.raw_sql(f"SET default_collation = '{collation}'")
    message = refused(connection.table("v"), **NAMES)
    assert message.startswith(
        "cluster 'cl' has a collation under which ibis treats 'a' and " + other
    )
    collected = didjack.csdid(connection.table("v"), **NAMES, collect=True)
    assert_alike(didjack.csdid(df, **NAMES), collected)
