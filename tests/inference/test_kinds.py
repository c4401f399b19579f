"""A new kind of variance is one class; an incomplete one is not registered."""

from typing import get_args

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from small_panels import regression as fit

import didjack
from didjack import etable, options
from didjack.inference.statistics import Variance
from didjack.inference.variance import KINDS
from didjack.inference.variance.base import VarianceKind
from didjack.options import JACKKNIFE, Registry, Vcov

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.InferenceWarning")


class CV1(VarianceKind):
    """Clustered influence with the factor G / (G - 1)."""

    name = "CV1"
    needs_replicates = False
    parts = "clusters"

    def rows(self, evidence):
        n = len(evidence.influence)
        return evidence.influence * np.sqrt(n / (n - 1))

    def variance(self, inputs):
        error = np.sqrt((inputs.rows**2).sum(axis=0))
        df = np.full(error.size, len(inputs.rows) - 1.0)
        return Variance(error, df, np.zeros(error.size, dtype=np.int64))

    def covariance(self, inputs):
        return inputs.rows.T @ inputs.rows

    def n_independent(self, inputs):
        return len(inputs.rows)

    def note(self, inputs):
        return f"CV1 with {len(inputs.rows)} {self.parts}."


@pytest.fixture(autouse=True)
def registered():
    with KINDS.temporarily(CV1()):
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def df():
    return didjack.simulate.panel(n_clusters=15, cluster_size=6, cohorts=[4, 6], seed=5)


@pytest.mark.parametrize("kind", [None, "simple", "event", "group", "calendar"])
def test_toy_kind_runs_the_whole_path(df, kind):
    result, analytic = fit(df, vcov="CV1"), fit(df, vcov="analytic")
    if kind is not None:
        result, analytic = result.aggregate(kind), analytic.aggregate(kind)
    table, other = result._statistics(), analytic._statistics()
    np.testing.assert_allclose(table["std_error"], other["std_error"] * np.sqrt(15 / 14))
    assert (table["df"] == 14).all()
    np.testing.assert_allclose(analytic.vcov("CV1"), analytic.vcov() * 15 / 14, rtol=1e-12)
    band = result.confint(joint=True)
    assert band.attrs["critical_value"] >= 2.144
    first = result._targets.index[0]
    np.testing.assert_allclose(
        result.wald_test({first: 1})["statistic"], table["statistic"].iloc[0] ** 2
    )
    np.testing.assert_allclose(result.lincomb({first: 2})["std_error"], 2 * table["std_error"][0])


def test_toy_kind_is_written_and_drawn(df):
    event = fit(df, vcov="CV1").aggregate("event")
    assert "CV1 with 15 clusters." in str(event.summary())
    assert "Standard errors CV1" in " ".join(str(event.summary()).split())
    assert "CV1 standard errors in parentheses." in str(etable([event]))
    assert event.__maketables_stat__("se_type") == "CV1, by cluster"
    assert event.glance()["vcov"].tolist() == ["CV1"]
    assert "(CV1)" in event.plot().get_title(loc="left")
    ax = fit(df).aggregate("event").plot(compare="CV1")
    assert "CV1, pointwise" in ax.get_legend_handles_labels()[1]
    assert event.clusters()["variance_share"].isna().all()


def test_toy_kind_has_no_replicates(df):
    event = fit(df, vcov="CV1").aggregate("event")
    for call in (event.replicates, event.influence, lambda: event.plot(kind="variance")):
        with pytest.raises(didjack.OptionError, match=r"needs the jackknife; .* vcov='CV1'"):
            call()


def test_toy_kind_stands_beside_the_others(df):
    table = fit(df).compare_vcov("event", n_permutations=0)
    analytic, jackknife = ["analytic", "clustered", "bootstrap"], ["CV3, t(R-1)", "CV3, model"]
    assert list(table.index) == [*analytic, "CV1", "CV3J", *jackknife]
    ratio = table.loc["CV1", "std_error"] / table.loc["clustered", "std_error"]
    np.testing.assert_allclose(ratio, np.sqrt(15 / 14))


def test_more_restrictions_than_parts(df):
    few = df[df["cluster"].isin(df["cluster"].unique()[:8])]
    with pytest.warns(didjack.InferenceWarning, match="with 8 clusters, which allow 7 at most"):
        assert np.isnan(fit(few, vcov="CV1").wald_test()["p_value"])


def test_replicates_are_made_for_the_kinds_that_need_them():
    assert tuple(name for name in KINDS if KINDS[name].needs_replicates) == JACKKNIFE


def test_a_toy_kind_from_replicates(df, monkeypatch):
    monkeypatch.setattr(options, "JACKKNIFE", (*JACKKNIFE, "squares"))

    class Squares(type(KINDS["CV3"])):
        name = "squares"

        def note(self, inputs):
            return f"Sum of {len(inputs.rows) - 1} squares."

    with KINDS.temporarily(Squares()):
        result = fit(df, vcov="squares").aggregate("event")
        np.testing.assert_array_equal(result.vcov(), result.vcov("CV3"))
        assert "Sum of 15 squares." in str(result.summary())
        assert result.replicates().shape[0] == 15
        result.plot(kind="variance")
        analytic = fit(df, vcov="analytic").aggregate("event")
        np.testing.assert_array_equal(analytic.vcov("squares"), result.vcov())


def test_unregistered_kinds_are_refused(df):
    for call in (
        lambda: fit(df, vcov="HC3"),
        lambda: fit(df).vcov("HC3"),
        lambda: fit(df).aggregate("event").plot(compare="HC3"),
    ):
        with pytest.raises(didjack.OptionError, match=r"must be one of 'CV3', .* got 'HC3'"):
            call()


@pytest.mark.parametrize("attribute", ["needs_replicates", "parts"])
def test_incomplete_kinds_are_not_registered(attribute):
    kept = {name: value for name, value in vars(CV1).items() if name != attribute}
    toy = type("Toy", (VarianceKind,), kept | {"name": "toy"})()
    with pytest.raises(TypeError, match=f"Toy does not set '{attribute}'"):
        KINDS.register(toy)
    assert "toy" not in KINDS


@pytest.mark.parametrize("method", ["rows", "variance", "covariance", "n_independent", "note"])
def test_kinds_have_all_methods(method):
    kept = {name: value for name, value in vars(CV1).items() if name != method}
    with pytest.raises(TypeError, match=method):
        type("Toy", (VarianceKind,), kept | {"name": "toy"})()


def test_a_name_alone_makes_no_variance():
    names = (*get_args(Vcov), "CV1", "CV2")
    with pytest.raises(ValueError, match="CV2, but registered are"):
        Registry("vcov", names, VarianceKind, [KINDS[name] for name in KINDS])
