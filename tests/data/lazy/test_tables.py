"""Engines that fail, tables that change, how often a table is read, and what is left of it."""

import os
import pickle
import re

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from lazy_tables import CROSS_SECTIONS, ENGINES, assert_alike, assert_close, noted_queries, refused
from small_panels import COVARIATES, NAMES, panel, where

import didjack

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

BY_ENGINE = pytest.mark.parametrize("engine", ENGINES)
FEW = NAMES | {"xformla": "~ x2"}


@pytest.fixture
def queries(monkeypatch):
    """What engines were asked for."""
    return noted_queries(monkeypatch)


START = ["read its first rows", "group its rows"]
PANEL = [*START, "check its units"]


def odd(df):
    """Rules 1, 2, 4 and 5 all find something."""
    g = df["g"].mask(df["id"] <= 2, 2001).mask(df["id"] == 4, 2009)
    return where(df.assign(g=g), [30], "y", np.nan)[:-5].drop(index=[100, 140])


@BY_ENGINE
def test_queries_where_nothing_is_odd(engine, queries):
    table = ENGINES[engine](panel())
    didjack.csdid(table, **FEW, est_method="dr")
    assert queries == PANEL
    queries.clear()
    didjack.csdid(table, **FEW | CROSS_SECTIONS)
    assert queries == START


@BY_ENGINE
@pytest.mark.parametrize("unbalanced", [False, True])
def test_at_most_four_queries(engine, unbalanced, queries):
    df, options = odd(panel()), FEW | {"allow_unbalanced_panel": unbalanced}
    lazy = didjack.csdid(ENGINES[engine](df), **options)
    assert queries == [*PANEL, "group its rows again"]
    assert [rule[0] for rule in lazy.sample["rule"]] == ["1", "2", "4", "5", "6"]
    assert lazy.sample["examples"][:4].all()
    assert_alike(didjack.csdid(df, **options), lazy)


@BY_ENGINE
def test_units_of_all_rules_are_found_at_once(engine, queries):
    df = panel().assign(g=lambda d: d["g"].mask(d["id"] <= 2, 2001).mask(d["id"] == 4, 2009))
    df = where(df, range(25, 30), "y", np.nan)
    lazy = didjack.csdid(ENGINES[engine](df), **FEW)
    assert queries == [*PANEL, "find the first units of each rule"]
    assert_alike(didjack.csdid(df, **FEW), lazy)


@BY_ENGINE
def test_rows_without_a_unit(engine):
    df = where(panel(), range(25, 30), "id", np.nan)
    assert_alike(didjack.csdid(df, **FEW), didjack.csdid(ENGINES[engine](df), **FEW))


@BY_ENGINE
def test_nobody_is_seen_in_all_periods(engine, queries):
    df = where(panel(), [3], "y", np.nan)
    df = df[df["t"] != 2001 + df["id"] % 5]
    refused(ENGINES[engine](df), **FEW)
    assert len(queries) == 4


@BY_ENGINE
@pytest.mark.parametrize("column", ["y", "t", "g", "id", "cl", "w", "x2"])
def test_columns_that_fail_when_they_are_read(engine, column):
    text = panel()[column].astype(str).where(panel()["id"] != 48, "none")
    table = ENGINES[engine](panel().assign(**{column: text}))
    if engine == "polars":
        table = table.with_columns(pl.col(column).cast(pl.Float64))
    else:
        table = table.select(f"* REPLACE (CAST({column} AS DOUBLE) AS {column})")
    message = refused(table, **FEW, weightsname="w")
    assert message.startswith(f"{engine} could not read its first rows: ")
    assert "none" in message
    assert re.search(rf"column '?{column}\b", message)


@BY_ENGINE
def test_columns_that_fail_beyond_the_first_rows(engine, monkeypatch):
    monkeypatch.setattr("didjack.data.lazy.lazy_sample._ROWS", 50)
    df = panel().assign(x2=lambda d: d["x2"].astype(str).where(d["id"] != 48, "none"))
    table = ENGINES[engine](df)
    if engine == "polars":
        table = table.with_columns(pl.col("x2").cast(pl.Float64))
    else:
        table = table.select("* REPLACE (CAST(x2 AS DOUBLE) AS x2)")
    assert refused(table, **FEW).startswith(f"{engine} could not ")


