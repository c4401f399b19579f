"""Joint tests and bands under the working model: golden values, simulation, identities."""

import numpy as np
import pandas as pd
import pytest
from conftest import few_clusters_cases, fit_few_clusters
from scipy import stats

import didjack
from didjack.estimation.kernels import compiled
from didjack.inference.pretest import independent
from didjack.inference.reference.joint import wald_statistics

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

CASES = {name: case for name, case in few_clusters_cases().items() if "joint" in case}
NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id", "cluster": "cluster"}


def fit(df, **options):
    return didjack.csdid(df, **NAMES | {"est_method": "reg"} | options)


@pytest.fixture(scope="module")
def few():
    return didjack.simulate.panel(
        n_clusters=20,
        cluster_size=8,
        size_dispersion=0.5,
        cohorts=[4, 6],
        treated_clusters=5,
        seed=2,
    )


@pytest.mark.parametrize("name", CASES)
def test_joint_tests_equal_those_by_brute_force(name):
    average = fit_few_clusters(CASES[name]).aggregate("event")
    coefficients = average._coefficients
    for case in CASES[name]["joint"]:
        labels = [int(float(text.split()[1])) for text in case["names"]]
        test = average.wald_test(labels)
        assert test["statistic"] == pytest.approx(case["F"], rel=1e-8)
        assert test["rank"] == case["rank"]
        p = case["p_wald"]
        error = np.sqrt(p * (1 - p) / 9_999)
        assert test["p_value"] == pytest.approx(p, abs=4 * error + 2e-4)
        assert test["simulation_error"] == pytest.approx(error, rel=0.1)
        at = np.flatnonzero(average._targets.index.isin(labels))
        found = coefficients.critical_values(at, 0.05)
        gap = np.abs(found.value - case["band_critical_values"])
        assert (gap < 4 * found.error + 0.015 * found.value).all()


def test_one_restriction_is_its_t_test(few):
    average = fit(few).aggregate("event")
    for weights in ({0: 1.0}, {0: 1.0, 2: -0.5}):
        alone, test = average.lincomb(weights), average.wald_test(weights)
        assert test["statistic"] == pytest.approx(alone["statistic"] ** 2, rel=1e-9)
        assert test["p_value"] == pytest.approx(alone["p_value"], rel=1e-9)
        assert test["simulation_error"] == 0.0


def test_redundant_restrictions_change_nothing(few):
    average = fit(few).aggregate("event")
    rows = [{0: 1.0}, {1: 1.0}, {0: 1.0, 1: 1.0}]
    two, three = average.wald_test(rows[:2]), average.wald_test(rows)
    assert three["rank"] == 2
    assert three["statistic"] == pytest.approx(two["statistic"], rel=1e-6)
    assert three["p_value"] == pytest.approx(two["p_value"], abs=1e-3)


def test_singular_covariances_in_draws():
    rng = np.random.default_rng(0)
    deviation, estimate = rng.normal(size=(50, 9, 3)), rng.normal(size=(50, 3))
    more = np.concatenate([deviation, deviation[:, :, :1] + deviation[:, :, 1:2]], axis=2)
    estimates = np.column_stack([estimate, estimate[:, 0] + estimate[:, 1]])
    variance = more.transpose(0, 2, 1) @ more
    np.testing.assert_allclose(
        wald_statistics(estimates, variance),
        wald_statistics(estimates[:, :3], variance[:, :3, :3]),
        rtol=1e-6,
    )


@pytest.mark.parametrize("vcov", ["CV3", "CV3J"])
def test_joint_reference_distributions_are_those_of_the_estimator(few, vcov):
    """Outcomes are drawn from the working model, and everything estimated from them."""
    design = fit(few)
    layout, v = design._fit.layout, None
    from didjack.inference.reference.working_model import Design

    v = Design.from_fit(design._fit).variance
    rng = np.random.default_rng(0)
    place = few["cluster"].map({label: h for h, label in enumerate(layout.cluster_labels)})
    when = few["period"] - few["period"].min()
    labels, n_draws, found = [-3, -2, 0, 1], 150, []
    reference = design.with_options(vcov=vcov).aggregate("event")
    at = np.flatnonzero(reference._targets.index.isin(labels))
    reference = reference._coefficients._joint_reference(np.eye(len(reference._targets.index))[at])
    for _ in range(n_draws):
        u = rng.normal(size=(20, few["period"].nunique())) * np.sqrt(v)[:, None]
        moved = few.assign(y=u[place, when])
        average = fit(moved, vcov=vcov, reference="t").aggregate("event")
        theta = average._targets.theta[:, at]
        centre = theta[1:].mean(axis=0) if vcov == "CV3J" else theta[0]
        deviation = theta[1:] - centre
        variance = 19 / 20 * deviation.T @ deviation
        found.append(reference.wald_p_value(wald_statistics(theta[:1], variance[None])[0]))
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_bands(few):
    result = fit(few)
    for one in (result.aggregate("event"), result.aggregate("group")):
        band, pointwise = one.confint(joint=True), one.confint()
        assert (band["conf_low"] <= pointwise["conf_low"]).all()
        assert (band["conf_high"] >= pointwise["conf_high"]).all()
        values = band.attrs["critical_values"]
        table = one.tidy().set_index(one._targets.index[: len(one.tidy())])
        assert list(values) == table.index.tolist()
        want = table["estimate"] + pd.Series(values) * table["std_error"]
        np.testing.assert_allclose(band["conf_high"].iloc[:-1], want)
        pd.testing.assert_series_equal(band.loc["overall"], pointwise.loc["overall"])
        assert 0 < band.attrs["simulation_error"] < 0.1
        assert band.attrs["n_draws"] == 9_999
    assert len(set(values.values())) > 1 or len(values) == 1


