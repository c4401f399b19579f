"""The replications reproduce published numbers, and print what their README says.

As a script (``python tests/test_replications.py [name ...]``), run them and write their reports
into the README. The data of one are not in the project: DIDJACK_MERIT names their file.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "replications"
README = FOLDER / "README.md"
MERIT = os.environ.get("DIDJACK_MERIT", "")
COLUMNS = ["quantity", "published", "source", "didjack", "difference", "tolerance"]
MOST_LINES = 150


def needs(package):
    """Skip a replication whose package is not there: `moderndid` is not in the extra "test"."""
    found = importlib.util.find_spec(package)
    return pytest.mark.skipif(found is None, reason=f"{package}, of the extra replications")


STUDIES = [
    pytest.param("castle", marks=pytest.mark.slow),
    pytest.param("minimum_wage", marks=pytest.mark.slow),
    pytest.param("medicaid", marks=[pytest.mark.slow, needs("moderndid"), needs("cvxpy")]),
    pytest.param(
        "merit", marks=pytest.mark.skipif(not MERIT, reason="DIDJACK_MERIT names no merit.csv")
    ),
    pytest.param("simulation", marks=pytest.mark.slow),
]


def run(name, out, *options):
    """Run a replication as its users do."""
    data = ["--data", MERIT] if name == "merit" else []
    command = [sys.executable, FOLDER / f"{name}.py", "--out", out, *data, *options]
    return subprocess.run(
        command, env=os.environ | {"MPLBACKEND": "Agg"}, capture_output=True, text=True, check=False
    )


def section(name):
    """Find the report of a replication in the README."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)


@pytest.fixture(scope="module")
def study():
    """Load what the scripts share."""
    spec = importlib.util.spec_from_file_location("study", FOLDER / "study.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_files(out):
    """What a run leaves in its folder."""
    comparison = pd.read_csv(out / "comparison.csv")
    assert list(comparison.columns) == COLUMNS
    assert (comparison["difference"].abs() <= comparison["tolerance"]).all()
    assert r"\begin{tabular}" in (out / "table.tex").read_text()
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", STUDIES)
def test_published_numbers_are_found_and_the_report_is_that_of_the_readme(name, tmp_path):
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    check_files(tmp_path)
    report = (tmp_path / "report.md").read_text()
    assert done.stdout == report
    stored = section(name).search(README.read_text())[0]
    assert stored.split() == report.split()  # versions of pandas space tables differently


@pytest.mark.slow
def test_simulation_with_few_draws(tmp_path):
    done = run("simulation", tmp_path, "--draws", "40")
    assert done.returncode == 0, done.stdout + done.stderr
    check_files(tmp_path)


def test_merit_says_where_its_data_are(tmp_path):
    command = [sys.executable, FOLDER / "merit.py", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--data merit.csv" in done.stderr


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_scripts_are_short(path):
    assert len(path.read_text().splitlines()) < MOST_LINES or path.stem == "study"


@pytest.mark.parametrize(
    ("printed", "half"), [("-0.0400", 0.00005), (".0463759", 5e-8), ("3", 0.5), ("0.068", 0.0005)]
)
def test_tolerance_is_half_a_unit_of_the_last_digit(study, printed, half):
    assert study.half_a_unit(printed) == half


def test_what_is_beyond_its_tolerance_is_named_and_ends_with_an_error(study, tmp_path, capsys):
    published = {"right": "0.12", "wrong": "0.12", "explained": "0.12", "missing": "0.12"}
    found = {"right": 0.1249, "wrong": 0.1251, "explained": 0.1251, "missing": float("nan")}
    comparison = study.compare(published, found, "somewhere", {"explained": 0.01})
    assert list(comparison.columns) == COLUMNS
    assert list(study.beyond(comparison)["quantity"]) == ["wrong", "missing"]
    assert study.agreement(comparison).startswith("1 of 4")
    assert study.finish(tmp_path / "new", comparison, "report", "table", plt.figure()) == 1
    assert study.finish(tmp_path, comparison.iloc[[0, 2]], "report", "table", plt.figure()) == 0
    assert capsys.readouterr().out == "report\n" * 2


def test_a_report_names_what_is_not_found(study):
    comparison = study.compare({"a": "1.0"}, {"a": 1.1}, "somewhere")
    numbers = dict.fromkeys(("table", "clusters", "draws", "fewer", "designs"), "")
    numbers |= dict.fromkeys(("error", "t", "law"), 0.0)
    assert "Not reproduced" in study.written("simulation", comparison, **numbers)


if __name__ == "__main__":
    for each in sys.argv[1:] or [
        "castle",
        "minimum_wage",
        "medicaid",
        "simulation",
        *["merit"] * bool(MERIT),
    ]:
        result = run(each, FOLDER / "output" / each)
        print(result.stdout, result.stderr)
        if result.returncode == 0:
            told = result.stdout
            text = section(each).sub(lambda _, told=told: told, README.read_text(), count=1)
            README.write_text(text)
