"""What holds whatever the numbers are: invariances, special cases, published figures."""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import statsmodels.api as sm
from compare_with_bruteforce import KINDS, coefficients, draw, fast, lose_rows
from scipy import stats

import didjack
from didjack.estimation.kernels import compiled

# Some designs below lose a replicate, and say so; test_edge_designs looks at what they say.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.InferenceWarning")

COLUMNS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
COHORTS, SIZES = (0, 4, 0, 5, 4, 0, 5, 0), (9, 8, 14, 7, 10, 8, 11, 12)


@cache
def _sample(name):
    df = draw(COHORTS, SIZES, range(1, 7), 6, panel=name != "repeated")
    return lose_rows(df) if name == "unbalanced" else df


def sample(name):
    return _sample(name).copy()


CASES = {
    "panel": ("panel", {}),
    "panel, reg": ("panel", {"est_method": "reg", "xformla": "~ x1 + x2"}),
    "panel, dr": ("panel", {"est_method": "dr", "xformla": "~ x1 + x2", "weightsname": "w"}),
    "panel, all vary": (
        "panel",
        {
            "est_method": "ipw",
            "xformla": "~ x3",
            "weightsname": "wt",
            "control_group": "notyettreated",
            "base_period": "universal",
        },
    ),
    "unbalanced": (
        "unbalanced",
        {"allow_unbalanced_panel": True, "xformla": "~ x1 + x2", "weightsname": "w"},
    ),
    "cross sections": ("repeated", {"panel": False, "xformla": "~ x1 + x2", "weightsname": "w"}),
    "put together": ("repeated", {"panel": False, "xformla": "~ x2", "weightsname": "w"}),
}
EVERYWHERE = pytest.mark.parametrize("case", CASES)
PANELS = pytest.mark.parametrize("case", [name for name in CASES if CASES[name][0] == "panel"])


def results(df, **options):
    """Numbers of all coefficients, and all replicates, as one long vector."""
    result = fast(df, **options)
    everything = [result, *(result.aggregate(kind) for kind in KINDS)]
    tables = [coefficients(one)[COLUMNS].to_numpy(dtype=float) for one in everything]
    if options.get("vcov", "CV3") in ("CV3", "CV3J"):
        tables += [one.replicates().to_numpy() for one in everything]
    return np.concatenate([table.ravel() for table in tables])


@cache
def base(case):
    name, options = CASES[case]
    return results(sample(name), **options)


def close(got, want, rtol=1e-9, atol=1e-12):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def test_results_are_numbers():
    for case in CASES:
        values = base(case)
        assert np.isfinite(values).mean() > 0.8
        assert np.unique(values).size > 100


# Order, labels, containers --------------------------------------------------------------------


@EVERYWHERE
@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_rows_changes_no_digit(case, seed):
    name, options = CASES[case]
    shuffled = sample(name).sample(frac=1.0, random_state=seed)
    np.testing.assert_array_equal(results(shuffled, **options), base(case))


@EVERYWHERE
def test_order_of_rows_changes_no_digit_of_analytic_errors(case):
    name, options = CASES[case]
    one = results(sample(name), vcov="analytic", **options)
    shuffled = sample(name).sample(frac=1.0, random_state=1)
    np.testing.assert_array_equal(results(shuffled, vcov="analytic", **options), one)


def relabelled(values, rename):
    """Rename the labels of a column."""
    labels = np.sort(values.unique())
    return values.map(dict(zip(labels, rename(labels), strict=True)))


RENAME = {
    "reversed": lambda labels: -labels,
    "scattered": lambda labels: np.random.default_rng(0).permutation(labels) * 7 + 3,
    "text": lambda labels: [f"label {label:03d}" for label in labels],
}


