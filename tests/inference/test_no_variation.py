"""Where nothing varies there is no standard error, and the status says so; small ones stay."""

from contextlib import suppress

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import didjack
from didjack import OptionError, etable
from didjack.inference.bands import max_t

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.DidjackWarning")

KINDS = ["CV3", "CV3J", "analytic", "bootstrap"]
NAMES = {"yname": "y", "tname": "t", "gname": "g", "idname": "id", "cluster": "cluster"}


def panel(cohorts, size, outcome):
    """Draw units of some clusters, one cohort each, in periods 1 to 5.

    outcome : function of a table with period, cohort, a unit effect, noise and a covariate
    """
    n = len(cohorts) * size
    rng = np.random.default_rng(0)
    df = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 5),
            "cluster": np.repeat(np.arange(len(cohorts)), 5 * size),
            "g": np.repeat(cohorts, 5 * size),
            "t": np.tile(np.arange(1, 6), n),
            "unit": np.repeat(rng.normal(size=n), 5),
            "x": np.repeat(rng.normal(size=n), 5),
            "noise": rng.normal(size=5 * n),
        }
    )
    return df.assign(y=outcome(df))


def late(df):
    """A binary outcome that nobody has before period 4."""
    return ((df["t"] > 3) & (df["noise"] > 0)).astype(float)


def noisy(df):
    return df["unit"] + df["noise"]


def common_trend(df):
    return 0.3 * df["t"]


def trend_by_covariate(df):
    return 0.37 * df["x"] * df["t"]


def fit(df, **options):
    return didjack.csdid(df, **NAMES | options)


def assert_without_error(table):
    """No number is made of a standard error that is none, and the status says why."""
    assert len(table)
    for name in ("std_error", "statistic", "p_value", "df", "conf_low", "conf_high"):
        assert table[name].isna().all()
    assert (table["n_replicates"] == 0).all()
    assert table["status"].str.startswith("no variation: ").all()


COHORTS = [0, 0, 0, 3, 3, 4, 4]


@pytest.mark.parametrize("vcov", KINDS)
def test_outcome_that_nobody_has_before_some_period(vcov):
    result = fit(panel(COHORTS, 20, late), vcov=vcov)
    table = result.tidy()
    early = table["time"] < 4
    assert_without_error(table[early])
    assert (table.loc[~early, "std_error"] > 1e-3).all()
    assert (table.loc[~early, "status"] == "ok").all()
    matrix = result.vcov().to_numpy()
    assert np.isnan(matrix[early]).all()
    assert np.isnan(matrix[:, early]).all()
    band = result.confint(joint=True)
    assert band["conf_low"].isna().tolist() == early.tolist()
    side_by_side = result.compare_vcov(None)["std_error"].unstack("vcov")
    # The row of independent units is analytic, too.
    assert (side_by_side.isna().T.to_numpy() == early.to_numpy()).all()


@pytest.mark.parametrize("vcov", KINDS)
@pytest.mark.parametrize("method", ["reg", "dr", "ipw"])
def test_rounding_errors_are_no_standard_error(vcov, method):
    df = panel(COHORTS, 20, common_trend)
    for options in ({}, {"panel": False, "idname": None}):
        result = fit(df, vcov=vcov, est_method=method, **options)
        assert_without_error(result.tidy())
        for kind in ("simple", "event", "group", "calendar"):
            average = result.aggregate(kind)
            assert_without_error(average.tidy())
            assert_without_error(average.overall.to_frame().T)


@pytest.mark.parametrize("vcov", KINDS)
def test_covariates_that_explain_everything(vcov):
    result = fit(panel(COHORTS, 20, trend_by_covariate), vcov=vcov, xformla="~ x", est_method="reg")
    assert_without_error(result.tidy())


@pytest.mark.parametrize("vcov", ["analytic", "bootstrap"])
@pytest.mark.parametrize("cohorts", ["one cluster", "one of each", "two units"])
def test_influence_that_adds_up_to_nothing(vcov, cohorts):
    df = panel([0, 3], 1 if cohorts == "two units" else 30, noisy)
    if cohorts == "one cluster":
        df["cluster"] = 0
    result = fit(df, vcov=vcov)
    assert_without_error(result.tidy())
    assert_without_error(result.aggregate("event").tidy())
    assert (np.abs(result.tidy()["estimate"]) > 1e-3).all()


def test_skip_where_only_clusters_remain_that_change_nothing():
    # ATT(3,t) cannot be had without cluster 2; without 0 and 1 it changes by nothing.
    df = panel([0, 0, 3, 4, 4], 20, noisy)
    df.loc[df["g"] == 0, "y"] = 1.0 + 0.5 * df["t"]
    table = fit(df, undefined="skip").tidy()
    assert_without_error(table[table["group"] == 3])
    assert (table.loc[table["group"] == 4, "std_error"] > 1e-3).all()


