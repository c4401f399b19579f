"""Hold the package against `bruteforce`: the same data, the same options, all results."""

import re

import bruteforce as bf
import numpy as np
import pandas as pd

import didjack
from didjack.data.clean import clean
from didjack.estimation.cells import Code
from didjack.estimation.fit import Fit
from didjack.estimation.sums import SumSource
from didjack.options import Options

KINDS = ("simple", "event", "group", "calendar")
NAMES = dict(yname="y", tname="period", gname="cohort", cluster="cluster")
SUMMARIES = (
    *[(kind, {}) for kind in KINDS],
    *[(kind, {"weights": "cell"}) for kind in KINDS],
    ("event", {"min_e": -1, "max_e": 1}),
    ("event", {"balance_e": 1}),
    ("simple", {"max_e": 1}),
    ("group", {"max_e": 0}),
)
"""Aggregations that are compared: type and options."""


def draw(cohorts, sizes, periods, seed=0, panel=True):
    """Simulate data; treatment is assigned by cluster.

    Parameters
    ----------
    cohorts : first treated period of each cluster; 0: never
    sizes : number of units (in each period, without a panel) of each cluster, or one for all
    periods : the periods

    Returns
    -------
    DataFrame with y, x1 (continuous), x2 (0 or 1), x3 (varies over time), w (weight), wt (weight
    that varies over time), w0 (weight that is often zero); in no order
    """
    rng = np.random.default_rng(seed)
    cohorts, periods = np.array(cohorts), np.array(periods)
    sizes = np.broadcast_to(sizes, cohorts.shape)
    shock = np.cumsum(rng.normal(0, 0.4, (periods.size, cohorts.size)), axis=0)
    cluster = np.repeat(np.arange(cohorts.size), sizes)
    frames = []

    def people():
        x1 = rng.normal(0, 1, cluster.size) + 0.3 * (cohorts[cluster] > 0)
        x2 = (rng.random(cluster.size) < 0.4).astype(float)
        return x1, x2, rng.uniform(0.5, 2.0, cluster.size), rng.normal(0, 1, cluster.size)

    fixed = people()
    for j, t in enumerate(periods):
        x1, x2, w, level = fixed if panel else people()
        g = cohorts[cluster]
        effect = np.where((g > 0) & (t >= g), 0.5 + 0.1 * (t - g) + 0.2 * x2, 0.0)
        noise = rng.normal(0, 0.5, cluster.size)
        frame = pd.DataFrame({"cluster": cluster, "period": t, "cohort": g})
        frame["y"] = level + 0.2 * j * x1 - 0.1 * j * x2 + shock[j, cluster] + effect + noise
        frame["x1"], frame["x2"] = x1, x2
        frame["x3"] = x1 + 0.3 * j + rng.normal(0, 0.5, cluster.size)
        frame["w"], frame["wt"] = w, w * rng.uniform(0.8, 1.25, cluster.size)
        frame["w0"] = np.where(w < 0.8, 0.0, w)
        if panel:
            frame["id"] = np.arange(cluster.size) + 100
        frames.append(frame)
    return pd.concat(frames).sample(frac=1.0, random_state=seed)


def lose_rows(df, share=0.1, seed=1):
    """Drop rows of a panel at random."""
    return df[np.random.default_rng(seed).random(len(df)) > share]


def by_level(counts, weight=1.0):
    """Units with x1 = 0, 1, 2 in the numbers asked for: cluster by cluster (cohort, *numbers).

    The fewer control units with x1 = 2, the nearer to one their propensity score; `weight`
    is theirs.
    """
    rng = np.random.default_rng(0)
    units = pd.DataFrame(
        [
            (cluster, cohort, float(x))
            for cluster, (cohort, *numbers) in enumerate(counts)
            for x, number in enumerate(numbers)
            for _ in range(number)
        ],
        columns=["cluster", "cohort", "x1"],
    )
    units["id"], units["level"] = np.arange(len(units)), rng.normal(size=len(units))
    units["w"] = np.where((units["cohort"] == 0) & (units["x1"] == 2), weight, 1.0)
    df = units.merge(pd.DataFrame({"period": range(1, 5)}), how="cross")
    effect = 0.5 * (df["cohort"] > 0) * (df["period"] >= df["cohort"])
    slope = 0.3 * df["x1"] * df["period"]
    df["y"] = df["level"] + slope + effect + rng.normal(0, 0.5, len(df))
    return df


def names(options):
    """Column names and other options, with the unit of a panel; t(R - 1) unless told otherwise."""
    idname = {"idname": "id"} if options.get("panel", True) else {}
    return NAMES | {"reference": "t"} | idname | options


def fast(df, **options):
    """Fit with the package."""
    return didjack.csdid(df, **names(options))


def split(options):
    """Options of the package -> those of `bruteforce`, without those of the variance."""
    options = names(options)
    formula = options.pop("xformla", None) or ""
    options["covariates"] = re.findall(r"\w+", formula)
    return {k: v for k, v in options.items() if k not in ("vcov", "reference", "undefined")}


def close(got, want, scale, what=""):
    """Equal to 1e-9 of the scale; NaN where it is."""
    np.testing.assert_allclose(got, want, rtol=0.0, atol=1e-9 * scale, err_msg=what)


def slow_cells(fit, keys):
    """Estimates of a slow fit for cells (group, time), NaN where it has none."""
    if isinstance(fit, str):
        return np.full(len(keys), np.nan)
    columns = (fit.table[name].to_numpy() for name in ("group", "time", "estimate"))
    known = {(g, t): estimate for g, t, estimate in zip(*columns, strict=True)}
    return np.array([known.get(key, np.nan) for key in keys])


