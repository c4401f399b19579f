"""The command line: files, errors and exit codes, and that it gives what Python gives."""

import bz2
import contextlib
import gzip
import inspect
import io
import os
import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import didjack
from didjack.cli import app as application
from didjack.cli import entry
from didjack.cli.reading import read
from didjack.cli.writing import FILES

ROOT = Path(__file__).parents[2]
PANDAS_2 = pd.__version__.startswith("2.")
NAMES = ["y", "period", "cohort", "id"]
FLAGS = ["--y", "y", "--time", "period", "--cohort", "cohort", "--id", "id", "--cluster", "cluster"]


@pytest.fixture(scope="module")
def df():
    return didjack.simulate.panel(n_clusters=12, cluster_size=4, cohorts=[4, 6], seed=3)


@pytest.fixture(scope="module")
def result(df):
    return didjack.csdid(df, *NAMES, cluster="cluster")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch, df):
    monkeypatch.chdir(tmp_path)
    df.to_csv("data.csv", index=False)
    before = plt.get_fignums()
    yield
    assert plt.get_fignums() == before


def run(*arguments, code=0):
    """Run a command, and return what it prints, on one line."""
    done = CliRunner().invoke(application.app, [str(one) for one in arguments])
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


def read_exactly(path):
    """Read a table of estimates; the default parser of pandas 2 may be off in the last digit."""
    return pd.read_csv(path, **({"float_precision": "round_trip"} if PANDAS_2 else {}))


def fit(*arguments, code=0, data="data.csv"):
    return run("fit", data, *FLAGS, *arguments, code=code)


# ---- what comes out -----------------------------------------------------------------------------


def test_it_gives_what_python_gives(result):
    printed = fit("--aggregate", "event", "--min-e", "-2", "--out", "new/results")
    event = result.aggregate("event", min_e=-2)
    assert " ".join(str(event.summary()).split()) in printed
    folder = Path("new/results")
    assert {path.name for path in folder.iterdir()} == set(FILES)
    table = read_exactly(folder / "estimates.csv")
    want = event.tidy(overall=True, joint=True)
    pd.testing.assert_frame_equal(
        table.astype({"event_time": str}),
        want.astype({"event_time": str}),
        check_exact=True,
        check_dtype=False,
    )
    table = didjack.etable({"y": event}).to_latex()
    assert (folder / "table.tex").read_text().strip() == table
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "plot.pdf").read_bytes().startswith(b"%PDF")


def test_without_an_average(result):
    assert str(result.summary()).splitlines()[0] in fit("--out", "cells")
    table = read_exactly("cells/estimates.csv")
    want = result.tidy(joint=True)
    pd.testing.assert_frame_equal(table, want, check_exact=True, check_dtype=False)


def test_a_simple_average_is_one_number():
    fit("--aggregate", "simple", "--out", "simple")
    assert (pd.read_csv("simple/estimates.csv")["type"] == ["overall"]).all()
    assert Path("simple/plot.png").exists()  # of the estimates without each cluster
    fit("--aggregate", "simple", "--out", "simple", "--vcov", "analytic", "--force")
    assert {path.name for path in Path("simple").iterdir()} == set(FILES)


def test_nothing_is_written_unless_asked_for():
    before = set(Path().iterdir())
    fit()
    assert set(Path().iterdir()) == before


def test_the_log_says_how_it_came_about(monkeypatch):
    arguments = ["fit", "data.csv", *FLAGS, "--unbalanced", "--aggregate", "group", "--out", "log"]
    monkeypatch.setattr(sys, "argv", ["didjack", *arguments, "--covariates", "~ x1"])
    run(*arguments, "--alpha", "0.1")
    log = Path("log/log.txt").read_text()
    for part in (
        f"didjack {didjack.__version__}, 20",
        "--aggregate group --out log --covariates '~ x1'",
        f"{Path('data.csv').resolve()}\n  SHA-256 ",
        "alpha                  = 0.1\n",
        "type      = 'group'\n",
        "the sample that is used",
        f"pandas {pd.__version__}\n",
        "[90% conf.",
    ):
        assert part in log
    again = Path("log/plot.pdf").read_bytes()
    run(*arguments, "--alpha", "0.1", "--force")
    assert Path("log/plot.pdf").read_bytes() == again


