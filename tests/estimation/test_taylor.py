"""Logits expanded about the full sample's give what fits row by row give."""

import bruteforce as bf
import numpy as np
import pytest
from scipy.special import expit

import didjack
from didjack.estimation import taylor as expansion
from didjack.estimation.kernels import expansions as kernels
from didjack.estimation.kernels.inputs import (
    Expansion,
    Fits,
    LogitRows,
    OddsMoments,
    OddsRows,
    OddsSums,
)
from didjack.estimation.kernels.logit import TRIM
from didjack.estimation.passes import LogitPasses, logistic_derivatives, monomials

ARGS = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")


# The expansion itself -------------------------------------------------------------------------


def test_monomials_are_numbered_by_degree():
    t = monomials(4, 5)
    assert t.parent.size == 126  # (4 + 5) over 5
    assert (np.diff(t.degree) >= 0).all()
    assert t.child.shape == ((t.degree < 5).sum(), 4)
    assert t.n_information == (t.degree < 4).sum()
    two = monomials(2, 3)  # 1, a, b, aa, ab, bb, aaa, aab, abb, bbb
    want = [1, 1, 1, 1 / 2, 1, 1 / 2, 1 / 6, 1 / 2, 1 / 2, 1 / 6]
    np.testing.assert_allclose(two.scale, want, rtol=1e-15)
    for a in range(4):
        assert (t.degree[t.child[:, a]] == t.degree[: len(t.child)] + 1).all()


def test_derivatives_of_the_logistic():
    p = np.linspace(0.01, 0.99, 9)
    v = p * (1 - p)
    table = logistic_derivatives()
    want = {2: 1 + 0 * p, 3: 1 - 2 * p, 4: 1 - 6 * v, 5: (1 - 2 * p) * (1 - 12 * v)}
    for d, values in want.items():
        np.testing.assert_allclose(np.polynomial.Polynomial(table[d])(p), values, atol=1e-13)


@pytest.fixture(scope="module")
def rows():
    """600 rows, of which the last few are a cluster; heavy tails; and the logit of all rows."""
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(600), rng.standard_t(4, size=600), rng.normal(size=600)])
    d = rng.random(600) < expit(x @ [-0.5, 0.6, -0.4])
    order = np.argsort(np.where(np.arange(600) < 580, 0, 2) + d, kind="stable")
    x, d, w = x[order], d[order].astype(float), rng.uniform(0.5, 2, 600)
    return x, d, w, bf.newton_logit(d, x, w)


@pytest.mark.parametrize("degree", [3, 4, 5, 6])
def test_coefficients_are_within_the_bound(rows, degree):
    x, d, w, base = rows
    start = np.concatenate([[0], np.flatnonzero(np.diff(d) != 0) + 1, [600]])
    assert start.size == 5
    assert start[2] == 580
    treated, chosen = np.array([False, True, False, True]), np.arange(4)
    t = monomials(3, degree)
    moments = np.zeros((1, t.parent.size))
    largest, cluster = np.abs(x).max(axis=0), np.array([0, 0, 1, 1])
    data = LogitRows(x, w, start, chosen, treated, cluster, largest)
    kernels.logit_moments(0, 1, data, np.array([0, 4]), base, t, moments)
    beta, converged = base[None].copy(), np.zeros(1, dtype=bool)
    about = Expansion(base, moments[0], np.array([2]), np.array([4]))
    keep, fits = np.ones(3, dtype=bool), Fits(beta, converged, np.zeros(0))
    kernels.solve_expanded(0, 1, data, t, about, keep, fits)
    assert converged[0]
    exact = bf.newton_logit(d[:580], x[:580], w[:580])
    p = expit(x[:580] @ exact)
    information = (x[:580] * (w[:580] * p * (1 - p))[:, None]).T @ x[:580]

    def length(step):
        return np.sqrt(step @ information @ step)

    reach = np.abs(x @ (exact - base)).max()
    bound = expansion.logit_error(degree, np.array([reach]), np.array([1.0]))[0]
    error = length(beta[0] - exact) / length(exact - base)
    assert error <= 2 * bound  # the cluster has less than half of the information
    assert error > 1e-14  # there was something to bound


