"""Tables of one result as text, LaTeX and HTML."""

import random
import re
import warnings
from html.parser import HTMLParser
from io import StringIO

import numpy as np
import pandas as pd
import pytest

import didjack
from didjack.reporting.tables.grid import decimals
from didjack.reporting.tables.table import Table

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
    """Check that tags match."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)

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
        text = result.to_html()
        design, coefficients = pd.read_html(StringIO(text))
        assert design.iloc[:, 1].dropna().tolist()[:2] == ["lemp", "doubly robust"]
        assert list(coefficients.columns)[1:3] == ["ATT", "std. error"]
        rows = coefficients.dropna(subset=["ATT"]).iloc[:-1]  # the last has the notes
        estimates = rows["ATT"].str.replace("\N{MINUS SIGN}", "-").astype(float)
        np.testing.assert_allclose(estimates, result._view.statistics()["estimate"], atol=5e-5)
        assert result._repr_html_() == text


def test_html_reads_in_light_and_dark(fits):
    text = fits[1].to_html()
    Reader(text)
    assert not re.search(r"(background|color):? ?#|black|white;", text)
    assert "transparent" in text
    assert "currentColor" in text
    assert "id=" not in text
    style = text[text.index("<style>") + len("<style>") : text.index("</style>")]
    for rule in re.findall(r"([^{}]+)\{", style):
        assert all(one.strip().startswith(".didjack-") for one in rule.split(","))


def test_latex(fits):
    for result in fits:
        text = result.to_latex()
        for opened in ("table", "tabular", "tablenotes", "threeparttable"):
            assert text.count(rf"\begin{{{opened}}}") == text.count(rf"\end{{{opened}}}") == 1
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(rows) > 7
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {6}
        assert not re.search(r"(?<!\\)[%#_]", text)
        assert "$-$0." in text
        assert "status" not in text.replace("the status says why", "")
        assert "Outcome: lemp; " in text


def test_base_periods_are_named(fits):
    assert "event time $-$1 (base) &" in fits[3].to_latex()
    assert "event time \N{MINUS SIGN}1 (base)" in fits[3].to_html()
    assert "event time -1 (base)" in str(fits[3].summary())


def test_latex_escapes():
    nasty = r"x_1 ~ {y}^2 \ # | [a] *b* <c> d"
    table = Table("50% & more_or_less", [], ["a", "b"], [[[nasty, "-1.5"]]], ["$1"], "lr")
    text = table.as_latex()
    assert r"\caption{50\% \& more\_or\_less}" in text
    assert (
        r"x\_1 $\sim$ \{y\}\textasciicircum{}2 \textbackslash{} \# \textbar{} {[}a] *b* "
        r"\textless{}c\textgreater{} d & " in text
    )
    assert r"\$1" in text


def test_html_escapes():
    table = Table("a < b", [], ["", "<i>"], [[["<script>", "&"]]], ["x > y"], "ll")
    text = table.as_html()
    assert "<i>" not in text
    assert "<script>" not in text
    assert "&lt;i&gt;" in text
    assert "&lt;script&gt;" in text
    assert "x &gt; y" in text


def test_decimals():
    assert decimals(pd.Series([0.0123, 0.5])) == 4
    assert decimals(pd.Series([3000.0, 20.0])) == 2
    assert decimals(pd.Series([float("nan"), 0.0])) == 4
    assert decimals(pd.Series([1e-30])) == 10


def test_numbers_stand_in_line_in_latex():
    column = ["-10.50***", "1.25", "(0.75)", "2,500", "[0.5, 1.5]", "none"]
    text = Table("", [], ["", "a"], [[[str(i), one] for i, one in enumerate(column)]], [], "lc")
    cells = [line.split(" & ")[1] for line in text.to_latex().splitlines() if line.endswith(r"\\")]
    assert cells[1:] == [
        r"$-$10.50*** \\",
        r"\phantom{$-$0}1.25\phantom{***} \\",
        r"\phantom{$-$00.00}\llap{(0.75}\rlap{)}\phantom{***} \\",
        r"2,500 \\",
        r"{[}0.5, 1.5] \\",
        r"none \\",
    ]


def test_showing_a_table_draws_no_random_numbers(tmp_path):
    result = didjack.csdid(
        didjack.datasets.load_mpdta(), "lemp", "year", "first.treat", "countyreal"
    )
    table = didjack.etable([result])
    for show in (
        result.to_html,
        result._repr_html_,
        result.summary().to_html,
        table.to_html,
        table._repr_html_,
        lambda: table.save(tmp_path / "table.html"),
        lambda: table.save(tmp_path / "table.tex"),
    ):
        before = random.getstate()
        show()
        assert random.getstate() == before


# siunitx ----------------------------------------------------------------------------------------


def test_siunitx_has_numbers_as_they_are_typed():
    column = ["-10.50***", "1.25", "(0.75)", "2,500", "[-0.5, 1.5]", "none", "3.00†"]
    body = [[[str(i), one, "x_1"] for i, one in enumerate(column)]]
    table = Table("50%", [], ["", "a [b]", "c"], body, ["n"], "lcc", label="tab:x")
    lines = [line.rstrip() for line in table.to_latex(style="siunitx").splitlines()]
    assert lines[:5] == [
        r"\begin{table}[htbp]",
        r"\centering",
        r"\begin{threeparttable}",
        r"\caption{50\%}",
        r"\label{tab:x}",
    ]
    (begin,) = [line for line in lines if line.startswith(r"\begin{tabular}")]
    room = r"table-format=-2.2, table-space-text-pre=(, table-space-text-post=$^{\dagger}$"
    assert begin == rf"\begin{{tabular}}{{@{{}}lS[{room}]c@{{}}}}"
    cells = [line.split("&")[1].strip() for line in lines if line.endswith(r"\\")]
    assert cells == [
        "{a [b]}",
        "-10.50$^{***}$",
        "1.25",
        "(0.75)",
        "{2,500}",
        "{$[-0.5, 1.5]$}",
        "{none}",
        r"3.00$^{\dagger}$",
    ]
    assert not re.search(r"phantom|llap|rlap|makecell", "\n".join(lines))
    fragment = table.to_latex(fragment=True, style="siunitx")
    assert fragment.startswith(r"\begingroup")
    assert fragment.endswith(r"\endgroup")
    assert "tablenotes" not in fragment


def test_siunitx_has_every_row_of_the_table(fits):
    for table in (fits[0].summary(), didjack.etable(fits[:2], groups=["A", ""])):
        text = table.to_latex(style="siunitx")
        rows = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
        count = sum(map(len, table.body)) + 1 + bool(table.groups)
        assert len(rows) == count
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows[-3:]} == {len(table.header) - 1}
    with pytest.raises(didjack.OptionError, match="style must be one of 'plain', 'siunitx'"):
        fits[0].summary().to_latex(style="dcolumn")


def test_mathematics_is_for_latex_that_is_told_so():
    body = [[["$t = -1$ & 5%", "1.5"]]]
    plain = Table("", [], ["", "$g$"], body, ["costs $5"], "lc")
    maths = Table("", [], ["", "$g$"], body, ["costs $5"], "lc", math=True)
    for style in ("plain", "siunitx"):
        assert r"\$t = $-$1\$ \& 5\%" in plain.to_latex(style=style)
        text = maths.to_latex(style=style)
        assert r"$t = -1$ \& 5\%" in text
        assert "$g$" in text
        assert r"costs \$5" in text
    assert "$t = -1$" in str(maths)