@pytest.mark.thin(5)
@pytest.mark.parametrize("rename", RENAME)
@pytest.mark.parametrize(
    ("case", "column"),
    [
        (case, column)
        for case in CASES
        for column in ("cluster", "id")
        if column in _sample(CASES[case][0])
    ],
)
def test_relabelled_clusters_and_units(case, rename, column):
    name, options = CASES[case]
    df = sample(name)
    df[column] = relabelled(df[column], RENAME[rename])
    one, other = fast(sample(name), **options), fast(df, **options)
    got, want = (coefficients(r)[COLUMNS].to_numpy(dtype=float) for r in (other, one))
    close(got, want, rtol=1e-9, atol=1e-12)
    close(got[:, 0], want[:, 0], rtol=1e-12, atol=1e-12)
    new, old = other.replicates(), one.replicates()
    if column == "cluster":
        names = dict(
            zip(np.sort(_sample(name)["cluster"].unique()), RENAME[rename](old.index), strict=True)
        )
        new = new.loc[[names[label] for label in old.index]]
    close(new, old, rtol=1e-12, atol=1e-12)


@EVERYWHERE
@pytest.mark.parametrize("shift", [2000, -3])
def test_other_calendar(case, shift):
    name, options = CASES[case]
    df = sample(name)
    df["period"] += shift
    df["cohort"] = (df["cohort"] + float(shift)).where(df["cohort"] > 0, np.inf)
    assert shift > 0 or df["period"].min() < 0
    np.testing.assert_array_equal(results(df, **options), base(case))


@EVERYWHERE
def test_other_codes_of_never_treated(case):
    name, options = CASES[case]
    for code in (np.inf, np.nan):
        df = sample(name)
        df["cohort"] = df["cohort"].astype(float).where(df["cohort"] > 0, code)
        np.testing.assert_array_equal(results(df, **options), base(case))


@EVERYWHERE
@pytest.mark.parametrize("container", [pl.from_pandas, pa.Table.from_pandas])
def test_other_containers_change_no_digit(case, container):
    name, options = CASES[case]
    df = sample(name).reset_index(drop=True)
    np.testing.assert_array_equal(results(container(df), **options), base(case))


@EVERYWHERE
def test_the_table_is_not_changed(case):
    name, options = CASES[case]
    df = sample(name)
    before = df.copy(deep=True)
    results(df, **options)
    pd.testing.assert_frame_equal(df, before, check_exact=True)


# Units of measurement -------------------------------------------------------------------------


@EVERYWHERE
@pytest.mark.parametrize("constant", [100.0, -1e4])
def test_added_constant(case, constant):
    name, options = CASES[case]
    df = sample(name)
    df["y"] += constant
    close(results(df, **options), base(case), rtol=1e-8, atol=1e-12 * abs(constant))


@PANELS
def test_added_unit_effects(case):
    _, options = CASES[case]
    df = sample("panel")
    df["y"] += 50 * np.sin(df["id"])
    close(results(df, **options), base(case), rtol=1e-8, atol=1e-10)


@EVERYWHERE
def test_added_period_effects(case):
    name, options = CASES[case]
    df = sample(name)
    df["y"] += 10 * np.cos(df["period"])
    close(results(df, **options), base(case), rtol=1e-8, atol=1e-11)


@pytest.mark.thin(5)
@EVERYWHERE
@pytest.mark.parametrize("factor", [1000.0, -0.25, 1e-6])
def test_scaled_outcome(case, factor):
    name, options = CASES[case]
    df = sample(name)
    df["y"] *= factor
    one, other = fast(sample(name), **options), fast(df, **options)
    for kind in (None, *KINDS):
        old, new = ((r if kind is None else r.aggregate(kind)) for r in (one, other))
        a, b = coefficients(old), coefficients(new)
        size = abs(factor)
        for column, scale in (("estimate", factor), ("std_error", size), ("df", 1), ("p_value", 1)):
            want = scale * a[column].to_numpy(dtype=float)
            close(b[column].to_numpy(dtype=float), want, rtol=1e-9, atol=1e-12 * abs(scale))
        ends = ["conf_low", "conf_high"]
        want = factor * a[ends if factor > 0 else ends[::-1]].to_numpy(dtype=float)
        close(b[ends].to_numpy(dtype=float), want, rtol=1e-8, atol=1e-12 * size)
        close(new.replicates(), factor * old.replicates(), rtol=1e-9, atol=1e-12 * size)


