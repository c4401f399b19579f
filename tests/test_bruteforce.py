"""Estimates, every replicate, and every standard error equal those of refits from scratch."""

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from oracle import compare, compare_analytic, draw, fast, lose_rows, split, statuses

import didjack

# Awkward designs lose rows, cells and replicates, and say so; test_statuses checks what they say.
pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning",
    "ignore::didjack.SampleWarning",
    "ignore::didjack.EstimationWarning",
    "ignore::didjack.InferenceWarning",
)

METHODS = ("reg", "ipw", "dr")
SAMPLES = {
    "panel": {},
    "unbalanced": {"allow_unbalanced_panel": True},
    "repeated": {"panel": False},
}
EVERYWHERE = pytest.mark.parametrize("sample", SAMPLES)
BY_METHOD = pytest.mark.parametrize("est_method", METHODS)

COHORTS = (0, 4, 0, 6, 4, 0, 6, 4)
SIZES = (14, 9, 22, 15, 16, 8, 12, 17)


def make(sample, cohorts=COHORTS, sizes=SIZES, periods=range(1, 7), seed=0):
    """A data set of each kind: balanced or unbalanced panel, or repeated cross sections."""
    df = draw(cohorts, sizes, periods, seed, panel=sample != "repeated")
    return lose_rows(df) if sample == "unbalanced" else df


VARIANTS = {
    "plain": {},
    "one covariate": {"xformla": "~ x1"},
    "later comparisons": {"xformla": "~ x1 + x2", "control_group": "notyettreated"},
    "universal": {"xformla": "~ x1 + x2", "base_period": "universal"},
    "weights": {"xformla": "~ x1 + x2", "weightsname": "w"},
    "all vary": {"xformla": "~ x1 + x2 + x3", "weightsname": "wt", "control_group": "notyettreated"},
    "all vary, universal": {"xformla": "~ x3", "weightsname": "wt", "base_period": "universal"},
    "anticipation 1": {
        "xformla": "~ x1",
        "anticipation": 1,
        "control_group": "notyettreated",
        "base_period": "universal",
    },
    "anticipation 1, varying": {"weightsname": "w", "anticipation": 1},
    "anticipation 2": {"xformla": "~ x2", "anticipation": 2, "control_group": "notyettreated"},
}


@EVERYWHERE
@BY_METHOD
@pytest.mark.parametrize("variant", VARIANTS)
def test_replicates_equal_refits(sample, est_method, variant):
    options = SAMPLES[sample] | VARIANTS[variant] | {"est_method": est_method}
    _, full, replicates = compare(make(sample), **options)
    assert (full.table["status"] != "singular").all()
    assert len(replicates) == len(COHORTS)


@EVERYWHERE
@BY_METHOD
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("variant", ["plain", "universal", "all vary", "anticipation 1"])
def test_analytic_errors_equal_the_slow_ones(sample, est_method, clustered, variant):
    options = SAMPLES[sample] | VARIANTS[variant] | {"est_method": est_method}
    compare_analytic(make(sample), clustered, **options)


# Awkward designs: cohorts of the clusters, sizes of the clusters, periods ---------------------

EDGES = {
    "time gaps": ((0, 3, 0, 8, 4, 0, 8, 3), 12, (1, 2, 4, 7, 8)),
    "no never-treated": ((3, 5, 6, 3, 5, 6, 6), 12, range(1, 7)),
    "last cohort in one cluster": ((3, 5, 6, 3, 5, 3, 5), 12, range(1, 7)),
    "single never-treated cluster": ((0, 3, 5, 3, 5, 3, 5), 12, range(1, 7)),
    "late cohort": ((0, 9, 3, 0, 4, 3, 4), 12, range(1, 6)),
    "late cohort as never-treated": ((9, 3, 9, 4, 3, 4), 12, range(1, 6)),
    "already treated": ((0, 1, 3, 0, 4, 3, 2), 12, range(1, 6)),
    "cohort in one cluster": ((0, 3, 0, 4, 4, 0), 14, range(1, 6)),
    "one treated cluster": ((0, 3, 0, 0, 0), 14, range(1, 6)),
    "two clusters": ((0, 3), 25, range(1, 5)),
    "three clusters": ((0, 3, 0), 20, range(1, 5)),
    "two periods": ((0, 2, 0, 2, 0, 2), 20, (1, 2)),
    "dominating cluster": ((0, 3, 0, 4, 3, 4), (90, 8, 8, 9, 7, 8), range(1, 6)),
}
SETTINGS = {
    "reg": {"est_method": "reg"},
    "dr, later comparisons": {"est_method": "dr", "control_group": "notyettreated"},
    "universal, anticipation": {
        "est_method": "reg",
        "control_group": "notyettreated",
        "base_period": "universal",
        "anticipation": 1,
        "weightsname": "w",
        "undefined": "skip",
    },
}


@EVERYWHERE
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_awkward_designs(sample, edge, setting):
    cohorts, sizes, periods = EDGES[edge]
    df = make(sample, cohorts, sizes, periods)
    compare(df, xformla="~ x1", **SAMPLES[sample], **SETTINGS[setting])
