"""Differences of two results: brute force, refits, identities."""

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from slow_variance import slow_squares, slow_variance

import didjack
from didjack import simulate

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

DATA = Path(__file__).parents[1] / "fixtures"
CASES = json.loads(gzip.decompress((DATA / "differences.json.gz").read_bytes()))
NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id", "cluster": "cluster"}
KINDS = ["simple", "event", "group", "calendar"]


def fit(df, **options):
    return didjack.csdid(df, **NAMES | {"est_method": "reg"} | options)


def draw(seed=0, **options):
    """Draw 10 clusters in 5 periods, of unequal size, two of which one group of units lacks."""
    given = {"n_clusters": 10, "cluster_size": 8, "n_periods": 5, "n_covariates": 1}
    df = simulate.panel(seed=seed, **given | {"size_dispersion": 0.3} | options)
    rng = np.random.default_rng(seed)
    units = df["id"].unique()
    df["sex"] = df["id"].map(dict(zip(units, rng.integers(0, 2, units.size), strict=True)))
    never = df.loc[df["cohort"] == 0, "cluster"].unique()
    lacking = (df["sex"] == 1) & df["cluster"].isin(never[:2])
    return df[~lacking]


def two(df, **options):
    return [fit(df[df["sex"] == value], **options) for value in (0, 1)]


# Golden values --------------------------------------------------------------------------------


def row_of(result, table, kind, label):
    """Find the row of a table and the column of replicates of a golden value."""
    replicates = result.replicates()
    if label == ["overall"]:
        return result.overall, replicates["overall"]
    if kind == "att":
        key = tuple(int(one) for one in label)
        return table.set_index(["group", "time"]).loc[key], replicates[key]
    at = int(np.flatnonzero(table.iloc[:, 0] == int(label[0]))[0])
    return table.iloc[at], replicates.iloc[:, at]


@pytest.mark.parametrize("name", CASES)
def test_differences_are_those_of_refits(name):
    case = CASES[name]
    given, df = case["options"], pd.read_csv(DATA / f"{case['data']}.csv")
    options = {key: given[key] for key in ("control_group", "base_period", "anticipation")}
    a, b = (
        fit(
            df[df["eligible"] == value],
            idname="id" if given["panel"] else None,
            panel=given["panel"],
            est_method=given["est_method"],
            weightsname=given["w"],
            xformla="~ " + " + ".join(given["x"]) if given["x"] else None,
            **options,
        )
        for value in (1, 0)
    )
    for kind in ("att", "simple", "event", "group"):
        pair = (a, b) if kind == "att" else (a.aggregate(kind), b.aggregate(kind))
        result = didjack.difference(*pair)
        table = result.tidy()
        for key, want in case["targets"].items():
            if key.split()[0] != kind:
                continue
            row, replicates = row_of(result, table, kind, key.split()[1:])
            np.testing.assert_allclose(row["estimate"], want["estimate"], rtol=1e-8, atol=1e-8)
            found = [replicates.loc[int(h)] for h in want["replicates"]]
            wanted = np.array(list(want["replicates"].values()), dtype=float)
            np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-8, err_msg=key)
            if want["cv3"] is not None:
                np.testing.assert_allclose(row["std_error"], want["cv3"], rtol=1e-8)
            if "p_value" in want:
                np.testing.assert_allclose(row["p_value"], want["p_value"], atol=2e-4)
                width = (row["conf_high"] - row["estimate"]) / row["std_error"]
                np.testing.assert_allclose(width, want["critical_value"], rtol=5e-4)


