"""Why there is no average, and which clusters have no units."""

import numpy as np
import pandas as pd
import pytest

import didjack

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.DidjackWarning")

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id", "cluster": "cluster"}


@pytest.fixture(scope="module")
def df():
    return didjack.simulate.panel(
        n_clusters=14, cluster_size=4, n_periods=6, cohorts=[3, 5], seed=2
    ).assign(w=1.0)


def status(result):
    table = result.tidy()
    return dict(zip(table.iloc[:, 0].tolist(), table["status"], strict=True))


def test_a_cohort_without_weight_in_the_first_period_is_gone(df):
    """Its rows of weight zero are dropped first, and then its units, which miss a period."""
    df = df.assign(w=np.where((df["period"] == df["period"].min()) & (df["cohort"] == 5), 0.0, 1.0))
    result = didjack.csdid(df, **NAMES, weightsname="w", est_method="reg")
    assert 5 not in result.tidy()["group"].tolist()
    assert result.sample["rule"].str[0].tolist() == ["0", "5", "6"]
    unbalanced = didjack.csdid(df, **NAMES, weightsname="w", allow_unbalanced_panel=True)
    cells = unbalanced.tidy().set_index(["group", "time"])
    assert cells["status"][(5, 2)] == "no treated rows: base period 1"
    assert (cells["status"][[(5, 3), (5, 4), (5, 5)]] == "ok").all()


def test_nothing_estimated_is_still_said(df):
    bad = df.assign(
        x=np.where(df["cohort"] == 5, 1.0, np.random.default_rng(0).normal(size=len(df)))
    )
    result = didjack.csdid(bad, **NAMES, xformla="~ x", est_method="ipw")
    if result.tidy()["estimate"].isna().any():
        missing = [text for text in status(result.aggregate("group")).values() if text != "ok"]
        assert all("no weight" not in text for text in missing)


@pytest.mark.parametrize("vcov", ["CV3", "analytic"])
def test_clusters_without_units_are_counted(df, vcov):
    gone = df["cluster"].isin(df["cluster"].unique()[:2])
    # Units that miss a period leave the panel.
    part = df[~(gone & (df["period"] == 2))]
    result = didjack.csdid(part, **NAMES, vcov=vcov)
    about = result.glance().iloc[0]
    assert about["n_empty_clusters"] == 2
    assert about["n_clusters"] == 14
    text = " ".join(str(result.summary()).split())
    assert "2 clusters without units in the sample (counted in the degrees of freedom)." in text
    whole = didjack.csdid(df, **NAMES, vcov=vcov)
    assert whole.glance()["n_empty_clusters"].item() == 0
    assert "without units" not in str(whole.summary())


def test_nothing_is_said_to_be_imputed_where_too_few_replicates_are_left(df):
    """Without the one comparison cluster nothing is left, and two replicates are too few."""
    two = df.drop_duplicates("cluster").loc[lambda d: d["cohort"] == 3, "cluster"].iloc[:2]
    one = df.drop_duplicates("cluster").loc[lambda d: d["cohort"] == 0, "cluster"].iloc[:1]
    result = didjack.csdid(df[df["cluster"].isin([*two, *one])], **NAMES)
    with pytest.warns(didjack.InferenceWarning) as said:
        result.aggregate("simple")
    texts = " ".join(str(each.message) for each in said)
    assert result.tidy()["std_error"].isna().all()
    assert "no standard error with fewer than 3 replicates" in texts
    assert "is imputed" not in texts
    assert "too few others are left to impute it" in " ".join(str(result.summary()).split())


def test_lone_surrogates_of_labels_are_escaped():
    df = didjack.datasets.load_mpdta()
    df["state"] = pd.Series([f"\udce9{state}" for state in df["state"]], dtype=object)
    result = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal", cluster="state")
    assert r"cluster \udce917" in " ".join(result.tidy()["status"])
    str(result.summary()).encode("utf-8")
