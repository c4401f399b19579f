"""Triple differences: reference results, identities, bad input, and what is said of them."""

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import didjack
from didjack.inference.reference.working_model import Design

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

FIXTURES = Path(__file__).parent / "fixtures"
CASES = json.loads(gzip.decompress((FIXTURES / "triple_differences.json.gz").read_bytes()))
NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
ID = {"idname": "id"}


@pytest.fixture(scope="module")
def data():
    return {kind: pd.read_csv(FIXTURES / f"comparisons_{kind}.csv") for kind in ("panel", "rcs")}


@pytest.fixture(scope="module")
def df(data):
    return data["panel"]


def ddd(df, **options):
    return didjack.ddd(df, **NAMES | ID | {"pname": "eligible", "est_method": "reg"} | options)


def csdid(df, **options):
    return didjack.csdid(df, **NAMES | ID | {"est_method": "reg"} | options)


# ---- reference results ---------------------------------------------------------------------------


def fit_of(case, data):
    """Fit what a case describes."""
    options = dict(case["options"])
    x, panel = options.pop("x"), options["panel"]
    options |= {"xformla": "~ " + " + ".join(x) if x else None, "weightsname": options.pop("w")}
    options["allow_unbalanced_panel"] = options.pop("unbalanced")
    return ddd(data["panel" if panel else "rcs"], **options | ({} if panel else {"idname": None}))


