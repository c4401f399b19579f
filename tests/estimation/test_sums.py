"""Sums by replicate equal loops over the rows that a replicate has."""

from math import fsum
from types import SimpleNamespace

import bruteforce as bf
import numpy as np
import pytest
from compare_with_bruteforce import draw, lose_rows, stages
from scipy.special import expit

from didjack._typing import NEVER
from didjack.estimation.kernels import strata as kernels
from didjack.estimation.kernels.logit import TRIM
from didjack.estimation.passes import OddsOf
from didjack.estimation.replicates import estimate
from didjack.estimation.rows import Deletion, deleted_sums
from didjack.estimation.sums import SumSource

CASES = {
    # sample, covariates, weights; whether rows are put together
    "panel": ("panel", "~ x1 + x2", "w", False),
    "panel, all vary": ("panel", "~ x1 + x3", "wt", False),
    "unbalanced": ("unbalanced", "~ x1 + x2", "w0", False),
    "cross sections": ("repeated", "~ x1 + x2", "w", False),
    "put together": ("repeated", "~ x2", "w0", True),
    "without covariates": ("repeated", None, None, True),
}


def data(sample):
    df = draw((0, 4, 0, 5, 4, 0, 5), (9, 8, 14, 7, 10, 8, 11), range(1, 6), 4, sample != "repeated")
    return lose_rows(df) if sample == "unbalanced" else df


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A source of sums, and its rows with all that the sums need."""
    sample, formula, weights, together = CASES[request.param]
    df = data(sample)
    options = {
        "panel": {},
        "unbalanced": {"allow_unbalanced_panel": True},
        "repeated": {"panel": False},
    }[sample] | {"est_method": "ipw", "xformla": formula, "weightsname": weights}
    _, _, source = stages(df, **options)
    rows = source.rows
    assert (rows.y.shape[0] < 0.6 * len(df)) == (together or sample == "panel")
    return SimpleNamespace(
        layout=source.layout,
        rows=rows,
        source=source,
        row_cluster=rows.strata.cluster_of_rows,
        row_cohort=rows.strata.cohort_of_rows,
        row_period=np.repeat(rows.strata.period, rows.strata.sizes),
        arms=source.layout.arms(1, 3),
        binary=formula is not None and "x2" in formula,
    )


def rows_of(case, cohorts, arm, replicate):
    """Positions of the rows of some cohorts in an arm, without the deleted cluster."""
    here = np.isin(case.row_cohort, cohorts) & (case.row_period == arm.period)
    return np.flatnonzero(here & (case.row_cluster != replicate - 1))


def all_replicates(case):
    return range(1 + case.layout.n_clusters)


SIDES = [(0,), (1,), (1, 2), (2,)]  # positions of cohorts 4 and 5 and never-treated
BY_SIDE = pytest.mark.parametrize("cohorts", SIDES)


def test_there_are_replicates_and_cohorts(case):
    assert case.source.n_deleted == 7
    assert case.layout.cohorts.tolist() == [4, 5, NEVER]
    assert case.source.replicated(False).n_deleted == 0


@BY_SIDE
def test_sums(case, cohorts):
    d = case.rows
    for arm in case.arms:
        sums = case.source.sums(cohorts, arm)
        x, w = d.x[arm.x], d.w[arm.w]
        for r in all_replicates(case):
            i = rows_of(case, cohorts, arm, r)
            wx = x[i] * w[i, None]
            np.testing.assert_allclose(sums.gram[r], wx.T @ x[i], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(sums.cross[r], d.y[i].T @ wx, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(sums.weight[r], w[i].sum(), rtol=1e-12)
            np.testing.assert_allclose(sums.x[r], w[i] @ x[i], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(sums.y[r], w[i] @ d.y[i], rtol=1e-12, atol=1e-12)


@BY_SIDE
def test_counts(case, cohorts):
    for arm in case.arms:
        count = case.rows.count_at(arm)
        want = [count[rows_of(case, cohorts, arm, r)].sum() for r in all_replicates(case)]
        assert case.source.counts(cohorts, arm).tolist() == want


def test_shares(case):
    d = case.layout
    for r in all_replicates(case):
        keep = case.row_cluster != r - 1
        want = np.bincount(case.row_cohort, case.rows.share_weight * keep, d.cohorts.size)
        np.testing.assert_allclose(case.source.shares(d.periods.size)[r], want, rtol=1e-12)


def test_involved_replicates(case):
    for source, want in ((case.source, [2, 4, 5, 7]), (case.source.replicated(False), [])):
        model = source.logits.model(0, (1,), case.arms)  # clusters 1, 3, 4 and 6
        assert source.logits.involved(model).tolist() == want


def test_a_single_replicate_is_the_full_sample(case):
    single = case.source.replicated(False)
    for arm in case.arms:
        one, other = (source.sums((1, 2), arm) for source in (single, case.source))
        np.testing.assert_array_equal(one.gram, other.gram[:1])
        np.testing.assert_array_equal(one.cross, other.cross[:1])


# Propensity models ----------------------------------------------------------------------------


def model(case, r):
    """Rows of the model of cohort 4 against never-treated in a replicate; who is treated."""
    parts = [(side, rows_of(case, (side,), arm, r)) for arm in case.arms for side in (0, 2)]
    i = np.concatenate([rows for _, rows in parts])
    d = np.concatenate([np.full(rows.size, float(side == 0)) for side, rows in parts])
    return i, d


@pytest.fixture(scope="module")
def of_logit(case):
    return case.source.logits.model(0, (2,), case.arms)


def test_rows_of_a_model(case, of_logit):
    (i, d), rows = model(case, 0), of_logit.rows
    strata = case.rows.strata
    mine = strata.rows_of(rows.chosen)
    assert sorted(mine) == sorted(i)
    assert of_logit.n == i.size
    assert (np.diff(strata.cluster[rows.chosen]) >= 0).all()
    treated = np.repeat(rows.treated, strata.sizes[rows.chosen])
    assert set(mine[treated]) == set(i[d == 1])


def test_gram_of_a_model(case, of_logit):
    got, rows = case.source.logits.gram(of_logit), of_logit.rows
    for r in all_replicates(case):
        i, _ = model(case, r)
        x = rows.x[i]
        np.testing.assert_allclose(got[r], (x * rows.w[i, None]).T @ x, rtol=1e-12, atol=1e-12)


def test_weights_of_a_model(case, of_logit):
    got = case.source.logits.weights(of_logit)
    for side in (0, 1):
        for r in all_replicates(case):
            i, d = model(case, r)
            want = of_logit.rows.w[i][d == side].sum()
            np.testing.assert_allclose(got[side, r], want, rtol=1e-12)


def test_a_model_without_sampling_weights(case, of_logit):
    plain = case.source.logits.unweighted(of_logit)
    np.testing.assert_array_equal(plain.rows.w, case.rows.count_at(case.arms[0]))


def test_score(case, of_logit):
    rows = of_logit.rows
    beta = np.array([-0.4, 0.8, 0.3])[: rows.x.shape[1]]
    got = case.source.logits.score(of_logit, beta)
    for r in all_replicates(case):
        i, d = model(case, r)
        x, w = rows.x[i], rows.w[i]
        p = expit(x @ beta)
        information = (x * (w * p * (1 - p))[:, None]).T @ x
        deviance = -2 * np.sum(w * np.log(np.where(d == 1, p, 1 - p)))
        want = [*(x.T @ (w * (d - p))), *information[np.tril_indices(beta.size)], deviance]
        np.testing.assert_allclose(got[r], want, rtol=1e-11, atol=1e-12)


def test_fit(case, of_logit):
    rows = of_logit.rows
    k = rows.x.shape[1]
    replicates = np.arange(1 + case.source.n_deleted)
    keep, start = np.ones((8, k), dtype=bool), np.zeros((8, k))
    fit = case.source.logits.fit(of_logit, replicates, keep, start)
    assert fit.converged.all()
    assert (start == 0).all()
    for r in replicates:
        i, d = model(case, r)
        used = rows.w[i] > 0
        want = bf.newton_logit(d[used], rows.x[i][used], rows.w[i][used])
        np.testing.assert_allclose(fit.beta[r], want, rtol=1e-10, atol=1e-12)
        top = expit(rows.x[i][used] @ want).max()
        np.testing.assert_allclose(fit.top[r], top, rtol=1e-6)


def test_odds(case, of_logit):
    rows, k = of_logit.rows, of_logit.rows.x.shape[1]
    outcome = case.layout.outcome
    replicates, outcomes = np.array([0, 2, 5, 6]), np.unique([outcome(3), outcome(1)])
    beta = np.random.default_rng(0).normal(size=(4, k)) * 3
    beta[:, 0] += [6.0, 3.0, 3.0, 0.0]  # so that some rows are trimmed
    trimmed = 0
    for arm in case.arms:
        of = OddsOf((2,), arm, outcomes)
        got = case.source.logits.odds(of_logit, of, beta, replicates)
        for j, r in enumerate(replicates):
            i = rows_of(case, (2,), arm, r)
            p = expit(rows.x[i] @ beta[j])
            odds = np.where(p < TRIM, rows.w[i] * p / (1 - p), 0.0)
            trimmed += (p >= TRIM).sum()
            want = [*(odds @ rows.x[i]), *(odds @ case.rows.y[np.ix_(i, outcomes)])]
            np.testing.assert_allclose(got[j], want, rtol=1e-10, atol=1e-11)
    assert trimmed > 0


def test_binary_covariates(case, of_logit):
    logits, rows = case.source.logits, of_logit.rows
    if not case.binary:
        pytest.skip("no covariate with two values")
    column = int(np.flatnonzero(case.layout.binary)[0])
    assert column == rows.x.shape[1] - 1
    x, low = rows.x[:, column], rows.x[:, column].min()
    got = logits.binary_counts(of_logit)
    for r in all_replicates(case):
        i, d = model(case, r)
        for side in (0, 1):
            for value in (0, 1):
                hit = (d == side) & ((x[i] != low) == value) & (rows.w[i] > 0)
                assert got[side, r, 0, value] == hit.sum()
    less = logits.without(of_logit, np.array([[False, True]]))
    np.testing.assert_array_equal(less.rows.w, np.where(x == low, rows.w, 0.0))
    np.testing.assert_array_equal(less.count, np.where(x == low, of_logit.count, 0.0))


# A cluster that dwarfs the others -------------------------------------------------------------


@pytest.mark.parametrize("what", ["y", "w"])
@pytest.mark.parametrize("sample", ["panel", "repeated"])
def test_a_dominating_cluster_costs_no_digits(sample, what):
    df = data(sample)
    large = df["cluster"] == 2
    df[what] = np.where(large, 1e12 * df[what], df[what])
    options = {"panel": sample == "panel", "weightsname": "w", "xformla": "~ x1"}
    _, _, source = stages(df, **options)
    rows, strata = source.rows, source.rows.strata
    for arm in source.layout.arms(1, 3):
        sums = source.sums((2,), arm)  # clusters 0, 2 and 5
        inside = np.concatenate(
            [
                np.arange(strata.start[s], strata.start[s + 1])
                for s in strata.select((2,), arm.period)
                if strata.cluster[s] != 2
            ]
        )
        w, y = rows.w[arm.w][inside], rows.y[inside]
        assert sums.weight[3] == pytest.approx(fsum(w), rel=1e-13)
        for o in range(y.shape[1]):
            scale = fsum(np.abs(w * y[:, o]))
            assert sums.y[3, o] == pytest.approx(fsum(w * y[:, o]), abs=1e-13 * scale)
        # Taking the cluster off the total would leave nothing of the rest.
        one = {"y": sums.y[:, -1], "w": sums.weight}[what]
        alone = np.abs(one[0]) > 1e9
        assert alone


def test_deleted_sums_of_extreme_values():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(12, 3))
    cluster = np.repeat(np.arange(6), 2)
    values[cluster == 3] *= 1e12
    chosen = np.arange(12)
    got = deleted_sums(values, chosen, cluster, 6)
    for h in range(6):
        for column in range(3):
            rest = values[cluster != h, column]
            want, scale = fsum(rest), fsum(np.abs(rest))
            assert got[1 + h, column] == pytest.approx(want, abs=1e-14 * scale)
    subtracted = values.sum(axis=0) - values[cluster == 3].sum(axis=0)
    assert np.abs(subtracted - got[4]).max() > 1e-6


def test_sums_are_kept(case, monkeypatch):
    arm = case.arms[0]
    first = case.source.sums((0,), arm)
    monkeypatch.setattr(kernels, "add_others", None)
    monkeypatch.setattr(kernels, "stratum_sums", None)
    assert case.source.sums((0,), arm) is first


def test_put_together_or_not_the_sums_are_the_same():
    df = data("repeated")
    options, sample, one = stages(df, panel=False, xformla="~ x2", weightsname="w")
    other = SumSource.from_sample(sample, options.estimation, collapse=False).replicated(True)
    assert one.rows.y.shape[0] < 0.6 * other.rows.y.shape[0]
    assert other.rows.y.shape[0] == len(df)
    arms = one.layout.arms(1, 3)
    assert arms == other.layout.arms(1, 3)
    for arm in arms:
        for side in SIDES:
            a, b = one.sums(side, arm), other.sums(side, arm)
            np.testing.assert_allclose(a.weight, b.weight, rtol=1e-13)
            np.testing.assert_allclose(a.y, b.y, rtol=1e-11, atol=1e-11)
            np.testing.assert_array_equal(one.counts(side, arm), other.counts(side, arm))


PASSES = {
    "panel": ({}, {"x1": 1, "x3": 5}),
    "unbalanced": ({"allow_unbalanced_panel": True}, {"x1": 1, "x3": 1}),
    "repeated": ({"panel": False}, {"x1": 1, "x3": 1}),
}
"""By sample: options, and how many sets of covariates it has, by covariate."""


@pytest.mark.parametrize("covariate", ["x1", "x3"])
@pytest.mark.parametrize("sample", PASSES)
def test_outcome_regression_adds_up_rows_once(sample, covariate, monkeypatch):
    # Cohorts, periods, replicates and clusters in other cohorts are sums of the same strata.
    more, n_slots = PASSES[sample]
    summed, products = [], Deletion.products

    def counted(self, *arrays):
        summed.append(self)
        return products(self, *arrays)

    monkeypatch.setattr(Deletion, "products", counted)
    options = more | {"est_method": "reg", "xformla": f"~ {covariate}"}
    checked, _, source = stages(data(sample), **options)
    cohort = source.layout.cohort_of_clusters
    for relabelled in (cohort, np.roll(cohort, 1), np.roll(cohort, 2)):
        shown, _, _ = estimate(source.relabelled(relabelled), checked.estimation)
        assert np.isfinite(shown.att).any()
    assert 1 <= len(summed) <= n_slots[covariate]