def test_bands_cover_all_at_once(few):
    """Of draws from the working model, so many leave the band."""
    average = fit(few).aggregate("event")
    which = average._targets.components
    reference = average._coefficients._joint_reference(np.eye(len(average._targets.index))[which])
    found = reference.band(0.1)
    outside = (reference.statistic > found.value).any(axis=1).mean()
    assert outside == pytest.approx(0.1, abs=0.005)
    each = (reference.statistic > found.value).mean(axis=0)
    np.testing.assert_allclose(each, each.mean(), atol=0.006)


def test_wider_bands_for_coefficients_with_fewer_clusters():
    df = didjack.simulate.panel(
        n_clusters=20, cluster_size=5, treated_clusters={4: 1, 7: 6}, n_periods=8, seed=1
    )
    values = fit(df).aggregate("event").confint(joint=True).attrs["critical_values"]
    assert all(np.isfinite(list(values.values())))


def test_p_values_of_small_statistics(few):
    """They are shares of draws as any others, also where all of the leads are below one."""
    average = fit(few).aggregate("event")
    joint = average._coefficients._joint_reference(np.eye(len(average.coef()))[:3])
    some = joint.statistic[:500]
    p_values = [joint.single.take(np.full(500, m)).p_value(some[:, m]) for m in range(3)]
    smallest = np.min(p_values, axis=0)
    np.testing.assert_allclose(joint.smallest_p[:500], smallest, rtol=0.02, atol=2e-3)
    assert (smallest > joint.single.p_value(np.ones(3)).max()).any()


def test_same_seed_same_numbers(few):
    one, other = (fit(few).aggregate("event") for _ in range(2))
    assert one.wald_test([0, 1])["p_value"] == other.wald_test([0, 1])["p_value"]
    moved = fit(few, seed=1).aggregate("event")
    assert one.wald_test([0, 1])["p_value"] != moved.wald_test([0, 1])["p_value"]
    shuffled = fit(few.sample(frac=1.0, random_state=0)).aggregate("event")
    pd.testing.assert_series_equal(
        one.wald_test([0, 1, 2]).to_series(), shuffled.wald_test([0, 1, 2]).to_series()
    )


def test_too_many_restrictions_are_refused():
    df = didjack.simulate.panel(n_clusters=8, cluster_size=6, n_periods=10, cohorts=[5, 7], seed=1)
    average = fit(df).aggregate("event")
    labels = average._targets.index[:-1].tolist()
    assert average.wald_test(labels[:6])["reason"] == ""
    with pytest.warns(
        didjack.InferenceWarning, match="7 restrictions with 8 replicates, which allow 6"
    ):
        assert np.isnan(average.wald_test(labels[:7])["p_value"])


def test_undefined_replicates_in_joint_tests():
    df = didjack.simulate.panel(
        n_clusters=16, cluster_size=5, treated_clusters={4: 1, 6: 3}, seed=3
    )
    average = fit(df).aggregate("event")
    status = average.tidy().set_index("event_time")["status"]
    bare = status.index[status.str.startswith("imputed")].tolist()
    test = average.wald_test([*bare[:2], 0])
    assert test["reason"] == ""
    # By hand: over the replicates that all have, scaled as the errors are.
    own = average._coefficients.own_variance
    at = [average._targets.index.get_loc(label) for label in [*bare[:2], 0]]
    at = np.flatnonzero(np.isin(np.arange(len(average._targets.index)), at))
    theta = average._targets.theta[:, at]
    deviation = (theta[1:] - theta[0])[~np.isnan(theta[1:]).any(axis=1)]
    n = len(deviation)
    scale = own.reference.scale[at]
    variance = (n - 1) / n * np.outer(scale, scale) * (deviation.T @ deviation)
    want = wald_statistics(theta[:1], variance[None])[0] / len(at)
    assert test["statistic"] == pytest.approx(want, rel=1e-8)
    assert np.isfinite(average.confint(joint=True)).all(axis=None)


