"""Compiled functions are kept on disk where they can be; a fit does not depend on it."""

import errno
import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import numpy as np
import pytest

import didjack
from didjack.estimation.kernels.compiled import CheckedFiles, DiskCache

SOURCE = """
from didjack.estimation.kernels.compiled import jit

@jit
def double(x):
    return 2.0 * x
"""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Import a module with a kernel afresh, as another process would; call it, (hits, misses)."""
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", "")
    path = tmp_path / "module.py"
    path.write_text(SOURCE)

    def call(x=21.0):
        spec = importlib.util.spec_from_file_location("module", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(x) == 42.0
        stats = module.double.stats
        return sum(stats.cache_hits.values()), sum(stats.cache_misses.values())

    return call


def files(tmp_path, ending):
    return list((tmp_path / "__pycache__").glob(f"*.{ending}"))


def test_a_kernel_is_compiled_once(kernel, tmp_path):
    assert [kernel(), kernel(), kernel()] == [(0, 1), (1, 0), (1, 0)]
    assert len(files(tmp_path, "nbc")) == 1


@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_truncated_file_is_written_anew(kernel, tmp_path, ending, left):
    kernel()
    (path,) = files(tmp_path, ending)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if left < 1 else left])
    assert [kernel(), kernel()] == [(0, 1), (1, 0)]


def changed(whole):
    """Files of the same length, and others, that numba would take for code or an index."""
    middle = len(whole) // 2
    yield "a bit", whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    yield "random bytes", np.random.default_rng(0).bytes(len(whole))
    yield "another version", pickle.dumps("0.1") + pickle.dumps(("stamp", {}))
    yield "another pickle", pickle.dumps({})
    yield "appended", whole + b"x"


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_files_are_never_run(kernel, tmp_path, ending):
    kernel()
    (path,) = files(tmp_path, ending)
    for kind, content in changed(path.read_bytes()):
        path.write_bytes(content)
        assert [kernel(), kernel()] == [(0, 1), (1, 0)], kind


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_folder_where_a_file_should_be(kernel, tmp_path, ending):
    kernel()
    (path,) = files(tmp_path, ending)
    path.unlink()
    path.mkdir()
    assert [kernel(), kernel()] == [(0, 1), (0, 1)]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_file_that_cannot_be_read(kernel, tmp_path, ending):
    kernel()
    (path,) = files(tmp_path, ending)
    path.chmod(0)
    assert [kernel(), kernel()] == [(0, 1), (1, 0)]


def test_code_for_other_arguments_is_not_run(kernel, tmp_path):
    """Two processes at the same time can leave it under the index of each other."""
    kernel()
    kernel(21)
    one, two = sorted(files(tmp_path, "nbc"))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    assert [kernel(), kernel(21)] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("method", ["_save_index", "_save_data"])
def test_a_full_disk_stops_nothing(kernel, monkeypatch, method):
    def full(self, *args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CheckedFiles, method, full)
    assert [kernel(), kernel()] == [(0, 1), (0, 1)]
    monkeypatch.undo()
    assert [kernel(), kernel()] == [(0, 1), (1, 0)]


def test_a_folder_that_is_lost_meanwhile(kernel, tmp_path):
    kernel()
    shutil.rmtree(tmp_path / "__pycache__")
    (tmp_path / "__pycache__").touch()
    assert kernel() == (0, 1)


def test_without_a_folder_one_warning_names_the_remedy(kernel, monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    monkeypatch.setattr(DiskCache, "warned", False)
    with pytest.warns(didjack.DidjackWarning, match="NUMBA_CACHE_DIR") as caught:
        assert [kernel(), kernel()] == [(0, 1), (0, 1)]
    assert len(caught) == 1


FIT = """
import warnings
import didjack
assert didjack.__file__.startswith({root!r}), didjack.__file__
df = didjack.simulate.panel(n_clusters=8, cluster_size=3, n_periods=3)
names = dict(yname="y", tname="period", gname="cohort", idname="id", cluster="cluster")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        result = didjack.csdid(df, est_method="reg", **names)
print(sum("NUMBA_CACHE_DIR" in str(w.message) for w in caught))
print(result.tidy()["std_error"].notna().any())
"""


@pytest.mark.slow
@pytest.mark.parametrize("cache", [True, False])
def test_where_package_and_home_cannot_be_written(tmp_path, cache):
    """Files stand where folders would have to be: permissions do not stop every user."""
    root, home = tmp_path / "root", tmp_path / "home"
    source = Path(didjack.__file__).parent
    shutil.copytree(source, root / "didjack", ignore=shutil.ignore_patterns("__pycache__"))
    for module in (root / "didjack").rglob("*.py"):
        (module.parent / "__pycache__").touch()
    home.touch()
    gone = {"HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}
    env = {name: value for name, value in os.environ.items() if name not in gone}
    env |= {name: str(home / "of") for name in ("HOME", "USERPROFILE", "LOCALAPPDATA")}
    env |= {"PYTHONPATH": str(root)} | ({"NUMBA_CACHE_DIR": str(tmp_path)} if cache else {})
    code = FIT.format(root=str(root))
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=root, capture_output=True, text=True
    )
    assert done.stdout.split() == ["0" if cache else "1", "True"], done.stderr


# What is compiled -----------------------------------------------------------------------------

KERNELS = """
from importlib import import_module
from numba.core import event
import didjack

compiled = []


class Listener(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func)

    def on_end(self, event):
        pass


event.register("numba:compile", Listener())
df = didjack.simulate.panel(n_clusters=8, cluster_size=3, n_periods=4)
names = dict(yname="y", tname="period", gname="cohort", idname="id", cluster="cluster")
result = didjack.csdid(df, progress=False, **names)
print(*sorted(f.__name__ for f in compiled if f.__module__.startswith("didjack.")))
print(len({f.__module__ for f in compiled if "unicode" in f.__module__ or "sort" in f.__module__}))
study = result.aggregate("event")
study.summary(), study.confint(joint=True), study.compare_vcov("all")
print(*sorted(f.__name__ for f in compiled if f.__module__.startswith("didjack.")))
print(len({f.__module__ for f in compiled if "unicode" in f.__module__ or "sort" in f.__module__}))
"""
OF_A_FIT = ["add_others", "moments"]
OF_A_STUDY = [
    *("add_others", "integrate", "linear_influence", "mix", "moments", "ql_steps", "shocked"),
    *("solve_branch", "sum_draws", "tridiagonalise"),
]


@pytest.mark.slow
def test_a_first_study_compiles_what_it_needs_once(tmp_path):
    """Two layouts of an array double the wait, and a copy into a slice brings texts along."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KERNELS],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    of_fit, foreign, of_study, foreign_of_study = done.stdout.splitlines()
    assert of_fit.split() == OF_A_FIT
    assert of_study.split() == OF_A_STUDY
    assert foreign == foreign_of_study == "0"
