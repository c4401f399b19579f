"""A new aggregation is one class; an incomplete one is not registered."""

from typing import get_args

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from small_panels import regression as fit

import didjack
from didjack import etable
from didjack.aggregation.schemes import SCHEMES, Event, Scheme, Window
from didjack.options import AggregationType, Registry

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.InferenceWarning")


class Exposure(Scheme):
    """The first two periods of treatment, and all later ones."""

    name = "exposure"
    title = "effects by length of exposure"
    label = "exposure"
    words = "exposure"
    axis_label = "exposure (0: short, 1: long)"
    keys = "numbers"
    bounds = ("max_e",)

    def component(self, table):
        return (table.time - table.cohort >= 2).astype(np.int64)


@pytest.fixture(autouse=True)
def registered():
    with SCHEMES.temporarily(Exposure()):
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def df():
    return didjack.simulate.panel(n_clusters=15, cluster_size=6, cohorts=[4, 6], seed=5)


def by_hand(result):
    """Weights of the short, the long and the overall effect by ATT(g,t)."""
    table, sizes = result.tidy(), result._fit.layout.share.sum(axis=0)
    cohorts = result._fit.layout.cohorts.tolist()
    v = np.array([sizes[cohorts.index(g)] for g in table["group"]])
    parts = [table["event_time"].isin([0, 1]), table["event_time"] >= 2]
    short, long = ((v * part / (v * part).sum()).to_numpy() for part in parts)
    return short, long, (short + long) / 2


@pytest.mark.parametrize("vcov", ["CV3", "CV3J"])
def test_toy_scheme_is_averaged_in_all_replicates(df, vcov):
    result = fit(df, vcov=vcov)
    average = result.aggregate("exposure")
    assert average.tidy()["exposure"].tolist() == [0, 1]
    got = [average.tidy().iloc[0], average.tidy().iloc[1], average.overall]
    want = [result.lincomb(weights) for weights in by_hand(result)]
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one["estimate"], other["estimate"], rtol=1e-12)
    # Cohort shares differ from replicate to replicate, where fixed weights do not.
    replicates = average.replicates()
    for h, cluster in enumerate(replicates.index[:3]):
        less = fit(df[df["cluster"] != cluster])
        again = less.aggregate("exposure")
        np.testing.assert_allclose(replicates.iloc[h, :2], again.tidy()["estimate"], rtol=1e-9)
        np.testing.assert_allclose(replicates.iloc[h, 2], again.overall["estimate"], rtol=1e-9)


def test_toy_scheme_has_analytic_errors(df):
    average = fit(df, vcov="analytic").aggregate("exposure")
    error = average.tidy()["std_error"].to_numpy()
    assert (error > 0).all()
    draws = fit(df, vcov="bootstrap", n_boot=9999).aggregate("exposure").tidy()["std_error"]
    np.testing.assert_allclose(draws, error, rtol=0.05)
    table = fit(df).aggregate("exposure").compare_vcov("all")
    np.testing.assert_allclose(table["std_error"].xs("clustered", level="vcov")[:2], error)


def test_toy_scheme_is_written_and_drawn(df):
    average = fit(df).aggregate("exposure")
    assert "effects by length of exposure" in " ".join(str(average.summary()).split())
    assert repr(average).startswith("Effects by length of exposure: reg, CV3, 15 clusters\n")
    assert r"\begin{table}" in average.to_latex()
    assert "exposure 1" in str(etable([average]))
    assert "exposure 1" in average.__maketables_coef_table__.index
    assert average.confint(joint=True).loc[1].notna().all()
    ax = average.plot(compare="analytic")
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "exposure (0: short, 1: long)"
    assert "overall ATT" in ax.get_legend_handles_labels()[1]
    for kind in ("replicates", "variance"):
        average.plot(kind=kind, coefficient=1).figure.canvas.draw()
    with pytest.raises(didjack.OptionError, match=r"not .* type 'exposure'"):
        average.honest_inputs()


def test_toy_scheme_has_the_bounds_it_says(df):
    result = fit(df)
    assert result.aggregate("exposure", max_e=1).tidy()["exposure"].tolist() == [0]
    with pytest.raises(didjack.OptionError, match="min_e=0 does not go with type 'exposure'"):
        result.aggregate("exposure", min_e=0)
    with pytest.raises(didjack.OptionError, match="must be a number or None; got"):
        Window(max_e="1").check(Exposure())


def test_a_scheme_may_label_by_periods(df):
    class Last(Exposure):
        name, keys = "last", "periods"

        def component(self, table):
            return np.where(table.time == table.time.max(), table.time, table.time.min())

    with SCHEMES.temporarily(Last()):
        average = fit(
            df.assign(
                period=df["period"] + 2000, cohort=df["cohort"].map(lambda g: g + 2000 if g else 0)
            )
        ).aggregate("last")
        assert average.tidy()["exposure"].max() == 2000 + df["period"].max()
        texts = [text.get_text() for text in average.plot().get_xticklabels()]
        assert texts == average.tidy()["exposure"].astype(str).tolist()


def test_unregistered_schemes_are_refused(df):
    with pytest.raises(didjack.OptionError, match="one of 'simple', 'event', 'group', 'calendar'"):
        fit(df).aggregate("length")


@pytest.mark.parametrize("attribute", ["title", "label", "words", "axis_label", "keys", "bounds"])
def test_incomplete_schemes_are_not_registered(attribute):
    kept = {name: value for name, value in vars(Exposure).items() if name != attribute}
    toy = type("Toy", (Scheme,), kept | {"name": "toy"})()
    with pytest.raises(TypeError, match=f"Toy does not set '{attribute}'"):
        SCHEMES.register(toy)
    assert "toy" not in SCHEMES


def test_schemes_say_what_a_component_is():
    with pytest.raises(TypeError, match="component"):
        type("Toy", (Scheme,), {"name": "toy"})()


def test_a_name_alone_makes_no_aggregation():
    names = (*get_args(AggregationType), "cohort-size")
    with pytest.raises(ValueError, match="cohort-size, but registered are"):
        Registry("type", names, Scheme, [SCHEMES[name] for name in SCHEMES])


def test_what_comes_before_treatment():
    keys = np.array([-2, -1, 0, 1])
    assert Event().before(keys).tolist() == [True, True, False, False]
    assert not Exposure().before(keys).any()


def test_labels_of_all_schemes(df):
    result = fit(df)
    for name in SCHEMES:
        average, scheme = result.aggregate(name), SCHEMES[name]
        assert average.tidy().columns[0] == scheme.label
        assert average.title == scheme.title
        pd.testing.assert_index_equal(average.vcov().index, average.confint().index)
