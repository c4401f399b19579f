"""Randomisation tests against refits of relabelled tables, and what they say of bad input."""

import warnings
from functools import cache
from itertools import permutations, product

import numba
import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import NAMES, draw, lose_rows

import didjack
from didjack import DataError, InferenceWarning, OptionError, UnknownOptionError, simulate
from didjack.estimation import relabelled

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

COHORTS = np.array([0, 4, 0, 5, 4, 0, 5, 0, 0, 4, 5])
SIZES = (9, 8, 14, 7, 10, 8, 11, 6, 5, 9, 8)

# From brute force that shares no code with the package: p-value, and the ends of the interval.
GOLDEN = {
    ("few_clusters", "reg", None): {
        "estimate": (0.2619047619047619, -0.7767170338652021, 1.5466166442775262),
        "t": (0.05357142857142857, -0.0007083042903005539, 1.5168738450587314),
    },
    ("few_clusters", "dr", "~ x1"): {
        "estimate": (0.20833333333333334, -0.609083410069719, 1.4881636088428445),
        "t": (0.047619047619047616, 0.02363068001768931, 1.9229801264954536),
    },
    ("one_treated_cluster", "reg", None): {"estimate": (0.4166666666666667, -np.inf, np.inf)},
    ("one_treated_cluster", "dr", "~ x1"): {"estimate": (0.5, -np.inf, np.inf)},
}


def fit(df, **options):
    """Fit, by regression if nothing else is said, with a name for the unit of a panel."""
    if options.get("panel", True):
        options = {"idname": "id"} | options
    return didjack.csdid(df, **{**NAMES, "est_method": "reg", "progress": False, **options})


@pytest.mark.parametrize("case", GOLDEN)
def test_golden(case, data):
    name, method, formula = case
    res = fit(data(f"panel_{name}"), est_method=method, xformla=formula)
    for statistic, (p_value, low, high) in GOLDEN[case].items():
        test = res.aggregate("simple").randomization_test(statistic)
        assert test["p_value"] == p_value
        np.testing.assert_allclose(
            test[["conf_low", "conf_high"]].astype(float), [low, high], atol=2e-8
        )
        count = 168 if name == "few_clusters" else 12
        assert (test["n_assignments"], test["n_failed"]) == (count, 0)
        assert test["smallest_p"] == 1 / count


CASES = {
    "panel": ({}, "simple", {}),
    "dr, weights, event study": (
        {"est_method": "dr", "xformla": "~ x1", "weightsname": "w"},
        "event",
        {"min_e": -1, "max_e": 1},
    ),
    "CV3J, not yet treated, cohorts": (
        {"vcov": "CV3J", "control_group": "notyettreated"},
        "group",
        {"weights": "cell"},
    ),
    "unbalanced, calendar": ({"allow_unbalanced_panel": True}, "calendar", {}),
    "cross sections": ({"panel": False, "xformla": "~ x2"}, "simple", {"max_e": 1}),
    "anticipation, balanced": ({"anticipation": 1}, "event", {"balance_e": 0}),
}


NULL = 0.3
PERMUTATIONS = 60


def data_of(options):
    """Data of a case."""
    df = draw(COHORTS, SIZES, range(1, 6), 3, options.get("panel", True))
    return lose_rows(df) if options.get("allow_unbalanced_panel") else df


@cache
def refits(case):
    """The overall ATT of a refit to every permutation of a case, with a null of 0 and of `NULL`."""
    options, average, window = CASES[case]
    df = data_of(options)
    on = (df["cohort"] > 0) & (df["period"] >= df["cohort"])
    position = np.searchsorted([4, 5, 9], np.where(COHORTS == 0, 9, COHORTS))
    found = {0.0: [], NULL: []}
    for codes in _draws(position, PERMUTATIONS, 5):
        cohorts = np.array([4, 5, 0])[codes]
        for tau, into in found.items():
            changed = df.assign(cohort=cohorts[df["cluster"]], y=df["y"] - tau * on)
            into.append(fit(changed, **options).aggregate(average, **window).overall)
    return found


