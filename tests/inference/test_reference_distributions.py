"""Null distributions under the working model: golden values, refits, simulation, identities."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import few_clusters_cases, fit_few_clusters
from scipy import integrate, stats
from slow_variance import slow_variance

import didjack
from didjack.inference.reference import distribution as axes_module
from didjack.inference.reference import loadings as loadings_module
from didjack.inference.reference.by_period import ByPeriod
from didjack.inference.reference.distribution import (
    Axes,
    NullDistributions,
    equivalent_df,
    null_distributions,
    student,
)
from didjack.inference.reference.working_model import Design

# The designs are awkward on purpose; their warnings have tests of their own.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

CASES = few_clusters_cases()
NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
KINDS = ["simple", "event", "group", "calendar"]


def fit(df, **options):
    idname = {"idname": "id"} if options.get("panel", True) else {}
    return didjack.csdid(df, **NAMES | idname | {"est_method": "reg"} | options)


def results_of(result, **options):
    return [result, *(result.aggregate(kind, **options) for kind in KINDS)]


def design_of(result):
    return Design.from_fit(result._fit)


def loadings_of(result, position):
    return design_of(result).loadings(result._targets.shares, position)


def dense(loadings):
    """Write loadings out, (R, H, T'): of the estimate, then of each replicate."""
    indicator = (loadings.period[:, None] == loadings.periods).astype(float)
    full = np.einsum("rq,qh,qt->rht", loadings.beta.stacked, loadings.weight, indicator)
    at = np.arange(loadings.weight.shape[1])
    full[1 + at, at] = 0.0
    return full


# Golden values --------------------------------------------------------------------------------


def row_of(result, key):
    """The row of a coefficient by its name in the golden file."""
    kind, *label = key.split()
    if kind == "att":
        table = result.tidy()
        group, time = map(float, label)
        return table[(table["group"] == group) & (table["time"] == time)].iloc[0]
    average = result.aggregate(kind)
    if label[0] == "overall":
        return average.overall
    table = average.tidy()
    return table[table.iloc[:, 0] == float(label[0])].iloc[0]


@pytest.mark.parametrize("name", CASES)
def test_null_distributions_equal_those_by_brute_force(name):
    result = fit_few_clusters(CASES[name])
    reference = CASES[name]["law"]
    labels = result._fit.layout.cluster_labels.astype(str)
    got = dict(zip(labels, design_of(result).variance, strict=True))
    assert got == pytest.approx(reference["v"], rel=1e-12)
    for key, want in reference["targets"].items():
        row = row_of(result, key)
        if want["p_value"] is None:
            assert np.isnan(row["std_error"])
            continue
        assert row["std_error"] == pytest.approx(want["std_error"], rel=1e-9)
        assert row["n_replicates"] == want["n_replicates"]
        t = stats.t(want["n_replicates"] - 1)
        p_value = max(want["p_value"], 2 * t.sf(abs(want["statistic"])))
        assert row["p_value"] == pytest.approx(p_value, abs=1e-7)
        critical_value = max(want["critical_value"], t.isf(0.025))
        margin = critical_value * want["std_error"]
        assert row["conf_high"] - row["estimate"] == pytest.approx(margin, rel=1e-7)
        assert row["df"] <= want["n_replicates"] - 1
        assert stats.t.isf(0.025, row["df"]) == pytest.approx(critical_value, rel=1e-6)
        assert row["status"].startswith("imputed: cluster") == (want["n_undefined"] > 0)


# Loadings -------------------------------------------------------------------------------------

FRAMES = [
    ("panel", {}),
    ("panel_few_clusters", {"weightsname": "wt"}),
    ("panel_no_never", {}),
    ("panel_time_gaps", {}),
    ("panel_always_treated", {"weightsname": "wt", "fix_weights": "base_period"}),
    ("panel_one_treated_cluster", {}),
    ("panel_unbalanced", {"allow_unbalanced_panel": True, "weightsname": "wt"}),
    ("rcs", {"panel": False, "weightsname": "w"}),
]
RULES = [
    {"base_period": base, "control_group": group, "anticipation": d}
    for base, group, d in itertools.product(
        ("varying", "universal"), ("nevertreated", "notyettreated"), (0, 1)
    )
]


def with_shocks(df, result, seed=0):
    """Replace outcomes by shocks that are common to a cluster in a period, (H, T)."""
    layout = result._fit.layout
    periods = layout.axis.labels(layout.periods)
    u = np.random.default_rng(seed).normal(size=(layout.n_clusters, periods.size))
    shocks = pd.DataFrame(u, layout.cluster_labels, periods)
    inside = df[df["period"].isin(periods)]
    at = zip(inside["cluster"], inside["period"], strict=True)
    return inside.assign(y=[shocks.loc[place] for place in at]), u


def compare_with_refits(df, **options):
    """Shocks times loadings are the estimates, in all replicates, of outcomes that are shocks."""
    result = fit(df, **options)
    moved, u = with_shocks(df, result)
    plain = fit(moved, **options | {"est_method": "reg", "xformla": None})
    n = 0
    for weights in ("cohort", "cell"):
        pairs = zip(
            results_of(result, weights=weights), results_of(plain, weights=weights), strict=True
        )
        for one, other in pairs:
            theta, want = one._targets.theta, other._targets.theta
            assert theta.shape == want.shape
            for m in range(theta.shape[1]):
                loadings = loadings_of(one, m)
                got = np.einsum("rht,ht->r", dense(loadings), u[:, loadings.periods])
                there = ~np.isnan(theta[:, m])
                np.testing.assert_allclose(got[there], want[there, m], rtol=0, atol=1e-12)
                n += 1
    assert n > 10
    return result


@pytest.mark.thin(3)
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(("name", "options"), FRAMES)
def test_loadings_are_those_of_refits(data, name, options, rules):
    compare_with_refits(data(name), **options, **rules)


def test_every_loading_is_a_refit(data):
    df = data("panel_few_clusters")
    result = fit(df)
    average = result.aggregate("simple")
    loadings = loadings_of(average, 0)
    got = dense(loadings)
    for h, cluster in enumerate(result._fit.layout.cluster_labels):
        for t, period in enumerate(result._fit.layout.axis.labels(result._fit.layout.periods)):
            here = (df["cluster"] == cluster) & (df["period"] == period)
            want = fit(df.assign(y=1.0 * here)).aggregate("simple")._targets.theta[:, 0]
            at = np.searchsorted(loadings.periods, t)
            mine = got[:, h, at] if t in loadings.periods else np.zeros(len(want))
            np.testing.assert_allclose(mine, want, rtol=0, atol=1e-13)


def test_loadings_of_balanced_replicates(data):
    """Without one cluster, an unbalanced panel is balanced, with the weights of the earlier."""
    df = data("panel_few_clusters")
    gone = (df["cluster"] == 3) & (np.random.default_rng(1).random(len(df)) < 0.2)
    options = {"allow_unbalanced_panel": True, "weightsname": "wt"}
    result = compare_with_refits(df[~gone], **options)
    assert any(group.balanced for group in result._fit.estimated(True).others)
    sole = (df["cluster"] != 3) & (df["period"] == 2004)
    compare_with_refits(df[~sole], **options)


def test_covariates_do_not_change_loadings(data):
    df = data("panel_few_clusters")
    compare_with_refits(df, est_method="dr", xformla="~ x1 + x2")
    one, other = (fit(df, xformla=x).aggregate("simple") for x in (None, "~ x1"))
    np.testing.assert_array_equal(
        loadings_of(one, 0).beta.stacked, loadings_of(other, 0).beta.stacked
    )


@pytest.mark.parametrize("of", ["csdid", "ddd", "difference"])
def test_matrices_that_would_be_large_are_not_formed(data, monkeypatch, of):
    """Where replicates differ in their comparisons, too, results are the same but for rounding."""
    df = data("panel_few_clusters")
    df = df.assign(eligible=(df["id"] % 2).astype(int))

    def study():
        if of == "csdid":
            return fit(df, control_group="notyettreated").aggregate("event")
        options = NAMES | {"idname": "id", "est_method": "reg", "pname": "eligible"}
        triple = didjack.ddd(df, **options, control_group="notyettreated").aggregate("event")
        if of == "ddd":
            return triple
        return didjack.difference(triple, didjack.ddd(df, **options).aggregate("event"))

    def numbers():
        found = study()
        line = found.trend_sensitivity(m=0.5).table[["conf_low", "conf_high"]]
        return found.tidy()[["std_error", "df", "p_value"]].to_numpy(), line.to_numpy()

    wanted = numbers()
    monkeypatch.setattr(loadings_module, "MOST_DENSE", 0)
    for got, want in zip(numbers(), wanted, strict=True):
        assert np.isfinite(want).any()
        np.testing.assert_allclose(got, want, rtol=1e-7)


@pytest.mark.parametrize("most", [loadings_module.MOST_DENSE, 0])
def test_second_moments_are_those_of_loadings(data, monkeypatch, most):
    monkeypatch.setattr(loadings_module, "MOST_DENSE", most)
    rng = np.random.default_rng(5)
    for one in results_of(fit(data("panel_few_clusters"), control_group="notyettreated")):
        for m in range(one._targets.theta.shape[1]):
            loadings = loadings_of(one, m)
            full, n = dense(loadings), loadings.weight.shape[1]
            v, kept = rng.uniform(0.5, 2, n), np.array([0, 2, 3, 6])
            a = full[1 + kept] - full[0]
            parts = loadings.parts(v, kept)
            assert isinstance(parts.psi, ByPeriod) == (most == 0)
            gram = np.einsum("iht,h,jht->ij", a, v, a)
            x = rng.normal(size=kept.size)
            close = {"rtol": 0, "atol": 1e-12 * np.abs(gram).max()}
            np.testing.assert_allclose(parts.block(np.arange(kept.size)), gram, **close)
            np.testing.assert_allclose(parts.diagonal, np.diag(gram), **close)
            np.testing.assert_allclose(parts.times(x), gram @ x, **close)
            cross = np.einsum("ht,h,jht->j", full[0], v, a)
            np.testing.assert_allclose(parts.cross, cross, **close)
            np.testing.assert_allclose(parts.squared_norm, (gram**2).sum(), rtol=1e-9)
            variance = (v * (full[0] ** 2).T).sum()
            np.testing.assert_allclose(parts.estimate, variance, rtol=1e-12)
            leverage = v * (full[0] ** 2).sum(axis=1)
            np.testing.assert_allclose(loadings.leverage(v), leverage / leverage.sum())


# The null distribution ------------------------------------------------------------------------


def imhof(weights):
    """P(sum of weighted chi squares > 0) by Imhof's integral."""

    def integrand(u):
        angle = 0.5 * np.arctan(weights * u).sum()
        return np.sin(angle) / (u * np.prod((1 + weights**2 * u**2) ** 0.25))

    parts = [integrate.quad(integrand, *ends, limit=20_000)[0] for ends in ((0, 1), (1, np.inf))]
    return 0.5 + sum(parts) / np.pi


@pytest.mark.parametrize("q", [0.05, 0.7, 2.0, 3.3])
def test_probability_is_that_of_imhof(q):
    root = np.random.default_rng(3).normal(size=(7, 30))
    m = root @ root.T
    one = null_distributions(
        [axes_module._decompose(m[0, 0], m[0, 1:], m[1:, 1:])], np.array([0.9])
    )
    half = np.linalg.cholesky(m)
    weights = np.linalg.eigvalsh(half.T @ np.diag([1.0] + [-0.9 * q**2] * 6) @ half)
    assert one.p_value(np.array([q]))[0] == pytest.approx(imhof(weights), abs=2e-8)


@pytest.mark.parametrize("df", [1, 2, 5, 40])
def test_t_distributions_are_laws(df):
    equal = Axes(np.full(df, 1.0 / df), np.zeros(df), 1.0, 0.0, 0.0)
    shrink = np.array([1.0, df / (df + 1.0)])
    both = null_distributions([equal, student(df + 1)], shrink)
    for q in (1e-4, 0.3, 2.0, 7.0):
        got = both.p_value(np.full(2, q))
        np.testing.assert_allclose(got, 2 * stats.t.sf(q, df), rtol=1e-6)
    for alpha in (0.5, 0.05, 1e-4):
        c = both.critical_value(alpha)
        np.testing.assert_allclose(c, stats.t.isf(alpha / 2, df), rtol=1e-6)
        np.testing.assert_allclose(equivalent_df(c, alpha), df, rtol=1e-4)


def test_extreme_laws():
    rng = np.random.default_rng(0)
    for k in (2, 5, 50):
        delta = np.sort(10.0 ** rng.uniform(-8, 2, (4, k)), axis=1)
        square = rng.dirichlet(np.ones(k + 1), 4)
        none, one = np.zeros(4), np.ones(4)
        inside = square[:, 1:] / square[:, 1:].sum(axis=1, keepdims=True)
        for reference in (
            NullDistributions(delta, square[:, 1:], square[:, 0], none, none, one),
            NullDistributions(delta, inside, none, none, none, one),
        ):
            for q in (0, 1e-12, 1e-5, 0.1, 1, 10, 1e4, 1e10, 1e100, np.inf):
                p = reference.p_value(np.full(4, q))
                assert ((p >= 0) & (p <= 1)).all()
            for alpha in (0.999, 0.5, 0.05, 1e-3, 1e-8) if reference.outside.any() else (0.5, 0.05):
                p = reference.p_value(reference.critical_value(alpha))
                np.testing.assert_allclose(p, alpha, rtol=1e-6)


@pytest.mark.thin(3)
@pytest.mark.parametrize("vcov", ["CV3", "CV3J"])
@pytest.mark.parametrize("name", ["few-reg", "panel-dr-x-w", "rcs-reg", "gaps-anticipation"])
def test_statistics_have_their_laws(name, vcov):
    """Shocks are drawn, and the statistics of the resulting estimates compared."""
    result = fit_few_clusters(CASES[name], vcov=vcov).aggregate("group")
    variance, v = result._coefficients.own_variance, design_of(result).variance
    theta, rng = result._targets.theta, np.random.default_rng(0)
    for m in range(theta.shape[1]):
        full = dense(loadings_of(result, m))
        kept = np.flatnonzero(~np.isnan(theta[1:, m]))
        u = rng.normal(size=(40_000, *full.shape[1:])) * np.sqrt(v)[:, None]
        drawn = np.einsum("bht,rht->br", u, full, optimize=True)
        replicates = drawn[:, 1 + kept]
        centre = replicates.mean(axis=1) if vcov == "CV3J" else drawn[:, 0]
        error = np.sqrt((1 - 1 / kept.size) * ((replicates - centre[:, None]) ** 2).sum(axis=1))
        t = np.abs(drawn[:, 0]) / error / variance.reference.scale[m]
        for alpha in (0.3, 0.05):
            share = (t > variance.reference.critical_value(alpha)[m]).mean()
            assert share == pytest.approx(alpha, abs=4 * np.sqrt(alpha / 40_000))


@pytest.mark.parametrize("vcov", ["CV3", "CV3J"])
def test_many_clusters(monkeypatch, vcov):
    """Beyond the largest deviations, the moments of the others are close enough."""
    rng = np.random.default_rng(1)
    sizes = np.maximum(2, rng.lognormal(1, 1, 160)).astype(int)
    df = didjack.simulate.panel(
        n_clusters=160, cluster_size=sizes, n_periods=5, treated_clusters=30, seed=1
    )
    monkeypatch.setattr(axes_module, "MOST_EXACT", 20)
    monkeypatch.setattr(axes_module, "TOP", 30)
    near = fit(df, vcov=vcov).aggregate("event")
    assert "largest deviations" in near.glance()["reference_method"].item()
    got = near._coefficients.own_variance.critical_value(0.05)
    p_values = near.tidy()["p_value"]
    monkeypatch.undo()
    exact = fit(df, vcov=vcov).aggregate("event")
    want = exact._coefficients.own_variance.critical_value(0.05)
    np.testing.assert_allclose(got, want, rtol=5e-4)
    np.testing.assert_allclose(p_values, exact.tidy()["p_value"], atol=1e-4)


# The working variance -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("panel", {}),
        ("panel", {"weightsname": "w", "anticipation": 1}),
        ("panel", {"weightsname": "wt"}),
        ("panel_unbalanced", {"allow_unbalanced_panel": True, "weightsname": "wt"}),
        ("rcs", {"panel": False}),
        ("rcs", {"panel": False, "weightsname": "w"}),
    ],
)
@pytest.mark.parametrize("formula", [None, "~ x2"])
def test_working_variance_by_hand(data, name, options, formula):
    df = data(name)
    got = design_of(fit(df, xformla=formula, **options)).variance
    want = slow_variance(df, options.get("weightsname"), options.get("anticipation", 0))
    np.testing.assert_allclose(got / got[0], want / want[0], rtol=1e-8)


