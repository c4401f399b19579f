"""The simulated designs have the shapes, counts, correlations and effects that were asked for."""

import inspect

import numpy as np
import pandas as pd
import pytest

from didjack.errors import OptionError, UnknownOptionError
from didjack.simulate import panel, repeated_cross_section

BOTH = pytest.mark.parametrize("draw", [panel, repeated_cross_section])


def clusters_per_cohort(df):
    return df.groupby("cohort")["cluster"].nunique().to_dict()


def cell_means(df):
    """Mean outcome by cluster and period, less that of the period : (H, T)."""
    means = df.groupby(["cluster", "period"])["y"].mean().unstack("period").to_numpy()
    return means - means.mean(axis=0)


def did(df, cohort, period, base):
    """Difference in mean changes between a cohort and the never treated."""
    mean = df.groupby(["cohort", "period"])["y"].mean()
    return (mean[cohort, period] - mean[cohort, base]) - (mean[0, period] - mean[0, base])


# Shapes ---------------------------------------------------------------------------------------


def test_panel_is_balanced_and_sorted():
    df = panel(n_clusters=7, cluster_size=11, n_periods=5, first_period=2001, seed=0)
    assert list(df.columns) == ["id", "cluster", "period", "cohort", "y"]
    assert len(df) == 7 * 11 * 5
    assert (df["id"].to_numpy() == np.repeat(np.arange(1, 78), 5)).all()
    assert (df["period"].to_numpy() == np.tile(np.arange(2001, 2006), 77)).all()
    assert (df.groupby("cluster")["id"].nunique() == 11).all()
    for name in ("cluster", "cohort"):
        assert (df.groupby("id")[name].nunique() == 1).all()
    assert (df.groupby("cluster")["cohort"].nunique() == 1).all()


def test_repeated_cross_section_has_new_rows_in_every_period():
    df = repeated_cross_section(n_clusters=7, cluster_size=11, n_periods=5, n_covariates=1, seed=0)
    assert list(df.columns) == ["obs", "cluster", "period", "cohort", "y", "x1"]
    assert (df["obs"].to_numpy() == np.arange(1, 7 * 11 * 5 + 1)).all()
    assert (df.groupby(["cluster", "period"]).size() == 11).all()
    assert df["x1"].is_unique
    assert df.equals(df.sort_values(["period", "cluster"], kind="stable"))


@BOTH
def test_columns_and_types_of_covariates_and_weights(draw):
    df = draw(n_covariates=2, n_dummies=1, weights=True, seed=0)
    assert list(df.columns[1:]) == ["cluster", "period", "cohort", "y", "x1", "x2", "x3", "w"]
    whole = {"id", "obs", "cluster", "period", "cohort", "x3"}
    for name, dtype in df.dtypes.items():
        assert dtype == (np.int64 if name in whole else np.float64), name
    assert set(df["x3"]) == {0, 1}
    assert df["w"].between(0.5, 2.0).all()
    assert np.isfinite(df).all(axis=None)


def test_covariates_and_weights_of_a_panel_are_constant_over_time():
    df = panel(n_covariates=1, n_dummies=1, weights=True, seed=0)
    assert (df.groupby("id")[["x1", "x2", "w"]].nunique() == 1).all(axis=None)


# Cluster sizes --------------------------------------------------------------------------------


def test_sizes_are_equal_without_dispersion_and_as_listed():
    listed = [3, 1, 8, 5]
    df = panel(n_clusters=4, cluster_size=listed, seed=0)
    assert df.groupby("cluster")["id"].nunique().tolist() == listed
    df = repeated_cross_section(n_clusters=4, cluster_size=np.array(listed), seed=0)
    assert (df.groupby(["cluster", "period"]).size().unstack() == np.c_[listed]).all(axis=None)


def test_dispersed_sizes_have_the_mean_and_variation_asked_for():
    df = panel(n_clusters=4000, cluster_size=40, size_dispersion=0.7, n_periods=2, seed=0)
    sizes = df.groupby("cluster")["id"].nunique()
    assert len(sizes) == 4000
    assert sizes.min() >= 1
    assert sizes.mean() == pytest.approx(40, rel=0.05)
    assert sizes.std() / sizes.mean() == pytest.approx(0.7, rel=0.05)