def test_warnings_are_told_and_logged(df):
    df[df["period"] < df["period"].max()].iloc[1:].to_csv("data.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        printed = fit("--out", "out")
    assert "Warning: " in printed
    assert "1 unit" in printed
    assert "(Here, allow_unbalanced_panel is --unbalanced.)" in " ".join(printed.split())
    logged = " ".join(Path("out/log.txt").read_text().partition("Warnings\n")[2].split())
    assert logged.partition(" Versions")[0] in printed.replace("Warning: ", "")


# ---- cohorts from a treatment, tests, and the replication package -------------------------------


def treated(df):
    """The table with a 0/1 treatment instead of cohorts."""
    on = (df["cohort"] > 0) & (df["period"] >= df["cohort"])
    return df.assign(on=on.astype(int)).drop(columns="cohort")


SWITCHED = ["--y", "y", "--time", "period", "--treatment", "on", "--id", "id"]


def test_cohorts_from_a_treatment(df, result):
    treated(df).to_csv("switched.csv", index=False)
    run("fit", "switched.csv", *SWITCHED, "--cluster", "cluster", "--out", "out")
    got, want = read_exactly("out/estimates.csv"), result.tidy(joint=True)
    pd.testing.assert_series_equal(got["estimate"], want["estimate"], check_exact=True)
    pd.testing.assert_series_equal(got["p_value"], want["p_value"], check_exact=True)
    assert (
        "first_treated = first_treated(data, 'on', 'period', 'id')"
        in Path("out/log.txt").read_text()
    )
    # Of cross sections clusters are treated; a name that is taken is not used.
    table = treated(df).assign(first_treated=1)
    table.to_csv("switched.csv", index=False)
    columns = [*SWITCHED[:-2], "--cluster", "cluster", "--cross-sections"]
    run("fit", "switched.csv", *columns, "--out", "cross")
    assert "first_treated_ = first_treated(" in Path("cross/log.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name either --cohort or --treatment"),
        (["--cohort", "cohort", "--treatment", "on"], 2, "name either --cohort or --treatment"),
        (["--treatment", "onn"], 1, "did you mean 'on'"),
        (["--treatment", "y"], 1, "y' must be 0 or 1"),
    ],
)
def test_treatments_that_cannot_be_read(df, arguments, code, message):
    treated(df).to_csv("switched.csv", index=False)
    columns = ["--y", "y", "--time", "period", "--id", "id"]
    assert message in run("fit", "switched.csv", *columns, *arguments, code=code)
    short = ["--y", "y", "--time", "period", "--treatment", "on", "--cross-sections"]
    assert "needs --id, or in cross sections --cluster" in run(
        "fit", "switched.csv", *short, code=2
    )


MORE = ["--randomization", "--n-permutations", "49", "--noise-sensitivity"]
TREND = ["--trend-sensitivity", "relative_magnitudes"]


