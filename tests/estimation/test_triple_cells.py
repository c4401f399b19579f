"""ATT(g,t) of triple differences, their replicates, influence and loadings, against brute force."""

from contextlib import suppress
from itertools import product

import numpy as np
import pandas as pd
import pytest
import slow_triple_differences as slow
from compare_with_bruteforce import draw, lose_rows

import didjack
from didjack.inference.reference.working_model import Design

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
COHORTS, SIZES = (0, 3, 0, 5, 3, 0, 4, 0), (17, 16, 20, 15, 18, 16, 17, 15)
SAMPLES = {
    "panel": {},
    "unbalanced": {"allow_unbalanced_panel": True},
    "repeated": {"panel": False},
}
DESIGNS = {
    "never": {},
    "not yet": {"control_group": "notyettreated"},
    "universal": {"control_group": "notyettreated", "base_period": "universal"},
    "anticipation": {"control_group": "notyettreated", "anticipation": 1},
}
METHODS = {
    "plain": {"est_method": "reg"},
    "reg": {"est_method": "reg", "xformla": "~ x1"},
    "ipw": {"est_method": "ipw", "xformla": "~ x1"},
    "dr": {"est_method": "dr", "xformla": "~ x1"},
}


def eligible(df, seed=0):
    """Add who is eligible, more of them in some clusters than in others."""
    who = df["id"] if "id" in df else pd.Series(np.arange(len(df)), df.index)
    share = np.random.default_rng(seed).uniform(0.35, 0.7, df["cluster"].max() + 1)
    lot = np.random.default_rng(seed + 1).random(int(who.max()) + 1)
    df = df.assign(eligible=(lot[who] < share[df["cluster"]]).astype(int))
    return df.assign(y=df["y"] + 0.3 * df["eligible"] * df["period"] * df["x1"])


@pytest.fixture(scope="module")
def samples():
    panel = eligible(draw(COHORTS, SIZES, range(1, 6), 5))
    cross = eligible(draw(COHORTS, SIZES, range(1, 6), 5, panel=False))
    return {"panel": panel, "unbalanced": lose_rows(panel, 0.05), "repeated": cross}


def fit(df, **options):
    idname = {"idname": "id"} if options.get("panel", True) else {}
    return didjack.ddd(df, pname="eligible", **NAMES | idname | {"weightsname": "w"} | options)


def slowly(sample, options):
    """Options of the slow implementation."""
    found = {name: value for name, value in options.items() if name in ("est_method", *KEPT)}
    formula = options.get("xformla", "~")
    return found | {"covariates": formula[2:].split(), "panel": sample == "panel"}


KEPT = ("control_group", "base_period", "anticipation")


def values(series):
    """What the slow implementation found, in the order of `tidy`."""
    return np.asarray(series, dtype=float)


QUICK = ("not yet", "dr")
COMBINED = [
    pytest.param(*both, marks=() if both[1] == "plain" or both in QUICK else pytest.mark.slow)
    for both in product(DESIGNS, METHODS)
]


@pytest.mark.parametrize(("design", "method"), COMBINED)
@pytest.mark.parametrize("sample", SAMPLES)
def test_estimates_are_those_of_brute_force(samples, sample, design, method):
    df, options = samples[sample], DESIGNS[design] | METHODS[method]
    result = fit(df, **options | SAMPLES[sample] | {"vcov": "analytic"})
    want = slow.cells(df, **slowly(sample, options))
    np.testing.assert_allclose(result.tidy()["estimate"], values(want), rtol=0, atol=1e-9)
    labels = list(zip(result.tidy()["group"], result.tidy()["time"], strict=True))
    assert labels == list(want.index)
    if sample != "unbalanced":
        overall = result.aggregate("simple").overall["estimate"]
        assert overall == pytest.approx(slow.simple(want, df, sample == "panel"), abs=1e-9)


SOME = [(3, 2), (3, 4), (5, 5)]
"""Cells that brute force takes not too long for."""


def at(result, cells):
    """Positions of cells in a result."""
    return result.replicates().columns.get_indexer(pd.MultiIndex.from_tuples(cells))


