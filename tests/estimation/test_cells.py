"""Which ATT(g,t) exist and what they compare: worked out by hand, and by the slow rules."""

import warnings

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import draw, fast

import didjack
from didjack._typing import NEVER
from didjack.estimation.cells import plan_cells
from didjack.options import EstimationOptions

# The data are small: the package says that there are few clusters.
pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::didjack.DidjackWarning", "ignore::didjack.InferenceWarning"
)

INF = np.inf


def plan(cohorts, periods, *, present=None, horizon=None, **options):
    """Plan the cells; cohorts with inf for never-treated, results in the user's numbers."""
    cohorts, periods = np.array(cohorts), np.array(periods)
    codes = np.array([NEVER if np.isinf(g) else int(g) for g in cohorts])
    if present is None:
        present = np.ones((cohorts.size, periods.size), dtype=bool)
    checked = EstimationOptions(**options)
    result = plan_cells(present, codes, periods, horizon or int(periods[-1]), checked)
    cells = [
        (cohorts[c.cohort], periods[c.time], periods[c.base], cohorts[list(c.others)].tolist())
        for c in result.cells
    ]
    return cells, result.first, result.last


def labels(cells):
    return [(g, t, base) for g, t, base, _ in cells]


# By hand --------------------------------------------------------------------------------------


def test_varying_base():
    cells, first, last = plan([3, 4, INF], [1, 2, 3, 4])
    assert labels(cells) == [(3, 2, 1), (3, 3, 2), (3, 4, 2), (4, 2, 1), (4, 3, 2), (4, 4, 3)]
    assert all(comparison == [INF] for *_, comparison in cells)
    assert (first, last) == (1, 4)


def test_varying_base_inside_the_window_of_anticipation():
    cells, *_ = plan([7, INF], range(1, 9), anticipation=2)
    assert labels(cells) == [(7, t, min(t - 1, 4)) for t in range(2, 9)]
    cells, *_ = plan([8, INF], [1, 2, 4, 6, 7, 9], anticipation=3, horizon=9)
    assert labels(cells) == [(8, 2, 1), (8, 4, 2), (8, 6, 4), (8, 7, 4), (8, 9, 4)]


def test_universal_base():
    cells, *_ = plan([3, INF], [1, 2, 3, 4], base_period="universal")
    assert labels(cells) == [(3, 1, 2), (3, 2, 2), (3, 3, 2), (3, 4, 2)]


def test_later_treated_compare_until_they_are_treated():
    cells, *_ = plan([3, 4, 6, INF], [1, 2, 3, 4, 5], control_group="notyettreated")
    comparison = {(g, t): others for g, t, _, others in cells}
    # 6 lies after the last period: never-treated here.
    assert comparison == {
        (3, 2): [4, 6, INF],
        (3, 3): [4, 6, INF],
        (3, 4): [6, INF],
        (3, 5): [6, INF],
        (4, 2): [3, 6, INF],
        (4, 3): [6, INF],
        (4, 4): [6, INF],
        (4, 5): [6, INF],
    }


def test_comparison_looks_at_the_later_of_both_periods():
    options = {"base_period": "universal", "control_group": "notyettreated"}
    cells, *_ = plan([2, 5, INF], [1, 2, 3, 4, 5], **options)
    comparison = {(g, t): others for g, t, _, others in cells}
    # Base period 4 of cohort 5: cohort 2 is treated in it, though not in period 1.
    assert comparison[5, 1] == [INF]
    assert comparison[2, 1] == comparison[2, 4] == [5, INF]
    assert comparison[2, 5] == [INF]


@pytest.mark.parametrize(
    ("anticipation", "want"),
    [
        (0, [(4, 2, 1), (4, 3, 2), (4, 4, 3), (4, 5, 3)]),
        (1, [(4, 2, 1), (4, 3, 2), (4, 4, 2), (4, 5, 2)]),
        (2, [(4, 2, 1), (4, 3, 1), (4, 4, 1), (4, 5, 1)]),
    ],
)
def test_anticipation_moves_the_base(anticipation, want):
    assert labels(plan([4, INF], range(1, 6), anticipation=anticipation)[0]) == want


def test_anticipation_shortens_the_wait():
    cells, *_ = plan([3, 4, 5, INF], range(1, 6), anticipation=1, control_group="notyettreated")
    comparison = {(g, t): others for g, t, _, others in cells}
    assert comparison[3, 2] == [4, 5, INF]
    assert comparison[3, 3] == [5, INF]
    assert comparison[3, 4] == [INF]


