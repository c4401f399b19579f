"""What a result hands out can be changed without changing the result."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import didjack

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

NAMES = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}

HANDED_OUT = {
    "tidy": lambda one: one.tidy(),
    "confint": lambda one: one.confint(),
    "joint confint": lambda one: one.confint(joint=True),
    "vcov": lambda one: one.vcov(),
    "analytic vcov": lambda one: one.vcov("analytic"),
    "replicates": lambda one: one.replicates(),
    "influence": lambda one: one.influence(),
    "clusters": lambda one: one.clusters(),
    "glance": lambda one: one.glance(),
    "sample": lambda one: one.sample,
    "cells": lambda one: getattr(one, "cells", None),
    "overall": lambda one: getattr(one, "overall", None),
    "wald_test": lambda one: one.wald_test(list(one._view.index[:2])),
    "lincomb": lambda one: one.lincomb({one._view.index[0]: 1.0}),
    "compare_vcov": lambda one: one.compare_vcov(n_permutations=0),
    "pretest": lambda one: one.pretest() if one._view.positions_before.size else None,
    "mde": lambda one: one.mde(),
    "index of the view": lambda one: one._view.index,
    "clusters of the view": lambda one: one._view.clusters.labels,
    "band of the view": lambda one: one._view.band(0.05),
    "covariance of the view": lambda one: one._view.covariance(),
    "cells of the view": lambda one: one._view.cells.periods,
    "maketables": lambda one: one.__maketables_coef_table__,
    "maketables labels": lambda one: one.__maketables_stat_labels__,
    "sensitivity": lambda one: (
        one.honest_inputs().sigma if getattr(one, "type", "") == "event" else None
    ),
}


@pytest.fixture(scope="module", params=["ATT(g,t)", "event", "group"])
def make(request):
    df = didjack.datasets.load_mpdta()
    result = didjack.csdid(df, **NAMES, cluster="state", base_period="universal")
    stored = pickle.dumps(
        result if request.param == "ATT(g,t)" else result.aggregate(request.param)
    )
    return lambda: pickle.loads(stored)


def overwrite(thing):
    """Change everything in place that can be changed."""
    if isinstance(thing, dict):
        thing.clear()
    elif isinstance(thing, np.ndarray):
        if thing.flags.writeable:
            thing[...] = np.zeros(1, dtype=thing.dtype)[0]
    elif isinstance(thing, pd.MultiIndex):
        thing.names = [f"changed {name}" for name in thing.names]
        for level in thing.levels:
            overwrite(np.asarray(level))
    elif isinstance(thing, pd.Index):
        thing.name = "changed"
        overwrite(np.asarray(thing))
    elif isinstance(thing, (pd.Series, pd.DataFrame)):
        thing.attrs["changed"] = True
        for index in thing.axes:
            overwrite(index)
        columns = [thing] if isinstance(thing, pd.Series) else [thing[name] for name in thing]
        for column in columns:
            overwrite(column.to_numpy())
        overwrite(thing.to_numpy())
        if isinstance(thing, pd.DataFrame):
            thing.iloc[:, :] = thing.iloc[::-1].to_numpy()


def same(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
        assert one.attrs == other.attrs
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other)
    elif isinstance(one, pd.Index):
        pd.testing.assert_index_equal(one, other)
    else:
        np.testing.assert_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("what", HANDED_OUT)
def test_changing_what_was_handed_out_changes_nothing(make, what):
    result, untouched = make(), make()
    thing = HANDED_OUT[what](result)
    if thing is None:
        pytest.skip("results of this kind have none")
    want = {name: copy.deepcopy(give(untouched)) for name, give in HANDED_OUT.items()}
    overwrite(thing)
    for name, give in HANDED_OUT.items():
        same(give(result), want[name])
    assert result == untouched


def test_arrays_of_a_result_are_read_only():
    targets = didjack.csdid(didjack.datasets.load_mpdta(), **NAMES)._view.targets
    for name in ("theta", "composition", "base"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(targets, name)[...] = 0


def test_missing_replicates_stay_missing():
    df = didjack.datasets.load_mpdta()
    result = didjack.csdid(df, **NAMES, cluster="state")
    before = result.tidy()
    replicates = result.replicates()
    replicates[replicates.isna()] = 0.0
    pd.testing.assert_frame_equal(result.tidy(), before)
