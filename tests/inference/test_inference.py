"""Covariance, joint tests, linear combinations and bands: identities and hand-made algebra."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import reference_cases
from scipy import integrate, optimize, stats
from statsmodels.base.model import LikelihoodModelResults

import didjack
from didjack.inference import bands
from didjack.inference import joint_tests as hypotheses

# Designs are small; the warnings that say so are tested in test_diagnostics.
pytestmark = pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")

KINDS = ["CV3", "CV3J", "analytic", "bootstrap"]
TYPES = ["simple", "event", "group", "calendar"]


def fit(df, **options):
    names = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id"}
    settings = {"cluster": "cluster", "est_method": "reg", "reference": "t", **names, **options}
    return didjack.csdid(df, **settings)


@pytest.fixture(scope="module")
def whole():
    """Every cohort lies in several clusters: no replicate is missing or of another composition."""
    df = didjack.simulate.panel(n_clusters=25, cluster_size=8, cohorts=[4, 6], seed=3)
    return df, fit(df)


@pytest.fixture(scope="module")
def holes():
    """Mpdta: deleting state 17 deletes the cohort of 2004."""
    df = didjack.datasets.load_mpdta()
    options = {
        "yname": "lemp",
        "tname": "year",
        "gname": "first.treat",
        "idname": "countyreal",
        "cluster": "state",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        return {
            undefined: didjack.csdid(df, **options, reference="t", undefined=undefined)
            for undefined in ("nan", "skip")
        }


def aggregated(result, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        return result.aggregate(kind)


def results_of(result):
    return [result, *(aggregated(result, kind) for kind in TYPES)]


def test_intervals_have_the_level_of_the_call(whole):
    df, result = whole
    for kind in TYPES:
        one, other = result.aggregate(kind), fit(df, alpha=0.1).aggregate(kind)
        for joint in (False, True):
            pd.testing.assert_frame_equal(other.confint(joint=joint), one.confint(0.1, joint))
        table = other.tidy()[["conf_low", "conf_high"]].to_numpy()
        np.testing.assert_array_equal(other.confint().to_numpy()[: len(table)], table)


def test_alpha_is_no_level(whole):
    with pytest.raises(didjack.OptionError, match=r"alpha must .* 0.95 \(did you mean 0.05\?\)"):
        whole[1].confint(0.95)
    with pytest.raises(didjack.UnknownOptionError, match=r"alpha=0.05 for 95% intervals"):
        whole[1].confint(level=0.95)
    with pytest.raises(didjack.UnknownOptionError, match=r"'joined' \(did you mean 'joint'\?\)"):
        whole[1].confint(joined=True)


# ---- covariance ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_diagonal_of_vcov_is_std_error_squared(whole, holes, kind):
    for result in (*results_of(whole[1]), *results_of(holes["skip"]), *results_of(holes["nan"])):
        error = result.with_options(vcov=kind)._statistics()["std_error"].to_numpy()
        matrix = result.vcov(kind)
        np.testing.assert_array_equal(np.diag(matrix), error**2)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert matrix.index.equals(matrix.columns)
        missing = np.isnan(error)
        assert matrix.isna().to_numpy().tolist() == (missing[:, None] | missing).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_vcov_of_a_kind_is_that_of_a_call_with_it(whole, kind):
    df, result = whole
    again = fit(df, vcov=kind)
    pd.testing.assert_frame_equal(result.vcov(kind), again.vcov(), rtol=1e-12)
    pd.testing.assert_frame_equal(again.vcov("CV3"), result.vcov(), rtol=1e-12)


def test_vcov_by_hand(whole):
    for result in results_of(whole[1]):
        replicates = result.replicates().to_numpy()
        n = len(replicates)
        for kind, centre in (("CV3", result._targets.theta[0]), ("CV3J", replicates.mean(axis=0))):
            gap = replicates - centre
            want = (n - 1) / n * sum(np.outer(row, row) for row in gap)
            np.testing.assert_allclose(result.vcov(kind), want, rtol=1e-10, atol=1e-18)


def test_cv3j_is_not_larger_than_cv3(whole, holes):
    for result in (*results_of(whole[1]), *results_of(holes["skip"])):
        small, large = (np.diag(result.vcov(kind)) for kind in ("CV3J", "CV3"))
        known = ~np.isnan(large)
        assert (small[known] <= large[known] * (1 + 1e-12)).all()


def test_vcov_rejects_unknown_kinds(whole):
    with pytest.raises(didjack.OptionError, match="CV3"):
        whole[1].vcov("HC3")


# ---- Wald tests ---------------------------------------------------------------------------------


def statsmodels_test(result, matrix, value):
    """The same F test by statsmodels."""
    df = result._statistics()["df"].min()
    names = [str(label) for label in result._targets.index]
    model = SimpleNamespace(df_resid=df, data=SimpleNamespace(cov_names=names))
    likelihood = LikelihoodModelResults(
        model, result._targets.theta[0], normalized_cov_params=result.vcov().to_numpy(), scale=1.0
    )
    likelihood.df_resid = df
    return likelihood.f_test((matrix, value))


@pytest.mark.parametrize("kind", ["CV3", "CV3J", "analytic"])
def test_wald_test_agrees_with_statsmodels(whole, kind):
    result = whole[1].with_options(vcov=kind)
    m = len(result._targets.index)
    rng = np.random.default_rng(0)
    for matrix in (np.eye(m)[2:9], rng.normal(size=(4, m)), np.diff(np.eye(m), axis=0)[:5]):
        value = rng.normal(size=len(matrix)) * 0.1
        want = statsmodels_test(result, matrix, value)
        got = result.wald_test(matrix, value)
        np.testing.assert_allclose(got["statistic"], np.squeeze(want.fvalue), rtol=1e-8)
        np.testing.assert_allclose(got["p_value"], np.squeeze(want.pvalue), rtol=1e-6, atol=1e-300)
        assert (got["df_num"], got["df_denom"]) == (want.df_num, want.df_denom)
        assert got["rank"] == len(matrix)
        assert got["reason"] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_wald_test_of_one_coefficient_is_its_squared_t(whole, holes, kind):
    for result in (*results_of(whole[1]), *results_of(holes["skip"])):
        result = result.with_options(vcov=kind)
        for label, row in result._statistics().set_axis(result._targets.index).iterrows():
            test = result.wald_test({label: 1})
            np.testing.assert_allclose(test["statistic"], row["statistic"] ** 2, rtol=1e-10)
            np.testing.assert_allclose(test["p_value"], row["p_value"], rtol=1e-8)
            assert test["df_denom"] == row["df"]
            assert test["df_num"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_wald_test_of_one_combination_is_its_squared_t(whole, kind):
    result = whole[1].with_options(vcov=kind).aggregate("event")
    weights = {0: 1, 2: -0.5, -2: 0.25}
    alone = result.lincomb(weights)
    test = result.wald_test(weights)
    np.testing.assert_allclose(test["statistic"], alone["statistic"] ** 2, rtol=1e-10)


def test_forms_of_restrictions(whole):
    result = aggregated(whole[1], "event")
    labels = result._targets.index
    at = [labels.get_loc(event) for event in (0, 1)]
    rows = np.eye(len(labels))[at]
    want = result.wald_test(rows)
    for form in (
        [0, 1],
        pd.Index([0, 1]),
        [{0: 1}, {1: 1}],
        rows[:, :-1],
        pd.DataFrame([[1, 0], [0, 1]], columns=[0, 1]),
        pd.DataFrame([[0, 2.0], [3.0, 0]], columns=[1, 0]),
        ["0", "1"],
    ):
        pd.testing.assert_series_equal(
            result.wald_test(form).to_series(), want.to_series(), rtol=1e-10
        )
    one = result.wald_test({0: 1, 1: -1})
    pd.testing.assert_series_equal(
        result.wald_test(pd.Series({0: 1, 1: -1})).to_series(), one.to_series()
    )
    assert result.wald_test(rows[0] - rows[1]) == one
    cells = whole[1]
    pairs = list(cells._targets.index[:2])
    want = cells.wald_test(np.eye(len(cells._targets.index))[:2])
    pd.testing.assert_series_equal(cells.wald_test(pairs).to_series(), want.to_series())
    pd.testing.assert_series_equal(
        cells.wald_test([list(pair) for pair in pairs]).to_series(), want.to_series()
    )


def test_redundant_and_reordered_restrictions_change_nothing(whole):
    result = aggregated(whole[1], "group")
    rows = np.array([[1.0, 0.0], [0.0, 1.0]])
    want = result.wald_test(rows)
    for form in (rows[::-1], rows * [[2.0], [-1e6]], [*rows, rows.sum(axis=0)]):
        got = result.wald_test(np.array(form))
        np.testing.assert_allclose(got["statistic"], want["statistic"], rtol=1e-7)
        assert got["df_num"] == got["rank"] == 2


def test_contradictory_restrictions_have_no_test(whole):
    result = aggregated(whole[1], "group")
    with pytest.warns(didjack.InferenceWarning, match="rank 1"):
        test = result.wald_test([[1.0, 0.0], [1.0, 0.0]], [0.0, 1.0])
    assert np.isnan(test["statistic"])
    assert np.isnan(test["p_value"])


def test_default_is_all_components(whole):
    event = aggregated(whole[1], "event")
    components = list(event._targets.index[:-1])
    pd.testing.assert_series_equal(
        event.wald_test().to_series(), event.wald_test(components).to_series()
    )
    assert event.wald_test()["df_num"] == len(components)
    simple = aggregated(whole[1], "simple")
    np.testing.assert_allclose(
        simple.wald_test()["statistic"], simple.overall["statistic"] ** 2, rtol=1e-10
    )


def test_more_restrictions_than_replicates_allow():
    df = didjack.simulate.panel(n_clusters=8, cluster_size=20, treated_clusters=4, seed=1)
    for vcov in ("CV3", "analytic", "bootstrap"):
        result = fit(df, vcov=vcov)
        with pytest.warns(didjack.InferenceWarning, match="allow 7 at most"):
            test = result.wald_test()
        assert test.to_series().drop("reason").isna().all()
        assert "14 restrictions with 8" in test["reason"]


def test_coefficients_without_standard_error_are_named(holes):
    result = holes["nan"]
    with pytest.warns(didjack.InferenceWarning, match=r"4 coefficients.*\(2004, 2004\)"):
        test = result.wald_test()
    assert test.to_series().drop("reason").isna().all()
    some = [(2006, 2006), (2007, 2007)]
    assert result.wald_test(some)["df_denom"] == 28


def test_skipped_replicates_lower_the_degrees_of_freedom(holes):
    result = holes["skip"]
    both = [(2004, 2006), (2007, 2007)]
    test = result.wald_test(both)
    at = [result._targets.index.get_loc(label) for label in both]
    theta = result._targets.theta[:, at]
    gap = theta[1:][~np.isnan(theta[1:]).any(axis=1)] - theta[0]
    covariance = (len(gap) - 1) / len(gap) * gap.T @ gap
    want = theta[0] @ np.linalg.solve(covariance, theta[0]) / 2
    np.testing.assert_allclose(test["statistic"], want, rtol=1e-10)
    assert test["df_denom"] == len(gap) - 1 == 27


def test_mistaken_restrictions(whole):
    result = aggregated(whole[1], "event")
    for bad, message in (
        ({99: 1}, "there is no coefficient 99"),
        (["overal"], "numbers or labels"),
        (np.eye(3), "one column for each coefficient"),
        (np.zeros((1, len(result._targets.index))), "without any weight"),
        ({0: 0.0}, "all weights are zero"),
        ({0: np.nan}, "finite"),
        ({0: "much"}, "numbers"),
    ):
        with pytest.raises(didjack.OptionError, match=message):
            result.wald_test(bad)
    with pytest.raises(didjack.OptionError, match="q must be"):
        result.wald_test([0, 1], [1.0, 2.0, 3.0])


def test_wald_of_a_known_covariance():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    covariance, distance = root @ root.T, rng.normal(size=5)
    test = hypotheses.wald(distance, covariance, np.inf, 0.05)
    want = distance @ np.linalg.solve(covariance, distance)
    np.testing.assert_allclose(test["statistic"] * 5, want)
    np.testing.assert_allclose(test["p_value"], stats.chi2.sf(want, 5))
    np.testing.assert_allclose(test["critical_value"], stats.chi2.isf(0.05, 5) / 5)
    finite = hypotheses.wald(distance, covariance, 12.0, 0.05)
    np.testing.assert_allclose(finite["p_value"], stats.f.sf(want / 5, 5, 12))
    np.testing.assert_allclose(finite["critical_value"], stats.f.isf(0.05, 5, 12))


# ---- pre-tests ----------------------------------------------------------------------------------

# W of the pre-test of R `did` 2.5.1, independent units.
REFERENCE_W = {
    "mpdta-dr-x0-never-uni-a0": 7.79123662720035,
    "mpdta-dr-x1-never-var-a0": 6.84182498165969,
    "mpdta-dr-x1-notye-uni-a0": 6.86554210122937,
}


@pytest.mark.parametrize("name", REFERENCE_W)
def test_pretest_agrees_with_did(name, data):
    case = reference_cases()[name]
    options = case["options"] | {"cluster": None, "vcov": "analytic"}
    test = didjack.csdid(data(case["data"]), **options).pretest("wald")
    np.testing.assert_allclose(test["statistic"] * test["df_num"], REFERENCE_W[name], rtol=1e-9)
    np.testing.assert_allclose(test["p_value"], stats.chi2.sf(REFERENCE_W[name], 5), rtol=1e-9)


def test_pretest_does_not_depend_on_the_base_period(whole):
    df, varying = whole
    universal = fit(df, base_period="universal")
    one, other = varying.pretest("wald"), universal.pretest("wald")
    np.testing.assert_allclose(one["statistic"], other["statistic"], rtol=1e-8)
    assert one["df_num"] == other["df_num"] == 2 + 4


def test_pretest_leaves_out_anticipation(whole):
    df, _ = whole
    result = fit(df, anticipation=1)
    table = result.tidy()
    before = table[table["event_time"] < -1]
    leads = list(before[["group", "time"]].itertuples(index=False, name=None))
    test, want = result.pretest("wald"), result.wald_test(leads)
    for name in set(want) & set(test):
        assert test[name] == want[name]
    assert test["n_tested"] == test["n_leads"] == want["rank"] == len(leads)
    assert result.pretest()["n_leads"] == len(leads)
    assert result.pretest()["lead"] in leads


def test_pretest_without_pre_treatment_periods():
    df = didjack.simulate.panel(n_clusters=10, n_periods=3, cohorts=[2], seed=0)
    for statistic, reason in (
        ("max", "there is no coefficient before treatment"),
        ("wald", "there is no coefficient to test"),
    ):
        with pytest.warns(didjack.InferenceWarning, match=f"no pre-test: {reason}"):
            assert np.isnan(fit(df).pretest(statistic)["p_value"])


# ---- linear combinations ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_lincomb_of_a_unit_vector_is_the_coefficient(whole, holes, kind):
    for result in (*results_of(whole[1]), *results_of(holes["skip"]), *results_of(holes["nan"])):
        result = result.with_options(vcov=kind)
        table = result._statistics(0.1).set_axis(result._targets.index)
        for label, row in table.iterrows():
            got = result.lincomb({label: 1.0}, alpha=0.1)
            pd.testing.assert_series_equal(got, row, check_names=False)


@pytest.mark.parametrize("kind", KINDS)
def test_event_overall_is_the_mean_of_its_components(whole, kind):
    result = whole[1].with_options(vcov=kind).aggregate("event")
    events = [e for e in result._targets.index[:-1] if e >= 0]
    got = result.lincomb(dict.fromkeys(events, 1 / len(events)))
    want = result.overall
    numbers = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
    np.testing.assert_allclose(
        got[numbers].astype(float), want[numbers].astype(float), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["CV3", "CV3J", "analytic"])
def test_lincomb_is_the_quadratic_form_of_vcov(whole, kind):
    result = whole[1].with_options(vcov=kind)
    weights = np.random.default_rng(5).normal(size=len(result._targets.index))
    got = result.lincomb(weights)
    want = np.sqrt(weights @ result.vcov().to_numpy() @ weights)
    np.testing.assert_allclose(got["std_error"], want, rtol=1e-9)
    np.testing.assert_allclose(got["estimate"], weights @ result._targets.theta[0], rtol=1e-12)


def test_lincomb_is_undefined_where_a_part_is(holes):
    row = aggregated(holes["nan"], "event").lincomb({0: 0.5, 2: 0.5})
    assert np.isnan(row["std_error"])
    assert row["status"].startswith("undefined: cluster 17")
    row = aggregated(holes["skip"], "event").lincomb({0: 0.5, 2: 0.5})
    assert row["n_replicates"] == 28
    assert row["status"].startswith("skipped: cluster 17")
    assert aggregated(holes["nan"], "event").lincomb({0: 1, 1: -1})["status"] == "composition"


def test_lincomb_of_a_reference_period(whole):
    result = aggregated(fit(whole[0], base_period="universal"), "event")
    assert np.isnan(result.lincomb({-1: 1})["std_error"])
    assert result.lincomb({-1: 1})["status"] == "base"
    pd.testing.assert_series_equal(
        result.lincomb({-1: 1, 2: 1}), result.lincomb({2: 1}), check_names=False
    )


def test_labels_may_be_written_dates():
    df = didjack.simulate.panel(n_clusters=10, n_periods=5, cohorts=[3, 4], seed=0)
    df["when"] = pd.to_datetime({"year": 2000 + df["period"], "month": 1, "day": 1})
    treated = df["cohort"] > 0
    df["start"] = pd.to_datetime({"year": 2000 + df["cohort"], "month": 1, "day": 1}).where(treated)
    result = aggregated(fit(df, tname="when", gname="start"), "group")
    by_date = result.lincomb({pd.Timestamp("2003-01-01"): 1, pd.Timestamp("2004-01-01"): -1})
    by_text = result.lincomb({"2003-01-01": 1, "2004-01-01": -1})
    pd.testing.assert_series_equal(by_date, by_text)


# ---- bands --------------------------------------------------------------------------------------


def studentized_maximum(k, df, level):
    """Exact critical value for k independent normals over one common root chi square."""

    def coverage(c):
        def inside(s):
            weight = stats.chi.pdf(s * np.sqrt(df), df) * np.sqrt(df)
            return (2 * stats.norm.cdf(c * s) - 1) ** k * weight

        return integrate.quad(inside, 0, 8, limit=300)[0]

    return optimize.brentq(lambda c: coverage(c) - level, 0.5, 40)


@pytest.mark.parametrize("k", [2, 8])
@pytest.mark.parametrize("df", [4, 30])
def test_critical_value_of_independent_t(k, df):
    found = bands.max_t(np.eye(k), df, 0.05)
    assert found.error < 0.005
    assert abs(found.value - studentized_maximum(k, df, 0.95)) < 4 * found.error


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_critical_value_of_independent_normals(level):
    found = bands.max_t(np.eye(6), np.inf, 1.0 - level)
    exact = stats.norm.ppf((1 + level ** (1 / 6)) / 2)
    assert abs(found.value - exact) < 4 * max(found.error, 1e-9)


def test_critical_value_of_one_t_is_exact():
    for df in (3, 19, np.inf):
        want = stats.t.ppf(0.975, df)
        for correlation in (np.eye(1), np.ones((5, 5))):
            np.testing.assert_allclose(bands.max_t(correlation, df).value, want, rtol=1e-9)


def test_singular_correlation():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = bands.max_t(rows @ rows.T, 9.0)
    t = rng.standard_normal((400_000, 3)) @ rows.T
    t /= np.sqrt(rng.chisquare(9.0, size=(400_000, 1)) / 9.0)
    assert abs(found.value - np.quantile(np.abs(t).max(axis=1), 0.95)) < 0.03


@pytest.mark.thin(3)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.5, 0.05])
def test_joint_is_never_narrower_than_pointwise(whole, holes, kind, alpha):
    for result in (*results_of(whole[1]), *results_of(holes["skip"]), *results_of(holes["nan"])):
        result = result.with_options(vcov=kind)
        one, all_ = result.confint(alpha), result.confint(alpha, joint=True)
        known = one["conf_low"].notna()
        assert one.index.equals(all_.index)
        assert (all_["conf_low"].isna() == ~known).all()
        assert (all_["conf_low"][known] <= one["conf_low"][known]).all()
        assert (all_["conf_high"][known] >= one["conf_high"][known]).all()


def test_band_of_a_result(whole):
    result = aggregated(whole[1], "event")
    band = result.confint(joint=True)
    value = band.attrs["critical_value"]
    assert band.attrs["simulation_error"] < 0.005
    table = result.tidy()
    np.testing.assert_allclose(
        band["conf_high"].to_numpy()[:-1], table["estimate"] + value * table["std_error"]
    )
    df = table["df"].iloc[0]
    m = len(table)
    # Between one test and Bonferroni's m tests.
    assert stats.t.ppf(0.975, df) < value < stats.t.ppf(1 - 0.025 / m, df)
    pd.testing.assert_series_equal(band.iloc[-1], result.confint().iloc[-1])
    pd.testing.assert_frame_equal(band, result.confint(joint=True))


def test_seed_moves_the_band_within_its_error(whole):
    df, result = whole
    event = result.aggregate("event").confint(joint=True)
    again = fit(df, seed=0).aggregate("event").confint(joint=True)
    other = fit(df, seed=1).aggregate("event").confint(joint=True)
    pd.testing.assert_frame_equal(event, again)
    gap = abs(event.attrs["critical_value"] - other.attrs["critical_value"])
    assert 0 < gap < 5 * event.attrs["simulation_error"]


def test_reference_periods_take_no_part(whole):
    df, _ = whole
    result = aggregated(fit(df, base_period="universal"), "event")
    band = result.confint(joint=True)
    assert band.loc[-1].isna().all()
    value = band.attrs["critical_value"]
    labels = [label for label in result._targets.index[:-1] if label != -1]
    matrix = result.vcov().loc[labels, labels].to_numpy()
    error = np.sqrt(np.diag(matrix))
    want = bands.max_t(matrix / np.outer(error, error), 24.0)
    np.testing.assert_allclose(value, want.value, rtol=1e-12)


def test_band_without_standard_errors():
    df = didjack.simulate.panel(
        n_clusters=8, cluster_size=20, cohorts=[4], treated_clusters=1, seed=0
    )
    with pytest.warns(didjack.InferenceWarning):
        result = fit(df)
    assert result.confint(joint=True).isna().all(axis=None)


@pytest.mark.parametrize("alpha", [1e-8, 1e-12, 1e-16, 1e-30])
def test_critical_values_far_in_the_tails(whole, alpha):
    analytic = fit(whole[0], vcov="analytic", cluster=None, alpha=alpha).aggregate("simple").overall
    margin = (analytic["conf_high"] - analytic["estimate"]) / analytic["std_error"]
    assert margin == pytest.approx(stats.norm.isf(alpha / 2), rel=1e-9)
    of_t = fit(whole[0], alpha=alpha).aggregate("simple").overall
    margin = (of_t["conf_high"] - of_t["estimate"]) / of_t["std_error"]
    assert margin == pytest.approx(stats.t.isf(alpha / 2, of_t["df"]), rel=1e-9)


@pytest.mark.parametrize("alpha", [1e-8, 1e-12, 1e-16])
def test_joint_critical_values_far_in_the_tails(alpha):
    """Of independent normals, P(max > c) = 1 - (1 - p)^M, nearly M p."""
    found = bands.max_t(np.eye(4), np.inf, alpha)
    assert found.value == pytest.approx(stats.norm.isf(alpha / 8), abs=4 * found.error + 1e-6)


@pytest.mark.parametrize("options", [{"vcov": "analytic"}, {"reference": "t"}])
def test_a_jump_in_a_lead_that_is_not_tested_is_a_violation(options):
    draws = np.random.default_rng(5)
    cohort = {0: 11, 1: 11, 2: 12, 3: 12, 4: 13, 5: 13}
    grid = pd.MultiIndex.from_product([range(12), range(4), range(1, 15)], names=["s", "i", "t"])
    data = grid.to_frame(index=False)
    data["id"], data["g"] = 4 * data.s + data.i, data.s.map(cohort).fillna(0).astype(int)
    data["y"] = draws.normal(size=len(data))
    jump = data.assign(y=data.y + 100.0 * ((data.g == 13) & (data.t == 5)))
    calm, loud = (
        didjack.csdid(one, "y", "t", "g", "id", cluster="s", **options) for one in (data, jump)
    )
    test = loud.pretest("wald")
    assert (13, 5) in test["left_out"]
    assert test["n_leads"] == 30
    assert test["n_tested"] == 30 - len(test["left_out"]) == test["df_num"]
    assert len(test["left_out_reasons"]) == len(test["left_out"])
    assert calm.pretest("wald")["largest_violation"] < 20 < 90 < test["largest_violation"]
    largest = loud.pretest()
    assert largest["n_tested"] == 30
    assert largest["lead"] in ((13, 5), (13, 6))  # the change there, and the one back
    assert largest["statistic"] > largest["critical_value"]
    assert largest["p_value"] < 1e-3
