"""Designs with hardly enough clusters, periods or units: the right number or the right words.

Numbers are compared with refits from scratch (`compare_with_bruteforce.compare`: estimates, all
replicates, CV3 and degrees of freedom of cells and aggregations); `test_bruteforce` does so for
more options.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import compare, draw, fast

import didjack
from didjack import (
    DataError,
    EstimationWarning,
    InferenceWarning,
    SampleWarning,
    UndefinedReplicateError,
)
from didjack.datasets import load_mpdta

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

MPDTA = {
    "yname": "lemp",
    "tname": "year",
    "gname": "first.treat",
    "idname": "countyreal",
    "cluster": "state",
}


def check(df, *summaries, **options):
    """Compare with refits, and return the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        return compare(df, **options)[0] if not summaries else compare(df, summaries, **options)[0]


# ---- a cohort carried by one cluster ------------------------------------------------------------


def mpdta(undefined):
    return didjack.csdid(load_mpdta(), **MPDTA, reference="t", undefined=undefined)


def test_mpdta_without_its_only_state_of_2004():
    """County code 17 is the only state of 2004, the only cohort with event times 2 and 3."""
    result = mpdta("nan")
    cells = result.tidy().set_index("group")
    assert cells.loc[2004, "std_error"].isna().all()
    assert (cells.loc[2004, "status"] == "undefined: cluster 17: no treated units").all()
    assert (cells.loc[[2006, 2007], "status"] == "ok").all()
    with pytest.warns(InferenceWarning, match=r"2 of 8 coefficients of the event study"):
        event = result.aggregate("event").tidy().set_index("event_time")
    assert event.loc[[2, 3], ["std_error", "p_value", "conf_low", "df"]].isna().all(axis=None)
    assert event.loc[3, "estimate"] == pytest.approx(-0.1008, abs=5e-5)
    assert event.loc[3, "n_replicates"] == 0
    assert event.loc[[0, 1], "n_composition"].tolist() == [1, 1]
    assert event.loc[-3, "status"] == "ok"


def test_mpdta_skips_it():
    with pytest.warns(InferenceWarning, match="standard errors leave these clusters out"):
        event = mpdta("skip").aggregate("event").tidy().set_index("event_time")
    assert event.loc[3, "status"].startswith("skipped: cluster 17")
    assert event.loc[3, ["n_replicates", "df"]].tolist() == [28, 27]
    assert np.isfinite(event["std_error"]).all()


def test_mpdta_raises_for_it():
    with pytest.raises(UndefinedReplicateError, match="cannot be computed without cluster 17"):
        mpdta("raise")
    estimate = mpdta("nan").tidy()["estimate"]
    np.testing.assert_array_equal(mpdta("skip").tidy()["estimate"], estimate)


def test_cohort_of_one_cluster():
    result = check(draw((0, 3, 0, 4, 4, 0), 10, range(1, 6)), est_method="reg")
    table = result.tidy().set_index("group")
    assert (table.loc[3, "status"] == "undefined: cluster 1: no treated units").all()
    assert (table.loc[4, "status"] == "ok").all()


# ---- few clusters on one side -------------------------------------------------------------------


@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
def test_one_treated_cluster(est_method):
    df = draw((0, 3, 0, 0, 0), 30, range(1, 5))
    result = check(df, xformla="~ x1", est_method=est_method)
    assert result.tidy()["std_error"].isna().all()
    assert (result.tidy()["status"] == "undefined: cluster 1: no treated units").all()
    assert result.glance()["n_treated_clusters"].item() == 1
    skipped = check(df, xformla="~ x1", est_method=est_method, undefined="skip")
    assert (skipped.tidy()["n_replicates"] == 4).all()
    assert (skipped.tidy()["df"] == 3).all()


def test_one_never_treated_cluster():
    """Without it, the last cohort is the comparison: earlier cells turn, later ones are lost."""
    df = draw((0, 3, 5, 3, 5, 3, 5), 10, range(1, 7))
    result = check(df, est_method="reg")
    table = result.tidy().set_index(["group", "time"])
    early, late = table.loc[(3, slice(2, 4)), :], table.loc[(3, slice(5, 6)), :]
    assert (early["status"] == "composition").all()
    assert (early["n_composition"] == 1).all()
    assert (late["status"] == "undefined: cluster 0: no control units").all()
    assert table.loc[5, "std_error"].isna().all()
    later = check(df, est_method="reg", control_group="notyettreated").tidy()
    assert later.loc[later["group"] == 3, "std_error"].notna().any()


def test_two_clusters():
    df = draw((0, 3), 25, range(1, 5))
    for undefined in ("nan", "skip"):
        table = check(df, est_method="reg", undefined=undefined).tidy()
        assert table["estimate"].notna().all()
        assert table["std_error"].isna().all()
        assert (table["n_replicates"] == 0).all()
        assert table["status"].str.startswith("undefined: cluster 0: no control units").all()


def test_two_clusters_of_both_kinds():
    df = draw((0, 3), 25, range(1, 5))
    df["cluster"] = df["id"] % 2
    table = check(df, est_method="reg").tidy()
    assert (table["status"] == "ok").all()
    assert (table["df"] == 1).all()