def test_equal_clusters_have_equal_variance():
    df = didjack.simulate.panel(n_clusters=12, cluster_size=5, seed=1)
    variance = design_of(fit(df)).variance
    np.testing.assert_array_equal(variance, np.ones(12))


# What users see -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few():
    return didjack.simulate.panel(
        n_clusters=20,
        cluster_size=8,
        size_dispersion=0.5,
        cohorts=[4, 6],
        treated_clusters=4,
        seed=2,
    )


def same_numbers(one, other, **tolerance):
    for a, b in zip(results_of(one), results_of(other), strict=True):
        pd.testing.assert_frame_equal(a._statistics(), b._statistics(), **tolerance)


def test_row_order_changes_no_bit(few):
    shuffled = few.sample(frac=1.0, random_state=0)
    same_numbers(fit(few), fit(shuffled), check_exact=True)


def test_order_of_labels_changes_nothing(few):
    labels = np.random.default_rng(0).permutation(20)
    renamed = few.assign(cluster=labels[few["cluster"] - few["cluster"].min()])
    same_numbers(fit(few), fit(renamed), rtol=1e-7)


def test_scale_of_outcomes_does_not_matter(few):
    one, other = fit(few).tidy(), fit(few.assign(y=1e6 * few["y"])).tidy()
    for column in ("p_value", "df"):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-6)
    np.testing.assert_allclose(1e6 * one["conf_low"], other["conf_low"], rtol=1e-7)


