"""Lazy tables of several engines, and how they are held against tables in memory."""

import re
import warnings

import duckdb
import numpy as np
import pandas as pd
import polars as pl

import didjack
from didjack.data.lazy.lazy_table import LazyTable


def in_polars(df):
    """Return a table of pandas or polars as one of polars."""
    return df if isinstance(df, pl.DataFrame) else pl.from_pandas(df)


ENGINES = {
    "polars": lambda df: in_polars(df).lazy(),
    "duckdb": lambda df: duckdb.connect().from_arrow(in_polars(df).to_arrow()),
}
KINDS = ("event", "group", "calendar", "simple")
CROSS_SECTIONS = {"idname": None, "panel": False}
COLUMNS = ("estimate", "std_error", "p_value", "conf_low", "df")


def noted_queries(monkeypatch):
    """Note what engines are asked for from now on."""
    asked, fetch = [], LazyTable.fetch

    def noted(self, query, what):
        asked.append(what)
        return fetch(self, query, what)

    monkeypatch.setattr(LazyTable, "fetch", noted)
    return asked


def listened(df, **options):
    """Fit; return the result and the warnings, which may be none of others' packages."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = didjack.csdid(df, **options)
    return result, [str(warning.message) for warning in caught]


def refused(df, **options):
    """Fit, and return the message of the error that is expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        try:
            didjack.csdid(df, **options)
        except didjack.DidjackError as error:
            return str(error)
    raise AssertionError("no error")


def with_neutral_remedy(text):
    """What is proposed for tables of pandas has code."""
    return re.sub(r"Use Periods, such as .*", "Number the periods 1, 2, 3, ...", text)


def without_row_numbers(text):
    """Rows of a lazy table have no numbers, and what helps is other code."""
    text = with_neutral_remedy(text)
    text = re.sub(r", with df.*|, in a table in memory|: df\[.*\.replace\(0, np.inf\)", "", text)
    text = re.sub(r", first at row \d+| \(row \d+\)|; first: row [\d, ]+(?= \()", "", text)
    # Bad numbers are the first that there are in memory, and the smallest in an engine.
    return re.sub(r"(negative values|squared): (.* rows); first: [^;]*", r"\1: \2", text)


def assert_close(a, b, tolerance=1e-10):
    """Arrays agree, relative to the larger of their values and a thousandth of all."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    scale = np.maximum(np.abs(a), 1e-3)
    apart = np.subtract(a, b, where=a != b, out=np.zeros(a.shape))  # both may be infinite
    assert np.nanmax(np.abs(apart) / scale, initial=0.0) <= tolerance


def assert_alike(memory, lazy, tolerance=1e-10, named=True, kinds=KINDS):
    """Two results and their averages have the same estimates, replicates, inference and summary.

    And the same ledger. `named`: its rows have examples, which those of repeated cross sections
    have not.
    """
    ledgers = (result.sample.drop(columns=[] if named else "examples") for result in (memory, lazy))
    pd.testing.assert_frame_equal(*ledgers)
    averages = ((memory.aggregate(kind), lazy.aggregate(kind)) for kind in kinds)
    for a, b in [(memory, lazy), *averages]:
        one, other = a.tidy(), b.tidy()
        assert one["status"].tolist() == other["status"].tolist()
        for column in COLUMNS:
            assert_close(one[column], other[column], tolerance)
        assert_close(a.replicates(), b.replicates(), tolerance)
        assert str(a.summary()) == str(b.summary())


def answered(df, **options):
    """Fit; return the result and the warnings, or an error's message, and no warnings."""
    try:
        return listened(df, **options)
    except didjack.DidjackError as error:
        return str(error), []


def assert_same_answer(df, table, **options):
    """A table in memory and a lazy one give the same result and warnings, or the same error.

    Of averages, those by event time are compared, which take all cells and cohorts.
    """
    named = options.get("panel", True)
    (memory, said), (lazy, of_lazy) = (answered(data, **options) for data in (df, table))
    if isinstance(memory, str) or isinstance(lazy, str):
        assert without_row_numbers(str(memory)) == without_row_numbers(str(lazy))
        return
    if named:
        assert list(map(with_neutral_remedy, said)) == list(map(with_neutral_remedy, of_lazy))
    else:
        assert list(map(without_row_numbers, said)) == of_lazy
    assert_alike(memory, lazy, named=named, kinds=("event",))
