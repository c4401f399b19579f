"""The multiplier bootstrap: its weights, its standard errors, its reproducibility."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import didjack
from didjack.estimation.kernels import compiled
from didjack.inference.variance import bootstrap

WEIGHTS = ["rademacher", "webb"]


def draw_weights(kind, n_groups=60, n_boot=4000, seed=0):
    """Draws of unit influence are the weights themselves."""
    return bootstrap.multiplier_draws(np.eye(n_groups), n_boot, seed, kind)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_moments_of_the_weights(kind):
    v = draw_weights(kind)
    n = v.size
    assert abs(v.mean()) < 4 / np.sqrt(n)
    assert abs((v**2).mean() - 1) < 4 * (v**2).std() / np.sqrt(n) + 1e-12
    assert abs((v**3).mean()) < 4 * (v**3).std() / np.sqrt(n)
    # Neither clusters nor draws are correlated with each other.
    for table, size in ((v, len(v)), (v.T, v.shape[1])):
        gap = np.corrcoef(table[:, :200], rowvar=False) - np.eye(min(200, table.shape[1]))
        assert np.abs(gap).max() < 5.5 / np.sqrt(size)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_points_of_the_weights(kind):
    points = {
        "rademacher": [-1, 1],
        "webb": [-np.sqrt(1.5), -1, -np.sqrt(0.5), np.sqrt(0.5), 1, np.sqrt(1.5)],
    }[kind]
    v = draw_weights(kind)
    found, counts = np.unique(v.round(12), return_counts=True)
    np.testing.assert_allclose(found, points, atol=1e-12)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_default_weights():
    psi = np.random.default_rng(0).normal(size=(11, 2))
    few = bootstrap.multiplier_draws(psi, 50)
    np.testing.assert_array_equal(few, bootstrap.multiplier_draws(psi, 50, 0, "webb"))
    more = np.vstack([psi, psi[:1]])
    np.testing.assert_array_equal(
        bootstrap.multiplier_draws(more, 50), bootstrap.multiplier_draws(more, 50, 0, "rademacher")
    )


@pytest.mark.parametrize("kind", WEIGHTS)
def test_draws_are_sums_of_weighted_influence(kind):
    psi = np.random.default_rng(1).normal(size=(70, 3))
    got = bootstrap.multiplier_draws(psi, 101, 7, kind)
    v = draw_weights(kind, 70, 101, 7)
    np.testing.assert_allclose(got, v @ psi, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_threads_change_no_bit(kind, monkeypatch):
    monkeypatch.setattr(compiled, "LEAST_WORK", 0)
    psi = np.random.default_rng(2).normal(size=(5000, 7))
    ran, pool, results = [], compiled.ThreadPoolExecutor, []
    monkeypatch.setattr(compiled, "ThreadPoolExecutor", lambda n: ran.append(n) or pool(n))
    for count in (1, 2, 3):  # threads of Python, so there may be more than numba has
        monkeypatch.setattr(compiled.numba, "get_num_threads", lambda count=count: count)
        results.append(bootstrap.multiplier_draws(psi, 333, 5, kind))
        assert set(ran) == {count}
        ran.clear()
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_a_draw_does_not_depend_on_how_many_there_are():
    psi = np.random.default_rng(3).normal(size=(40, 2))
    many = bootstrap.multiplier_draws(psi, 999)
    np.testing.assert_array_equal(many[:17], bootstrap.multiplier_draws(psi, 17))


def test_seeds():
    psi = np.random.default_rng(4).normal(size=(40, 2))
    first = bootstrap.multiplier_draws(psi, 99)
    np.testing.assert_array_equal(first, bootstrap.multiplier_draws(psi, 99, 0))
    other = bootstrap.multiplier_draws(psi, 99, 1)
    assert not np.isin(first, other).any()


def test_standard_errors_are_scaled_interquartile_ranges():
    psi = np.random.default_rng(5).normal(size=(300, 3))
    draws = bootstrap.multiplier_draws(psi, 999)
    found = bootstrap.variance(draws)
    ordered = np.sort(draws, axis=0)
    # Type 1 quantiles of 999 draws: the 750th and the 250th.
    want = (ordered[749] - ordered[249]) / (stats.norm.ppf(0.75) - stats.norm.ppf(0.25))
    np.testing.assert_allclose(found.std_error, want, rtol=1e-12)
    assert np.isinf(found.df).all()
    matrix = bootstrap.covariance(draws)
    np.testing.assert_array_equal(np.diag(matrix), found.std_error**2)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_unknown_and_absent_influence():
    psi = np.random.default_rng(6).normal(size=(30, 4))
    psi[:, 1] = np.nan
    psi[:, 2] = 0.0
    draws = bootstrap.multiplier_draws(psi, 200)
    error = bootstrap.variance(draws).std_error
    assert np.isnan(error).tolist() == [False, True, True, False]
    alone = bootstrap.multiplier_draws(psi[:, [0, 3]], 200)
    np.testing.assert_array_equal(draws[:, [0, 3]], alone)
    critical, unknown = (
        bootstrap.LargestDrawn(bootstrap.largest_statistics(some)).critical_value(0.05).value
        for some in (draws, draws[:, 1:3])
    )
    largest = bootstrap.LargestDrawn(bootstrap.largest_statistics(alone))
    assert critical == largest.critical_value(0.05).value
    assert np.isnan(unknown)


def fit(df, **options):
    return didjack.csdid(
        df, "y", "period", "cohort", "id", cluster="cluster", est_method="reg", **options
    )


def test_standard_errors_agree_with_clustered_analytic_ones():
    df = didjack.simulate.panel(n_clusters=600, cluster_size=3, cohorts=[4, 6], seed=1)
    n_boot = 20_000
    result = fit(df, vcov="bootstrap", n_boot=n_boot)
    # Relative standard error of a normal's scaled interquartile range.
    tolerance = 4 * 1.1664 / np.sqrt(n_boot)
    for one in (result, *(result.aggregate(kind) for kind in ("event", "group", "calendar"))):
        got, want = (
            one.with_options(vcov=kind)._statistics()["std_error"].to_numpy()
            for kind in ("bootstrap", "analytic")
        )
        np.testing.assert_allclose(got, want, rtol=tolerance)


def test_uniform_band_agrees_with_the_multivariate_normal():
    df = didjack.simulate.panel(n_clusters=600, cluster_size=3, cohorts=[4, 6], seed=1)
    event = fit(df, vcov="bootstrap", n_boot=20_000).aggregate("event")
    clustered = fit(df, vcov="analytic").aggregate("event")
    got, want = (one.confint(joint=True).attrs["critical_value"] for one in (event, clustered))
    assert abs(got - want) < 0.06


def test_independent_units_have_draws_of_their_own():
    df = didjack.simulate.panel(n_clusters=300, cluster_size=2, icc=0.9, seed=2)
    names = ["y", "period", "cohort", "id"]
    options = {"est_method": "reg", "vcov": "bootstrap", "n_boot": 4000}
    alone = didjack.csdid(df, *names, **options).aggregate("simple")
    analytic = alone.vcov("analytic").to_numpy().item() ** 0.5
    assert abs(alone.overall["std_error"] / analytic - 1) < 4 * 1.17 / np.sqrt(4000)
    together = fit(df, vcov="bootstrap", n_boot=4000).aggregate("simple")
    assert together.overall["std_error"] > 1.2 * alone.overall["std_error"]


def test_result_is_the_same_again():
    df = didjack.simulate.panel(n_clusters=12, cluster_size=6, treated_clusters=6, seed=4)
    first = fit(df, vcov="bootstrap", n_boot=199)
    shuffled = df.sample(frac=1.0, random_state=0)
    pd.testing.assert_frame_equal(
        first.tidy(), fit(shuffled, vcov="bootstrap", n_boot=199).tidy(), rtol=1e-9
    )
    assert first == fit(df, vcov="bootstrap", n_boot=199)
    assert first != fit(df, vcov="bootstrap", n_boot=199, seed=1)
    assert np.isinf(first.tidy()["df"]).all()
    assert "199 draws of Rademacher weights, seed 0" in " ".join(str(first.summary()).split())