def test_tests_and_sensitivity_are_those_of_python(result):
    printed = fit("--aggregate", "event", *MORE, *TREND, "--seed", "3", "--out", "out")
    event = result.aggregate("event")
    test = event.randomization_test(n_permutations=49, seed=3)
    row = read_exactly("out/tests.csv").set_index("test").loc["randomization_test"]
    assert (row["p_value"], row["statistic"]) == (test.p_value, test.statistic)
    for found in (test, event.trend_sensitivity(), event.noise_sensitivity()):
        assert " ".join(repr(found).split()) in printed
    for name in ("trend_sensitivity", "noise_sensitivity"):
        table = read_exactly(f"out/{name}.csv")
        want = getattr(event, name)().table
        pd.testing.assert_series_equal(table["conf_low"], want["conf_low"], check_exact=True)
        assert Path(f"out/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "result.randomization_test(n_permutations=49, seed=3)" in Path("out/log.txt").read_text()
    # None of an earlier result is left.
    fit("--aggregate", "event", "--out", "out", "--force")
    assert {path.name for path in Path("out").iterdir()} == set(FILES)
    assert "--trend-sensitivity needs --aggregate event" in fit(*TREND, code=2)


def test_one_treated_cluster_has_placebos():
    df = didjack.simulate.panel(n_clusters=12, cluster_size=4, treated_clusters={4: 1}, seed=3)
    df.to_csv("data.csv", index=False)
    fit("--aggregate", "simple", "--placebo", "--out", "out")
    want = didjack.csdid(df, *NAMES, cluster="cluster").aggregate("simple").placebo_test()
    row = read_exactly("out/tests.csv").set_index("test").loc["placebo_test"]
    assert row["p_value"] == want.p_value
    assert "placebos" not in row.index


def replicate(folder, *arguments):
    """Run the script of a folder, and return what it prints."""
    script, printed = f"{folder}/replicate.py", io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(printed):
        patched.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(script, run_name="__main__")
    return printed.getvalue()


def test_the_folder_repeats_itself(df):
    table = treated(df).assign(id=[f"0{unit}" for unit in df["id"]], x1=np.sin(df["id"]))
    table.to_csv("switched.csv", index=False)
    options = ["--covariates", "~ x1", "--method", "reg", "--alpha", "0.1", "--aggregate", "event"]
    run("fit", "switched.csv", *SWITCHED, "--cluster", "cluster", *options, *MORE, "--out", "out")
    printed = replicate("out")
    assert "All numbers of estimates.csv are reproduced." in printed
    assert "Randomization test of the overall ATT" in printed
    versions = Path("out/requirements.txt").read_text()
    assert f"didjack=={didjack.__version__}\n" in versions
    assert f"pandas=={pd.__version__}\n" in versions
    # Another table, or other numbers, are noticed.
    table.assign(y=table["y"] + 1).to_csv("other.csv", index=False)
    with pytest.raises(SystemExit, match="is not the table of this folder"):
        replicate("out", "other.csv")
    stored = pd.read_csv("out/estimates.csv")
    stored.loc[0, "estimate"] += 1e-6
    stored.to_csv("out/estimates.csv", index=False)
    with pytest.raises(AssertionError, match="values are different"):
        replicate("out")


# ---- arguments ----------------------------------------------------------------------------------


OF_PYTHON = ("cohorts", "event_times", "bins")
"""Arguments of `aggregate` that the command does not have: lists."""


def test_every_option_of_python_is_there():
    here = inspect.signature(application.fit).parameters
    for function in (didjack.csdid, didjack.GroupTimeResult.aggregate):
        for name, option in inspect.signature(function).parameters.items():
            # The cohort may come from a treatment.
            if name not in ("data", "self", "type", "collect", "gname", *OF_PYTHON):
                assert here[name].default == option.default, name


def test_flags_are_options_of_csdid(monkeypatch):
    given = {}

    def csdid(df, **options):
        given.update(options)
        raise didjack.DataError("enough")

    csdid.__signature__ = inspect.signature(didjack.csdid)
    monkeypatch.setattr(didjack, "csdid", csdid)
    words = """--weights w --covariates ~x1 --unbalanced --control-group notyettreated
        --base-period universal --anticipation 1 --method ipw --fix-weights first_period
        --collinear drop --vcov bootstrap --reference t --undefined skip --alpha 0.1 --n-boot 99
        --seed 3 --no-progress"""
    fit(*words.split(), code=1)
    assert given == {
        "yname": "y",
        "tname": "period",
        "gname": "cohort",
        "idname": "id",
        "cluster": "cluster",
        "weightsname": "w",
        "xformla": "~x1",
        "panel": True,
        "allow_unbalanced_panel": True,
        "control_group": "notyettreated",
        "base_period": "universal",
        "anticipation": 1,
        "est_method": "ipw",
        "fix_weights": "first_period",
        "collinear": "drop",
        "vcov": "bootstrap",
        "reference": "t",
        "undefined": "skip",
        "alpha": 0.1,
        "n_boot": 99,
        "seed": 3,
        "progress": False,
    }


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
def test_repeated_cross_sections():
    df = didjack.simulate.repeated_cross_section(n_clusters=10, cluster_size=9, seed=0)
    df.to_stata("survey.dta", write_index=False)
    columns = ["--y", "y", "--time", "period", "--cohort", "cohort", "--cluster", "cluster"]
    options = ["--cross-sections", "--aggregate", "calendar", "--out", "out"]
    run("fit", "survey.dta", *columns, *options)
    want = didjack.csdid(df, *NAMES[:3], panel=False, cluster="cluster").aggregate("calendar")
    got = read_exactly("out/estimates.csv").iloc[-1]
    assert (got["estimate"], got["p_value"]) == (want.overall["estimate"], want.overall["p_value"])


def test_help_teaches(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    shown = run("fit", "--help")
    groups = ["Columns", "Sample", "Estimation", "Inference", "Aggregation", "Output"]
    for part in (
        "didjack fit data.csv --y lemp",
        "Exit codes",
        "nevertreated|notyettreated",
        *groups,
    ):
        assert part in shown
    assert run("--version") == didjack.__version__


# ---- tables -------------------------------------------------------------------------------------


def written(df, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
        df.to_parquet(name)
    elif name.endswith(".dta"):
        df.assign(cohort=df["cohort"].astype(float)).to_stata(name, write_index=False)
    else:
        df.to_csv(name, index=False)


@pytest.mark.parametrize("name", ["a.csv.gz", "A.CSV", "a.csv.zip", "a.parquet", "a.dta"])
def test_tables_of_all_kinds(df, name):
    written(df, name)
    got = read(Path(name), [])
    pd.testing.assert_frame_equal(got[df.columns], df, check_exact=True, check_dtype=False)


def test_dates(df, result):
    never = df["cohort"] == 0
    dates = df.assign(
        period=[f"{2000 + t}-01-01" for t in df["period"]],
        cohort=[f"{2000 + g}-01-01" for g in df["cohort"]],
    )
    dates.loc[never, "cohort"] = None
    dates.to_csv("data.csv", index=False)
    assert "tname 'period' is not numeric" in fit(code=1)
    fit("--dates", "--out", "out")
    table = read_exactly("out/estimates.csv")
    pd.testing.assert_series_equal(table["estimate"], result.tidy()["estimate"], check_exact=True)
    dates.assign(period="soon").to_csv("data.csv", index=False)
    assert "column 'period' holds no dates" in fit("--dates", code=1)
    dates.assign(period="01/02/2004").to_csv("data.csv", index=False)
    assert "column 'period' holds no dates such as" in fit("--dates", code=1)
    df.to_csv("data.csv", index=False)
    assert "column 'period' holds numbers, no dates" in fit("--dates", code=1)


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("dta.csv", None, 1, "there is no file dta.csv (did you mean 'data.csv'?)"),
        ("no/data.csv", None, 1, "there is no file no/data.csv"),
        ("data.xlsx", b"", 2, "ends with .parquet, .dta, .csv, .csv.gz"),
        ("empty.csv", b"", 1, "empty.csv cannot be read: No columns"),
        ("bad.csv.gz", b"y,period\n", 1, "bad.csv.gz cannot be read"),
        (
            "cut.csv.gz",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03K",
            1,
            "cut.csv.gz cannot be read",
        ),
        ("bad.csv.zip", b"y,period\n", 1, "bad.csv.zip cannot be read"),
        ("bad.csv.xz", b"y,period\n", 1, "bad.csv.xz cannot be read"),
        ("latin.csv", b"\xff\xfe\xff", 1, "latin.csv cannot be read"),
        ("bad.dta", b"y,period\n", 1, "bad.dta cannot be read"),
        ("bad.parquet", b"y,period\n", 1, "bad.parquet cannot be read"),
    ],
)
def test_tables_that_cannot_be_read(name, content, code, message):
    if content is not None:
        Path(name).write_bytes(content)
    assert message in fit(data=name, code=code)


def test_a_folder_is_no_table():
    Path("data.csv").unlink()
    Path("data.csv").mkdir()
    assert "data.csv is a folder" in fit(code=1)


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--time", "perod"], 1, "has no column 'perod' (did you mean 'period'?)"),
        (["--y", "wages"], 1, "(Here, yname is --y.)"),
        (["--alpha", "0.95"], 2, "did you mean 0.05?"),
        (["--alpha", "many"], 2, "--alpha"),
        (["--vcov", "CV2"], 2, "CV3J"),
        (["--undefined", "model"], 2, "'impute'"),
        (["--clster", "state"], 2, "--cluster"),
        (["--max-e", "2"], 2, "max_e=2.0 is for aggregated effects: it needs --aggregate"),
        (["--weigh-by", "cell"], 2, "weights='cell' is for aggregated effects"),
        (["--aggregate", "calendar", "--min-e", "1"], 2, "min_e"),
        (["--cross-sections"], 2, "panel is --panel/--cross-sections"),
        (["--fix-weights", "varying"], 2, "weightsname is --weights"),
        (["--out", "data.csv"], 2, "--out data.csv cannot be a folder"),
    ],
)
def test_errors(arguments, code, message):
    assert message in fit(*arguments, code=code)
    assert not Path("out").exists()