# Refits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"est_method": "dr", "xformla": "~ x1"}])
@pytest.mark.parametrize("kind", ["event", "group"])
def test_replicates_are_refits_of_both_without_the_cluster(kind, options):
    df = draw()
    a, b = (one.aggregate(kind) for one in two(df, **options))
    result = didjack.difference(a, b)
    clusters = sorted(df["cluster"].unique())
    assert result.replicates().index.tolist() == clusters
    assert len(b.clusters()) == len(clusters) - 2
    for cluster in clusters:
        rest = two(df[df["cluster"] != cluster], vcov="analytic", **options)
        one, other = (each.aggregate(kind).coef() for each in rest)
        np.testing.assert_allclose(
            result.replicates().loc[cluster].dropna(), (one - other).dropna(), rtol=1e-9, atol=1e-12
        )
    deviations = result.replicates() - result.coef()
    n = len(clusters)
    cv3 = np.sqrt((n - 1) / n * (deviations**2).sum())
    whole = ~deviations.isna().any()
    assert whole.any()
    np.testing.assert_allclose(result.se()[whole], cv3[whole], rtol=1e-9)


def test_aggregation_of_differences_has_the_weights_of_the_first():
    df = draw(3, cluster_size=12)
    a, b = two(df)
    cells = didjack.difference(a, b)
    result = cells.aggregate("event")
    for cluster in [None, *df["cluster"].unique()]:
        rest = two(df if cluster is None else df[df["cluster"] != cluster], vcov="analytic")
        both = [one.tidy().set_index(["group", "time"]) for one in rest]
        att = (both[0]["estimate"] - both[1]["estimate"]).dropna().reset_index()
        att["e"] = att["time"] - att["group"]
        units = rest[0]._fit.layout
        share = dict(zip(units.cohorts.tolist(), units.n_units.sum(axis=0).tolist(), strict=True))
        att["w"] = att["group"].map(share)
        want = att.groupby("e").apply(lambda one: np.average(one["estimate"], weights=one["w"]))
        found = result.coef() if cluster is None else result.replicates().loc[cluster]
        np.testing.assert_allclose(found.loc[want.index], want, rtol=1e-9)


# Reference distributions ------------------------------------------------------------------------


def loadings(df, clusters, **options):
    """What shocks do to the simple average and its replicates, (1 + H, H, T): refits."""
    periods = sorted(df["period"].unique())
    found = np.zeros((1 + len(clusters), len(clusters), len(periods)))
    for (h, cluster), (t, period) in itertools.product(enumerate(clusters), enumerate(periods)):
        shock = (df["cluster"] == cluster) & (df["period"] == period)
        if not shock.any():
            continue
        one = fit(df.assign(y=shock.astype(float)), **options).aggregate("simple")
        found[:, h, t] = one.overall["estimate"]
        without = one.replicates()["overall"]
        found[1 + np.searchsorted(clusters, without.index), h, t] = without
    return found


def working_variance(df, clusters):
    """The absolute working variance of each cluster's shocks; 1 where there are none."""
    v = pd.Series(slow_variance(df), index=sorted(df["cluster"].unique()))
    r = slow_squares(df)[1]
    return ((r / v[r.index]).mean() * v).reindex(clusters, fill_value=1.0).to_numpy()


def probability(gram, statistic, kept):
    """P(|T| > |statistic|) by Imhof's integral, and not below that of t."""
    n = kept.sum()
    used = np.append(0, 1 + np.flatnonzero(kept))
    deviation = np.eye(len(gram))
    deviation[1:, 0] = -1.0
    gram = (deviation @ gram @ deviation.T)[np.ix_(used, used)]
    scale = 1.0
    if n < kept.size:
        scale = gram[0, 0] / ((n - 1) / n * np.trace(gram[1:, 1:]))
    form = np.diag([1.0, *[-(statistic**2) * scale * (n - 1) / n] * n])
    root = np.linalg.cholesky(gram + 1e-14 * gram[0, 0] * np.eye(n + 1))
    values = np.linalg.eigvalsh(root.T @ form @ root)
    values = values / np.abs(values).max()

    def integrand(x):
        u = np.exp(x)
        angle = 0.5 * np.arctan(values * u).sum()
        return np.sin(angle) / np.prod((1.0 + (values * u) ** 2) ** 0.25)

    area = integrate.quad(integrand, -30, 40, limit=2000, epsabs=1e-10)[0]
    return max(0.5 + area / np.pi, 2 * stats.t.sf(abs(statistic), n - 1)), np.sqrt(scale)


