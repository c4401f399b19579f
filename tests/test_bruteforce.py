"""Estimates, every replicate, and every standard error equal those of refits from scratch.

Exhaustive ones are marked as slow; ``pytest -m "not slow"`` leaves them out.
"""

from functools import cache

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import (
    SUMMARIES,
    by_level,
    close,
    compare,
    compare_analytic,
    draw,
    fast,
    lose_rows,
    slow_cells,
    split,
    statuses,
)

import didjack

# Awkward designs lose rows, cells and replicates, and say so; test_statuses checks what they say.
pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning",
    "ignore::didjack.SampleWarning",
    "ignore::didjack.EstimationWarning",
    "ignore::didjack.InferenceWarning",
)

SLOW = pytest.mark.slow

METHODS = ("reg", "ipw", "dr")
SAMPLES = {
    "panel": {},
    "unbalanced": {"allow_unbalanced_panel": True},
    "repeated": {"panel": False},
}
EVERYWHERE = pytest.mark.parametrize("sample", SAMPLES)
BY_METHOD = pytest.mark.parametrize("est_method", METHODS)

COHORTS = (0, 4, 0, 5, 4, 0, 5)
SIZES = (14, 12, 22, 15, 16, 8, 17)


def make(sample, cohorts=COHORTS, sizes=SIZES, periods=range(1, 6), seed=0):
    """A data set of each kind: balanced or unbalanced panel, or repeated cross sections."""
    return _make(sample, cohorts, sizes, tuple(periods), seed).copy()


@cache
def _make(sample, cohorts, sizes, periods, seed):
    df = draw(cohorts, sizes, periods, seed, panel=sample != "repeated")
    return lose_rows(df) if sample == "unbalanced" else df


VARIANTS = {
    "plain": {},
    "one covariate": {"xformla": "~ x1"},
    "later comparisons": {"xformla": "~ x1 + x2", "control_group": "notyettreated"},
    "universal": {"xformla": "~ x1 + x2", "base_period": "universal"},
    "weights": {"xformla": "~ x1 + x2", "weightsname": "w"},
    "zero weights": {"xformla": "~ x2", "weightsname": "w0"},
    "all vary": {
        "xformla": "~ x1 + x2 + x3",
        "weightsname": "wt",
        "control_group": "notyettreated",
    },
    "all vary, universal": {"xformla": "~ x3", "weightsname": "wt", "base_period": "universal"},
    "anticipation 1": {
        "xformla": "~ x1",
        "weightsname": "w",
        "anticipation": 1,
        "control_group": "notyettreated",
        "base_period": "universal",
    },
    "anticipation 2": {"xformla": "~ x2", "anticipation": 2, "control_group": "notyettreated"},
}
FIXED = {
    choice: {"xformla": "~ x2 + x3", "weightsname": "wt", "fix_weights": choice}
    for choice in ("varying", "base_period", "first_period")
} | {
    "base_period, anticipation": {
        "xformla": "~ x3",
        "weightsname": "wt",
        "fix_weights": "base_period",
        "anticipation": 1,
    },
    "varying, universal": {
        "xformla": "~ x3",
        "weightsname": "wt",
        "fix_weights": "varying",
        "base_period": "universal",
        "control_group": "notyettreated",
    },
}


# dr holds the logits of ipw and the regressions of reg, so these two take part in fewer variants.
IPW = ("plain", "weights", "all vary", "anticipation 2")
CALLS = [
    *[(sample, "reg", variant) for sample in ("panel", "repeated") for variant in VARIANTS],
    *[(sample, "ipw", variant) for sample in ("panel", "repeated") for variant in IPW],
    *[(sample, "dr", variant) for sample in SAMPLES for variant in VARIANTS],
]
CALLS = [pytest.param(*c, marks=[] if c[-1].startswith("all vary") else SLOW) for c in CALLS]