@pytest.mark.parametrize("case", [name for name in CASES if "weightsname" in CASES[name][1]])
@pytest.mark.parametrize("factor", [2.0**10, 1e-5, 3e6])
def test_scaled_weights(case, factor):
    name, options = CASES[case]
    df = sample(name)
    df[options["weightsname"]] *= factor
    got = results(df, **options)
    if factor == 2.0**10 and name == "panel":  # pooled rows are ordered by their contents
        np.testing.assert_array_equal(got, base(case))
    close(got, base(case), rtol=1e-8)


@EVERYWHERE
def test_equal_weights_are_no_weights(case):
    name, options = CASES[case]
    options = {k: v for k, v in options.items() if k != "weightsname"}
    df = sample(name)
    weighted = results(df.assign(w=3.0), **options, weightsname="w")
    close(weighted, results(df, **options), rtol=1e-8)


@pytest.mark.parametrize("case", [name for name in CASES if "xformla" in CASES[name][1]])
def test_units_of_covariates(case):
    name, options = CASES[case]
    df = sample(name)
    for column in ("x1", "x2", "x3"):
        df[column] = 1e6 * df[column] + 1e4
    close(results(df, **options), base(case), rtol=1e-7, atol=1e-9)
    for column in ("x1", "x2", "x3"):
        df[column] = -1e-6 * sample(name)[column]
    close(results(df, **options), base(case), rtol=1e-7, atol=1e-9)


def test_recoded_covariates():
    # Other covariates of the same span are the same covariates.
    one = results(sample("panel"), xformla="~ x1 + x2")
    df = sample("panel").assign(z=lambda d: d["x1"] - 3 * d["x2"])
    close(results(df, xformla="~ z + x2"), one, rtol=1e-7, atol=1e-9)
    close(results(df, xformla="~ x1 + C(x2)"), one, rtol=1e-9)


def test_repeated_rows_are_weights():
    df = sample("repeated")
    times = np.random.default_rng(0).integers(1, 4, len(df))
    options = {"panel": False, "xformla": "~ x1", "est_method": "dr"}
    copies = results(df.iloc[np.repeat(np.arange(len(df)), times)], **options)
    close(results(df.assign(w=times), weightsname="w", **options), copies, rtol=1e-8)


# Threads --------------------------------------------------------------------------------------


@EVERYWHERE
def test_threads_change_no_digit(case, monkeypatch):
    name, options = CASES[case]
    monkeypatch.setattr(compiled, "LEAST_WORK", 0)
    ran = []
    pool = compiled.ThreadPoolExecutor
    monkeypatch.setattr(compiled, "ThreadPoolExecutor", lambda n: ran.append(n) or pool(n))
    for count in (1, 2, 3):
        monkeypatch.setattr(compiled.numba, "get_num_threads", lambda count=count: count)
        np.testing.assert_array_equal(results(sample(name), **options), base(case))
        assert set(ran) == {count}
        ran.clear()


# Full sample, variance, replicates ------------------------------------------------------------


@EVERYWHERE
@pytest.mark.filterwarnings("ignore::didjack.EstimationWarning")
def test_the_full_sample_never_changes(case):
    name, options = CASES[case]
    df = sample(name)
    df = df[(df["cluster"] != 6) | (df["cohort"] == 0)]  # cohort 5 is in a single cluster
    settings = [
        *[{"vcov": "CV3", "undefined": undefined} for undefined in ("nan", "skip")],
        *[{"vcov": "CV3J", "undefined": undefined} for undefined in ("nan", "skip")],
        {"vcov": "analytic"},
        {"vcov": "analytic", "cluster": None},
    ]
    seen, errors = [], []
    for setting in settings:
        result = fast(df, **options | setting)
        everything = [result, *(result.aggregate(kind) for kind in KINDS)]
        seen.append(
            np.concatenate([coefficients(r)["estimate"].to_numpy(float) for r in everything])
        )
        errors.append(result.aggregate("simple").overall["std_error"])
    for other in seen[1:-1]:
        np.testing.assert_array_equal(other, seen[0])
    close(seen[-1], seen[0], rtol=1e-12)  # other clusters are added up in another order
    assert np.unique(errors[1::2]).size == 3