@pytest.mark.thin(3)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["t", pytest.param("estimate", marks=pytest.mark.slow)])
def test_every_permutation_by_a_refit(case, kind):
    options, average, window = CASES[case]
    agg = fit(data_of(options), **options).aggregate(average, **window)
    n, column = PERMUTATIONS, "statistic" if kind == "t" else "estimate"
    for tau, overalls in refits(case).items():
        null = {"null": tau} if tau else {}  # 0 is the default
        result = agg.randomization_test(kind, n_permutations=n, seed=5, **null)
        size = np.array([abs(overall[column]) for overall in overalls])
        defined = ~np.isnan(size)
        assert result["n_failed"] == (~defined).sum()
        assert abs(result["statistic"]) == pytest.approx(size[0], rel=1e-8)
        wanted = (size[defined] >= size[0] * (1 - 1e-9)).mean()
        assert result["p_value"] == pytest.approx(wanted, abs=1e-12)


def _draws(codes, n, seed):
    """Draw the same random assignments as the test does."""
    rng = np.random.default_rng(seed)
    return [codes, *(rng.permutation(codes) for _ in range(n))]


def test_the_interval_holds_what_is_not_rejected():
    df = draw(COHORTS, SIZES, range(1, 6), 3)
    agg = fit(df).aggregate("simple")
    for kind in ("t", "estimate"):
        test = agg.randomization_test(kind, n_permutations=99, alpha=0.1)
        for end, sign in ((test["conf_low"], -1), (test["conf_high"], 1)):
            assert np.isfinite(end)
            inside, outside = (
                agg.randomization_test(kind, n_permutations=99, null=end + sign * step)["p_value"]
                for step in (-1e-6, 1e-6)
            )
            assert inside > 0.1 >= outside


def test_no_rejection_of_the_estimate_itself():
    agg = fit(draw(COHORTS, SIZES, range(1, 6), 3)).aggregate("simple")
    for kind in ("t", "estimate"):
        test = agg.randomization_test(kind, n_permutations=50, null=agg.overall["estimate"])
        assert test["p_value"] == 1.0
        assert test["conf_low"] < test["estimate"] < test["conf_high"]


def test_strata_keep_cohorts_in_their_place():
    cohorts = np.array([0, 4, 0, 5, 0, 4, 0, 4])
    df = draw(cohorts, 5, range(1, 6), 3)
    agg = fit(df, vcov="analytic").aggregate("simple")
    region = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    by_mapping = agg.randomization_test("estimate", strata=dict(enumerate(region)))
    # Cohorts 0 4 0 5, and 0 4 0 4: 4! / 2! times 4! / (2! 2!).
    assert by_mapping["n_assignments"] == 12 * 6
    rows = df.assign(region=region[df["cluster"]]).set_index("cluster")["region"]
    names = rows.map({0: "west", 1: "east"})
    for strata in (rows, names):
        other = agg.randomization_test("estimate", strata=strata)
        pd.testing.assert_series_equal(by_mapping.to_series(), other.to_series())
    size = []
    for west, east in product(set(permutations(cohorts[:4])), set(permutations(cohorts[4:]))):
        changed = df.assign(cohort=np.array([*west, *east])[df["cluster"]])
        again = fit(changed, vcov="analytic").aggregate("simple")
        size.append(abs(again.overall["estimate"]))
    large = np.array(size) >= abs(agg.overall["estimate"]) * (1 - 1e-9)
    assert by_mapping["p_value"] == large.mean()


def test_order_of_rows_names_and_threads_do_not_matter():
    df = draw(COHORTS, SIZES, range(1, 6), 3)
    options = {"est_method": "dr", "xformla": "~ x1"}
    test = fit(df, **options).aggregate("event").randomization_test(n_permutations=30)
    shuffled = df.sample(frac=1.0, random_state=9)
    named = df.assign(cluster=df["cluster"].map(lambda h: f"cluster {h:03d}"))
    threads = numba.get_num_threads()
    try:
        for count, other in ((1, df), (threads, shuffled), (threads, named)):
            numba.set_num_threads(count)
            again = fit(other, **options).aggregate("event").randomization_test(n_permutations=30)
            pd.testing.assert_series_equal(test.to_series(), again.to_series(), check_exact=True)
    finally:
        numba.set_num_threads(threads)