@pytest.mark.parametrize(("anticipation", "treated"), [(0, {2, 3}), (1, {3}), (2, set())])
def test_cohorts_treated_from_the_start_have_no_cells(anticipation, treated):
    cells, *_ = plan([1, 2, 3, INF], range(1, 5), anticipation=anticipation)
    assert {g for g, *_ in cells} == treated


@pytest.mark.parametrize(("anticipation", "treated"), [(0, {3}), (1, {3, 5}), (2, {5, 6})])
def test_cohorts_treated_after_the_end_are_comparisons(anticipation, treated):
    cells, *_ = plan([3, 5, 6, INF], range(1, 5), anticipation=anticipation)
    assert {g for g, *_ in cells} == treated
    late = [g for g in (5, 6, INF) if g > 4 + anticipation]
    assert all(comparison == late for *_, comparison in cells)


def test_gaps_in_time():
    cells, *_ = plan([5, INF], [1, 2, 4, 7, 9])
    assert labels(cells) == [(5, 2, 1), (5, 4, 2), (5, 7, 4), (5, 9, 4)]
    cells, *_ = plan([7, INF], [1, 2, 4, 7, 9], anticipation=3)  # base: t + 3 < 7
    assert labels(cells) == [(7, 2, 1), (7, 4, 2), (7, 7, 2), (7, 9, 2)]


@pytest.mark.parametrize(
    ("control_group", "comparison"), [("nevertreated", [6]), ("notyettreated", [5, 6])]
)
def test_last_cohort_stands_in_for_the_never_treated(control_group, comparison):
    cells, first, last = plan([3, 5, 6], range(1, 8), control_group=control_group)
    assert (first, last) == (1, 5)
    assert {(g, t) for g, t, *_ in cells} == {(g, t) for g in (3, 5) for t in range(2, 6)}
    assert {(g, t): others for g, t, _, others in cells}[3, 4] == comparison
    assert plan([3, 5, 6], range(1, 8), anticipation=1, control_group=control_group)[2] == 4


def test_absent_never_treated_count_as_none():
    present = np.ones((3, 6), dtype=bool)
    present[2] = False
    cells, _, last = plan([3, 5, INF], range(1, 7), present=present)
    assert last == 4
    assert all(others == [5, INF] for *_, others in cells)  # the absent add nothing to 5
    assert {g for g, *_ in cells} == {3}


def test_absent_cohort_and_absent_period():
    present = np.ones((3, 4), dtype=bool)
    present[0] = False
    assert {g for g, *_ in plan([3, 4, INF], range(1, 5), present=present)[0]} == {4}
    present = np.ones((3, 4), dtype=bool)
    present[:, 1] = False  # period 2, the base period of cohort 3
    cells, *_ = plan([3, 4, INF], range(1, 5), present=present)
    assert labels(cells) == [(3, 3, 1), (3, 4, 1), (4, 3, 1), (4, 4, 3)]


def test_first_and_last_period_may_be_absent():
    present = np.ones((3, 4), dtype=bool)
    present[:, 0] = False  # cohort 2 is now treated from the start
    cells, first, _ = plan([2, 4, INF], range(1, 5), present=present)
    assert first == 2
    assert {g for g, *_ in cells} == {4}
    present = np.ones((3, 4), dtype=bool)
    present[:, 3] = False  # cohort 4 is now treated after the end
    cells, _, last = plan([2, 4, INF], range(1, 5), present=present)
    assert last == 3
    assert {g for g, *_ in cells} == {2}
    assert cells[0][3] == [4, INF]


def test_periods_cut_for_want_of_comparisons_leave_cohorts_treated():
    # The sample rules cut periods 4 and 5 as cohort 4 became the comparison group.
    cells, *_ = plan([2, 5, INF], [1, 2, 3], horizon=5)
    assert {g for g, *_ in cells} == {2, 5}
    cells, *_ = plan([2, 5, INF], [1, 2, 3], horizon=3)
    assert {g for g, *_ in cells} == {2}


def test_nothing_present():
    assert plan([3, INF], [1, 2, 3], present=np.zeros((2, 3), dtype=bool)) == ([], 0, 0)


# By the slow rules ----------------------------------------------------------------------------


