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
