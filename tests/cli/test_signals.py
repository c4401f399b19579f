"""Ctrl-C and its like: exit codes, and what they leave behind, which is nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import matplotlib as mpl
import pytest

import didjack
from didjack.cli import entry, signals
from didjack.cli.writing import FILES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
STOP = pytest.mark.parametrize("number", signals.STOP)
COLUMNS = "--y y --time period --cohort cohort --id id --cluster cluster --out out --force"
FIT = ["fit", "data.csv", *COLUMNS.split()]
PATH = os.pathsep.join([str(Path(didjack.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    df = didjack.simulate.panel(n_clusters=12, cluster_size=4, cohorts=[4, 6], seed=3)
    df.to_csv("data.csv", index=False)


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    """Have Ctrl-C do what it does there: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def state():
    """What a call of the command must not change."""
    handlers = [signal.getsignal(number) for number in signals.STOP]
    backend = dict.__getitem__(mpl.rcParams, "backend")
    hooks = sys.excepthook, sys.unraisablehook, sys.stdout, sys.stderr
    return handlers, backend, hooks, list(warnings.filters), list(sys.argv), threading.enumerate()


def call(monkeypatch, *words):
    """Call the command from Python, which is to notice no more than the exit code."""
    monkeypatch.setattr(sys, "argv", ["didjack", *words])
    before = state()
    with pytest.raises(SystemExit) as done:
        entry.main()
    assert state() == before
    return done.value.code


def contents():
    return {path.name: path.read_bytes() for path in Path("out").iterdir()}


def test_calls_from_python_change_nothing(monkeypatch):
    assert call(monkeypatch, *FIT) == 0
    assert set(contents()) == set(FILES)
    assert call(monkeypatch, "--version") == 0
    assert call(monkeypatch, "fit") == 2
    assert call(monkeypatch, *FIT, "--y", "z") == 1


@STOP
def test_a_signal_while_the_command_estimates(monkeypatch, capsys, number):
    monkeypatch.setattr(didjack.GroupTimeResult, "summary", lambda _: signal.raise_signal(number))
    assert call(monkeypatch, *FIT) == 128 + number
    assert contents() == {}
    shown = capsys.readouterr()
    assert (shown.out, "Traceback" in shown.err, shown.err.count("\n") <= 1) == ("", False, True)


@pytest.mark.parametrize(
    ("number", "where"),
    [(signal.SIGINT, "savefig"), (signals.STOP[-1], "savefig"), (signal.SIGTERM, "replace")],
)
def test_a_signal_while_files_are_written(monkeypatch, number, where):
    """Those of the run before stay, or all are new; the folder they are made in is gone."""
    assert call(monkeypatch, *FIT) == 0
    before = contents()

    def and_stop(usual):
        def function(*args, **options):
            signal.raise_signal(number)
            return usual(*args, **options)

        return function

    with monkeypatch.context() as patched:
        owner = os if where == "replace" else mpl.figure.Figure
        patched.setattr(owner, where, and_stop(getattr(owner, where)))
        assert call(patched, *FIT, "--alpha", "0.1") == 128 + number
    assert (contents() == before) == (where != "replace")
    assert set(contents()) == set(FILES)
    assert b"= 0.1" in contents()["log.txt"] or contents() == before


def test_exceptions_that_others_catch_do_not_hide_a_signal(monkeypatch):
    def caught(_):
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            raise ValueError("something else") from None

    monkeypatch.setattr(didjack.GroupTimeResult, "summary", caught)
    assert call(monkeypatch, *FIT) == 130


def test_a_signal_that_is_ignored_stays_so(monkeypatch):
    """As `nohup` has it."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        summary = didjack.GroupTimeResult.summary
        stopped = lambda self: (signal.raise_signal(signal.SIGHUP), summary(self))[1]  # noqa: E731
        monkeypatch.setattr(didjack.GroupTimeResult, "summary", stopped)
        assert call(monkeypatch, *FIT) == 0
    finally:
        signal.signal(signal.SIGHUP, usual)


def test_in_another_thread(monkeypatch):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(call(monkeypatch, *FIT)))
    thread.start()
    thread.join()
    assert codes == [0]
    assert set(contents()) == set(FILES)


def run(code):
    """Run code in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": PATH},
    )
    return done.returncode, done.stdout, done.stderr


@STOP
def test_a_signal_while_modules_are_loaded(number):
    """Nothing heavy is there before signals are in hand, nor is a module left loaded by half."""
    Path("stops.py").write_text(f"import signal; signal.raise_signal({number:d}); print('loaded')")
    code = (
        "import sys; from didjack.cli import entry; sys.path.insert(0, '.')\n"
        "assert not {'numpy', 'pandas', 'typer', 'numba'} & set(sys.modules)\n"
        "entry.LOADED = ('stops', 'numpy'); entry.main()"
    )
    assert run(code) == (128 + number, "loaded\n", "")


def test_a_folder_of_a_run_that_was_killed_is_named(monkeypatch, capsys):
    Path("out/.didjack-abc").mkdir(parents=True)
    assert call(monkeypatch, *FIT) == 0
    assert "Note: out/.didjack-abc is of a run that was killed" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.thin(2)
@pytest.mark.parametrize("words", [FIT, ["--version"]])
def test_a_full_disk_under_what_is_printed(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "didjack", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": PATH},
        )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert done.stderr.splitlines()[-1].startswith("Error: [Errno 28]")
    assert words != FIT or set(contents()) == set(FILES)


@pytest.mark.slow
@STOP
@pytest.mark.parametrize("delay", [0.3, 1.5])
def test_a_signal_at_any_time(number, delay):
    process = subprocess.Popen(
        [sys.executable, "-m", "didjack", *FIT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": PATH},
    )
    time.sleep(delay)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (128 + number, 0), errors  # 0: it was faster
    assert "Traceback" not in errors
    left = set(contents()) if Path("out").exists() else set()
    assert left in (set(), set(FILES))
