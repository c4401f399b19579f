"""Covariates: what the design is made of."""

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

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

from didjack import EstimationWarning
from didjack.data.clean import clean
from didjack.data.covariates import clean_covariate
from didjack.data.labels import text_as_categories
from didjack.options import EstimationOptions, SampleOptions

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
    data = clean(df, SampleOptions(**NAMES, xformla=xformla, **options), EstimationOptions())
    return pd.DataFrame(data.x, columns=data.x_names)


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


def test_a_formula_changes_no_number_without_need(df):
    """Covariates are built once on the whole sample, in the order of the rows."""
    shuffled = df.sample(frac=1, random_state=3)
    text = "~ region + x1"
    pd.testing.assert_frame_equal(
        numbers(fit(shuffled, xformla=text)), numbers(fit(df, xformla=text)), rtol=1e-12
    )


@pytest.mark.parametrize(
    "text", ["~ np.sqrt(x1 + 0j)", "~ x2 + np.sqrt(pop + 0j):x2", "~ I(1j*x1)"]
)
def test_complex_covariates_are_refused(df, text):
    """Also where all imaginary parts are 0."""
    refusal(df, f"xformla={text!r}", "complex", "np.real()", xformla=text)
    assert_same(fit(df, xformla="~ np.real(x1 + 2j)"), fit(df, xformla="~ x1"))


def test_levels_of_categories(df):
    want = fit(df, xformla="~ C(region)")
    for levels in (f"{sorted(LEVELS)}", f"iter({sorted(LEVELS)})"):
        assert_same(fit(df, xformla=f"~ C(region, levels={levels})"), want)
    refusal(df, "outside of its levels: 0, 3", xformla="~ C(z, levels=[1, 2, 4])")


FORMULAS = ["~ x1 + np.log(pop) + bs(x1, df=4)", "~ region", "~ C(region) + C(z)", "~ region:x1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_warning_filters_are_left_alone(df, text, monkeypatch):
    """Not even for a moment: `warnings.catch_warnings` would change them for all threads.

    Older versions of pandas do so where they look at categories.
    """
    users = []

    def note(name, original):
        def noted(*args, **kwargs):
            users.append(f"{sys._getframe(1).f_globals['__name__']} uses warnings.{name}")
            return original(*args, **kwargs)

        return noted

    options = SampleOptions(**NAMES, xformla=text)
    frames = [df, df.assign(region=df["region"].astype("category"))]
    clean(df, options, EstimationOptions())  # what is imported by it may do what it likes
    with monkeypatch.context() as patch:
        for name in ("catch_warnings", "simplefilter", "filterwarnings", "resetwarnings"):
            patch.setattr(warnings, name, note(name, getattr(warnings, name)))
        for frame in frames:
            clean(frame, options, EstimationOptions())
    assert [user for user in users if not user.startswith("pandas.")] == []
    if "region" not in text:
        assert users == []


def test_threads_leave_the_warning_filters_alone(df):
    before = list(warnings.filters)
    options = [SampleOptions(**NAMES, xformla=FORMULAS[0])] * 80
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda o: clean(df, o, EstimationOptions()), options))
    assert warnings.filters == before


# ---- kinds of covariates -------------------------------------------------------------------------

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


def test_too_many_categories_are_refused(df):
    """Names of units, by mistake."""
    large = panel(n_clusters=300, first_period=2001)
    large = large.assign(name=large["id"].map("unit {}".format), z=large["id"])
    assert large["id"].nunique() == 1200
    for text in ("~ name", "~ C(name)", "~ name:x1"):
        for dtype in (object, "category"):
            named = large.astype({"name": dtype})
            refusal(named, "covariate 'name' has 1,200 categories", "at most 1,000", xformla=text)
    refusal(large, "C() has 1,200 categories", "at most 1,000", xformla="~ C(z)")


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
    column = clean_covariate(text_as_categories(pd.Series(values, name="x"), labels=False))
    if dtype is pd.CategoricalDtype:
        assert isinstance(column.dtype, dtype)
        assert "c" not in column.cat.categories
    else:
        assert column.dtype == dtype


def test_too_large_covariates_are_refused(df):
    refusal(df.assign(z=df["z"] * 1e200), "z is too large", xformla="~ x1 + z")


def test_covariates_whose_squares_vanish_are_refused(df):
    """A rare dummy has no quartiles to be scaled by."""
    rare = df.assign(z=(df["id"] % 7 == 0) * 1e-170)
    refusal(rare, "z is too small to be squared", xformla="~ x1 + z")
    fit(df.assign(z=(df["id"] % 3 == 0) * 1e-135), xformla="~ z", est_method="reg")


# ---- rows that go, and what becomes of the design ------------------------------------------------


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
        with pytest.warns(EstimationWarning, match="collinear"):
            result = fit(df, xformla=text)
        assert result.tidy()["estimate"].isna().all()
        assert (result.cells["status"] == f"collinear: {name}").all()


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