@BY_ENGINE
def test_files_that_are_gone(engine, tmp_path):
    path = tmp_path / "a.parquet"
    panel().to_parquet(path)
    table = didjack.scan(path, engine=engine)
    path.unlink()
    assert refused(table, **FEW).startswith(f"{engine} could not ")


@pytest.fixture
def connection():
    connection = duckdb.connect()
    connection.register("df", panel())
    connection.execute("CREATE TABLE a AS SELECT * FROM df")
    return connection


CLOSED = {
    "dropped": ("DROP TABLE a", "Catalog Error: Table with name a does not exist"),
    "no right to read": ("SET enable_external_access = false", "Permission Error: Cannot access"),
    "renamed": ("ALTER TABLE a RENAME COLUMN y TO z", 'Binder Error: Referenced column "y" not'),
}


@pytest.mark.parametrize("reason", CLOSED)
def test_views_of_what_cannot_be_read(connection, reason, tmp_path):
    change, message = CLOSED[reason]
    source = "a"
    if "external" in change:
        panel().to_parquet(tmp_path / "a.parquet")
        source = f"'{tmp_path / 'a.parquet'}'"
    connection.execute(f"CREATE VIEW v AS SELECT id, cl, t, g, y, x2 FROM {source}")
    view = connection.table("v")
    connection.execute(change)
    found = refused(view, **FEW)
    assert found.startswith("duckdb could not list its columns: ")
    assert message in found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
@BY_ENGINE
def test_files_without_permission(engine, tmp_path):
    path = tmp_path / "a.parquet"
    panel().to_parquet(path)
    table = didjack.scan(path, engine=engine)
    path.chmod(0)
    message = refused(table, **FEW)
    assert message.startswith(f"{engine} could not ")
    assert "ermission" in message


def test_connections_that_are_closed(connection):
    table = connection.table("a")
    connection.close()
    assert "could not list its columns: Connection Error: " in refused(table, **FEW)


@BY_ENGINE
@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
def test_tables_without_rows(engine, sample):
    assert refused(ENGINES[engine](panel()[:0]), **FEW | sample) == "data has no rows"


@BY_ENGINE
def test_empty_partitions(engine, tmp_path):
    df = panel()
    df[:0].to_parquet(tmp_path / "a.parquet")
    df[:100].to_parquet(tmp_path / "b.parquet")
    df[100:].to_parquet(tmp_path / "c.parquet")
    lazy = didjack.csdid(didjack.scan(tmp_path, engine=engine), **FEW)
    assert_alike(didjack.csdid(df, **FEW), lazy)


@BY_ENGINE
def test_nothing_of_the_table_is_left(engine):
    df = panel()
    table = ENGINES[engine](df)
    result = didjack.csdid(table, **FEW)
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.tidy(), result.tidy())
    assert_alike(didjack.csdid(df, **FEW), didjack.csdid(table, **FEW))  # read from, not changed


def test_nothing_is_written_to_a_database(tmp_path):
    path = str(tmp_path / "a.duckdb")
    with duckdb.connect(path) as connection:
        connection.register("df", panel())
        connection.execute("CREATE TABLE a AS SELECT * FROM df")
    connection = duckdb.connect(path, read_only=True)
    assert didjack.csdid(connection.table("a"), **FEW).nobs == 240
    assert connection.sql("SHOW TABLES").fetchall() == [("a",)]


@pytest.mark.slow
@BY_ENGINE
@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
def test_what_comes_after_estimation(engine, sample):
    df = panel()
    options = FEW | sample | {"est_method": "reg"}
    memory, lazy = (didjack.csdid(d, **options) for d in (df, ENGINES[engine](df)))
    a, b = memory.aggregate("simple"), lazy.aggregate("simple")
    one, other = (average.randomization_test(n_permutations=20) for average in (a, b))
    np.testing.assert_allclose(
        list(one.to_dict().values()), list(other.to_dict().values()), rtol=1e-8
    )
    assert_close(*(x.vcov("analytic") for x in (memory, lazy)))
    table = lazy.compare_vcov()
    assert "analytic" not in table.index  # that of units
    left = memory.compare_vcov().loc[table.index]
    np.testing.assert_allclose(left["std_error"], table["std_error"], rtol=1e-8)


