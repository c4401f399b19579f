"""ATT(g,t) without rows of the cohort or of its control group: every result knows of them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import didjack

NAMES = {"yname": "y", "tname": "t", "gname": "g", "cluster": "s", "panel": False}


def drawn(seed=0):
    """Repeated cross sections of cohorts 3, 4 and never-treated; clusters hold one cohort each."""
    rng = np.random.default_rng(seed)
    n, cohort = 1200, np.array([3, 4, 0])
    df = pd.DataFrame({"s": np.arange(n) % 15, "t": rng.integers(1, 6, n)})
    df["g"] = cohort[df["s"] % 3]
    df["y"] = (
        rng.normal(size=n) + rng.normal(size=15)[df["s"]] + (df["g"] > 0) * (df["t"] >= df["g"])
    )
    return df


def without(df, cohort, period):
    return df[(df["g"] != cohort) | (df["t"] != period)]


def fit(df, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = didjack.csdid(df, **NAMES | options)
    return result, [
        str(one.message) for one in caught if issubclass(one.category, didjack.EstimationWarning)
    ]


def status(result):
    return result.cells.set_index(["group", "time"])["status"]


def test_a_cohort_without_rows_in_a_period():
    full, none = fit(drawn())
    assert none == []
    result, (text,) = fit(without(drawn(), 3, 4))
    assert text == (
        "1 of 8 ATT(g,t) has no rows of the cohort or of its control group: ATT(3, 4); "
        "aggregated effects leave it out (see result.cells)"
    )
    assert status(result)[(3, 4)] == "no treated rows: period 4"
    row = result.cells.set_index(["group", "time"]).loc[(3, 4)]
    assert row["n_treated"] > 0
    assert row["n_comparison"] > 0
    assert np.isnan(row["estimate"])
    others = result.tidy().set_index(["group", "time"]).drop([(3, 4)])
    same = full.tidy().set_index(["group", "time"]).loc[others.index]
    numbers = ["estimate", "std_error", "df", "p_value"]
    np.testing.assert_allclose(others[numbers], same[numbers], rtol=1e-12)


def test_a_control_group_without_rows():
    result, (text,) = fit(without(drawn(), 0, 2))
    assert text.startswith("6 of 8 ATT(g,t) have no rows of the cohort or of its control group: ")
    assert "ATT(3, 2), ATT(3, 3), ATT(3, 4) and 3 more; aggregated effects leave them out" in text
    assert len(text.split()) <= 32
    assert status(result)[(3, 2)] == "no control rows: period 2"
    assert status(result)[(3, 5)] == "no control rows: base period 2"
    assert status(result)[(4, 4)] == "ok"
    group = result.aggregate("group").tidy().set_index("group")
    assert group.loc[3, "status"] == "missing: none of its ATT(g,t) is estimated"
    assert group.loc[4, "status"] == "ok"


def test_both_are_named():
    df = without(without(drawn(), 3, 4), 0, 2)
    result, _ = fit(df)
    assert status(result)[(3, 4)] == "no treated rows: period 4; no control rows: base period 2"


def test_a_base_period_without_rows_of_the_cohort():
    result, _ = fit(without(drawn(), 4, 3), base_period="universal")
    found = status(result)
    assert (found[4].drop(3) == "no treated rows: base period 3").all()
    assert found[(4, 3)] == "no treated rows: base period 3"
    assert found[(3, 2)] == "base"
    assert np.isnan(result.tidy().set_index(["group", "time"]).loc[(4, 3), "estimate"])


def test_averages_say_how_many_they_have():
    result, _ = fit(without(drawn(), 3, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error", didjack.EstimationWarning)  # said once, by csdid
        group = result.aggregate("group")
    assert group.tidy()["status"].tolist() == ["ok: 2 of 3 ATT(g,t)", "ok"]
    assert group.overall["status"] == "ok: 4 of 5 ATT(g,t)"
    assert result.aggregate("simple").overall["status"] == "ok: 4 of 5 ATT(g,t)"
    text = " ".join(str(group.summary()).split())
    assert "4 of 5 ATT(g,t) have an estimate" in text
    assert "cohort 3 (2 of 3)" in text
    assert "4 of 5" in str(didjack.etable([group]))
    cells = result.tidy().set_index(["group", "time"])["estimate"]
    np.testing.assert_allclose(group.tidy()["estimate"][0], (cells[(3, 3)] + cells[(3, 5)]) / 2)


OTHERS = [
    {"vcov": "analytic"},
    {"vcov": "bootstrap"},
    {"vcov": "CV3J", "reference": "t"},
    {"base_period": "universal"},
    {"control_group": "notyettreated"},
    {"vcov": "analytic", "cluster": None},
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
@pytest.mark.parametrize(
    ("options", "hole"),
    [
        *(({}, hole) for hole in [(3, 4), (4, 2), (0, 2), (0, 5), (4, 3)]),
        *((options, (3, 4)) for options in OTHERS),
        ({"vcov": "analytic", "cluster": None}, (0, 2)),
    ],
)
def test_everything_works_beside_them(options, hole):
    pytest.importorskip("matplotlib").use("Agg")
    result, texts = fit(without(drawn(), *hole), **options)
    assert len(texts) == 1
    empty = result.cells["status"].str.startswith("no ").to_numpy()
    assert result.tidy().loc[empty, "std_error"].isna().all()
    assert result.wald_test()["reason"] == "" or "restrictions" in result.wald_test()["reason"]
    assert (result.mde().isna().to_numpy() >= empty).all()
    result.confint(joint=True)
    result.vcov()
    result.pretest()
    result.lincomb({result.mde().index[0]: 1.0})
    assert result.compare_vcov().shape[0] > 1
    assert pickle.loads(pickle.dumps(result)) == result
    result.plot()
    study = result.aggregate("event")
    study.plot()
    study.pretest()
    assert study.wald_test()["reason"] == "" or "restrictions" in study.wald_test()["reason"]
    for text in (result.summary(), study.summary(), didjack.etable([result, study])):
        assert str(text)
        assert text.to_html()
        assert text.to_latex()
    for weights in ("cohort", "cell"):
        for kind in ("simple", "event", "group", "calendar"):
            assert np.isfinite(result.aggregate(kind, weights=weights).overall["estimate"])
    if options.get("base_period") == "universal" and hole[0] == 3:
        assert study.honest_inputs().num_post == 3
    if options.get("cluster", "s"):
        assert 0 < study.randomization_test(n_permutations=19, statistic="estimate")["p_value"] <= 1


def test_placebo_test_beside_them():
    df = drawn()
    df = df[(df["g"] == 0) | (df["s"] == 0)]
    result, (text,) = fit(without(df, 3, 4))
    assert "ATT(3, 4)" in text
    test = result.aggregate("simple").placebo_test()
    assert test["n_placebos"] == 5
    assert np.isfinite(test["p_value"])


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
def test_dropped_periods_are_no_holes(control_group):
    df = drawn()
    result, texts = fit(df[df["g"] > 0], control_group=control_group)
    assert texts == []
    assert result.cells["time"].max() == 3


def test_a_panel_has_none():
    result = didjack.simulate.panel(n_clusters=12, seed=1)
    names = {
        "yname": "y",
        "tname": "period",
        "gname": "cohort",
        "idname": "id",
        "cluster": "cluster",
    }
    cells = didjack.csdid(result, **names).cells
    assert not cells["status"].str.startswith("no ").any()


def test_a_window_of_leads_alone_says_why_there_is_no_overall():
    result, _ = fit(drawn())
    study = result.aggregate("event", max_e=-1)
    assert study.overall["status"] == "missing: no event time >= 0 in the window"
    assert np.isfinite(study.tidy()["estimate"]).all()
    for kind, window in (
        ("simple", {"max_e": -1}),
        ("group", {"max_e": -1}),
        ("event", {"min_e": 9}),
        ("event", {"min_e": 2, "max_e": 1}),
        ("event", {"max_e": -9}),
        ("event", {"balance_e": 9}),
    ):
        with pytest.raises(
            didjack.OptionError, match=f"type '{kind}' with .*event times are .* to 2"
        ):
            result.aggregate(kind, **window)
