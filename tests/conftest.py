"""What all tests share: the data of the reference results."""

import gzip
import json
from functools import cache
from pathlib import Path

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


@cache
def _read(name):
    if name == "mpdta":
        return load_mpdta().rename(columns=MPDTA_NAMES)
    return pd.read_csv(DATA / f"{name}.csv")


@cache
def reference_cases():
    """All reference results, see data/make_reference.py."""
    return json.loads(gzip.decompress((DATA / "reference.json.gz").read_bytes()))


@pytest.fixture(scope="session")
def data():
    """Return the data of the reference results by name; each call gives a new frame."""
    return lambda name: _read(name).copy()