@pytest.mark.parametrize("vcov", KINDS)
@pytest.mark.parametrize("factor", [1e-100, 1e-12, 1e12])
def test_small_and_large_errors_stay(vcov, factor):
    df = panel(COHORTS, 5, noisy)
    want = fit(df, vcov=vcov).tidy()
    got = fit(df.assign(y=factor * df["y"]), vcov=vcov).tidy()
    assert want["std_error"].notna().any()
    np.testing.assert_allclose(got["std_error"] / factor, want["std_error"], rtol=1e-9)
    assert got["status"].tolist() == want["status"].tolist()


@pytest.mark.parametrize("vcov", KINDS)
def test_small_variation_around_a_large_level_stays(vcov):
    df = panel(COHORTS, 5, lambda df: 1e3 * df["t"] + 1e-6 * df["noise"])
    assert fit(df, vcov=vcov).tidy()["std_error"].notna().all()


@pytest.mark.parametrize("vcov", KINDS)
def test_combinations_that_do_not_vary(vcov):
    df = panel(COHORTS, 5, lambda df: noisy(df).where(df["g"] != 4, df["unit"] + df["t"]))
    result = fit(df, vcov=vcov).aggregate("event")
    one = result.lincomb({0: 1.0, 1: -1.0})
    assert one["std_error"] > 0
    same = pd.DataFrame([[1.0, -1.0]], columns=[0, 0])
    with pytest.raises(didjack.OptionError):
        result.wald_test(same)


def test_no_standard_error_is_not_tested():
    result = fit(panel(COHORTS, 20, late))
    with pytest.warns(didjack.InferenceWarning, match="without a standard error"):
        test = result.wald_test([(3, 3), (3, 4)])
    assert np.isnan(test["p_value"])


# ---- without any standard error -----------------------------------------------------------------


def test_summary_without_standard_errors():
    df = panel([0, 3], 20, noisy)
    text = str(fit(df).summary())
    assert "no coefficient has a standard error" in text
    assert "P>|t|" in text
    assert "t(" not in text
    assert (fit(df).tidy()["n_replicates"] == 0).all()
    assert "P>|z|" in str(fit(df, cluster=None, vcov="analytic").summary())
    assert "P>|t|" in str(fit(df, vcov="analytic").summary())
    assert "P>|z|" in str(fit(df, vcov="bootstrap").summary())


# ---- pictures and bands -------------------------------------------------------------------------

DESIGNS = {
    "two clusters": ([0, 3], noisy),
    "no effect of any": (COHORTS, common_trend),
    "late": (COHORTS, late),
}


TURNS = [
    pytest.param(
        vcov,
        design,
        base_period,
        marks=[] if vcov == "CV3" and design != "late" else pytest.mark.slow,
    )
    for a, vcov in enumerate(KINDS)
    for b, design in enumerate(DESIGNS)
    for base_period in (("varying", "universal")[(a + b) % 2],)
]


@pytest.mark.thin(2)
@pytest.mark.parametrize(("vcov", "design", "base_period"), TURNS)
def test_pictures_bands_and_tables(vcov, design, base_period):
    cohorts, outcome = DESIGNS[design]
    result = fit(panel(cohorts, 10, outcome), vcov=vcov, base_period=base_period)
    for one in (result, result.aggregate("event"), result.aggregate("group")):
        one.plot()
        one.plot(compare="CV3")
        one.plot(compare="analytic")
        for alpha in (0.5, 0.05):
            one.confint(alpha, joint=True)
        one.confint(1e-12)
        with suppress(OptionError):  # where a band is simulated, there are not draws enough
            one.confint(1e-12, joint=True)
        one.compare_vcov(which="all")
        one.summary()
        one.clusters()
        etable([one], stars=True)
        plt.gcf().canvas.draw()
        plt.close("all")


def test_two_mixed_clusters_have_bands():
    df = panel([0, 3], 20, noisy)
    df["cluster"] = df["id"] % 2
    event = fit(df).aggregate("event")
    band = event.confint(joint=True)
    assert np.isfinite(band.to_numpy()).all()
    assert (band["conf_low"] <= event.confint()["conf_low"]).all()


def test_no_variance_to_share():
    result = fit(panel(COHORTS, 10, common_trend))
    assert result.clusters()["variance_share"].isna().all()
    with pytest.raises(didjack.OptionError, match="no cluster has a share"):
        result.plot(kind="variance")
    result.plot(kind="replicates")
    plt.close("all")


def test_critical_values_far_out():
    correlation = np.array([[1.0, 0.5], [0.5, 1.0]])
    value = max_t(correlation, 1.0, 1e-9).value
    assert 1e8 < value < 1e10
    # The tail of a t(1) falls as 1 / c, also where 1 - alpha rounds to 1.
    np.testing.assert_allclose(max_t(correlation, 1.0, 1e-20).value, 1e11 * value, rtol=1e-6)
