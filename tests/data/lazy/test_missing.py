"""Missing and non-finite values in each used column: numbers, ledger and warnings as in memory."""

import polars as pl
import pytest
from lazy_tables import CROSS_SECTIONS, ENGINES, assert_same_answer
from small_panels import COVARIATES, NAMES, panel

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

USED = ["y", "t", "g", "id", "cl", "w", "x1", "x2"]
SAMPLES = {"panel": {}, "repeated": CROSS_SECTIONS}


def table(dtype):
    """Columns of one type, as far as whole numbers go."""
    df = pl.from_pandas(panel()).select(USED).with_columns(pl.col("x1").round())
    whole = pl.all() if dtype.is_float() else pl.exclude("y", "w")
    return df.with_columns(whole.cast(dtype))


def without(df, name, value):
    """Leave out three values of a column; of cohorts all that are never-treated."""
    place = pl.int_range(pl.len())
    rows = pl.col("g") == 0 if name == "g" else place.is_in([3 + 9 * USED.index(name), 70, 71])
    kept = pl.when(~rows).then(pl.col(name))
    return df.with_columns(kept.otherwise(pl.lit(value, dtype=df.schema[name])).alias(name))


def check(df, turn, sample):
    """Engines take turns."""
    lazy = list(ENGINES.values())[turn % 2](df)
    options = NAMES | COVARIATES | {"est_method": "reg"}
    assert_same_answer(df, lazy, **options | SAMPLES[sample])


@pytest.mark.thin(2)
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", USED)
def test_one_column(name, sample):
    """Nulls of whole numbers, and nulls, NaN and inf of floats."""
    turn = USED.index(name) + (sample == "panel")
    check(without(table(pl.Int32), name, None), turn, sample)
    value = [float("nan"), float("inf"), None][turn % 3]
    check(without(table(pl.Float64), name, value), turn + 1, sample)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("turn", [0, 1])
def test_all_columns_at_once(turn, sample):
    df = table(pl.Float64)
    for name in USED:
        df = without(df, name, [None, float("nan")][turn])
    check(df, turn, sample)


@pytest.mark.parametrize("turn", [0, 1])
def test_cohorts_that_are_missing_and_coded(turn):
    df = table(pl.Int64).with_columns(pl.when(pl.col("id") != 7).then(pl.col("g")))
    check(df, turn, "panel")  # the same error
