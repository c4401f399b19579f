"""Several results in one table: what it shows, what it refuses, and what it is written to."""

import re
import warnings
from io import StringIO
from types import SimpleNamespace

import docx
import numpy as np
import pandas as pd
import pytest

import didjack
from didjack import etable

NAMES = ["lemp", "year", "first.treat", "countyreal"]
EVENT_TIMES = [f"event time {e}" for e in range(-4, 4)]


@pytest.fixture(scope="module")
def fits():
    df = didjack.datasets.load_mpdta()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        varying = didjack.csdid(df, *NAMES, cluster="state", undefined="nan")
        universal = didjack.csdid(df, *NAMES, "~ lpop", cluster="state", base_period="universal")
        return SimpleNamespace(
            cells=varying,
            varying=varying.aggregate("event"),
            universal=universal.aggregate("event"),
            simple=universal.aggregate("simple"),
            group=universal.aggregate("group"),
        )


@pytest.fixture(scope="module")
def pair(fits):
    return {"base": fits.varying, "with lpop": fits.universal}


def cells_of(table, label):
    """The cells of a row of a table's text."""
    line = next(line for line in str(table).splitlines() if line.startswith(label + " "))
    return line[len(label) :].split()


def labels_of(table):
    return [row[0] for row in table.body[0] if row[0]]


# What it shows --------------------------------------------------------------------------------


def test_estimates_and_errors(pair):
    table = etable(pair)
    text = str(table)
    assert table.header == ["", "base", "with lpop"]
    frames = [result.tidy().set_index("event_time") for result in pair.values()]
    for e in (-3, 0):
        assert cells_of(table, f"event time {e}") == [f"{f.loc[e, 'estimate']:.4f}" for f in frames]
    lines = text.splitlines()
    after = lines[next(i for i, row in enumerate(lines) if row.startswith("event time 0")) + 1]
    assert after.split() == [f"({frame.loc[0, 'std_error']:.4f})" for frame in frames]
    assert cells_of(table, "Observations") == ["2,500", "2,500"]
    assert cells_of(table, "Clusters") == ["29", "29"]
    assert cells_of(table, "Base period") == ["varying", "universal"]
    assert "Outcome" not in text
    assert "CV3 standard errors in parentheses." in text


def test_gaps_are_explained(pair):
    text = str(etable(pair))
    assert "(none)" in text
    assert "(base)" in text
    assert "(base): base period, zero by construction." in text
    assert re.search(r"No standard error \(undefined: .*\):\s+event time 2 in base", text, re.S)


def test_coefficients_that_some_columns_lack(fits):
    table = etable([fits.varying, fits.universal, fits.simple])
    assert labels_of(table) == [*EVENT_TIMES, "overall ATT"]
    first, _, last = table.body[0][0][1:]
    assert first == last == ""
    assert table.to_frame().loc[("event time -4", "estimate")].isna().tolist() == [
        True,
        False,
        True,
    ]


def test_rows_can_be_chosen_and_named(pair, fits):
    table = etable(pair, keep="event time -", drop=["event time -4"], order="-1")
    assert labels_of(table) == ["event time -1", "event time -3", "event time -2"]
    rename = {r"event time (\d+)": r"\1 years after", "overall ATT": "ATT"}
    table = etable(pair, rename=rename, drop="-", order=["overall ATT"])
    assert labels_of(table) == ["ATT", *(f"{e} years after" for e in range(4))]
    # A name stands for itself alone, and what is a pattern too is read as a name.
    assert labels_of(etable([fits.cells], keep=["ATT(2004, 2004)"])) == ["ATT(2004, 2004)"]
    assert labels_of(etable([fits.group], keep="cohort 2004")) == ["cohort 2004"]


def test_coefficients_of_several_results_under_one_name(fits):
    rename = {"cohort 2004": "first", "event time 0": "first"}
    table = etable([fits.group, fits.universal], rename=rename, keep=list(rename))
    want = [fits.group.tidy()["estimate"].iloc[0], fits.universal.tidy()["estimate"].iloc[4]]
    assert labels_of(table) == ["first"]
    assert table.to_frame().loc[("first", "estimate")].tolist() == want


def test_overall_alone(pair, fits):
    assert labels_of(etable({"a": fits.simple, **pair}, which="overall")) == ["overall ATT"]
    with pytest.raises(didjack.OptionError, match=r"needs aggregated effects; .* aggregate\(\) it"):
        etable([fits.cells], which="overall")