def test_required_columns():
    assert "--time" in run("fit", "data.csv", "--y", "y", code=2)
    columns = ["--y", "y", "--time", "period", "--cohort", "cohort"]
    assert "(Here, idname is --id, panel is" in run("fit", "data.csv", *columns, code=2)


def test_an_undefined_replicate_is_an_error_of_estimation():
    didjack.datasets.load_mpdta().to_csv("data.csv", index=False)
    names = ["--y", "lemp", "--time", "year", "--cohort", "first.treat", "--id", "countyreal"]
    arguments = ["fit", "data.csv", *names, "--cluster", "state", "--undefined", "raise"]
    assert "cannot be computed without cluster 17" in run(*arguments, code=1)


def test_files_are_not_overwritten_unless_asked_for(monkeypatch):
    fit("--out", "out")
    before = Path("out/log.txt").read_text()
    with monkeypatch.context() as nothing:
        nothing.setattr(application, "read", None)  # nothing is read before that is clear
        message = fit("--out", "out", "--alpha", "0.1", code=2)
    listed = "estimates.csv, table.tex, plot.png, plot.pdf, log.txt, replicate.py, requirements.txt"
    assert f"{listed} are there; --force" in message
    Path("other").mkdir()
    Path("other/log.txt").write_text("mine")
    assert "other: log.txt is there" in fit("--out", "other", code=2)
    fit("--out", "out", "--alpha", "0.1", "--force")
    assert Path("out/log.txt").read_text() != before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_folders_that_are_not_to_be_written_to():
    Path("out").mkdir(mode=0o500)
    assert "Permission denied" in fit("--out", "out", code=1)


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_the_table_that_is_read_is_never_overwritten(link, force):
    Path("out").mkdir()
    if link is None:
        Path("data.csv").rename("out/estimates.csv")
    else:
        link(Path("data.csv").resolve(), "out/table.tex")
    data = "out/estimates.csv" if link is None else "data.csv"
    before = Path(data).read_bytes()
    assert "there is the table that is read" in fit("--out", "out", *force, data=data, code=2)
    assert Path(data).read_bytes() == before


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_no_folder(name):
    assert "it is empty" in fit("--out", name, code=2)
    assert {path.name for path in Path().iterdir()} == {"data.csv"}


