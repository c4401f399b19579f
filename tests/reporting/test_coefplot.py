"""Several results in one picture: by `coefplot`, and by calls of `plot` on the same axes."""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

sys.path.insert(0, str(Path(__file__).parent))
from pictures import event, small, three, wild

import didjack
from didjack import OptionError
from didjack.reporting.plots.guides import core
from didjack.reporting.plots.points import MARKERS, PALETTE

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.InferenceWarning")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def estimates(ax, colour):
    """All (x, y) of markers in a colour, by x."""
    parts = [
        np.column_stack(line.get_data())
        for line in ax.lines
        if line.get_marker() not in ("None", "_")
        and len(line.get_xdata())
        and to_hex(line.get_color()) == to_hex(colour)
    ]
    points = np.concatenate(parts)
    return points[np.argsort(points[:, 0])]


# coefplot -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["event", "group", "calendar"])
def test_each_result_is_drawn_beside_the_place_of_its_labels(kind):
    results = three(kind)
    colours = ["#111111", "#222222", "#333333"]
    ax = didjack.coefplot(results, colors=colours, joint=False)
    assert legend_texts(ax)[:3] == list(results)
    shifts = []
    for result, colour in zip(results.values(), colours, strict=True):
        table = result.tidy()
        found = estimates(ax, colour)
        shown = table[~result._view.base[: len(table)]]
        np.testing.assert_allclose(found[:, 1], shown["estimate"])
        at = shown["event_time"] if kind == "event" else shown.index
        shift = found[:, 0] - at.to_numpy()
        assert np.ptp(shift) == pytest.approx(0.0, abs=1e-12)
        shifts.append(shift[0])
    np.testing.assert_allclose(shifts, [-0.22, 0.0, 0.22])


def test_labels_and_ribbons():
    results = three("event")
    ax = didjack.coefplot(results, xlabel="years", ylabel="effect", style="ribbon", joint=False)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("years", "effect")
    bands = [band for band in ax.collections if band.get_label().startswith("_")]
    assert len(bands) >= 2 * len(results)
    with pytest.raises(OptionError, match="style='ribbon' is for several coefficients"):
        didjack.coefplot(three("simple"), style="ribbon")


def test_the_base_period_has_one_mark():
    universal, early = (
        event(base_period="universal"),
        event(base_period="universal", anticipation=1),
    )
    ax = didjack.coefplot({"a": universal, "b": universal, "c": early, "d": early}, joint=False)
    marks = [line.get_xdata() for line in ax.lines if line.get_marker() == "D"]
    bases = [x for x in np.concatenate(marks) if x == round(x)]
    assert sorted(bases) == [-2.0, -1.0]
    panels = didjack.coefplot(
        {"a": small(base_period="universal"), "b": small(base_period="universal")}
    )
    for panel in panels:
        marks = [line.get_xdata() for line in panel.lines if line.get_marker() == "D"]
        assert len([x for x in np.concatenate(marks) if x == round(x)]) == 1


def test_simple_averages_stand_above_their_names():
    results = three("simple")
    ax = didjack.coefplot(results)
    assert [text.get_text() for text in ax.get_xticklabels()] == list(results)
    marked = [line for line in ax.lines if line.get_marker() in MARKERS and len(line.get_xdata())]
    found = {int(line.get_xdata()[0]): line.get_ydata()[0] for line in marked}
    want = [result.overall["estimate"] for result in results.values()]
    np.testing.assert_allclose([found[at] for at in range(3)], want)


def test_cells_are_in_the_panels_of_their_cohorts():
    results = three()
    panels = didjack.coefplot(results, colors={"universal": "red"}, title="ATT(g,t)")
    assert len(panels) == 2
    figure = panels[0].figure
    assert figure.get_suptitle() == "ATT(g,t)"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:3] == list(results)
    table = results["universal"].tidy()
    for panel, (_, rows) in zip(panels, table.groupby("group"), strict=True):
        kept = rows[rows["std_error"].notna()]
        np.testing.assert_allclose(estimates(panel, "red")[:, 1], kept["estimate"])
        assert panel.get_ylim() == panels[0].get_ylim()


def test_labels_that_some_results_lack():
    whole = small().aggregate("event")
    part = small().aggregate("event", min_e=0, max_e=2)
    ax = didjack.coefplot({"part": part, "whole": whole}, colors=["red", "blue"], joint=False)
    assert len(estimates(ax, "red")) == 3
    np.testing.assert_allclose(estimates(ax, "red")[:, 0], np.arange(3) - 0.11)
    assert ax.get_xlim()[0] < -4


def test_default_colours_differ_without_colour():
    colours = [to_rgb("black" if colour == "ink" else colour) for colour in PALETTE]
    grey = [np.dot(colour, [0.2126, 0.7152, 0.0722]) for colour in colours]
    assert (np.abs(np.diff(grey[:3])) > 0.2).all()
    looks = {(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) for i in range(56)}
    assert len(looks) == 56


