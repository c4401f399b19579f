"""Random small designs: equal to plain refits, and the same when only names or units change."""

import warnings

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import close, fast, slow_cells, slow_summary, split
from hypothesis import given, reject
from hypothesis import strategies as st
from strategies import CALENDARS, DTYPES, LABELS, UNITS, designs

import didjack

pytestmark = [
    pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning"),
    pytest.mark.slow,
]


def fit(df, **options):
    """Fit; designs that are refused have to be refused by the plain refits, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        return fast(df, **options)


def either(df, options):
    """Return a fit of the package and the slow one; leave out what neither can estimate."""
    try:
        slow = bf.fit(df, **split(options))
    except bf.SampleError:
        slow = None
    try:
        result = fit(df, **options)
    except didjack.DidjackError:
        assert slow is None or slow.table["estimate"].isna().all()
        reject()
    assert slow is not None
    return result, slow


def keys_of(result):
    """Cells as pairs of numbers."""
    return [(float(g), float(t)) for g, t in result.replicates().columns]


def check(result, theta, thetas, scale, what):
    """Compare estimates, replicates and CV3; cells and components without an estimate are NaN."""
    found = result.replicates().to_numpy()
    close(found, thetas, scale, f"{what}: replicates")
    table = result.tidy() if what == "cells" else result._statistics()
    close(table["estimate"].to_numpy(dtype=float), theta, scale, what)
    known = ~np.isnan(theta) & ~np.isnan(thetas).any(axis=0)
    slow = np.array([bf.cv3(t, column)[0] for t, column in zip(theta, thetas.T, strict=True)])
    error = table["std_error"].to_numpy(dtype=float)
    some = known & (slow > 1e-9 * scale)
    close(error[some], slow[some], scale, f"{what}: std_error")


@given(designs())
def test_estimates_and_replicates_equal_plain_refits(design):
    hold_against_plain_refits(*design)


@given(designs(methods=("ipw", "dr"), units=(4, 9)))
def test_estimates_by_propensity_scores_equal_plain_refits(design):
    hold_against_plain_refits(*design)


def hold_against_plain_refits(df, options):
    """Compare all cells, replicates and aggregations of a design with those of plain refits."""
    result, slow = either(df, options)
    replicates = bf.replicates(df, **split(options))
    order, keys, scale = sorted(replicates), keys_of(result), df["y"].std()
    assert set(zip(slow.table["group"], slow.table["time"], strict=True)) <= set(keys)
    theta = slow_cells(slow, keys)
    check(result, theta, np.array([slow_cells(replicates[h], keys) for h in order]), scale, "cells")
    if np.isnan(theta).all():
        return
    for kind in ("simple", "event", "group", "calendar"):
        try:
            average = result.aggregate(kind)
        except didjack.DidjackError:
            assert np.isnan(bf.aggregate(slow, kind)["overall"])
            continue
        labels = [float(label) for label in average.replicates().columns[:-1]]
        theta = slow_summary(slow, kind, {}, labels)
        thetas = np.array([slow_summary(replicates[h], kind, {}, labels) for h in order])
        check(average, theta, thetas, scale, kind)


def numbers(result):
    """Estimates and standard errors of cells, and the overall effect."""
    table = result.tidy()[["estimate", "std_error"]].to_numpy(dtype=float)
    return np.vstack([table, [np.nan, np.nan]]) if not len(table) else table


@given(designs(), st.sampled_from(sorted(LABELS)), st.integers(0, 99))
def test_order_of_rows_and_labels_of_clusters_do_not_matter(design, labels, seed):
    df, options = design
    result, _ = either(df, options)
    shuffled = df.sample(frac=1.0, random_state=seed)
    named = shuffled.assign(
        cluster=pd.Series(list(map(LABELS[labels], shuffled["cluster"])), index=shuffled.index)
    )
    pd.testing.assert_frame_equal(fit(shuffled, **options).tidy(), result.tidy(), check_exact=True)
    np.testing.assert_allclose(
        numbers(fit(named, **options)), numbers(result), rtol=1e-9, atol=1e-11
    )


@given(designs(), st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_types_of_periods_and_cohorts_do_not_matter(design, time, cohort):
    df, options = design
    result, _ = either(df, options)
    typed = df.astype({"period": time, "cohort": cohort})
    np.testing.assert_array_equal(numbers(fit(typed, **options)), numbers(result))


@given(designs(), st.integers(-3000, 3000), st.sampled_from([0.001, 3.0, 1e6]))
def test_shifted_periods_and_scaled_weights_and_outcomes(design, shift, scale):
    df, options = design
    result, _ = either(df, options)
    cohort = df["cohort"].where(df["cohort"] == 0, df["cohort"] + shift).astype(float)
    moved = df.assign(period=df["period"] + shift, cohort=cohort.where(df["cohort"] > 0, np.inf))
    moved = moved.assign(y=scale * df["y"], w=7 * df["w"], wt=7 * df["wt"])
    if (moved.loc[df["cohort"] > 0, "cohort"] == 0).any():
        reject()  # a cohort 0 is never treated
    got = numbers(fit(moved, **options)) / scale
    np.testing.assert_allclose(got, numbers(result), rtol=1e-8, atol=1e-10)


@given(designs(), st.sampled_from(sorted(CALENDARS)))
def test_dates_and_periods_are_counted_as_numbers_are(design, calendar):
    df, options = design
    result, _ = either(df, options)
    labels = CALENDARS[calendar]
    dated = df.assign(period=labels(df["period"]), cohort=labels(df["cohort"]))
    got = fit(dated, **options)
    np.testing.assert_array_equal(numbers(got), numbers(result))
    np.testing.assert_array_equal(got.replicates(), result.replicates())
    for column in ("group", "time"):
        pd.testing.assert_series_equal(
            got.tidy()[column], labels(result.tidy()[column]), check_names=False
        )


@given(designs(), st.sampled_from(sorted(UNITS)))
def test_labels_of_units_do_not_matter(design, labels):
    df, options = design
    result, _ = either(df, options)
    named = df.assign(id=df["id"].map(UNITS[labels]))
    np.testing.assert_allclose(
        numbers(fit(named, **options)), numbers(result), rtol=1e-9, atol=1e-11
    )


@given(designs(methods=("reg", "ipw", "dr"), units=(3, 8)), st.integers(0, 99))
def test_a_copy_of_a_never_treated_cluster(design, which):
    """Without the copy, or without what was copied, the estimates are those of the design."""
    df, options = design
    result, _ = either(df, options)
    never = df.loc[df["cohort"] == 0, "cluster"].unique()
    original = never[which % len(never)]
    copy = df[df["cluster"] == original].assign(cluster=-1, id=lambda d: d["id"] + 1000)
    replicates = fit(pd.concat([copy, df]), **options).replicates()
    want = result.tidy()["estimate"].to_numpy(dtype=float)
    for left_out in (-1, original):
        np.testing.assert_allclose(replicates.loc[left_out], want, rtol=1e-8, atol=1e-10)


@given(designs(), st.integers(0, 99))
def test_a_never_treated_cluster_in_duplicate_has_twice_the_weight(design, which):
    df, options = design
    options = options | {"weightsname": options["weightsname"] or "w"}
    either(df, options)
    never = df.loc[df["cohort"] == 0, "cluster"].unique()
    here = df["cluster"] == never[which % len(never)]
    twice = pd.concat([df, df[here].assign(id=lambda d: d["id"] + 1000)])
    heavy = df.assign(**{name: df[name].where(~here, 2 * df[name]) for name in ("w", "wt", "w0")})
    duplicated, weighted = (numbers(fit(table, **options)) for table in (twice, heavy))
    np.testing.assert_allclose(duplicated, weighted, rtol=1e-8, atol=1e-10)