def test_units_of_the_outcome_do_not_matter():
    df = draw(COHORTS, SIZES, range(1, 6), 3)
    ends = ["estimate", "conf_low", "conf_high"]
    for kind in ("t", "estimate"):
        one, other = (
            fit(frame).aggregate("simple").randomization_test(kind, n_permutations=99)
            for frame in (df, df.assign(y=1e-6 * df["y"]))
        )
        assert one["p_value"] == other["p_value"]
        np.testing.assert_allclose(
            1e-6 * one[ends].astype(float), other[ends].astype(float), rtol=1e-7
        )


def test_replicates_are_not_needed_for_estimates_nor_made_twice():
    df = draw(COHORTS, SIZES, range(1, 6), 3)
    results = [
        fit(df, vcov=vcov).aggregate("simple").randomization_test("estimate", n_permutations=50)
        for vcov in ("CV3", "analytic", "bootstrap")
    ]
    for other in results[1:]:
        pd.testing.assert_series_equal(results[0].to_series(), other.to_series())
    t = fit(df, vcov="analytic").aggregate("simple").randomization_test(n_permutations=50)
    pd.testing.assert_series_equal(
        t.to_series(), fit(df).aggregate("simple").randomization_test(n_permutations=50).to_series()
    )


def test_the_result_stays_what_it_was():
    res = fit(draw(COHORTS, SIZES, range(1, 6), 3))
    agg = res.aggregate("simple")
    before = agg.tidy(), agg.replicates()
    agg.randomization_test(n_permutations=20)
    pd.testing.assert_frame_equal(before[0], agg.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(before[1], agg.replicates(), check_exact=True)


# Permutations without a statistic ---------------------------------------------------------------


def small(cohorts, **options):
    """A panel of clusters of five units."""
    return fit(draw(np.array(cohorts), 5, range(1, 6), 2), **options)


def test_skipped_replicates_are_skipped_in_every_permutation():
    agg = small([0, 0, 0, 0, 4, 4, 3], undefined="skip").aggregate("event", min_e=2, max_e=2)
    with pytest.raises(OptionError, match="without cluster 6; use statistic='estimate'"):
        small([0, 0, 0, 0, 4, 4, 3], undefined="nan").aggregate(
            "event", min_e=2, max_e=2
        ).randomization_test()
    test = agg.randomization_test()
    assert test["statistic"] == pytest.approx(agg.overall["statistic"])
    assert test["n_assignments"] == 7 * 15


def test_too_many_failures_give_no_p_value():
    # Cluster 2 is not seen in period 5, which a cohort of one cluster needs for event time 1.
    df = draw(np.array([0, 0, 0, 0, 4, 4]), 5, range(1, 6), 2)
    df = df[~((df["cluster"] == 2) & (df["period"] == 5))]
    agg = fit(df, allow_unbalanced_panel=True).aggregate("event", min_e=1)
    with pytest.warns(InferenceWarning, match=r"no p-value: 5 of 15 assignments have no stat"):
        test = agg.randomization_test()
    assert np.isnan(test[["p_value", "conf_low", "conf_high"]].astype(float)).all()
    assert (test["n_assignments"], test["n_failed"]) == (10, 5)
    assert np.isfinite(test["statistic"])


# Bad input --------------------------------------------------------------------------------------


def test_clusters_with_several_cohorts_are_named():
    df = draw(COHORTS, SIZES, range(1, 6), 3)
    df.loc[df["cluster"].isin([4, 6]) & (df["id"] % 2 == 0), "cohort"] = 0
    message = r"can have one cohort only, but 2 clusters \(column 'cluster'\) have several: 4, 6"
    for call in ("randomization_test", "placebo_test"):
        with pytest.raises(DataError, match=message):
            getattr(fit(df).aggregate("simple"), call)()


def test_one_treated_cluster_has_no_t():
    agg = small([0, 0, 0, 0, 4]).aggregate("simple")
    message = "without cluster 4, the only treated one; use statistic='estimate', or placebo_test"
    with pytest.raises(OptionError, match=message):
        agg.randomization_test()


def test_too_few_assignments():
    agg = small([0, 0, 4, 4]).aggregate("simple")
    with pytest.warns(InferenceWarning, match=r"6 assignments: the smallest possible .* 0\.167"):
        test = agg.randomization_test()
    assert test["smallest_p"] == 1 / 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agg.randomization_test(alpha=0.2)
    with pytest.raises(DataError, match="one assignment of cohorts to clusters within strata"):
        agg.randomization_test(strata={0: "a", 1: "a", 2: "b", 3: "b"})


def test_no_clusters_no_permutations():
    df = draw(COHORTS, SIZES, range(1, 6), 3, panel=False)
    names = {name: column for name, column in NAMES.items() if name != "cluster"}
    res = didjack.csdid(df, **names, panel=False, vcov="analytic")
    with pytest.raises(OptionError, match="needs clusters: name the level at which treatment"):
        res.aggregate("simple").randomization_test("estimate")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statistic": "T"}, "statistic must be one of 't', 'estimate'; got 'T'"),
        ({"statistic": None}, "statistic must be .* got None"),
        ({"n_permutations": 0}, "n_permutations must be a whole number from 1 .* got 0"),
        ({"n_permutations": 10**20}, "n_permutations must be .* got 1"),
        ({"n_permutations": 99.0}, "n_permutations must be .* got 99.0"),
        ({"seed": -1}, "seed must be .* got -1"),
        ({"seed": None}, "seed must be .* got None"),
        ({"null": "0"}, "null must be a finite number; got '0'"),
        ({"null": np.inf}, "null must be .* got inf"),
        ({"null": True}, "null must be .* got True"),
        ({"alpha": 5}, "alpha must be .* got 5"),
        ({"strata": "region"}, "strata must be a mapping or pandas Series .* got 'region'"),
    ],
)
def test_arguments(options, message):
    agg = small([0, 0, 0, 4, 4, 4]).aggregate("simple")
    with pytest.raises(OptionError, match=message):
        agg.randomization_test(**options)


