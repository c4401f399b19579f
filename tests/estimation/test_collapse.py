"""Rows put together by their covariates give what the rows themselves give."""

import numpy as np
import pandas as pd
import pytest

import didjack
from didjack.data.clean import clean
from didjack.estimation.fit import Fit
from didjack.estimation.rows import patterns
from didjack.estimation.sums import SumSource
from didjack.options import Options
from didjack.results.group_time import GroupTimeResult, group_time_result


@pytest.fixture(scope="module")
def survey() -> pd.DataFrame:
    """Repeated cross sections with three dummies, weights and a binary outcome."""
    df = didjack.simulate.repeated_cross_section(
        n_clusters=15,
        cluster_size=30,
        size_dispersion=0.8,
        n_periods=5,
        treated_clusters=7,
        n_covariates=0,
        n_dummies=3,
        weights=True,
        seed=11,
    )
    return df.assign(b=(df.y > df.y.median()).astype(float))


def both(df: pd.DataFrame, **options: object) -> tuple[GroupTimeResult, GroupTimeResult]:
    """Fit with rows put together, and with each row of its own."""
    checked = Options.from_keywords(
        **{"tname": "period", "gname": "cohort", "cluster": "cluster", "undefined": "skip"}
        | options
    )
    sample = clean(df, checked.sample, checked.estimation)
    sources = [
        SumSource.from_sample(sample, checked.estimation, collapse) for collapse in (True, False)
    ]
    collapsed, rows = (source.rows for source in sources)
    assert collapsed.y.shape[0] < 0.7 * rows.y.shape[0]
    assert collapsed.count.sum() == rows.y.shape[0] == len(df)
    return tuple(
        group_time_result(Fit.from_source(source, checked, sample.ledger)) for source in sources
    )


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("collinear", ["nan", "drop"])
@pytest.mark.parametrize("method", ["reg", "ipw", "dr"])
def test_collapsed_rows_give_the_same_replicates(survey, method, collinear, weights):
    one, other = both(
        survey,
        yname="y",
        panel=False,
        xformla="~ x1 + x2 + x3",
        est_method=method,
        collinear=collinear,
        weightsname=weights,
    )
    scale = survey.y.std()
    a, b = one.replicates().to_numpy(), other.replicates().to_numpy()
    assert np.array_equal(np.isnan(a), np.isnan(b))
    assert np.nanmax(np.abs(a - b)) < 1e-12 * scale
    assert np.allclose(one.tidy().estimate, other.tidy().estimate, rtol=0, atol=1e-12 * scale)
    for by in ("cohort", "cell"):
        left, right = (r.aggregate("event", weights=by).replicates() for r in (one, other))
        assert np.allclose(left, right, rtol=0, atol=1e-12 * scale, equal_nan=True)


def test_collapsed_rows_give_the_same_clustered_errors(survey):
    options = dict(yname="y", panel=False, xformla="~ x1 + x2", vcov="analytic", weightsname="w")
    one, other = both(survey, **options)
    assert np.allclose(one.tidy().std_error, other.tidy().std_error, rtol=1e-11)


def test_unbalanced_panels_are_put_together_too(survey):
    panel = didjack.simulate.panel(
        n_clusters=10,
        cluster_size=12,
        n_periods=4,
        treated_clusters=5,
        n_covariates=0,
        n_dummies=2,
        seed=3,
    )
    df = panel.drop(index=panel.index[::7])
    one, other = both(df, yname="y", idname="id", allow_unbalanced_panel=True, xformla="~ x1 + x2")
    assert np.allclose(one.replicates(), other.replicates(), rtol=0, atol=1e-11, equal_nan=True)


@pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")
def test_rows_that_only_their_units_tell_apart():
    """Rows with the same outcome and covariates, of units that are seen more and less often."""
    df = didjack.simulate.panel(
        n_clusters=8, cluster_size=60, n_periods=7, treated_clusters=4, n_covariates=1, seed=1
    )
    rng = np.random.default_rng(1)
    df.loc[df.cluster % 2 == 0, "x1"] = 0.0
    df["y"] = (df.y > df.y.median()).astype(float)
    df = df[rng.random(len(df)) > 0.4]
    options = dict(yname="y", tname="period", gname="cohort", idname="id", cluster="cluster")
    options |= dict(allow_unbalanced_panel=True, est_method="reg", xformla="~ x1", undefined="skip")
    one, other = (didjack.csdid(d, **options) for d in (df, df.sample(frac=1.0, random_state=3)))
    assert one._fit.source.rows.unit.size
    assert np.array_equal(one._fit.layout.share, other._fit.layout.share)
    one, other = one.aggregate("group"), other.aggregate("group")
    assert np.array_equal(one.replicates(), other.replicates(), equal_nan=True)


def test_patterns_of_more_covariates_than_a_whole_number_can_hold():
    # 64 values of each of 12 covariates: 2^72 patterns that could be, 400 that are.
    rng = np.random.default_rng(5)
    distinct = rng.integers(0, 64, (400, 12)).astype(float)
    distinct[:64] = np.arange(64.0)[:, None]
    distinct[64:, 3:] = distinct[64, 3:]  # where only the first covariates tell rows apart
    code = rng.permutation(np.repeat(np.arange(400), 5))
    x = np.column_stack([np.ones(2000), distinct[code]])
    found = patterns(x, np.zeros(2000, dtype=np.int64))
    assert found is not None
    rows, pattern = found
    assert rows.size == len(np.unique(distinct, axis=0))
    assert np.array_equal(x[rows][pattern], x)


@pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")
@pytest.mark.parametrize("formula", ["~ x1 + x2", "~ x1 + x2 + z", None])
def test_the_order_of_rows_changes_no_bit(survey, formula):
    df = survey.assign(z=np.random.default_rng(0).normal(size=len(survey)))
    options = dict(
        yname="y",
        tname="period",
        gname="cohort",
        cluster="cluster",
        panel=False,
        xformla=formula,
        weightsname="w",
    )
    one = didjack.csdid(df, **options)
    other = didjack.csdid(df.sample(frac=1.0, random_state=1), **options)
    assert np.array_equal(one.replicates(), other.replicates(), equal_nan=True)
    assert np.array_equal(one.tidy().std_error, other.tidy().std_error, equal_nan=True)
    assert one == other