def test_titles_say_what_differs():
    a, b = event(), event(vcov="analytic")
    title = didjack.coefplot({"a": a, "b": a}).get_title(loc="left")
    assert title == "95% intervals (CV3): pointwise (thick), simultaneous (thin)"
    title = didjack.coefplot({"a": a, "b": b}, joint=False).get_title(loc="left")
    assert title == "95% intervals: pointwise\na: CV3; b: analytic, clustered"
    other = event(alpha=0.1)
    title = didjack.coefplot({"a": a, "b": other}, joint=False).get_title(loc="left")
    assert title == "intervals (CV3): pointwise\na: 95%; b: 90%"
    title = didjack.coefplot({"a": a, "b": other}, alpha=0.2, joint=False).get_title(loc="left")
    assert title == "80% pointwise intervals (CV3)"
    assert didjack.coefplot({"a": a}, title="").get_title(loc="left") == ""
    assert didjack.coefplot({"a": a}, legend=False).get_legend() is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results": [1]}, r"results\['\(1\)'\] must be what csdid\(\) or aggregate\(\) .* got 1"),
        ({"results": {}}, "results must be a result, .* got {}"),
        ({"results": {"a": 1}}, r"results\['a'\] must be .* got 1"),
        ({"results": {1: None}}, "names of results must be strings; got 1"),
        ({"results": {"a": np.arange(3)}}, r"results\['a'\] must be .* got array\("),
        ({"results": {"_a": event()}}, "without leading underscore.* got '_a', which matplotlib"),
        ({"ax": 3}, "ax must be rectilinear matplotlib Axes.* got 3"),
        ({"alpha": 0.95}, "alpha must be .* got 0.95"),
        ({"joint": "yes"}, "joint must be .* got 'yes'"),
        ({"colors": ["red"]}, r"colors must be .*one for each of 2 results; got \['red'\]"),
        ({"colors": "red"}, "colors must be .* got 'red'"),
        ({"colors": ["red", "nocolour"]}, "colors must be a colour of .* got 'nocolour'"),
        ({"colors": {"c": "red"}}, "colors has 'c', which are not results"),
        ({"markers": ["o", "x"]}, "markers must be one of .* got 'x'"),
        ({"title": 3}, "title must be a string or None; got 3"),
        ({"legend": 1}, "legend must be .* got 1"),
        ({"xlabel": 1}, "xlabel must be a string or None; got 1"),
        ({"style": "line"}, "style must be one of 'errorbar', 'ribbon'"),
        ({"colours": ["red", "blue"]}, r"'colours' \(did you mean 'colors'\?\)"),
    ],
)
def test_bad_arguments(change, message):
    given = {"results": {"a": event(), "b": event(vcov="analytic")}} | change
    before = plt.get_fignums()
    with pytest.raises(OptionError, match=message):
        didjack.coefplot(**given)
    assert plt.get_fignums() == before


def test_results_of_several_kinds():
    with pytest.raises(OptionError, match=r"several kinds: event study \('a'\), group effects"):
        didjack.coefplot({"a": event(), "b": small().aggregate("group")})
    early = small().aggregate("event", max_e=-1)
    late = small().aggregate("event", min_e=1)
    with pytest.raises(OptionError, match="no label in common"):
        didjack.coefplot({"a": early, "b": late})


# plot, several times --------------------------------------------------------------------------


def test_results_are_put_beside_each_other():
    ax = event().plot(label="first", color="red", offset=-0.1)
    assert event(vcov="analytic").plot(ax, label="second", marker="^", offset=0.1) is ax
    assert legend_texts(ax)[:2] == ["first", "second"]
    np.testing.assert_allclose(estimates(ax, "red")[:, 0] + 0.1, event().tidy()["event_time"])
    assert ax.get_title(loc="left").endswith("first: CV3; second: analytic, clustered")
    second = next(line for line in ax.lines if line.get_label() == "second")
    assert second.get_marker() == "^"
    assert PALETTE[1] == "ink"
    assert second.get_color() == ax.xaxis.label.get_color()
    # One zero line, and as wide as before.
    assert ax.get_xlim() == event().plot().get_xlim()


def test_panels_are_given_again():
    panels = small().plot(label="varying", offset=-0.1)
    again = small(base_period="universal").plot(panels, label="universal", offset=0.1)
    assert list(again) == list(panels)
    figure = panels[0].figure
    assert len(figure.legends) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == [
        "varying",
        "universal",
    ]
    with pytest.raises(OptionError, match="label='universal' is taken"):
        small().plot(panels, label="universal")