@pytest.mark.parametrize(("sample", "est_method", "variant"), CALLS)
def test_replicates_equal_refits(sample, est_method, variant):
    options = SAMPLES[sample] | VARIANTS[variant] | {"est_method": est_method}
    # Averages are taken alike whatever the method.
    summaries = SUMMARIES if est_method == "reg" else SUMMARIES[:1]
    _, full, replicates = compare(make(sample), summaries, **options)
    assert (full.table["status"] != "collinear").all()
    assert len(replicates) == len(COHORTS)


@SLOW
@EVERYWHERE
@BY_METHOD
@pytest.mark.parametrize("variant", ["plain", "universal", "all vary", "anticipation 1"])
def test_analytic_errors_equal_the_slow_ones(sample, est_method, variant):
    options = SAMPLES[sample] | VARIANTS[variant] | {"est_method": est_method}
    compare_analytic(make(sample), **options)


FIXED_CALLS = [
    pytest.param(sample, method, choice, marks=[] if method == "reg" else SLOW)
    for sample in ("panel", "unbalanced")
    for method in METHODS
    for choice in FIXED
]


@pytest.mark.parametrize(("sample", "est_method", "choice"), FIXED_CALLS)
def test_fixed_weights_equal_refits(sample, est_method, choice):
    options = SAMPLES[sample] | FIXED[choice] | {"est_method": est_method}
    compare(make(sample), SUMMARIES if est_method == "reg" else SUMMARIES[:1], **options)
    compare_analytic(make(sample), **options)


# The periods of replicates: others where a cluster is the only one in them, or never-treated.
FIXED_EDGES = {
    "gaps of time": ((0, 3, 0, 8, 4, 0, 8, 3), (1, 2, 4, 7, 8)),
    "single never-treated cluster": ((0, 3, 5, 3, 5, 3, 6), tuple(range(1, 8))),
}


@SLOW
@pytest.mark.parametrize("choice", FIXED)
@pytest.mark.parametrize("edge", FIXED_EDGES)
@pytest.mark.parametrize("lost", ["nothing", "in one cluster", "late", "a period of all others"])
def test_fixed_weights_where_replicates_have_a_sample_of_their_own(edge, choice, lost):
    cohorts, periods = FIXED_EDGES[edge]
    df = draw(cohorts, 12, periods, seed=3)
    third = df["id"] % 3 == 0
    gone = {
        "nothing": third & False,
        "in one cluster": third & (df["cluster"] == 2) & df["period"].isin([2, 7]),
        "late": third & (df["period"] == periods[-1]),
        "a period of all others": (df["cluster"] != 1) & (df["period"] == 2),
    }[lost]
    unbalanced = {"allow_unbalanced_panel": True} if gone.any() else {}
    options = FIXED[choice] | unbalanced | {"est_method": "reg", "undefined": "nan"}
    compare(df[~gone], SUMMARIES[:8], **options)


# Awkward designs ------------------------------------------------------------------------------

