"""Placebo tests of one treated cluster against refits without it."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import NAMES, draw, lose_rows
from slow_variance import slow_variance

import didjack
from didjack import FewClustersWarning, InferenceWarning, OptionError

matplotlib.use("Agg")
pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

COHORTS = np.array([0, 0, 4, 0, 0, 0, 0])


def fit(df, **options):
    """Fit, by regression if nothing else is said, with a name for the unit of a panel."""
    if options.get("panel", True):
        options = {"idname": "id"} | options
    return didjack.csdid(df, **{**NAMES, "est_method": "reg", "progress": False, **options})


def one_gap(df):
    """Drop rows of the treated cluster, without which the panel is balanced."""
    return df[~((df["cluster"] == 2) & (df["period"] == 2) & (df["id"] % 3 == 0))]


def its_own_period(df):
    """Only the treated cluster is seen in the last period."""
    return df[(df["cluster"] == 2) | (df["period"] < 5)]


# From brute force that shares no code with the package: estimate, p-value, scaled placebos.
GOLDEN = {
    ("reg", None): (
        0.423629848081,
        0.5,
        [
            -0.6386174878,
            -0.1387667020,
            0.7641552765,
            0.2717883927,
            0.1517044360,
            0.4655308469,
            0.1498654371,
            0.2490247229,
            -0.1755925608,
            -0.6344094111,
            -0.6821247989,
        ],
    ),
    ("dr", "~ x1"): (
        0.328061732179,
        0.5,
        [
            -0.8389320233,
            -0.1652291364,
            0.7383485616,
            0.2853892800,
            0.2230429182,
            0.4495709585,
            0.1427238927,
            0.2346119144,
            -0.2157321594,
            -0.6298657602,
            -0.6049985836,
        ],
    ),
}

CASES = {
    "panel": ({}, "simple", {}, None),
    "dr, weights": ({"est_method": "dr", "xformla": "~ x1", "weightsname": "w"}, "event", {}, None),
    "unbalanced": ({"allow_unbalanced_panel": True}, "simple", {}, lose_rows),
    "gap in the treated cluster": ({"allow_unbalanced_panel": True}, "simple", {}, one_gap),
    "its own period": ({"allow_unbalanced_panel": True}, "simple", {}, its_own_period),
    "cross sections": ({"panel": False, "xformla": "~ x2"}, "calendar", {}, None),
    "analytic": ({"vcov": "analytic", "anticipation": 1}, "event", {"max_e": 0}, None),
}

ALIKE = ("panel", "its own period", "cross sections", "analytic")
"""Cases with clusters of one size, whose placebos are on one scale."""


@pytest.mark.parametrize("case", CASES)
def test_every_placebo_by_a_refit(case):
    options, average, window, change = CASES[case]
    df = draw(COHORTS, 8, range(1, 6), 3, options.get("panel", True))
    df = df if change is None else change(df)
    agg = fit(df, **options).aggregate(average, **window)
    test = agg.placebo_test(alpha=0.4)
    rest = df[df["cluster"] != 2]
    wanted = {}
    for cluster in (0, 1, 3, 4, 5, 6):
        changed = rest.assign(cohort=np.where(rest["cluster"] == cluster, 4, 0))
        again = fit(changed, **options | {"vcov": "analytic", "undefined": "nan"})
        wanted[cluster] = again.aggregate(average, **window).overall["estimate"]
    v = slow_variance(df, options.get("weightsname"), options.get("anticipation", 0))
    assert (v == 1.0).all() == (case in ALIKE)
    scaled = {cluster: value * np.sqrt(v[2] / v[cluster]) for cluster, value in wanted.items()}
    found = test.placebos
    pd.testing.assert_series_equal(found, pd.Series(scaled), rtol=1e-9, check_names=False)
    placebos = np.array(test.placebos.to_numpy())
    size = np.sort(np.abs(placebos))
    assert test["estimate"] == agg.overall["estimate"]
    assert test["p_value"] == (1 + (size >= abs(test["estimate"])).sum()) / 7
    assert (test["n_placebos"], test["n_failed"], test["smallest_p"]) == (6, 0, 1 / 7)
    margin = size[-2]  # the whole part of 0.4 times 7
    assert test["conf_low"] == test["estimate"] - margin
    assert test["conf_high"] == test["estimate"] + margin


@pytest.mark.parametrize(("method", "formula"), GOLDEN)
def test_golden(method, formula, data):
    estimate, p_value, placebos = GOLDEN[method, formula]
    res = fit(data("panel_one_treated_cluster"), est_method=method, xformla=formula)
    test = res.aggregate("simple").placebo_test()
    assert (test["p_value"], test["smallest_p"]) == (p_value, 1 / 12)
    np.testing.assert_allclose(test["estimate"], estimate, rtol=1e-9)
    np.testing.assert_allclose(test.placebos.to_numpy(), placebos, rtol=1e-7)


def test_clusters_without_a_placebo_are_counted():
    df = draw(COHORTS, 8, range(1, 6), 3)
    df = df[~((df["cluster"] == 5) & (df["period"] >= 4))]
    test = fit(df, allow_unbalanced_panel=True).aggregate("simple").placebo_test()
    assert (test["n_placebos"], test["n_failed"]) == (5, 1)
    assert 5 not in test.placebos.index


def test_fewer_than_19_placebos_never_reject_at_5_percent():
    agg = fit(draw(COHORTS, 8, range(1, 6), 3)).aggregate("simple")
    message = r"placebo_test\(\) has 6 placebos: the smallest possible p-value is 0.143, so it"
    with pytest.warns(InferenceWarning, match=message):
        test = agg.placebo_test()
    assert (test["conf_low"], test["conf_high"]) == (-np.inf, np.inf)
    many = np.append(4, np.zeros(19, dtype=int))
    with pytest.warns(InferenceWarning) as caught:
        test = fit(draw(many, 4, range(1, 6), 3)).aggregate("simple").placebo_test()
    assert not [w for w in caught if "placebo" in str(w.message) and "smallest" in str(w.message)]
    assert test["smallest_p"] == 1 / 20
    size = np.abs(test.placebos.to_numpy())
    assert test["conf_high"] == test["estimate"] + size.max()


@pytest.mark.parametrize(
    ("cohorts", "message"),
    [
        ([0, 0, 4, 0, 4], r"one treated cluster, here there are 2 \(2, 4\); use randomization"),
        ([0, 4], "needs at least two never-treated clusters"),
    ],
)
def test_other_designs(cohorts, message):
    agg = fit(draw(np.array(cohorts), 8, range(1, 6), 3)).aggregate("simple")
    with pytest.raises(OptionError, match=message):
        agg.placebo_test()


def test_warnings_and_summaries_name_the_test():
    df = draw(COHORTS, 8, range(1, 6), 3)
    for options in ({"reference": "t"}, {"vcov": "analytic"}):
        with pytest.warns(FewClustersWarning, match=r"1 of 7 clusters is treated \(see plac"):
            fit(df, **options)
    result = fit(df)
    test = result.aggregate("simple").placebo_test()
    for one, what in (
        (result, "simple average of ATT(g,t)"),
        (result.aggregate("simple"), "overall ATT"),
    ):
        text = " ".join(str(one.summary()).split())
        assert f"Placebo test of the {what}: p = {test.p_value:.3f} (smallest attainable" in text
        assert f"attainable {test.smallest_p:.3f})" in text
    two = fit(
        draw(COHORTS, 8, range(1, 6), 3).assign(
            cohort=lambda d: d["cohort"] * (d["cluster"] < 0) + 3 * d["cluster"].isin([1, 2])
        )
    )
    assert "Placebo" not in str(two.summary())


def test_picture():
    res = fit(draw(COHORTS, 8, range(1, 6), 3))
    for result in (res, res.aggregate("simple"), res.aggregate("event")):
        ax = result.plot(kind="placebo")
        texts = ax.get_legend_handles_labels()[1]
        assert "estimate, treated cluster 2" in texts
        assert "placebos, never-treated cluster" in texts
        assert sum(bar.get_height() for bar in ax.patches) == 6
        assert "6 placebos" in ax.get_title(loc="left")
        assert res.plot(ax, kind="placebo") is ax
        ax.figure.clear()
    matplotlib.pyplot.close("all")