@pytest.mark.parametrize("head", ["id,y,y", '"id","y","x","id"'])
def test_a_name_that_two_columns_have(head):
    Path("data.csv").write_text(f"{head}\n1,2,3,4\n")
    assert "data.csv has more than one column" in fit(code=1)


@pytest.mark.parametrize("compressed", [gzip.open, bz2.open])
def test_a_name_that_two_columns_of_a_compressed_file_have(df, compressed):
    name = f"data.csv.{compressed.__module__.replace('gzip', 'gz')}"
    with compressed(name, "wt") as file:
        file.write(df.to_csv(index=False).replace("cohort", "y", 1))
    assert f"{name} has more than one column 'y'" in fit(data=name, code=1)


def test_a_name_that_two_columns_of_a_parquet_file_have(df):
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pandas(df)
    pytest.importorskip("pyarrow.parquet").write_table(
        table.append_column("x", table["y"]).append_column("x", table["id"]), "data.parquet"
    )
    assert "data.parquet has more than one column 'x'" in fit(data="data.parquet", code=1)


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_text_that_is_not_utf_8_is_found(df, ending):
    lines = df.assign(name="caf").to_csv(index=False).encode().splitlines()
    lines[7] += b"\xe9"
    with (gzip.open if ending == "csv.gz" else open)(f"latin.{ending}", "wb") as file:
        file.write(b"\n".join(lines))
    printed = fit(data=f"latin.{ending}", code=1)
    assert (
        f"latin.{ending} cannot be read: it is not encoded as UTF-8 (line 8, column 'name'"
        in printed
    )


def test_text_of_a_parquet_file_that_is_not_utf_8(df):
    pa = pytest.importorskip("pyarrow")
    foreign = pa.array([b"caf\xe9"] * len(df), type=pa.binary()).view(pa.string())
    table = pa.Table.from_pandas(df).set_column(1, "cluster", foreign)
    pytest.importorskip("pyarrow.parquet").write_table(table, "data.parquet")
    assert fit(data="data.parquet", code=1).startswith("Error: ")


def test_columns_without_a_name_are_no_error(df):
    Path("data.csv").write_text(df.to_csv(index=False).replace("\n", ",,\n"))
    fit()


def contents():
    return {path.name: path.read_bytes() for path in Path("out").iterdir()}


