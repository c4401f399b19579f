"""The paper cites what it lists, its numbers are those of data and results, and it compiles."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

import didjack

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from examples import first_example  # noqa: E402

PAPER, BIB = ROOT / "paper" / "paper.md", ROOT / "paper" / "paper.bib"
TEXT = PAPER.read_text("utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLOT = 'study.plot(compare="analytic", joint=False)'
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def prose():
    """What the paper says without front matter, code, the table, mathematics and attributes."""
    text = FENCED.sub("", TEXT.split("---\n", 2)[2])
    text = re.sub(r"<!-- real laws -->.*?<!-- end -->", "", text, flags=re.DOTALL)
    return re.sub(r"\$.*?\$|\{.*?\}|\]\(.*?\)", "", text)


@pytest.fixture(scope="module")
def example():
    """Run the example; return its names, and what it prints."""
    mpl.use("Agg")
    (language, code), (_, shown) = FENCED.findall(TEXT)
    assert language == "python"
    made, stream = {}, io.StringIO()
    with contextlib.redirect_stdout(stream), warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        exec(code, made)
    printed = "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
    return made, printed, shown


def test_example_prints_what_the_paper_shows(example):
    _, printed, shown = example
    assert printed == shown


def test_example_is_that_of_the_figure(example):
    """The figure is that of README, which tests/test_docs.py draws."""
    assert example[0]["study"] == first_example("../README.md")["study"]
    assert PLOT in TEXT
    assert PLOT in (ROOT / "README.md").read_text("utf-8")


def test_example_says_what_the_paper_says_about_it(example):
    study = example[0]["study"]
    table = study.compare_vcov()
    clustered, default = table.loc["clustered"], table.loc["CV3, model"]
    assert default["std_error"] > 3 * clustered["std_error"]
    assert clustered["p_value"] < 0.001
    assert default["p_value"] > 0.05
    late = study.tidy().set_index("event_time").loc[[2, 3], "status"]
    assert late.str.startswith("imputed: cluster 17 ").all()


def test_numbers_of_the_prose(example):
    found = re.findall(r"(?<![\w@-])\d+%?(?!\w)", re.sub(r"@[\w-]+", "", prose()))
    results = pd.read_csv(ROOT / "benchmarks" / "real_laws.csv")
    rate = 100 * results["rejected"] / results["samples"]
    mean = rate.groupby([results["test"], results["treated"]]).mean()
    (usual,) = {f"{mean[test, 1]:.0f}%" for test in ("clustered", "CV3, t(R-1)")}
    default = mean["CV3, model"].agg(["min", "max"])
    df = example[0]["df"]
    treated = df.loc[df["first.treat"] > 0, "state"]
    assert found == [
        *("5%", "5%"),  # the level, and how often a good test rejects
        *(usual, f"{default['min']:.0f}", f"{default['max']:.0f}%"),
        *(f"{df['countyreal'].nunique()}", f"{df['state'].nunique()}", f"{treated.nunique()}"),
        f"{100 * (1 - example[0]['study'].options.alpha):.0f}%",
    ]


def test_all_that_is_cited_is_listed_and_the_other_way_round():
    cited = set(re.findall(r"@(\w+)", prose()))
    listed = re.findall(r"^@\w+{(\w+),$", BIB.read_text("utf-8"), re.MULTILINE)
    assert sorted(cited) == sorted(listed)
    assert BIB.read_text("utf-8").count("  doi = {10.") == len(listed)


def test_methods_have_the_identifiers_that_are_cited_elsewhere():
    identifiers = dict.fromkeys(re.findall(r"doi = {(.*?)}", BIB.read_text("utf-8")))
    elsewhere = (ROOT / "CITATION.cff").read_text("utf-8")
    for doi in re.findall(r"^    doi: (\S+)$", elsewhere, re.MULTILINE):
        assert doi in identifiers


def test_length_and_sections_of_the_journal():
    assert 750 < len(prose().split()) < 1750
    headings = re.findall(r"^# (.*)$", prose(), re.MULTILINE)
    required = ["Summary", "Statement of need", "State of the field", "Software design"]
    assert headings[:4] == required
    assert headings[-2:] == ["Acknowledgements", "References"]


def make(*arguments):
    """Call the Makefile."""
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@needs_make
def test_make_paper_names_the_program_that_is_missing():
    ended = make("paper", "PANDOC=no-such-pandoc")
    assert ended.returncode != 0
    assert "make paper needs no-such-pandoc, which is not installed" in ended.stderr


@needs_make
@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("pandoc") and shutil.which("xelatex")), reason="needs pandoc and xelatex"
)
def test_paper_compiles(tmp_path):
    ended = make("paper", f"PAPER={tmp_path / 'paper.pdf'}")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
