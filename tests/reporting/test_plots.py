"""Pictures: what is drawn, not how it looks."""

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from small_panels import regression as fit

import didjack
from didjack.estimation.fit import Fit
from didjack.reporting.plots.axes import BEFORE
from didjack.reporting.plots.points import Finish

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.InferenceWarning")


@pytest.fixture(scope="module")
def drawn():
    df = didjack.simulate.panel(
        n_clusters=15, cluster_size=5, treated_clusters={4: 1, 6: 3}, seed=5
    )
    return df, fit(df)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn_points(ax):
    """All (x, y) of lines with markers, but the caps of intervals."""
    parts = [
        np.column_stack(line.get_data())
        for line in ax.lines
        if line.get_marker() not in ("None", "_", "+") and len(line.get_xdata())
    ]
    points = np.concatenate(parts)
    return points[np.argsort(points[:, 0])]


def labels_of(ax):
    return ax.get_legend_handles_labels()[1]


def render(ax):
    ax.figure.canvas.draw()


@pytest.mark.parametrize("kind", ["event", "group", "calendar"])
@pytest.mark.parametrize("joint", [True, False])
def test_averages(drawn, kind, joint):
    result = drawn[1].aggregate(kind)
    ax = result.plot(joint=joint)
    assert isinstance(ax, Axes)
    render(ax)
    np.testing.assert_allclose(drawn_points(ax)[:, 1], result.tidy()["estimate"])
    assert ("simultaneous" in ax.get_title(loc="left")) == joint
    assert "effect on y" in ax.get_ylabel()


def test_intervals_are_those_of_confint(drawn):
    result = drawn[1].aggregate("event")
    ax = result.plot(alpha=0.1)
    drawn_ends = {
        tuple(np.round(sorted(path.vertices[:, 1]), 9))
        for lines in ax.collections
        for path in lines.get_paths()
        if np.isfinite(path.vertices).all()
    }
    for joint in (False, True):
        table = result.confint(0.1, joint=joint).iloc[:-1].dropna()
        for low, high in table.to_numpy():
            assert (round(low, 9), round(high, 9)) in drawn_ends
    assert "90%" in ax.get_title(loc="left")


def test_no_standard_error_is_a_cross(drawn):
    result = fit(drawn[0], undefined="nan").aggregate("event")
    ax = result.plot()
    assert "no standard error" in labels_of(ax)
    crosses = [line.get_xdata() for line in ax.lines if line.get_marker() == "x"]
    without = result.tidy().set_index("event_time")["std_error"].isna()
    assert set(np.concatenate(crosses)) == set(without.index[without])


def test_changes_from_one_period_to_the_next_are_open(drawn):
    def fills(ax):
        return {line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "s"}

    varying = drawn[1].aggregate("event").plot()
    assert "before treatment, one-period change" in labels_of(varying)
    assert fills(varying) == {(1.0, 1.0, 1.0, 1.0)}
    universal = fit(drawn[0], base_period="universal").aggregate("event").plot()
    assert "before treatment" in labels_of(universal)
    assert fills(universal) == {BEFORE}
    panels = fit(drawn[0], anticipation=1).plot(label="a")
    assert "one-period change" in labels_of(panels[1])
    early = fit(drawn[0], anticipation=2).plot()[0]  # periods 2 and 3 anticipate it
    assert "before treatment" in labels_of(early)
    assert "before treatment, one-period change" not in labels_of(early)


def test_reference_and_anticipation(drawn):
    result = fit(drawn[0], base_period="universal", anticipation=1)
    ax = result.aggregate("event").plot()
    render(ax)
    assert {"base period", "anticipation"} <= set(labels_of(ax))


def test_second_estimator(drawn):
    result = drawn[1].aggregate("event")
    ax = result.plot(compare="analytic")
    render(ax)
    assert "analytic, clustered, pointwise" in labels_of(ax)
    crosses = [line for line in ax.lines if line.get_marker() == "+"]
    assert len(crosses[0].get_xdata()) == len(result.tidy())