# Cohorts of the clusters, sizes of the clusters, periods; and what happens to the full sample
# ("dropped", "recoded" rows) and to replicates ("undefined", "composition") of a plain panel.
EDGES = {
    "time gaps": ((0, 3, 0, 8, 4, 0, 8, 3), 12, (1, 2, 4, 7, 8), {"undefined", "composition"}),
    "no never-treated": ((3, 5, 6, 3, 5, 6, 6), 12, range(1, 7), {"dropped", "recoded"}),
    "last cohort in one cluster": (
        (3, 5, 6, 3, 5, 3, 5),
        12,
        range(1, 7),
        {"dropped", "recoded", "undefined", "composition"},
    ),
    "single never-treated cluster": (
        (0, 3, 5, 3, 5, 3, 5),
        12,
        range(1, 7),
        {"undefined", "composition"},
    ),
    "late cohort": ((0, 9, 3, 0, 4, 3, 4), 12, range(1, 6), {"recoded"}),
    "late cohort as never-treated": ((9, 3, 9, 4, 3, 4), 12, range(1, 6), {"recoded"}),
    "already treated": ((0, 1, 3, 0, 4, 3, 4, 1), 12, range(1, 6), {"dropped"}),
    "cohort in one cluster": ((0, 3, 0, 4, 4, 0), 14, range(1, 6), {"undefined", "composition"}),
    "one treated cluster": ((0, 3, 0, 0, 0), 14, range(1, 6), {"undefined"}),
    "two clusters": ((0, 3), 25, range(1, 5), {"undefined"}),
    "three clusters": ((0, 3, 0), 20, range(1, 5), {"undefined"}),
    "two periods": ((0, 2, 0, 2, 0, 2), 20, (1, 2), set()),
    "dominating cluster": ((0, 3, 0, 4, 3, 4), (90, 8, 8, 9, 7, 8), range(1, 6), set()),
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


SETTINGS_OF_SAMPLES = [
    ("panel", "reg"),
    ("panel", "universal, anticipation"),
    ("repeated", "dr, later comparisons"),
]


@SLOW
@pytest.mark.parametrize(("sample", "setting"), SETTINGS_OF_SAMPLES)
@pytest.mark.parametrize("edge", EDGES)
def test_awkward_designs(sample, edge, setting):
    cohorts, sizes, periods, _ = EDGES[edge]
    df = make(sample, cohorts, sizes, periods)
    options = SAMPLES[sample] | SETTINGS[setting] | {"xformla": "~ x1"}
    if edge == "two periods" and "anticipation" in options:
        for fit in (fast, lambda df, **options: bf.fit(df, **split(options))):
            with pytest.raises(
                (didjack.DataError, bf.SampleError), match=r"no treated cohort (is )?left"
            ):
                fit(df, **options)
        return
    short = edge == "two periods" or options["est_method"] == "dr"
    summaries = SUMMARIES[:4] if short else SUMMARIES
    compare(df, summaries, **options)


@pytest.mark.parametrize("edge", EDGES)
def test_awkward_designs_are_awkward(edge):
    cohorts, sizes, periods, want = EDGES[edge]
    result = fast(make("panel", cohorts, sizes, periods), est_method="reg")
    event = result.aggregate("event")
    got = set(result.sample["action"]) - {"kept"}
    tables = [result.tidy(), event.tidy(), event.overall.to_frame().T]
    got |= {"undefined" for t in tables if t["status"].str.startswith("undefined").any()}
    got |= {"composition" for t in tables if (t["n_composition"] > 0).any()}
    assert got == want


# Periods that one cluster observes -------------------------------------------------------------

ONLY = pytest.mark.parametrize("only", [1, 3, 6])
BY_OBSERVER = pytest.mark.parametrize("observer", [0, 1])
MIXED = pytest.mark.parametrize("mixed", [False, True])
COMPARISONS = pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])


def one_observer(sample, only, observer, mixed):
    """One cluster alone has rows in a period; clusters hold one cohort each, or two."""
    df = draw((0, 4, 0, 4, 6, 0, 6), 14, range(1, 7), 3, panel=sample == "unbalanced")
    if mixed:
        unit = df["id"] - 100 if sample == "unbalanced" else np.arange(len(df))
        moves = np.random.default_rng(5).random(len(df))[unit] < 0.5
        df["cluster"] = np.where(moves, (df["cluster"] + 3) % 7, df["cluster"])
    return df[(df["period"] != only) | (df["cluster"] == observer)]


@SLOW
@pytest.mark.parametrize("sample", ["unbalanced", "repeated"])
@ONLY
@BY_OBSERVER
@MIXED
def test_period_that_one_cluster_observes(sample, only, observer, mixed):
    df = one_observer(sample, only, observer, mixed)
    options = SAMPLES[sample] | {"est_method": "reg", "xformla": "~ x1"}
    if mixed:
        options |= {"control_group": "notyettreated", "base_period": "universal"}
    summaries = [s for s in SUMMARIES if only != 3 or "balance_e" not in s[1]]
    compare(df, summaries, **options)