def test_three_clusters():
    df = draw((0, 3, 0), 20, range(1, 5))
    table = check(df, est_method="reg", undefined="skip").tidy()
    assert (table["n_replicates"] == 2).all()
    assert (table["df"] == 1).all()
    assert table["std_error"].notna().all()
    mixed = draw((0, 3, 0, 3), 20, range(1, 5))
    mixed["cluster"] = mixed["id"] % 3
    assert (check(mixed, est_method="reg").tidy()["df"] == 2).all()


def test_one_cluster_is_refused():
    df = draw((0, 3, 0), 20, range(1, 5)).assign(cluster="only")
    with pytest.raises(DataError, match=r"cluster 'cluster' has 1 cluster \(only\)"):
        fast(df)


@pytest.mark.parametrize("est_method", ["reg", "dr"])
@pytest.mark.parametrize("cohort", [0, 4])
def test_a_cluster_that_is_half_the_data(est_method, cohort):
    df = draw((cohort, 0, 4, 0, 4, 0, 4), (60, 10, 10, 10, 10, 10, 10), range(1, 6))
    assert (df["cluster"] == 0).mean() == 0.5
    table = check(df, xformla="~ x1", est_method=est_method).tidy()
    assert (table["status"] == "ok").all()


def test_one_unit_per_cluster():
    """CV3 by unit is the delete-one jackknife, whatever the cluster column says it is."""
    df = draw((0, 3, 0, 3), 6, range(1, 5))
    by_unit = check(df, est_method="reg", cluster="id")
    default = fast(df, est_method="reg", cluster=None)
    np.testing.assert_array_equal(by_unit.tidy()["std_error"], default.tidy()["std_error"])
    assert (by_unit.tidy()["n_replicates"] == 24).all()


# ---- few periods --------------------------------------------------------------------------------


@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
@pytest.mark.parametrize("sample", [{}, {"panel": False}])
def test_two_periods(est_method, sample):
    df = draw((0, 2, 0, 2, 0, 2), 25, (1, 2), panel=not sample)
    result = check(
        df,
        *[(k, {}) for k in ("simple", "event", "group", "calendar")],
        xformla="~ x1",
        est_method=est_method,
        **sample,
    )
    assert len(result.tidy()) == 1
    one = result.tidy().iloc[0]
    for kind in ("simple", "event", "group", "calendar"):
        overall = result.aggregate(kind).overall
        assert overall["estimate"] == pytest.approx(one["estimate"], rel=1e-12)
        assert overall["std_error"] == pytest.approx(one["std_error"], rel=1e-12)


def test_two_periods_by_hand():
    """Without covariates, the difference of mean differences."""
    df = draw((0, 2, 0, 2, 0, 2), 25, (1, 2))
    wide = df.pivot(index="id", columns="period", values="y")
    change = wide[2] - wide[1]
    treated = df.groupby("id")["cohort"].first() > 0
    want = change[treated].mean() - change[~treated].mean()
    assert fast(df).tidy()["estimate"].item() == pytest.approx(want, rel=1e-12)


def test_two_periods_with_anticipation_have_no_base():
    with pytest.raises(DataError, match="no treated cohort is left"), pytest.warns(SampleWarning):
        fast(draw((0, 2, 0, 2), 10, (1, 2)), anticipation=1)