# The pre-test ---------------------------------------------------------------------------------


def test_pretest_of_an_event_study(few):
    result = fit(few)
    average = result.aggregate("event")
    before = [e for e in average._targets.index[:-1] if e < 0]
    test, want = average.pretest("wald"), average.wald_test(before)
    assert test["p_value"] == want["p_value"]
    assert test["critical_value"] == want["critical_value"]
    assert test["left_out"] == ()
    band = average._coefficients.critical_values(np.arange(len(before)), 0.05).value
    table = average.tidy().iloc[: len(before)]
    ends = table["estimate"].abs() + band * table["std_error"]
    assert test["largest_violation"] == pytest.approx(ends.max(), rel=0.02)
    largest = average.pretest()
    assert largest["largest_violation"] == test["largest_violation"]
    n = len(before)
    assert (
        f"Pre-trends ({n} of {n} leads): largest |t| {largest['statistic']:.2f} "
        f"(event time {largest['lead']}), critical value {largest['critical_value']:.2f}, "
        f"p = {largest['p_value']:.3f}"
    ) in str(average.summary()).replace("\n", " ")
    with pytest.raises(didjack.OptionError, match="needs event times"):
        result.aggregate("group").pretest()
    with pytest.raises(didjack.OptionError, match="missing must be"):
        result.pretest(missing="none")


def test_pretest_leaves_out_what_has_no_error():
    df = didjack.simulate.panel(
        n_clusters=16, cluster_size=5, treated_clusters={4: 1, 6: 3}, seed=3
    )
    for options in ({"undefined": "nan"}, {"reference": "t"}):
        result = fit(df, **options)
        for statistic in ("max", "wald"):
            test = result.pretest(statistic)
            assert test["left_out"] == ((4, 2), (4, 3))
            assert test["reason"] == ""
            assert test["n_tested"] == 4
            assert np.isnan(result.pretest(statistic, missing="nan")["p_value"])
    imputed = fit(df)
    for statistic in ("max", "wald"):
        test = imputed.pretest(statistic)
        assert test["left_out"] == ()
        assert test["n_tested"] == 6


def apart(theta, before):
    """Positions of coefficients whose replicates are no combination of those of earlier ones."""
    kept = []
    for at in before:
        deviation = theta[1:, [*kept, at]] - theta[0, [*kept, at]]
        deviation = deviation / np.linalg.norm(deviation, axis=0)
        if np.linalg.svd(deviation, compute_uv=False)[-1] > 1e-6:
            kept.append(at)
    return kept


def wald_by_hand(theta):
    """W of (B, 1 + H, M) estimates and replicates, (B,)."""
    deviation, n = theta[:, 1:] - theta[:, :1], theta.shape[1] - 1
    variance = (n - 1) / n * np.einsum("bhi,bhj->bij", deviation, deviation)
    solved = np.linalg.solve(variance, theta[:, 0, :, None])[:, :, 0]
    return (theta[:, 0] * solved).sum(axis=1)


def simulated_changes(cohorts, cells, n_draws, seed=0):
    """Leads (g, t) without covariates, and without each cluster, of clusters' shocks alone.

    Each is a change from t - 1 to t in means of equal clusters: (B, 1 + H, M).
    """
    rng = np.random.default_rng(seed)
    last, n = max(t for _, t in cells), cohorts.size
    change = np.diff(rng.normal(size=(n_draws, last, n)), axis=1)
    kept = np.vstack([np.ones(n), 1 - np.eye(n)])
    found = []
    for g, t in cells:
        sides = [kept * (cohorts == side) for side in (g, 0)]
        weight = [side / side.sum(axis=1, keepdims=True) for side in sides]
        found.append(change[:, t - 2] @ (weight[0] - weight[1]).T)
    return np.stack(found, axis=2)