@pytest.mark.parametrize("alone", [False, True])
def test_p_values_are_those_of_the_sum_of_both_designs(alone):
    df = draw(5, n_clusters=8, n_periods=4, cohorts=[3] if alone else [2, 3], treated_clusters=4)
    if alone:  # a single treated cluster in one of the two: a replicate is imputed
        treated = df.loc[df["cohort"] > 0, "cluster"].unique()
        df = df[(df["sex"] == 0) | ~df["cluster"].isin(treated[1:])]
    clusters = np.array(sorted(df["cluster"].unique()))
    gram, parts = 0.0, [df[df["sex"] == value] for value in (0, 1)]
    for part in parts:
        c = loadings(part, clusters)
        gram = gram + np.einsum("iht,h,jht->ij", c, working_variance(part, clusters), c)
    a, b = (fit(part).aggregate("simple") for part in parts)
    result = didjack.difference(a, b)
    row, replicates = result.overall, result.replicates()["overall"]
    kept = replicates.notna().to_numpy()
    assert kept.all() != alone
    gram = np.nan_to_num(gram)
    p_value, scale = probability(gram, row["statistic"], kept)
    n = kept.sum()
    cv3 = np.sqrt((n - 1) / n * ((replicates[kept] - row["estimate"]) ** 2).sum())
    np.testing.assert_allclose(row["std_error"], scale * cv3, rtol=1e-8)
    np.testing.assert_allclose(row["p_value"], p_value, atol=1e-6)


def test_shared_shocks_are_subtracted_first():
    df = draw(6, n_clusters=7, n_periods=4, treated_clusters=4)
    clusters = np.array(sorted(df["cluster"].unique()))
    c = loadings(df, clusters) - loadings(df, clusters, control_group="notyettreated")
    gram = np.einsum("iht,h,jht->ij", c, working_variance(df, clusters), c)
    a, b = fit(df).aggregate("simple"), fit(df, control_group="notyettreated").aggregate("simple")
    row = didjack.difference(a, b, shocks="shared").overall
    p_value, _ = probability(gram, row["statistic"], np.ones(clusters.size, dtype=bool))
    np.testing.assert_allclose(row["p_value"], p_value, atol=1e-6)


def test_without_shocks_left_it_is_t():
    df = draw(7)
    a = fit(df).aggregate("event")
    b = fit(df, est_method="dr", xformla="~ x1").aggregate("event")
    table = didjack.difference(a, b, shocks="shared").tidy()
    own = table["n_replicates"] - 1.0
    known = table["std_error"].notna()
    assert known.sum() > 3
    want = 2 * stats.t.sf(table["statistic"].abs(), own)
    np.testing.assert_allclose(table["p_value"][known], want[known], rtol=1e-8)
    np.testing.assert_allclose(table["df"][known], own[known])


@pytest.mark.parametrize("triple", [False, True])
def test_moments_of_separate_designs_add_up(triple):
    """Under the working model, of the estimate and of all deviations of replicates."""
    df = draw(12)
    df["y2"] = np.random.default_rng(1).normal(size=len(df))
    if triple:
        options = {**NAMES, "est_method": "reg", "pname": "sex"}
        pair = [didjack.ddd(df, **options | {"yname": y}) for y in ("y", "y2")]
    else:
        pair = [fit(df, yname=y) for y in ("y", "y2")]
    pair = [one.aggregate("group") for one in pair]
    found, at = didjack.difference(*pair), np.arange(df["cluster"].nunique())
    for position in range(len(found.coef())):
        estimate, block = 0.0, 0.0
        for one in pair:
            evidence = one._evidence
            v = evidence.design.movements.size(evidence.design.variance) * evidence.design.variance
            parts = evidence.design.loadings(one._targets.shares, position).parts(v, at)
            estimate, block = estimate + parts.estimate, block + parts.block(at)
        design = found._evidence.design
        parts = design.loadings(found._targets.shares, position).parts(design.variance, at)
        np.testing.assert_allclose(parts.estimate, estimate, rtol=1e-10)
        np.testing.assert_allclose(parts.block(at), block, rtol=1e-8, atol=1e-12 * estimate)