def test_clusters_of_one_unit():
    df = didjack.simulate.panel(n_clusters=12, cluster_size=1, treated_clusters=5, seed=1)
    by_unit = didjack.csdid(df, "y", "period", "cohort", "id", est_method="reg")
    same_numbers(by_unit, fit(df), rtol=1e-10)


def test_results_share_laws_and_pickle(few):
    result = fit(few)
    average = result.aggregate("event")
    assert design_of(result) is design_of(average)
    again = pickle.loads(pickle.dumps(average))
    pd.testing.assert_frame_equal(again.tidy(), average.tidy(), check_exact=True)
    assert again.lincomb({0: 1, 1: -1})["p_value"] == average.lincomb({0: 1, 1: -1})["p_value"]


def test_combinations_have_laws(few):
    average = fit(few).aggregate("event")
    events = [e for e in average._targets.index[:-1] if e >= 0]
    mean = average.lincomb(dict.fromkeys(events, 1 / len(events)))
    pd.testing.assert_series_equal(
        mean.drop("status"), average.overall.drop("status"), check_names=False, rtol=1e-6
    )


def test_reference_t(few):
    model, student_t = fit(few), fit(few, reference="t")
    for one, other in zip(results_of(model), results_of(student_t), strict=True):
        a, b = one._statistics(), other._statistics()
        np.testing.assert_array_equal(a["estimate"], b["estimate"])
        known = (b["df"] == 19).to_numpy()
        np.testing.assert_array_equal(a["std_error"][known], b["std_error"][known])
        assert known.any()
        half = stats.t.isf(0.025, 19) * b["std_error"][known]
        np.testing.assert_allclose((b["conf_high"] - b["estimate"])[known], half)
        assert (a["df"][known] < 19).any()
    assert model.glance()["reference"].item() == "model"
    assert student_t.glance()["reference"].item() == "t"
    assert fit(few, vcov="analytic").glance()["reference"].item() == "t"


