"""Weights that change over time: what `fix_weights` makes of them."""

import numpy as np
import pandas as pd
import pytest

import didjack

CALL = dict(yname="y", tname="period", gname="cohort", cluster="cluster", xformla="~ x1")


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """A balanced panel with weights that vary over time."""
    df = didjack.simulate.panel(
        n_clusters=12,
        cluster_size=8,
        n_periods=5,
        treated_clusters=6,
        n_covariates=1,
        seed=5,
    )
    rng = np.random.default_rng(5)
    return df.assign(w=np.round(rng.uniform(0.5, 2.0, len(df)), 3))


def estimates(df: pd.DataFrame, **options: object) -> pd.DataFrame:
    """Estimate and return point estimates and standard errors."""
    options = {"idname": "id", "weightsname": "w", "undefined": "skip", **CALL, **options}
    return didjack.csdid(df, **options).tidy()[["group", "time", "estimate", "std_error"]]


def weights_of(df: pd.DataFrame, period: int) -> pd.Series:
    """Give every row the weight its unit has in one period."""
    return df["id"].map(df[df.period == period].set_index("id")["w"])


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
def test_first_period_takes_each_units_first_weight(panel, method):
    fixed = estimates(panel, fix_weights="first_period", est_method=method)
    by_hand = estimates(panel.assign(w=weights_of(panel, 1)), est_method=method)
    pd.testing.assert_frame_equal(fixed, by_hand, rtol=1e-12, atol=1e-14)
    assert not np.allclose(fixed.estimate, estimates(panel, est_method=method).estimate)


