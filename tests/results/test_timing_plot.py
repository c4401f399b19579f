"""Who is treated when: what is read from a table, and what is drawn of it."""

from itertools import pairwise

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest

import didjack
from didjack.data.timing import read_timing
from didjack.options import SampleOptions

CASTLE = {"tname": "year", "gname": "cohort", "idname": "sid", "cluster": "state"}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def castle():
    return didjack.datasets.load_castle()


def tiles(ax):
    """Shares that are drawn, (rows, periods)."""
    return ax.collections[0].get_array()


def test_treatment_and_means(castle):
    weighted = {**CASTLE, "yname": "l_homicide", "weightsname": "popwt"}
    timing = read_timing(castle, SampleOptions(**weighted))
    assert timing.cohorts == [2006, 2007, 2008, 2009, 2010, None]
    assert timing.n_units.tolist() == timing.n_clusters.tolist() == [1, 13, 4, 2, 1, 29]
    shares = castle.pivot_table(index="cohort", columns="year", values="post")
    np.testing.assert_array_equal(timing.by_cohort, shares.loc[[*range(2006, 2011), 0]])
    total = castle.assign(wy=castle["l_homicide"] * castle["popwt"])
    sums = total.groupby(["cohort", "year"])[["wy", "popwt"]].sum()
    means = (sums["wy"] / sums["popwt"]).unstack().loc[[*range(2006, 2011), 0]]
    np.testing.assert_allclose(timing.means, means)
    states = castle.pivot_table(index="state", columns="year", values="post")
    np.testing.assert_array_equal(timing.by_cluster, states.loc[timing.clusters])
    assert timing.clusters[0] == "Florida"
    assert list(timing.clusters[-29:]) == sorted(timing.clusters[-29:])


def test_rows_are_cohorts_or_clusters(castle):
    (ax,) = didjack.timing_plot(castle, **CASTLE)
    assert tiles(ax).shape == (6, 11)
    assert ax.get_yticklabels()[-1].get_text() == "never treated (29 clusters)"
    panels = didjack.timing_plot(castle, **CASTLE, rows="cluster", yname="l_homicide")
    assert tiles(panels[0]).shape == (50, 11)
    assert len(panels[1].get_legend().get_texts()) == 6
    panels[0].figure.canvas.draw()
    boxes = [text.get_window_extent() for text in panels[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 2.0 for upper, lower in pairwise(boxes))


def test_what_is_not_observed_is_not_drawn(castle):
    gone = castle[(castle["state"] != "Florida") | (castle["year"] < 2009)]
    (ax,) = didjack.timing_plot(gone, **CASTLE)
    assert np.ma.getmaskarray(tiles(ax)).sum() == 2
    dropped = castle.assign(l_homicide=castle["l_homicide"].mask(castle["year"] == 2003))
    panels = didjack.timing_plot(dropped, **CASTLE, yname="l_homicide")
    assert tiles(panels[0]).shape == (6, 10)


@pytest.mark.parametrize("kind", ["dates", "polars", "missing", "rows"])
def test_tables_of_many_kinds(castle, kind):
    df, names = castle, dict(CASTLE)
    if kind == "dates":
        dates = {
            name: pd.to_datetime(castle[name].replace(0, 2262), format="%Y") for name in ("year",)
        }
        cohort = castle["cohort"].where(castle["cohort"] > 0)
        df = castle.assign(**dates, cohort=pd.to_datetime(cohort, format="%Y"))
    elif kind == "polars":
        df = pl.from_pandas(castle)
    elif kind == "missing":
        df = castle.assign(cohort=castle["cohort"].where(castle["cohort"] > 0))
    else:
        names = {"tname": "year", "gname": "cohort"}
    (ax,) = didjack.timing_plot(df, **names)
    want = castle.pivot_table(index="cohort", columns="year", values="post")
    np.testing.assert_array_equal(tiles(ax), want.loc[[*range(2006, 2011), 0]])
    count = "29 clusters" if kind != "rows" else "319 rows"
    assert ax.get_yticklabels()[-1].get_text() == f"never treated ({count})"


def test_given_axes_and_words(castle):
    axes = plt.subplots(2, 1, layout="constrained")[1]
    panels = didjack.timing_plot(
        *(castle, "year", "cohort", "sid"),
        yname="l_homicide",
        ax=axes,
        title="$x",
        ylabel="log homicides",
        legend=False,
    )
    assert list(panels) == list(axes)
    assert panels[0].get_title(loc="left") == r"\$x"
    assert panels[1].get_ylabel() == "log homicides"
    assert panels[0].get_legend() is panels[1].get_legend() is None
    assert panels[0].get_yticklabels()[1].get_text() == "2007 (13 units)"
    figure = plt.figure()
    panels = didjack.timing_plot(castle, **CASTLE, yname="l_homicide", ax=figure)
    assert {panel.figure for panel in panels} == {figure}


def test_many_cohorts_have_their_own_colours():
    df = didjack.simulate.panel(
        n_clusters=40, cluster_size=1, n_periods=14, cohorts=range(2, 14), seed=0
    )
    panels = didjack.timing_plot(df, "period", "cohort", "id", yname="y")
    handles = panels[1].get_legend().legend_handles
    assert len({str(handle.get_color()) for handle in handles}) == 13


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rows": "state"}, didjack.OptionError, "rows must be one of 'cohort', 'cluster'"),
        ({"gname": "post"}, didjack.DataError, "holds only 0 and 1, like a treatment dummy"),
        ({"yname": "homicides"}, didjack.DataError, "did you mean 'homicide'"),
        ({"ax": 3}, didjack.OptionError, "ax must be rectilinear"),
        ({"weightsname": "state"}, didjack.DataError, "weightsname 'state'"),
        ({"idname": "year"}, didjack.OptionError, "tname and idname are the same column"),
    ],
)
def test_mistakes(castle, change, error, message):
    before = plt.get_fignums()
    with pytest.raises(error, match=message):
        didjack.timing_plot(castle, **{**CASTLE, **change})
    assert plt.get_fignums() == before


def test_clusters_need_a_column(castle):
    with pytest.raises(didjack.OptionError, match="rows='cluster' needs a cluster"):
        didjack.timing_plot(castle, "year", "cohort", rows="cluster")
    gone = castle.assign(l_homicide=np.nan)
    with pytest.raises(didjack.DataError, match="no row has all"):
        didjack.timing_plot(gone, "year", "cohort", yname="l_homicide")
