"""ATT(g,t) of triple differences, their replicates, influence and loadings, against brute force."""

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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("design", DESIGNS)
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


@pytest.mark.parametrize("sample", SAMPLES)
def test_replicates_are_those_of_brute_force(samples, sample):
    df, options = samples[sample], DESIGNS["not yet"] | METHODS["reg"]
    result = fit(df, **options | SAMPLES[sample])
    want = slow.replicates(df, **slowly(sample, options))
    np.testing.assert_allclose(result.replicates(), want, rtol=0, atol=1e-9)


STEP = 1e-5


def derivatives(df, groups, statistic, most=4):
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


@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_influence_is_the_derivative(samples, sample, method):
    df, options = samples[sample], DESIGNS["not yet"] | METHODS[method]
    groups = df["cluster"] if sample == "repeated" else df["id"]
    result = fit(df, **options | SAMPLES[sample] | {"vcov": "analytic"})
    found = result._fit
    if sample != "repeated":
        found = found.with_independent_units()
    some, want = derivatives(
        df, groups.to_numpy(), lambda moved: values(slow.cells(moved, **slowly(sample, options)))
    )
    scale = np.abs(want).max()
    np.testing.assert_allclose(found.influence[some], want, rtol=0, atol=1e-7 * scale)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0.0, atol=1e-11)


ODD = {
    "one cluster is never treated": (0, 3, 4, 5, 3, 4),
    "a cohort in one cluster": (0, 3, 0, 4, 3, 5),
    "one cluster is treated": (0, 0, 3, 0, 0, 0),
    "nobody is never treated": (5, 3, 4, 5, 3, 4),
}


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("odd", ODD)
def test_replicates_are_refits(odd, sample, control_group):
    df = eligible(draw(ODD[odd], 9, range(1, 6), 2, sample != "repeated"))
    if sample == "unbalanced":  # without cluster 1 the panel is balanced
        df = pd.concat([df[df["cluster"] != 1], lose_rows(df[df["cluster"] == 1], 0.2)])
    # In cohort 3 only one cluster has other units, in cohort 4 only one has eligible ones.
    df = df[~((df["cluster"] == 4) & (df["eligible"] == 0))]
    df = df[~((df["cluster"] == 5) & (df["eligible"] == 1))]
    options = SAMPLES[sample] | {"control_group": control_group, "est_method": "reg"}
    result = fit(df, **options)
    for kind in ("cells", "event", "group"):
        one = result if kind == "cells" else result.aggregate(kind)
        found = one.replicates()
        for cluster in found.index:
            rest = df[df["cluster"] != cluster]
            want = pd.Series(np.nan, found.columns)
            try:
                again = fit(rest, **options, vcov="analytic")
                again = again if kind == "cells" else again.aggregate(kind)
                want.update(again.coef())
            except didjack.DataError as error:
                assert "can be formed" in str(error) or "is left" in str(error)
            except didjack.OptionError:
                assert kind != "cells"
            np.testing.assert_allclose(found.loc[cluster], want, rtol=0, atol=1e-9)
