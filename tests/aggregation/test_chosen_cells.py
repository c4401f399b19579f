"""Aggregations of chosen cohorts and event times, and of bins: by hand, in every replicate."""

import re

import numpy as np
import pandas as pd
import pytest

import didjack
from didjack import simulate
from didjack.aggregation.schemes import Window, read_bins

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id", "cluster": "cluster"}


def fit(df, **options):
    return didjack.csdid(df, **NAMES | {"est_method": "reg"} | options)


@pytest.fixture(scope="module")
def df():
    return simulate.panel(
        n_clusters=14, cluster_size=6, n_periods=7, cohorts=[3, 4, 6], size_dispersion=0.4, seed=2
    )


@pytest.fixture(scope="module")
def result(df):
    return fit(df)


def by_hand(df, chosen, weighted=True):
    """Average chosen ATT(g,t) with the shares of their cohorts: full sample, then each refit."""
    found = []
    for cluster in [None, *sorted(df["cluster"].unique())]:
        rest = df if cluster is None else df[df["cluster"] != cluster]
        cells = fit(rest, vcov="analytic").tidy()
        share = rest.groupby("cohort")["id"].nunique()
        cells = cells[chosen(cells["group"], cells["event_time"])]
        weights = cells["group"].map(share) if weighted else None
        found.append(np.average(cells["estimate"], weights=weights))
    return np.array(found)


def in_replicates(result, label="overall"):
    return np.append(result.coef()[label], result.replicates()[label])


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"cohorts": [3, 6]}, lambda g, e: g.isin([3, 6]) & (e >= 0)),
        ({"event_times": [0, 2]}, lambda g, e: e.isin([0, 2])),
        ({"cohorts": [3, 4], "event_times": [1]}, lambda g, e: g.isin([3, 4]) & (e == 1)),
        ({"min_e": 1}, lambda g, e: e >= 1),
        ({"min_e": 1, "max_e": 2}, lambda g, e: (e >= 1) & (e <= 2)),
        ({"min_e": -2}, lambda g, e: e >= 0),
    ],
)
def test_simple_averages_of_chosen_cells(df, result, options, chosen):
    found = result.aggregate("simple", **options)
    np.testing.assert_allclose(in_replicates(found), by_hand(df, chosen), rtol=1e-9)
    assert found.overall["std_error"] > 0


def test_bins_average_their_cells(df, result):
    found = result.aggregate("event", bins=[(2, 9), (-4, -2), (0, 1)])
    assert found.coef().index.tolist() == ["-4 to -2", "0 to 1", "2 to 9", "overall"]
    for label, low, high in [("-4 to -2", -4, -2), ("0 to 1", 0, 1), ("2 to 9", 2, 9)]:
        want = by_hand(df, lambda g, e, a=low, b=high: (e >= a) & (e <= b))
        np.testing.assert_allclose(in_replicates(found, label), want, rtol=1e-9)
    mean = (in_replicates(found, "0 to 1") + in_replicates(found, "2 to 9")) / 2
    np.testing.assert_allclose(in_replicates(found), mean, rtol=1e-12)


def test_cohorts_in_other_aggregations(df, result):
    for kind in ("event", "group", "calendar"):
        part = result.aggregate(kind, cohorts=[4, 6])
        alone = fit(df[df["cohort"] != 3]).aggregate(kind)
        pd.testing.assert_series_equal(part.coef(), alone.coef(), check_index_type=False)
    late = result.aggregate("group", min_e=2)
    assert late.coef().index.tolist() == [3, 4, "overall"]
    want = by_hand(df, lambda g, e: (g == 3) & (e >= 2), weighted=False)
    np.testing.assert_allclose(in_replicates(late, 3), want, rtol=1e-9)


@pytest.mark.parametrize("vcov", ["CV3", "analytic", "bootstrap"])
def test_bins_of_one_event_time_are_event_times(result, vcov):
    result = result.with_options(vcov=vcov)
    plain = result.aggregate("event", min_e=-2, max_e=2)
    bins = result.aggregate("event", bins=range(-2, 3))
    pd.testing.assert_frame_equal(
        plain.tidy(overall=True, joint=True).drop(columns="event_time"),
        bins.tidy(overall=True, joint=True).drop(columns="event_time"),
    )
    np.testing.assert_allclose(plain.vcov(), bins.vcov())
    test, other = plain.pretest(), bins.pretest()
    assert (test.p_value, str(test.lead)) == (other.p_value, other.lead)


@pytest.mark.parametrize("vcov", ["CV3", "analytic"])
def test_all_cohorts_and_event_times_are_the_simple_average(result, vcov):
    result = result.with_options(vcov=vcov)
    want = result.aggregate("simple").overall
    e = sorted({e for e in result.tidy()["event_time"] if e >= 0})
    for found in (
        result.aggregate("simple", cohorts=[3, 4, 6], event_times=e),
        result.aggregate("simple", min_e=0),
        result.aggregate("event", bins=[(0, np.inf)]),
    ):
        for name in ("estimate", "std_error", "p_value", "conf_low"):
            assert found.overall[name] == pytest.approx(want[name], rel=1e-9)