def test_given_axes(drawn):
    _, axes = plt.subplots(1, 3, figsize=(9, 3))
    event = drawn[1].aggregate("event")
    assert event.plot(ax=axes[0]) is axes[0]
    assert event.plot(ax=axes[1], kind="replicates") is axes[1]
    assert event.plot(ax=axes[2], kind="variance") is axes[2]
    assert len(plt.get_fignums()) == 1
    render(axes[0])


def test_cells(drawn):
    result = drawn[1]
    panels = result.plot(compare="CV3J")
    assert len(panels) == 2
    render(panels[0])
    table = result.tidy()
    for panel, (_, rows) in zip(panels, table.groupby("group"), strict=True):
        np.testing.assert_allclose(drawn_points(panel)[:, 1], rows["estimate"])
    _, axes = plt.subplots(1, 2)
    given = result.plot(ax=axes)
    assert list(given) == list(axes)
    with pytest.raises(didjack.OptionError, match="2 panels"):
        result.plot(ax=axes[0])


@pytest.mark.parametrize("n_cohorts", [1, 4, 7])
def test_any_number_of_panels(n_cohorts):
    df = didjack.simulate.panel(
        n_clusters=20, cluster_size=2, n_periods=10, cohorts=range(2, 2 + n_cohorts), seed=0
    )
    panels = fit(df).plot(joint=False)
    assert len(panels) == n_cohorts
    assert len(panels[0].figure.axes) == n_cohorts
    render(panels[0])
    lowest = [panel for panel in panels if panel.get_xlabel() == "period"]
    assert len(lowest) == len({round(panel.get_position().x0, 2) for panel in panels})


@pytest.mark.parametrize("n_clusters", [10, 70, 200])
def test_replicates(n_clusters):
    df = didjack.simulate.panel(n_clusters=n_clusters, cluster_size=2, seed=1)
    result = fit(df)
    ax = result.plot(kind="replicates")
    render(ax)
    most = result.influence().index[:10]
    want = result.aggregate("simple").replicates()["overall"]
    points = drawn_points(ax)
    texts = [text.get_text() for text in ax.get_yticklabels()]
    at = dict(zip(texts, ax.get_yticks(), strict=True))
    for cluster in most:
        assert want[cluster] in points[points[:, 1] == at[str(cluster)], 0]
    others = want.drop(most)
    if len(others):
        found = points[points[:, 1] == at[f"{len(others)} others"], 0]
        np.testing.assert_allclose(found, [others.min(), others.max()])
    assert len(at) == len(most) + (n_clusters > 10)
    assert "all clusters" in labels_of(ax)
    # Labels do not run into each other.
    boxes = [text.get_window_extent() for text in ax.get_yticklabels()]
    bottoms, tops = np.array([(box.y0, box.y1) for box in boxes]).T
    assert (bottoms[1:] - tops[:-1] > -2.0).all()
    labels = {text.get_text() for text in ax.get_yticklabels()}
    assert str(result.influence().index[0]) in labels


def test_replicates_that_cannot_be_had(drawn):
    cell = (4, 5)
    ax = drawn[1].plot(kind="replicates", coefficient=cell)
    render(ax)
    missing = drawn[1].replicates()[cell].isna()
    cluster = missing[missing].index[0]
    assert f"without {cluster})" in " ".join(ax.get_title(loc="left").split())
    overall = drawn[1].plot(kind="replicates")
    assert "changes which ATT(g,t) are averaged" in labels_of(overall)


@pytest.mark.parametrize("n_clusters", [10, 200])
def test_variance_adds_up(n_clusters):
    df = didjack.simulate.panel(n_clusters=n_clusters, cluster_size=2, seed=1)
    for vcov in ("CV3", "CV3J"):
        ax = fit(df, vcov=vcov).aggregate("event").plot(kind="variance", coefficient=0)
        render(ax)
        np.testing.assert_allclose(sum(bar.get_width() for bar in ax.patches), 100.0)
        assert f"share of the {vcov} variance" in ax.get_xlabel()