@EVERYWHERE
def test_cv3j_is_centred_on_the_mean(case):
    name, options = CASES[case]
    result = fast(sample(name), **options)
    mean = fast(sample(name), vcov="CV3J", **options)
    for kind in KINDS:
        one, other = result.aggregate(kind), mean.aggregate(kind)
        theta = one.replicates().to_numpy()
        r = len(theta)
        estimate = coefficients(one)["estimate"].to_numpy(float)
        reference = (coefficients(one)["status"] == "base").to_numpy()
        for agg, centre in ((one, estimate), (other, theta.mean(axis=0))):
            want = np.sqrt((r - 1) / r * ((theta - centre) ** 2).sum(axis=0))
            got = coefficients(agg)["std_error"].to_numpy(float)
            close(got, np.where(reference, np.nan, want), rtol=1e-12)
        assert other.overall["std_error"] < one.overall["std_error"]


@EVERYWHERE
def test_variance_by_another_name(case):
    name, options = CASES[case]
    result = fast(sample(name), **options)
    for kind in ("CV3", "CV3J", "analytic"):
        direct = fast(sample(name), vcov=kind, **options)
        for agg in (None, *KINDS):
            one, other = ((r if agg is None else r.aggregate(agg)) for r in (result, direct))
            np.testing.assert_array_equal(one.vcov(kind), other.vcov())
            error = coefficients(other)["std_error"].to_numpy(dtype=float)
            close(np.diag(other.vcov()), error**2, rtol=1e-14)
            matrix = other.vcov().to_numpy()
            np.testing.assert_array_equal(matrix, matrix.T)


@EVERYWHERE
def test_tests_and_intervals_follow_from_estimate_error_and_df(case):
    name, options = CASES[case]
    for vcov, cluster in (("CV3", "cluster"), ("analytic", "cluster"), ("analytic", None)):
        result = fast(sample(name), **options | {"vcov": vcov, "cluster": cluster})
        table = coefficients(result.aggregate("event"))[COLUMNS].astype(float)
        df = np.inf if cluster is None else len(COHORTS) - 1
        reference = table["std_error"].isna()
        assert (table["df"][~reference] == df).all()
        t = table["estimate"] / table["std_error"]
        close(table["statistic"], t, rtol=1e-14)
        close(table["p_value"], 2 * stats.t.sf(np.abs(t), df), rtol=1e-11)
        half = stats.t.ppf(0.975, df) * table["std_error"]
        close(table["conf_low"], table["estimate"] - half, rtol=1e-10)
        close(table["conf_high"], table["estimate"] + half, rtol=1e-10)


# One unit in each cluster ---------------------------------------------------------------------


def test_units_as_clusters_are_the_delete_one_jackknife():
    df = draw((0, 3, 0, 4, 3, 4), 4, range(1, 6), 8)
    options = {"xformla": "~ x1", "est_method": "reg"}
    result = fast(df, cluster=None, **options)
    named = fast(df, cluster="id", **options)
    np.testing.assert_array_equal(result.replicates(), named.replicates())
    np.testing.assert_array_equal(result.tidy()["std_error"], named.tidy()["std_error"])
    units = np.sort(df["id"].unique())
    assert result.replicates().index.tolist() == units.tolist()
    deleted = np.array(
        [fast(df[df["id"] != unit], cluster=None, **options).tidy()["estimate"] for unit in units]
    )
    close(result.replicates(), deleted, rtol=1e-11)
    n, theta = units.size, result.tidy()["estimate"].to_numpy()
    jackknife = np.sqrt((n - 1) / n * ((deleted - theta) ** 2).sum(axis=0))
    close(result.tidy()["std_error"], jackknife, rtol=1e-10)
    assert (result.tidy()["df"] == n - 1).all()