def test_what_stands_below_estimates(fits):
    row = fits.universal.overall
    ci = etable([fits.universal], cells="ci", keep="overall", digits=3)
    assert ci.body[0][1] == ["", f"[{row['conf_low']:.3f}, {row['conf_high']:.3f}]"]
    assert ci.notes[0] == "95% confidence intervals in brackets, from CV3 standard errors."
    p = etable([fits.universal], cells="p", keep="overall")
    assert p.body[0][1] == ["", f"[{row['p_value']:.3f}]"]
    assert p.notes[0] == "p-values in brackets, from CV3 standard errors."


@pytest.mark.parametrize(
    ("stars", "cutoffs"),
    [
        (True, {"***": 0.01, "**": 0.05, "*": 0.1}),
        ((0.1, 0.2), {"**": 0.1, "*": 0.2}),
        ({"†": 0.5}, {"†": 0.5}),
    ],
)
def test_stars_only_on_request(fits, stars, cutoffs):
    assert not any("*" in cell for row in etable([fits.universal]).body[0] for cell in row)
    table = etable([fits.universal], stars=stars)
    values = fits.universal.tidy()["p_value"]
    shown = [row[1] for row in table.body[0] if row[0].startswith("event")]
    imputed = fits.universal.tidy()["status"].str.startswith("imputed")
    flag = "‡" if "†" in cutoffs else "†"
    assert imputed.any()
    assert [flag in text for text in shown] == imputed.tolist()
    assert any(note.startswith(f"{flag} Not identified without") for note in table.notes)
    shown = [text.replace(flag, "") for text in shown]
    for text, p in zip(shown, values, strict=True):
        marks = [mark for mark, level in cutoffs.items() if p < level]  # NaN: none
        assert re.sub(r"[-\d.]", "", text) == (marks[0] if marks else "")
    assert all(f"{mark} p < {level}" in " ".join(table.notes) for mark, level in cutoffs.items())


def test_extra_rows_groups_and_notes(pair):
    table = etable(
        pair,
        digits=2,
        extra_rows={"Mean": [5.774, np.nan], "N": [1234, None], "Effects": [True, False]},
        groups={"Panel A of counties, all years": ["base", "with lpop"]},
        notes=["One.", "Two."],
    )
    assert table.body[1][:3] == [["Mean", "5.77", ""], ["N", "1,234", ""], ["Effects", "yes", "no"]]
    assert table.notes[-2:] == ["One.", "Two."]
    lines = str(table).splitlines()
    assert lines[1].strip() == "Panel A of counties, all years"
    assert set(lines[2].strip()) == {"-"}
    assert len(lines[2]) == len(lines[0])


def test_columns_of_the_data_have_names(fits):
    both = {"emp": fits.simple, "pop": fits.group}
    table = etable(both, labels={"lpop": "log population", "state": "states"}, which="overall")
    assert "Covariates" not in str(table)  # the same in both
    one = etable([fits.varying, fits.universal], labels={"lpop": "log of the population"})
    assert ["Covariates", "none", "(a)"] in one.body[-1]
    assert "(a) Covariates: ~ log of the population." in one.notes
    short = etable([fits.varying, fits.universal], labels={"lpop": "pop"})
    assert ["Covariates", "none", "~ pop"] in short.body[-1]


def test_controls_are_said_in_a_word(fits):
    table = etable([fits.varying, fits.universal], controls="Yes")
    assert ["Controls", "No", "Yes"] in table.body[-1]
    assert not [row for row in table.body[-1] if row[0] == "Covariates"]
    assert ["Controls", "Yes"] in etable(fits.simple, controls="Yes").body[-1]


def test_long_formulas_are_explained_below():
    df = didjack.datasets.load_castle()
    formulas = ["~ poverty + unemployrt", "~ poverty + l_prisoner", "~ poverty", None]
    names = ["l_homicide", "year", "cohort", "sid"]
    results = [
        didjack.csdid(df, *names, formula, est_method="reg").aggregate("simple")
        for formula in [*formulas, formulas[0]]
    ]
    table = etable(results)
    assert ["Covariates", "(a)", "(b)", "~ poverty", "none", "(a)"] in table.body[-1]
    assert table.notes[-2:] == [
        "(a) Covariates: ~ poverty + unemployrt.",
        "(b) Covariates: ~ poverty + l_prisoner.",
    ]


def test_decimal_points_stand_in_line(pair):
    lines = str(
        etable({"one": pair["with lpop"]}, stars=True, keep=["event", "overall"])
    ).splitlines()
    points = {line.index(".") for line in lines[3:-12] if re.search(r"\d\.\d", line)}
    assert len(points) == 1


def test_values_are_not_rounded(pair):
    frame = etable(pair).to_frame()
    assert frame.columns.tolist() == ["base", "with lpop"]
    want = pair["with lpop"].tidy().set_index("event_time")
    assert frame.loc[("event time 0", "std_error"), "with lpop"] == want.loc[0, "std_error"]
    frame.iloc[:] = 0
    assert etable(pair).to_frame().iloc[2, 0] != 0