# ---- no control units left -------------------------------------------------------------------


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
def test_no_comparison_units_for_late_periods(control_group):
    df = draw((3, 5, 6, 3, 5, 6, 6), 10, range(1, 8))
    result = check(df, est_method="reg", control_group=control_group)
    assert result.tidy()["time"].max() == 5
    assert set(result.tidy()["group"]) == {3, 5}
    dropped = result.sample[result.sample["action"] == "dropped"]
    assert dropped["n_rows"].tolist() == [2 * 70]
    assert "from period 6 on" in dropped["reason"].item()


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
def test_no_never_treated_unit_is_complete(control_group):
    """Balancing takes them: the last cohort serves as comparison, as in a table without them."""
    df = draw((0, 3, 5, 3, 5, 3, 5), 10, range(1, 7))
    gaps = df[(df["cohort"] > 0) | (df["period"] > 1)]
    options = {"est_method": "reg", "control_group": control_group}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = fast(gaps, **options)
    assert any("not observed in all 6 periods" in str(one.message) for one in said)
    want = check(df[df["cohort"] > 0], **options)
    pd.testing.assert_frame_equal(result.tidy(), want.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(result.replicates(), want.replicates(), check_exact=True)
    table = result.tidy().set_index(["group", "time"])
    assert np.isfinite(table.loc[3, "std_error"]).all()
    assert table.index.get_level_values("time").max() == 4


# ---- periods that replicates drop, as nobody is never-treated in them ----------------------------


def late_cohorts(sample, sizes=(9, 12, 7, 14, 8, 10, 6)):
    """Cluster 0 alone is never treated; cohorts differ in when their rows and units are seen."""
    df = draw((0, 3, 5, 3, 5, 4, 6), sizes, range(1, 8), panel=sample != "repeated")
    often = np.random.default_rng(0).random(len(df)) < 1 - 0.08 * df["period"]
    latecomer = (df["cohort"] == 5) & (df["x1"] > 0.5) & (df["period"] < 6)
    return df[(often | df["cohort"].isin([0, 4])) & ~latecomer]


SPARSE = {"unbalanced": {"allow_unbalanced_panel": True}, "repeated": {"panel": False}}


@pytest.mark.slow
@pytest.mark.parametrize("weights", [{}, {"weightsname": "wt"}, {"xformla": "~ x2"}])
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
@pytest.mark.parametrize("sample", SPARSE)
def test_rows_of_dropped_periods_do_not_count_in_shares(
    sample, control_group, anticipation, weights
):
    options = {"control_group": control_group, "anticipation": anticipation} | weights
    result = check(late_cohorts(sample), est_method="reg", **options, **SPARSE[sample])
    share, source = result._fit.estimated(True).share.stacked, result._fit.source.replicated(True)
    whole = source.shares(7)
    np.testing.assert_array_equal(share[[0, *range(2, 8)]], whole[[0, *range(2, 8)]])
    assert (share[1] / share[1].sum() != whole[1] / whole[1].sum()).any()


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
@pytest.mark.parametrize("gaps", [6, 7])
def test_gaps_in_dropped_periods_leave_a_balanced_panel(control_group, gaps):
    """Without cluster 0, periods 6 and 7 are dropped, in which units have gaps."""
    df = draw((0, 3, 5, 3, 5, 4, 6), 10, range(1, 8))
    df = df[(df["period"] < gaps) | (np.random.default_rng(1).random(len(df)) < 0.7)]
    options = {"xformla": "~ x3", "weightsname": "wt", "control_group": control_group}
    check(df, est_method="reg", allow_unbalanced_panel=True, **options)


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_only_never_treated_units_have_gaps(control_group, anticipation):
    """Without their cluster, the panel is balanced, and rule 3 holds for it as well."""
    df = draw((0, 3, 5, 3, 5, 4, 6), 10, range(1, 8))
    df = df[(df["cluster"] > 0) | (np.random.default_rng(1).random(len(df)) < 0.7)]
    options = {"control_group": control_group, "anticipation": anticipation}
    check(df, xformla="~ x1", allow_unbalanced_panel=True, **options)


def test_a_balanced_replicate_without_a_cell():
    """Without cluster 0 there is no comparison before cohort 3 is treated."""
    df = draw((0, 2, 3, 3, 3), 10, range(1, 6))
    df = df[(df["cluster"] > 0) | (np.random.default_rng(1).random(len(df)) < 0.7)]
    options = {"est_method": "reg", "allow_unbalanced_panel": True, "anticipation": 1}
    assert check(df, **options).tidy()["std_error"].isna().all()


# ---- covariates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
def test_a_covariate_constant_within_a_cohort(est_method):
    """Fine on a balanced panel, where regressions are of control units only."""
    df = draw((0, 4, 0, 6, 4, 0, 6, 4), 25, range(1, 7))
    df["x1"] = df["x1"].where(df["cohort"] != 4, 0.3)
    assert (check(df, xformla="~ x1", est_method=est_method).cells["status"] == "ok").all()


def test_a_covariate_constant_within_a_cohort_of_cross_sections():
    """The treated are regressed too (dr): singular for their cohort, and named."""
    df = draw((0, 4, 0, 6, 4, 0, 6, 4), 25, range(1, 7), panel=False)
    df["x1"] = df["x1"].where(df["cohort"] != 4, 0.3)
    result = check(df, xformla="~ x1", panel=False)
    status = result.cells.set_index("group")["status"]
    assert (status.loc[4] == "collinear: x1").all()
    assert (status.loc[6] == "ok").all()
    assert (check(df, xformla="~ x1", panel=False, est_method="reg").cells["status"] == "ok").all()


@pytest.mark.parametrize("est_method", ["reg", "dr"])
def test_a_covariate_constant_among_comparison_units(est_method):
    df = draw((0, 4, 0, 6, 4, 0, 6, 4), 25, range(1, 7))
    df["x1"] = df["x1"].where(df["cohort"] != 0, 0.3)
    with pytest.warns(EstimationWarning, match=r"10 of 10 .*collinear: x1"):
        result = fast(df, xformla="~ x1", est_method=est_method)
    assert result.tidy()["estimate"].isna().all()
    assert result.tidy()["std_error"].isna().all()
    assert (result.cells["status"] == "collinear: x1").all()


def test_a_covariate_that_is_treatment():
    df = draw((0, 4, 0, 6, 4, 0, 6, 4), 25, range(1, 7))
    df["x1"] = (df["cohort"] == 4) * 1.0
    with pytest.warns(EstimationWarning, match="10 of 10"):
        cells = fast(df, xformla="~ x1", est_method="ipw").cells.set_index("group")
    assert (cells.loc[4, "status"] == "no overlap").all()
    assert (cells.loc[6, "status"] == "collinear: x1").all()