@pytest.mark.thin(5)
@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
@pytest.mark.parametrize("base_period", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_base_period_takes_the_weights_of_one_period_in_all_cells_of_a_cohort(
    panel, method, base_period, anticipation
):
    keys = ["group", "time"]
    common = dict(base_period=base_period, est_method=method, anticipation=anticipation)
    fixed = estimates(panel, fix_weights="base_period", **common).set_index(keys)
    earlier = estimates(panel, **common).set_index(keys)
    for (group, time), row in fixed.iterrows():
        base = group - 1 - anticipation
        expected = estimates(panel.assign(w=weights_of(panel, base)), **common).set_index(keys)
        assert row.estimate == pytest.approx(expected.estimate[group, time], rel=1e-11, abs=1e-13)
        if time > base or (base_period == "universal" and time == base):
            assert row.estimate == pytest.approx(earlier.estimate[group, time], rel=1e-11)
    before = fixed.index.get_level_values("time") < fixed.index.get_level_values("group") - 1
    moved = ~np.isclose(fixed.estimate, earlier.estimate)
    assert before.any()
    assert moved[before].any()


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
def test_varying_uses_each_rows_own_weight(panel, method):
    own = estimates(panel, fix_weights="varying", est_method=method)
    rows = estimates(panel, idname=None, panel=False, est_method=method)
    pd.testing.assert_frame_equal(own, rows, rtol=1e-11, atol=1e-13)


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
def test_constant_weights_make_all_choices_agree(panel, method):
    df = panel.assign(w=weights_of(panel, 1))
    plain = estimates(df, est_method=method)
    for choice in ("varying", "first_period", "base_period"):
        other = estimates(df, fix_weights=choice, est_method=method)
        pd.testing.assert_frame_equal(plain, other, rtol=1e-9, atol=1e-11)


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
def test_units_without_a_first_weight_leave_an_unbalanced_panel(panel, method):
    gone = (panel.id <= 6) & (panel.period == 1)
    df = panel[~gone]
    options = dict(allow_unbalanced_panel=True, est_method=method)
    with pytest.warns(didjack.SampleWarning, match="6 units not observed in the first period"):
        fixed = estimates(df, fix_weights="first_period", **options)
    seen = df[df.id > 6]
    rows = estimates(
        seen.assign(w=weights_of(seen, 1)), idname=None, panel=False, est_method=method
    )
    assert np.allclose(fixed.estimate, rows.estimate, rtol=1e-10)


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
def test_units_not_seen_in_the_base_period_leave_its_cells(panel, method):
    gone = (panel.id <= 6) & (panel.period == 2)
    df = panel[~gone]
    options = dict(allow_unbalanced_panel=True, est_method=method, fix_weights="base_period")
    with pytest.warns(didjack.SampleWarning, match="6 units not observed in some base period"):
        fixed = estimates(df, **options).set_index(["group", "time"])
    seen = df[df.id > 6]
    rows = estimates(
        seen.assign(w=weights_of(seen, 2)), idname=None, panel=False, est_method=method
    ).set_index(["group", "time"])
    cells = [(g, t) for g, t in rows.index if g == 3]
    assert len(cells) >= 3
    for cell in cells:
        assert fixed.estimate[cell] == pytest.approx(rows.estimate[cell], rel=1e-10)


def earlier_covariates(df: pd.DataFrame, time: int, base: int) -> pd.DataFrame:
    """Take the rows of two periods, with each unit's covariate of the earlier one."""
    at = df[df.period == min(time, base)].set_index("id")["z"]
    rows = df[df.period.isin([time, base])]
    return rows.assign(z=rows["id"].map(at))


@pytest.fixture(scope="module")
def moving(panel) -> pd.DataFrame:
    """The panel with a covariate that varies over time."""
    noise = np.random.default_rng(6).normal(size=len(panel))
    return panel.assign(z=panel["x1"] + noise, y=panel["y"] + noise)


@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
@pytest.mark.parametrize("base_period", ["varying", "universal"])
def test_varying_holds_covariates_at_the_earlier_period(moving, method, base_period):
    options = dict(est_method=method, xformla="~ z")
    own = dict(fix_weights="varying", base_period=base_period)
    result = didjack.csdid(moving, **CALL | options | own, idname="id", weightsname="w")
    for cell in result.cells[result.cells.time != result.cells.base_period].itertuples():
        rows = earlier_covariates(moving, cell.time, cell.base_period)
        rows = rows[rows.cohort.isin([0, cell.group])]
        swap = cell.time < cell.base_period  # the base comes later: turn time round
        late, sign = max(cell.time, cell.base_period), -1 if swap else 1
        rows = rows.assign(cohort=np.where(rows.cohort > 0, late, 0))
        pooled = dict(panel=False, weightsname="w", undefined="skip")
        by_hand = didjack.csdid(rows, **CALL | options | pooled).tidy()["estimate"]
        assert sign * cell.estimate == pytest.approx(by_hand.item(), rel=1e-9, abs=1e-11)


@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
@pytest.mark.parametrize("method", ["reg", "dr"])
def test_varying_does_not_depend_on_the_order_of_rows(moving, method):
    options = dict(est_method=method, xformla="~ z", fix_weights="varying")
    shuffled = moving.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(
        estimates(moving, **options), estimates(shuffled, **options), check_exact=True
    )


@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
def test_varying_on_an_unbalanced_panel_takes_each_rows_own_covariate(moving):
    df = moving[~((moving.id % 5 == 0) & (moving.period == 2))]
    own = estimates(df, fix_weights="varying", allow_unbalanced_panel=True, xformla="~ z")
    rows = estimates(df, idname=None, panel=False, xformla="~ z")
    np.testing.assert_allclose(own.estimate, rows.estimate, rtol=1e-10)


@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
def test_varying_averages_with_the_first_weights_on_a_balanced_panel(panel):
    call = CALL | dict(idname="id", weightsname="w", est_method="reg")
    result = didjack.csdid(panel, **call, fix_weights="varying")
    first = panel[(panel.period == 1) & (panel.cohort > 0)].groupby("cohort")["w"].sum()
    after = result.cells[result.cells.time >= result.cells.group]
    share = after.group.map(first)
    by_hand = np.average(after.estimate, weights=share)
    assert result.aggregate("simple").overall.estimate == pytest.approx(by_hand, rel=1e-12)


def test_fixed_weights_need_weights_and_a_panel(panel):
    with pytest.raises(didjack.OptionError, match="needs weightsname"):
        didjack.csdid(panel, **CALL, idname="id", fix_weights="varying")
    with pytest.raises(didjack.OptionError, match="needs a panel"):
        didjack.csdid(panel, **CALL, weightsname="w", panel=False, fix_weights="first_period")


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning", "ignore::didjack.SampleWarning")
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("choice", [None, "varying", "base_period", "first_period"])
def test_arrays_that_kernels_read_are_contiguous(moving, choice, balanced):
    """Numba 0.60 with NumPy 2.0 was seen to give wrong sums of rows that are apart in memory."""
    df = moving if balanced else moving.drop(index=moving.index[3::17])
    options = {**CALL, "idname": "id", "weightsname": "w", "xformla": "~ z", "fix_weights": choice}
    rows = didjack.csdid(df, **options, allow_unbalanced_panel=not balanced)._fit.source.rows
    for values in (*rows.x, *rows.w, *rows.count, rows.share_weight, rows.level, rows.square):
        assert values.flags.c_contiguous
    assert rows.y.flags.c_contiguous