@pytest.mark.thin(3)
@pytest.mark.parametrize(
    ("error", "code", "says"),
    [(KeyboardInterrupt(), 130, "Interrupted"), (OSError(28, "No space left"), 1, "No space left")],
)
@pytest.mark.parametrize("where", ["savefig", "replace"])
def test_the_old_files_stay_unless_all_new_ones_are_there(monkeypatch, error, code, says, where):
    fit("--out", "out")
    Path("out/plot.png").unlink()
    before, done, replace = contents(), [], os.replace

    def fails(*_, **__):
        raise error

    def fails_once_at_the_third(*paths):
        done.append(paths)
        if len(done) == 3:
            raise error
        replace(*paths)

    if where == "savefig":
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", fails)
    else:
        monkeypatch.setattr(os, "replace", fails_once_at_the_third)
    assert says in fit("--out", "out", "--alpha", "0.1", "--force", code=code)
    assert contents() == before


@pytest.mark.skipif(os.name == "nt", reason="pipes of a shell")
def test_files_are_there_although_nobody_reads_what_is_printed():
    source, end = os.pipe()
    os.close(source)
    path = os.pathsep.join(
        [str(Path(didjack.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    command = [sys.executable, "-m", "didjack", "fit", "data.csv", *FLAGS, "--out", "out"]
    done = subprocess.run(
        command, stdout=end, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    os.close(end)
    assert b"Traceback" not in done.stderr
    assert b"Error" not in done.stderr
    assert set(contents()) == set(FILES)


# ---- the command itself -------------------------------------------------------------------------


@pytest.mark.parametrize("figure", ["a.doc", "no/a.png"])
def test_the_demo_checks_its_figure_first(figure):
    assert run("demo", figure, code=2).endswith(f"; got {figure!r}")


def test_what_the_demo_shows(tmp_path, capsys):
    from didjack import demo

    demo.main(str(tmp_path / "shown.png"))
    out = capsys.readouterr().out
    printed = " ".join(out.split())
    assert (tmp_path / "shown.png").stat().st_size > 10_000
    assert "Event study: cluster jackknife (CV3) next to clustered analytic" in printed
    assert "† Without state 17, ATT(2004, 2004)" in printed
    assert re.search(r"^overall .* <0\.001 ", out, re.MULTILINE)  # the analytic p-value
    assert "The effect is driven by state 17: without it the estimate is" in printed
    assert "Figure: " in printed
    assert "Warnings: - 2 of 8 coefficients of the event study" in printed


def test_the_demo(monkeypatch):
    figures = []
    monkeypatch.setattr(application, "run_demo", figures.append)
    run("demo")
    run("demo", "other.pdf")
    assert figures == ["didjack-demo.png", "other.pdf"]

    def fails(figure):
        raise OSError(f"no such folder: {figure}")

    monkeypatch.setattr(application, "run_demo", fails)
    assert run("demo", "no/a.png", code=1) == "Error: no such folder: no/a.png"


def test_the_entry_point_is_the_command():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert pkgutil.resolve_name(declared["didjack"]) is entry.main


def test_it_runs_as_a_command_of_its_own():
    path = os.pathsep.join(
        [str(Path(didjack.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    command = [sys.executable, "-m", "didjack", "fit", "data.csv", *FLAGS]
    given = {"capture_output": True, "text": True, "env": os.environ | {"PYTHONPATH": path}}
    done = subprocess.run([*command, "--aggregate", "group", "--out", "out"], **given)
    assert (done.returncode, "Output written to out" in done.stdout) == (0, True), done.stderr
    assert "fit data.csv --y y --time period" in Path("out/log.txt").read_text()
    done = subprocess.run([*command, "--y", "yy"], **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: yname: data has no column 'yy'")


def test_labels_of_a_csv_are_text(df):
    """As numbers, long codes merged where a cell is empty, and so did "01" and "1"."""
    numbers = df["cluster"].astype(int)
    codes = [str(900_000_000_000_000_000 + 60 * value) for value in numbers]
    zeros = [("0" if value % 2 else "") + str(value // 2 + 1) for value in numbers]
    columns = {"long": codes, "zeros": zeros}
    df.assign(**columns).to_csv("codes.csv", index=False)
    table = df.assign(**columns)
    unit = table[NAMES[3]] == table[NAMES[3]].iloc[0]
    table.loc[unit, "long"] = ""
    table.to_csv("gone.csv", index=False)
    flags = [flag for flag in FLAGS if flag not in ("--cluster", "cluster")]
    for name, file in (("long", "gone.csv"), ("zeros", "codes.csv")):
        shown = run("fit", file, *flags, "--cluster", name)
        assert f"Clusters {df['cluster'].nunique()} ({name})" in shown
        empty = f"Note: column 'long' has {unit.sum()} empty cells: no label"
        apart = "Note: column 'zeros' is read as strings: "
        assert (empty in shown) == (name == "long")
        assert (apart in shown) == (name == "zeros")
