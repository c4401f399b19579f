"""What all tests share: the data of the reference results."""

import gzip
import json
import os
from collections import Counter
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numba
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

import didjack
from didjack.datasets import load_mpdta

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile(
    "fixed",
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "fuzz",
    max_examples=1_000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=SLOW,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

DATA = Path(__file__).with_name("fixtures")

MPDTA_NAMES = {
    "countyreal": "id",
    "state": "cluster",
    "year": "period",
    "first.treat": "cohort",
    "lemp": "y",
    "lpop": "x1",
}


@cache
def _read(name):
    if name == "mpdta":
        return load_mpdta().rename(columns=MPDTA_NAMES)
    return pd.read_csv(DATA / f"{name}.csv")


@cache
def reference_cases():
    """All reference results, see data/make_reference.py."""
    return json.loads(gzip.decompress((DATA / "reference.json.gz").read_bytes()))


@cache
def few_clusters_cases():
    """Laws and tests by brute force, see data/make_few_clusters.py."""
    return json.loads(gzip.decompress((DATA / "few_clusters.json.gz").read_bytes()))


def fit_few_clusters(case, **options):
    """Fit a case of `few_clusters_cases`."""
    given = case["options"]
    return didjack.csdid(
        _read(case["data"]),
        "y",
        "period",
        "cohort",
        "id" if given["panel"] else None,
        "~ " + " + ".join(given["x"]) if given["x"] else None,
        cluster="cluster",
        weightsname=given["w"],
        panel=given["panel"],
        allow_unbalanced_panel=given["unbalanced"],
        **{name: given[name] for name in ("control_group", "base_period", "anticipation")},
        est_method=given["est_method"],
        **options,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark all but one in n cases of a test that is ``@pytest.mark.thin(n)`` as slow.

    Those that are not marked are the first, and each n-th after it.
    """
    seen = Counter()
    for item in items:
        thin = item.get_closest_marker("thin")
        if thin is not None and item.get_closest_marker("slow") is None:
            if seen[item.function] % thin.args[0]:
                item.add_marker(pytest.mark.slow)
            seen[item.function] += 1


def _surroundings():
    """What tests share beyond the data; figures choose their backend as they need it."""
    backend = ("backend", "backend_fallback")  # to look at it imports pyplot
    names = [name for name in mpl.rcParams if name not in backend]
    style = {name: dict.__getitem__(mpl.rcParams, name) for name in names}
    # Engines and kernels of notebooks set others for themselves, when they are first used.
    ours = ("NUMBA_", "MPL", "OPENBLAS_", "PYTHON", "TQDM", "HOME", "TZ", "LANG", "LC_")
    own = {name: value for name, value in os.environ.items() if name.startswith(ours)}
    return {"threads": numba.get_num_threads(), "folder": Path.cwd()} | style | own


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    """Threads, folder, environment, and style of figures are after a test what they were before."""
    before = _surroundings()
    yield
    assert _surroundings() == before


@pytest.fixture(scope="session")
def data():
    """Return the data of the reference results by name; each call gives a new frame."""
    return lambda name: _read(name).copy()
