"""Covariates: what a formula may say, and what the design is made of."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import (
    NAMES,
    assert_close,
    assert_same,
    fit,
    numbers,
    panel,
    quiet_fit,
    refusal,
    sample_warnings,
    where,
)

from didjack import DataError, DidjackError, EstimationWarning, OptionError
from didjack.intake.clean import clean
from didjack.intake.covariates import clean_covariate
from didjack.intake.formula import parse
from didjack.options import Options

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

LEVELS = ["west", "north", "south"]


@pytest.fixture(scope="module")
def df():
    """The panel with a region, positive and odd columns."""
    df = panel(cluster_size=8)
    region = df["id"].map(lambda i: LEVELS[i % 3])
    return df.assign(region=region, pop=np.exp(df["x1"]), z=df["id"] % 5, const=1.0)


def design(df, xformla, **options):
    """The design that a formula gives on the rows that stay."""
    data = clean(df, Options(**NAMES, xformla=xformla, **options))
    return pd.DataFrame(data.x, columns=data.x_names)


# ---- what a formula may say ---------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "", " ", "~", "1", "~1", "~ 1 ", " ~1", "~ 1 + 1", "~\n1"])
def test_no_covariates(df, text):
    assert parse(text) is None
    assert_same(fit(df, xformla=text), fit(df))


SPELLINGS = [
    *("x1", " ~ x1 ", "~1 + x1", "~ x1\n", "~x1 + x1", "~(x1)", "~+x1", "~I(x1)", "~{x1}", "~`x1`"),
    *("~np.add(x1, 0)", "~x1.clip(-99)", "~ x1:x1", '~Q("x1")', "~log(pop)", "~np.log(pop)"),
]


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


def test_terms(df):
    """Every term against its column written out."""
    north, south = (df["region"] == "north").astype(float), (df["region"] == "south").astype(float)
    x = design(df, "~ x1 + C(region) + np.log(pop) + x1:z + I(z**2) + x2*z + C(x2)")
    want = {
        "Intercept": np.ones(len(df)),
        "x1": df["x1"],
        "C(region)[T.south]": south,
        "C(region)[T.west]": 1 - north - south,
        "np.log(pop)": np.log(df["pop"]),
        "I(z ** 2)": df["z"] ** 2,
        "x1:z": df["x1"] * df["z"],
        "x2:z": df["x2"] * df["z"],
    }
    for name, column in want.items():
        np.testing.assert_allclose(x[name], column, err_msg=name)
    assert x.columns[0] == "Intercept"


def test_splines_and_polynomials(df):
    """A basis of the same space gives the same estimates."""
    cubic = fit(df, xformla="~ x1 + I(x1**2) + I(x1**3)", est_method="reg")
    assert_close(fit(df, xformla="~ poly(x1, 3)", est_method="reg"), cubic, 1e-9)
    assert_close(fit(df, xformla="~ bs(x1, df=3)", est_method="reg"), cubic, 1e-9)
    shifted = df.assign(x1=3 + 10 * df["x1"])
    assert_close(fit(shifted, xformla="~ poly(x1, 3)", est_method="reg"), cubic, 1e-9)


def test_contrasts_do_not_matter(df):
    want = fit(df, xformla="~ region", est_method="reg")
    for text in ("~ C(region, contr.sum)", '~ C(region, contr.treatment("west"))'):
        assert_close(fit(df, xformla=text, est_method="reg"), want, 1e-10)


# ---- kinds of covariates ------------------------------------------------------------------------


TEXT = {
    "str": lambda c: c.astype("str"),
    "string": lambda c: c.astype("string"),
    "Arrow": lambda c: c.astype("string[pyarrow]"),
    "Arrow dtype": lambda c: c.astype(pd.ArrowDtype(pa.string())),
    "object": lambda c: c.astype(object),
    "category": lambda c: c.astype("category"),
    "unused": lambda c: c.astype(pd.CategoricalDtype(["none", "north", "south", "west", "x"])),
    "ordered": lambda c: c.astype(pd.CategoricalDtype(sorted(LEVELS), ordered=True)),
}


@pytest.mark.parametrize("how", TEXT)
@pytest.mark.parametrize("text", ["~ region", "~ C(region)", "~ region:x1 + x1"])
def test_text_stands_for_dummies(df, how, text):
    dummies = df.assign(
        south=(df["region"] == "south").astype(int), west=(df["region"] == "west").astype(int)
    )
    plain = {"~ region:x1 + x1": "~ x1 + x1:south + x1:west"}.get(text, "~ south + west")
    result = fit(df.assign(region=TEXT[how](df["region"])), xformla=text, est_method="reg")
    assert_close(result, fit(dummies, xformla=plain, est_method="reg"), 1e-10)


@pytest.mark.parametrize("how", [k for k in TEXT if k not in ("unused", "ordered")])
def test_text_that_looks_like_numbers_stands_for_dummies_too(df, how):
    digits = TEXT[how](df["z"].astype(str))
    assert_same(fit(df.assign(z=digits), xformla="~ z"), fit(df, xformla="~ C(z)"))
    table = pl.from_pandas(df.assign(z=df["z"].astype(str)))
    assert_same(fit(table, xformla="~ z"), fit(df, xformla="~ C(z)"))


def test_text_mixed_with_numbers_is_text(df):
    mixed = df["z"].map(lambda v: str(v) if v < 3 else v).astype(object)
    assert_same(fit(df.assign(z=mixed), xformla="~ z"), fit(df, xformla="~ C(z)"))


def test_truth_values_are_zero_and_one(df):
    want = fit(df, xformla="~ x2")
    for flag in (df["x2"] > 0, (df["x2"] > 0).astype("boolean"), (df["x2"] > 0).astype(object)):
        assert_same(fit(df.assign(x2=flag), xformla="~ x2"), want)
        assert_close(fit(df.assign(x2=flag), xformla="~ C(x2)"), want)
        assert_close(
            fit(df.assign(x2=flag), xformla="~ x2 + x1:x2"), fit(df, xformla="~ x2 + x1:x2"), 1e-10
        )


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (lambda df: pd.to_datetime(df["t"].astype(str)), "datetime64"),
        (lambda df: pd.PeriodIndex(df["t"].astype(str), freq="Y"), "period[Y-DEC]"),
        (lambda df: pd.to_timedelta(df["z"], unit="D"), "timedelta64"),
        (lambda df: df["z"] + 1j, "complex128"),
        (lambda df: pd.Series([b"a"] * len(df)), "not numeric"),
        (lambda df: pd.Series([(1, 2)] * len(df)), "not numeric"),
    ],
)
def test_other_covariates_are_refused(df, values, shown):
    refusal(df.assign(odd=values(df)), "covariate 'odd'", shown, xformla="~ x1 + odd")


def test_whole_numbers_do_not_overflow(df):
    big = df.assign(z=df["z"] * 10**7)
    x = design(big, "~ I(z**3)")
    np.testing.assert_allclose(x["I(z ** 3)"], (df["z"] * 1e7) ** 3.0)
    small = design(df.astype({"z": "int8"}), "~ I(z**4)")
    np.testing.assert_allclose(small["I(z ** 4)"], df["z"] ** 4.0)
    assert list(design(df, "~ C(z)").columns)[1] == "C(z)[T.1]"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], np.int64),
        (np.array([1, 2], dtype="uint8"), np.int64),
        (np.array([2**63, 1], dtype="uint64"), np.float64),
        (np.array([1, 2.5], dtype="float32"), np.float64),
        (pd.array([1, 2], dtype="Int64"), np.int64),
        (pd.array([1.5, 2], dtype="Float64"), np.float64),
        ([True, False], np.bool_),
        (np.array([1, 2.5, True], dtype=object), np.float64),
        (["a", "b"], pd.CategoricalDtype),
        (pd.Categorical(["b", "a"], categories=["c", "b", "a"]), pd.CategoricalDtype),
    ],
)
def test_dtypes_that_formulas_see(values, dtype):
    column = clean_covariate(pd.Series(values, name="x"))
    if dtype is pd.CategoricalDtype:
        assert isinstance(column.dtype, dtype)
        assert "c" not in column.cat.categories
    else:
        assert column.dtype == dtype


def test_too_large_covariates_are_refused(df):
    refusal(df.assign(z=df["z"] * 1e200), "z is too large", xformla="~ x1 + z")


# ---- rows that go, and what becomes of the design -----------------------------------------------


@pytest.mark.parametrize("text", ["~ np.log(x1)", "~ np.sqrt(x1)", "~ I(x1**0.5) + x2"])
def test_rows_without_a_finite_design_are_dropped(df, text):
    units = df.loc[df["x1"] <= 0, "id"].unique()
    result, texts = sample_warnings(df, xformla=text)
    assert len(texts) == 1
    assert texts[0].startswith(f"dropped {5 * units.size} rows of {units.size} units: non-finite")
    assert f"({5 * units.size})" in texts[0]
    assert_same(result, fit(df[df["x1"] > 0], xformla=text))


def test_only_columns_of_the_formula_have_to_be_complete(df):
    gaps = where(df, [5, 6], "pop", np.nan)
    assert_same(fit(gaps, xformla="~ x1"), fit(df, xformla="~ x1"))
    result, texts = sample_warnings(gaps, xformla="~ np.log(pop)")
    assert "'pop' (2)" in texts[0]
    assert_same(result, fit(df[df["id"] != 2], xformla="~ np.log(pop)"))


@pytest.mark.parametrize("how", [k for k in TEXT if k != "unused"])
def test_missing_categories(df, how):
    gaps = df.assign(region=TEXT[how](df["region"]).mask(df.index.isin([5, 6])))
    result, texts = sample_warnings(gaps, xformla="~ region")
    assert "'region' (2)" in texts[0]
    assert_same(result, fit(df[df["id"] != 2], xformla="~ region"))


def test_levels_that_vanish_leave_the_design(df):
    """A region of always treated units only, one of incomplete units, and one of missing rows."""
    first = df["id"].isin([1, 2])
    lost = df.assign(region=df["region"].mask(first, "always").mask(df["id"] == 3, "short"))
    lost["g"] = lost["g"].mask(first, 2001)
    lost = lost.drop(index=lost.index[(lost["id"] == 3) & (lost["t"] == 2005)])
    kept = df[~df["id"].isin([1, 2, 3])]
    for text in ("~ region", "~ C(region) + bs(x1, df=4)", "~ poly(x1, 2) + scale(z)"):
        assert_same(quiet_fit(lost, xformla=text), fit(kept, xformla=text))
    with pytest.warns(match="dropped"):
        x = design(lost, "~ region")
    assert list(x.columns) == ["Intercept", "region[T.south]", "region[T.west]"]


def test_a_single_level_is_no_covariate(df):
    same = df.assign(region="only")
    assert_same(fit(same, xformla="~ region"), fit(df))
    assert_same(fit(same, xformla="~ region + x1"), fit(df, xformla="~ x1"))


def test_constants_and_copies_are_named(df):
    for text, name in (("~ x1 + const", "const"), ("~ x1 + pop + I(2*pop)", "I(2 * pop)")):
        with pytest.warns(EstimationWarning, match="singular"):
            result = fit(df, xformla=text)
        assert result.tidy()["estimate"].isna().all()
        assert (result.cells["status"] == f"singular: {name}").all()


@pytest.mark.parametrize("text", ["~ lag(x1)", "~ x1.shift(1)", "~ x1 + I(z.diff())"])
def test_terms_that_look_at_other_rows_are_refused(df, text):
    refusal(df, "other rows", "must be a column", xformla=text)


def test_repeated_cross_sections(df):
    rows = {"panel": False, "idname": None}
    text = "~ C(region) + np.log(pop)"
    dummies = df.assign(a=(df["region"] == "south") * 1, b=(df["region"] == "west") * 1)
    result = fit(df, xformla=text, **rows)
    assert_close(result, fit(dummies, xformla="~ a + b + x1", **rows), 1e-9)
    broken = where(df, [7], "pop", -1.0)
    result, texts = sample_warnings(broken, xformla=text, **rows)
    assert texts == [
        "dropped 1 row: non-finite covariate: 'np.log(pop)' (1); first: row 7 (see result.sample)"
    ]
    assert_same(result, fit(df.drop(index=df.index[7]), xformla=text, **rows))


# ---- what it may not say ------------------------------------------------------------------------


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
        ("~ x1 x2", "cannot be read"),
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


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("~ nofunc(x1)", "nofunc"),
        ("~ np.lgo(x1)", "lgo"),
        ("~ pd.Series(x1)", "'pd'"),
        ("~ x1[0]", "cannot be evaluated"),
        ("~ x1.mean()", "cannot be evaluated"),
        ("~ I(x1 @ x1)", "cannot be evaluated"),
        ("~ I(z[[1, 2]])", "cannot be evaluated"),
        ("~ bs(x1, df=1)", "cannot be evaluated"),
        ("~ poly(region, 2)", "cannot be evaluated"),
        ("~ np.log(region)", "cannot be evaluated"),
        ("~ I(x1.nope)", "nope"),
        ("~ hashed(region)", "cannot be evaluated"),
        ("~ C(region, levels=['west'])", "cannot be evaluated"),
        ("~ I(1 / 0)", "no column"),
        ("~ np.ones(3)", "no column"),
        ("~ C(1)", "no column"),
        ("~ os.getcwd()", "no column"),
    ],
)
def test_formulas_that_cannot_be_evaluated(df, text, part):
    message = refusal(df, f"xformla={text!r}", part, xformla=text)
    assert "\x1b" not in message


def test_variables_of_the_caller_are_not_seen(df):
    outside = df["x1"]
    assert len(outside)
    refusal(df, "no column 'outside'", xformla="~ outside")


@pytest.mark.parametrize("value", [5, ["x1"], ("x1",), b"~x1", True, np.nan, pd.Series(["x1"])])
def test_formulas_are_text(df, value):
    refusal(df, "xformla=", "a string such as '~ x1 + x2'", xformla=value, error=OptionError)


def test_names_are_of_the_formula_only():
    names = parse(
        "~ np.log(a) + C(b, contr.treatment('x')) + c.clip(0) + `d e` + I([v for v in f])"
    )
    assert names is not None
    assert set(names.names) == {"a", "b", "d e", "f"}
    assert {"np", "C", "contr", "c", "I"} <= set(names.functions)
    with pytest.raises(DataError, match="no column 'a'"):
        names.columns(pd.DataFrame({"b": [1]}), ["b"])


def test_a_formula_changes_no_number_without_need(df):
    """Covariates are built once on the whole sample, in the order of the rows."""
    shuffled = df.sample(frac=1, random_state=3)
    text = "~ region + x1"
    pd.testing.assert_frame_equal(
        numbers(fit(shuffled, xformla=text)), numbers(fit(df, xformla=text)), rtol=1e-12
    )