def test_misspelt_arguments():
    agg = small([0, 0, 0, 4, 4, 4]).aggregate("simple")
    with pytest.raises(UnknownOptionError, match=r"'n_perm' .did you mean 'n_permutations'"):
        agg.randomization_test(n_perm=9)
    with pytest.raises(UnknownOptionError, match="allowed: alpha"):
        agg.placebo_test(seed=3)


# Size -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t", "estimate"])
def test_true_nulls_are_rejected_as_often_as_said(kind):
    rejected = 0
    for seed in range(120):
        df = simulate.panel(
            n_clusters=12, cluster_size=4, n_periods=4, effect=0.0, treated_clusters=3, seed=seed
        )
        agg = fit(df).aggregate("simple")
        rejected += agg.randomization_test(kind, n_permutations=39, seed=seed)["p_value"] <= 0.1
    assert 4 <= rejected <= 22  # 12 are expected, with a standard error of 3.3


@pytest.mark.parametrize("case", ["panel", "dr, weights, event study"])
def test_any_number_at_a_time(case, monkeypatch, capsys):
    """Results do not depend on how many assignments are estimated at a time; a bar counts all."""
    options, average, window = CASES[case]
    agg = fit(data_of(options), **options).aggregate(average, **window)
    wanted = agg.randomization_test(n_permutations=PERMUTATIONS)
    assert not capsys.readouterr().err
    for most in (1, 2**12):
        monkeypatch.setattr(relabelled, "MOST_AT_ONCE", most)
        shown = fit(data_of(options), **options, progress=True).aggregate(average, **window)
        capsys.readouterr()
        assert shown.randomization_test(n_permutations=PERMUTATIONS) == wanted
        assert f"/{PERMUTATIONS + 1} " in capsys.readouterr().err