def test_df_is_that_of_the_critical_value(few):
    result = fit(few)
    for alpha in (0.1, 0.05, 0.01):
        table = result.tidy(alpha)
        half = (table["conf_high"] - table["conf_low"]) / 2
        assert (table["df"] <= table["n_replicates"] - 1).all()
        want = stats.t.isf(alpha / 2, table["df"]) * table["std_error"]
        np.testing.assert_allclose(half, want, rtol=1e-6)


def test_p_value_and_interval_agree(few):
    for one in results_of(fit(few)):
        for alpha in (0.1, 0.05):
            table = one._statistics(alpha).dropna(subset="std_error")
            outside = (table["conf_low"] > 0) | (table["conf_high"] < 0)
            assert (outside == (table["p_value"] < alpha)).all()


def test_summary_and_glance_tell_of_the_law(few):
    average = fit(few).aggregate("event")
    row = average.glance().iloc[0]
    text = str(average.summary())
    student = stats.t.isf(0.025, 19)
    assert f"Overall ATT: critical value {row['critical_value']:.2f} (t(19): {student:.2f})" in text
    assert row["critical_value_t"] == pytest.approx(stats.t.isf(0.025, 19))
    assert row["reference_method"] == "exact"
    leverage = average.clusters()["partial_leverage"]
    assert leverage.sum() == pytest.approx(1.0)
    assert row["g_star"] == pytest.approx(1 / (leverage**2).sum())
    assert row["composition_share"] == 0.0
    assert "t(19):" not in str(fit(few, reference="t").aggregate("event").summary())
    assert "Critical values" in str(fit(few).summary())


