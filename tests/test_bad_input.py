"""Whatever is handed in: a clear error of the package, and the caller's frame as it was."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import (
    COVARIATES,
    NAMES,
    assert_close,
    assert_same,
    assert_unchanged,
    fit,
    numbers,
    panel,
    quiet_fit,
    refusal,
    sample_warnings,
    state,
    where,
)

import didjack
from didjack import UnknownOptionError

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.fixture(scope="module")
def plain(df):
    return fit(df)


# ---- not a table --------------------------------------------------------------------------------


def not_tables():
    df = panel()
    table = pa.Table.from_pandas(df)
    return {
        "dict": df.to_dict("list"),
        "list": [1, 2],
        "array": df.to_numpy(),
        "recarray": df.to_records(),
        "Series": df["y"],
        "str": "data.csv",
        "type": pd.DataFrame,
        "DataFrameGroupBy": df.groupby("id"),
        "RecordBatch": table.to_batches()[0],
        "ChunkedArray": table["y"],
        "object": object(),
    }


@pytest.mark.parametrize("kind", not_tables())
def test_not_a_table(kind):
    name = {"array": "ndarray"}.get(kind, kind)
    refusal(not_tables()[kind], "must be a pandas, polars or pyarrow table", f"got {name}")


def test_no_table(df):
    refusal(None, "data is required", error=UnknownOptionError)
    with pytest.raises(UnknownOptionError, match="data, yname, tname, gname are required"):
        didjack.csdid()
    with pytest.raises(UnknownOptionError, match="yname, tname, gname are required"):
        didjack.csdid(df)
    with pytest.raises(UnknownOptionError, match="gname is required"):
        didjack.csdid(df, "y", "period")


# ---- empty --------------------------------------------------------------------------------------


def test_empty_tables(df):
    for empty in (df.iloc[:0], pl.from_pandas(df).head(0), pa.Table.from_pandas(df).slice(0, 0)):
        refusal(empty, "no rows")
        refusal(empty, "no rows", **COVARIATES)
    for bare in (pd.DataFrame(), pd.DataFrame(index=range(5)), pl.DataFrame(), pa.table({})):
        refusal(bare, "no column 'y'", "no columns at all")


@pytest.mark.parametrize("column", ["y", "t", "id", "cl", "w", "x1", "x2"])
def test_no_row_is_left(df, column):
    for value in (np.nan, None, pd.NA, np.inf):
        if value is np.inf and column in ("x1", "x2"):
            continue
        gone = df.assign(**{column: value})
        refusal(gone, "no row is left", f"'{column}' (240)", **COVARIATES)
    refusal(pl.from_pandas(df).with_columns(pl.lit(None).alias(column)), "no row", **COVARIATES)


# ---- names and indexes --------------------------------------------------------------------------


@pytest.mark.parametrize("role", [*NAMES, "weightsname"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Y", "did you mean 'y'?"),
        ("x3", "did you mean 'x"),
        ("qqqq", "columns: id, cl, t"),
        ("", ""),
        (" y ", "did you mean 'y'?"),
    ],
)
def test_unknown_columns(df, role, name, hint):
    for table in (df, pl.from_pandas(df), pa.Table.from_pandas(df)):
        refusal(table, f"{role}: data has no column {name!r}", hint, **{role: name})


def test_columns_in_the_index(df):
    for keys in (["id", "t"], ["id"], ["t", "y"]):
        refusal(df.set_index(keys), "a level of the index", "reset_index()")


def test_the_index_does_not_matter(df, plain):
    indexed = [
        df.set_index(["id", "t"], drop=False),
        df.set_index(["id", "t"], drop=False).rename_axis(["a", "b"]),
        df.set_axis([0] * len(df)),
        df.set_axis([f"row {i}" for i in range(len(df))]),
        df.set_axis(pd.date_range("2001", periods=len(df))),
        df.set_axis(np.arange(len(df))[::-1]),
        df.set_index(pd.Index(df["y"], name="y")),
    ]
    for frame in indexed:
        before = state(frame)
        assert_same(fit(frame), plain, labels=True)
        assert_unchanged(frame, before)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_and_columns_does_not_matter(df, seed):
    gaps = where(df, [3, 50], "y", np.nan)
    plain = quiet_fit(gaps, **COVARIATES)
    shuffled = gaps.sample(frac=1, random_state=seed)
    shuffled = shuffled[list(np.random.default_rng(seed).permutation(df.columns))]
    before = state(shuffled)
    result = quiet_fit(shuffled, **COVARIATES)
    assert_unchanged(shuffled, before)
    assert_same(result, plain, labels=True)
    pd.testing.assert_frame_equal(result.sample, plain.sample)


def test_duplicated_column_names(df, plain):
    twice = pd.concat([df, df[["y"]]], axis=1)
    refusal(twice, "yname: data has 2 columns named 'y'")
    covariate = pd.concat([df, df[["x1"]], df[["x1"]]], axis=1)
    assert_same(fit(covariate), plain)
    refusal(covariate, "covariate: data has 3 columns named 'x1'", xformla="~ x1")


def test_multiindex_columns(df):
    for names in ([("a", c) for c in df.columns], [(c, "") for c in df.columns]):
        refusal(df.set_axis(pd.MultiIndex.from_tuples(names), axis=1), "MultiIndex columns")


def test_column_names_that_are_no_strings(df, plain):
    odd = df.copy()
    for name in (5, ("a", "b"), None, pd.Timestamp("2001"), 1.5, pd.NA, (pd.NA, 1)):
        odd[name] = 1
    assert_same(fit(odd), plain)
    assert_same(fit(odd, xformla="~ x1"), fit(df, xformla="~ x1"))
    refusal(odd, "no column 'yy'", "did you mean 'y'?", yname="yy")
    refusal(odd, "no column '5'", "5, ('a', 'b'), None", yname="5")
    refusal(df.set_axis(range(8), axis=1), "no column 'y'", "columns: 0, 1, 2")


@pytest.mark.parametrize(
    "name", ["Intercept", "unit", "cluster", "weight", "period", "cohort", "never", "overall"]
)
def test_columns_named_like_internal_ones(df, name):
    for role, column in (NAMES | {"weightsname": "w"}).items():
        renamed = df.rename(columns={column: name})
        assert_same(fit(renamed, **{"weightsname": "w", role: name}), fit(df, weightsname="w"))


def test_other_kinds_of_frames(df, plain):
    class Frame(pd.DataFrame):
        pass

    strings = df.set_axis(df.columns.astype("string"), axis=1)
    categories = df.set_axis(pd.CategoricalIndex(df.columns), axis=1)
    flagged = df.copy()
    flagged.attrs["source"] = "survey"
    flagged.flags.allows_duplicate_labels = False
    frozen = df.copy()
    for column in frozen:
        frozen[column].to_numpy().flags.writeable = False
    view = pd.concat([df, df])[: len(df)]
    for frame in (Frame(df), strings, categories, flagged, frozen, view):
        before = state(frame)
        assert_same(fit(frame), plain, labels=True)
        assert_unchanged(frame, before)


def test_line_breaks_in_names_and_labels(df):
    """Messages, warnings and the names of results stay on one line."""
    columns = {name: f"{name}\nof\r\nthe study" for name in df.columns}
    names = {role: columns[name] for role, name in NAMES.items()}
    odd = df.rename(columns=columns)
    result = fit(odd, **names)
    assert_same(result, fit(df))
    refusal(odd, "no column 'y'", "id of the study, cl of the study")
    text = odd.assign(**{columns["id"]: df["id"].map("unit\n{:03}".format)})
    text[columns["cl"]] = df["cl"].map("state\n{:02}".format)
    refusal(pd.concat([text, text.iloc[:1]]), "(unit 001, 2001)", **names)
    moved = where(text, [0], columns["cl"], "state\n02")
    refusal(moved, "unit 001 (state 01, state 02)", **names)
    refusal(text.assign(**{columns["cl"]: "a\nb"}), "1 cluster (a b)", **names)
    _, texts = sample_warnings(where(text, [0], columns["y"], np.nan), **names)
    assert "unit 001" in texts[1]
    assert all("\n" not in warning for warning in texts)
    with pytest.warns(didjack.EstimationWarning, match="collinear: z z"):
        same = fit(df.assign(**{"z\nz": 1.0}), xformla="~ x1 + `z\nz`")
    assert set(same.cells["status"]) == {"collinear: z z"}


# ---- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "role"), [("y", "yname"), ("w", "weightsname"), ("t", "tname"), ("g", "gname")]
)
def test_text_is_no_number(df, column, role):
    text = df[column].astype(str)
    for dtype in ("str", "string", "category", object):
        refusal(
            df.assign(**{column: text.astype(dtype)}),
            f"{role} '{column}' is not numeric",
            text[0],
            **COVARIATES,
        )
    one = where(df, [7], column, "abc")
    refusal(one, f"{role} '{column}' is not numeric", "1 row", "'abc' (row 7)", **COVARIATES)
    refusal(
        pl.from_pandas(df).with_columns(pl.col(column).cast(pl.String)), "not numeric", **COVARIATES
    )


@pytest.mark.parametrize("dtype", [str, object])
def test_text_that_can_be_converted(df, dtype):
    years = df["t"].astype(str).astype(dtype)
    refusal(df.assign(t=years), "first: '2001', '2002'", "pd.to_numeric")
    refusal(df.assign(t=(years + "-01-01").astype(dtype)), "tname", "pd.to_datetime")
    refusal("data.csv", "didjack.scan opens a file")


@pytest.mark.parametrize(
    "values", [pd.Timestamp("2001"), pd.Timedelta("1D"), pd.Period("2001"), 1j, ((1, 2),)]
)
def test_other_outcomes_are_refused(df, values):
    refusal(df.assign(y=[values] * len(df)), "yname 'y' is not numeric")


def test_outcomes_that_cannot_be_squared(df):
    refusal(df.assign(y=df["y"] * 1e300), "yname 'y' is too large", "240 rows", "rescale")
    gaps = where(where(df, [2], "y", np.nan), [3], "y", np.inf)
    refusal(where(gaps, [9], "y", -1.5e200), "1 row", "-1.5e+200 (row 9)")


@pytest.mark.parametrize("options", [{}, {"vcov": "analytic"}, {"panel": False, "idname": None}])
def test_outcomes_whose_squares_vanish(df, options):
    """Their standard errors would be 0."""
    for scale in (1e-150, 1e-170, 1e-300, 1e-318):
        tiny = df.assign(y=df["y"] * scale)
        refusal(tiny, "yname 'y' is too small to be squared", "rescale it", **options)
    # The one value of another size is not in the sample.
    early = where(tiny, range(5), "g", 1990).astype({"g": int})
    refusal(where(early, [2], "y", 1.0), "too small")


def test_small_outcomes_have_the_standard_errors_of_others(df):
    for options in ({}, {"vcov": "analytic"}, {"panel": False, "idname": None}):
        want = numbers(fit(df, **COVARIATES, **options))[["estimate", "std_error"]]
        got = numbers(fit(df.assign(y=np.ldexp(df["y"], -460)), **COVARIATES, **options))
        got = np.ldexp(got[["estimate", "std_error"]], 460)
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_outcomes_may_all_be_zero(df):
    for zero in (0, 0.0, -0.0):
        assert (quiet_fit(df.assign(y=zero)).tidy()["estimate"] == 0).all()


def test_huge_python_integers(df):
    refusal(
        df.assign(y=pd.Series([10**400] * len(df), dtype=object)), "no row is left", "'y' (240)"
    )
    _, texts = sample_warnings(where(df, [3], "y", 10**400))
    assert "'y' (1)" in texts[0]


ROLES = {"y": "yname", "w": "weightsname", "t": "tname", "g": "gname", "id": "idname"}
ROLES |= {"cl": "cluster", "x1": "covariate"}


@pytest.mark.parametrize("column", ROLES)
def test_signalling_nan_is_no_value(df, column):
    """It cannot even be compared."""
    options = COVARIATES | {"weightsname": "w"}
    odd = where(where(df, [7, 9], column, Decimal("sNaN")), [0], column, None)
    refusal(
        odd, f"{ROLES[column]} '{column}' holds signalling NaN", "2 rows", "sNaN (row 7)", **options
    )
    if column != "g":
        quiet_fit(where(df, [7], column, Decimal("NaN")), **options)


def test_weights(df):
    refusal(
        where(df, [3, 9], "w", -1.0),
        "weightsname 'w' has negative values",
        "2 rows",
        "-1.0, -1.0 (row 3)",
        weightsname="w",
    )
    refusal(where(df, [3], "w", -np.inf), "negative values", weightsname="w")
    refusal(df.assign(w=0), "weightsname 'w' has mean 0 over 240 rows", weightsname="w")
    some = df.assign(w=(df["id"] == 1) * 1.0, y=df["y"].where(df["id"] > 1))
    refusal(some, "no row is left in the sample (5 rows): missing", "'y' (5)", weightsname="w")
    refusal(df.assign(w=(df["g"] == 0) * 1.0), "no treated cohort", weightsname="w")
    alone = df.assign(w=(df["g"] == 2003) * 1.0)
    refusal(alone, "all units belong to cohort 2003", weightsname="w")


@pytest.mark.parametrize("scale", [2.0**900, 2.0**-900])
def test_weights_of_any_size(df, scale):
    assert_close(fit(df.assign(w=df["w"] * scale), **COVARIATES), fit(df, **COVARIATES), 1e-9)


def test_anticipation_of_any_size(df):
    for d in (10, 10**6, 2**53):
        refusal(df, "no treated cohort", anticipation=d)
    for g in (2001, 2005):
        refusal(df.assign(g=df["g"].replace(0, g)), anticipation=2**53)
    time = pd.PeriodIndex(df["t"].astype(str), freq="Y")
    cohort = pd.PeriodIndex(df["g"].replace(0, 2004).astype(str), freq="Y")
    refusal(df.assign(t=time, g=cohort), "no row is left", anticipation=2**53)
    refusal(df.assign(t=time.to_timestamp(), g=cohort.to_timestamp()), "no row", anticipation=2**53)


def test_extreme_whole_numbers(df):
    """Periods at the end of what is allowed, and cohorts far away from them."""
    low = df.assign(t=df["t"] - 2003 - 2**53 + 10, g=(df["g"] - 2003 - 2**53 + 10) * (df["g"] > 0))
    assert_same(fit(low), fit(df))
    far = df.assign(g=df["g"].replace(0, 2**53))
    assert_same(fit(far), fit(df))
    quiet_fit(df.assign(g=df["g"].mask(df["id"] < 8, -(2**53))))


# ---- success and failure leave the frame alone --------------------------------------------------


def frames_of_all_kinds():
    df = panel()
    nullable = df.convert_dtypes()
    text = df.assign(id=df["id"].astype(str), cl=df["cl"].astype("category"))
    objects = df.astype(object)
    arrow = df.convert_dtypes(dtype_backend="pyarrow")
    years = pd.PeriodIndex(df["t"].astype(str), freq="Y")
    cohorts = pd.PeriodIndex(
        df["g"].where(df["g"] > 0).map("{:.0f}".format, na_action="ignore"), freq="Y"
    )
    periods = df.assign(t=years, g=cohorts)
    dates = df.assign(t=years.to_timestamp(), g=cohorts.to_timestamp())
    gaps = where(df, [3], "x1", np.nan).sample(frac=1, random_state=1)
    return [df, nullable, text, objects, arrow, periods, dates, gaps]


@pytest.mark.parametrize("position", range(8))
def test_the_frame_is_left_alone(position):
    frame = frames_of_all_kinds()[position]
    before = state(frame)
    for options in ({}, {"cluster": None}, {"allow_unbalanced_panel": True}):
        quiet_fit(frame, **COVARIATES, **options)
        assert_unchanged(frame, before)
    refusal(frame, "no column", xformla="~ nope")
    refusal(frame, "no column", weightsname="nope")
    refusal(frame.assign(cl=1), "1 cluster")
    refusal(pd.concat([frame, frame]), "not unique")


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas])
def test_other_tables_are_left_alone(convert):
    df = where(panel(), [3], "x1", np.nan)
    table, twin = convert(df), convert(df)
    quiet_fit(table, **COVARIATES)
    assert table.equals(twin)
    refusal(table, "no column", xformla="~ nope")
    assert table.equals(twin)


def test_errors_and_warnings_are_of_the_package():
    for name in ("DataError", "OptionError", "UnknownOptionError", "UndefinedReplicateError"):
        assert issubclass(getattr(didjack, name), didjack.DidjackError)
    for name in ("SampleWarning", "EstimationWarning", "InferenceWarning"):
        assert issubclass(getattr(didjack, name), didjack.DidjackWarning)
    assert issubclass(didjack.DataError, ValueError)