@BY_ENGINE
def test_units_that_are_clusters_come_into_memory(engine, monkeypatch):
    df, options = panel(), NAMES | {"cluster": None, "xformla": "~ x1"}
    assert_alike(didjack.csdid(df, **options), didjack.csdid(ENGINES[engine](df), **options))
    monkeypatch.setattr("didjack.data.lazy.used.MOST_ROWS", 100)
    message = refused(ENGINES[engine](df), **options)
    assert "units that are clusters of their own cannot be put together" in message
    assert "use collect=True, which brings 240 rows of 5 columns, about 9.6e-06 GB," in message


@BY_ENGINE
def test_too_many_patterns(engine, monkeypatch):
    monkeypatch.setattr("didjack.data.lazy.used.MOST_ROWS", 100)
    message = refused(ENGINES[engine](panel()), **NAMES, xformla="~ x1")
    assert "more than 100 different rows in cl, g, t, x1" in message
    assert "use collect=True, which brings 240 rows of 6 columns" in message


def test_many_different_rows_are_noticed_on_the_first_ones(monkeypatch, queries):
    monkeypatch.setattr("didjack.data.lazy.lazy_sample._ROWS", 200)
    monkeypatch.setattr("didjack.data.lazy.used.MOST_ROWS", 200)
    assert "different rows in" in refused(ENGINES["polars"](panel()), **NAMES, xformla="~ x1")
    assert "group its rows" not in queries


@BY_ENGINE
def test_first_rows_that_differ_may_be_like_others(engine, monkeypatch, queries):
    monkeypatch.setattr("didjack.data.lazy.lazy_sample._ROWS", 200)
    monkeypatch.setattr("didjack.data.lazy.used.MOST_ROWS", 300)
    df, options = pd.concat([panel()] * 8), NAMES | {"panel": False, "idname": None}
    lazy = didjack.csdid(ENGINES[engine](df), **options, xformla="~ x1")
    assert queries == START
    assert_alike(didjack.csdid(df, **options, xformla="~ x1"), lazy, named=False)


def test_progress_says_what_is_brought_into_memory(capsys):
    table = ENGINES["polars"](panel())
    didjack.csdid(table, **FEW, collect=True, progress=True)
    assert "didjack brings 240 rows of 6 columns, about" in capsys.readouterr().err


@BY_ENGINE
def test_names_with_dots(engine):
    options = {option: f"the.{name}" for option, name in NAMES.items()}
    options |= {"weightsname": "the.w", "xformla": "~ `the.x1`"}
    df = odd(panel()).rename(columns="the.{}".format)
    memory, lazy = (didjack.csdid(d, **options) for d in (df, ENGINES[engine](df)))
    assert_alike(memory, lazy)
    twice = pd.concat([df, df[10:12]])
    assert "the.id" in refused(twice, **options)
    assert "the.id" in refused(ENGINES[engine](twice), **options)


def test_collect_is_a_flag():
    assert refused(panel(), **NAMES, collect="yes").startswith("collect must be True or False")


def test_scan_says_what_it_takes(tmp_path):
    for path in (3, "", "a.xlsx"):
        with pytest.raises(didjack.OptionError, match="path must be"):
            didjack.scan(path)
    with pytest.raises(didjack.OptionError, match=r"engine must be .* got 'spark'"):
        didjack.scan("a.parquet", engine="spark")
    with pytest.raises(didjack.DataError, match="duckdb could not read"):
        didjack.scan(tmp_path / "a.parquet")


@BY_ENGINE
def test_scan_reads_csv(engine, tmp_path):
    df = panel()
    df.to_csv(tmp_path / "a.csv", index=False)
    assert_alike(
        didjack.csdid(df, **NAMES | COVARIATES),
        didjack.csdid(didjack.scan(tmp_path / "a.csv", engine=engine), **NAMES | COVARIATES),
    )