def test_composition_share():
    df = didjack.simulate.panel(
        n_clusters=12, cluster_size=6, treated_clusters={4: 1, 6: 4}, seed=3
    )
    average = fit(df).aggregate("event")
    turned = average._targets.composition[1:, -1]
    assert turned.sum() == 1
    deviation = average.replicates()["overall"].to_numpy() - average.overall["estimate"]
    want = (deviation[turned] ** 2).sum() / (deviation**2).sum()
    assert average.glance()["composition_share"].item() == pytest.approx(want)


# Undefined replicates -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_treated():
    return didjack.simulate.panel(
        n_clusters=14, cluster_size=5, cohorts=[4], treated_clusters=1, seed=1
    )


def test_one_treated_cluster_has_an_answer(one_treated):
    label = one_treated.loc[one_treated["cohort"] > 0, "cluster"].iloc[0]
    result = fit(one_treated)
    with pytest.warns(
        didjack.InferenceWarning, match="these jackknife replicates are imputed"
    ) as seen:
        result.aggregate("simple")
    assert sum("without cluster" in str(w.message) for w in seen) == len(seen) == 1
    table = result.tidy()
    assert np.isfinite(table[["std_error", "p_value", "conf_low"]]).all(axis=None)
    want = (
        f"imputed: cluster {label} cannot be left out; its part of the variance is imputed under "
        "the working model"
    )
    assert (table["status"] == want).all()
    assert (table["n_replicates"] == 13).all()
    summary = " ".join(str(result.summary()).split())
    assert f"† Without cluster {label}, ATT(" in summary
    assert "that part of the variance is imputed under the working model." in summary
    skip = fit(one_treated, undefined="skip").tidy()
    assert (table["std_error"] > skip["std_error"]).all()
    np.testing.assert_allclose(np.diag(result.vcov()), table["std_error"] ** 2)