# What it is written to ------------------------------------------------------------------------

NASTY = "50% of_x & {y} $z$ #1 ~^\\ <script>alert('é')</script> *b* [c] | `d` @e"


@pytest.fixture(scope="module")
def nasty(fits):
    return etable(
        {NASTY: fits.universal, "two": fits.varying},
        rename={"overall ATT": NASTY},
        extra_rows={NASTY: [NASTY, ""]},
        groups=[NASTY, ""],
        caption=NASTY,
        notes=NASTY,
        stars=True,
    )


def test_html(nasty):
    text = nasty.to_html()
    assert "<script" not in text
    assert "alert(&#x27;é&#x27;)" in text
    found = pd.read_html(StringIO(text))[0]
    assert set(found.columns[1]) == {NASTY}
    assert NASTY in found.iloc[:, 0].tolist()
    assert nasty._repr_html_() == text


def test_styles_are_for_what_is_there(nasty):
    text = nasty.to_html()
    style, _, table = text.partition("</style>")
    assert {name for name in re.findall(r"\.(gt_\w+)", style) if name not in table} == set()


def test_markdown(nasty):
    text = nasty.to_markdown()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert re.fullmatch(r"\|:-+\|-+:\|-+:\|", rows[1])
    title, note = text.split("\n\n")[0], text.split("\n\n")[-1]
    assert title == note == re.sub(r"([\\`*_\[\]<>|~$#&])", r"\\\1", NASTY)


def test_word(nasty, tmp_path):
    nasty.to_word(tmp_path / "table.docx")
    document = docx.Document(tmp_path / "table.docx")
    rows = [[cell.text.strip() for cell in row.cells] for row in document.tables[0].rows]
    assert rows[1] == ["", NASTY, "two"]
    shown = {row[0]: row[1:] for row in rows if row[0]}
    for label, *cells in nasty.body[0]:
        if label:
            assert shown[label.replace(" -", " \N{MINUS SIGN}")][0].replace(
                "\N{MINUS SIGN}", "-"
            ) in (cells[0], NASTY)
    assert any(NASTY in paragraph.text for paragraph in document.paragraphs)
    assert NASTY in rows[-1][0]


def test_typst(nasty):
    text = nasty.to_typst()
    assert text.startswith("#figure([")
    assert r"50% of\_x & {y} \$z\$ \#1 \~^\\ \<script\>" in text
    assert not re.search("[\ue000-\uf8ff\U0010f000-\U0010ffff]", text)


def test_table_without_caption_floats_not(pair):
    assert etable(pair).to_latex().startswith(r"\begin{threeparttable}")
    whole = etable(pair, caption="C", label="tab:c").to_latex()
    assert whole.startswith("\\begin{table}[htbp]\n\\centering\n\\caption{C}\n\\label{tab:c}")
    part = etable(pair, caption="C", label="tab:c", fragment=True)
    assert part.to_latex() == etable(pair).to_latex(fragment=True)
    assert part.to_latex(fragment=False) == whole
    assert not re.search("caption|label|threeparttable|minipage", part.to_latex())


