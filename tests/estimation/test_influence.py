"""The influence of a unit is the derivative of the estimate with respect to its weight."""

import bruteforce as bf
import numpy as np
import pytest
from compare_with_bruteforce import (
    KINDS,
    by_level,
    draw,
    estimated,
    fast,
    lose_rows,
    slow_cells,
    split,
)

from didjack.aggregation.aggregate import Window, aggregate
from didjack.inference.targets import cell_table

# The data are small: the package says that there are few clusters.
pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::didjack.DidjackWarning", "ignore::didjack.InferenceWarning"
)

METHODS = ("reg", "ipw", "dr")
BY_METHOD = pytest.mark.parametrize("est_method", METHODS)
SAMPLES = {
    "panel": {},
    "unbalanced": {"allow_unbalanced_panel": True},
    "repeated": {"panel": False},
}
STEP = 1e-5


@pytest.fixture(scope="module")
def samples():
    """Small data of each kind; w varies between units, and over time where it may."""
    cohorts, sizes = (0, 3, 0, 4, 3, 0), (7, 6, 9, 6, 5, 8)
    panel = draw(cohorts, sizes, range(1, 5), 3)
    cross = draw(cohorts, sizes, range(1, 5), 3, panel=False)
    return {"panel": panel, "unbalanced": lose_rows(panel), "repeated": cross}


def fit_of(df, **options):
    """Stages up to the estimates, without jackknife."""
    return estimated(df, **options | {"vcov": "analytic"})


def units(df):
    """What is taken to be independent: the unit of a panel, or each row."""
    return df["id"].to_numpy() if "id" in df else np.arange(len(df))


def derivatives(df, groups, statistic, most=5):
    """Derivative of a statistic (K,) with respect to a factor on the weights of some groups.

    Returns their positions among the sorted groups, and the derivatives.
    """
    labels = np.unique(groups)
    some = np.sort(np.random.default_rng(0).permutation(labels.size)[:most])
    rows = []
    for group in labels[some]:
        sides = []
        for sign in (1, -1):
            moved = df.assign(w=np.where(groups == group, df["w"] * (1 + sign * STEP), df["w"]))
            sides.append(statistic(moved))
        rows.append((sides[0] - sides[1]) / (2 * STEP))
    return some, np.array(rows)


def slow_estimates(options):
    """ATT(g,t) as a function of the data, from the slow implementation."""

    def statistic(df):
        return bf.fit(df, **split(options)).table["estimate"].to_numpy()

    return statistic


def close(got, some_and_want):
    """Equal, for the groups that derivatives were taken for."""
    some, want = some_and_want
    got = got[some]
    scale = np.abs(want).max()
    assert scale > 0
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-7 * scale)


@pytest.mark.thin(5)
@pytest.mark.parametrize("formula", [None, "~ x1"])
@BY_METHOD
@pytest.mark.parametrize("sample", SAMPLES)
def test_influence_of_units_is_the_derivative(samples, sample, est_method, formula):
    df = samples[sample]
    options = SAMPLES[sample] | {"est_method": est_method, "weightsname": "w"}
    if formula is not None:
        options["xformla"] = formula
    fit = fit_of(df, **options, cluster=None)
    want = derivatives(df, units(df), slow_estimates(options))
    close(fit.influence, want)
    np.testing.assert_allclose(fit.influence.sum(axis=0), 0.0, atol=1e-12)  # a common factor


@pytest.mark.parametrize("sample", SAMPLES)
def test_influence_of_clusters_is_the_derivative(samples, sample):
    df = samples[sample]
    options = SAMPLES[sample] | {"est_method": "ipw", "weightsname": "w", "xformla": "~ x1 + x2"}
    want = derivatives(df, df["cluster"].to_numpy(), slow_estimates(options))
    close(fit_of(df, **options).influence, want)


@BY_METHOD
@pytest.mark.parametrize("base_period", ["varying", "universal"])
def test_influence_with_covariates_and_weights_that_vary(samples, est_method, base_period):
    df = samples["panel"].assign(w=samples["panel"]["wt"])
    options = {"est_method": est_method, "weightsname": "w", "xformla": "~ x3 + x2"}
    options |= {"base_period": base_period, "control_group": "notyettreated"}
    want = derivatives(df, df["cluster"].to_numpy(), slow_estimates(options))
    close(fit_of(df, **options).influence, want)


@pytest.mark.parametrize("sample", ["unbalanced", "repeated"])
@pytest.mark.parametrize("formula", [None, "~ x1"])
def test_the_influence_of_the_reference_is_no_derivative(samples, sample, formula, monkeypatch):
    """DRDID 1.2.3 turns a sign in the base period; without covariates that changes nothing."""
    df = samples[sample]
    options = SAMPLES[sample] | {"est_method": "dr", "weightsname": "w"}
    if formula is not None:
        options["xformla"] = formula
    some, want = derivatives(df, units(df), slow_estimates(options))
    monkeypatch.setattr(bf, "BASE_SIGN", -1)
    fit = bf.fit(df, **split(options))
    gap = np.abs((fit.influence / fit.n)[some] - want).max() / np.abs(want).max()
    assert gap < 1e-7 if formula is None else gap > 1e-3