@pytest.mark.parametrize("sample", ["unbalanced", "repeated"])
def test_base_period_changes_without_its_only_observer(sample):
    df = draw((0, 4, 0, 4, 6, 0, 6), 14, range(1, 7), 3, panel=sample == "unbalanced")
    # The observer has some units of each cohort.
    unit = df["id"] if sample == "unbalanced" else pd.Series(range(len(df)), df.index)
    df["cluster"] = df["cluster"].where(unit % 3 > 0, 0)
    df = df[(df["period"] != 3) | (df["cluster"] == 0)]
    options = SAMPLES[sample] | {"est_method": "reg", "base_period": "universal"}
    result, full, replicates = compare(df, **options)

    def base(fit):
        return fit.table.set_index("group")["base"].loc[4].unique().tolist()

    assert base(full) == base(replicates[1]) == [3]
    assert base(replicates[0]) == [2]
    table = result.tidy().set_index(["group", "time"])
    assert table.loc[(4, 5), "n_composition"] == 1
    assert (statuses(df, **options).loc[0, (slice(None), 3)] != "OK").all()


@BY_OBSERVER
@COMPARISONS
def test_cells_that_only_a_replicate_has(observer, control_group):
    # Period 3 is the base period of cohort 4. In the full sample only one side of the comparison
    # is seen in it; without its observer, period 2 takes its place, and effects come to life.
    df = one_observer("repeated", only=3, observer=observer, mixed=False)
    compare(df, panel=False, est_method="reg", control_group=control_group)


# Panels that are unbalanced in one cluster ----------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"xformla": "~ x1", "est_method": "ipw"},
        {"xformla": "~ x1", "weightsname": "w"},
        {"xformla": "~ x3", "control_group": "notyettreated", "base_period": "universal"},
        {"xformla": "~ x3", "est_method": "reg", "anticipation": 1},
        {"weightsname": "wt"},
    ],
)
def test_replicate_that_is_balanced(options):
    df = draw((0, 4, 0, 4, 6, 0, 4, 6), 12, range(1, 7), 3)
    df = df[(df["cluster"] != 2) | (np.random.default_rng(2).random(len(df)) > 0.3)]
    compare(df, allow_unbalanced_panel=True, **options)


@pytest.mark.parametrize("only", [1, 6])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"xformla": "~ x3", "est_method": "reg"},
        {"weightsname": "wt"},
    ],
)
def test_replicate_that_is_balanced_in_fewer_periods(only, options):
    df = draw((0, 4, 0, 4, 5, 0, 5), 12, range(1, 7), 3)
    df = df[(df["period"] != only) | (df["cluster"] == 0)]
    compare(df, SUMMARIES[:1], allow_unbalanced_panel=True, **options)


# One cluster outweighs all others -------------------------------------------------------------


def same_without(df, cluster, **options):
    """Hold the replicate without a cluster against a refit, on the scale of what is left."""
    result = fast(df, **options)
    keys = result.replicates().columns
    refit = bf.fit(df[df["cluster"] != cluster], **split(options))
    scale = df["y"][df["cluster"] != cluster].std()
    close(result.replicates().loc[cluster], slow_cells(refit, keys), scale)


@EVERYWHERE
@pytest.mark.parametrize("cluster", [1, 2])
@pytest.mark.parametrize("factor", [20, 300, 1000])
def test_heavy_cluster(sample, cluster, factor):
    df = make(sample)
    df["w"] *= np.where(df["cluster"] == cluster, factor, 1.0)
    options = SAMPLES[sample] | {"xformla": "~ x1", "weightsname": "w", "est_method": "dr"}
    same_without(df, cluster, **options)