# Cohorts --------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, {0: 6, 4: 7, 7: 7}),
        ({"first_period": 2001}, {0: 6, 2004: 7, 2007: 7}),
        ({"cohorts": (5, 3), "treated_clusters": 5}, {0: 15, 5: 3, 3: 2}),
        ({"cohorts": [6], "treated_clusters": 1}, {0: 19, 6: 1}),
        ({"cohorts": (3, 5, 6), "never": False}, {3: 7, 5: 7, 6: 6}),
        ({"treated_clusters": {3: 1, 6: 4}}, {0: 15, 3: 1, 6: 4}),
        ({"cohorts": (6, 3), "treated_clusters": {3: 1, 6: 4}}, {0: 15, 3: 1, 6: 4}),
        ({"treated_clusters": {1: 5, 8: 15}, "never": False}, {1: 5, 8: 15}),
        ({"n_periods": 2}, {0: 10, 2: 10}),
        ({"n_periods": 3}, {0: 6, 2: 7, 3: 7}),
    ],
)
def test_clusters_per_cohort(draw, options, counts):
    assert clusters_per_cohort(draw(cluster_size=2, seed=0, **options)) == counts


def test_which_clusters_are_treated_is_random():
    treated = {
        tuple(df.loc[df["cohort"] > 0, "cluster"].unique())
        for df in (panel(cluster_size=1, n_periods=2, seed=seed) for seed in range(5))
    }
    assert len(treated) == 5


# Random numbers -------------------------------------------------------------------------------


@BOTH
def test_a_seed_gives_the_same_data(draw):
    options = {"size_dispersion": 0.5, "n_covariates": 1, "n_dummies": 1, "weights": True}
    first = draw(seed=3, **options)
    pd.testing.assert_frame_equal(draw(seed=3, **options), first, check_exact=True)
    pd.testing.assert_frame_equal(
        draw(seed=np.random.default_rng(3), **options), first, check_exact=True
    )
    assert not draw(seed=4, **options).equals(first)
    assert not draw(**options).equals(draw(**options))


def test_a_generator_moves_on():
    rng = np.random.default_rng(3)
    assert not panel(seed=rng).equals(panel(seed=rng))


@BOTH
def test_the_true_effect_is_what_the_effect_options_add(draw):
    plain = draw(effect=0.0, seed=5)
    df = draw(effect=0.4, effect_slope=0.15, seed=5)
    since = df["period"] - df["cohort"]
    truth = np.where((df["cohort"] > 0) & (since >= 0), 0.4 + 0.15 * since, 0.0)
    np.testing.assert_allclose(df["y"] - plain["y"], truth, rtol=0, atol=1e-12)
    columns = df.columns.drop("y")
    assert df[columns].equals(plain[columns])


@BOTH
@pytest.mark.parametrize("icc", [0.0, 0.3, 1.0])
def test_intra_cluster_correlation(draw, icc):
    size = 40
    df = draw(
        n_clusters=300, cluster_size=size, icc=icc, effect=0.0, unit_sd=0.0, error_sd=2.0, seed=6
    )
    within = df.groupby(["cluster", "period"])["y"].var().mean()
    between = cell_means(df).var() - within / size
    assert between + within == pytest.approx(4.0, rel=0.05)
    assert between / (between + within) == pytest.approx(icc, abs=0.02)


@BOTH
@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.8, 1.0])
def test_serial_correlation_of_the_cluster_level_errors(draw, rho):
    df = draw(n_clusters=2000, cluster_size=1, icc=1.0, rho=rho, unit_sd=0.0, effect=0.0, seed=7)
    correlation = np.corrcoef(cell_means(df), rowvar=False)
    for lag in (1, 2, 3):
        assert np.diag(correlation, lag) == pytest.approx(rho**lag, abs=0.08)
    assert cell_means(df).var(axis=0) == pytest.approx(1.0, abs=0.15)


def test_unit_effects_stay_in_a_panel_and_vary_in_cross_sections():
    options = {"n_clusters": 2, "cluster_size": 5000, "n_periods": 2, "icc": 0.0, "seed": 8}
    df = panel(unit_sd=2.0, error_sd=1.0, **options)
    wide = df.pivot_table(index="id", columns="period", values="y")
    assert np.cov(wide, rowvar=False)[0, 1] == pytest.approx(4.0, rel=0.15)
    df = repeated_cross_section(unit_sd=2.0, error_sd=1.0, **options)
    assert df.groupby(["cluster", "period"])["y"].var().to_numpy() == pytest.approx(5.0, rel=0.1)


# Effects --------------------------------------------------------------------------------------


@BOTH
def test_a_comparison_of_means_recovers_the_effects(draw):
    df = draw(
        n_clusters=12,
        cluster_size=4000,
        cohorts=(4, 6),
        effect=0.5,
        effect_slope=0.25,
        icc=0.0,
        seed=9,
    )
    for cohort in (4, 6):
        for period in range(cohort, 9):
            truth = 0.5 + 0.25 * (period - cohort)
            assert did(df, cohort, period, cohort - 1) == pytest.approx(truth, abs=0.1)
    assert did(df, 6, 4, 3) == pytest.approx(0.0, abs=0.1)