def two_by_two(sizes=20):
    """Two periods, two groups."""
    df = draw((0, 2, 0, 2, 0), sizes, (1, 2), 9)
    wide = df.pivot_table(index=["id", "cohort", "cluster", "w"], columns="period", values="y")
    wide = wide.reset_index()
    change = (wide[2] - wide[1]).to_numpy()
    return df, change, (wide["cohort"] > 0).to_numpy(float), wide


@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
def test_hc3(est_method):
    df, change, treated, _ = two_by_two()
    ols = sm.OLS(change, sm.add_constant(treated)).fit(cov_type="HC3")
    result = fast(df, cluster=None, est_method=est_method)
    n = treated.size
    assert result.tidy()["estimate"][0] == pytest.approx(ols.params[1], rel=1e-12)
    cv3 = result.vcov().iloc[0, 0]
    assert n / (n - 1) * cv3 == pytest.approx(ols.cov_params()[1, 1], rel=1e-11)


def test_hc3_of_a_weighted_regression():
    df, change, treated, wide = two_by_two()
    design = sm.add_constant(treated)
    wls = sm.WLS(change, design, weights=wide["w"]).fit()
    # Leaving one out: e_i (X'WX)^-1 x_i w_i / (1 - h_i).
    w = wide["w"].to_numpy()
    bread = np.linalg.inv(design.T @ (w[:, None] * design))
    leverage = w * np.einsum("ij,jk,ik->i", design, bread, design)
    moved = (w * wls.resid / (1 - leverage))[:, None] * design @ bread
    n = treated.size
    result = fast(df, cluster=None, est_method="reg", weightsname="w")
    assert n / (n - 1) * result.vcov().iloc[0, 0] == pytest.approx(
        (moved[:, 1] ** 2).sum(), rel=1e-10
    )


@pytest.mark.parametrize("sizes", [20, (5, 30, 12, 7, 22)])
def test_cv3_of_a_regression(sizes):
    df, change, treated, wide = two_by_two(sizes)
    x, cluster = sm.add_constant(treated), wide["cluster"].to_numpy()
    full = np.linalg.lstsq(x, change, rcond=None)[0]
    total = 0.0
    for h in range(5):
        keep = cluster != h
        total += (np.linalg.lstsq(x[keep], change[keep], rcond=None)[0][1] - full[1]) ** 2
    result = fast(df)
    assert result.vcov().iloc[0, 0] == pytest.approx(4 / 5 * total, rel=1e-11)
    assert result.tidy()["df"][0] == 4


def test_analytic_errors_of_a_regression():
    df, change, treated, wide = two_by_two()
    ols = sm.OLS(change, sm.add_constant(treated))
    by_unit = fast(df, cluster=None, vcov="analytic").tidy()["std_error"][0]
    assert by_unit == pytest.approx(ols.fit(cov_type="HC0").bse[1], rel=1e-11)
    groups = {"groups": wide["cluster"], "use_correction": False}
    clustered = ols.fit(cov_type="cluster", cov_kwds=groups).bse[1]
    assert fast(df, vcov="analytic").tidy()["std_error"][0] == pytest.approx(clustered, rel=1e-11)


def test_reg_with_one_dummy_is_a_mean_over_its_values():
    df, change, treated, wide = two_by_two()
    x2 = df[df["period"] == 1].set_index("id")["x2"].reindex(wide["id"]).to_numpy()
    gaps, shares = [], []
    for value in (0, 1):
        inside = x2 == value
        gap = change[inside & (treated == 1)].mean() - change[inside & (treated == 0)].mean()
        gaps.append(gap)
        shares.append((inside & (treated == 1)).sum())
    want = np.average(gaps, weights=shares)
    for est_method in ("reg", "ipw", "dr"):  # all saturated: all the same
        got = fast(df, est_method=est_method, xformla="~ x2").tidy()["estimate"][0]
        assert got == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