def test_pretest_leaves_out_what_only_covariates_tell_apart():
    """Deleting either of a cohort's two clusters moves it along one line, but for covariates."""
    df = didjack.simulate.panel(
        n_clusters=24,
        cluster_size=20,
        n_periods=8,
        cohorts=[5, 6, 7],
        treated_clusters=6,
        n_covariates=2,
        seed=5,
    )
    plain, adjusted = fit(df), fit(df, est_method="dr", xformla="~ x1 + x2")
    assert plain.pretest("wald")["n_tested"] == adjusted.pretest("wald")["n_tested"] < 9
    before = adjusted.tidy().query("event_time < 0")
    test = adjusted.wald_test(list(zip(before["group"], before["time"], strict=True)))
    assert np.isnan(test["p_value"])
    assert "without covariates" in test["reason"]
    # By hand: the leads that can be told apart without covariates, and another simulation.
    leads = apart(plain._targets.theta, np.flatnonzero(plain.tidy()["event_time"] < 0))
    cells = [plain._targets.index[at] for at in leads]
    cohorts = df.groupby("cluster")["cohort"].first().to_numpy()
    drawn = wald_by_hand(simulated_changes(cohorts, cells, n_draws=20_000))
    for result in (plain, adjusted):
        found = result.pretest("wald")
        actual = wald_by_hand(result._targets.theta[None][:, :, leads])[0]
        assert found["n_tested"] == len(leads)
        assert result.pretest()["n_tested"] == found["n_leads"] == 12
        assert found["statistic"] == pytest.approx(actual / len(leads), rel=1e-6)
        want = (drawn >= actual).mean()
        error = np.sqrt(want * (1 - want) * (1 / drawn.size + 1 / 9_999))
        assert found["p_value"] == pytest.approx(want, abs=4 * error)
        assert 0.05 < want < 1.0


def test_pretest_leaves_out_anticipation_and_references(few):
    result = fit(few, anticipation=1, base_period="universal")
    tested = result.tidy().iloc[result._before]
    assert (tested["event_time"] < -1).all()
    assert (tested["status"] != "base").all()
    average = result.aggregate("event")
    assert average._targets.index[average._before].tolist() == [-5, -4, -3]


def test_independent_coefficients():
    root = np.random.default_rng(0).normal(size=(4, 9))
    root[2] = root[0] - 2 * root[1]
    assert independent(root @ root.T).tolist() == [0, 1, 3]
    assert independent(np.empty((0, 0))).tolist() == []


# Minimum detectable effects -------------------------------------------------------------------


def test_detectable_effects_of_t(few):
    result = fit(few, reference="t").aggregate("event")
    error, found = result._statistics()["std_error"].to_numpy(), result.mde(0.9, alpha=0.1)
    want = (stats.t.isf(0.05, 19) + stats.t.isf(0.1, 19)) * error
    np.testing.assert_allclose(found, want, rtol=1e-10)
    assert found.index.equals(result._targets.index)
    np.testing.assert_allclose(
        result.mde(0.3), (stats.t.isf(0.025, 19) - stats.t.isf(0.3, 19)) * error
    )


def test_detectable_effects_of_laws(few):
    result = fit(few).aggregate("event")
    variance, error = result._coefficients.own_variance, result._statistics()["std_error"]
    want = (variance.critical_value(0.05) + variance.critical_value(0.4)) * error
    np.testing.assert_allclose(result.mde(), want, rtol=1e-10)
    np.testing.assert_allclose(result.mde(0.5), variance.critical_value(0.05) * error)
    for power in (0, 1, 80, "high", True, np.nan):
        with pytest.raises(didjack.OptionError, match="power must be"):
            result.mde(power)


# Threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["CV3", "CV3J"])
def test_threads_change_no_bit(few, vcov, monkeypatch):
    chunks, run = [], compiled.ThreadPoolExecutor.submit

    def counted(pool, kernel, *given):
        chunks.append(kernel.__name__)
        return run(pool, kernel, *given)

    monkeypatch.setattr(compiled.ThreadPoolExecutor, "submit", counted)
    monkeypatch.setattr(compiled, "LEAST_WORK", 0)  # whatever can be is done in threads
    found = []
    for count in (1, 2, 3):
        monkeypatch.setattr(compiled.numba, "get_num_threads", lambda count=count: count)
        chunks.clear()
        event = fit(few, vcov=vcov).aggregate("event")
        table = event.tidy(overall=True, joint=True)
        found.append((table, event.wald_test(), event.pretest()))
        assert chunks.count("_shocked") >= 4 * count
    for table, wald, before in found[1:]:
        pd.testing.assert_frame_equal(table, found[0][0], check_exact=True)
        assert wald == found[0][1]
        assert before == found[0][2]


# Size -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_true_nulls_are_rejected_in_five_percent():
    tests, bands, n_draws = 0, 0, 250
    for seed in range(n_draws):
        df = didjack.simulate.panel(
            n_clusters=16,
            cluster_size=3,
            n_periods=7,
            cohorts=[4, 5],
            treated_clusters=5,
            effect=0.0,
            seed=seed,
        )
        average = fit(df).aggregate("event")
        tests += average.pretest()["p_value"] < 0.05
        band = average.confint(joint=True).iloc[:-1]
        bands += ((band["conf_low"] > 0) | (band["conf_high"] < 0)).any()
    assert 0.01 <= tests / n_draws <= 0.1
    assert 0.01 <= bands / n_draws <= 0.1
