"""Outcome regression with covariates of many values, from sums of their products."""

from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from conftest import reference_cases
from lazy_tables import (
    ENGINES,
    assert_alike,
    assert_close,
    listened,
    noted_queries,
    refused,
    without_row_numbers,
)
from small_panels import NAMES, panel, where

import didjack
from didjack.data.lazy.moments import Columns, spread
from didjack.data.lazy.terms import Untranslatable, translate
from didjack.data.sample import CleanData

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

BY_ENGINE = pytest.mark.parametrize("engine", ENGINES)
REG = NAMES | {"est_method": "reg"}
POOLED = {"panel": False, "idname": None}


@pytest.fixture(autouse=True)
def many_rows(monkeypatch):
    """Small tables are taken for large ones, and queries are noted."""
    monkeypatch.setattr("didjack.data.lazy.lazy_sample._ROWS", 20)
    monkeypatch.setattr("didjack.data.lazy.lazy_sample.few_enough", lambda rows: False)
    return noted_queries(monkeypatch)


def survey():
    """A panel with constant covariates of many values, categories, and one that varies, v."""
    rng = np.random.default_rng(5)
    df = panel()
    unit = df["id"].to_numpy()
    of_unit = rng.gamma(2.0, size=unit.max() + 1)
    return df.assign(
        u=of_unit[unit],
        z=7 + 3 * rng.normal(size=unit.max() + 1)[unit],
        r=np.array(["south", "north", "east"])[unit % 3],
        born=1990 + unit % 4,
        v=1 + rng.normal(size=len(df)),
    )


FORMULAS = [
    "~ z",
    "~ np.log(u) + z + x2",
    "~ z + r",
    "~ r:u + z",
    "~ C(born) + u * z",
    "~ C(born) * z",
    "~ np.sqrt(u) + I(z ** 2 - 3) + z",
    "~ z + I(2 * z)",
    "~ np.exp(-u) / z + C(r)",
]
OPTIONS = {
    "plain": {},
    "weights": {"weightsname": "w", "control_group": "notyettreated"},
    "universal": {"base_period": "universal", "anticipation": 1},
    "pooled": POOLED,
    "pooled, weights": POOLED | {"weightsname": "w", "collinear": "drop"},
    "unbalanced": {"allow_unbalanced_panel": True, "weightsname": "w"},
    "varying": {"weightsname": "w", "fix_weights": "varying"},
}


CROSSED = [
    pytest.param(formula, options, marks=[] if (a + b) % 8 == 0 else pytest.mark.slow)
    for a, formula in enumerate(FORMULAS)
    for b, options in enumerate(OPTIONS)
]


@pytest.mark.parametrize(("formula", "options"), CROSSED)
def test_as_in_memory(formula, options, many_rows):
    df, given = survey(), REG | {"xformla": formula} | OPTIONS[options]
    if options == "unbalanced":
        df = df[(df["id"] % 9 > 0) | (df["t"] != 2004)]
    engine = list(ENGINES)[FORMULAS.index(formula) % 2]
    memory, lazy = didjack.csdid(df, **given), didjack.csdid(ENGINES[engine](df), **given)
    assert "find the means of covariates" in many_rows
    assert_alike(memory, lazy, named=given.get("panel", True))
    assert memory.cells["status"].tolist() == lazy.cells["status"].tolist()
    assert_close(memory.vcov("analytic"), lazy.vcov("analytic"))


CASES = {
    name: case
    for name, case in reference_cases().items()
    if case["options"].get("est_method") == "reg" and case["options"].get("xformla")
}
VARY = [name for name in CASES if name.startswith("panel-") and ("-x3-" in name or "-wt" in name)]
"""With covariates or weights of a panel that vary over time."""

SOME = [name for name in sorted(CASES) if name not in VARY]


