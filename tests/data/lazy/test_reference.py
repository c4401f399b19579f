"""The reference cases through engines: what is in memory, to 1e-10."""

from functools import lru_cache

import pytest
from conftest import reference_cases
from lazy_tables import ENGINES, assert_alike, refused

import didjack

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

CASES = reference_cases()
VARY = [name for name in CASES if name.startswith("panel-") and ("-x3-" in name or "-wt" in name)]
"""With covariates or weights that vary over time."""

TURNS = [(name, list(ENGINES)[i % 2]) for i, name in enumerate(sorted(CASES)[::5])]
"""Some cases with one engine each; `test_all` has the others."""

ALL = [(name, engine) for name in CASES for engine in ENGINES if (name, engine) not in TURNS]


@lru_cache(maxsize=1)
def in_memory(data, name):
    """Engines come one after the other: both are held against one fit."""
    return didjack.csdid(data(CASES[name]["data"]), **CASES[name]["options"])


def check(data, name, engine):
    case = CASES[name]
    df = data(case["data"])
    table = ENGINES[engine](df)
    if name in VARY:
        message = refused(table, **case["options"])
        assert "vary over time" in message
        assert f"use collect=True, which brings {len(df):,} rows of " in message
        lazy = didjack.csdid(table, **case["options"], collect=True)
    else:
        lazy = didjack.csdid(table, **case["options"])
    assert_alike(in_memory(data, name), lazy)


@pytest.mark.thin(3)
@pytest.mark.parametrize(("name", "engine"), TURNS)
def test_some(data, name, engine):
    check(data, name, engine)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine"), ALL)
def test_all(data, name, engine):
    check(data, name, engine)
