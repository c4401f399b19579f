"""Rows of weight zero: the numbers are those of the table without them, in engines too."""

import warnings

import numpy as np
import pandas as pd
import pytest
from lazy_tables import ENGINES
from small_panels import COVARIATES, assert_close, assert_same, panel, quiet_fit, refusal, where

import didjack

pytestmark = pytest.mark.filterwarnings(
    "error", "ignore::didjack.FewClustersWarning", "ignore::didjack.InferenceWarning"
)

RULE = "0 zero weights"


def without_weight(df, rows):
    return where(df, df.index[rows(df)], "w", 0.0)


def some_rows(df):
    return (df["id"] == 3) & (df["t"] == 2004)


def a_unit(df):
    return df["id"] == 3


def a_cluster(df):
    return df["cl"] == df["cl"].iloc[0]


def a_cohort(df):
    return df["g"] == 2005


def the_never_treated(df):
    return df["g"] == 0


def the_first_period(df):
    return df["t"] == 2001


def the_last_period(df):
    return df["t"] == 2005


LOST = {
    some_rows: "",
    a_unit: "",
    a_cluster: "cluster 1",
    a_cohort: "cohort 2005 and 4 clusters",
    the_never_treated: "the never-treated and 4 clusters",
    the_first_period: "",
    the_last_period: "",
}

SAMPLES = {
    "panel": {},
    "unbalanced": {"allow_unbalanced_panel": True},
    "varying": {"fix_weights": "varying"},
    "cross sections": {"panel": False, "idname": None},
}


def both(df, rows, change=lambda df: df, **options):
    """Fit the table with rows of weight zero, and the one without these rows."""
    df = without_weight(df, rows)
    left = df[df["w"] > 0].reset_index(drop=True)
    return quiet_fit(change(df), **options), quiet_fit(change(left), **options)


def assert_same_analytic(given, left):
    """Influence functions and their standard errors have n from the rows that are left."""
    given, left = (result.with_options(vcov="analytic") for result in (given, left))
    pd.testing.assert_frame_equal(given.tidy(), left.tidy(), check_exact=True)


@pytest.mark.thin(3)
@pytest.mark.parametrize("rows", LOST, ids=lambda rows: rows.__name__)
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("method", ["reg", "dr"])
def test_as_if_they_were_not_there(rows, sample, method):
    options = COVARIATES | SAMPLES[sample] | {"est_method": method}
    df = panel()
    given, left = both(df, rows, **options)
    assert_same(given, left, labels=True)
    assert_same(given.aggregate("event"), left.aggregate("event"), labels=True)
    pd.testing.assert_frame_equal(given.clusters(), left.clusters(), check_exact=True)
    assert_same_analytic(given, left)
    n_rows = int(rows(df).sum())
    entry = given.sample.iloc[0]
    assert (entry["rule"], entry["action"], entry["n_rows"]) == (RULE, "dropped", n_rows)
    by_unit = sample != "cross sections"
    assert entry["n_units"] == (df.loc[rows(df), "id"].nunique() if by_unit else n_rows)
    lost = LOST[rows]
    assert entry["reason"] == "weight 0 in 'w'" + (f" (all rows of {lost})" if lost else "")
    first = df.loc[rows(df), "id"].unique()[:3] if by_unit else np.flatnonzero(rows(df))[:3]
    assert entry["examples"] == ", ".join(map(str, first))
    pd.testing.assert_frame_equal(
        given.sample.iloc[1:].reset_index(drop=True).drop(columns="examples"),
        left.sample.drop(columns="examples"),
    )


@pytest.mark.thin(3)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sample", ["panel", "cross sections"])
@pytest.mark.parametrize("rows", [a_cluster, a_cohort, the_never_treated, the_last_period])
def test_lazy_tables(rows, sample, engine):
    options = {"weightsname": "w", "est_method": "reg", "xformla": "~ x2"} | SAMPLES[sample]
    df = panel()
    given, left = both(df, rows, ENGINES[engine], **options)
    assert_close(given, left)
    pd.testing.assert_index_equal(given.clusters().index, left.clusters().index)
    in_memory, _ = both(df, rows, **options)
    columns = in_memory.sample.columns if sample == "panel" else list(in_memory.sample.columns[:5])
    pd.testing.assert_frame_equal(given.sample[columns], in_memory.sample[columns])


@pytest.mark.parametrize("engine", ENGINES)
def test_lazy_tables_in_sums(engine, monkeypatch):
    """Covariates of many values: sums over rows do without those of weight zero too."""
    monkeypatch.setattr("didjack.data.lazy.used.MOST_ROWS", 200)
    options = COVARIATES | {"est_method": "reg", "panel": False, "idname": None}
    df = without_weight(panel(), a_cohort)
    given = quiet_fit(ENGINES[engine](df), **options)
    monkeypatch.undo()
    assert_close(given, quiet_fit(df, **options), 1e-9)
    assert given.sample["rule"].tolist() == [RULE, "6 sample"]


def test_one_warning():
    df = without_weight(panel(), a_cohort)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet_fit(panel(), weightsname="w")
        assert not [w for w in caught if w.category is didjack.SampleWarning]
    with pytest.warns(didjack.SampleWarning) as caught:
        didjack.csdid(df, "y", "t", "g", "id", cluster="cl", weightsname="w")
    (text,) = (str(w.message) for w in caught if w.category is didjack.SampleWarning)
    n = int(a_cohort(df).sum())
    assert text.startswith(
        f"dropped {n} rows of {n // 5} units: weight 0 in 'w' (all rows of cohort"
    )
    assert len(text.split()) <= 30


def test_what_is_wrong_in_them_does_not_matter():
    """Not even dates of another calendar, another way to write never-treated, or huge outcomes."""
    df = panel()
    odd = df.iloc[:3].assign(w=0.0, t=[1, 2, 3], g=np.nan, y=1e200, cl=-7, id=[-1, -1, -2])
    given = quiet_fit(pd.concat([odd, df], ignore_index=True), **COVARIATES)
    assert_same(given, quiet_fit(df, **COVARIATES), labels=True)
    given.influence()


def test_messages_number_the_rows_of_the_users_table():
    df = where(without_weight(panel(), a_unit), [100], "y", 1e200)
    refusal(df, "'y' is too large to be squared: 1 row; first: 1e+200 (row 100)", weightsname="w")
    df = where(without_weight(panel(), a_unit), [100], "g", 2003.5)
    refusal(df, "first: 2003.5 (row 100)", weightsname="w")


def test_no_weight_at_all():
    df = panel().assign(w=0.0)
    for table in (df, *(make(df) for make in ENGINES.values())):
        refusal(table, "weightsname 'w' has mean 0 over 240 rows", weightsname="w")
    df.loc[::2, "w"] = np.nan
    for table in (df, *(make(df) for make in ENGINES.values())):
        refusal(table, "no row is left in the sample (120 rows)", "'w' (120)", weightsname="w")