@EVERYWHERE
@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_heavy_cluster_of_regressions(sample, factor):
    df = make(sample)
    df["w"] *= np.where(df["cluster"] == 2, factor, 1.0)
    options = SAMPLES[sample] | {"xformla": "~ x1", "weightsname": "w", "est_method": "reg"}
    same_without(df, 2, **options)


@pytest.mark.parametrize("size", [300, 3000])
def test_large_cluster(size):
    df = make("panel", sizes=(14, 12, size, 15, 16, 8, 17), periods=range(3, 6))
    same_without(df, 2, xformla="~ x1")


@EVERYWHERE
@pytest.mark.parametrize("factor", [1e3, 1e7])
def test_cluster_of_large_covariates(sample, factor):
    df = make(sample)
    df["x1"] *= np.where(df["cluster"] == 2, factor, 1.0)
    same_without(df, 2, xformla="~ x1", est_method="reg", **SAMPLES[sample])


@pytest.mark.parametrize(
    ("sample", "factor"),
    [
        ("panel", 1e12),
        ("unbalanced", 1e6),
        ("repeated", 1e6),
        ("unbalanced", 1e12),
        ("repeated", 1e12),
    ],
)
def test_cluster_of_large_outcomes(sample, factor):
    df = make(sample)
    df["y"] *= np.where(df["cluster"] == 2, factor, 1.0)
    same_without(df, 2, xformla="~ x1", **SAMPLES[sample])


# Trimming and overlap -------------------------------------------------------------------------


def failed(fits):
    """Which slow fits have a cell without estimate."""
    return [bool(fit.table["estimate"].isna().any()) for fit in fits]


TREATED = [(3, 5, 10, 90), (3, 5, 10, 20), (3, 4, 10, 90)]
NEVER = [(0, 60, 2, 1), (0, 60, 3, 1), (0, 70, 2, 0)]


@pytest.mark.parametrize("sample", ["panel", "repeated"])
@pytest.mark.parametrize("est_method", ["ipw", "dr"])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_trimming_in_some_replicates(sample, est_method, weight, monkeypatch):
    df = by_level(TREATED + NEVER, weight)
    options = SAMPLES[sample] | {"xformla": "~ x1", "est_method": est_method}
    if weight != 1.0:
        options["weightsname"] = "w"
    _, full, replicates = compare(df, **options)
    assert not any(failed([full, *replicates.values()]))
    monkeypatch.setattr(bf, "TRIM", np.inf)
    untrimmed = bf.replicates(df, **split(options))
    trimmed = [
        np.abs(replicates[h].table["estimate"] - untrimmed[h].table["estimate"]).max() > 1e-4
        for h in replicates
    ]
    # Light weights push the weighted scores over the limit, though the unweighted ones stay.
    assert trimmed == [False, weight < 1, False, True, True, weight < 1]


OVERLAPS = {
    # Whether the limit is passed by the full sample, and without each cluster.
    "replicates": (
        [(3, 5, 40, 150), (3, 5, 40, 200), (3, 4, 40, 190)],
        [(0, 90, 5, 1), (0, 80, 5, 1), (0, 70, 5, 0)],
        False,
        [False, False, False, True, True, False],
    ),
    "full sample": (
        [(3, 2, 20, 150), (3, 2, 20, 60), (3, 2, 20, 120)],
        [(0, 90, 3, 1), (0, 80, 3, 0), (0, 70, 3, 0)],
        True,
        [False, False, False, True, True, True],
    ),
}