def test_mistakes(drawn):
    result = drawn[1]
    with pytest.raises(didjack.OptionError, match="'replicates'"):
        result.plot(kind="replicate")
    with pytest.raises(didjack.OptionError, match="one number"):
        result.aggregate("simple").plot()
    with pytest.raises(didjack.OptionError, match="there is no coefficient"):
        result.plot(kind="variance", coefficient=(1, 1))
    analytic = fit(drawn[0], vcov="analytic")
    with pytest.raises(didjack.OptionError, match="needs the jackknife"):
        analytic.plot(kind="replicates")
    with pytest.raises(didjack.OptionError, match=r"compare must be .* got 'HC1'"):
        result.plot(compare="HC1")
    with pytest.raises(didjack.OptionError, match=r"ax must be rectilinear .* got <PolarAxes"):
        result.aggregate("event").plot(plt.subplot(projection="polar"))


def test_a_second_estimator_is_estimated_once(drawn, monkeypatch):
    found = {}

    def watched(self, jackknife):
        estimated = of(self, jackknife)
        found.setdefault(jackknife, {})[id(estimated)] = estimated
        return estimated

    of = Fit.estimated
    monkeypatch.setattr(Fit, "estimated", watched)
    result = fit(drawn[0], vcov="analytic")
    result.plot(compare="CV3")
    result.aggregate("event").plot(compare="CV3J")
    result.compare_vcov("group", n_permutations=0)
    assert {jackknife: len(objects) for jackknife, objects in found.items()} == {
        False: 1,
        True: 1,
    }


# Labels, ribbons and counts ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["coefficients", "replicates", "variance"])
def test_labels_of_axes(drawn, kind):
    event = drawn[1].aggregate("event")
    ax = event.plot(kind=kind, xlabel="years since the law", ylabel="")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("years since the law", "")
    render(ax)
    assert Finish(xlabel="$g$").x("") == "$g$"  # users may write mathematics
    assert Finish().x("$g$") == r"\$g\$"  # names have none
    panels = drawn[1].plot(ylabel="effect on log homicides")
    assert panels[0].figure.get_supylabel().startswith("effect on log homicides")


def test_ribbons_are_the_intervals(drawn):
    result = drawn[1].aggregate("event")
    ax = result.plot(style="ribbon")
    render(ax)
    corners = {
        tuple(np.round(corner, 9))
        for band in ax.collections
        for corner in band.get_paths()[0].vertices
    }
    for joint in (False, True):
        table = result.confint(joint=joint).iloc[:-1].dropna()
        for event_time, ends in zip(table.index, table.to_numpy(), strict=True):
            assert {(round(event_time, 9), round(end, 9)) for end in ends} <= corners
    # Changes from period to period are not joined with effects.
    lines = [line.get_xdata() for line in ax.lines if line.get_linestyle() == "-"]
    assert [(x[0], x[-1]) for x in lines if len(x) > 2] == [(-4, -1), (0, 4)]
    universal = fit(drawn[0], base_period="universal").aggregate("event").plot(style="ribbon")
    lines = [line.get_xdata() for line in universal.lines if line.get_linestyle() == "-"]
    assert [(x[0], x[-1]) for x in lines if len(x) > 2] == [(-5, -1), (-1, 4)]


def test_clusters_are_counted_below(drawn):
    result = drawn[1]
    ax = result.aggregate("event").plot(n_clusters=True)
    render(ax)
    texts = [text.get_text() for text in ax.get_xticklabels() if "\n" in text.get_text()]
    counts = dict(text.replace("\N{MINUS SIGN}", "-").split("\n") for text in texts)
    # One cluster is treated from period 4 on, three from 6 on.
    assert counts["0"] == counts["-1"] == "4"
    assert counts["4"] == "1"
    assert counts["-4"] == "3"
    assert "below: treated clusters" in ax.get_xlabel()
    groups = result.aggregate("group").plot(n_clusters=True)
    assert [text.get_text() for text in groups.get_xticklabels()] == ["4\n1", "6\n3"]
    panels = result.plot(n_clusters=True)
    assert panels[0].get_title() == "cohort 4 (1 cluster)"
    for change in ({"n_clusters": True}, {"style": "ribbon"}):
        with pytest.raises(didjack.OptionError, match="goes with kind='coefficients'"):
            result.plot(kind="variance", **change)
    with pytest.raises(didjack.OptionError, match="style must be one of 'errorbar', 'ribbon'"):
        result.plot(style="ribbons")


