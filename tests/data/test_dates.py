"""Dates beyond the calendar: refused in every column that is used."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from lazy_tables import refused
from small_panels import assert_close, assert_same, fit, panel

TABLES = {
    "arrow": lambda table: table,
    "polars": pl.from_arrow,
    "lazy polars": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": lambda table: duckdb.connect().from_arrow(table),
    "pandas of arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
}
INFINITY = 2**31 - 1
ODD = {"infinity": INFINITY, "-infinity": -INFINITY, "year 300000": 108_849_000, "year 0": -719_163}
NAMES = {"yname": "y", "tname": "t", "gname": "g", "idname": "id", "cluster": "cl"}


def days(values):
    return pa.array(values, pa.int32()).cast(pa.date32())


def dated(first=2000, **columns):
    """Return a panel whose periods and cohorts are dates of years, with some other columns."""
    df = panel()
    year = {
        t: (dt.date(int(t) - 2000 + first, 1, 1) - dt.date(1970, 1, 1)).days
        for t in range(2000, 2011)
    }
    table = {name: pa.array(df[name]) for name in ("id", "cl", "y")}
    table |= {name: days([year.get(value) for value in df[name]]) for name in ("t", "g")}
    return pa.table(table | columns)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("column", ["t", "g", "cl", "id"])
def test_dates_beyond_the_calendar(kind, odd, column):
    table = dated()
    role = next(role for role, name in NAMES.items() if name == column)
    values = [ODD[odd]] + [10_000 + i % 7 for i in range(len(table) - 1)]
    if column in "tg":
        values = [ODD[odd], *table[column].cast(pa.int32()).to_pylist()[1:]]
    table = table.set_column(table.column_names.index(column), column, days(values))
    message = refused(TABLES[kind](table), **NAMES)
    assert message.startswith(f"{role} {column!r} has dates outside of the years 1 to 9999")
    assert ": 1 row" in message


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("kind", TABLES)
def test_times_beyond_the_calendar(kind, unit):
    second = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
    table = dated()
    stamps = [
        None if v is None else v * 86_400 * second for v in table["g"].cast(pa.int32()).to_pylist()
    ]
    stamps[0] = 253_402_300_800 * second  # the first second of the year 10000
    table = table.set_column(4, "g", pa.array(stamps, pa.timestamp(unit)))
    assert "gname 'g' has dates outside of" in refused(TABLES[kind](table), **NAMES)


@pytest.mark.parametrize("kind", [*TABLES, "objects"])
def test_all_dates_of_the_calendar_are_read(kind):
    want = fit(panel())
    make = TABLES.get(kind, lambda table: table.to_pandas(date_as_object=True))
    for first in (1700, 2250) if pd.__version__ < "3" else (1, 1500, 9989):
        assert_close(fit(make(dated(first))), want, tolerance=1e-9)


def test_dates_of_64_bits():
    table = dated()
    for name in ("t", "g"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.date64()))
    assert_same(fit(table), fit(dated()))


@pytest.mark.parametrize("odd", ["9999-12-31", "0001-01-01"])
def test_dates_that_stand_for_never(odd):
    table = dated()
    g = table["g"].to_pylist()
    g = [dt.date.fromisoformat(odd) if day is None else day for day in g]
    table = table.set_column(4, "g", pa.array(g))
    for kind in TABLES:
        assert "gname 'g'" in refused(TABLES[kind](table), **NAMES)


def test_objects_beyond_the_calendar():
    df = dated().to_pandas(date_as_object=True)
    df["cl"] = df["cl"].astype(object)
    df.loc[0, "cl"] = pd.Timestamp(np.datetime64("10000-01-01", "s"))
    df.loc[1:, "cl"] = [pd.Timestamp(2000, 1, 1 + i % 5) for i in range(len(df) - 1)]
    assert "cluster 'cl' has dates outside of" in refused(df, **NAMES)
    df["cl"] = pd.PeriodIndex.from_ordinals(np.arange(len(df)) % 7 + 8030, freq="Y")
    assert "cluster 'cl' has dates outside of" in refused(df, **NAMES)
