"""Rules right at their limits, each of which could be shifted a little without any other test."""

import warnings
from fractions import Fraction
from math import comb

import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import NAMES, draw
from scipy import stats

import didjack
from didjack import InferenceWarning, options
from didjack.inference import joint_tests, targets
from didjack.inference.bands import max_t
from didjack.inference.permutation.placebo import PlaceboTest
from didjack.inference.permutation.randomization import Draws, _compare
from didjack.inference.reference.working_model import (
    Movements,
    PeriodSums,
    working_variance,
)
from didjack.inference.statistics import Variance
from didjack.inference.variance import KINDS
from didjack.inference.variance.jackknife import CV3

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")


def fit(df, **options):
    return didjack.csdid(df, **NAMES | {"idname": "id", "est_method": "reg"} | options)


def small(cohorts, **options):
    """A panel of clusters of five units in periods 1 to 5."""
    return fit(draw(np.array(cohorts), 5, range(1, 6), 2), **options)


# Degrees of freedom -----------------------------------------------------------------------------


def test_bands_take_the_fewest_degrees_of_freedom():
    """Cohort 5 is in two clusters, cohort 3 in one, whose replicate is skipped."""
    result = small([0, 0, 0, 3, 5, 5], reference="t", undefined="skip")
    table = result.tidy()
    assert sorted(set(table["df"])) == [4.0, 5.0]
    correlation = result.vcov().to_numpy() / np.outer(table["std_error"], table["std_error"])
    want = max_t(correlation, 4.0).value
    assert result.confint(joint=True).attrs["critical_value"] == pytest.approx(want, rel=1e-9)
    assert want > 1.02 * max_t(correlation, 5.0).value


class Unequal(CV3):
    """CV3 with other degrees of freedom for each coefficient or combination: 4, 5, 6, ..."""

    name = "unequal"

    def variance(self, of):
        found = super().variance(of)
        df = 4.0 + np.arange(found.df.size)
        return Variance(found.std_error, df, found.n_replicates)


def test_wald_tests_take_the_fewest_degrees_of_freedom(monkeypatch):
    monkeypatch.setattr(options, "JACKKNIFE", (*options.JACKKNIFE, "unequal"))
    with KINDS.temporarily(Unequal()):
        event = small([0, 0, 0, 4, 4, 5, 5, 5], reference="t", vcov="unequal").aggregate("event")
        test = event.wald_test([0, 1])
    assert test["df_denom"] == 4.0
    assert test["p_value"] == pytest.approx(stats.f.sf(test["statistic"], 2, 4), rel=1e-9)


@pytest.mark.parametrize("kind", [None, "simple", "event", "group", "calendar"])
def test_clustered_analytic_errors_have_one_degree_less_than_clusters(kind):
    result = small([0, 0, 0, 4, 4, 5, 5], vcov="analytic")
    result = result if kind is None else result.aggregate(kind)
    table = result.tidy(overall=True) if kind else result.tidy()
    table = table[table["std_error"].notna()]
    assert len(table)
    assert (table["df"] == 6.0).all()
    want = 2 * stats.t.sf(table["statistic"].abs().astype(float), 6)
    np.testing.assert_allclose(table["p_value"].astype(float), want, rtol=1e-9)
    half = (table["conf_high"] - table["conf_low"]).astype(float) / 2
    np.testing.assert_allclose(half, stats.t.isf(0.025, 6) * table["std_error"].astype(float))
    assert "t(6)" in str(result.summary())


# Joint p-values ---------------------------------------------------------------------------------