@BOTH
def test_conditioning_on_covariates_matters(draw):
    df = draw(
        n_clusters=2,
        cluster_size=40_000,
        n_periods=2,
        cohorts=[2],
        effect=0.0,
        icc=0.0,
        n_covariates=1,
        n_dummies=1,
        covariate_shift=0.8,
        covariate_trend=0.5,
        seed=10,
    )
    assert (did(df, 2, 2, 1)) == pytest.approx(0.5 * (0.8 + 0.288), abs=0.06)
    # Means of the dummy: Phi(0) = 0.5 and Phi(0.8) = 0.788.
    mean = df.groupby("cohort")[["x1", "x2"]].mean().to_numpy()
    assert mean == pytest.approx(np.array([[0.0, 0.5], [0.8, 0.788]]), abs=0.03)
    # Within a narrow band of covariates the trends are parallel.
    same = df[df["x1"].between(0.2, 0.6) & (df["x2"] == 1)]
    assert did(same, 2, 2, 1) == pytest.approx(0.0, abs=0.12)


# Errors ---------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 0}, "n_clusters must be .* got 0"),
        ({"n_clusters": 2.5}, "n_clusters must be .* got 2.5"),
        ({"n_periods": 1}, "n_periods must be .* got 1"),
        ({"first_period": 0}, "first_period must be .* got 0"),
        ({"n_covariates": -1}, "n_covariates must be .* got -1"),
        ({"n_dummies": True}, "n_dummies must be .* got True"),
        ({"icc": 1.2}, "icc must be a number between 0 and 1; got 1.2"),
        ({"rho": -1.5}, "rho must be a number between -1 and 1; got -1.5"),
        ({"rho": float("nan")}, "rho must be .* got nan"),
        ({"error_sd": -1}, "error_sd must be .* got -1"),
        ({"unit_sd": "big"}, "unit_sd must be .* got 'big'"),
        ({"effect": float("inf")}, "effect must be a number; got inf"),
        ({"weights": "w"}, "weights must be True or False; got 'w'"),
        ({"never": 1}, "never must be True or False; got 1"),
        ({"seed": "a"}, "seed must be a whole number .* got 'a'"),
        ({"seed": -1}, "seed must be .* got -1"),
        ({"cluster_size": 0}, "cluster_size must be"),
        ({"cluster_size": "large"}, "cluster_size must be"),
        ({"cluster_size": [5, 5]}, r"shape \(2,\); with n_clusters=20"),
        ({"n_clusters": 4, "cluster_size": [5, 5, 0, 5]}, "cluster_size must be"),
        (
            {"n_clusters": 4, "cluster_size": [5, 5, 5, 5], "size_dispersion": 0.5},
            "size_dispersion must be 0",
        ),
        ({"cohorts": ()}, "different periods"),
        ({"cohorts": (4, 4)}, "different periods"),
        ({"cohorts": (4, 9)}, "cohort 9 lies outside of the periods 1 to 8"),
        ({"cohorts": (4, 6), "first_period": 2001}, "cohort 4 lies outside"),
        ({"cohorts": (4.5,)}, "cohort must be .* got 4.5"),
        ({"treated_clusters": 0}, "treated_clusters must be .* got 0"),
        ({"treated_clusters": 1}, "1 treated cluster cannot make up the 2 cohorts"),
        ({"treated_clusters": 20}, "20 treated of 20 clusters leave none never treated"),
        ({"treated_clusters": {4: 10, 6: 10}}, "leave none never treated"),
        ({"treated_clusters": {4: 0}}, r"treated_clusters\[4\] must be .* got 0"),
        ({"treated_clusters": {0: 3, 4: 2}}, "cohort must be .* got 0"),
        ({"treated_clusters": {}}, "different periods"),
        ({"treated_clusters": {4: 3}, "cohorts": (4, 6)}, r"names the cohorts \[4\]"),
        ({"treated_clusters": 5, "never": False}, "needs all 20 clusters treated, not 5"),
        ({"treated_clusters": 21, "never": False}, "needs all 20 clusters treated, not 21"),
        ({"n_clusters": 2}, "cannot make up the 2 cohorts"),
    ],
)
def test_options_that_are_not_allowed(draw, options, message):
    with pytest.raises(OptionError, match=message):
        draw(**options)


@BOTH
def test_unknown_options_name_the_nearest(draw):
    with pytest.raises(UnknownOptionError, match="did you mean 'n_clusters'"):
        draw(n_cluster=3)
    with pytest.raises(UnknownOptionError, match="by name"):
        draw(3)


def test_both_functions_show_their_options():
    shown = inspect.signature(panel).parameters
    assert shown == inspect.signature(repeated_cross_section).parameters
    assert "treated_clusters" in shown
    assert all(option.kind is option.KEYWORD_ONLY for option in shown.values())
    for name in shown:
        assert f"\n{name} : " in inspect.cleandoc(panel.__doc__), name