@pytest.mark.parametrize("degree", [2, 4, 6])
def test_odds_are_within_the_bound(rows, degree):
    x, _, w, base = rows
    step, y = np.array([0.02, -0.03, 0.01]), np.ones((600, 1))
    t, nobody = monomials(3, degree), np.array([0])
    moments, size, gap = np.zeros((1, t.parent.size, 4)), np.zeros((1, 4)), np.zeros(1)
    data = OddsRows(x, w, np.array([0, 600]), y, np.array([0]), np.array([0]), np.array([0]))
    kernels.odds_moments(0, 1, data, np.array([0, 1]), base, t, OddsMoments(moments, size, gap))
    assert gap[0] == pytest.approx(np.abs(x @ base - np.log(TRIM / (1 - TRIM))).min())
    sums, share = np.zeros((1, 4)), np.zeros(1)
    about, into = Expansion(base, moments[0], nobody, nobody), OddsSums(size, sums, share)
    kernels.odds_expanded(0, 1, data, t, about, (base + step)[None], into)
    odds = w * np.exp(x @ (base + step))
    bound = expansion.odds_error(degree, np.array([np.abs(x @ step).max()]))[0]
    assert share[0] == 0
    assert 1e-16 < abs(sums[0, 0] / odds.sum() - 1) <= bound


# What it is for -------------------------------------------------------------------------------


@pytest.fixture
def near(monkeypatch):
    """Count the replicates that were near, and those asked for."""
    counts = np.zeros(2, dtype=int)
    fit_near = expansion.fit_near

    def counted(*args):
        found, fits = fit_near(*args)
        counts[:] += found.sum(), found.size
        return found, fits

    monkeypatch.setattr(expansion, "fit_near", counted)
    monkeypatch.setattr(expansion, "LEAST_GAIN", 0.0)
    return counts


def designs():
    """Panels and cross sections of 150 clusters, one of them much larger than the others."""
    shape = {"n_clusters": 150, "cluster_size": 8, "n_periods": 4, "treated_clusters": 60}
    panel = didjack.simulate.panel(**shape, n_covariates=2, n_dummies=1, weights=True, seed=2)
    large = panel.cluster.isin(range(1, 20))
    panel["cluster"] = panel.cluster.mask(large & (panel.cohort == 0), 150)
    one = panel.groupby("id")[["cohort", "cluster"]].first()
    panel["cluster"] = panel.id.map(one.cluster)
    repeated = didjack.simulate.repeated_cross_section(
        **shape, n_covariates=1, n_dummies=1, weights=True, seed=3
    )
    gaps = panel.drop(index=panel.index[::9])
    return {
        "panel": (panel, {"idname": "id"}),
        "unbalanced": (gaps, {"idname": "id", "allow_unbalanced_panel": True}),
        "repeated": (repeated, {"panel": False}),
    }


DESIGNS = designs()