@pytest.mark.parametrize("suffix", [".tex", ".html", ".md", ".typ", ".txt", ".csv", ".docx"])
def test_files(pair, tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    path.write_text("what was there")
    table = etable(pair, file=path, caption="Émployment")
    if suffix == ".docx":
        assert docx.Document(path).tables
        return
    text = path.read_text("utf-8")
    assert "what was there" not in text
    assert text.endswith("\n")
    assert ("Émployment" in text) == (suffix != ".csv")
    table.save(str(path))
    assert path.read_text("utf-8") == text
    if suffix == ".csv":
        assert pd.read_csv(path, index_col=0, dtype=str).loc["Clusters"].tolist() == ["29", "29"]


# What it refuses ------------------------------------------------------------------------------

REFUSED = [
    ({"results": []}, "got 0 results and 0 names"),
    ({"names": ["one"]}, "got 2 results and 1 name"),
    ({"names": "ab"}, "names must be a list of strings; got 'ab'"),
    ({"which": "most"}, "which must be one of 'all', 'overall'; got 'most'"),
    ({"cells": "t"}, "cells must be one of 'se', 'ci', 'p'; got 't'"),
    ({"digits": 2.5}, "digits must be .* got 2.5"),
    ({"stars": "yes"}, "stars must be .* got 'yes'"),
    ({"stars": ()}, r"stars must be .* got \(\)"),
    ({"stars": (5,)}, "stars must be .* got 5"),
    ({"stars": (0.1, 0.1)}, "different cut-offs"),
    ({"stars": {"1": 0.1}}, "marks without digits"),
    ({"stars": {"*": "a"}}, "stars must be .* got 'a'"),
    (
        {"keep": "event tme 0"},
        "keep='event tme 0' matches no coefficient.*did you mean 'event time",
    ),
    ({"drop": ["("]}, "drop=.*nor a regular expression"),
    ({"order": 3}, "order must be .* got 3"),
    ({"keep": "overall", "drop": "overall"}, "leave no coefficient"),
    ({"rename": {"nothing": "x"}}, "rename='nothing' matches no coefficient"),
    ({"rename": "x"}, "rename must be a dict .* got 'x'"),
    ({"rename": {"event": 1}}, "rename must be .* got {'event': 1}"),
    ({"rename": {"event time (.)": r"\2"}}, "rename must be .* got {.*}: invalid group"),
    ({"rename": {"event.*": "same"}}, "two coefficients of 'base' the same: 'same'"),
    ({"notes": 3}, "notes must be .* got 3"),
    ({"extra_rows": [1]}, r"extra_rows must be a dict .* got \[1\]"),
    ({"extra_rows": {"a": [1]}}, r"extra_rows\['a'\] must be .*2 columns; got \[1\]"),
    ({"extra_rows": {"a": "xy"}}, r"extra_rows\['a'\] must be .* got 'xy'"),
    ({"extra_rows": {"a": [1, {}]}}, r"extra_rows\['a'\] has {}"),
    ({"groups": ["a"]}, "1 string, and there are 2 columns"),
    ({"groups": "ab"}, "groups must be a list of strings; got 'ab'"),
    ({"groups": {"a": ["c"]}}, "groups: no column is called 'c'"),
    ({"groups": {"a": ["base"], "b": ["base"]}}, "'base' is in two groups"),
    ({"names": ["x", "x"], "groups": {"a": ["x"]}}, "more than one column is called 'x'"),
    ({"caption": 3}, "caption must be a string; got 3"),
    ({"labels": ["a"]}, r"labels must be a dict from columns to strings; got \['a'\]"),
    ({"labels": {"lpop": 1}}, "labels must be a dict .* got {'lpop': 1}"),
    ({"labels": {"lpopp": "x"}}, "labels: 'lpopp' is not a column .*did you mean 'lpop'"),
    ({"controls": True}, "controls must be a string; got True"),
    ({"math": "yes"}, "math must be .* got 'yes'"),
    ({"label": "a b}"}, "label must be of letters, .* got 'a b}'"),
    ({"fragment": "no"}, "fragment must be .* got 'no'"),
    ({"file": "table.pdf"}, "file must be .*.tex, .txt, .typ, .docx.* got 'table.pdf'"),
    ({"file": "nowhere/at/all.tex"}, "in a folder that exists; got 'nowhere/at/all.tex'"),
    ({"file": 3}, "file must be .* got 3"),
    ({"file": "a\0.tex"}, "file must be .* got 'a"),
    (
        {"file": "n" * 300 + ".tex"},
        "file must be a file that can be written; got .*: .*File name too long",
    ),
    ({"results": {"a": np.arange(3)}}, "results has array.*, which is not a result of csdid"),
    ({"title": "x"}, "unknown option 'title'"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_bad_input_is_named(pair, options, words):
    with pytest.raises(didjack.OptionError, match=words):
        etable(**{"results": pair, **options})


def test_groups_stand_side_by_side(pair):
    with pytest.raises(didjack.OptionError, match="'a' are not adjacent"):
        etable([*pair.values(), *pair.values()], groups=["a", "b", "a", ""])


def test_groups_without_a_text_take_no_line(pair):
    assert str(etable(pair, groups={})) == str(etable(pair, groups=["", ""])) == str(etable(pair))


@pytest.mark.parametrize("suffix", [".tex", ".docx"])
def test_files_that_cannot_be_written(pair, tmp_path, suffix):
    (tmp_path / f"gone{suffix}").symlink_to(tmp_path / "no" / "such")
    with pytest.raises(didjack.OptionError, match=r"file=.* cannot be written: .*No such"):
        etable(pair, file=tmp_path / f"gone{suffix}")
    with pytest.raises(didjack.OptionError, match=r"path=.* cannot be written"):
        etable(pair).save(tmp_path / f"gone{suffix}")


def test_files_are_checked_before_anything_is_written(pair, tmp_path):
    (tmp_path / "folder.tex").mkdir()
    with pytest.raises(didjack.OptionError, match="file, not a folder; got"):
        etable(pair).save(tmp_path / "folder.tex")
    with pytest.raises(didjack.OptionError, match=r"ends in \.docx"):
        etable(pair).to_word(tmp_path / "table.tex")