def test_what_does_not_go_together():
    ax = event().plot()
    with pytest.raises(OptionError, match="ax shows event study; group effects need axes"):
        small().aggregate("group").plot(ax)
    ax = small().aggregate("calendar").plot(label="a")
    whole = small(base_period="universal", anticipation=1)
    assert whole.aggregate("calendar").plot(ax, label="b", offset=0.2) is ax
    figure = small().plot()[0].figure
    with pytest.raises(OptionError, match="ax is a figure that shows something already"):
        small().plot(figure)


def test_given_figures_and_arrays():
    figure = plt.figure()
    panels = small().plot(figure)
    assert {panel.figure for panel in panels} == {figure}
    assert figure.get_layout_engine() is not None
    _, axes = plt.subplots(1, 2)
    small().plot(axes)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert axes[0].get_legend() is None
    assert axes[1].get_legend().get_title().get_text().startswith("95% intervals")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, "label must be a string or None; got 3"),
        ({"color": "nocolour"}, "color must be .* got 'nocolour'"),
        ({"marker": "x"}, "marker must be one of .* got 'x'"),
        ({"offset": 0.5}, "offset must be a number between -0.5 and 0.5; got 0.5"),
        ({"offset": "left"}, "offset must be .* got 'left'"),
        ({"offset": np.nan}, "offset must be .* got nan"),
        ({"title": 3}, "title must be a string or None; got 3"),
        ({"legend": "no"}, "legend must be .* got 'no'"),
        ({"joint": 1}, "joint must be .* got 1"),
        ({"ax": "here"}, "ax must be rectilinear .* got 'here'"),
        ({"coefficient": 1}, "coefficient=1 goes with kind='replicates' and kind='variance'"),
        ({"kind": "variance", "label": "a"}, "label='a' goes with kind='coefficients', not"),
        ({"kind": "replicates", "offset": 0.1}, "offset=0.1 goes with kind='coefficients'"),
        ({"kind": "placebo", "compare": "CV3"}, "compare='CV3' goes with kind='coefficients'"),
        ({"colour": "red"}, r"'colour' \(did you mean 'color'\?\)"),
    ],
)
@pytest.mark.parametrize("result", [event, small])
def test_bad_arguments_of_plot(result, change, message):
    before = plt.get_fignums()
    with pytest.raises(OptionError, match=message):
        result().plot(**change)
    assert plt.get_fignums() == before


@pytest.mark.parametrize("kind", ["replicates", "variance"])
def test_titles_name_the_coefficient(kind):
    for result, coefficient, name in (
        (event(), 2, "Event time 2"),
        (small().aggregate("group"), 4, "Cohort 4"),
        (small(), (4, 5), "ATT(4, 5)"),
        (event(), None, "Overall ATT"),
    ):
        title = result.plot(kind=kind, coefficient=coefficient).get_title(loc="left")
        assert title.startswith(name)
    ax = event().plot(kind=kind, title="mine", legend=False)
    assert (ax.get_title(loc="left"), ax.get_legend()) == ("mine", None)


# Wild intervals -------------------------------------------------------------------------------


def test_two_wild_outcomes_flatten_nothing():
    result = wild().aggregate("event")
    ax = result.plot()
    table = result.tidy().set_index("event_time")
    low, high = ax.get_ylim()
    tame = table.drop(index=[3, 5])
    assert tame["conf_low"].min() > low
    assert tame["conf_high"].max() < high < 20
    assert legend_texts(ax)[-1] == "value beyond the axis"
    numbers = {text.get_text().replace("\N{MINUS SIGN}", "-") for text in ax.texts}
    assert numbers == {f"{table.loc[e, 'estimate']:.3g}" for e in (3, 5)}
    # A second result does not leave the first one's marks behind.
    wild().aggregate("event").plot(ax, label="again", offset=0.2)
    assert len(ax.texts) == 4


def test_limits_that_are_set_are_kept():
    _, ax = plt.subplots()
    ax.set_ylim(-1.0, 1.0)
    wild().aggregate("event").plot(ax)
    assert ax.get_ylim() == (-1.0, 1.0)
    assert len(ax.texts) > 2


def test_ordinary_intervals_are_shown_whole():
    low, high = -np.arange(1.0, 9.0), np.arange(1.0, 9.0) ** 1.5
    assert core(low, high) is None
    assert core(np.array([-1.0, -900.0]), np.array([1.0, 900.0])) is None
    assert core(np.full(3, np.nan), np.full(3, np.nan)) is None
    assert core(np.zeros(9), np.zeros(9)) is None


@pytest.mark.parametrize("name", ["$$x$$", r"$\frac{1}{0}$", "$5 and $6", r"$\nosuch$", "\udce9"])
def test_names_of_results_are_no_mathematics(name):
    ax = didjack.coefplot({name: event(), "b": event()})
    ax.figure.canvas.draw()
    shown = [text.get_text().replace(r"\$", "$") for text in ax.get_legend().get_texts()]
    assert name.encode("utf-8", "backslashreplace").decode() in shown