@pytest.mark.parametrize("name", CASES)
def test_reference_results(data, name):
    case, results = CASES[name], {}
    results["att"] = fit_of(case, data)
    for key, want in case["targets"].items():
        kind, *label = key.split()
        if kind not in results:
            results[kind] = results["att"].aggregate(kind)
        result = results[kind]
        if label == ["overall"]:
            row, position = result.overall, -1
        else:
            table = result.tidy().iloc[:, : len(label)]
            position = np.flatnonzero((table == [float(one) for one in label]).all(axis=1))[0]
            row = result.tidy().iloc[position]
        assert row["estimate"] == pytest.approx(want["estimate"], 1e-8, 1e-8, nan_ok=True)
        if want["cv3"] is not None and want["cv3"] > 1e-9:
            assert row["std_error"] == pytest.approx(want["cv3"], 1e-8)
        wanted = pd.Series(want["replicates"], dtype=float)
        found = result.replicates().iloc[:, position].loc[wanted.index.astype(int)]
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-8, err_msg=key)
        if "p_value" in want:
            critical = (row["conf_high"] - row["estimate"]) / row["std_error"]
            assert row["p_value"] == pytest.approx(want["p_value"], abs=2e-4)
            assert critical == pytest.approx(want["critical_value"], 5e-4)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("panel", {"est_method": "reg"}),
        ("panel", {"est_method": "ipw", "xformla": "~ x1"}),
        ("panel", {"est_method": "dr", "xformla": "~ x1"}),
        ("rcs", {"est_method": "reg", "xformla": "~ x1"}),
    ],
)
def test_another_package_finds_the_same(data, kind, options):
    """Estimates and standard errors of units, where controls never enable treatment."""
    moderndid = pytest.importorskip("moderndid", reason="pip install moderndid")
    names = {"yname": "y", "tname": "period", "gname": "cohort", "pname": "eligible"}
    names |= ID if kind == "panel" else {"panel": False}
    options |= {"base_period": "varying"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = moderndid.ddd(data=data[kind], **names, **options)
    ours = didjack.ddd(data[kind], **names, **options, vcov="analytic").tidy()
    there = ours["estimate"].notna().to_numpy()
    assert there.sum() >= 10
    np.testing.assert_allclose(np.array(theirs.att)[there], ours["estimate"][there], rtol=1e-8)
    np.testing.assert_allclose(np.array(theirs.se)[there], ours["std_error"][there], rtol=1e-6)


# ---- identities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
def test_the_others_as_the_eligible_turn_the_sign(df, control_group):
    options = {"control_group": control_group, "base_period": "universal"}
    one, other = ddd(df, **options), ddd(df.assign(eligible=1 - df["eligible"]), **options)
    np.testing.assert_allclose(one.coef(), -other.coef(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.replicates(), -other.replicates(), rtol=0, atol=1e-12)
    columns = ["std_error", "p_value", "df"]
    np.testing.assert_allclose(one.tidy()[columns], other.tidy()[columns], rtol=1e-6)


@pytest.mark.parametrize("weightsname", [None, "w"])
def test_without_covariates_it_is_a_difference_of_effects(df, weightsname):
    whole = ddd(df, weightsname=weightsname)
    one, other = (csdid(df[df["eligible"] == q], weightsname=weightsname) for q in (1, 0))
    np.testing.assert_allclose(whole.coef(), one.coef() - other.coef(), rtol=0, atol=1e-12)
    apart = one.replicates() - other.replicates()
    np.testing.assert_allclose(whole.replicates(), apart, rtol=0, atol=1e-12)
    influence = whole.with_options(vcov="analytic")._fit.influence
    parts = [result.with_options(vcov="analytic")._fit.influence for result in (one, other)]
    np.testing.assert_allclose(influence, parts[0] - parts[1], rtol=0, atol=1e-12)


def test_with_covariates_it_is_not(df):
    options = {"est_method": "dr", "xformla": "~ x1"}
    one, other = (csdid(df[df["eligible"] == q], **options) for q in (1, 0))
    apart = (ddd(df, **options).coef() - one.coef() + other.coef()).abs()
    assert apart.max() > 0.01


def test_a_single_control_cohort_is_the_control_group(df):
    some = df[df["cohort"].isin([0, 5])]
    one, other = (ddd(some, control_group=group) for group in ("nevertreated", "notyettreated"))
    pd.testing.assert_frame_equal(one.tidy(), other.tidy())
    pd.testing.assert_frame_equal(one.replicates(), other.replicates())


def test_outcomes_that_all_share_change_nothing(df):
    rng = np.random.default_rng(0)
    shock = rng.normal(size=(6, 7))[df["cohort"], df["period"]]  # of a cohort in a period
    common = rng.normal(size=(2, 7))[df["eligible"], df["period"]]  # of the eligible in a period
    moved = ddd(df.assign(y=df["y"] + shock + common))
    np.testing.assert_allclose(moved.coef(), ddd(df).coef(), rtol=0, atol=1e-10)


def test_order_and_types_do_not_matter(df):
    want = ddd(df, control_group="notyettreated").tidy()
    for other in (
        df.sample(frac=1.0, random_state=1),
        df.assign(eligible=df["eligible"] == 1),
        df.assign(eligible=(df["eligible"] == 1).astype("boolean")),
        df.assign(eligible=df["eligible"].astype(float)),
    ):
        pd.testing.assert_frame_equal(ddd(other, control_group="notyettreated").tidy(), want)


# ---- results -------------------------------------------------------------------------------------


def test_what_tables_and_figures_say(df):
    result = ddd(df)
    event = result.aggregate("event")
    text = str(event.summary())
    assert text.startswith("Triple differences: event study")
    assert "Eligible" in text
    assert result.glance()["pname"].tolist() == ["eligible"]
    assert result.options.as_dict()["pname"] == "eligible"
    assert event.plot().get_ylabel() == "effect on y (triple differences)"
    # Treated are the eligible: 13, 21 and 3 units.
    assert [ax.get_title()[10:18] for ax in result.plot()] == ["13 units", "21 units", "3 units)"]
    assert result.cells["n_treated"].unique().tolist() == [13, 21, 3]
    whole = csdid(df).aggregate("simple")
    table = str(didjack.etable([result.aggregate("simple"), whole]))
    assert "Eligible          eligible    all" in table
    clusters = result.clusters()
    assert clusters["treated"].sum() == result.glance()["n_treated_clusters"].item() == 5
    assert set(clusters["cohorts"]) == {(3,), (4,), (5,), ("never",)}
    treated = df[(df["eligible"] == 1) & (df["cohort"] > 0)].groupby("cluster")["id"].nunique()
    want = (treated / treated.sum()).reindex(clusters.index).fillna(0.0)
    np.testing.assert_allclose(clusters["treated_share"], want)


def test_joint_draws_have_the_distribution_of_each_statistic(df):
    """Shocks that are simulated, of both kinds of rows, and those of the integral are the same."""
    event = ddd(df, control_group="notyettreated").aggregate("event")
    coefficients = event._coefficients
    some = [position for position, label in enumerate(event.coef().index) if label in (-1, 0, 1, 2)]
    weights = np.eye(len(event.coef()))[some]
    draws = coefficients._joint_reference(weights)
    critical = draws.single.critical_value(0.05)
    share = (draws.statistic > critical).mean(axis=0)
    np.testing.assert_allclose(share, 0.05, atol=4 * np.sqrt(0.05 * 0.95 / draws.n_draws))
    assert critical.min() > 2.0
    single = event.tidy(joint=True)
    assert (single["joint_low"] <= single["conf_low"] + 1e-12).all()


def test_permuted_clusters_are_those_of_another_table(df):
    """Clusters exchange their enabling dates, with all of their units."""
    some = df[df["cluster"].isin([1, 2, 3, 4, 5, 6]) | (df["cohort"] > 0)]
    overall = ddd(some, control_group="notyettreated").aggregate("simple")
    test = overall.randomization_test("estimate", n_permutations=10, seed=3)
    of_cluster = some.groupby("cluster")["cohort"].first()
    rng, found = np.random.default_rng(3), []
    for _ in range(10):
        drawn = pd.Series(rng.permutation(of_cluster), of_cluster.index)
        moved = some.assign(cohort=some["cluster"].map(drawn))
        found.append(ddd(moved, control_group="notyettreated").aggregate("simple").coef().iloc[-1])
    larger = np.abs(found) >= abs(test.statistic)
    assert test.n_failed == np.isnan(found).sum()
    assert test.p_value == pytest.approx((1 + larger.sum()) / (1 + np.isfinite(found).sum()))


def test_the_effect_that_permutations_take_out(df):
    """With an effect of one in all treated rows of the eligible, one is what is not rejected."""
    treated = (df["cohort"] > 0) & (df["period"] >= df["cohort"]) & (df["eligible"] == 1)
    quiet = df.assign(y=treated + 1e-6 * df["y"])
    test = ddd(quiet).aggregate("simple").randomization_test("estimate", n_permutations=39)
    assert test.conf_low == pytest.approx(1.0, abs=1e-4)
    assert test.conf_high == pytest.approx(1.0, abs=1e-4)


def test_one_enabling_cluster(df):
    first = df.loc[df["cohort"] == 3, "cluster"].min()
    one = df[(df["cohort"] == 0) | (df["cluster"] == first)]
    overall = ddd(one).aggregate("simple")
    test = overall.placebo_test()
    assert test.n_placebos == one.loc[one["cohort"] == 0, "cluster"].nunique()
    rest, variance = one[one["cluster"] != first], Design.from_fit(overall._fit).total
    variance = pd.Series(variance, overall.replicates().index)
    for cluster in test.placebos.index[:2]:
        moved = rest.assign(cohort=np.where(rest["cluster"] == cluster, 3, 0))
        want = ddd(moved, undefined="skip").aggregate("simple").coef().iloc[-1]
        ratio = np.sqrt(variance[first] / variance[cluster])  # of the sum of its shocks
        assert test.placebos[cluster] == pytest.approx(want * ratio)
    assert variance.nunique() > 2
    assert overall.tidy()["status"].str.startswith("imputed").all()


# ---- bad input -----------------------------------------------------------------------------------


def cells_of(df, **options):
    table = ddd(df, **options).cells
    return table.drop_duplicates("group").set_index("group")["status"].to_dict()


def test_cohorts_without_eligible_or_without_other_units(df):
    kept = ~((df["cohort"] == 4) & (df["eligible"] == 1))
    assert cells_of(df[kept]) == {3: "ok", 4: "no eligible units", 5: "ok"}
    assert not ddd(df[kept]).clusters().loc[df.loc[df["cohort"] == 4, "cluster"], "treated"].any()
    kept = ~((df["cohort"] == 4) & (df["eligible"] == 0))
    assert cells_of(df[kept]) == {3: "ok", 4: "no other units", 5: "ok"}
    # As a control, a cohort counts if it has both.
    with_four = ddd(df, control_group="notyettreated").tidy()["estimate"]
    without = ddd(df[df["cohort"] != 4], control_group="notyettreated").tidy()["estimate"]
    found = ddd(df[kept], control_group="notyettreated").tidy()["estimate"]
    np.testing.assert_allclose(found[found.index < 5], without[without.index < 5], atol=1e-12)
    assert np.abs(found - with_four)[:5].max() > 0.01


def test_controls_without_eligible_or_without_other_units(df):
    kept = df[~((df["cohort"] == 0) & (df["eligible"] == 0))]
    with pytest.raises(didjack.DataError, match="no triple difference can be formed: no cohort"):
        ddd(kept)
    table = ddd(kept, control_group="notyettreated").cells.set_index(["group", "time"])["status"]
    assert table.loc[3, 4] == "ok"
    assert table.loc[3, 5] == "no other control units"


def test_cohorts_that_only_the_eligible_have(df):
    with pytest.raises(didjack.DataError, match="also for units that are not eligible"):
        ddd(df.assign(cohort=df["cohort"] * df["eligible"]))


def test_a_period_without_eligible_rows(data):
    df = data["rcs"]
    gone = (df["cohort"] == 0) & (df["eligible"] == 1) & (df["period"] == 4)
    table = ddd(df[~gone], idname=None, panel=False).cells.set_index(["group", "time"])["status"]
    assert table.loc[3, 4] == "no eligible control rows: period 4"
    assert table.loc[5, 5] == "no eligible control rows: base period 4"
    assert table.loc[3, 3] == "ok"


BAD = {
    "3 is no eligibility": (
        lambda df: df.assign(eligible=df["eligible"].replace(1, 3)),
        "pname 'eligible' must be 0 or 1, or False or True: 594 rows; first: 3.0, 3.0, 3.0 (row 6)",
    ),
    "text": (lambda df: df.assign(eligible="yes"), "pname 'eligible' is not numeric"),
    "everybody": (
        lambda df: df.assign(eligible=1),
        "pname 'eligible' is 1 in all of the sample's 1,212 rows: .*; use csdid",
    ),
    "nobody": (
        lambda df: df.assign(eligible=False),
        "pname 'eligible' is 0 in all of the sample's 1,212 rows",
    ),
    "at times": (
        lambda df: df.assign(eligible=np.where(df["id"] < 2, df["period"] % 2, df["eligible"])),
        "2 units of 'id' in more than one eligibility .'eligible'.; first: 0 .0, 1., 1 .0, 1.",
    ),
    "no column": (lambda df: df.drop(columns="eligible"), "pname: data has no column 'eligible'"),
}


@pytest.mark.parametrize("name", BAD)
def test_eligibility_that_is_none(df, name):
    change, message = BAD[name]
    with pytest.raises(didjack.DataError, match=message.replace("(row 6)", ".row 6.")):
        ddd(change(df))


def test_missing_eligibility_is_an_incomplete_row(data):
    df = data["rcs"]
    some = df.assign(eligible=df["eligible"].where(df.index >= 7))
    result = ddd(some, idname=None, panel=False)
    assert result.sample.loc[0, ["n_rows", "reason"]].tolist() == [
        7,
        "missing or non-finite: 'eligible' (7)",
    ]
    pd.testing.assert_frame_equal(
        result.tidy(), ddd(df[df.index >= 7], idname=None, panel=False).tidy()
    )


def test_only_csdid_does_without(df):
    message = "unknown option 'pname' .triple differences are estimated by ddd"
    for pname in ("eligible", None):
        with pytest.raises(didjack.UnknownOptionError, match=message):
            didjack.csdid(df, **NAMES, **ID, pname=pname)
    with pytest.raises(didjack.UnknownOptionError, match="pname is required"):
        ddd(df, pname=None)
