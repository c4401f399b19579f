"""Tables as text, LaTeX and HTML."""

import re
import warnings
from html.parser import HTMLParser

import pandas as pd
import pytest

import didjack
from didjack.reporting import regression_table
from didjack.reporting.numbers import decimals
from didjack.reporting.table import Table

NAMES = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}


def fit(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        result = didjack.csdid(didjack.datasets.load_mpdta(), **NAMES, **options)
        return result, result.aggregate("event")


@pytest.fixture(scope="module")
def fits():
    return [
        *fit(cluster="state", reference="t"),
        *fit(cluster="state", undefined="skip", xformla="~ lpop", base_period="universal"),
        *fit(vcov="bootstrap", xformla="~ lpop + I(lpop**2) + np.log(lpop + 3) + np.exp(lpop)"),
    ]


class Reader(HTMLParser):
    """Check that tags match, and collect rows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += int(dict(attrs).get("colspan", 1))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_summaries_fit_on_a_screen(fits):
    for result in fits:
        lines = str(result.summary()).splitlines()
        assert max(len(line) for line in lines) <= 100
        assert not any(re.search(r" - ", line) for line in lines)
        assert "CV3" in lines[7] or "bootstrap" in lines[7]


def test_summary_recomputes_intervals(fits):
    text = str(fits[1].summary(alpha=0.1))
    low = fits[1].tidy(0.1)["conf_low"].iloc[0]
    assert "[90% conf." in text
    assert f"{low:.4f}" in text


def test_long_covariates_are_cut_in_text_only(fits):
    long = fits[-1].options.xformla
    assert long not in str(fits[-1].summary())
    assert "~ lpop + I(lpop**2)" in str(fits[-1].summary())
    assert "np.log(lpop + 3)" in fits[-1].to_html()


def test_html(fits):
    for result in fits:
        rows = Reader(result.to_html()).rows
        assert set(rows) == {8}
        assert result._repr_html_() == result.to_html()


def latex_rows(text):
    for body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.S):
        for line in body[1].splitlines():
            if line.endswith(r"\\"):
                yield len(body[0]), line


def test_latex(fits):
    for result in fits:
        text = result.to_latex()
        for opened in ("table", "tabular", "minipage"):
            assert text.count(rf"\begin{{{opened}}}") == text.count(rf"\end{{{opened}}}") > 0
        rows = list(latex_rows(text))
        assert len(rows) > 8
        for columns, line in rows:
            assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
        assert not re.search(r"(?<!\\)[%#_]", text)
        assert "$-$0." in text


def test_latex_escapes():
    table = Table("50% & more_or_less", [], ["a", "b"], [[[r"x_1 ~ {y}^2 \ #", "-1.5"]]], [], "lr")
    text = table.as_latex()
    assert r"\caption{50\% \& more\_or\_less}" in text
    assert (
        r"x\_1 \textasciitilde{} \{y\}\textasciicircum{}2 \textbackslash{} \# & $-$1.5 \\" in text
    )


def test_html_escapes():
    table = Table("a < b", [], ["<i>"], [[["&"]]], ["x > y"], "l")
    text = table.as_html()
    assert "<i>" not in text
    assert "&lt;i&gt;" in text
    assert "x &gt; y" in text


def test_decimals():
    assert decimals(pd.Series([0.0123, 0.5])) == 4
    assert decimals(pd.Series([3000.0, 20.0])) == 2
    assert decimals(pd.Series([float("nan"), 0.0])) == 4
    assert decimals(pd.Series([1e-30])) == 10


# ---- several results ----------------------------------------------------------------------------


def cells_of(text, label):
    line = next(line for line in text.splitlines() if line.startswith(label))
    return line[len(label) :].split()


def test_regression_table(fits):
    event = fits[1], fits[3]
    text = str(regression_table(event, ["base", "with lpop"]))
    assert text.splitlines()[1].split("  ")[-1] == "with lpop"
    for label in (-3, 0, 3):
        want = [
            f"{result.tidy().set_index('event_time').loc[label, 'estimate']:.4f}"
            for result in event
        ]
        assert cells_of(text, f"event time {label}") == want
    lines = text.splitlines()
    after = lines[lines.index(next(row for row in lines if row.startswith("event time 0"))) + 1]
    errors = [r.tidy().set_index("event_time").loc[0, "std_error"] for r in event]
    assert after.split() == [f"({error:.4f})" for error in errors]
    assert cells_of(text, "Observations") == ["2,500", "2,500"]
    assert cells_of(text, "Clusters") == ["29", "29"]
    assert cells_of(text, "Base period") == ["varying", "universal"]
    assert "Outcome" not in text
    assert "(none)" in text
    assert "(reference)" in text
    assert "CV3 standard errors in parentheses." in text


def test_regression_table_keeps_the_order_of_events(fits):
    text = str(regression_table([fits[1], fits[3]]))
    found = [int(number) for number in re.findall(r"event time (-?\d+)", text)]
    assert found == [-4, -3, -2, -1, 0, 1, 2, 3]


def test_regression_table_of_a_mapping(fits):
    table = regression_table({"a": fits[0].aggregate("simple"), "b": fits[3]}, which="overall")
    assert table.header == ["", "a", "b"]
    assert [row[0] for row in table.body[0]] == ["overall ATT", ""]


def test_stars_only_on_request(fits):
    event = [fits[3]]
    assert "*" not in str(regression_table(event))
    starred = str(regression_table(event, stars=True))
    table = event[0]._statistics().set_axis(event[0]._targets.index)
    for label, row in table.drop([-1]).iterrows():
        name = "overall ATT" if label == "overall" else f"event time {label}"
        stars = sum(row["p_value"] < level for level in (0.1, 0.05, 0.01))
        assert cells_of(starred, name)[0].count("*") == stars
    assert "*** p < 0.01" in starred


def test_regression_table_in_all_formats(fits):
    table = regression_table(fits, digits=2, title="Employment")
    assert set(Reader(table.as_html()).rows) == {len(fits) + 1}
    assert r"\caption{Employment}" in table.as_latex()
    assert {columns for columns, _ in latex_rows(table.as_latex())} == {len(fits) + 1}
    assert table._repr_html_() == table.as_html()


def test_regression_table_options(fits):
    for arguments in (([],), (fits, ["one"])):
        with pytest.raises(didjack.OptionError, match="a name for each"):
            regression_table(*arguments)
    with pytest.raises(didjack.OptionError, match="'all', 'overall'"):
        regression_table(fits, which="most")