def test_a_balanced_panel_as_cross_sections(est_method):
    # With covariates and weights constant over time the two sets of formulas agree.
    df = sample("panel")
    options = {"est_method": est_method, "xformla": "~ x1", "weightsname": "w"}
    panel = fast(df, **options)
    rows = fast(df, panel=False, **options)
    allowed = fast(df, allow_unbalanced_panel=True, **options)
    close(rows.replicates(), panel.replicates(), rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(allowed.replicates(), panel.replicates())


# Results as objects ---------------------------------------------------------------------------


@EVERYWHERE
def test_results_pickle(case):
    name, options = CASES[case]
    result = fast(sample(name), **options)
    for one in (result, *(result.aggregate(kind) for kind in KINDS)):
        other = pickle.loads(pickle.dumps(one))
        assert other == one
        assert type(other) is type(one)
        pd.testing.assert_frame_equal(other.tidy(), one.tidy(), check_exact=True)
        pd.testing.assert_frame_equal(other.replicates(), one.replicates(), check_exact=True)
        pd.testing.assert_frame_equal(
            other.vcov("analytic"), one.vcov("analytic"), check_exact=True
        )
    assert pickle.loads(pickle.dumps(result)).aggregate("event") == result.aggregate("event")


@EVERYWHERE
def test_results_compare(case):
    name, options = CASES[case]
    result = fast(sample(name), **options)
    assert result == fast(sample(name), **options)
    moved = sample(name)
    moved.iloc[0, moved.columns.get_loc("y")] += 1.0
    assert result != fast(moved, **options)
    assert result != fast(sample(name), **options, alpha=0.1)
    assert result.aggregate("event") != result.aggregate("group")
    assert result != 1


@EVERYWHERE
def test_results_do_not_look_at_the_table_again(case):
    name, options = CASES[case]
    df = sample(name)
    result = fast(df, **options)
    before = result.vcov("analytic").to_numpy()
    fresh = fast(df, **options)
    for column in df.columns:
        df[column] = 0
    np.testing.assert_array_equal(fresh.vcov("analytic"), before)
    np.testing.assert_array_equal(fresh.tidy()["estimate"], result.tidy()["estimate"])


# Published figures ----------------------------------------------------------------------------

MPDTA = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}


@pytest.fixture(scope="module")
def mpdta():
    return didjack.datasets.load_mpdta()


@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
def test_published_effects_of_minimum_wages(mpdta, est_method):
    result = didjack.csdid(mpdta, **MPDTA, est_method=est_method, vcov="analytic")
    table = result.tidy().set_index(["group", "time"])
    published = [-0.0105, -0.0704, -0.1373, -0.1008]
    assert table["estimate"].loc[2004].round(4).tolist() == published
    assert round(table["std_error"].loc[(2004, 2004)], 4) == 0.0233
    simple = result.aggregate("simple").overall
    assert round(simple["estimate"], 4) == -0.0400
    assert round(simple["std_error"], 4) == 0.0120


@pytest.mark.parametrize("undefined", ["nan", "skip"])
@pytest.mark.parametrize("est_method", ["reg", "ipw", "dr"])
def test_published_cv3_of_minimum_wages(mpdta, est_method, undefined):
    # Without the only state of cohort 2004 the average is one of the other cohorts; so there is a
    # replicate for each of the 29 states, whatever `undefined` says.
    result = didjack.csdid(
        mpdta, **MPDTA, est_method=est_method, cluster="state", reference="t", undefined=undefined
    )
    simple = result.aggregate("simple").overall
    assert round(simple["std_error"], 7) == 0.0185754
    assert simple["df"] == 28
    assert simple["n_replicates"] == 29
    assert (simple["n_composition"], simple["status"]) == (1, "composition")
    # The cohort's own effects have no replicate without it.
    own = result.tidy().set_index("group").loc[2004]
    assert own["std_error"].isna().all() == (undefined == "nan")
    assert (own["n_replicates"] == (0 if undefined == "nan" else 28)).all()
