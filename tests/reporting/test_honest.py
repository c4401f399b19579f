"""What sensitivity analyses of Rambachan and Roth (2023) are handed."""

import numpy as np
import pytest
from scipy.stats import norm

import didjack

# One state holds the cohort of 2004, and what follows from that has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")

NAMES = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}


def fit(**options):
    return didjack.csdid(didjack.datasets.load_mpdta(), **NAMES, **options)


@pytest.fixture(scope="module")
def universal():
    return fit(base_period="universal")


@pytest.fixture(scope="module")
def by_state():
    return fit(base_period="universal", cluster="state").aggregate("event")


def used(inputs, study, alpha=None):
    return study.tidy(alpha).set_index("event_time").loc[inputs.event_time.tolist()]


def test_inputs_are_estimates_and_covariance_without_the_base_period(universal):
    event = universal.aggregate("event")
    inputs = event.honest_inputs()
    assert inputs.event_time.tolist() == [-4, -3, -2, 0, 1, 2, 3]
    assert (inputs.num_pre, inputs.num_post) == (3, 4)
    labels = list(inputs.event_time)
    np.testing.assert_allclose(inputs.sigma, event.vcov().loc[labels, labels], rtol=1e-12)
    np.testing.assert_array_equal(inputs.sigma, inputs.sigma.T)
    np.testing.assert_array_equal(inputs.betahat, used(inputs, event)["estimate"])
    part = universal.aggregate("event", min_e=-2, max_e=1).honest_inputs()
    assert (part.num_pre, part.num_post) == (1, 2)


def test_anticipation_moves_the_base_period():
    with pytest.warns(didjack.SampleWarning, match="anticipation=1"):
        result = fit(base_period="universal", anticipation=1)
    inputs = result.aggregate("event").honest_inputs()
    assert inputs.event_time.tolist() == [-4, -3, -1, 0, 1]
    assert (inputs.num_pre, inputs.num_post) == (2, 3)


@pytest.mark.parametrize("alpha", [None, 0.1])
def test_normal_intervals_of_the_scaled_covariance_are_the_own_ones(by_state, alpha):
    inputs = by_state.honest_inputs(critical_values="own", alpha=alpha)
    margin = norm.isf((alpha or 0.05) / 2) * np.sqrt(np.diag(inputs.sigma))
    table = used(inputs, by_state, alpha)
    np.testing.assert_allclose(inputs.betahat - margin, table["conf_low"], rtol=1e-9)
    np.testing.assert_allclose(inputs.betahat + margin, table["conf_high"], rtol=1e-9)


def test_scaling_keeps_correlations_and_only_widens(by_state):
    plain, own = by_state.honest_inputs(), by_state.honest_inputs("own")
    np.testing.assert_array_equal(plain.betahat, own.betahat)
    np.testing.assert_array_equal(plain.critical_value, own.critical_value)
    assert (plain.critical_value > norm.isf(0.025)).all()
    assert plain.critical_value.max() > 2.4  # event time 1 rests on few states

    def correlation(sigma):
        return sigma / np.sqrt(np.outer(np.diag(sigma), np.diag(sigma)))

    np.testing.assert_allclose(correlation(own.sigma), correlation(plain.sigma), rtol=1e-9)


@pytest.mark.parametrize("vcov", ["analytic", "bootstrap"])
def test_scaling_changes_nothing_where_tests_are_normal(vcov):
    event = fit(base_period="universal", vcov=vcov, seed=1).aggregate("event")
    plain, own = event.honest_inputs(), event.honest_inputs("own")
    np.testing.assert_allclose(own.sigma, plain.sigma, rtol=1e-9)


def test_errors_say_what_is_needed(universal):
    with pytest.raises(didjack.OptionError, match="base_period='universal'"):
        fit().aggregate("event").honest_inputs()
    with pytest.raises(didjack.OptionError, match="event study"):
        universal.aggregate("group").honest_inputs()
    with pytest.raises(didjack.OptionError, match="0 event times are the base period"):
        universal.aggregate("event", min_e=0).honest_inputs()
    event = fit(cluster="state", base_period="universal", reference="t").aggregate("event")
    with pytest.raises(didjack.OptionError, match="2, 3 have no standard error"):
        event.honest_inputs()
    event = universal.aggregate("event")
    with pytest.raises(didjack.OptionError, match="must be one of 'normal', 'own'; got 't'"):
        event.honest_inputs("t")
    with pytest.raises(didjack.OptionError, match=r"alpha must be .* got 0\.95"):
        event.honest_inputs(alpha=0.95)