@pytest.mark.parametrize("est_method", ["ipw", "dr"])
def test_influence_where_rows_are_trimmed(est_method, monkeypatch):
    treated = [(3, 5, 10, 90), (3, 5, 10, 20), (3, 4, 10, 90)]
    never = [(0, 60, 2, 1), (0, 60, 3, 1), (0, 70, 2, 0)]
    df = by_level(treated + never, weight=0.3)
    options = {"est_method": est_method, "weightsname": "w", "xformla": "~ x1"}
    derivative = derivatives(df, df["cluster"].to_numpy(), slow_estimates(options))
    close(fit_of(df, **options).influence, derivative)
    estimate = slow_estimates(options)(df)
    monkeypatch.setattr(bf, "TRIM", np.inf)
    assert np.abs(slow_estimates(options)(df) - estimate).max() > 1e-3  # rows were trimmed


@pytest.mark.thin(5)
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", ["cohort", "cell"])
def test_influence_on_averages_is_the_derivative(samples, sample, kind, weights):
    df = samples[sample]
    options = SAMPLES[sample] | {"est_method": "reg", "weightsname": "w", "xformla": "~ x1"}

    def average(moved):
        result = bf.aggregate(bf.fit(moved, **split(options)), kind, weights=weights)
        return np.append(result["estimate"], result["overall"])

    fit = fit_of(df, **options)
    by_cell = weights == "cell"
    averages = aggregate(cell_table(fit, by_cell), kind, Window(), by_cell)
    by_att = averages.loading.times(fit.influence)
    got = by_att + averages.weight_loading.times(fit.weight_influence(by_cell, fit.by_unit))
    want = derivatives(df, df["cluster"].to_numpy(), average)
    close(got, want)


# Standard errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES)
def test_standard_errors_are_lengths_of_influence(samples, sample):
    df = samples[sample]
    options = SAMPLES[sample] | {"est_method": "reg", "xformla": "~ x1"}
    for cluster in ("cluster", None):
        influence = fit_of(df, **options, cluster=cluster).influence
        result = fast(df, **options, cluster=cluster, vcov="analytic")
        want = np.sqrt((influence**2).sum(axis=0))
        np.testing.assert_allclose(result.tidy()["std_error"], want, rtol=1e-13)
        np.testing.assert_allclose(result.vcov(), influence.T @ influence, rtol=1e-10, atol=1e-14)
        df_t = result.tidy()["df"]
        assert (df_t == (5 if cluster else np.inf)).all()


def test_clusters_add_up_their_units(samples):
    df = samples["panel"]
    options = {"est_method": "dr", "xformla": "~ x1"}
    by_unit = fit_of(df, **options, cluster=None).influence
    cluster = df.drop_duplicates("id").sort_values("id")["cluster"].to_numpy()
    want = np.array([by_unit[cluster == h].sum(axis=0) for h in range(6)])
    np.testing.assert_allclose(fit_of(df, **options).influence, want, rtol=1e-10, atol=1e-14)


def test_influence_of_put_together_rows(samples):
    # With a dummy alone, rows of a cluster are put together; by unit they cannot be.
    df = samples["repeated"]
    options = {"panel": False, "xformla": "~ x2", "est_method": "reg", "weightsname": "w"}
    fit = fit_of(df, **options)
    assert fit.source.rows.unit.size == 0
    by_row = fit_of(df, **options, cluster=None).influence
    assert by_row.shape[0] == len(df)
    cluster = df["cluster"].to_numpy()
    want = np.array([by_row[cluster == h].sum(axis=0) for h in range(6)])
    np.testing.assert_allclose(fit.influence, want, rtol=1e-9, atol=1e-13)


def test_failed_and_reference_cells(samples):
    df = samples["panel"].assign(x4=lambda d: np.where(d["cohort"] == 4, d["x1"], 0.0))
    options = {"control_group": "nevertreated", "base_period": "universal", "est_method": "reg"}
    fit = fit_of(df, **options, xformla="~ x4")  # x4 is zero for the never-treated
    reference = np.array([cell.is_base for cell in fit.estimates.cells])
    np.testing.assert_array_equal(fit.influence[:, reference], 0.0)
    assert np.isnan(fit.influence[:, ~reference]).all()
    assert np.isnan(slow_cells(bf.fit(df, **split(options | {"xformla": "~ x4"})), [(3, 4)])).all()