def test_joint_p_values_count_the_actual_statistic():
    event = small([0, 0, 0, 0, 4, 4, 5, 5, 5]).aggregate("event")
    at = np.flatnonzero(event._targets.index.isin([0, 1]))
    reference = event._coefficients._joint_reference(np.eye(len(event._targets.index))[at])
    n = reference.n_draws
    drawn = np.sort(reference._both[1])
    assert reference.wald_p_value(np.inf) == 1 / (n + 1)
    assert reference.wald_p_value(0.0) == 1.0
    for larger in (1, 7, n // 2):  # a draw that is as large counts
        assert reference.wald_p_value(drawn[-larger]) == (1 + larger) / (n + 1)
    far = event.wald_test([0, 1], [1e6, -1e6])
    assert far["p_value"] == 1 / (n + 1)


# Restrictions with a singular covariance ----------------------------------------------------------


@pytest.mark.parametrize(("gap", "holds"), [(1e-3, False), (1e-5, False), (1e-8, True), (0, True)])
def test_restrictions_hold_in_the_null_space_of_their_covariance(gap, holds):
    """Of d = (1, 1 + gap), about half of the gap lies where V = [[1, 1], [1, 1]] has nothing."""
    test = joint_tests.wald(np.array([1.0, 1.0 + gap]), np.ones((2, 2)), 9.0, 0.05)
    assert (test["reason"] == "") == holds
    assert np.isfinite(test["p_value"]) == holds
    event = small([0, 0, 0, 4, 4, 5, 5, 5]).aggregate("event")
    distance = event.tidy().set_index("event_time").loc[0, "estimate"] - 1.0
    given = pd.DataFrame([[1.0, 0.0], [1.0, 0.0]], columns=[0, 1])
    again = event.wald_test(given, [distance, distance - gap])
    assert (again["reason"] == "") == holds


# Errors that are rounding errors ------------------------------------------------------------------


def test_errors_of_some_units_in_the_last_place():
    error = np.array([0.5e-13, 2e-13, 1e-12, 1e-11, np.nan])
    assert targets.varies(error, np.ones(5)).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("vcov", ["CV3", "CV3J", "analytic"])
def test_small_errors_around_a_large_level_are_errors(vcov):
    """Two parts in 10^12 of the outcome."""
    df = draw(np.array([0, 0, 0, 4, 4, 4]), 20, range(1, 6), 2)
    noise = np.round(df["y"] * 2.0**12) / 2.0**12
    level = (df["cohort"] > 0).astype(float)
    plain = fit(df.assign(y=noise), vcov=vcov).tidy()
    table = fit(df.assign(y=level + 2.0**-37 * noise), vcov=vcov).tidy()
    ratio = table["std_error"] * 2.0**37 / plain["std_error"]
    np.testing.assert_allclose(ratio, 1.0, rtol=1e-3)
    assert ((table["std_error"] > 1e-13) & (table["std_error"] < 1e-11)).all()
    assert (table["status"] == "ok").all()


# The working variance -----------------------------------------------------------------------------


def period_sums(n_clusters, n_periods=3):
    """Never-treated clusters of 1, 2, 3, ... rows, the smaller of which move more."""
    rows = 1.0 + np.arange(n_clusters)
    y = np.random.default_rng(0).normal(size=(n_clusters, n_periods)) / rows[:, None] ** 2
    weight = np.repeat(rows[:, None, None], n_periods, axis=2)
    never, periods = np.array([99]), np.arange(1, n_periods + 1)
    return PeriodSums(weight, weight.copy(), weight * y[:, None, :], never, periods)


def squares(sums):
    return Movements.from_sums(sums, 0).squares()


def fitted(sums):
    return working_variance(sums, Movements.from_sums(sums, 0))


def test_pairs_of_periods_with_two_clusters_are_passed_over():
    sums = period_sums(4)
    assert np.isfinite(squares(sums)).all()
    for part in (sums.weight, sums.square, sums.cross):
        part[2:, 0, 2] = 0.0  # clusters 0 and 1 only are in both of the last two periods
    first = PeriodSums(
        *(part[:, :, :2] for part in (sums.weight, sums.square, sums.cross)),
        sums.cohorts,
        sums.periods[:2],
    )
    np.testing.assert_array_equal(squares(sums), squares(first))
    for part in (sums.weight, sums.square, sums.cross):
        part[2:, 0, 1] = 0.0
    assert np.isnan(squares(sums)).all()


def test_three_clusters_that_move_are_needed():
    assert np.ptp(fitted(period_sums(3))) > 0
    assert (fitted(period_sums(2)) == 1.0).all()


# Placebos -----------------------------------------------------------------------------------------


def placebo_test(estimate, placebos, alpha=0.05):
    placebos = np.array(placebos, dtype=float)
    clusters = pd.RangeIndex(placebos.size)
    return PlaceboTest.from_placebos(
        estimate, "treated", pd.Series(placebos, index=clusters), 0, alpha
    )


def test_placebos_as_large_as_the_estimate_count():
    for sign in (-1.0, 1.0):
        assert placebo_test(sign * 0.3, [0.3, -0.3, 0.2, -0.4]).p_value == 4 / 5
    assert placebo_test(0.3, [0.3 * (1 - 1e-6)]).p_value == 1 / 2
    # What is computed in another order differs in the last place.
    assert placebo_test(0.1 + 0.2, [0.3, -0.3]).p_value == 1.0
    assert placebo_test(0.3, [0.1 + 0.2]).p_value == 1.0


@pytest.mark.parametrize("unit", [1.0, 0.1, 1 / 3])
def test_placebos_that_tie_in_data(unit):
    """Changes of 4, and of 3, -1, -1, -1 without treatment: estimate 4, a placebo of 3 - (-1)."""
    change = [4, 3, -1, -1, -1]
    rows = [
        (h, t, 2 if h == 0 else 0, unit * (t == 2) * change[h]) for h in range(5) for t in (1, 2)
    ]
    df = pd.DataFrame(rows, columns=["cluster", "period", "cohort", "y"]).assign(
        id=lambda df: df["cluster"]
    )
    average = fit(df).aggregate("simple")
    test = average.placebo_test()
    np.testing.assert_allclose(
        test.placebos.to_numpy(), np.array([4, -4, -4, -4]) * unit / [1, 3, 3, 3]
    )
    assert test["estimate"] == pytest.approx(4 * unit)
    assert test["p_value"] == 2 / 5


@pytest.mark.parametrize("hundredths", [1, 5, 7, 10, 14, 29, 57, 58])
def test_margins_where_alpha_times_placebos_is_whole(hundredths):
    """m is the whole part of alpha (C + 1), which floats miss: 0.29 times 100 is less than 29."""
    for n in range(1, 201):
        m = int(Fraction(hundredths, 100) * (n + 1))
        test = placebo_test(0.0, 1.0 + np.arange(n), hundredths / 100)
        assert test.conf_high - test.estimate == (n + 1 - m if m else np.inf)


# Randomisation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [20, 40, 60, 100, 1000])
def test_five_percent_of_assignments_may_fail(total):
    most = total // 20
    rng, zero = np.random.default_rng(0), np.zeros(total)
    for failed in (most, most + 1):
        moments = np.column_stack(
            [rng.normal(size=total), rng.normal(size=total) / 9, np.ones(total), zero, zero]
        )
        moments[0, :2] = 1.5, 1.0
        moments[total - failed :] = np.nan
        test = _compare(moments, float(moments[0, 0]), 0.1, 0.0)
        assert (test.n_assignments, test.n_failed) == (total - failed, failed)
        assert np.isfinite([test.p_value, test.conf_low, test.conf_high]).all() == (failed == most)


@pytest.mark.parametrize("statistic", ["t", "estimate"])
def test_clusters_without_units_are_not_permuted(statistic):
    """Clusters 1 and 4 are treated in the first period: the sample has none of their units."""
    df = draw(np.array([0, 1, 4, 0, 1, 4, 0, 4, 0]), 5, range(1, 6), 3)
    average = fit(df).aggregate("simple")
    without = fit(df[~df["cluster"].isin([1, 4])]).aggregate("simple")
    test, alone = (one.randomization_test(statistic) for one in (average, without))
    assert test["n_assignments"] == comb(7, 3)
    assert test["n_failed"] == 0
    # That t counts clusters whose deletion changes nothing scales all statistics alike.
    pd.testing.assert_series_equal(
        test.to_series().drop("statistic"), alone.to_series().drop("statistic"), rtol=1e-10
    )
    strata = dict(enumerate("aaaabbbbb"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)
        within = average.randomization_test("estimate", strata=strata)
    assert within["n_assignments"] == comb(3, 1) * comb(4, 2)


def test_random_assignments_leave_clusters_without_units_alone():
    cohort = np.array([-1, 0, 1, 2, 2, -1, 2, 1, 2, 2, 0, 2, 2])
    drawn = list(Draws(cohort, np.arange(13) % 2, 50, seed=0))
    assert len(drawn) == 51
    assert len(set(map(tuple, drawn))) > 45
    for one in drawn:
        np.testing.assert_array_equal(one == -1, cohort == -1)
        for stratum in (slice(0, None, 2), slice(1, None, 2)):
            assert sorted(one[stratum]) == sorted(cohort[stratum])
