"""What a formula may say, and what it may not."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from small_panels import assert_close, assert_same, fit, panel, refusal

from didjack import DataError, DidjackError, OptionError
from didjack.data.formula import parse

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

LEVELS = ["west", "north", "south"]


@pytest.fixture(scope="module")
def df():
    """The panel with a region, positive and odd columns."""
    df = panel(cluster_size=8)
    region = df["id"].map(lambda i: LEVELS[i % 3])
    return df.assign(region=region, pop=np.exp(df["x1"]), z=df["id"] % 5, const=1.0)


SPELLINGS = [
    *("x1", " ~ x1 ", "~1 + x1", "~ x1\n", "~x1 + x1", "~(x1)", "~+x1", "~I(x1)", "~{x1}", "~`x1`"),
    *("~np.add(x1, 0)", "~x1.clip(-99)", "~ x1:x1", '~Q("x1")', "~log(pop)", "~np.log(pop)"),
]


@pytest.mark.parametrize("text", [None, "", " ", "~", "1", "~1", "~ 1 ", " ~1", "~ 1 + 1", "~\n1"])
def test_no_covariates(df, text):
    assert parse(text) is None
    assert_same(fit(df, xformla=text), fit(df))


@pytest.mark.parametrize("text", SPELLINGS)
def test_many_ways_to_say_x1(df, text):
    compare = assert_close if "log" in text else assert_same
    compare(fit(df, xformla=text), fit(df, xformla="~ x1"))


INTERNAL = ["Intercept", "x", "y_", "w_", "unit", "cluster", "weight", "period", "cohort", "time"]

FUNCTIONS = ["np", "C", "I", "Q", "bs", "poly", "log", "lag", "contr", "Treatment"]

KEYWORDS = ["class", "lambda", "True", "None"]

ODD = ["_", "été", "odd name", "first.treat", "a-b", "1x", "it's", "x:z", "x + z", "a(b)"]

ODD += ["2", "x[1]", "%", "~", " x ", '"']


@pytest.mark.parametrize("name", [*INTERNAL, *FUNCTIONS, *KEYWORDS, *ODD])
def test_any_column_name(df, name):
    """Bare where it is a word, in backticks everywhere."""
    named = df.assign(**{name: df["x1"]})
    want = fit(df, xformla="~ x1 + x2")
    assert_same(fit(named, xformla=f"~ `{name}` + x2"), want)
    if name.isidentifier() or name == "first.treat":
        assert_same(fit(named, xformla=f"~ {name} + x2"), want)
    if name in KEYWORDS:  # in Python, they are no names
        with pytest.raises(DidjackError, match=name):
            fit(named, xformla=f"~ np.add(`{name}`, 0) + x2")
    else:
        assert_same(fit(named, xformla=f"~ np.add(`{name}`, 0) + x2"), want)


def test_columns_named_like_functions_do_not_hide_them(df):
    named = df.assign(np=df["z"], C=df["z"], log=df["z"], bs=df["z"])
    text = "~ np.log(pop) + C(region) + log(pop):x2"
    assert_same(fit(named, xformla=text), fit(df, xformla=text))


@pytest.mark.parametrize("name", ["0", "1"])
def test_columns_named_like_the_intercept_are_refused(df, name):
    refusal(df.assign(**{name: df["x1"]}), "rename", xformla=f"~ `{name}`", error=OptionError)


# ---- what it may not say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "near"),
    [
        ("~ x1 + x11", "x11", "x1"),
        ("~ Region", "Region", "region"),
        ("~ C(regon)", "regon", "region"),
        ("~ np.log(popp)", "popp", "pop"),
        ("~ `x11`", "x11", "x1"),
        ("~ x1:x22", "x22", "x2"),
        ("~ bs(x11, df=3)", "x11", "x1"),
        ("~ I(x1 + x22)", "x22", "x2"),
        ('~ Q("regionn")', "regionn", "region"),
        ("~ x1.abc", "x1.abc", None),
        ("~ qqqqqqq", "qqqqqqq", None),
        ("~ None", "None", None),
    ],
)
def test_unknown_names(df, text, name, near):
    hint = f"did you mean '{near}'?" if near else "columns: id, cl, t, g, y"
    refusal(df, repr(text), f"no column '{name}'", hint, xformla=text)
    refusal(pl.from_pandas(df), f"no column '{name}'", hint, xformla=text)


def test_odd_names_want_backticks(df):
    odd = df.rename(columns={"x1": "a-b", "x2": "my.dummy", "z": "an odd name"})
    refusal(odd, "no column 'a'", "write 'a-b' in backticks", xformla="~ a-b")
    hint = "write 'my.dummy' in backticks"
    refusal(odd, "no column 'my'", hint, xformla="~ I(my.dummy + 1)")
    refusal(odd, "Missing operator", xformla="~ an odd name", error=OptionError)


def test_index_levels_are_no_columns(df):
    refusal(df.set_index("x1"), "reset_index", xformla="~ x1")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("y ~ x1", "one side"),
        ("x1 ~", "one side"),
        ("~ x1 | id", "one part"),
        ("y ~ x1 | id", "one part"),
        ("~ x1 - 1", "intercept"),
        ("~ 0 + x1", "intercept"),
        ("~ -1", "intercept"),
        ("0", "intercept"),
        ("~ .", "name the covariates"),
        ("~ x1 + .", "name the covariates"),
        ("~~ x1", "cannot be read"),
        ("~ x1 +", "cannot be read"),
        ("~ x1 +* x2", "cannot be read"),
        ("~ (x1", "cannot be read"),
        ("~ x1)", "cannot be read"),
        ("~ x1 x2", "a column name with spaces needs backticks"),
        ("~ x1 > 0", "cannot be read"),
        ("~ x1 == x2", "cannot be read"),
        ("~ x1, x2", "cannot be read"),
        ("~ 'x1'", "cannot be read"),
        ("~ 5", "cannot be read"),
        ("~ `x1", "cannot be read"),
        ("~ x1 # a comment", "cannot be read"),
        ("~ import os", "cannot be read"),
        ("~ I(x1 +)", "cannot be read"),
        ("~ I(lambda)", "cannot be read"),
        ("\\", "cannot be read"),
        ("~ [x1 ~ x2]", "cannot be read"),
    ],
)
def test_formulas_that_cannot_be_used(df, text, part):
    message = refusal(df, f"xformla={text!r}", part, xformla=text, error=OptionError)
    assert "\x1b" not in message


def test_variables_of_the_caller_are_not_seen(df):
    outside = df["x1"]
    assert len(outside)
    refusal(df, "no column 'outside'", xformla="~ outside")


@pytest.mark.parametrize("value", [5, ["x1"], ("x1",), b"~x1", True, np.nan, pd.Series(["x1"])])
def test_formulas_are_text(df, value):
    refusal(df, "xformla must be", "a string such as '~ x1 + x2'", xformla=value, error=OptionError)


def test_names_are_of_the_formula_only():
    names = parse(
        "~ np.log(a) + C(b, contr.treatment('x')) + c.clip(0) + `d e` + I([v for v in f])"
    )
    assert names is not None
    assert set(names.names.columns) == {"a", "b", "d e", "f"}
    assert {"np", "C", "contr", "c", "I"} <= set(names.names.functions)
    with pytest.raises(DataError, match="no column 'a'"):
        names.columns(pd.DataFrame({"b": [1]}), ["b"])


# ---- formulas that would take long --------------------------------------------------------------

MANY = [f"v{i}" for i in range(1000)]
LONG = {
    "1,000 terms": ("~ " + " + ".join(MANY), "more than 500 terms"),
    "1,000 expressions": ("~ " + " + ".join(f"np.log({v})" for v in MANY), "more than 500 terms"),
    "10,000 terms": ("~ " + " + ".join(MANY * 10), "at most 20,000 and 500 terms"),
    "a power": ("~ x1**99999999", "more than 500 terms"),
    "a power of a power": ("~ ((x1 + x2)**50)**50", "more than 500 terms"),
    "a power of many": ("~ (" + " + ".join(MANY[:100]) + ")**3", "more than 500 terms"),
    "a huge number": ("~ x1**" + "9" * 5000, "more than 500 terms"),
    "interactions": ("~ " + " * ".join(MANY[:60]), "more than 500 terms"),
    "fewer interactions": ("~ " + " * ".join(MANY[:10]), "more than 500 terms"),
    "a deep expression": ("~ I(" + "-" * 9000 + "x1)", "cannot be read"),
    "a long expression": ("~ I(" + "+".join(["x1"] * 5000) + ")", "cannot be read"),
    "deep brackets": ("~ I(" + "(" * 9000 + "x1" + ")" * 9000 + ")", "cannot be read"),
}


@pytest.mark.parametrize("kind", LONG)
def test_formulas_that_would_take_long_are_refused(df, kind):
    text, part = LONG[kind]
    message = refusal(df, "xformla='~ ", part, xformla=text, error=OptionError)
    assert len(message) < 400


def test_long_formulas_that_can_be_read():
    many = parse("~ " + " + ".join(MANY[:400]))
    assert many is not None
    assert many.names.columns == MANY[:400]
    assert len(many.shown) < 120
    some = parse("~ (a + b + c + d)**3 + e / f + g %in% h")
    assert some is not None
    assert len(some.formula) == 1 + (4 + 6 + 4) + 2 + 2


@pytest.mark.parametrize("text", ["~ ``", "~ x1 + ``", "~ `` + x1", "~ x1:``", "~ np.add(``, 1)"])
def test_columns_without_a_name_are_refused(df, text):
    refusal(df.assign(**{"": df["x2"]}), "with an empty name", xformla=text, error=OptionError)


def test_columns_without_a_name_elsewhere(df):
    assert_same(fit(df.assign(**{"": 1}), xformla="~ x1"), fit(df, xformla="~ x1"))
    assert_same(fit(df.assign(**{" ": df["x1"]}), xformla="~ ` `"), fit(df, xformla="~ x1"))
