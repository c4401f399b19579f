"""The clean sample, and the rules against an independent version of them."""

import warnings

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from small_panels import COVARIATES, NAMES, panel

import didjack
from didjack import SampleWarning
from didjack._typing import NEVER
from didjack.data.checks import check_second_cluster
from didjack.data.clean import clean
from didjack.options import EstimationOptions, Options, SampleOptions

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


@pytest.mark.parametrize("shuffle", [False, True])
def test_clean_data(df, shuffle):
    rows = df.sample(frac=1, random_state=1) if shuffle else df
    data = clean(rows, SampleOptions(**NAMES | COVARIATES), EstimationOptions())
    np.testing.assert_array_equal(data.y, rows["y"])
    np.testing.assert_array_equal(data.periods[data.period], rows["t"])
    np.testing.assert_array_equal(data.unit, rows["id"] - 1)
    np.testing.assert_array_equal(data.cluster_labels[data.cluster], rows["cl"])
    np.testing.assert_array_equal(data.weight, rows["w"])
    np.testing.assert_array_equal(data.cohort == NEVER, rows["g"] == 0)
    np.testing.assert_array_equal(data.cohort[data.cohort != NEVER], rows["g"][rows["g"] > 0])
    np.testing.assert_array_equal(data.x, rows.assign(one=1)[["one", "x1", "x2"]])
    assert data.horizon == 2005
    assert not data.pooled
    for array in (data.y, data.period, data.cohort, data.unit, data.cluster, data.weight, data.x):
        assert array.flags.c_contiguous
        for column in rows:
            assert not np.shares_memory(array, rows[column].to_numpy())


def test_periods_from_zero_are_copied_too():
    df = panel(first_period=1, cohorts=[2, 3]).assign(t=lambda d: d["t"] - 1)
    with pytest.warns(SampleWarning, match="0 in 'g'"):
        data = clean(df, SampleOptions(**NAMES), EstimationOptions())
    assert not np.shares_memory(data.period, df["t"].to_numpy())


def test_clusters_are_those_of_complete_rows(df):
    """A cluster of always treated units counts, one of incomplete rows does not."""
    odd = df.assign(g=df["g"].mask(df["cl"] == 1, 2001), y=df["y"].mask(df["cl"] == 2))
    with pytest.warns(SampleWarning):
        data = clean(odd, SampleOptions(**NAMES), EstimationOptions())
    assert data.cluster_labels.tolist() == [1, *range(3, 13)]
    assert data.cluster.min() == 1


def mess(seed):
    """A small panel with gaps, missing values, and cohorts before, within and after its periods."""
    rng = np.random.default_rng(seed)
    n, periods = rng.integers(4, 12), np.unique(rng.integers(1, 9, rng.integers(2, 7)))
    cohorts = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, 11], rng.integers(1, 5))
    df = pd.DataFrame({"id": np.repeat(np.arange(n), periods.size), "t": np.tile(periods, n)})
    df["g"] = rng.choice(cohorts, n)[df["id"]]
    df["cl"] = rng.integers(0, 4, n)[df["id"]]
    df["y"] = rng.normal(size=len(df))
    df["x1"] = rng.normal(size=len(df))
    df["w"] = rng.integers(1, 3, len(df)).astype(float)
    if rng.random() < 0.6:
        for column in ("y", "x1", "w", "t"):
            lost = rng.random(len(df)) < 0.03
            df[column] = df[column].astype(float).mask(lost, rng.choice([np.nan, np.inf]))
    if rng.random() < 0.5:
        df = df[rng.random(len(df)) > 0.04]
    if rng.random() < 0.3:
        df["g"] = df["g"].where(df["g"] > 0)
    return df.sample(frac=1, random_state=seed)


def outcome_of_rules(df, options):
    """Rows, units and cohorts that the package keeps, or None."""
    data = None
    checked = Options.from_keywords(**NAMES | COVARIATES | {"xformla": "~ x1"} | options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        try:
            data = clean(df, checked.sample, checked.estimation)
            if checked.inference.jackknife:
                check_second_cluster(data, checked.sample)
        except didjack.DataError:
            return None
    table = pd.DataFrame({"y": data.y, "x": data.x[:, 1], "w": data.weight})
    table["t"], table["g"] = data.periods[data.period].astype(float), data.cohort.astype(float)
    table["g"] = table["g"].mask(data.cohort == NEVER, np.inf)
    assert data.ledger["n_rows"].iloc[-1] == len(table)
    assert not data.pooled or options.get("allow_unbalanced_panel") or not options["panel"]
    return table.sort_values(["y"]).reset_index(drop=True)


def outcome_of_brute_force(df, options):
    """The same of `bruteforce`."""
    rules = {k: v for k, v in options.items() if k not in ("idname", "vcov")}
    names = ("y", "t", "g", "id", ("x1",), "cl", "w")
    try:
        sample, _, _ = bf.prepare(df, names, rules)
    except bf.SampleError:
        return None
    table = sample.rows[["y", "x0", "w", "t", "g"]].set_axis(["y", "x", "w", "t", "g"], axis=1)
    last = table["g"].max()
    if options.get("control_group") == "notyettreated" and last not in sample.cohorts:
        table["g"] = table["g"].replace(last, np.inf)  # untreated in all periods that are left
    return table.sort_values(["y"]).reset_index(drop=True)


@pytest.mark.parametrize(
    "options",
    [
        {"panel": True},
        {"panel": True, "control_group": "notyettreated"},
        {"panel": True, "anticipation": 1},
        {"panel": True, "allow_unbalanced_panel": True, "anticipation": 2},
        {"panel": False, "idname": None, "control_group": "notyettreated"},
    ],
)
def test_rules_agree_with_an_independent_version(options):
    kept = refused = 0
    for seed in range(60):
        df = mess(seed)
        got = outcome_of_rules(df, options | {"vcov": "analytic"})
        want = outcome_of_brute_force(df, options)
        if got is None or want is None:
            refused += 1
            # The package also refuses a sample without control units, and a single cohort.
            assert got is None
            if want is not None:
                assert not np.isinf(want["g"]).any() or np.isinf(want["g"]).all()
            continue
        kept += 1
        pd.testing.assert_frame_equal(got, want)
    assert kept >= 10
    assert refused >= 10