def test_impute_acts_as_nan_without_a_model(one_treated):
    result = fit(one_treated, reference="t")
    assert result.tidy()["std_error"].isna().all()
    assert result.tidy()["status"].str.startswith("undefined: ").all()
    assert fit(one_treated, undefined="nan").tidy()["std_error"].isna().all()
    with pytest.raises(didjack.UndefinedReplicateError, match="'impute' imputes the"):
        fit(one_treated, undefined="raise")


def test_too_few_replicates_to_impute_the_others():
    df = didjack.simulate.panel(
        n_clusters=3, cluster_size=9, cohorts=[4], treated_clusters=1, seed=1
    )
    table = fit(df).tidy()
    assert table["std_error"].isna().all()
    assert table["status"].str.startswith("undefined: ").all()


def test_skipped_replicates_have_a_law_of_their_own(one_treated):
    """Its statistic hardly knows how the treated cluster varies, and the law knows that."""
    skip, model = (
        fit(one_treated, undefined=rule).aggregate("simple") for rule in ("skip", "impute")
    )
    np.testing.assert_allclose(skip.overall["p_value"], model.overall["p_value"], rtol=1e-9)
    np.testing.assert_allclose(skip.overall["conf_low"], model.overall["conf_low"], rtol=1e-9)


def test_few_clusters_are_warned_of_where_tests_do_not_allow_for_them(recwarn):
    two = didjack.simulate.panel(n_clusters=20, cluster_size=5, treated_clusters=2, seed=2)
    fit(two)
    assert not recwarn.list
    with pytest.warns(didjack.FewClustersWarning, match="reject far too often") as seen:
        fit(two, reference="t")
    (text,) = (str(w.message) for w in seen)
    assert text.startswith("2 of 20 clusters are treated: ")
    assert len(text.split()) <= 30