def slow_plan(cohorts, periods, present, control_group, base_period, anticipation):
    """Cells and comparison cohorts by `bruteforce`, on one row for each cohort and period."""
    rows = pd.DataFrame(
        [
            (g, t, i * len(periods) + j, 0, 1.0)
            for i, g in enumerate(cohorts)
            for j, t in enumerate(periods)
            if present[i, j]
        ],
        columns=["g", "t", "unit", "cluster", "w"],
    )
    horizon = rows["t"].max()
    rows, times, treated, _ = bf.clean(rows, horizon, False, False, control_group, anticipation)
    here = np.unique(rows["g"])
    cells = []
    for g, t, base in bf.list_cells(times, treated, base_period, anticipation):
        others = bf.comparison(here, g, t, base, control_group, anticipation)
        cells.append((g, t, base, set(here[others & (here != g)])))
    return cells


@pytest.mark.thin(5)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
@pytest.mark.parametrize("base_period", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1, 2])
def test_plan_equals_the_slow_rules(seed, control_group, base_period, anticipation):
    rng = np.random.default_rng(seed)
    options = (control_group, base_period, anticipation)
    checked = 0
    for _ in range(25):
        periods = np.sort(rng.choice(np.arange(1, 13), 6, replace=False))
        cohorts = [*np.sort(rng.choice(np.arange(1, 16), 4, replace=False)).astype(float)]
        if rng.random() < 0.6:
            cohorts.append(INF)
        present = rng.random((len(cohorts), 6)) < 0.8
        present[-1] = True  # so that no period goes with a cohort that is already treated
        try:
            want = slow_plan(cohorts, periods, present, *options)
        except bf.SampleError:
            want = []
        named = dict(zip(("control_group", "base_period", "anticipation"), options, strict=True))
        horizon = int(periods[present.any(axis=0)][-1])
        seen = present.any(axis=1)
        got, *_ = plan(cohorts, periods, present=present, horizon=horizon, **named)
        # Never-treated by recoding are written as inf by the slow rules; drop who is absent.
        there = {g for g, is_there in zip(cohorts, seen, strict=True) if is_there}
        assert labels(got) == [cell[:3] for cell in want]
        treated = {g for g, *_ in got}
        for (*_, ours), (*_, theirs) in zip(got, want, strict=True):
            finite = {g for g in ours if np.isfinite(g) and g in there}
            assert finite >= {g for g in theirs if np.isfinite(g)}
            recoded = finite - {g for g in theirs if np.isfinite(g)}
            assert not recoded & treated
            assert bool(recoded | ({INF} & set(ours) & there)) == (INF in theirs)
        checked += len(want)
    assert checked > 50


# In results -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel():
    df = draw((0, 4, 0, 5, 4, 0, 5), (5, 6, 7, 8, 4, 3, 6), range(1, 7))
    df.loc[df["id"] % 4 == 0, "w"] = 0.0
    return df


@pytest.mark.parametrize("sample", ["panel", "repeated"])
@pytest.mark.parametrize("options", [{}, {"weightsname": "w"}, {"xformla": "~ x1"}])
def test_counts_of_cells(panel, sample, options):
    # Rows without weight do not count; rows that the package puts together do.
    options = options | {"control_group": "notyettreated", "est_method": "reg"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.SampleWarning)
        table = fast(panel, panel=sample == "panel", **options).cells
    assert len(table) == 10
    panel = panel[panel["w"] > 0] if "weightsname" in options else panel
    for _, cell in table.iterrows():
        two = panel[panel["period"].isin([cell["time"], cell["base_period"]])]
        latest = max(cell["time"], cell["base_period"])
        treated = two["cohort"] == cell["group"]
        later = ((two["cohort"] == 0) | (two["cohort"] > latest)) & ~treated
        rows_per_unit = 2 if sample == "panel" else 1
        assert cell["n_treated"] == treated.sum() / rows_per_unit
        assert cell["n_comparison"] == later.sum() / rows_per_unit


def test_cells_and_table_have_the_same_rows(panel):
    result = fast(panel, base_period="universal")
    assert isinstance(result, didjack.GroupTimeResult)
    table, cells = result.tidy(), result.cells
    pd.testing.assert_frame_equal(
        table[["group", "time", "estimate"]], cells[["group", "time", "estimate"]]
    )
    reference = cells["time"] == cells["base_period"]
    assert (cells["status"][reference] == "base").all()
    assert (cells["estimate"][reference] == 0).all()
    assert table["std_error"][reference].isna().all()
    assert (cells["status"][~reference] == "ok").all()
    assert (table["event_time"] == table["time"] - table["group"]).all()