@SLOW
@pytest.mark.parametrize("sample", ["panel", "repeated"])
@pytest.mark.parametrize("est_method", ["ipw", "dr"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("where", OVERLAPS)
def test_overlap(sample, est_method, weighted, where):
    treated, never, in_full, without = OVERLAPS[where]
    later = [(4, 20, 3, 0), (4, 30, 3, 0)]  # a cohort that has overlap throughout
    df = by_level(treated + never + later, weight=2.0)
    options = SAMPLES[sample] | {"xformla": "~ x1", "est_method": est_method}
    if weighted:
        options["weightsname"] = "w"  # the limit is one of unweighted scores
    result, full, replicates = compare(df, **options)
    assert failed([full]) == [in_full]
    assert failed(replicates.values()) == [*without, in_full, in_full]
    cells = result.cells.set_index("group")["status"]
    assert (cells.loc[3] == ("no overlap" if in_full else "ok")).all()
    assert (cells.loc[4] == "ok").all()
    names = statuses(df, **options)[3]
    only_comparison = 3 if where == "full sample" else None  # then regressions fail as well
    for h, bad in enumerate(without):
        want = {"OVERLAP", "SINGULAR"} if h == only_comparison else {"OVERLAP" if bad else "OK"}
        assert set(names.loc[h]) <= want


@pytest.mark.parametrize("sample", ["panel", "repeated"])
def test_overlap_leaves_out_rows_without_weight(sample):
    df = by_level(
        [
            *[(3, 5, 40, 300), (3, 5, 40, 400), (3, 4, 40, 390)],
            *[(0, 90, 5, 4), (0, 80, 5, 0), (0, 70, 5, 0)],
        ]
    )
    rare = df.loc[(df["cohort"] == 0) & (df["x1"] == 2), "id"].unique()
    df["w"] = np.where(df["id"].isin(rare[1:]), 0.0, 1.0)
    options = {"xformla": "~ x1", "est_method": "ipw", "weightsname": "w"}
    _, full, _ = compare(df, **SAMPLES[sample], **options)
    # With the single control unit that has weight, the limit is passed; with all, it is not.
    assert any(failed([full]))
    assert not any(failed([bf.fit(df.assign(w=1.0), **split(SAMPLES[sample] | options))]))


def test_overlap_is_not_asked_of_regressions():
    treated, never, *_ = OVERLAPS["full sample"]
    result, full, _ = compare(by_level(treated + never), xformla="~ x1", est_method="reg")
    assert (full.table["status"] == "ok").all()
    assert result.tidy()["estimate"].notna().all()


SHARES = {
    # Treated and control units by cluster; the weight of control units with x1 = 2; whether there
    # is an estimate in the full sample, and without each cluster.
    "few control units": (
        [(3, 100), (3, 99), (3, 20), (0, 1), (0, 1)],
        1.0,
        [True, True, True, True, False, False],
    ),
    "light control units": (
        [(3, 60), (3, 60), (3, 60), (0, 0, 0, 3), (0, 1)],
        0.1,
        [True, True, True, True, True, False],
    ),
    "heavy control units": (
        [(3, 700), (3, 600), (3, 40), (0, 0, 0, 1), (0, 0, 0, 1)],
        1000.0,
        [True, True, True, True, False, False],
    ),
}


@pytest.mark.parametrize("sample", ["panel", "repeated"])
@pytest.mark.parametrize("est_method", ["ipw", "dr"])
@pytest.mark.parametrize("where", SHARES)
def test_without_covariates_shares_have_to_overlap(sample, est_method, where):
    counts, weight, defined = SHARES[where]
    options = SAMPLES[sample] | {"est_method": est_method}
    if weight != 1.0:
        options["weightsname"] = "w"
    df = by_level(counts, weight)
    _, full, replicates = compare(df, summaries=[], **options)
    assert failed([full, *replicates.values()]) == [not one for one in defined]
    plain, regression, _ = compare(df, summaries=[], **options | {"est_method": "reg"})
    assert not failed([regression])[0]
    assert plain.replicates().notna().all(axis=None)


def test_without_covariates_a_share_at_the_limit_is_no_overlap():
    df = by_level([(3, 150), (3, 49), (0, 1), (0, 1)])
    for est_method in METHODS:
        result = fast(df[df["cluster"] != 3], est_method=est_method)  # 199 of 200
        want = "ok" if est_method == "reg" else "no overlap"
        assert (result.cells["status"] == want).all()
        assert fast(df, est_method=est_method).cells["status"].eq("ok").all()


@EVERYWHERE
@pytest.mark.parametrize("est_method", ["ipw", "dr"])
def test_without_covariates_all_estimators_are_one(sample, est_method):
    df = make(sample)
    options = SAMPLES[sample] | {"weightsname": "w"}
    one, other = (fast(df, est_method=method, **options) for method in (est_method, "reg"))
    assert one.options.est_method == est_method
    pd.testing.assert_frame_equal(one.tidy(), other.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(one.replicates(), other.replicates(), check_exact=True)
    pd.testing.assert_frame_equal(one.influence(), other.influence(), check_exact=True)
    drawn = [fit.aggregate("simple").randomization_test(n_permutations=9) for fit in (one, other)]
    pd.testing.assert_series_equal(drawn[0].to_series(), drawn[1].to_series(), check_exact=True)


# Collinear covariates -------------------------------------------------------------------------


def awkward_dummy(sample, where):
    """Data whose x2 is collinear somewhere."""
    df = make(sample, (0, 3, 0, 4, 3, 0, 4), 20, seed=2)
    if where == "everywhere":
        df["x2"] = 3 * df["x1"] - 2
        return df
    rows = {
        "constant": df["x2"] >= 0,
        "a comparison period": (df["cohort"] == 0) & (df["period"] == 3),
        "comparisons without cluster 2": (df["cohort"] == 0) & (df["cluster"] != 2),
        "comparisons": df["cohort"] == 0,
        "a treated period": (df["cohort"] == 4) & (df["period"] == 5),
        "a cohort": df["cohort"] == 3,
        "the treated": df["cohort"] > 0,
    }[where]
    df.loc[rows, "x2"] = 0.0
    return df


# Where x2 is constant or collinear: the number of cells that fail in the full sample of a
# repeated cross section, and of replicates of cells, by estimator.
SINGULAR = {
    "everywhere": {"reg": (8, 56), "ipw": (8, 56), "dr": (8, 56)},
    "constant": {"reg": (8, 56), "ipw": (8, 56), "dr": (8, 56)},
    "a comparison period": {"reg": (4, 28), "ipw": (0, 0), "dr": (4, 28)},
    "comparisons without cluster 2": {"reg": (0, 8), "ipw": (0, 8), "dr": (0, 8)},
    "comparisons": {"reg": (8, 56), "ipw": (8, 56), "dr": (8, 56)},
    "a treated period": {"reg": (0, 0), "ipw": (0, 0), "dr": (1, 7)},
    "a cohort": {"reg": (0, 0), "ipw": (0, 0), "dr": (4, 28)},
    "the treated": {"reg": (0, 0), "ipw": (0, 0), "dr": (8, 56)},
}


DROPPING = [
    *[("repeated", m, where) for where in SINGULAR for m in METHODS],
    # A covariate that is constant in some periods is judged in the earlier period alone on a panel.
    *[("panel", m, where) for where in SINGULAR for m in METHODS if not where.endswith("period")],
    *[("unbalanced", "dr", where) for where in ("everywhere", "a treated period", "comparisons")],
]
DROPPING = [case for case in DROPPING if case[:2] != ("panel", "ipw")]


@SLOW
@pytest.mark.parametrize(("sample", "est_method", "where"), DROPPING)
def test_collinear_covariates(sample, est_method, where):
    df = awkward_dummy(sample, where)
    options = SAMPLES[sample] | {"xformla": "~ x1 + x2", "est_method": est_method}
    result, full, _ = compare(df, SUMMARIES[:1], **options)
    n_cells, n_replicates = SINGULAR[where][est_method]
    if sample == "panel" and est_method == "dr" and where in ("a cohort", "the treated"):
        n_cells = n_replicates = 0  # no regression of the treated
    assert full.table["estimate"].isna().sum() == n_cells
    assert result.replicates().isna().sum().sum() == n_replicates
    status = result.cells["status"][result.tidy()["estimate"].isna()]
    name = "collinear: x2"
    if where == "comparisons" and est_method == "ipw":
        name = "no overlap"  # x2 = 1 predicts treatment perfectly
    assert (status == name).all()
    if where == "comparisons without cluster 2":
        reason = (
            "no overlap of propensity scores" if est_method == "ipw" else "collinear covariates"
        )
        assert (result.tidy()["status"] == f"undefined: cluster 2: {reason}").all()


@SLOW
@pytest.mark.parametrize(("sample", "est_method", "where"), DROPPING)
def test_collinear_covariates_dropped(sample, est_method, where):
    df = awkward_dummy(sample, where)
    options = SAMPLES[sample] | {"xformla": "~ x1 + x2", "est_method": est_method}
    result, full, _ = compare(df, SUMMARIES[:1], **options, weightsname="w", collinear="drop")
    assert (full.table["status"] == "ok").all()
    assert result.replicates().notna().all(axis=None)
    dropped = result.cells["dropped"]
    assert set(dropped) <= {"", "x2"}
    # A dummy that is zero for the treated predicts comparison, so the logit leaves it out too.
    logit = sample == "panel" and est_method == "dr" and where in ("a cohort", "the treated")
    if not logit and est_method != "ipw" and where != "comparisons":
        assert (dropped == "x2").sum() >= SINGULAR[where][est_method][0]


@EVERYWHERE
@BY_METHOD
def test_dropping_changes_nothing_where_nothing_is_collinear(sample, est_method):
    options = SAMPLES[sample] | {"xformla": "~ x1 + x2", "est_method": est_method}
    one, other = (fast(make(sample), collinear=choice, **options) for choice in ("nan", "drop"))
    np.testing.assert_allclose(other.replicates(), one.replicates(), rtol=0, atol=1e-12)
    assert (other.cells["dropped"] == "").all()


# Holes: a cohort, or all of its control group, has no rows in a period ---------------------------


def with_holes(sample, seed):
    """Take all rows of one or two random cohorts out of a random period each."""
    rng = np.random.default_rng(seed)
    df = draw((0, 3, 4, 0, 3, 4, 5, 0), 8, range(1, 7), seed, panel=sample == "unbalanced")
    for cohort in rng.choice([0, 3, 4, 5], rng.integers(1, 3), replace=False):
        df = df[(df["cohort"] != cohort) | (df["period"] != rng.integers(1, 7))]
    return df[rng.random(len(df)) > 0.1]


HOLES = [
    {},
    {"base_period": "universal"},
    {"control_group": "notyettreated", "anticipation": 1},
    {"xformla": "~ x1", "est_method": "dr"},
    {"xformla": "~ x2", "est_method": "ipw", "weightsname": "w"},
    {"xformla": "~ x3", "est_method": "reg", "undefined": "skip"},
]


@pytest.mark.parametrize("sample", ["unbalanced", "repeated"])
@pytest.mark.parametrize("options", HOLES)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=SLOW) for seed in range(1, 4))])
def test_holes(sample, options, seed):
    df = with_holes(sample, seed)
    options = {"est_method": "reg"} | SAMPLES[sample] | options
    result, full, _ = compare(df, **options)
    empty = full.table["status"].str.startswith("no ").to_numpy()
    assert result.tidy().loc[empty, ["estimate", "std_error"]].isna().all(axis=None)
    assert (result.cells["status"].str.startswith("no ").to_numpy() == empty).all()
    if options.get("control_group") is None:
        assert empty.any()


@SLOW
@pytest.mark.parametrize("sample", ["unbalanced", "repeated"])
@pytest.mark.parametrize("options", HOLES[:5])
@pytest.mark.parametrize("seed", range(2))
def test_analytic_errors_beside_holes(sample, options, seed):
    options = {"est_method": "reg"} | SAMPLES[sample] | options
    compare_analytic(with_holes(sample, seed), **options)
