"""Names of columns and clusters are written as they are, whatever is in them."""

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import didjack
from didjack import etable

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.DidjackWarning")

OUTCOME = "y in $ of $\\2000_{x"
CLUSTER = "the $^\nclu$ter"


@pytest.fixture(scope="module")
def results():
    df = didjack.simulate.panel(n_clusters=12, cluster_size=4, n_periods=5, seed=0)
    df["cluster"] = "c $_{" + df["cluster"].astype(str) + "\n$^ \\frac"
    df = df.rename(columns={"y": OUTCOME, "cluster": CLUSTER})
    result = didjack.csdid(df, OUTCOME, "period", "cohort", "id", cluster=CLUSTER, est_method="reg")
    return [result, result.aggregate("event"), result.aggregate("group")]


def texts(figure):
    """All texts of a figure as they are drawn: with its dollar signs, and none of mathematics."""
    found = [text for text in figure.findobj(mpl.text.Text) if text.get_text()]
    for text in found:
        assert text._preprocess_math(text.get_text())[1] in (False, "TeX")
    return [text._preprocess_math(text.get_text())[0] for text in found]


@pytest.mark.parametrize("kind", ["coefficients", "replicates", "variance"])
def test_dollar_signs_in_pictures(results, kind):
    for result in results:
        result.plot(kind=kind)
        figure = plt.gcf()
        figure.canvas.draw()
        drawn = " ".join(" ".join(texts(figure)).split())
        assert " ".join(OUTCOME.split()) in drawn or kind == "variance"
        if kind != "coefficients":
            assert "the $^ clu$ter" in drawn
            assert "c $_{" in drawn
        plt.close("all")


def test_line_breaks_in_tables(results):
    for result in results:
        table = result.summary()
        lines = str(table).splitlines()
        assert any("(the $^ clu$ter)" in line for line in lines)
        rows = sum(len(section) for section in table.body) + len(table.head) + 1
        assert len([line for line in lines if set(line) <= set("=-")]) <= 6
        assert len(lines) <= rows + 6 + 2 * len(table.notes)
        assert "the \\$\\textasciicircum{} clu\\$ter" in table.as_latex()
        assert "the $^ clu$ter" in table.as_html()
    table = etable({"a\nb": results[1], "c\r\nd": results[2]}, caption="one\ntwo")
    lines = str(table).splitlines()
    assert lines[0] == "one two"
    assert "a b" in lines[2]
    assert "c d" in lines[2]


SURROGATE = "caf\udce9"
"""A byte of Latin 1 that was read as UTF-8 with `encoding_errors="surrogateescape"`."""


@pytest.fixture(scope="module")
def surrogates():
    df = didjack.simulate.panel(n_clusters=12, cluster_size=4, n_periods=5, seed=0)
    for name in ("id", "cluster"):
        df[name] = pd.Series([f"{SURROGATE} {value}" for value in df[name]], dtype=object)
    df.columns = pd.Index([name + SURROGATE for name in df.columns], dtype=object)
    names = [name + SURROGATE for name in ("y", "period", "cohort", "id")]
    return didjack.csdid(df, *names, cluster=f"cluster{SURROGATE}", est_method="reg")


def test_lone_surrogates_in_tables_and_files(surrogates, tmp_path):
    for result in (surrogates, surrogates.aggregate("event")):
        for table in (result.glance(), result.tidy(joint=True)):
            table.to_csv(tmp_path / "a.csv")
        for ending in ("txt", "md", "html", "tex", "typ", "docx"):
            result.summary().save(tmp_path / f"summary.{ending}")
            etable(
                {SURROGATE: result},
                rename={".*": f"{SURROGATE} \\g<0>"},
                notes=[SURROGATE],
                caption=SURROGATE,
                groups={SURROGATE: [SURROGATE]},
                extra_rows={SURROGATE: [SURROGATE]},
                file=tmp_path / f"table.{ending}",
            )
        assert r"caf\udce9" in (tmp_path / "table.txt").read_text("utf-8")


@pytest.mark.thin(3)
@pytest.mark.parametrize("kind", ["coefficients", "replicates", "variance"])
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_lone_surrogates_in_pictures(surrogates, tmp_path, kind, ending):
    surrogates.aggregate("event").plot(kind=kind, title=SURROGATE)
    plt.gcf().savefig(tmp_path / f"a.{ending}")
    plt.close("all")
    if kind == "coefficients":
        didjack.coefplot({SURROGATE: surrogates.aggregate("simple")})
        plt.gcf().savefig(tmp_path / f"a.{ending}")
        plt.close("all")