def test_cohorts_with_wide_intervals_flatten_no_other():
    df = didjack.datasets.load_castle()
    res = didjack.csdid(df, "l_homicide", "year", "cohort", "sid")
    panels = res.plot()
    assert panels[0].figure.get_supylabel() == "effect on l_homicide (scales differ)"
    heights = {panel.get_title(): np.ptp(panel.get_ylim()) for panel in panels}
    assert heights["cohort 2009 (2 units)"] > 3.0 * heights["cohort 2007 (13 units)"]
    for panel, (_, rows) in zip(panels, res.confint(joint=True).groupby(level=0), strict=True):
        low, high = panel.get_ylim()
        assert rows.to_numpy().min() > low
        assert rows.to_numpy().max() < high
        assert np.ptp(rows.to_numpy()) > 0.7 * (high - low)
    whole = res.plot(joint=False, ylabel="log points", legend=False)
    assert whole[0].figure.get_supylabel() == "log points (scales differ)"


def test_panels_of_like_width_share_their_scale(drawn):
    panels = drawn[1].plot()
    limits = {panel.get_ylim() for panel in panels}
    spans = [np.ptp(panel.get_ylim()) for panel in panels]
    differ = "scales differ" in panels[0].figure.get_supylabel()
    assert (len(limits) > 1) == differ == (max(spans) > 3.0 * min(spans))


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_legend_of_a_small_figure_is_below(drawn, style):
    with plt.style.context(style):
        ax = plt.subplots(figsize=(3.5, 2.4), layout="constrained")[1]
        drawn[1].aggregate("event").plot(ax)
        render(ax)
    legend = ax.get_legend().get_window_extent()
    assert legend.y1 < ax.xaxis.label.get_window_extent().y0
    assert legend.y0 >= 0.0
    assert legend.x1 <= ax.figure.bbox.width


def test_histogram_of_other_assignments():
    df = didjack.simulate.panel(n_clusters=10, cluster_size=2, treated_clusters={4: 2}, seed=3)
    effects = fit(df)
    result = effects.aggregate("event")
    test = result.randomization_test()
    ax = result.plot(kind="randomization", xlabel="t")
    (bars,) = ax.containers
    heights = [bar.get_height() for bar in bars]
    assert sum(heights) == test.n_assignments - 1
    assert ax.lines[0].get_xdata()[0] == test.statistic
    size = abs(test.statistic)
    beyond = sum(
        height
        for bar, height in zip(bars, heights, strict=True)
        if bar.get_x() >= size - 1e-9 or bar.get_x() + bar.get_width() <= -size + 1e-9
    )
    assert (beyond + 1) / test.n_assignments == pytest.approx(test.p_value)
    assert test.n_assignments == 45  # all of them
    assert effects.plot(ax, kind="randomization") is ax
    with pytest.raises(didjack.OptionError, match="goes with kind='coefficients'"):
        result.plot(kind="randomization", label="a")


def test_histogram_of_placebos():
    df = didjack.simulate.panel(n_clusters=25, cluster_size=6, treated_clusters={4: 1}, seed=3)
    result = fit(df).aggregate("simple")
    test = result.placebo_test()
    ax = result.plot(kind="placebo")
    (bars,) = ax.containers
    assert sum(bar.get_height() for bar in bars) == test.n_placebos
    at = sorted(line.get_xdata()[0] for line in ax.lines)
    np.testing.assert_allclose(at, sorted([test.estimate, -test.estimate]))
    # No bar goes across the estimate: those beyond it are the placebos that are larger.
    edges = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
    size = abs(test.estimate)
    for low, high in edges:
        assert not low + 1e-9 < size < high - 1e-9
        assert not low + 1e-9 < -size < high - 1e-9
    beyond = sum(
        bar.get_height()
        for bar, (low, high) in zip(bars, edges, strict=True)
        if low >= size - 1e-9 or high <= -size + 1e-9
    )
    assert (beyond + 1) / (test.n_placebos + 1) == pytest.approx(test.p_value)
