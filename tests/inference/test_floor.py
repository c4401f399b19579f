"""Tests with the reference distribution are never less conservative than those with t(R' - 1).

R' is the number of jackknife replicates used. The quantiles of t are scipy's.
"""

import numpy as np
import pytest
from scipy import stats

import didjack
from didjack.inference.joint_tests import JointTest

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

ALPHAS = (0.2, 0.05, 0.01)
POWERS = (0.2, 0.5, 0.8, 0.95)
SEEDS = range(6)
SLACK = 1e-7
"""Critical values of reference distributions are found to this precision."""


def random_fit(seed):
    """Few or many treated clusters, of equal or unequal size, the second and later unbalanced."""
    rng = np.random.default_rng(seed)
    n_clusters = int(rng.integers(8, 16))
    df = didjack.simulate.panel(
        n_clusters=n_clusters,
        treated_clusters=[1, 2, n_clusters // 2, n_clusters - 3][seed % 4],
        cohorts=[4, 5] if seed % 4 else [4],
        n_periods=6,
        cluster_size=5,
        size_dispersion=float(rng.choice([0.0, 1.0])),
        effect=float(rng.choice([0.0, 1.0])),
        seed=seed,
    )
    return didjack.csdid(
        df,
        *("y", "period", "cohort", "id"),
        cluster="cluster",
        est_method="reg",
        vcov=["CV3", "CV3J"][seed % 2],
        undefined=str(rng.choice(["impute", "skip"])),
        base_period=str(rng.choice(["varying", "universal"])),
    )


@pytest.fixture(scope="module")
def fits():
    return [random_fit(seed) for seed in SEEDS]


def results_of(result):
    return [result, *map(result.aggregate, ("simple", "event", "group", "calendar"))]


def with_error(result, alpha=None):
    """The rows that have a standard error, and which these are."""
    table = result._statistics(alpha or result.alpha)
    known = table["std_error"].notna().to_numpy()
    return table[known], known


def student(table):
    return stats.t(table["n_replicates"].to_numpy(dtype=float) - 1.0)


def test_it_binds_in_some_designs_and_not_in_others(fits):
    below = above = 0
    for one in (one for result in fits for one in results_of(result)):
        for alpha in ALPHAS:
            table, known = with_error(one, alpha)
            own = one._coefficients.own_variance.reference.critical_value(alpha)[known]
            t = student(table).isf(alpha / 2)
            below, above = below + (own < t - SLACK).sum(), above + (own > t + SLACK).sum()
    assert below > 50
    assert above > 50


def test_every_coefficient(fits):
    for one in (one for result in fits for one in results_of(result)):
        for alpha in ALPHAS:
            table, known = with_error(one, alpha)
            t = student(table)
            reference = one._coefficients.own_variance.reference
            statistic = (table["estimate"] / table["std_error"]).to_numpy()
            every = np.zeros(known.size)
            every[known] = statistic
            p_value = np.maximum(reference.p_value(every)[known], 2 * t.sf(np.abs(statistic)))
            np.testing.assert_allclose(table["p_value"], p_value, rtol=1e-9)
            critical = np.maximum(reference.critical_value(alpha)[known], t.isf(alpha / 2))
            margin = critical * table["std_error"]
            np.testing.assert_allclose(table["conf_high"] - table["estimate"], margin, rtol=1e-9)
            np.testing.assert_allclose(table["estimate"] - table["conf_low"], margin, rtol=1e-9)
            assert (table["df"] <= table["n_replicates"] - 1).all()
            own = stats.t.isf(alpha / 2, table["df"])
            np.testing.assert_allclose(own, critical, rtol=1e-5)


def test_every_combination(fits):
    rng = np.random.default_rng(0)
    for one in (one for result in fits for one in results_of(result)):
        _, known = with_error(one)
        for alpha in ALPHAS:
            row = one.lincomb(np.where(known, rng.normal(size=known.size), 0.0), alpha)
            t = stats.t(row["n_replicates"] - 1.0)
            assert row["df"] <= row["n_replicates"] - 1
            assert row["p_value"] >= 2 * t.sf(abs(row["statistic"])) * (1 - SLACK)
            half = (row["conf_high"] - row["conf_low"]) / 2
            assert half >= t.isf(alpha / 2) * row["std_error"] * (1 - SLACK)


def test_a_wald_test_of_one_restriction(fits):
    for result in fits:
        study = result.aggregate("event")
        table, known = with_error(study)
        for position, row in zip(np.flatnonzero(known), table.itertuples(), strict=True):
            weights = np.eye(known.size)[position]
            test = study.wald_test(weights)
            p_value = max(row.p_value, stats.f.sf(test.statistic, 1, row.n_replicates - 1))
            assert test.p_value == pytest.approx(p_value, rel=1e-7)
            margin = (row.conf_high - row.estimate) / row.std_error
            assert test.critical_value == pytest.approx(margin**2, rel=1e-7)
            assert test.critical_value >= stats.f.isf(0.05, 1, row.n_replicates - 1) * (1 - SLACK)


@pytest.mark.parametrize("power", POWERS)
def test_minimum_detectable_effects(fits, power):
    for one in (one for result in fits for one in results_of(result)):
        for alpha in ALPHAS:
            table, known = with_error(one, alpha)
            t = student(table)
            least = (t.isf(alpha / 2) - t.isf(power)) * table["std_error"].to_numpy()
            found = one.mde(power, alpha).to_numpy()
            assert (found[known] >= least - SLACK * np.abs(least)).all()
            assert np.isnan(found[~known]).all()


def test_bands(fits):
    for one in (one for result in fits for one in results_of(result)):
        for alpha in ALPHAS:
            table, known = with_error(one, alpha)
            band = one.confint(alpha, joint=True)[known]
            margin = (student(table).isf(alpha / 2) * table["std_error"]).to_numpy()
            half = (band["conf_high"] - band["conf_low"]).to_numpy() / 2
            assert (half >= margin * (1 - SLACK)).all()
            assert (band["conf_low"].to_numpy() <= table["conf_low"].to_numpy() + SLACK).all()
            assert (band["conf_high"].to_numpy() >= table["conf_high"].to_numpy() - SLACK).all()


def test_the_pretest(fits):
    n_tests = 0
    for result in fits:
        for one in (result, result.aggregate("event")):
            test = one.pretest()
            if test.reason:
                continue
            table = one._statistics()
            row = table.set_axis(one._targets.index).loc[[test.lead]].iloc[0]
            t = stats.t(row["n_replicates"] - 1.0)
            assert test.p_value >= 2 * t.sf(test.statistic) * (1 - SLACK)
            assert test.critical_value >= t.isf(0.025) * (1 - SLACK)
            leads = table.iloc[one._before].dropna(subset="std_error")
            ends = leads["estimate"].abs() + student(leads).isf(0.025) * leads["std_error"]
            assert test.largest_violation >= ends.max() * (1 - SLACK)
            n_tests += 1
    assert n_tests > 6


def test_sensitivity_analyses(fits):
    for result in fits:
        study = result.aggregate("event")
        least = stats.t.isf(0.025, result.glance()["n_clusters"].item() - 1) * (1 - SLACK)
        for found in (study.trend_sensitivity(), study.noise_sensitivity([0.25, 0.5, 1.0, 3.0])):
            critical = found.table["critical_value"]
            assert (critical[critical.notna()] >= least).all()
            assert critical.notna().any()


def printed_p_value(test):
    rows = dict(line.split(maxsplit=1) for line in repr(test).splitlines()[2:])
    return rows["p_value"]


def test_very_small_p_values_are_printed_as_such():
    df = didjack.simulate.panel(n_clusters=20, cluster_size=5, cohorts=[4, 6], seed=1)
    df["y"] += 100.0 * ((df["cohort"] > 0) & (df["period"] % 2 == 1))
    result = didjack.csdid(df, "y", "period", "cohort", "id", cluster="cluster")
    study = result.aggregate("event")
    for test in (result.pretest(), study.pretest(), study.wald_test({0: 1}), study.pretest("wald")):
        assert 0 < test.p_value < 0.001
        assert printed_p_value(test) == "<0.001"
        assert "&lt;0.001" in test._repr_html_()
    assert "p < 0.001" in str(study.summary()).replace("\n", " ")
    for p_value, text in ((0.0123, "0.0123"), (0.001, "0.001"), (0.0, "<0.001"), (np.nan, "nan")):
        assert printed_p_value(JointTest(1.0, 4.0, 1, 5.0, p_value, 1, "", 0.0)) == text
