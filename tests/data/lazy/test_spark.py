"""Spark, as two local threads: partitions, a task that fails, and what is in memory."""

import shutil
import sys

import numpy as np
import pytest
from conftest import reference_cases
from lazy_tables import CROSS_SECTIONS, assert_alike, assert_same_answer, refused
from small_panels import NAMES, panel, where

import didjack

sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")

pytestmark = [
    pytest.mark.slow,  # Spark takes seconds to start, and more for each query
    pytest.mark.filterwarnings("ignore::didjack.DidjackWarning", "ignore::FutureWarning"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]

FEW = NAMES | {"xformla": "~ x2", "est_method": "reg"}

CASES = (
    "mpdta-dr-x1-notye-var-a0",
    "panel-dr-x2-notye-uni-a0-w",
    "panel-reg-x2-notye-var-a1",
    "panel_unbalanced-reg-x2-never-var-a0-w-unb",
    "panel_no_never-ipw-x2-notye-var-a0",
    "rcs-dr-x2-never-var-a0-w",
    "rcs-reg-x2-notye-var-a0",
    "rcs-ipw-x2-never-uni-a0",
)
"""Both samples and comparison groups, weights, a universal base, anticipation."""

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Tables are small: what makes large ones fast is left out.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


@pytest.fixture(scope="module")
def spark():
    """One session, in which a task may fail three times."""
    environment = pytest.MonkeyPatch()
    environment.setenv("PYSPARK_PYTHON", sys.executable)  # its workers are to be of this Python
    session = sql.SparkSession.builder.master("local[2,4]").config(map=SETTINGS).getOrCreate()
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


def test_partitions_without_rows(spark):
    table = spark.createDataFrame(panel()).repartition(7, "t")  # of 5 periods
    assert_same_answer(panel(), table, **FEW)


@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
def test_ledger_and_missing_values(spark, sample):
    df = where(panel(), [3, 4], "y", np.nan)[:-2]
    df["g"] = df["g"].mask(df["id"] == 9, 2001)
    df = where(where(df, [30, 31], "x2", np.nan), [60], "cl", np.nan)
    assert_same_answer(df, spark.createDataFrame(df), **FEW | sample)


def test_small_numbers_and_decimals(spark):
    df = panel().assign(y=lambda d: (20 * d["y"]).round(), w=lambda d: (60 * d["w"]).round())
    table = spark.createDataFrame(df).selectExpr(
        "CAST(y AS TINYINT) y", "CAST(w AS TINYINT) w", "CAST(x2 AS DECIMAL(5, 2)) x2",
        "CAST(id AS DECIMAL(20, 0)) id", "CAST(cl AS SMALLINT) cl", "t", "g",
    )  # fmt: skip
    assert_same_answer(df.astype({"id": float}), table, **FEW, weightsname="w")


def test_names_that_stand_for_something_else(spark):
    df = panel().rename(columns={"g": "first.treat"})
    message = refused(spark.createDataFrame(df), **FEW | {"gname": "first.treat"})
    assert message.startswith("gname 'first.treat': pyspark gives a part of this name another")


def test_a_task_that_fails_is_tried_again(spark, tmp_path):
    df, attempts = panel(), str(tmp_path)

    def unreliable(frames):
        from pathlib import Path

        from pyspark import TaskContext

        context = TaskContext.get()
        if context.partitionId() == 1:
            Path(attempts, str(context.attemptNumber())).touch()
            if context.attemptNumber() == 0:
                raise RuntimeError("a machine is gone")
        yield from frames

    table = spark.createDataFrame(df).repartition(3)
    table = table.mapInPandas(unreliable, schema=table.schema)
    assert_same_answer(df, table, **FEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_a_task_that_always_fails(spark):
    table = spark.createDataFrame(panel())
    table = table.selectExpr("*", "IF(id = 48, raise_error('a machine is gone'), 1.0) v")
    message = refused(table, **FEW | {"xformla": "~ x2 + v"})
    assert message.startswith("pyspark could not read its first rows: ")
    assert "a machine is gone" in message


def test_columns_that_fail_when_they_are_read(spark):
    df = panel().assign(y=lambda d: d["y"].astype(str).where(d["id"] != 48, "none"))
    table = spark.createDataFrame(df)
    table = table.withColumn("y", table["y"].cast("double"))
    message = refused(table, **FEW)
    assert message.startswith("pyspark could not read its first rows: ")
    assert "CAST_INVALID_INPUT" in message
