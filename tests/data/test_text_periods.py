"""Periods and cohorts that are text: what the error proposes works when it is pasted."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from small_panels import assert_same, fit, panel, quiet_fit, refusal, where

import didjack

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@pytest.fixture(scope="module")
def df():
    """Periods 1 to 5, so that quarters and months are of one year and the next."""
    data = panel()
    return data.assign(t=data["t"] - 2000, g=(data["g"] - 2000).clip(lower=0))


@pytest.fixture(scope="module")
def plain(df):
    return fit(df)


def quarter(form):
    return lambda n: form.format(y=2020 + (n + 1) // 4, q=(n + 1) % 4 + 1)


def month(form):
    def written(n):
        at = n + 9  # October 2020 and on
        year, m = 2020 + at // 12, at % 12 + 1
        return form.format(y=year, m=m, name=MONTHS[m - 1])

    return written


def week(form):
    return lambda n: form.format(y=2020 if n < 3 else 2021, w=n + 51 if n < 3 else n - 2)


READ = {
    "PeriodIndex": [
        *map(quarter, ("{y}Q{q}", "{y}-Q{q}", "{y}q{q}", "{q}Q{y}", "{y} Q{q}", "Q{q} {y}")),
        *map(quarter, ("Q{q}-{y}", "{y}/Q{q}", "{y}:Q{q}", "{y}_q{q}", "{y}-Q0{q}", "{q}. Q {y}")),
        *map(month, ("{y}-{m:02}", "{y}/{m:02}", "{m:02}/{y}", "{y}.{m:02}", "{name} {y}")),
        *map(month, ("{name}-{y}", "{y} {name}", "{name}{y}", "{y}{m:02}", "{y}m{m}")),
        *map(month, ("{y}M{m:02}", "{y}_{m:02}", "{y}-M{m:02}", "{y}:{m:02}", "{y} {m:02}")),
        *map(week, ("{y}W{w:02}", "{y}-W{w:02}", "{y}w{w}")),
        *map(month, ("{y}-{m}", "{m}/{y}")),
        lambda n: f"2020-Q{n}" if n < 5 else "2021-Q1",
    ],
    "to_datetime": [
        "2020-0{}-01".format,
        "2020-0{}-01 00:00:00".format,
        "2020/0{}/01".format,
        "20200{}01".format,
        lambda n: str((pd.Period("2020-01") + n).end_time.date()),
        lambda n: str(pd.Timestamp("2020-02-26").date() + pd.Timedelta(days=n)),
    ],
    "to_numeric": [
        str,
        "200{}".format,
        "200{}.0".format,
        "wave {}".format,
        "W{}".format,
        "round-{} (main)".format,
        "FY200{}".format,
        lambda n: f"200{n}/0{n + 1}",
        lambda n: f"200{n}-200{n + 1}",
        lambda n: f"wave {n + 7}",  # 8, 9, 10, ...
    ],
}
FORMS = [(kind, form) for kind, forms in READ.items() for form in forms]
PLAIN = [
    "2020H{}".format,  # pandas has no half-years
    *map(quarter, ("{y}-{q}", "{q}/{y}")),  # or months
    "2020T{}".format,
    "Q{} 20".format,
    "spring {} 2020".format,
    lambda n: f"wave {n - 1}",  # 0 is never-treated
    lambda n: ["base", "first", "mid", "late", "end"][n - 1],
    lambda n: ["I", "II", "III", "IV", "V"][n - 1],
    lambda n: f"{96 + n}Q1",  # of which century
    lambda n: MONTHS[n] + " 20",
]
NEVER = (None, np.nan, "", "0", "never", "Never treated", 0, np.inf, "inf", "NaN", "NA")


def written(df, form, never=None, dtype=object):
    cohort = [form(int(n)) if n else never for n in df["g"]]
    columns = {"t": [form(int(n)) for n in df["t"]], "g": cohort}
    return df.assign(**{k: pd.Series(v, dtype=dtype) for k, v in columns.items()})


def pasted(df, message):
    """Run the code that a message ends with."""
    names = {"pd": pd, "np": np, "df": df.copy()}
    exec(message[message.index("df[") :], names)  # it is what users do
    return names["df"]


def refit(df, **options):
    message = refusal(df, "tname", "is not numeric", **options)
    return quiet_fit(pasted(df, message), **options)


def assert_same_numbers(result, plain):
    """And the same control groups, in the same order of periods."""
    assert_same(result, plain)
    assert result.glance()["n_units"].tolist() == plain.glance()["n_units"].tolist()


@pytest.mark.parametrize("at", range(len(FORMS)))
def test_remedies_work_when_pasted(df, plain, at):
    kind, form = FORMS[at]
    for dtype in (object, ("string", "category", "str")[at % 3]):
        text = written(df, form, dtype=dtype)
        message = refusal(text, "is not numeric", f"pd.{kind}(")
        assert_same_numbers(quiet_fit(pasted(text, message)), plain)


@pytest.mark.thin(5)
@pytest.mark.parametrize("never", NEVER, ids=repr)
@pytest.mark.parametrize("at", [0, 16, 31, 36, 42, 46])
def test_never_treated_stay_never_treated(df, plain, never, at):
    kind, form = FORMS[at]
    text = written(df, form, never)
    message = refusal(text, f"pd.{kind}(")
    assert_same_numbers(quiet_fit(pasted(text, message)), plain)


@pytest.mark.parametrize("form", PLAIN)
def test_plain_advice_where_no_code_is_right(df, form):
    message = refusal(written(df, form), "is not numeric", "number the periods 1, 2, 3, ...")
    assert "pd." not in message
    assert "df[" not in message


LABELS = ["baseline", "midline", "endline", "follow-up", "after all"]


@pytest.mark.parametrize("labels", [LABELS, ["wave 1", "wave 2", "wave 3", "wave 4", "wave 5"]])
def test_ordered_categories(df, plain, labels):
    kind = pd.CategoricalDtype(labels, ordered=True)
    name = lambda n: labels[n - 1]  # noqa: E731
    same = written(df, name, dtype=kind)
    own = same.assign(g=same["g"].astype(object).astype("category"))
    more = [labels[4], "never", labels[2]]
    never = same.assign(g=pd.Categorical(written(df, name, "never")["g"], more))
    for text in (same, own, never, same.assign(g=df["g"]), same.assign(g=same["g"].astype(object))):
        message = refusal(text, "df['t'] = df['t'].cat.codes + 1")
        assert_same_numbers(quiet_fit(pasted(text, message)), plain)
    # A missing period stays missing.
    gap = where(same, [3], "t", None).astype({"t": kind})
    numbers = where(df, [3], "t", np.nan)
    result = quiet_fit(pasted(gap, refusal(gap, ".replace(0, np.nan)")))
    assert_same(result, quiet_fit(numbers))
    # Cohorts that are no period: nobody knows where they belong.
    other = where(written(df, name).assign(t=same["t"]), [0, 1, 2, 3, 4], "g", "before")
    message = refusal(other, "name 'g'" if "wave" in labels[0] else "number the periods")
    assert "df[" not in message


def test_categories_in_the_order_of_words(df):
    """Sorted like words, wave 10 comes before wave 8."""
    text = written(df, lambda n: f"wave {n + 7}")
    text["t"] = pd.Categorical(text["t"], ordered=True)
    assert text["t"].cat.categories[0] == "wave 10"
    assert_same(refit(text), fit(df))


def test_unused_categories_are_periods(df):
    """An ordered category that nobody has is a wave without data."""
    kind = pd.CategoricalDtype(["a", "b", "c", "d", "e", "f"], ordered=True)
    text = written(df, lambda n: "abcdef"[n - (n < 3)], dtype=kind)
    moved = df.assign(t=df["t"] + (df["t"] > 2), g=df["g"] + (df["g"] > 2))
    assert_same(refit(text), fit(moved))


def test_one_column_of_text(df, plain):
    """The other one says what the text has to become."""
    periods = written(df, quarter("{y}Q{q}"))
    made = pasted(periods, refusal(periods, "tname"))
    text = periods.assign(t=made["t"])
    assert_same(quiet_fit(pasted(text, refusal(text, "gname 'g' is not numeric"))), plain)
    assert "df[" not in refusal(periods.assign(g=df["g"]), "tname", "number the periods")
    assert "df[" not in refusal(periods.assign(t=df["t"]), "gname", "number the periods")
    dates = written(panel(), "{}-01-01".format).assign(g=panel()["g"])
    assert_same(quiet_fit(pasted(dates, refusal(dates, ".dt.year"))), plain)
    years = written(df, str).assign(t=df["t"])
    assert_same(quiet_fit(pasted(years, refusal(years, "gname 'g' is not numeric"))), plain)


@pytest.mark.parametrize("form", ["2020Q{}".format, "2020-0{}".format, "wave {}".format, str])
@pytest.mark.parametrize("column", ["t", "g"])
def test_the_stray_value_is_shown(df, column, form):
    for dtype in (object, "string", "category"):
        text = where(written(df, lambda n: form(min(n, 4)), "0"), [7], column, "Total")
        message = refusal(
            text.astype({column: dtype}),
            f"{column}name '{column}' is not numeric: 1 row",
            "'Total'",
        )
        assert "(row 7)" in message


def tables_of_others(text):
    arrow = pa.Table.from_pandas(text, preserve_index=False)
    return {
        "polars": pl.from_arrow(arrow),
        "lazy": pl.from_arrow(arrow).lazy(),
        "arrow": arrow,
        "duckdb": duckdb.connect().from_arrow(arrow),
    }


@pytest.mark.parametrize("kind", ["polars", "lazy", "arrow", "duckdb"])
@pytest.mark.parametrize("cluster", ["cl", None])
@pytest.mark.parametrize("form", [quarter("{y}Q{q}"), "200{}".format, PLAIN[7]])
def test_no_code_of_pandas_for_other_tables(df, kind, cluster, form):
    message = refusal(
        tables_of_others(written(df, form))[kind], "'t' is not numeric", cluster=cluster
    )
    assert "pd." not in message
    assert "df[" not in message
    assert "number" in message.partition("first")[2]


def test_the_treatment_of_text_periods(df):
    text = written(df, quarter("{y}Q{q}"))
    text["on"] = (df["t"] >= df["g"]) & (df["g"] > 0)
    with pytest.raises(didjack.DataError, match="tname 't' is not numeric") as caught:
        didjack.first_treated(text, "on", "t", "id")
    made = pasted(text, str(caught.value))
    first = didjack.first_treated(made, "on", "t", "id")
    assert first.notna().sum() == (df["g"] > 0).sum()
