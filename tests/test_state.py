"""Whatever is called, the interpreter is afterwards as it was before."""

import decimal
import gc
import inspect
import locale
import logging
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numba
import numpy as np
import pandas as pd
import pytest

import didjack

ONCE = {"randomization_test", "placebo_test"}
"""What takes time, and need not be called for all kinds of results."""
ARGUMENTS = {
    "lincom": lambda result: ([1.0] + [0.0] * (len(result.coef) - 1),),
    "linear_combination": lambda result: ([1.0] + [0.0] * (len(result.coef) - 1),),
    "randomization_test": lambda result: ("t", 19),
}
RESULTS = ["gt", "event", "group", "calendar", "simple"]


def state():
    """What belongs to the user."""
    options = {
        name: pd.get_option(name)
        for name in pd._config.config._registered_options
        if name not in pd._config.config._deprecated_options
    }
    return {
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "random": random.getstate(),
        "numpy": repr(np.random.get_state()),  # noqa: NPY002
        "style": {k: repr(dict.__getitem__(mpl.rcParams, k)) for k in mpl.rcParams},
        "pandas": {name: repr(value) for name, value in options.items()},
        "errors": np.geterr(),
        "print": np.get_printoptions(),
        "decimal": repr(decimal.getcontext()),
        "locale": locale.setlocale(locale.LC_ALL),
        "handlers": list(logging.getLogger().handlers),
        "level": logging.getLogger().level,
        "path": list(sys.path),
        "hooks": (sys.excepthook, sys.unraisablehook, sys.displayhook, sys.stdout, sys.stderr),
        "recursion": sys.getrecursionlimit(),
        "garbage": (gc.isenabled(), gc.get_threshold()),
        "folder": Path.cwd(),
        "numba": numba.get_num_threads(),
        "figures": plt.get_fignums(),
    }


def threads_end(most, seconds=5.0):
    """Whether threads that have nothing left to do end, so that no more than `most` are there."""
    end = time.monotonic() + seconds
    while threading.active_count() > most and time.monotonic() < end:
        time.sleep(0.01)
    return threading.active_count() <= most


def difference(before):
    """Name what has changed."""
    after = state()
    gone = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    if "environment" in gone:
        one, other = (set(part.items()) for part in gone.pop("environment"))
        gone["environment"] = (one - other, other - one)
    return list(gone.items())


@pytest.fixture(autouse=True)
def no_figures():
    """Close what examples left open: the tests close all figures, not only their own."""
    plt.close("all")


@pytest.fixture(scope="module")
def results():
    df = didjack.datasets.load_mpdta()
    names = ["lemp", "year", "first.treat", "countyreal"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        result = didjack.csdid(df, *names, "~ lpop", cluster="state")
        kinds = RESULTS[1:]
        return {"gt": result} | {kind: result.aggregate(kind) for kind in kinds}


def members(result, kind):
    """Public members and what notebooks call, as (name, call)."""
    shown = ["__repr__", "__str__", "_repr_html_", "__len__"]
    for name in [one for one in dir(result) if not one.startswith("_")] + shown:
        if hasattr(type(result), name) and (name not in ONCE or kind == "event"):
            yield name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
@pytest.mark.parametrize("kind", RESULTS)
def test_members_of_results_leave_everything_as_it_was(results, kind):
    result, done = results[kind], []
    for name in members(result, kind):
        before, threads = state(), threading.active_count()
        try:
            member = getattr(result, name)
            if callable(member):
                arguments = ARGUMENTS.get(name, lambda _: ())(result)
                required = [
                    one
                    for one in inspect.signature(member).parameters.values()
                    if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
                ]
                if len(required) > len(arguments):
                    continue
                member = member(*arguments)
            for show in ("_repr_html_", "to_latex", "to_markdown", "to_typst", "__str__"):
                if hasattr(type(member), show) and not isinstance(member, pd.DataFrame):
                    getattr(member, show)()
        except didjack.DidjackError:
            pass  # not for this kind of result
        else:
            done.append(name)
        plt.close("all")
        assert difference(before) == [], name
        assert threads_end(threads), name
    assert {"tidy", "summary", "glance"} <= set(done)


@pytest.mark.thin(2)
@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
@pytest.mark.parametrize("vcov", ["CV3", "CV3J", "analytic", "bootstrap"])
def test_functions_leave_everything_as_it_was(results, tmp_path, vcov):
    before, threads = state(), threading.active_count()
    df = didjack.datasets.load_mpdta()
    names = ["lemp", "year", "first.treat", "countyreal"]
    result = didjack.csdid(df, *names, "~ lpop", cluster="state", vcov=vcov, n_boot=99)
    event = result.aggregate("event")
    for ending in (".txt", ".html", ".tex", ".md", ".docx", ".typ"):
        didjack.etable({"a": event, "b": results["group"]}, file=tmp_path / f"a{ending}")
    didjack.coefplot({"a": event, "b": results["event"]})
    event.plot(compare="analytic")
    plt.close("all")
    didjack.simulate.panel(n_clusters=8, cluster_size=3, n_periods=3, seed=0)
    didjack.simulate.repeated_cross_section(n_clusters=8, cluster_size=3, seed=0)
    df["on"] = (df["first.treat"] > 0) & (df["year"] >= df["first.treat"])
    didjack.first_treated(df, "on", "year", "countyreal")
    assert difference(before) == []
    assert threads_end(threads)


def test_errors_leave_everything_as_it_was(results):
    before = state()
    df = didjack.datasets.load_mpdta()
    with pytest.raises(didjack.DidjackError):
        didjack.csdid(df, "lemp", "year", "first.treat", "countyreal", "~ nothing")
    with pytest.raises(didjack.DidjackError):
        didjack.csdid(df, "lemp", "year", "first.treat", "countyreal", "~ np.log(-lpop * 0 - 1)")
    assert difference(before) == []


FIRST_STUDY = """
import os, warnings
import didjack, matplotlib
matplotlib.use("Agg")

before = dict(os.environ), list(warnings.filters)
df = didjack.datasets.load_mpdta()
res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal", "~ lpop", cluster="state")
study = res.aggregate("event")
print(study.summary())
study._repr_html_(), study.to_latex(), study.plot(), study.pretest(), study.confint(joint=True)
didjack.etable([study]).save("table.docx")
print((dict(os.environ), list(warnings.filters)) == before)
"""


def test_a_first_study_leaves_filters_and_environment_as_they_were(tmp_path):
    """Packages that are loaded on the way add to both."""
    root = str(Path(didjack.__file__).parents[1])
    env = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    env.pop("_RJEM_MALLOC_CONF", None)
    run = subprocess.run(
        [sys.executable, "-c", FIRST_STUDY],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "True", run.stderr


IMPORT = """
import gc, locale, logging, os, random, signal, sys, threading, warnings
import numba, numpy as np, pandas as pd

def state():
    return (dict(os.environ), list(warnings.filters), random.getstate(),
            repr(np.random.get_state()), np.geterr(), locale.setlocale(locale.LC_ALL),
            list(logging.getLogger().handlers), list(sys.path), gc.get_threshold(),
            gc.isenabled(), threading.active_count(),
            os.getcwd(),
            sys.excepthook, sys.unraisablehook, [signal.getsignal(n) for n in (2, 15)],
            numba.get_num_threads())

before = state()
import didjack
for name in didjack.__all__:
    getattr(didjack, name)
import didjack.cli.app
print(state() == before)
"""


def test_an_import_leaves_everything_as_it_was():
    root = str(Path(didjack.__file__).parents[1])
    env = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, env=env, check=True
    )
    assert done.stdout == "True\n"