# Identities -------------------------------------------------------------------------------------


def test_a_result_less_itself_is_zero():
    a = fit(draw())
    for one in (a, a.aggregate("event")):
        found = didjack.difference(one, one, shocks="shared")
        assert (found.coef() == 0).all()
        assert found.se().isna().all()
        assert found.tidy()["status"].str.startswith(("no variation", "undefined")).all()


@pytest.mark.parametrize("options", [{}, {"vcov": "analytic"}, {"vcov": "CV3J"}])
def test_the_other_way_round_only_the_sign_is_another(options):
    a, b = (one.aggregate("event") for one in two(draw(), **options))
    one, other = didjack.difference(a, b), didjack.difference(b, a)
    np.testing.assert_allclose(one.coef(), -other.coef())
    np.testing.assert_allclose(one.vcov(), other.vcov(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(one.pvalue(), other.pvalue(), rtol=1e-9)
    test, mirrored = one.wald_test([0, 1]), other.wald_test([0, 1])
    np.testing.assert_allclose(test.statistic, mirrored.statistic)
    assert abs(test.p_value - mirrored.p_value) < 0.03  # other draws


def test_variances_of_disjoint_clusters_add_up():
    df = draw(8, n_clusters=16)
    cohort = df.groupby("cluster")["cohort"].first()
    half = df["cluster"].map(cohort.groupby(cohort).cumcount() % 2 == 0)
    parts = [df[half], df[~half]]
    for vcov in ("analytic", "CV3"):
        a, b = (fit(part, vcov=vcov).aggregate("group") for part in parts)
        result = didjack.difference(a, b)
        sizes = [len(one.clusters()) for one in (a, b)]
        n, shrink = sum(sizes), [1.0, 1.0]
        assert len(result.clusters()) == n
        if vcov == "CV3":
            shrink = [(n - 1) / n * size / (size - 1) for size in sizes]
        want = sum(f * one.se() ** 2 for f, one in zip(shrink, (a, b), strict=True))
        np.testing.assert_allclose(result.se() ** 2, want, rtol=1e-10)


@pytest.fixture(scope="module")
def outcomes():
    """Two outcomes of the same units, and their difference."""
    df = draw(9).drop(columns="sex")
    df["y2"] = np.random.default_rng(0).normal(size=len(df)) + 0.3 * df["y"]
    df["change"] = df["y"] - df["y2"]
    return df


@pytest.mark.parametrize("vcov", ["CV3", "CV3J", "analytic", "bootstrap"])
def test_a_difference_of_outcomes_is_the_effect_on_their_difference(outcomes, vcov):
    options = {"vcov": vcov, "undefined": "nan"}
    a, b, c = (fit(outcomes, yname=y, **options) for y in ("y", "y2", "change"))
    for one, want in [
        (didjack.difference(a, b), c),
        *((didjack.difference(a, b).aggregate(kind), c.aggregate(kind)) for kind in KINDS),
        *(
            (didjack.difference(a.aggregate(kind), b.aggregate(kind)), c.aggregate(kind))
            for kind in KINDS
        ),
    ]:
        np.testing.assert_allclose(one.coef(), want.coef(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one.se(), want.se(), rtol=1e-9)
        np.testing.assert_allclose(one.vcov(), want.vcov(), rtol=1e-8, atol=1e-14)
        if vcov.startswith("CV"):
            np.testing.assert_allclose(one.replicates(), want.replicates(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_same_weights_aggregation_and_difference_change_places(outcomes, kind):
    a, b = fit(outcomes), fit(outcomes, yname="y2")
    one = didjack.difference(a, b).aggregate(kind)
    other = didjack.difference(a.aggregate(kind), b.aggregate(kind))
    pd.testing.assert_frame_equal(
        one.tidy(overall=True).drop(columns="status"),
        other.tidy(overall=True).drop(columns="status"),
        rtol=1e-7,
        atol=1e-12,
    )


@pytest.mark.parametrize("options", [{}, {"vcov": "analytic"}, {"anticipation": 1}])
def test_without_covariates_it_is_a_triple_difference(options):
    """Of group-time effects and of their aggregations, with all of the inference."""
    df = draw(13, n_clusters=14)  # without any of which both groups have untreated rows
    b, a = two(df, **options)
    found = didjack.difference(a, b)
    triple = didjack.ddd(df, pname="sex", **NAMES, est_method="reg", **options)
    pairs = [(found, triple), *((found.aggregate(k), triple.aggregate(k)) for k in KINDS)]
    for one, other in pairs:
        numbers = one.tidy().select_dtypes("number")
        pd.testing.assert_frame_equal(numbers, other.tidy()[numbers.columns], rtol=1e-7, atol=1e-10)


def test_an_outcome_that_never_moves_adds_nothing():
    """All of the inference of the difference is then that of the first result."""
    df = draw(11)
    a, still = (fit(data).aggregate("event") for data in (df, df.assign(y=0.0)))
    found = didjack.difference(a, still)
    pd.testing.assert_frame_equal(
        found.tidy(overall=True).iloc[:, 1:-1], a.tidy(overall=True).iloc[:, 1:-1], rtol=1e-7
    )
    for one, want in ((found.wald_test(), a.wald_test()), (found.pretest(), a.pretest())):
        np.testing.assert_allclose(one.statistic, want.statistic)
        assert abs(one.p_value - want.p_value) < 0.02  # other draws
    band, want = found.confint(joint=True), a.confint(joint=True)
    np.testing.assert_allclose(band, want, rtol=0.05, atol=0.02)
    noise, want = found.noise_sensitivity(), a.noise_sensitivity()
    pd.testing.assert_frame_equal(noise.table, want.table, rtol=1e-6)
    np.testing.assert_allclose(noise.breakdown, want.breakdown, rtol=1e-6)


def test_a_test_of_one_difference_is_its_t_test():
    a, b = (one.aggregate("event") for one in two(draw()))
    result = didjack.difference(a, b)
    test = result.wald_test(["overall"])
    np.testing.assert_allclose(test.statistic, result.overall["statistic"] ** 2)
    np.testing.assert_allclose(test.p_value, result.overall["p_value"], rtol=1e-6)
    own = result.lincomb({"overall": 1.0})
    np.testing.assert_allclose(own["p_value"], result.overall["p_value"], rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_random_designs(seed):
    """Options and panels drawn at random: replicates, covariance and bands agree with parts."""
    rng = np.random.default_rng(seed)
    options = {
        "control_group": str(rng.choice(["nevertreated", "notyettreated"])),
        "base_period": str(rng.choice(["varying", "universal"])),
        "anticipation": int(rng.integers(0, 2)),
        "est_method": str(rng.choice(["reg", "ipw", "dr"])),
    }
    df = draw(20 + seed, n_clusters=int(rng.integers(9, 14)), n_periods=6, treated_clusters=4)
    a, b = two(df, **options)
    kind = str(rng.choice(KINDS))
    for one, other in ((a, b), (a.aggregate(kind), b.aggregate(kind))):
        result = didjack.difference(one, other)
        labels = result.coef().index
        np.testing.assert_allclose(
            result.coef(), one.coef().loc[labels] - other.coef().loc[labels], atol=1e-12
        )
        first, second = (
            each.replicates()[labels].reindex(result.replicates().index) for each in (one, other)
        )
        first, second = first.fillna(one.coef()), second.fillna(other.coef())
        there = result.replicates().notna()
        np.testing.assert_allclose(
            result.replicates().where(there), (first - second).where(there), atol=1e-10
        )
        joint, pointwise = result.confint(joint=True), result.confint()
        known = result.se().notna()
        assert (joint["conf_low"] <= pointwise["conf_low"] + 1e-12)[known].all()
        analytic = result.with_options(vcov="analytic")
        again = didjack.difference(
            one.with_options(vcov="analytic"), other.with_options(vcov="analytic")
        )
        pd.testing.assert_frame_equal(analytic.tidy(), again.tidy())