@pytest.mark.parametrize(
    ("place", "name"),
    [pytest.param(a, n, marks=[] if a % 8 == 0 else pytest.mark.slow) for a, n in enumerate(SOME)],
)
def test_reference_cases(place, name, data, many_rows):
    case = CASES[name]
    df = data(case["data"])
    lazy = didjack.csdid(ENGINES[list(ENGINES)[place // 4 % 2]](df), **case["options"])
    assert "find the means of covariates" in many_rows
    assert_alike(didjack.csdid(df, **case["options"]), lazy)


@BY_ENGINE
def test_terms_that_are_not_finite(engine):
    df = where(where(survey(), [3, 9], "v", np.nan), [4, 90], "y", np.nan)
    options = REG | POOLED | {"xformla": "~ np.log(v) + np.log(v):z + z"}
    (memory, told), (lazy, said) = (listened(d, **options) for d in (df, ENGINES[engine](df)))
    assert "non-finite covariate: 'np.log(v)' (" in said[1]
    assert [text.split("; first")[0].split(" (see")[0] for text in told] == [
        text.split(" (see")[0] for text in said
    ]
    assert_alike(memory, lazy, named=False)
    message = refused(ENGINES[engine](df.assign(v=df["z"] - 7)), **REG, xformla="~ np.log(v)")
    assert "is not finite in" in message
    assert "in a panel that is a lazy table, make the term a column" in message


@pytest.mark.thin(3)
@BY_ENGINE
@pytest.mark.parametrize("level", ["a first one", "z last one"])
def test_levels_that_vanish(engine, level):
    df = survey()
    early = df["id"] <= 4
    df = df.assign(g=df["g"].mask(early, 2001), r=df["r"].where(~early, level))
    for more in ({"xformla": "~ z * r"}, {"xformla": "~ r:z", "weightsname": "w"}, POOLED):
        options = REG | {"xformla": "~ z + r"} | more
        memory, lazy = (didjack.csdid(d, **options) for d in (df, ENGINES[engine](df)))
        assert_alike(memory, lazy, named=more is not POOLED)
        assert memory.cells.equals(lazy.cells.assign(estimate=memory.cells["estimate"]))


@pytest.mark.thin(3)
@BY_ENGINE
@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("~ few * z", {}),
        ("~ z:one", {}),
        ("~ few + z", POOLED),
        ("~ u:r + z", POOLED | {"weightsname": "w"}),
    ],
)
def test_columns_that_are_constant_in_some_cells(formula, more, engine):
    # Rounding errors are no variation, neither around 0 nor around another value.
    df = survey()
    treated = df["g"] == 2003
    one = np.where(treated & (df["id"] % 2 > 0), 0.3, 4.7)
    df = df.assign(few=(treated & (df["id"] % 3 > 0)) * 1, r=df["r"].mask(treated), one=one)
    df["r"] = df["r"].fillna("rare")
    for collinear in ("nan", "drop"):
        options = REG | {"xformla": formula, "collinear": collinear} | more
        memory, lazy = (didjack.csdid(d, **options) for d in (df, ENGINES[engine](df)))
        assert_alike(memory, lazy, named=not more)


@BY_ENGINE
@pytest.mark.parametrize(("formula", "size"), [("~ z + I(z ** 2)", 1e5), ("~ z * r + z:u", 1e8)])
def test_one_cluster_with_values_of_another_size(formula, size, engine):
    df = survey()
    df["z"] *= np.where(df["cl"] == 12, size, 1.0)
    memory, lazy = (didjack.csdid(d, **REG, xformla=formula) for d in (df, ENGINES[engine](df)))
    assert_close(memory.replicates(), lazy.replicates())
    assert_close(memory.vcov(), lazy.vcov())


@BY_ENGINE
def test_levels_without_weight_and_single_ones(engine):
    df = survey().assign(one="a", three=3.0)
    for w, formula in [
        (df["w"].where(df["r"] != "east", 0.0), "~ z + r"),
        (df["w"].where(df["id"] % 4 > 0, 0.0), "~ z + r"),
        (df["w"], "~ z + one"),
        (df["w"], "~ z + three"),
    ]:
        options = REG | {"xformla": formula, "weightsname": "w"}
        made = df.assign(w=w)
        memory, lazy = (didjack.csdid(d, **options) for d in (made, ENGINES[engine](made)))
        assert_alike(memory, lazy)


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("~ C(born) * v + r", POOLED),
        ("~ C(born):z + r:z + u", {"weightsname": "w"}),
        ("~ C(born):far + r", POOLED | {"weightsname": "w"}),
        ("~ C(born):r + C(born):r:u", {}),
        ("~ C(t) * z + C(cl):u", POOLED),
    ],
)
def test_slopes_of_levels(formula, more):
    df = survey()
    df["far"] = 100 + df["z"]
    engine = list(ENGINES)[len(more) % 2]
    options = REG | {"xformla": formula, "collinear": "drop"} | more
    memory, lazy = (didjack.csdid(d, **options) for d in (df, ENGINES[engine](df)))
    assert_alike(memory, lazy, named=more.get("panel", True))


