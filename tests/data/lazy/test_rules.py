"""The sample rules as queries: the same ledger, warnings, errors and numbers as in memory."""

import numpy as np
import pandas as pd
import pytest
from lazy_tables import CROSS_SECTIONS, ENGINES, assert_same_answer
from small_panels import COVARIATES, NAMES, panel, where

import didjack

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")


def few(df):
    """Let covariates have few values, and leave some of them out."""
    return df.assign(x1=df["x1"].round())


def late(df):
    return df.assign(g=df["g"].mask(df["id"] <= 2, 2006).replace(0, 2009))


def busy(df):
    g = df["g"].mask(df["id"] == 1, 2001).mask(df["id"] == 2, 2007).replace(0, 2004)
    return where(df.assign(g=g), [20, 21], "y", np.nan).drop(index=[30])


def no_never(df):
    return df.assign(g=df["g"].replace(0, 2004))


def never_as(value):
    return lambda df: df.assign(g=df["g"].astype(float).replace(0, value))


def never_by_turns(df):
    """0 and inf, in turns: both are never-treated."""
    turns = np.where(df["t"] % 2 == 0, 0.0, np.inf)
    return df.assign(g=np.where(df["g"] == 0, turns, df["g"]))


def dates(df):
    def date(year):
        return pd.to_datetime(year.where(year > 0).astype("Int64").astype("string") + "-07-01")

    return df.assign(t=date(df["t"]), g=date(df["g"]))


def text(df):
    region = np.where(df["id"] % 3 == 0, "north", np.where(df["id"] % 3 == 1, "south", "east"))
    return df.assign(
        region=region, cl="cluster " + df["cl"].astype(str), id="u" + df["id"].astype(str)
    )


SAMPLES = {
    "nothing to do": (few, COVARIATES),
    "missing": (
        lambda d: where(where(d, [3, 4], "y", np.nan), [3, 70, 90], "x1", np.inf),
        COVARIATES,
    ),
    "missing units": (lambda d: where(d, [3, 4], "id", np.nan), {}),
    "missing weights": (lambda d: where(d, [3, 4], "w", np.nan), COVARIATES),
    "missing clusters": (lambda d: where(d, [3, 4, 9], "cl", np.nan), {}),
    "missing periods": (lambda d: where(d, [3, 9], "t", np.nan), {}),
    "late": (late, COVARIATES),
    "late, anticipated": (late, {"anticipation": 1}),
    "no never": (no_never, {}),
    "no never, not yet": (no_never, {"control_group": "notyettreated", "anticipation": 1}),
    "early": (lambda d: d.assign(g=d["g"].mask(d["id"] <= 2, 2001).mask(d["id"] == 3, 1990)), {}),
    "short": (lambda d: d.drop(index=[0, 7, 8]), COVARIATES),
    "unbalanced": (
        lambda d: d.drop(index=[0, 7, 8]),
        COVARIATES | {"allow_unbalanced_panel": True},
    ),
    "balanced": (few, {"allow_unbalanced_panel": True, "base_period": "universal"}),
    "only periods that are left": (
        lambda d: no_never(d)[(d["t"] < 2005) | (d["id"] > 5)],
        {"est_method": "reg"},
    ),
    "all at once": (busy, COVARIATES),
    "inf": (never_as(np.inf), COVARIATES),
    "nan": (never_as(np.nan), COVARIATES),
    "by turns": (never_by_turns, COVARIATES),
    "zero is a period": (
        lambda d: d.assign(t=d["t"] - 2003, g=(d["g"] - 2003).where(d["g"] > 0, 0)),
        {},
    ),
    "dates": (dates, {"xformla": "~ x2"}),
    "text": (text, {"xformla": "~ C(region) + x2", "est_method": "ipw"}),
    "levels that vanish": (
        lambda d: text(d).assign(g=d["g"].mask(d["id"] % 3 == 0, 1999)),
        {"xformla": "~ region"},
    ),
    "calendar codes": (
        lambda d: d.assign(
            t=d["t"].map({2001: 202011, 2002: 202012, 2003: 202101, 2004: 202102, 2005: 202103}),
            g=d["g"].map({0: 0, 2003: 202101, 2005: 202103}),
        ),
        {},
    ),
    "varying weights": (
        lambda d: d.assign(w=d["w"] * (1 + d["t"] % 3)),
        COVARIATES | {"fix_weights": "varying"},
    ),
    "varying weights, a covariate that varies, gaps": (
        lambda d: d.assign(w=d["w"] * (1 + d["t"] % 3), x1=d["x1"].round() + d["t"] % 2)[
            (d["id"] % 5 > 0) | (d["t"] != 2004)
        ],
        COVARIATES | {"fix_weights": "varying", "allow_unbalanced_panel": True},
    ),
    "fixed weights": (few, COVARIATES | {"fix_weights": "base_period"}),
    "weights of zero": (lambda d: d.assign(w=d["w"].where(d["id"] % 5 > 0, 0.0)), COVARIATES),
    "not whole outcomes": (lambda d: d.assign(y=(10 * d["y"]).round().astype(int)), {}),
}


@pytest.mark.thin(2)
@pytest.mark.parametrize("sample", ["panel", pytest.param("repeated", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SAMPLES)
def test_rules(name, sample):
    """Engines take turns; they are compared with each other by the reference cases."""
    change, options = SAMPLES[name]
    options = NAMES | options
    turn = list(SAMPLES).index(name) + (sample == "panel")
    if sample == "repeated":
        if options.get("fix_weights") == "base_period":
            pytest.skip("needs a panel")
        options = options | CROSS_SECTIONS | {"allow_unbalanced_panel": False}
    df = change(panel())
    assert_same_answer(df, list(ENGINES.values())[turn % 2](df), **options)


@pytest.mark.thin(3)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("unbalanced", [False, True])
def test_many_periods(unbalanced, engine):
    """More than one sum of powers of two has room for."""
    df = panel(n_periods=65).drop(index=[5, 100, 130, 1000])
    options = NAMES | {"xformla": "~ x2", "est_method": "reg"}
    assert_same_answer(df, ENGINES[engine](df), **options, allow_unbalanced_panel=unbalanced)


@pytest.mark.parametrize("gaps", ["none", "in one cluster"])
def test_covariates_that_vary_with_weights_that_vary(gaps):
    """On a balanced panel, also that of a replicate, they are those of the earlier period."""
    df = panel()
    df = df.assign(x1=df["id"] % 3 + df["t"] % 2, w=df["w"] * (1 + df["t"] % 3))
    if gaps != "none":
        df = df[(df["cl"] != df["cl"].iloc[0]) | (df["t"] != 2004)]
    options = NAMES | COVARIATES | {"fix_weights": "varying", "allow_unbalanced_panel": True}
    with pytest.raises(didjack.DataError, match=r"vary over time.*collect=True"):
        didjack.csdid(ENGINES["polars"](df), **options)
    assert_same_answer(df, ENGINES["polars"](df), **options, collect=True)
