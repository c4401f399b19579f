"""Triple differences of lazy tables: what tables in memory give, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lazy_tables import (
    COLUMNS,
    CROSS_SECTIONS,
    ENGINES,
    assert_close,
    noted_queries,
    without_row_numbers,
)

import didjack

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster", "idname": "id"}
EVERY_ENGINE = pytest.mark.parametrize("engine", ENGINES)


def ddd(df, **options):
    return didjack.ddd(df, **NAMES | {"pname": "eligible"} | options)


@pytest.fixture(scope="module")
def panel():
    df = pd.read_csv(FIXTURES / "comparisons_panel.csv")
    return df.assign(age=df["id"] % 3)


@pytest.fixture(scope="module")
def cross():
    return pd.read_csv(FIXTURES / "comparisons_rcs.csv")


def gaps(df):
    """Drop rows of some units, whether eligible or not."""
    return df[~((df["id"] % 7 == 0) & (df["period"] == 3))]


CASES = {
    "panel": (lambda df: df, {"control_group": "notyettreated"}),
    "classes": (lambda df: df, {"est_method": "dr", "xformla": "~ C(age)", "weightsname": "w"}),
    "regression": (
        lambda df: df,
        {"est_method": "reg", "xformla": "~ x1", "control_group": "notyettreated"},
    ),
    "units with gaps are dropped": (gaps, {}),
    "units with gaps are kept": (
        gaps,
        {"allow_unbalanced_panel": True, "control_group": "notyettreated"},
    ),
    "truth values": (lambda df: df.assign(eligible=df["eligible"] == 1), {}),
    "missing": (lambda df: df.assign(eligible=df["eligible"].where(df["id"] != 3)), {}),
    "eligibility is a covariate, too": (
        lambda df: df,
        {"est_method": "reg", "xformla": "~ eligible", "collinear": "drop"},
    ),
}


def assert_same(lazy, eager):
    table, want = lazy.tidy(), eager.tidy()
    assert table["status"].tolist() == want["status"].tolist()
    for column in COLUMNS:
        assert_close(table[column], want[column], 1e-7)
    assert_close(lazy.replicates(), eager.replicates(), 1e-8)
    ledger = ["rule", "action", "n_rows", "n_units", "reason"]
    pd.testing.assert_frame_equal(lazy.sample[ledger], eager.sample[ledger])
    overall = lazy.aggregate("simple").overall["p_value"]
    assert overall == pytest.approx(eager.aggregate("simple").overall["p_value"], rel=1e-6)


@EVERY_ENGINE
@pytest.mark.parametrize("case", CASES)
def test_panels(panel, engine, case):
    change, options = CASES[case]
    df = change(panel)
    assert_same(ddd(ENGINES[engine](df), **options), ddd(df, **options))


@EVERY_ENGINE
@pytest.mark.parametrize("options", [{}, {"est_method": "reg", "xformla": "~ x1"}])
def test_cross_sections(cross, engine, options):
    options |= CROSS_SECTIONS | {"control_group": "notyettreated", "weightsname": "w"}
    assert_same(ddd(ENGINES[engine](cross), **options), ddd(cross, **options))


BAD = {
    "at times": lambda df: df.assign(
        eligible=np.where(df["id"] < 5, df["period"] % 2, df["eligible"])
    ),
    "other values": lambda df: df.assign(eligible=df["eligible"] + 1),
    "text": lambda df: df.assign(eligible="yes"),
    "everybody": lambda df: df.assign(eligible=1),
    "nobody": lambda df: df.assign(eligible=0),
    "no column": lambda df: df.drop(columns="eligible"),
}


@EVERY_ENGINE
@pytest.mark.parametrize("bad", BAD)
def test_messages_are_those_of_memory(panel, engine, bad):
    df, messages = BAD[bad](panel), []
    for table in (ENGINES[engine](df), pl.from_pandas(df)):
        with pytest.raises(didjack.DataError) as refused:
            ddd(table, est_method="reg")
        messages.append(without_row_numbers(str(refused.value)))
    assert messages[0] == messages[1]


@EVERY_ENGINE
@pytest.mark.parametrize("sample", ["panel", "gaps", "cross"])
def test_sums_of_products(panel, cross, engine, sample, monkeypatch):
    """Small tables are taken for large ones, of which only sums come into memory."""
    monkeypatch.setattr("didjack.data.lazy.lazy_sample._ROWS", 20)
    monkeypatch.setattr("didjack.data.lazy.lazy_sample.few_enough", lambda _: False)
    df = {"panel": panel, "gaps": gaps(panel), "cross": cross}[sample]
    options = {"est_method": "reg", "xformla": "~ x1", "control_group": "notyettreated"}
    if sample == "gaps":
        options["allow_unbalanced_panel"] = True
    if sample == "cross":
        options |= CROSS_SECTIONS
    asked = noted_queries(monkeypatch)
    lazy = ddd(ENGINES[engine](df), **options)
    assert "give its rows" not in asked
    assert_same(lazy, ddd(df, **options))