@pytest.mark.parametrize("sample", SAMPLES)
def test_replicates_are_those_of_brute_force(samples, sample):
    df, options = samples[sample], DESIGNS["not yet"] | METHODS["reg"]
    result = fit(df, **options | SAMPLES[sample])
    want = slow.replicates(df, SOME, **slowly(sample, options))
    found = result.replicates().iloc[:, at(result, SOME)]
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-9)


STEP = 1e-5


def derivatives(df, groups, statistic, most=2):
    """Derivative of a statistic with respect to a factor on the weights of some groups."""
    labels = np.unique(groups)
    some = np.sort(np.random.default_rng(0).permutation(labels.size)[:most])
    sides = [
        [
            statistic(df.assign(w=df["w"] * np.where(groups == label, 1 + sign * STEP, 1.0)))
            for sign in (1, -1)
        ]
        for label in labels[some]
    ]
    return some, np.array([(above - below) / (2 * STEP) for above, below in sides])


DERIVED = [
    pytest.param(*both, marks=() if "dr" in both else pytest.mark.slow)
    for both in product(SAMPLES, ("reg", "ipw", "dr"))
]


@pytest.mark.parametrize(("sample", "method"), DERIVED)
def test_influence_is_the_derivative(samples, sample, method):
    df, options = samples[sample], DESIGNS["not yet"] | METHODS[method]
    groups = df["cluster"] if sample == "repeated" else df["id"]
    result = fit(df, **options | SAMPLES[sample])
    found = result._fit.under(vcov="analytic")
    if sample != "repeated":
        found = found.with_independent_units()

    def estimates(moved):
        return values(slow.cells(moved, SOME, **slowly(sample, options)))

    some, want = derivatives(df, groups.to_numpy(), estimates)
    got, scale = found.influence[np.ix_(some, at(result, SOME))], np.abs(want).max()
    assert scale > 0
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-7 * scale)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0.0, atol=1e-11)


ODD = {
    "one cluster is never treated": (0, 3, 4, 5, 3, 4),
    "a cohort in one cluster": (0, 3, 0, 4, 3, 5),
    "one cluster is treated": (0, 0, 3, 0, 0, 0),
    "nobody is never treated": (5, 3, 4, 5, 3, 4),
}


def odd_sample(odd, sample):
    """Data in which replicates have other cells than the full sample, or none."""
    df = eligible(draw(ODD[odd], 9, range(1, 6), 2, sample != "repeated"))
    if sample == "unbalanced":  # without cluster 1 the panel is balanced
        df = pd.concat([df[df["cluster"] != 1], lose_rows(df[df["cluster"] == 1], 0.2)])
    # In cohort 3 only one cluster has other units, in another only one has eligible ones.
    df = df[~((df["cluster"] == 4) & (df["eligible"] == 0))]
    return df[~((df["cluster"] == 5) & (df["eligible"] == 1))]


USUAL = [
    ("one cluster is never treated", "unbalanced", "notyettreated"),
    ("a cohort in one cluster", "panel", "notyettreated"),
    ("a cohort in one cluster", "repeated", "nevertreated"),
    ("one cluster is treated", "panel", "nevertreated"),
    ("nobody is never treated", "unbalanced", "notyettreated"),
]
EVERY = [
    pytest.param(*case, marks=() if case in USUAL else pytest.mark.slow)
    for case in product(ODD, SAMPLES, ("nevertreated", "notyettreated"))
]


