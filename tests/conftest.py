"""What all tests share: threads, and the data of the reference results."""

import gzip
import json
import os
from functools import cache
from pathlib import Path

# The tests compare one thread with two, which numba must know of before it starts.
if (os.cpu_count() or 1) < 2:
    os.environ.setdefault("NUMBA_NUM_THREADS", "2")

import numba
import pandas as pd
import pytest

from didjack.datasets import load_mpdta

DATA = Path(__file__).with_name("data")

MPDTA_NAMES = {
    "countyreal": "id",
    "state": "cluster",
    "year": "period",
    "first.treat": "cohort",
    "lemp": "y",
    "lpop": "x1",
}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Run kernels on one thread: the data are small, and waiting for a busy core is not."""
    numba.set_num_threads(1)


@cache
def _read(name):
    if name == "mpdta":
        return load_mpdta().rename(columns=MPDTA_NAMES)
    return pd.read_csv(DATA / f"{name}.csv")


@cache
def reference_cases():
    """All reference results, see data/make_reference.py."""
    return json.loads(gzip.decompress((DATA / "reference.json.gz").read_bytes()))


def pytest_generate_tests(metafunc):
    """One fit for each reference case, shared by the tests that take a `case`."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", reference_cases(), indirect=True, scope="module")


@pytest.fixture(scope="session")
def data():
    """Return the data of the reference results by name; each call gives a new frame."""
    return lambda name: _read(name).copy()
