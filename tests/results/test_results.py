"""Results as objects: comparison of estimators, pickles, exports."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest

import didjack

# One state holds the cohort of 2004, and what follows from that has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")

NAMES = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}


def fit(**options):
    return didjack.csdid(didjack.datasets.load_mpdta(), **NAMES, **options)


@pytest.fixture(scope="module")
def by_state():
    return fit(cluster="state")


@pytest.fixture(scope="module")
def universal():
    return fit(base_period="universal")


# ---- pickles and equality -----------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["CV3", "CV3J", "analytic", "bootstrap"])
def test_results_pickle_and_compare(vcov):
    result = fit(cluster="state", vcov=vcov)
    for one in (result, result.aggregate("group")):
        one.summary()
        one.confint(joint=True)
        again = pickle.loads(pickle.dumps(one))
        assert again == one
        pd.testing.assert_frame_equal(again.tidy(), one.tidy())
        assert again != one.with_options(vcov="CV3J" if vcov != "CV3J" else "CV3")
    assert result != result.aggregate("group")
    assert result != "result"
    with pytest.raises(TypeError):
        hash(result)


def test_results_are_frozen(by_state):
    with pytest.raises(AttributeError):
        by_state._targets = None


# ---- tables of coefficients ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["simple", "event", "group", "calendar"])
def test_the_overall_is_the_last_row(by_state, kind):
    average = by_state.aggregate(kind)
    table, plain = average.tidy(alpha=0.1, overall=True), average.tidy(alpha=0.1)
    assert table.iloc[-1, 0] == "overall"
    assert list(table.columns) == list(plain.columns)
    columns = list(plain.columns[1:])
    want = average.with_options(alpha=0.1).overall
    pd.testing.assert_series_equal(table.iloc[-1][columns], want[columns], check_names=False)
    if kind != "simple":  # which is an overall and nothing else
        pd.testing.assert_frame_equal(table.iloc[:-1][columns], plain[columns])
        assert table.iloc[:-1, 0].tolist() == plain.iloc[:, 0].tolist()
        assert plain.dtypes.iloc[0] == np.int64


def test_att_have_no_overall(by_state):
    with pytest.raises(didjack.OptionError, match=r"aggregate\('simple'\)"):
        by_state.tidy(overall=True)


def test_the_band_as_columns(by_state):
    event = by_state.aggregate("event")
    for result in (by_state, event):
        table = result.tidy(joint=True)
        band = result.confint(joint=True).to_numpy()[: len(table)]
        np.testing.assert_array_equal(table[["joint_low", "joint_high"]], band)
        pd.testing.assert_frame_equal(
            table.drop(columns=["joint_low", "joint_high"]), result.tidy()
        )
    last = event.tidy(overall=True, joint=True).iloc[-1]
    assert (last["joint_low"], last["joint_high"]) == (last["conf_low"], last["conf_high"])
    with pytest.raises(didjack.UnknownOptionError, match="did you mean 'joint'"):
        event.tidy(simultaneous=True, jiont=True)


# ---- estimators side by side --------------------------------------------------------------------


def test_compare_vcov_is_what_each_call_gives(by_state):
    table = by_state.compare_vcov("group", alpha=0.1, n_permutations=0)
    rows = ["analytic", "clustered", "bootstrap", "CV3J", "CV3, t(R-1)", "CV3, model"]
    assert list(table.index) == rows
    calls = {
        "analytic": fit(vcov="analytic"),
        "clustered": fit(vcov="analytic", cluster="state"),
        "bootstrap": fit(vcov="bootstrap", cluster="state"),
        "CV3J": fit(vcov="CV3J", cluster="state"),
        "CV3, t(R-1)": fit(cluster="state", reference="t"),
        "CV3, model": by_state,
    }
    for name, result in calls.items():
        average = result.aggregate("group")
        want = average._statistics(0.1).iloc[-1]
        columns = [column for column in table.columns if column not in ("ratio", "invalid")]
        np.testing.assert_allclose(
            table.loc[name, columns].to_numpy(float), want[columns].to_numpy(float), rtol=1e-12
        )
    np.testing.assert_allclose(
        table["ratio"], table["std_error"] / table.loc["CV3, model", "std_error"]
    )


def test_compare_vcov_from_any_result(by_state):
    want = by_state.compare_vcov("simple", n_permutations=9)
    for vcov in ("analytic", "bootstrap", "CV3J"):
        got = fit(cluster="state", vcov=vcov).compare_vcov("simple", n_permutations=9)
        pd.testing.assert_frame_equal(got, want, rtol=1e-12)


def test_compare_vcov_of_all_coefficients(by_state):
    event = by_state.aggregate("event")
    table = event.compare_vcov("all", n_permutations=0)
    assert table.index.names == ["event_time", "vcov"]
    assert len(table) == 6 * len(event._targets.index)
    error = table["std_error"].xs("CV3, model", level="vcov").to_numpy()
    np.testing.assert_array_equal(error, event._statistics()["std_error"])
    pd.testing.assert_frame_equal(table.loc["overall"], event.compare_vcov(n_permutations=0))
    cells = by_state.compare_vcov(None)
    assert cells.index.names == ["group", "time", "vcov"]
    assert len(cells) == 6 * 12


def test_compare_vcov_of_independent_units():
    table = fit(vcov="analytic").compare_vcov()
    assert list(table.index) == ["analytic", "bootstrap", "CV3J", "CV3, t(R-1)", "CV3, model"]
    df = didjack.simulate.repeated_cross_section(n_clusters=8, cluster_size=9, seed=0)
    result = didjack.csdid(
        df, "y", "period", "cohort", panel=False, vcov="analytic", est_method="reg"
    )
    table = result.compare_vcov()
    assert list(table.index) == ["analytic", "bootstrap"]
    assert table["ratio"].isna().all()


def test_compare_vcov_of_repeated_cross_sections_by_cluster():
    df = didjack.simulate.repeated_cross_section(n_clusters=12, cluster_size=9, n_dummies=1, seed=0)
    options = {"panel": False, "est_method": "reg", "xformla": "~ x1"}
    names = ["y", "period", "cohort"]
    result = didjack.csdid(df, *names, cluster="cluster", **options)
    alone = didjack.csdid(df, *names, vcov="analytic", **options)
    want = alone.aggregate("simple").overall["std_error"]
    got = result.compare_vcov().loc["analytic", "std_error"]
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_compare_vcov_options(by_state):
    with pytest.raises(didjack.OptionError, match="'overall', 'all'"):
        by_state.compare_vcov("group", which="some")
    with pytest.raises(didjack.OptionError, match="type must be"):
        by_state.compare_vcov("weekly")
    with pytest.raises(didjack.OptionError, match=r"n_permutations must be .* got -1"):
        by_state.compare_vcov(n_permutations=-1)


def treated(clusters, **options):
    """A panel of twelve clusters, so many of which are treated in each cohort, and its fit."""
    df = didjack.simulate.panel(
        n_clusters=12, cluster_size=5, treated_clusters=clusters, cohorts=list(clusters), seed=1
    )
    names = ["y", "period", "cohort", "id"]
    return didjack.csdid(df, *names, cluster="cluster", est_method="reg", vcov="CV3J", **options)


def test_compare_vcov_has_a_randomisation_test():
    average = treated({4: 2, 5: 3}).aggregate("calendar")
    table = average.compare_vcov("all", n_permutations=50)
    assert table.index[-1] == ("overall", "randomization")
    assert (table.index.get_level_values("vcov") == "randomization").sum() == 1
    row = table.iloc[-1]
    test = average.with_options(vcov="CV3").randomization_test(n_permutations=50)
    columns = ["estimate", "statistic", "p_value", "conf_low", "conf_high"]
    np.testing.assert_array_equal(row[columns].astype(float), test[columns].astype(float))
    assert row[["std_error", "df", "ratio"]].isna().all()
    assert (table["invalid"] == "").all()


def test_compare_vcov_with_one_treated_cluster():
    average = treated({4: 1}).aggregate("simple")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what each test says of itself is not said here
        table = average.compare_vcov()
    errors = ["analytic", "clustered", "bootstrap", "CV3J", "CV3, t(R-1)", "CV3, model"]
    assert list(table.index) == [*errors, "placebo"]
    assert np.isnan(table.loc["CV3, t(R-1)", "std_error"])
    assert re.match(r"no estimate without cluster \d+: none", table.loc["CV3, t(R-1)", "invalid"])
    with pytest.warns(didjack.InferenceWarning, match="11 placebos"):
        test = average.placebo_test()
    assert table.loc["placebo", "p_value"] == test["p_value"]
    for row in ("analytic", "clustered", "bootstrap"):
        assert table.loc[row, "invalid"].startswith("one treated cluster")
    assert (table.loc[["CV3J", "CV3, model", "placebo"], "invalid"] == "").all()
    skipping = treated({4: 1}, undefined="skip").compare_vcov()
    assert skipping.loc["CV3, t(R-1)", "invalid"].startswith("one treated cluster")


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [({4: 1, 6: 1}, "every treated cohort is in a single"), ({4: 5, 6: 6}, "one control cluster")],
)
def test_compare_vcov_says_what_variation_is_not_in_analytic_errors(clusters, reason):
    table = treated(clusters).compare_vcov(n_permutations=0)
    reasons = table["invalid"].to_dict()
    analytic = [reasons.pop(row) for row in ("analytic", "clustered", "bootstrap")]
    assert all(one.startswith(reason) for one in analytic)
    assert set(reasons.values()) == {""}


def test_compare_vcov_says_why_there_is_no_standard_error():
    skipping = treated({4: 11}, undefined="skip").compare_vcov(n_permutations=0)
    assert skipping.loc["CV3, t(R-1)", "invalid"].startswith("one control cluster")
    table = treated({4: 1, 6: 3}, base_period="universal").compare_vcov("event", which="all")
    bare = table["std_error"].isna() & table["estimate"].ne(0.0)
    bare &= ~table.index.get_level_values("vcov").isin(["randomization", "placebo"])
    assert bare.any()
    assert table.loc[bare, "invalid"].str.startswith("no estimate without cluster").all()
    base = table.loc[-1]
    assert base["std_error"].isna().all()
    assert (base["invalid"] == "").all()


def test_compare_vcov_marks_effects_on_one_cluster():
    table = treated({4: 1, 6: 3}).compare_vcov("group", which="all", n_permutations=0)
    marked = (table["invalid"] != "").groupby(level="group").any()
    assert marked.to_dict() == {4: True, 6: False, "overall": False}
    cells = treated({4: 1, 6: 3}).compare_vcov(None)
    marked = (cells["invalid"] != "").groupby(level="group").any()
    assert marked.to_dict() == {4: True, 6: False}


# ---- maketables ---------------------------------------------------------------------------------


def test_maketables_attributes(by_state):
    for result in (by_state, by_state.aggregate("group")):
        table = result.__maketables_coef_table__
        assert {"b", "se", "t", "p", "ci95l", "ci95u"} == set(table.columns)
        assert table.index.is_unique
        np.testing.assert_array_equal(table["se"], result._statistics()["std_error"])
        keys = result.__maketables_default_stat_keys__
        assert all(result.__maketables_stat__(key) is not None for key in keys)
        assert set(keys) <= set(result.__maketables_stat_labels__)
        assert result.__maketables_stat__("r2") is None
    assert by_state.__maketables_stat__("N") == 2500
    assert by_state.__maketables_stat__("se_type") == "CV3, by state"
    assert by_state.__maketables_depvar__ == "lemp"
    assert by_state.__maketables_vcov_info__ == {"vcov_type": "CV3", "clustervar": "state"}


def test_maketables_reads_results(by_state):
    maketables = pytest.importorskip("maketables")
    table = maketables.ETable([by_state.aggregate("group"), fit().aggregate("group")])
    text = str(table.make(type="tex"))
    assert "cohort 2006" in text
    assert "Treated clusters" in text
    assert "CV3, by state" in text