@pytest.mark.thin(3)
@pytest.mark.parametrize("collinear", ["nan", "drop"])
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("method", ["dr", "ipw"])
@pytest.mark.parametrize("design", DESIGNS)
def test_replicates_are_those_fitted_row_by_row(
    design, method, weights, collinear, near, monkeypatch
):
    df, options = DESIGNS[design]
    options = options | ARGS | {"est_method": method, "weightsname": weights}
    options |= {"xformla": "~ x1 + x2", "collinear": collinear, "undefined": "skip"}
    one = didjack.csdid(df, **options)
    assert near[0] > 100
    monkeypatch.setattr(expansion, "LEAST_GAIN", np.inf)
    near[:] = 0
    other = didjack.csdid(df, **options)
    assert near[0] == 0 < near[1]
    scale = df.y.std()
    for a, b in ((one, other), (one.aggregate("event"), other.aggregate("event"))):
        np.testing.assert_allclose(a.replicates(), b.replicates(), rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(a.tidy().std_error, b.tidy().std_error, rtol=1e-11)
        assert a.tidy().status.tolist() == b.tidy().status.tolist()


@pytest.mark.parametrize("design", DESIGNS)
def test_replicates_are_those_of_a_plain_loop(design, near):
    df, options = DESIGNS[design]
    options = options | ARGS | {"xformla": "~ x1 + x2"}
    replicates = didjack.csdid(df, **options).replicates()
    assert near[0] > 100
    for cluster in sorted(df.cluster.unique())[::25]:
        alone = didjack.csdid(df[df.cluster != cluster], **options, vcov="analytic").tidy()
        np.testing.assert_allclose(replicates.loc[cluster], alone.estimate, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("bound", "good_enough"), [(0.5e-13, True), (2e-13, False)])
def test_what_is_off_by_more_than_rounding_errors_is_fitted_row_by_row(
    bound, good_enough, near, monkeypatch
):
    """The most that an expansion may be off is 1e-13: of coefficients, and of odds."""

    def constant(degree, reach, size=None):
        return np.full(reach.shape, bound)

    df, options = DESIGNS["panel"]
    options = options | ARGS | {"xformla": "~ x1 + x2", "est_method": "ipw"}
    expanded, odds = [], LogitPasses.odds_expanded

    def counted(self, model, of, beta, replicates, degree):
        expanded.append(replicates.size)
        return odds(self, model, of, beta, replicates, degree)

    monkeypatch.setattr(LogitPasses, "odds_expanded", counted)
    monkeypatch.setattr(expansion, "odds_error", constant)
    didjack.csdid(df, **options)
    assert (sum(expanded) > 0) == good_enough
    monkeypatch.setattr(expansion, "logit_error", constant)
    near[:] = 0
    didjack.csdid(df, **options)
    assert (near[0] > 0) == good_enough
    assert near[1] > 100


def test_far_replicates_and_rows_near_the_trim_are_fitted_row_by_row(near, monkeypatch):
    """Heavy tails and strong selection: some replicates are near, some are not."""
    df = DESIGNS["panel"][0].copy()
    rng = np.random.default_rng(8)
    x = df.id.map(dict(zip(df.id.unique(), rng.standard_t(3, df.id.nunique()), strict=True)))
    df["z"] = x + 1.5 * (df.cohort > 0)
    options = ARGS | {"idname": "id", "xformla": "~ z", "undefined": "skip"}
    one = didjack.csdid(df, **options).replicates()
    assert 0 < near[0] < near[1]
    monkeypatch.setattr(expansion, "LEAST_GAIN", np.inf)
    other = didjack.csdid(df, **options).replicates()
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-11 * df.y.std())


def test_a_cluster_with_huge_outcomes_costs_no_digits(near):
    """Its replicate is not had by subtraction."""
    df = DESIGNS["panel"][0].copy()
    huge = df.loc[df.cohort == 0, "cluster"].min()
    of_cluster = df.cluster == huge
    scale = df.y.std()
    df.loc[of_cluster, "y"] *= 1e12
    options = ARGS | {"idname": "id", "xformla": "~ x1 + x2"}
    replicate = didjack.csdid(df, **options).replicates().loc[huge]
    assert near[0] > 100
    alone = didjack.csdid(df[~of_cluster], **options, vcov="analytic").tidy()
    np.testing.assert_allclose(replicate, alone.estimate, rtol=0, atol=1e-12 * scale)


def test_order_of_rows_and_threads_change_no_bit(near):
    import numba

    df, options = DESIGNS["repeated"]
    options = options | ARGS | {"xformla": "~ x1 + x2"}
    one = didjack.csdid(df, **options).replicates().to_numpy()
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        other = didjack.csdid(df.sample(frac=1.0, random_state=0), **options).replicates()
    finally:
        numba.set_num_threads(threads)
    assert near[0] > 100
    np.testing.assert_array_equal(one, other.to_numpy())