def test_levels_share_no_sums(many_rows, monkeypatch):
    """Each level has its own slope, yet rows are asked for a few sums, however many levels."""
    asked = []
    monkeypatch.setattr(
        "didjack.data.lazy.design.replace",
        lambda used, **new: asked.append(new) or replace(used, **new),
    )
    didjack.csdid(ENGINES["duckdb"](survey()), **REG, xformla="~ C(cl) * z")
    (moments,) = [new["moments"] for new in asked if "moments" in new]
    assert len(moments.columns) == 26
    assert len(moments.sums_of_rows) < 20


@BY_ENGINE
def test_kinds_of_columns(engine):
    df = survey()
    df = df.assign(
        b=df["id"] % 3 > 0,
        whole=(df["id"] * 37 % 11).astype("int8"),
        c=pd.Categorical(df["r"], categories=["south", "north", "east"]),
        far=1e7 + df["z"],
    ).rename(columns={"z": "a b", "u": 'se"l', "r": "g.r"})
    for formula in (
        '~ `a b` + np.log(`se"l`) + C(`g.r`)',
        "~ `a b` + `g.r`",
        "~ `a b` + b + C(b):whole",
        "~ far + whole + I(whole ** 3) + c",
    ):
        memory, lazy = (didjack.csdid(d, **REG, xformla=formula) for d in (df, ENGINES[engine](df)))
        assert_alike(memory, lazy)


REFUSED = {
    "~ bs(z, df=4)": "the engine cannot compute 'bs(z, df=4)', only columns, C(column)",
    "~ np.abs(z) + u": "the engine cannot compute 'np.abs(z)'",
    "~ C(r, contr.sum) + z": "the engine cannot compute 'C(r, contr.sum)'",
    "~ I(z ** u)": "the engine cannot compute 'I(z ** u)'",
    "~ C(id) * z * u": "has 196 columns; at most 100 are computed in the engine",
    "~ C(id) + C(born) * C(r) * z": "columns, which take 218 sums over rows; at most",
}


@BY_ENGINE
@pytest.mark.parametrize("formula", REFUSED)
def test_what_engines_are_not_asked_for(formula, engine, many_rows, monkeypatch):
    monkeypatch.setattr("didjack.data.lazy.design._MOST_COLUMNS", 100)
    monkeypatch.setattr("didjack.data.lazy.design._MOST_SUMS", 100)
    message = refused(ENGINES[engine](survey()), **REG, xformla=formula)
    assert message.startswith("xformla='~")
    assert REFUSED[formula] in message
    assert "or use collect=True, which brings 240 rows of " in message
    assert "find the means of covariates" not in many_rows


SAME = {
    "huge": (lambda d: d.assign(u=d["u"] * 1e200), {"xformla": "~ u"}),
    "tiny": (lambda d: d.assign(u=d["u"] * 1e-200), {"xformla": "~ u"}),
    "numbers as text": (lambda d: d.assign(r=d["x2"].astype(str) + ".5"), {"xformla": "~ z + r"}),
    "no weight": (lambda d: d.assign(w=0.0), {"xformla": "~ z", "weightsname": "w"}),
    "negative weights": (lambda d: d.assign(w=-1.0), {"xformla": "~ z", "weightsname": "w"}),
    "two cohorts": (lambda d: where(d, [1, 7, 50], "g", 2004), {"xformla": "~ z"}),
    "twice": (lambda d: pd.concat([d, d[7:9], d[100:103]]), {"xformla": "~ z"}),
    "all missing": (lambda d: d.assign(z=np.nan), {"xformla": "~ z"}),
}


@BY_ENGINE
@pytest.mark.parametrize("name", SAME)
def test_messages_are_those_of_memory(name, engine):
    change, options = SAME[name]
    df = change(survey()).reset_index(drop=True)
    want, got = (refused(d, **REG | options) for d in (df, ENGINES[engine](df)))

    def shape(text):  # levels come once, sorted, and not as in the rows
        return without_row_numbers(text).split("; first: '")[0]

    assert shape(got) == shape(want)


