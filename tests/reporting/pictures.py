"""One picture of each kind, for the tests of how they look and of what they show."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from small_panels import regression as fit

import didjack


@cache
def small(**options):
    """Fit 15 clusters, cohorts 4 and 6, in 8 periods."""
    df = didjack.simulate.panel(
        n_clusters=15, cluster_size=5, treated_clusters={4: 1, 6: 3}, seed=5
    )
    return fit(df, **options)


@cache
def long(n_periods, *cohorts, dates=False):
    """Fit 60 clusters in many periods."""
    df = didjack.simulate.panel(
        n_clusters=60, cluster_size=2, n_periods=n_periods, cohorts=cohorts, seed=2
    )
    if dates:
        df["period"] = [pd.Timestamp(1990 + k, 1, 1) for k in df["period"]]
        df["cohort"] = [pd.Timestamp(1990 + k, 1, 1) if k else pd.NaT for k in df["cohort"]]
    return fit(df)


@cache
def castle():
    """Fit castle doctrine laws."""
    return didjack.csdid(didjack.datasets.load_castle(), "l_homicide", "year", "cohort", "sid")


@cache
def wild():
    """Fit data with two wild outcomes."""
    df = didjack.simulate.panel(n_clusters=30, cluster_size=2, n_periods=12, cohorts=[6], seed=1)
    df.loc[(df["cohort"] == 6) & (df["period"] == 9), "y"] += 500.0
    df.loc[(df["cohort"] == 6) & (df["period"] == 11), "y"] -= 300.0
    return fit(df)


@cache
def one_treated():
    """Fit one treated cluster among 25."""
    return fit(
        didjack.simulate.panel(n_clusters=25, cluster_size=6, treated_clusters={4: 1}, seed=3)
    )


@cache
def deviating():
    """Fit an event study of five treated clusters among 20."""
    df = didjack.simulate.panel(
        n_clusters=20, cluster_size=8, treated_clusters={5: 5}, effect=2.0, seed=4
    )
    return fit(df).aggregate("event")


@cache
def many_clusters(n):
    """Fit with many clusters."""
    return fit(didjack.simulate.panel(n_clusters=n, cluster_size=2, seed=1))


def three(kind=None):
    """Return three results of one kind, by name."""
    found = {
        "varying": small(),
        "universal": small(base_period="universal"),
        "analytic": small(vcov="analytic"),
    }
    return {name: one.aggregate(kind) if kind else one for name, one in found.items()}


def narrow():
    """Make axes in a figure 3.5 inches wide."""
    return plt.subplots(figsize=(3.5, 2.6), layout="constrained")[1]


def on_one():
    """Draw two results on one pair of axes."""
    ax = narrow()
    small().aggregate("event").plot(ax, label="varying", offset=-0.1)
    universal = small(base_period="universal").aggregate("event")
    return universal.plot(ax, label="universal", offset=0.1, title="Two base periods")


def on_array():
    """Draw ATT(g,t) on given axes."""
    axes = plt.subplots(1, 2, figsize=(7.0, 3.0), layout="constrained")[1]
    return small().plot(axes)


def on_subfigures():
    """Draw ATT(g,t) of two results above each other."""
    top, low = plt.figure(figsize=(6.4, 6.0), layout="constrained").subfigures(2, 1)
    upper = small().plot(top, joint=False, title="varying")
    lower = small(base_period="universal").plot(low, joint=False, title="universal")
    return np.concatenate([upper, lower])


def dark():
    """Draw several results in a dark style."""
    with plt.style.context("dark_background"):
        return didjack.coefplot(three("event"), joint=False)


def event(**options):
    """Return the event study."""
    return small(**options).aggregate("event")


def timing(**options):
    """Draw who is treated when."""
    df = didjack.datasets.load_castle()
    return didjack.timing_plot(df, "year", "cohort", "sid", "state", **options)


PICTURES = {
    "event": lambda: event().plot(),
    "universal": lambda: event(base_period="universal", anticipation=1).plot(compare="analytic"),
    "no_error": lambda: event(undefined="nan").plot(),
    "group": lambda: small().aggregate("group").plot(),
    "calendar": lambda: small().aggregate("calendar").plot(compare="CV3J"),
    "cells": lambda: small().plot(),
    "array": on_array,
    "subfigures": on_subfigures,
    "twelve_cohorts": lambda: long(14, *range(2, 14)).plot(joint=False),
    "event_14": lambda: long(14, 7, 8).aggregate("event").plot(narrow()),
    "event_40": lambda: long(42, 20, 22).aggregate("event").plot(narrow()),
    "dates": lambda: long(14, *range(2, 14), dates=True).aggregate("group").plot(narrow()),
    "ribbon": lambda: event(base_period="universal").plot(style="ribbon", n_clusters=True),
    "scales": lambda: castle().plot(joint=False, n_clusters=True),
    "timing": lambda: timing(yname="l_homicide"),
    "timing_clusters": lambda: timing(rows="cluster", ax=narrow()),
    "wild": lambda: wild().aggregate("event").plot(),
    "replicates": lambda: small().plot(kind="replicates"),
    "replicates_200": lambda: many_clusters(200).plot(kind="replicates"),
    "variance": lambda: event().plot(kind="variance", coefficient=2),
    "variance_200": lambda: many_clusters(200).plot(narrow(), kind="variance"),
    "placebo": lambda: one_treated().plot(kind="placebo"),
    "placebo_narrow": lambda: one_treated().plot(narrow(), kind="placebo"),
    "coefplot_event": lambda: didjack.coefplot(three("event")),
    "coefplot_group": lambda: didjack.coefplot(three("group"), joint=False),
    "coefplot_calendar": lambda: didjack.coefplot(three("calendar"), narrow()),
    "coefplot_simple": lambda: didjack.coefplot(three("simple")),
    "coefplot_cells": lambda: didjack.coefplot(three()),
    "on_one": on_one,
    "dark": dark,
    "trends": lambda: deviating().trend_sensitivity().plot(title="Relative magnitudes"),
    "trends_narrow": lambda: (
        deviating().trend_sensitivity("smoothness").plot(np.array([narrow()]), targets=0)
    ),
    "noise": lambda: event().noise_sensitivity().plot(),
}
