"""Which clusters carry a result, and the warnings about it."""

import warnings

import numpy as np
import pytest
from small_panels import regression as fit

import didjack
from didjack.inference import diagnostics
from didjack.inference.diagnostics import report_design


@pytest.fixture(scope="module")
def drawn():
    df = didjack.simulate.panel(
        n_clusters=14, cluster_size=12, size_dispersion=0.8, cohorts=[4, 6], weights=True, seed=8
    )
    return df, fit(df, weightsname="w")


def test_clusters_by_hand(drawn):
    df, result = drawn
    table = result.clusters()
    groups = df.groupby("cluster")
    assert table.index.name == "cluster"
    assert table["n_obs"].to_dict() == groups.size().to_dict()
    assert table["n_units"].to_dict() == groups["id"].nunique().to_dict()
    for label, cohorts in groups["cohort"].unique().items():
        want = tuple("never" if g == 0 else g for g in sorted(cohorts))
        assert table.loc[label, "cohorts"] == want
        assert table.loc[label, "treated"] == any(g != 0 for g in cohorts)
    units = df[(df["period"] == 1) & (df["cohort"] > 0)]
    weight = units.groupby("cluster")["w"].sum() / units["w"].sum()
    want = weight.reindex(table.index, fill_value=0.0)
    np.testing.assert_allclose(table["treated_share"], want, rtol=1e-12)


@pytest.mark.parametrize("vcov", ["CV3", "CV3J"])
def test_shares_of_the_variance(drawn, vcov):
    result = fit(drawn[0], vcov=vcov)
    for one in (result, result.aggregate("event")):
        table = one.clusters()
        average = one if one is not result else result.aggregate("simple")
        theta = average._targets.theta[:, -1]
        np.testing.assert_array_equal(table["influence"], theta[0] - theta[1:])
        centre = theta[0] if vcov == "CV3" else theta[1:].mean()
        n = len(theta) - 1
        part = (n - 1) / n * (theta[1:] - centre) ** 2
        want = part / average.overall["std_error"] ** 2
        np.testing.assert_allclose(table["variance_share"], want, rtol=1e-10)
        np.testing.assert_allclose(table["variance_share"].sum(), 1.0)


def test_influence_is_sorted_by_the_overall(drawn):
    result = drawn[1].aggregate("event")
    table = result.influence()
    size = table["overall"].abs().to_numpy()
    assert (np.diff(size) <= 0).all()
    np.testing.assert_array_equal(
        table.sort_index()["overall"], result.clusters()["influence"].sort_index()
    )


def test_without_jackknife_there_is_no_influence(drawn):
    result = fit(drawn[0], vcov="analytic")
    table = result.clusters()
    assert table[["influence", "variance_share"]].isna().all(axis=None)
    with pytest.raises(didjack.OptionError, match="vcov='CV3'"):
        result.influence()


def test_clusters_of_repeated_cross_sections():
    df = didjack.simulate.repeated_cross_section(n_clusters=9, cluster_size=7, seed=1)
    result = fit(df, idname=None, panel=False)
    table = result.clusters()
    assert table["n_obs"].tolist() == df.groupby("cluster").size().tolist()
    np.testing.assert_allclose(table["treated_share"].sum(), 1.0)


def test_clusters_where_everybody_is_treated_in_the_end():
    df = didjack.simulate.panel(n_clusters=9, never=False, cohorts=[3, 5, 7], seed=1)
    for group in ("nevertreated", "notyettreated"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", didjack.SampleWarning)
            table = fit(df, control_group=group).clusters()
        last = df.groupby("cluster")["cohort"].first() == 7
        # The last cohort is the comparison; it has no effects.
        assert (table["treated"] == ~last).all()
        assert (table["treated_share"][last] == 0).all()


def test_effective_number_of_clusters():
    assert diagnostics.effective_number(np.ones(7)) == 7.0
    np.testing.assert_allclose(diagnostics.effective_number(np.array([3.0, 1.0])), 16 / 10)
    assert np.isnan(diagnostics.effective_number(np.zeros(3)))


def test_effective_number_is_that_of_carter_schnepel_and_steigerwald():
    # A mean of independent units: gamma_h = a' x_h' x_h a is proportional to the size.
    sizes = np.array([5, 5, 20, 70])
    x = np.ones((sizes.sum(), 1))
    inverse = 1.0 / (x.T @ x)
    gamma = np.array(
        [(inverse @ np.ones((1, n)) @ np.ones((n, 1)) @ inverse).item() for n in sizes]
    )
    spread = ((gamma - gamma.mean()) ** 2).mean() / gamma.mean() ** 2
    want = len(sizes) / (1 + spread)
    np.testing.assert_allclose(diagnostics.effective_number(sizes.astype(float)), want)


def test_effective_numbers_in_glance(drawn):
    row = drawn[1].glance().iloc[0]
    table = drawn[1].clusters()
    share = table["treated_share"]
    np.testing.assert_allclose(row["effective_treated_clusters"], 1 / (share**2).sum())
    assert row["effective_treated_clusters"] <= table["treated"].sum()
    assert row["effective_clusters"] <= row["n_clusters"]


def report(result):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report_design(result._view.fit)
    assert len(caught) <= 1
    return str(caught[0].message) if caught else ""


def test_a_sound_design_gives_no_warning():
    df = didjack.simulate.panel(n_clusters=30, cluster_size=6, cohorts=[4, 6], seed=2)
    assert report(fit(df)) == ""
    assert report(fit(df, vcov="analytic")) == ""
    assert report(fit(df, cluster=None)) == ""


def test_few_treated_clusters():
    df = didjack.simulate.panel(n_clusters=20, cluster_size=5, treated_clusters=4, seed=2)
    assert report(fit(df)) == ""  # tests and intervals allow for it
    text = report(fit(df, reference="t"))
    assert "4 of 20 clusters are treated: t tests can reject far too often" in text
    assert "result.clusters()" in text
    one = didjack.simulate.panel(
        n_clusters=20, cluster_size=5, cohorts=[4], treated_clusters=1, seed=2
    )
    text = report(fit(one, vcov="analytic"))
    assert "1 of 20 clusters is treated" in text
    assert "; cohort 4 is in cluster " in text
    assert "standard errors miss variation between treated clusters" in text


def test_a_dominant_cluster():
    sizes = np.full(20, 4)
    df = didjack.simulate.panel(n_clusters=20, cluster_size=sizes, treated_clusters=8, seed=3)
    large = df.loc[df["cohort"] > 0, "cluster"].min()
    df["w"] = np.where(df["cluster"] == large, 20.0, 1.0)
    text = report(fit(df, weightsname="w", vcov="analytic"))
    assert f"cluster {large} has 74% of the treated weight" in text
    assert len(text.split()) <= 30


def test_few_clusters_to_compare_with():
    df = didjack.simulate.panel(n_clusters=20, cluster_size=5, treated_clusters=17, seed=2)
    assert "3 of 20 clusters have control units" in report(fit(df, reference="t"))
    assert "control" not in report(fit(df, control_group="notyettreated"))