@pytest.mark.parametrize(("odd", "sample", "control_group"), EVERY)
def test_replicates_are_refits(odd, sample, control_group):
    df = odd_sample(odd, sample)
    options = SAMPLES[sample] | {"control_group": control_group, "est_method": "reg"}
    result = fit(df, **options)
    for kind in ("cells", "event"):
        one = result if kind == "cells" else result.aggregate(kind)
        found = one.replicates()
        for cluster in found.index:
            rest = df[df["cluster"] != cluster]
            want = pd.Series(np.nan, found.columns)
            with suppress(didjack.DataError, didjack.OptionError):  # there may be nothing left
                again = fit(rest, **options, vcov="analytic")
                again = again if kind == "cells" else again.aggregate(kind)
                want.update(again.coef())
            np.testing.assert_allclose(found.loc[cluster], want, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("odd", "sample", "control_group"),
    [
        ("a cohort in one cluster", "panel", "notyettreated"),
        ("a cohort in one cluster", "repeated", "notyettreated"),
        ("one cluster is never treated", "unbalanced", "notyettreated"),
        ("one cluster is treated", "panel", "nevertreated"),
    ],
)
def test_loadings_are_refits(odd, sample, control_group):
    df = odd_sample(odd, sample)
    options = SAMPLES[sample] | {"control_group": control_group, "est_method": "reg"}
    result = fit(df, **options).aggregate("event")
    design, targets = Design.from_fit(result._fit), result._targets
    clusters, some = result.replicates().index, np.flatnonzero(result.coef().notna())[[0, -1]]
    layout = result._fit.layout
    sd = np.sqrt(design.variance) * design.movements.spread[[0, -1]]  # of other, of eligible rows
    for cluster, period, q in [(1, 3, 1), (4, 4, 1), (0, 5, 0), (1, 2, 0)]:
        shock = (df["cluster"] == cluster) & (df["period"] == period) & (df["eligible"] == q)
        h = clusters.get_loc(cluster)
        moved = fit(df.assign(y=shock * sd[q, h]), **options).aggregate("event")
        want, estimate = moved.replicates(), moved.coef()
        for position in some:
            loadings = design.loadings(targets.shares, position)
            number = 2 * np.searchsorted(layout.periods, period) + q
            on = (loadings.period == number) * loadings.weight[:, h] * np.sqrt(design.variance[h])
            found = loadings.beta.stacked @ on
            found[1 + h] = 0.0
            np.testing.assert_allclose(found[0], estimate.iloc[position], atol=1e-10)
            kept = want.iloc[:, position].notna()
            np.testing.assert_allclose(found[1:][kept], want.iloc[:, position][kept], atol=1e-10)


def random_design(seed):
    """Data and options at random: clusters without eligible or other units among them."""
    rng = np.random.default_rng(seed)
    periods, d = range(1, rng.integers(4, 7)), int(rng.integers(0, 2))
    treated = rng.integers(2 + d, max(periods) + 1, rng.integers(2, 5))
    cohorts = rng.permutation([*treated, 0, 0, *rng.integers(0, 1, rng.integers(0, 2))])
    sample = list(SAMPLES)[rng.integers(3)]
    sizes = rng.integers(6, 16, cohorts.size)
    df = eligible(draw(cohorts, sizes, periods, seed, sample != "repeated"), seed)
    for q in (0, 1):
        bare = rng.random(cohorts.size) < 0.1
        df = df[~(bare[df["cluster"]] & (df["eligible"] == q))]
    if sample == "unbalanced":
        df = lose_rows(df, 0.1, seed)
    options = METHODS[list(METHODS)[rng.integers(4)]] | {"anticipation": d}
    options["base_period"] = ("varying", "universal")[rng.integers(2)]
    options["control_group"] = ("nevertreated", "notyettreated")[rng.integers(2)]
    return df, sample, options


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 80))]
)
def test_random_designs(seed):
    df, sample, options = random_design(seed)
    want = slow.cells(df, **slowly(sample, options))
    if want.isna().all():
        with pytest.raises(didjack.DataError, match="no triple difference can be formed"):
            fit(df, **options | SAMPLES[sample])
        return
    result = fit(df, **options | SAMPLES[sample])
    labels = result.replicates().columns
    assert set(labels) <= set(want.index)
    found = result.coef().reindex(want.index)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-8)
    cluster = df.loc[df["cohort"] > 0, "cluster"].iloc[0]
    rest = df[df["cluster"] != cluster]
    want = slow.cells(rest, list(labels), **slowly(sample, options)).reindex(labels)
    np.testing.assert_allclose(result.replicates().loc[cluster], want, rtol=0, atol=1e-8)