def slow_summary(fit, kind, options, labels):
    """Components of a slow aggregation (NaN where it has none), then its overall."""
    if isinstance(fit, str):
        return np.full(len(labels) + 1, np.nan)
    result = bf.aggregate(fit, kind, **options)
    own = dict(zip(result["labels"], result["estimate"], strict=True))
    return np.array([*(own.get(label, np.nan) for label in labels), result["overall"]])


def coefficients(result):
    """The table of all coefficients: `tidy()`, then the overall of an aggregation."""
    if isinstance(result, didjack.GroupTimeResult):
        return result.tidy()
    overall = result.overall.to_frame().T
    if result.type == "simple":
        return overall
    return pd.concat([result.tidy()[overall.columns], overall], ignore_index=True)


def numbers(table, column):
    """A column of coefficients as floats."""
    return table[column].to_numpy(dtype=float)


def same(result, theta, thetas, scale, skip, what):
    """Estimates and replicates equal the slow ones; CV3 and its degrees of freedom follow."""
    table = coefficients(result)
    close(numbers(table, "estimate"), theta, scale, what)
    close(result.replicates(), thetas, scale, f"{what}: replicates")
    moving = (table["status"] != "base").to_numpy() & ~np.isnan(theta)
    slow = [bf.cv3(t, column, skip_nan=skip) for t, column in zip(theta, thetas.T, strict=True)]
    error = np.array([se for se, _ in slow])
    df = np.array([df if not np.isnan(se) else np.nan for se, df in slow])
    error, df = np.where(moving, error, np.nan), np.where(moving, df, np.nan)
    close(numbers(table, "std_error"), error, scale, f"{what}: std_error")
    np.testing.assert_array_equal(numbers(table, "df"), df, f"{what}: df")


def compare(df, summaries=SUMMARIES, **options):
    """Hold estimates, replicates and CV3 of all cells and aggregations against the slow ones.

    Returns
    -------
    The package's result, the slow fit, and the slow fit (or the reason there is none) without
    each cluster, for further checks that the data are as awkward as they are meant to be.
    """
    skip = options.get("undefined") == "skip"
    result = fast(df, **options)
    slow_options = split(options)
    full, replicates = bf.fit(df, **slow_options), bf.replicates(df, **slow_options)
    scale = df["y"].std()

    keys = list(zip(full.table["group"], full.table["time"], strict=True))
    assert [(float(g), float(t)) for g, t in result.replicates().columns] == keys
    assert result.cells["base_period"].tolist() == full.table["base"].tolist()
    status = [text.split(":")[0] for text in result.cells["status"]]
    for got, want in zip(status, full.table["status"], strict=True):
        # Where both the logit and a regression fail, either may be named.
        both = options.get("est_method", "dr") == "dr" and want == "no overlap"
        assert got in (want, "collinear" if both else want)
    assert result.replicates().index.tolist() == sorted(replicates)

    theta = full.table["estimate"].to_numpy()
    thetas = np.array([slow_cells(replicates[h], keys) for h in sorted(replicates)])
    same(result, theta, thetas, scale, skip, "cells")

    for kind, more in summaries:
        what = f"{kind} {more}"
        average = result.aggregate(kind, **more)
        labels = [float(label) for label in average.replicates().columns[:-1]]
        # A component is listed, without estimate, even if all its cells have failed.
        assert labels == sorted(labels)
        assert set(labels) >= set(bf.aggregate(full, kind, **more)["labels"]), what
        theta = slow_summary(full, kind, more, labels)
        thetas = np.array(
            [slow_summary(replicates[h], kind, more, labels) for h in sorted(replicates)]
        )
        same(average, theta, thetas, scale, skip, what)
    return result, full, replicates


def compare_analytic(df, **options):
    """Hold analytic errors, by unit and by cluster, of all coefficients against the slow ones."""
    full = bf.fit(df, **split(options))
    scale = df["y"].std()
    for own, code in ((None, None), ("cluster", full.cluster)):
        result = fast(df, vcov="analytic", **options | {"cluster": own})
        close(result.tidy()["std_error"], bf.standard_errors(full, code), scale)
        for kind, more in SUMMARIES:
            want = bf.aggregate(full, kind, **more, cluster=code)
            table = coefficients(result.aggregate(kind, **more))
            listed = ~table["status"].str.startswith("missing: none of its ATT")
            got = numbers(table[listed], "std_error")
            close(got, [*want["se"], want["overall_se"]], scale, f"{kind} {more}")


def stages(df, **options):
    """Options, clean sample and source of sums, for tests of what comes after them."""
    checked = Options.from_keywords(**names(options))
    sample = clean(df, checked.sample, checked.estimation)
    return checked, sample, SumSource.from_sample(sample, checked.estimation).replicated(True)


def estimated(df, **options):
    """Fit without labels: stages up to the estimates."""
    checked, sample, source = stages(df, **options)
    return Fit.from_source(source, checked, sample.ledger)


def statuses(df, **options):
    """Why each replicate has an estimate of each cell or not: clusters x cells, `Code` names."""
    fit = estimated(df, **options)
    cells = pd.MultiIndex.from_arrays([fit.cell_cohort, fit.cell_time])
    table = pd.DataFrame(fit.estimates.code[1:], fit.layout.cluster_labels, cells)
    return table.map(lambda code: Code(code).name)
