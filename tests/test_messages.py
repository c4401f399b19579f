"""Messages, as many as can be provoked: what is in none of them, and what is in some."""

import inspect
import re
import warnings
from contextlib import suppress

import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import as_periods, assert_same, fit, panel, quiet_fit, refusal, where

import didjack

ARTEFACTS = {
    "double space": r"  ",
    "repr of numpy": r"\bnp\.(?!inf|nan|log|real|abs)\w+|dtype\(|array\(",
    "float of a whole number": r"\b(19|20)\d\d\.0\b|\bunit \d+\.0\b",
    "empty parentheses": r"(?<![\w.\]])\(\)",
    "wrong number": r"\b1 (row|unit|cluster|period|time|column|coefficient|number)s\b",
    "lost name": r"\bNone '|'None'|\bNone\b(?!, to|\)|;|$)| nan\b|''(?! )",
    "unfinished": r"( with| and| or|[,;:(])$",
    "midnight": r" 00:00:00",
    "control character": r"[\x00-\x1f\x7f]",
    "punctuation": r" [,;.](?![.\w])|[,;]{2}|;\s*;",
}


def heard(call):
    """Return all that a call says: the error and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except didjack.DidjackError as error:
            return [str(error), *(str(warning.message) for warning in caught)]
        finally:
            plt.close("all")
    return [str(warning.message) for warning in caught]


def tables():
    """Return tables with something odd in them, and options."""
    df = panel()
    fl = df.astype({"t": float, "g": float, "cl": float, "id": float})
    one = df["g"].where(df["cl"] == df["cl"].min(), 0).mask(df["cl"] == df["cl"].min(), 2003)
    hole = df[~((df["g"] == 2003) & (df["t"] == 2004))]
    return {
        "twice": (pd.concat([fl, fl.iloc[:1]]), {}),
        "cohorts": (where(fl, [0], "g", 2004.0), {}),
        "clusters": (where(fl, [0], "cl", 9.0), {}),
        "unbalanced": (fl.drop(index=[0]), {}),
        "missing": (where(fl, [0], "y", np.nan), {}),
        "no unit": (where(fl, [0], "id", np.nan), {}),
        "no cluster": (where(fl, [0], "cl", np.nan), {}),
        "mixed never": (where(fl, range(5), "g", np.nan), {}),
        "fraction": (where(fl, [0], "t", 2003.5), {}),
        "no cohort": (fl.assign(g=0.0), {}),
        "one cohort": (fl.assign(g=2003.0), {}),
        "no never": (fl.assign(g=fl["g"].replace(0, 2004)), {}),
        "early": (fl.assign(g=fl["g"].mask(fl["id"] < 4, 2001)), {}),
        "code": (fl.assign(g=fl["g"].replace(0, -1)), {}),
        "dummy": (df.assign(g=(df["g"] > 0) * 1), {}),
        "boolean": (df.assign(g=df["g"] > 0), {}),
        "one period": (fl[fl["t"] == 2001], {}),
        "one cluster": (fl.assign(cl=1.0), {}),
        "two clusters": (df.assign(cl=df["cl"] % 2), {"reference": "t"}),
        "one treated": (df.assign(g=one), {"vcov": "analytic"}),
        "one treated, skip": (df.assign(g=one), {"undefined": "skip", "reference": "t"}),
        "one treated, raise": (df.assign(g=one), {"undefined": "raise"}),
        "negative": (where(df, [3], "w", -1.0), {"weightsname": "w"}),
        "no weight": (df.assign(w=0.0), {"weightsname": "w"}),
        "wide": (where(df, [3], "w", 1e90), {"weightsname": "w"}),
        "stray": (where(fl, [5], "t", 20050.0), {}),
        "hole": (hole, {"allow_unbalanced_panel": True}),
        "text": (df.assign(y=df["y"].astype(str)), {}),
        "Total": (where(df.assign(y=df["y"].astype(str)), [7], "y", "Total"), {}),
        "large": (df.assign(y=df["y"] * 1e300), {}),
        "collinear": (df.assign(x1=1.0), {"xformla": "~ x1"}),
        "collinear, drop": (df.assign(x1=1.0), {"xformla": "~ x1", "collinear": "drop"}),
        "not finite": (df, {"xformla": "~ np.log(x1)"}),
        "no such column": (df, {"xformla": "~ nope"}),
        "odd names": (df.rename(columns={"y": "y\x1b[31m\t" + "z" * 1000}), {}),
    }


def dates():
    """Return tables whose periods are dates or Periods, with something odd in them."""
    df = panel()
    found = {}
    for freq in "YQMD":
        period, cohort = as_periods(df, "2020", freq)
        periods = df.assign(t=period, g=cohort)
        stamps = df.assign(t=period.dt.to_timestamp(), g=cohort.dt.to_timestamp())
        for kind, table in (("Period", periods), ("date", stamps)):
            found[f"{kind} {freq} twice"] = pd.concat([table, table])
            found[f"{kind} {freq} early"] = table.assign(g=table["g"].fillna(table["t"].min()))
            found[f"{kind} {freq} mixed"] = table.assign(g=df["g"])
        found[f"{freq} stray"] = where(stamps, [0], "t", pd.Timestamp("2020-01-07 13:00"))
        found[f"{freq} zone"] = stamps.assign(t=stamps["t"].dt.tz_localize("UTC"))
        found[f"{freq} other"] = stamps.assign(g=stamps["g"] + pd.Timedelta(hours=5))
    return found


def unusual():
    """Return other calls that warn, by what of."""
    df = panel()
    days = dict(zip(range(2001, 2006), pd.bdate_range("2020-01-01", periods=5), strict=True))
    first = df.loc[df["g"] > 0, "cl"].min()
    treated = df.assign(d=((df["g"] > 0) & (df["t"] >= df["g"])) * 1)
    unit = treated.loc[treated["g"] == 2003, "id"].unique()
    never = treated["id"].isin(unit[:1]) & (treated["t"] == 2002)
    last = treated["id"].isin(treated.loc[treated["g"] == 0, "id"].unique()[:2])
    always = treated.assign(d=treated["d"].mask(treated["id"].isin(unit[1:3]), 1))
    gaps = always[~never & ~(last & (treated["t"] == 2005))]
    keys = {"treatment": "d", "tname": "t", "idname": "id"}
    months = {year: 202011 + number for number, year in enumerate(range(2001, 2003))}
    months |= {year: 202101 + number for number, year in enumerate(range(2003, 2006))}
    quarters = dict(zip(range(2001, 2006), [20154, 20161, 20162, 20163, 20164], strict=True))
    calls = {
        "weekends": lambda: fit(df.assign(t=df["t"].map(days), g=df["g"].map(days))),
        "dominant": lambda: fit(
            df.assign(w=np.where(df["cl"] == first, 50.0, 1)), weightsname="w", reference="t"
        ),
        "zero weights": lambda: fit(where(df, range(25), "w", 0.0), weightsname="w"),
        "first treated": lambda: didjack.first_treated(gaps, **keys),
        "ever treated": lambda: didjack.first_treated(df.assign(d=(df["g"] > 0) * 1), **keys),
    }
    for name, code in (("months", months), ("quarters", quarters)):
        coded = df.assign(t=df["t"].map(code), g=df["g"].map(code).fillna(0))
        calls[name] = lambda coded=coded: fit(coded)
        calls[f"{name}, polars"] = lambda coded=coded: fit(pl.from_pandas(coded))
    return calls


def warned(call):
    """Return the warnings of a call of the package, as pairs of category and text."""
    with warnings.catch_warnings(record=True) as caught, suppress(didjack.DidjackError):
        warnings.simplefilter("always")
        call()
    own = [one for one in caught if issubclass(one.category, didjack.DidjackWarning)]
    return [(one.category, str(one.message)) for one in own]


def calls_of(table, options):
    """Yield calls that fit a table in some ways, and calls of methods of what comes of it."""
    for more in ({}, {"vcov": "analytic"}, {"reference": "t"}, {"control_group": "notyettreated"}):
        yield lambda more=more: fit(table, **options | more)
    try:
        result = quiet_fit(table, **options)
    except didjack.DidjackError:
        return
    yield result.pretest
    yield result.wald_test
    for kind in ("simple", "event", "group", "calendar"):
        yield lambda kind=kind: result.aggregate(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        simple = result.aggregate("simple")
    yield lambda: simple.randomization_test(n_permutations=20)
    yield simple.placebo_test


def assert_short(said):
    """At most 30 words each; of a kind, which is what two texts begin with, one at most."""
    for category, text in said:
        assert len(text.split()) <= 30, text
        assert category.__name__ in didjack.__all__
    kinds = [(category, re.sub(r"\d+", "#", text)[:30]) for category, text in said]
    assert len(set(kinds)) == len(kinds), said
    designs = [category for category, _ in said if category is not didjack.SampleWarning]
    assert len(set(designs)) == len(designs), said


@pytest.mark.parametrize("kind", tables())
def test_warnings_are_short_and_one_of_a_kind(kind):
    if kind == "odd names":
        return
    for call in calls_of(*tables()[kind]):
        assert_short(warned(call))


@pytest.mark.parametrize("kind", dates())
def test_warnings_about_dates_are_short(kind):
    assert_short(warned(lambda: fit(dates()[kind])))


@pytest.mark.parametrize("kind", unusual())
def test_unusual_warnings_are_short(kind):
    said = warned(unusual()[kind])
    assert said
    assert_short(said)


def assert_clean(texts):
    for text in texts:
        for what, pattern in ARTEFACTS.items():
            assert not re.search(pattern, text), f"{what}: {text}"


@pytest.mark.parametrize("kind", tables())
def test_messages_about_data(kind):
    table, options = tables()[kind]
    texts = heard(lambda: fit(table, **options))
    assert texts
    assert_clean(texts)
    assert max(map(len, texts)) < 700


OTHERS = {
    "polars": pl.from_pandas,
    "lazy": lambda df: pl.from_pandas(df).lazy(),
    "arrow": lambda df: pa.Table.from_pandas(df, preserve_index=False),
    "duckdb": lambda df: duckdb.connect().from_arrow(pl.from_pandas(df).to_arrow()),
}
PANDAS = re.compile(r"\bpd\.|\bdf\[|\.dt\.|\.cat\.|groupby|reset_index|pandas")


@pytest.mark.slow
@pytest.mark.parametrize("package", OTHERS)
def test_no_code_of_pandas_for_other_tables(package):
    for kind, (table, options) in tables().items():
        if kind == "odd names":
            continue
        texts = heard(lambda: fit(OTHERS[package](table.reset_index(drop=True)), **options))  # noqa: B023
        assert_clean(texts)
        for text in texts:
            assert not PANDAS.search(text), text
    for kind, table in dates().items():
        if "Period" in kind or "mixed" in kind:
            continue
        data = table.reset_index(drop=True).assign(t=table["t"].astype(str).to_numpy())
        data["t"] = pd.to_datetime(data["t"], format="mixed")
        for text in heard(lambda: fit(OTHERS[package](data))):  # noqa: B023
            assert not PANDAS.search(text), text


@pytest.mark.parametrize("kind", dates())
def test_messages_about_dates(kind):
    texts = heard(lambda: fit(dates()[kind]))
    assert texts
    assert_clean(text.replace(" 13:00:00", "") for text in texts)


@pytest.fixture(scope="module")
def results():
    df = panel()
    made = [fit(df), fit(df, vcov="analytic")]
    return made + [result.aggregate("event") for result in made]


VALUES = (np.float64(7.5), np.int64(-3), "zzz", [np.int64(1)], object)


@pytest.mark.slow
@pytest.mark.parametrize("place", [1, 2])  # each kind of result, each kind of standard errors
def test_messages_of_methods(results, place):
    """A method that is called wrongly speaks of itself, and of no class of the package."""
    result = results[place]
    for name in dir(result):
        method = getattr(result, name, None) if not name.startswith("_") else None
        if not callable(method) or name == "of":
            continue
        texts = [*heard(method), *heard(lambda: method(nonsense=1))]  # noqa: B023
        assert any("unknown option 'nonsense'" in text for text in texts), name
        needed = {"weights": np.ones(len(result.tidy()))} if name == "lincomb" else {}
        for option in inspect.signature(method).parameters:
            for value in VALUES[place:]:
                if option not in ("unknown", "ax", "n_permutations"):
                    said = heard(lambda: method(**needed | {option: value}))  # noqa: B023
                    texts += said
                    if said and name != "plot":
                        own = (
                            option,
                            f"{name}(",
                            "all weights",
                            "weights must be",
                            "array of weights",
                            "no coefficient",
                        )
                        assert any(word in said[0] for word in own), (name, option, said)
        assert_clean(texts)
        for text in texts:
            assert not re.search(r"Result\.|Hypotheses\.|Estimates\.|(?<!\w)_\w+\(", text), text


def test_missing_arguments_of_methods(results):
    with pytest.raises(didjack.UnknownOptionError, match="weights is required"):
        results[0].lincomb()
    with pytest.raises(didjack.UnknownOptionError, match="unknown option 'x'; there are none"):
        results[0].influence(x=1)
    with pytest.raises(didjack.OptionError, match=r"kind must be .* got 'zzz'"):
        results[0].vcov("zzz")
    for name in ("influence", "replicates"):
        with pytest.raises(didjack.OptionError, match=rf"^{name}\(\) needs the jackknife"):
            getattr(results[1], name)()


# ---- what some messages have to say -------------------------------------------------------------


@pytest.mark.parametrize("package", ["pandas", *OTHERS])
@pytest.mark.parametrize(("column", "value"), [("cl", 9), ("g", 2004)])
def test_units_that_move(package, column, value):
    """Both remedies work when they are followed."""
    df = panel()
    moved = where(df, [2], column, value).astype({column: int})
    table = OTHERS.get(package, lambda df: df)(moved)
    message = refusal(table, "1 unit of 'id' in more than one", "panel=False without idname")
    quiet_fit(table, panel=False, idname=None)
    code = message.partition(", with df")[2]
    if package == "arrow":
        assert message.endswith("give a unit the value of its first period")
        return
    names = {"df": table, "pl": pl}
    exec("df" + code, names)
    first, other = quiet_fit(names["df"]), quiet_fit(df)
    np.testing.assert_allclose(first.tidy()["estimate"], other.tidy()["estimate"], rtol=1e-10)


@pytest.mark.thin(3)
@pytest.mark.parametrize("package", ["pandas", *OTHERS])
@pytest.mark.parametrize("column", ["y", "w"])
@pytest.mark.parametrize("cluster", ["cl", None])
def test_text_among_numbers_as_text(package, column, cluster):
    df = panel().rename(columns={"y": "its y", "w": "w's"})
    column = {"y": "its y", "w": "w's"}[column]
    options = {"yname": "its y", "weightsname": "w's", "cluster": cluster}
    text = df.assign(**{column: df[column].astype(str)})
    stray = where(text, [7], column, "Total")
    gone = quiet_fit(where(df, [7], column, np.nan), **options)
    for data, plain in ((text, quiet_fit(df, **options)), (stray, gone)):
        table = OTHERS.get(package, lambda df: df)(data)
        message = refusal(table, f"{column!r} is not numeric", **options)
        if data is stray:
            assert "1 row; first: 'Total'" in message
        if package == "arrow":
            continue
        names = {"df": table, "pl": pl, "pd": pd}
        exec(re.search(r"df.*(?= converts the strings)", message)[0], names)
        made = quiet_fit(names["df"], **options)
        np.testing.assert_allclose(made.tidy()["estimate"], plain.tidy()["estimate"], rtol=1e-9)


@pytest.mark.parametrize("kind", [object, "string", "category", "str"])
def test_numbers_with_commas(kind):
    df = panel()
    y = (1e4 * df["y"]).round()
    thousands = df.assign(y=y.map("{:,.0f}".format).astype(kind))
    names = {"df": thousands, "pd": pd}
    message = refusal(thousands, "is not numeric")
    exec(re.search(r"df.*(?= converts the strings)", message)[0], names)
    assert_same(quiet_fit(names["df"]), quiet_fit(df.assign(y=y)))
    # A comma may be that of decimals: no code is proposed.
    decimals = df.assign(y=df["y"].map("{:.2f}".format).str.replace(".", ",").astype(kind))
    assert "replace" not in refusal(decimals, "is not numeric", "convert the strings to numbers")


@pytest.mark.parametrize("package", ["pandas", "lazy"])
def test_a_stray_period_that_drops_nearly_all(package):
    df = panel()
    stray = pd.concat([df, df[df["id"].isin([1, 13, 25, 30])].drop_duplicates("id").assign(t=2050)])
    texts = heard(lambda: fit(OTHERS.get(package, lambda df: df)(stray)))
    (text,) = [text for text in texts if "not observed in all 6 periods" in text]
    assert "is 2050 a stray period (4 of 244 rows)?" in text
    few = heard(lambda: fit(OTHERS.get(package, lambda df: df)(df.drop(index=[0, 7]))))
    assert not any("stray" in text for text in few)


@pytest.mark.parametrize("as_dates", [True, False])
def test_weekends_count(as_dates):
    df = panel()
    days = pd.bdate_range("2020-01-01", periods=5)  # from a Wednesday on
    days = days if as_dates else days.to_period("D")
    number = dict(zip(range(2001, 2006), days, strict=True))
    table = df.assign(t=df["t"].map(number), g=df["g"].map(number))
    texts = heard(lambda: fit(table))
    (text,) = [text for text in texts if "weekends" in text]
    assert "from 2020-01-03 to 2020-01-06 are 3 periods" in text
    assert "number the periods 1, 2, 3, ..." in text
    assert len(text.split()) <= 30
    week = dict(zip(range(2001, 2006), pd.date_range("2020-01-06", periods=5), strict=True))
    for other in (week, dict(zip(week, pd.date_range("2020-01-03", periods=5), strict=True))):
        said = heard(lambda: fit(df.assign(t=df["t"].map(other), g=df["g"].map(other))))  # noqa: B023
        assert not any("weekend" in text for text in said)


def test_long_names_and_control_characters():
    df = panel()
    odd = "y\x1b[31m\t\x07" + "z" * 5000
    message = refusal(df.rename(columns={"y": odd}), "data has no column 'y'", r"y\x1b[31m \x07zz")
    assert len(message) < 200
    text = df.rename(columns={"y": odd}).assign(**{odd: "text"})
    message = refusal(text, "is not numeric", yname=odd)
    assert len(message) < 400
    labels = df.assign(id=df["id"].map(lambda i: f"\x1b[1m{i:03}" + "u" * 5000))
    message = refusal(pd.concat([labels, labels.iloc[:1]]), r"\x1b[1m001uuu")
    assert len(message) < 400
    with pytest.warns(didjack.SampleWarning) as caught:
        fit(where(labels, [0], "y", np.nan))
    assert all(len(str(one.message)) < 400 and str(one.message).isprintable() for one in caught)