def test_analytic_errors_of_a_bin_are_those_of_the_simple_average(result):
    result = result.with_options(vcov="analytic")
    bins = result.aggregate("event", bins=[(0, 1), (2, 3)])
    for label, e in (("0 to 1", [0, 1]), ("2 to 3", [2, 3])):
        want = result.aggregate("simple", event_times=e).overall["std_error"]
        assert bins.se()[label] == pytest.approx(want)


def test_bins_in_words(result):
    assert read_bins([(3, np.inf), (-np.inf, -2), 0]) == ((-np.inf, -2), (0, 0), (3, np.inf))
    found = result.aggregate("event", bins=[(2, np.inf), (-np.inf, -2), 0])
    assert found.coef().index.tolist() == ["-2 or less", "0", "2 or more", "overall"]
    assert found.lincomb({"2 or more": 1, "0": -1})["std_error"] > 0
    assert found.window.scheme("event").title == "event study"
    assert "event time 2 or more" in str(found.summary())
    ax = found.plot(joint=False)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-2 or less", "0", "2 or more"]
    with pytest.raises(didjack.OptionError, match="single event times"):
        found.trend_sensitivity()
    with pytest.raises(didjack.OptionError, match="single event times"):
        found.honest_inputs()


def test_cohorts_are_named_as_in_the_data(df):
    years = {t: pd.Timestamp(2000 + t, 1, 1) for t in range(1, 8)}
    dates = df.assign(period=df["period"].map(years), cohort=df["cohort"].map(years))
    found = fit(dates).aggregate("simple", cohorts=[pd.Timestamp("2003-01-01"), years[6]])
    want = fit(df).aggregate("simple", cohorts=[3, 6])
    assert found.overall["estimate"] == pytest.approx(want.overall["estimate"])
    printed = fit(dates).aggregate("simple", cohorts=["2003-01-01", "2006-01-01"])
    of_numpy = np.array([years[3], years[6]], dtype="datetime64[ns]")
    assert printed.window == found.window
    assert fit(dates).aggregate("simple", cohorts=of_numpy).window == found.window
    assert fit(df).aggregate("simple", cohorts=["3", 6]).window == want.window
    text = str(didjack.etable([found, fit(dates).aggregate("simple")]))
    assert re.search(r"Cohorts +2003-01-01, 2006-01-01 +all", text)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("simple", {"cohorts": [3, 5, 9]}, "cohorts has 2 of 3 values without any ATT(g,t) here: "),
        ("simple", {"cohorts": []}, "cohorts must be a list of first treated periods, one at"),
        ("simple", {"cohorts": 3}, "cohorts must be a list of first treated periods; got 3"),
        ("simple", {"event_times": [-1, 0]}, "event_times has 1 of 2 values without any ATT(g,t)"),
        ("event", {"event_times": [0.5]}, "event_times must be a list of whole numbers"),
        ("event", {"event_times": [True]}, "event_times must be a list of whole numbers"),
        ("simple", {"cohorts": [6], "event_times": [4]}, "here: 4; there are 0, 1"),
        ("simple", {"event_times": [0], "min_e": 1}, "no ATT(g,t) lies in the window of type 'si"),
        ("event", {"bins": [(0, 2), (2, 3)]}, "bins overlap: (0, 2) and (2, 3) have event time 2"),
        ("event", {"bins": [(-1, 1)]}, "bins: (-1, 1) has event times before and after treatment"),
        ("event", {"bins": [(1, 0)]}, "a bin must be two whole numbers, the first not above"),
        ("simple", {"cohorts": [pd.NA, 3]}, "cohorts has 1 of 2 values without any ATT(g,t) here:"),
        ("simple", {"cohorts": np.array([[3, 4]])}, "cohorts must be a list of first treated per"),
        ("event", {"bins": (0, 2)}, "bins must be a list, such as [(0, 2)]; got (0, 2)"),
        ("event", {"bins": [(0, 1, 2)]}, "a bin must be a pair of a first and a last event time"),
        ("event", {"bins": [(0, "2")]}, "bins must be numbers; got '2'"),
        ("event", {"bins": "all"}, "bins must be pairs of a first and a last event time"),
        ("event", {"bins": []}, "bins must be pairs of a first and a last event time"),
        ("event", {"bins": [(0, 1), (7, 9)]}, "bins has 1 of 2 bins without any ATT(g,t): 7 to 9"),
        ("group", {"bins": [(0, 1)]}, "bins are of event times: they go with type 'event', not"),
        ("calendar", {"min_e": 1}, "min_e=1 does not go with type 'calendar'"),
    ],
)
def test_what_is_empty_unknown_or_overlaps(result, kind, options, message):
    with pytest.raises(didjack.OptionError, match=re.escape(message)):
        result.aggregate(kind, **options)


def test_a_window_writes_what_was_asked_for():
    assert str(Window(min_e=1, cohorts=(3,))) == "min_e=1, cohorts=(3,)"