@BY_ENGINE
def test_other_estimators_need_rows(engine):
    for method in ("dr", "ipw"):
        message = refused(ENGINES[engine](survey()), **NAMES, xformla="~ z", est_method=method)
        assert "different rows in cl, g, t, z, by which lazy tables are grouped" in message
        assert "use est_method='reg', which needs only sums over rows" in message
    message = refused(ENGINES[engine](survey()), **REG, xformla="~ v")
    assert "48 units of 'id' have v that vary over time" in message


@BY_ENGINE
def test_too_many_groups(engine, monkeypatch):
    monkeypatch.setattr("didjack.data.lazy.used._MOST_NUMBERS", 300)
    message = refused(ENGINES[engine](survey()), **REG, xformla="~ z")
    assert message.startswith("data has more than 25 different rows in cl, g, t, by which lazy")
    assert "est_method" not in message


@pytest.mark.parametrize("k", [1, 2, 5])
def test_rows_have_the_moments_that_they_are_made_of(k):
    rng = np.random.default_rng(k)
    columns = Columns([f"x{a}" for a in range(k)], list(range(k)))
    moments, clean = [], []
    for size in (1, 2, 3, 40):  # also fewer rows than columns
        x = rng.normal(size=(size, k - 1)) * 10.0 ** np.arange(k - 1)
        z = np.column_stack([np.ones(size), x])
        w, y = rng.uniform(0.5, 2, size), rng.normal(size=size)
        wz = w[:, None] * z
        ends = [z.sum(axis=0), z.min(axis=0), z.max(axis=0)]
        moments.append(np.column_stack([wz.T @ z, wz.T @ y, *ends]))
        clean.append(size)
    found = spread(cleaned(np.array(moments), np.array(clean)), columns, 3.0, steady=False)
    assert found.moments is None
    for a, m in enumerate(moments):
        own = slice(a * k, (a + 1) * k)
        x, w, y = found.x[own], found.weight[own], found.y[own] - 3.0
        scale = np.sqrt(np.outer(np.diag(m), np.diag(m)))
        assert (np.abs((w[:, None] * x).T @ x - m[:, :k]) <= 1e-14 * scale).all()
        np.testing.assert_allclose(x.T @ (w * y), m[:, k], rtol=0, atol=1e-13 * np.abs(m).max())
        assert (x[:, 0] == 1).all()
        assert found.count[own].sum() == clean[a]


def cleaned(moments, sizes):
    """A clean sample of rows with moments."""
    n = len(sizes)
    zeros = np.zeros(n, dtype=np.int64)
    given = {"count": sizes, "square": sizes * 1.0, "moments": moments}
    empty = np.empty(0, dtype=np.int64)
    of_rows = (moments[:, 0, -4], zeros, zeros, empty, zeros, moments[:, 0, 0], None)
    return CleanData(*of_rows, [], zeros[:1], None, None, 0, True, None, **given)


EXPRESSIONS = [
    "np.log(x)",
    "np.sqrt(x)",
    "np.exp(x)",
    "x**2",
    "x**-1",
    "x**0.5",
    "1/n",
    "-x",
    "x/n",
    "I(x*n - 3)",
    "(x + 1)**-0.5",
    "n**3",
    "log(x) * exp(-n)",
    "1/(1 + np.exp(x))",
    "1/(np.exp(x) - np.exp(x))",
    "(x * 1e200)**2",
]


@BY_ENGINE
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_translations(text, engine):
    df = pd.DataFrame({"x": [-1.0, 0.0, 1.0, 2.5, 800.0], "n": [1, 2, -3, 0, 5]})
    frame = nw.from_native(ENGINES[engine](df))
    expression = translate(text, dict(frame.collect_schema()))
    found = frame.select(expression.alias("a")).collect("polars").to_native()["a"]
    known = {"np": np, "I": lambda v: v, "log": np.log, "exp": np.exp}
    with np.errstate(all="ignore"):
        want = eval(text, known | {name: df[name].to_numpy(dtype=float) for name in df})
    finite = np.isfinite(want)
    np.testing.assert_array_equal(found.is_not_null().to_numpy(), finite)
    np.testing.assert_allclose(found.drop_nulls().to_numpy(), want[finite], rtol=1e-14)


NOT_TRANSLATED = ("x > 1", "x @ x", "f(x)", "np.log(x, x)", "x ** n", "True", "'a'", "q")


@pytest.mark.parametrize("text", NOT_TRANSLATED)
def test_what_is_not_translated(text):
    with pytest.raises(Untranslatable):
        translate(text, dict.fromkeys(("x", "n"), nw.Float64()))
