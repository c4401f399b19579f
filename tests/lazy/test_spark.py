"""Spark, as two local threads: partitions, a task that fails, and what is in memory."""

import shutil
import sys

import pytest
from conftest import reference_cases
from lazy_tables import assert_alike, refused
from small_panels import NAMES, panel, where

import didjack

sql = pytest.importorskip("pyspark.sql", reason="the extra 'spark' is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::didjack.DidjackWarning", "ignore::FutureWarning"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]

CASES = (
    "rcs-dr-x2-never-var-a0-w",
    "panel-dr-x2-never-var-a0-w",
    "panel_unbalanced-reg-x2-never-var-a0-w-unb",
)


@pytest.fixture(scope="module")
def spark():
    """One session, in which a task may fail three times."""
    environment = pytest.MonkeyPatch()
    environment.setenv("PYSPARK_PYTHON", sys.executable)  # its workers are to be of this Python
    session = (
        sql.SparkSession.builder.master("local[2,4]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "3")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    environment.undo()


@pytest.mark.parametrize("name", CASES)
def test_reference_cases(spark, data, name):
    case = reference_cases()[name]
    df = data(case["data"])
    table = spark.createDataFrame(df).repartition(3)  # the rows of each cluster are spread
    lazy = didjack.csdid(table, **case["options"])
    assert_alike(didjack.csdid(df, **case["options"]), lazy)


def test_ledger_and_missing_values(spark):
    df = where(panel(), [3, 4], "y", float("nan"))[:-2]
    df["g"] = df["g"].mask(df["id"] == 9, 2001)
    options = NAMES | {"xformla": "~ x2", "est_method": "reg"}
    lazy = didjack.csdid(spark.createDataFrame(df), **options)
    assert_alike(didjack.csdid(df, **options), lazy)


def test_a_task_that_fails_is_tried_again(spark, tmp_path):
    df, tried = panel(), str(tmp_path / "tried")

    def unreliable(frames):
        from pathlib import Path

        from pyspark import TaskContext

        context = TaskContext.get()
        if context.partitionId() == 1 and context.attemptNumber() == 0:
            Path(tried).touch()
            raise RuntimeError("a machine is gone")
        yield from frames

    table = spark.createDataFrame(df).repartition(3)
    table = table.mapInPandas(unreliable, schema=table.schema)
    options = NAMES | {"xformla": "~ x2", "est_method": "reg"}
    assert_alike(didjack.csdid(df, **options), didjack.csdid(table, **options))
    assert (tmp_path / "tried").exists()


def test_columns_that_fail_when_they_are_read(spark):
    df = panel().assign(y=lambda d: d["y"].astype(str).where(d["id"] != 48, "none"))
    table = spark.createDataFrame(df)
    table = table.withColumn("y", table["y"].cast("double"))
    message = refused(table, **NAMES)
    assert message.startswith("pyspark could not read its first rows: ")
    assert "CAST_INVALID_INPUT" in message
