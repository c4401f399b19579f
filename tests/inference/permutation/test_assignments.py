"""Assignments of cohorts to clusters, within strata."""

from itertools import permutations
from math import comb, factorial

import numpy as np
import pandas as pd
import pytest

from didjack import DataError, OptionError
from didjack.inference.permutation.permuted import assignments, n_assignments, strata_codes

COHORT = np.array([2, 0, 2, 1, 2, 2])
STRATA = np.array([0, 0, 1, 0, 1, 1])
ONE = np.zeros(6, dtype=int)


@pytest.mark.parametrize("strata", [ONE, STRATA])
def test_all_distinct_ones_come_once_and_the_actual_one_first(strata):
    found = [tuple(row.tolist()) for row in assignments(COHORT, strata, 999, 0)]
    brute = {
        row
        for row in set(permutations(COHORT.tolist()))
        if all(sorted(np.array(row)[strata == s]) == sorted(COHORT[strata == s]) for s in (0, 1))
    }
    assert len(found) == len(brute) == n_assignments(COHORT, strata, 999)
    assert set(found) == brute
    assert found[0] == tuple(COHORT)


def test_counts():
    assert n_assignments(np.arange(10), np.zeros(10), 10**9) == factorial(10)
    assert n_assignments(np.arange(10), np.zeros(10), 999) == 1000  # as good as any more
    many = np.arange(1_000_000) < 400_000
    assert n_assignments(many, np.zeros(many.size), 999) == 1000
    assert n_assignments(np.arange(1_000_000) < 1, np.zeros(many.size), 10**6) == 10**6
    halves = np.repeat([0, 1], 10)
    assert n_assignments(halves, halves % 2, 99) == 1
    assert n_assignments(halves, np.zeros(20), comb(20, 10)) == comb(20, 10)


def test_as_many_as_there_may_be_are_enumerated():
    total = n_assignments(COHORT, ONE, 999)
    assert total == 30
    found = [tuple(row) for row in assignments(COHORT, ONE, 29, 0)]
    assert len(set(found)) == 30
    drawn = list(assignments(COHORT, ONE, 28, 0))
    assert len(drawn) == 29


def test_random_ones_follow_the_seed_and_stay_within_strata():
    cohort, strata = np.arange(40) % 4, np.arange(40) // 20
    one, two, other = (np.array(list(assignments(cohort, strata, 50, seed))) for seed in (7, 7, 8))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert np.array_equal(one[0], cohort)
    for part in (slice(0, 20), slice(20, 40)):
        assert (np.sort(one[:, part], axis=1) == np.sort(cohort[part])).all()
    assert len({tuple(row) for row in one.tolist()}) == 51


def test_strata_are_a_mapping_or_a_series_by_cluster():
    clusters = pd.Index(["a", "b", "c", "d"])
    wanted = [0, 1, 0, 1]
    given = {"a": "x", "b": "y", "c": "x", "d": "y", "not in the sample": None}
    by_row = pd.Series(["y", "x", "x", "y", "x"], index=["b", "a", "c", "d", "a"])
    for strata in (given, pd.Series(given), by_row, by_row.astype("category")):
        assert strata_codes(strata, clusters).tolist() == wanted
    assert strata_codes(None, clusters).tolist() == [0] * 4
    assert strata_codes({1: 2.5, 2: 2.5}, pd.Index([1, 2])).tolist() == [0, 0]


@pytest.mark.parametrize("strata", ["region", 3, [1, 2], pd.DataFrame({"a": [1]}), np.arange(3)])
def test_what_strata_cannot_be(strata):
    with pytest.raises(OptionError, match=r"strata must be a mapping or pandas Series .* got "):
        strata_codes(strata, pd.Index([1, 2]))


def test_strata_that_vary_or_are_missing_are_named():
    clusters = pd.Index(["a", "b", "c"])
    varies = pd.Series([1, 2, 1, 1, 3], index=["a", "a", "b", "c", "c"])
    message = r"strata varies within 2 clusters \(a, c\): a is in 1, 2; a cluster is in one stratum"
    with pytest.raises(DataError, match=message):
        strata_codes(varies, clusters)
    for gone in ({"a": 1, "c": 1}, {"a": 1, "b": np.nan, "c": 1}, {"a": 1, "b": None, "c": 1}):
        with pytest.raises(DataError, match=r"no stratum for 1 cluster \(b\)"):
            strata_codes(gone, clusters)
