"""Averages of ATT(g,t): by hand, one replicate at a time, and their derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from compare_with_bruteforce import KINDS, draw, fast

import didjack
from didjack.aggregation.aggregate import CellTable, Window, aggregate

# The data are small: the package says that there are few clusters.
pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::didjack.DidjackWarning", "ignore::didjack.InferenceWarning"
)

NAN = np.nan

# Cohorts 2, 3 and 5 in periods 1 to 5: all cells of a universal base.
GROUP = np.repeat([2, 3, 5], 5)
TIME = np.tile([1, 2, 3, 4, 5], 3)
ATT = np.array([0, 1, 2, 4, 3, -2, 0, 5, 7, 6, 0.5, -1, 1, 0, 9])
SHARE = np.repeat([0.2, 0.3, 0.1], 5)


def table(att=ATT, weight=SHARE, changed=None, first=1, last=5, n_shown=None):
    """A table of cells, of one replicate or of several."""
    att, weight = np.atleast_2d(np.array(att, dtype=float)), np.atleast_2d(weight)
    n_rep = len(att)
    return CellTable(
        cohort=GROUP,
        time=TIME,
        att=att,
        changed=np.zeros(att.shape, dtype=bool) if changed is None else changed,
        weight=np.broadcast_to(weight, att.shape).copy(),
        of_weight=np.arange(att.shape[1]),
        first=np.broadcast_to(first, n_rep).copy(),
        last=np.broadcast_to(last, n_rep).copy(),
        n_shown=GROUP.size if n_shown is None else n_shown,
    )


def averages(cells, kind, by_cell=False, **window):
    """Average: {component: value}, and the overall."""
    result = aggregate(cells, kind, Window(**window), by_cell)
    assert result.theta.shape[1] == result.keys.size + 1
    return dict(zip(result.keys.tolist(), result.theta[0, :-1], strict=True)), result.theta[0, -1]


def dense(loading):
    """Write derivatives as a matrix, (M + 1, K)."""
    return loading.times(np.eye(loading.own.size)).T


def approx(values):
    return pytest.approx(values, rel=1e-14, abs=1e-14, nan_ok=True)


# By hand --------------------------------------------------------------------------------------


def test_simple():
    parts, overall = averages(table(), "simple")
    assert parts == {}
    top = 0.2 * (1 + 2 + 4 + 3) + 0.3 * (5 + 7 + 6) + 0.1 * 9
    assert overall == approx(top / (0.2 * 4 + 0.3 * 3 + 0.1))


def test_event():
    parts, overall = averages(table(), "event")
    want = {
        -4: 0.5,
        -3: -1,
        -2: (0.3 * -2 + 0.1 * 1) / 0.4,
        -1: 0,  # the reference cells
        0: (0.2 * 1 + 0.3 * 5 + 0.1 * 9) / 0.6,
        1: (0.2 * 2 + 0.3 * 7) / 0.5,
        2: (0.2 * 4 + 0.3 * 6) / 0.5,
        3: 3,
    }
    assert parts == approx(want)
    assert overall == approx((want[0] + want[1] + want[2] + want[3]) / 4)


def test_group():
    parts, overall = averages(table(), "group")
    assert parts == approx({2: 10 / 4, 3: 18 / 3, 5: 9})
    assert overall == approx((0.2 * 2.5 + 0.3 * 6 + 0.1 * 9) / 0.6)


def test_calendar():
    parts, overall = averages(table(), "calendar")
    want = {
        2: 1,
        3: (0.2 * 2 + 0.3 * 5) / 0.5,
        4: (0.2 * 4 + 0.3 * 7) / 0.5,
        5: (0.2 * 3 + 0.3 * 6 + 0.1 * 9) / 0.6,
    }
    assert parts == approx(want)
    assert overall == approx(sum(want.values()) / 4)


def test_bounds_of_event_times():
    everything, _ = averages(table(), "event")
    parts, overall = averages(table(), "event", min_e=-2, max_e=1)
    assert parts == approx({e: everything[e] for e in (-2, -1, 0, 1)})
    assert overall == approx((everything[0] + everything[1]) / 2)
    parts, overall = averages(table(), "event", min_e=1)
    assert set(parts) == {1, 2, 3}
    assert overall == approx((everything[1] + everything[2] + everything[3]) / 3)
    parts, overall = averages(table(), "event", max_e=-2)
    assert set(parts) == {-4, -3, -2}
    assert np.isnan(overall)  # no event time from 0 on


def test_last_event_time_of_simple_and_group():
    top = 0.2 * (1 + 2) + 0.3 * (5 + 7) + 0.1 * 9
    assert averages(table(), "simple", max_e=1)[1] == approx(top / (0.4 + 0.6 + 0.1))
    parts, overall = averages(table(), "group", max_e=1)
    assert parts == approx({2: 1.5, 3: 6, 5: 9})
    assert overall == approx((0.2 * 1.5 + 0.3 * 6 + 0.1 * 9) / 0.6)


def test_balanced_event_times():
    # Cohorts 2 and 3 are seen for two periods after treatment; event times -2 to 2.
    parts, overall = averages(table(), "event", balance_e=2)
    want = {-2: -2, -1: 0, 0: (0.2 + 1.5) / 0.5, 1: (0.4 + 2.1) / 0.5, 2: (0.8 + 1.8) / 0.5}
    assert parts == approx(want)
    assert overall == approx((want[0] + want[1] + want[2]) / 3)
    # With balance_e = 0 all cohorts and event times -4 to 0.
    assert set(averages(table(), "event", balance_e=0)[0]) == {-4, -3, -2, -1, 0}
    # Balance follows the replicate's own first and last period.
    assert set(averages(table(last=4), "event", balance_e=2)[0]) == {-1, 0, 1, 2}
    assert averages(table(last=4), "event", balance_e=2)[0][0] == approx(1)  # cohort 2 alone


def test_missing_cells_are_left_out():
    att = ATT.copy()
    att[[7, 14]] = NAN  # ATT(3,3), ATT(5,5)
    parts, overall = averages(table(att), "event")
    assert parts[0] == approx(1)
    assert overall == approx((1 + 2.5 / 0.5 + 2.6 / 0.5 + 3) / 4)
    parts, overall = averages(table(att), "group")
    assert parts == approx({2: 2.5, 3: 6.5, 5: NAN})
    assert overall == approx((0.2 * 2.5 + 0.3 * 6.5) / 0.5)
    parts, overall = averages(table(att), "calendar")
    assert parts[3] == approx(2)
    assert parts[5] == approx((0.6 + 1.8) / 0.5)
    top = 0.2 * 10 + 0.3 * 13
    assert averages(table(att), "simple")[1] == approx(top / (0.8 + 0.6))
    att[:] = NAN
    for kind in KINDS:
        parts, overall = averages(table(att), kind)
        assert np.isnan([*parts.values(), overall]).all()


def test_weights_of_cells():
    weight = np.arange(1.0, 16.0)
    post = TIME >= GROUP
    assert averages(table(weight=weight), "simple", True)[1] == approx(
        (weight @ (post * ATT)) / weight[post].sum()
    )
    parts, overall = averages(table(weight=weight), "event", True)
    assert parts[0] == approx((2 * 1 + 8 * 5 + 15 * 9) / 25)
    assert parts[-2] == approx((6 * -2 + 13 * 1) / 19)
    assert overall == approx(np.mean([parts[e] for e in range(4)]))
    parts, overall = averages(table(weight=weight), "group", True)
    want = {2: (2 + 6 + 16 + 15) / 14, 3: (40 + 63 + 60) / 27, 5: 9}
    assert parts == approx(want)
    u = {2: 14 / 4, 3: 27 / 3, 5: 15}  # means over t of the cells' weights
    assert overall == approx(sum(u[g] * want[g] for g in u) / sum(u.values()))
    parts, overall = averages(table(weight=weight), "calendar", True)
    assert parts[4] == approx((4 * 4 + 9 * 7) / 13)
    assert overall == approx(np.mean(list(parts.values())))


def test_cells_without_weight_count_nothing():
    weight = np.where(GROUP == 3, 0.0, SHARE)
    assert averages(table(weight=weight), "simple")[1] == approx((0.2 * 10 + 0.1 * 9) / 0.9)
    assert averages(table(weight=weight), "event")[0][0] == approx((0.2 * 1 + 0.1 * 9) / 0.3)


@pytest.mark.parametrize(
    ("kind", "window"),
    [("event", {"min_e": 4}), ("event", {"balance_e": 7}), ("group", {"max_e": -1})],
)
def test_a_window_without_cells_is_refused(kind, window):
    with pytest.raises(didjack.OptionError, match=r"no ATT\(g,t\) lies in the window"):
        averages(table(), kind, **window)


def test_cells_that_only_a_replicate_has():
    # The last cell is not one of the full sample.
    att = np.stack([np.where(np.arange(15) == 14, NAN, ATT), ATT])
    full, other = table(att[0]), table(att[1])
    for kind in KINDS:
        result = aggregate(table(att, n_shown=14), kind, Window())
        want = [aggregate(one, kind, Window()) for one in (full, other)]
        own = dict(zip(want[1].keys.tolist(), want[1].theta[0], strict=False))
        assert result.theta[1, -1] == approx(want[1].theta[0, -1])
        for j, key in enumerate(result.keys.tolist()):
            assert result.theta[1, j] == approx(own[key])
        assert 5 not in result.keys.tolist() or kind != "group"  # has no cell in the full sample
        assert dense(result.loading).shape == (result.keys.size + 1, 14)
        assert result.composition[1, -1]
        assert not result.composition[0].any()


# Replicates -----------------------------------------------------------------------------------

WINDOWS = [
    *[(kind, {}) for kind in KINDS],
    ("event", {"min_e": -2, "max_e": 1}),
    ("event", {"balance_e": 2}),
    ("simple", {"max_e": 1}),
    ("group", {"max_e": 1}),
]
BY_WINDOW = pytest.mark.parametrize(("kind", "window"), WINDOWS)
BY_WEIGHT = pytest.mark.parametrize("by_cell", [False, True])


@BY_WINDOW
@BY_WEIGHT
def test_each_replicate_is_averaged_by_itself(kind, window, by_cell):
    rng = np.random.default_rng(0)
    att = rng.normal(size=(12, 15))
    att[1:][rng.random((11, 15)) < 0.3] = NAN
    weight = rng.uniform(0.1, 1, (12, 15))
    last, first = rng.integers(4, 6, 12), rng.integers(1, 3, 12)
    last[0], first[0] = 5, 1
    result = aggregate(table(att, weight, first=first, last=last), kind, Window(**window), by_cell)
    compared = 0
    for r in range(12):
        cells = table(att[r], weight[r], first=first[r], last=last[r])
        try:
            own = aggregate(cells, kind, Window(**window), by_cell)
        except didjack.OptionError:
            assert np.isnan(result.theta[r]).all()
            continue
        np.testing.assert_array_equal(result.theta[r, -1], own.theta[0, -1])
        parts = dict(zip(own.keys.tolist(), own.theta[0], strict=False))
        want = [parts.get(key, NAN) for key in result.keys.tolist()]
        np.testing.assert_array_equal(result.theta[r, :-1], want)
        compared += 1
    assert compared > 3


@BY_WINDOW
def test_blocks_of_replicates_make_no_difference(kind, window, monkeypatch):
    rng = np.random.default_rng(3)
    att = rng.normal(size=(12, 15))
    att[1:][rng.random((11, 15)) < 0.3] = NAN
    cells = table(att, changed=rng.random((12, 15)) < 0.1, last=rng.integers(4, 6, 12))
    whole = aggregate(cells, kind, Window(**window))
    monkeypatch.setattr("didjack.aggregation.aggregate.MOST_AT_ONCE", 40)
    monkeypatch.setattr("didjack.aggregation.aggregate.MOST_AT_ONCE", 40)
    other = aggregate(cells, kind, Window(**window))
    np.testing.assert_array_equal(other.theta, whole.theta)
    np.testing.assert_array_equal(other.composition, whole.composition)
    np.testing.assert_array_equal(other.loading.times(att), whole.loading.times(att))


def test_derivatives_ignore_what_they_do_not_depend_on():
    result = aggregate(table(), "event", Window(min_e=0))
    values = np.where(TIME < GROUP, NAN, ATT)[None]
    np.testing.assert_allclose(result.loading.times(values), result.theta[:1], rtol=1e-14)
    values[0, 14] = NAN  # ATT(5,5), of event time 0
    got = result.loading.times(values)[0]
    assert np.isnan(got).tolist() == [True, False, False, False, True]


def test_replicates_of_another_composition():
    att = np.stack([ATT] * 4)
    att[1, 8] = NAN  # ATT(3,4) is lost: event time 1, cohort 3, period 4
    changed = np.zeros(att.shape, dtype=bool)
    changed[2, 1] = True  # ATT(2,2) compares others: event time 0, cohort 2, period 2
    cells = table(att, changed=changed)
    want = {
        "event": {1: {1}, 2: {0}},
        "group": {1: {3}, 2: {2}},
        "calendar": {1: {4}, 2: {2}},
        "simple": {1: set(), 2: set()},
    }
    for kind, by_replicate in want.items():
        result = aggregate(cells, kind, Window())
        for r in range(4):
            turned = set(result.keys[result.composition[r, :-1]].tolist())
            assert turned == by_replicate.get(r, set())
        assert result.composition[:, -1].tolist() == [False, True, True, False]


def test_cells_before_treatment_leave_the_composition_of_the_overall():
    att = np.stack([ATT, np.where(TIME < GROUP, NAN, ATT)])
    for kind in KINDS:
        result = aggregate(table(att), kind, Window())
        assert not result.composition[1, -1]
        assert result.theta[1, -1] == result.theta[0, -1]


# Derivatives ----------------------------------------------------------------------------------


def derivative(cells, field, kind, by_cell, window):
    """Central differences of the full-sample averages with respect to each cell, (M + 1, K)."""
    h, columns = 1e-6, []
    for k in range(GROUP.size):
        theta = []
        for sign in (1, -1):
            values = getattr(cells, field).copy()
            values[0, k] += sign * h
            moved = replace(cells, **{field: values})
            theta.append(aggregate(moved, kind, Window(**window), by_cell).theta[0])
        columns.append((theta[0] - theta[1]) / (2 * h))
    return np.stack(columns, axis=1)


@BY_WINDOW
@BY_WEIGHT
@pytest.mark.parametrize("missing", [(), (7, 14), (1, 2, 3, 4)])
def test_derivatives(kind, window, by_cell, missing):
    att, weight = ATT.copy(), SHARE.copy()
    att[list(missing)] = NAN
    if by_cell:
        weight = np.random.default_rng(1).uniform(0.2, 1, 15)
    cells = table(att, weight)
    result = aggregate(cells, kind, Window(**window), by_cell)
    for name, field in (("loading", "att"), ("weight_loading", "weight")):
        got = dense(getattr(result, name))
        want = derivative(cells, field, kind, by_cell, window)
        want[np.isnan(result.theta[0])] = 0.0  # nothing moves what cannot be had
        want[:, list(missing)] = 0.0
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-7)


@BY_WINDOW
@BY_WEIGHT
def test_averages_have_weights_that_sum_to_one(kind, window, by_cell):
    result = aggregate(table(), kind, Window(**window), by_cell)
    np.testing.assert_allclose(dense(result.loading).sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(dense(result.loading) @ ATT, result.theta[0], rtol=1e-13, atol=1e-15)
    # A common factor of the weights changes nothing.
    np.testing.assert_allclose(dense(result.weight_loading) @ SHARE, 0.0, atol=1e-14)


# On data --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel():
    return draw((0, 4, 0, 5, 4, 0, 5), (8, 9, 12, 7, 10, 8, 11), range(1, 7))


@pytest.mark.parametrize("options", [{}, {"weightsname": "w", "base_period": "universal"}])
@pytest.mark.parametrize("vcov", ["CV3", "analytic"])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_cohorts_and_cells_agree_on_a_panel(panel, kind, vcov, options):
    result = fast(panel, xformla="~ x1", est_method="reg", vcov=vcov, **options)
    one, other = (result.aggregate(kind, weights=weights) for weights in ("cohort", "cell"))
    columns = ["estimate", "std_error"]
    np.testing.assert_allclose(
        other.tidy()[columns].to_numpy(float), one.tidy()[columns].to_numpy(float), rtol=1e-11
    )
    assert other.overall["std_error"] == pytest.approx(one.overall["std_error"], rel=1e-11)
    assert one.overall["std_error"] > 0
    if vcov == "CV3":
        np.testing.assert_allclose(other.replicates(), one.replicates(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_cohorts_and_cells_differ_in_cross_sections(kind):
    df = draw((0, 4, 0, 5, 4, 0, 5), (8, 9, 12, 7, 10, 8, 11), range(1, 7), panel=False)
    df = df[np.random.default_rng(0).random(len(df)) < 0.7]
    result = fast(df, panel=False, est_method="reg")
    one, other = (result.aggregate(kind, weights=weights) for weights in ("cohort", "cell"))
    assert abs(one.overall["estimate"] - other.overall["estimate"]) > 1e-5


def test_dynamic_is_event(panel):
    result = fast(panel, est_method="reg")
    assert result.aggregate("dynamic") == result.aggregate("event")