def test_no_reference_distribution_is_computed_for_a_warning(monkeypatch):
    def never(*_args, **_kwargs):
        raise AssertionError("a reference distribution was computed")

    monkeypatch.setattr(Design, "from_fit", never)  # what all reference distributions begin with
    two = didjack.simulate.panel(n_clusters=20, cluster_size=5, treated_clusters=2, seed=2)
    with pytest.warns(didjack.FewClustersWarning):
        fit(two, reference="t")
    fit(two)


def test_where_shocks_of_clusters_cancel_out_t_is_used():
    df = didjack.simulate.panel(n_clusters=10, cluster_size=8, seed=1)
    df["cohort"] = np.where(df["id"] % 2, 4, 0)
    table, t = fit(df).tidy(), fit(df, reference="t").tidy()
    np.testing.assert_allclose(table["df"], 9, rtol=1e-5)
    np.testing.assert_allclose(table["p_value"], t["p_value"], rtol=1e-6, atol=1e-12)


# Size -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_treated", "least", "most"), [(1, 0.02, 0.09), (2, 0.02, 0.09), (4, 0.02, 0.08)]
)
def test_true_nulls_are_rejected_in_five_percent(n_treated, least, most):
    rejected, naive = 0, 0
    n_draws = 300
    for seed in range(n_draws):
        df = didjack.simulate.panel(
            n_clusters=16,
            cluster_size=4,
            n_periods=5,
            cohorts=[3],
            treated_clusters=n_treated,
            effect=0.0,
            seed=seed,
        )
        overall = fit(df).aggregate("simple").overall
        rejected += overall["p_value"] < 0.05
        naive += abs(overall["statistic"]) > stats.t.isf(0.025, 15)
    assert least <= rejected / n_draws <= most
    assert naive >= rejected


@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
def test_no_law_where_no_cell_has_an_estimate():
    df = didjack.datasets.load_mpdta()
    df["one"] = (df["countyreal"] == df["countyreal"][df["first.treat"] == 2004].iloc[0]) * 1.0
    names = ["lemp", "year", "first.treat", "countyreal"]
    res = didjack.csdid(df, *names, "~ one", cluster="state", est_method="reg")
    assert set(res.tidy()["status"]) == {"collinear: one"}
    assert res.aggregate("simple").overall["status"].startswith("missing")
