"""What results offer: a flat class, accessors that other packages have, labels as printed."""

import dataclasses
import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from small_panels import NAMES, panel, quiet_fit

import didjack
from didjack.fields import Fields
from didjack.results.result import Result

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")


@pytest.fixture(scope="module")
def result():
    return quiet_fit(panel(n_clusters=20))


@pytest.fixture(scope="module")
def event(result):
    return result.aggregate("event")


@pytest.mark.parametrize("kind", [didjack.AggregateResult, didjack.GroupTimeResult])
def test_at_most_three_ancestors(kind):
    assert len(kind.__mro__) - 1 <= 4  # one of them is object
    public = [name for name in dir(kind) if not name.startswith("_")]
    assert not {"of", "view"} & set(public)
    for name in public:
        assert inspect.getdoc(getattr(kind, name)), name


def test_methods_have_the_signatures_of_methods(event):
    assert list(inspect.signature(event.tidy).parameters) == ["alpha", "overall", "joint"]
    assert list(inspect.signature(Result.wald_test).parameters) == ["self", "R", "q"]


def test_accessors_of_statsmodels_and_pyfixest(event):
    table = event.tidy(overall=True)
    pairs = {
        "estimate": (event.params, event.coef()),
        "std_error": (event.bse, event.se()),
        "statistic": (event.tvalues, event.tstat()),
        "p_value": (event.pvalues, event.pvalue()),
    }
    for name, found in pairs.items():
        for one in found:
            np.testing.assert_array_equal(one.to_numpy(), table[name].to_numpy(dtype=float))
            assert one.index.tolist() == table["event_time"].tolist()
    pd.testing.assert_frame_equal(event.conf_int(0.1), event.confint(0.1))
    pd.testing.assert_frame_equal(event.cov_params(), event.vcov())
    event.params.iloc[0] = 99.0
    assert event.params.iloc[0] != 99.0


def test_labels_as_printed(result, event):
    assert event.wald_test(["event time -2", "event time 0"]) == event.wald_test([-2, 0])
    lincomb = event.lincomb({"event time 0": 1.0, "overall ATT": -1.0})
    pd.testing.assert_series_equal(lincomb, event.lincomb({0: 1.0, "overall": -1.0}))
    assert result.wald_test(["ATT(2003, 2004)"]) == result.wald_test([(2003, 2004)])
    group = result.aggregate("group")
    assert group.wald_test(["cohort 2003"]) == group.wald_test([2003])
    with pytest.raises(didjack.OptionError, match="labels of coefficients: got"):
        event.wald_test(["event time 77"])


def test_tests_are_frozen_values(result, event):
    joint, before = event.wald_test(), event.pretest()
    permuted = result.randomization_test(n_permutations=19)
    assert permuted == result.aggregate("simple").randomization_test(n_permutations=19)
    for test in (joint, before, permuted):
        assert isinstance(test, Fields)
        assert test.p_value == test["p_value"]
        assert dict(test) == test.to_dict()
        assert list(test.to_series().index) == list(test)
        assert len(test) == len(test.keys())
        pd.testing.assert_series_equal(
            test[["p_value"]], test.to_series()[["p_value"]], check_names=False
        )
        assert "p_value" in test
        assert "p_value" in repr(test)
        assert "p_value" in test._repr_html_()
        assert pickle.loads(pickle.dumps(test)) == test
        with pytest.raises(dataclasses.FrozenInstanceError):
            test.p_value = 0.0
        with pytest.raises(didjack.OptionError, match=r"'p_valu' \(did you mean 'p_value'\?\)"):
            test["p_valu"]


def test_placebos_are_a_series():
    df = panel(n_clusters=20)
    treated = df.loc[df["g"] > 0, "cl"].unique()
    one = quiet_fit(df[~df["cl"].isin(treated[1:])])
    test = one.placebo_test()
    assert test.conf_high - test.estimate == test.estimate - test.conf_low
    larger = (test.placebos.abs() >= abs(test.estimate)).sum()
    assert test.p_value == (1 + larger) / (len(test.placebos) + 1)
    assert f"{test.n_placebos} values" in repr(test)


def test_repr_shows_the_table(result, event):
    shown = repr(event)
    assert shown.startswith("Event study: dr, CV3, 20 clusters\n")
    assert f"{event.overall['estimate']:.4f}" in shown
    assert all(f"event time {e}" in shown for e in event.tidy()["event_time"])
    many = quiet_fit(panel(n_clusters=20, n_periods=12))
    assert len(repr(many).splitlines()) < len(many.tidy()) + 2


def test_no_p_value_is_shown_as_zero():
    data = panel(n_clusters=20)
    after = (data["g"] > 0) & (data["t"] >= data["g"])
    event = quiet_fit(data.assign(y=data["y"] + 100.0 * after)).aggregate("event")
    assert event.tidy()["p_value"].min() < 1e-5
    shown = repr(event)
    assert "<0.001" in shown
    assert "0.0000" not in shown
    bare = quiet_fit(panel(treated_clusters=2), undefined="nan")
    assert bare.tidy()[["std_error", "p_value"]].isna().to_numpy().all()
    assert repr(bare).count("NaN") == 5 * len(bare.tidy())


def test_one_result_a_list_or_a_mapping(event):
    one, listed = didjack.etable(event), didjack.etable([event])
    assert str(one) == str(listed)
    ax = didjack.coefplot(event)
    assert "y" in [text.get_text() for text in ax.get_legend().get_texts()]
    both = didjack.coefplot([event, event.with_options(vcov="analytic")])
    assert [text.get_text() for text in both.get_legend().get_texts()][:2] == ["(1)", "(2)"]
    for nothing in ([], {}, 3, "text"):
        with pytest.raises(didjack.OptionError, match="a result, a list of results, or a mapping"):
            didjack.coefplot(nothing)


def test_data_is_the_first_parameter_and_df_is_understood():
    df = panel()
    plain = didjack.csdid(df, **NAMES)
    assert didjack.csdid(data=df, **NAMES) == plain == didjack.csdid(df=df, **NAMES)
    with pytest.raises(didjack.UnknownOptionError, match="'df'"):
        didjack.csdid(df, df=df, **NAMES)
    made = df.assign(on=(df["g"] > 0) & (df["t"] >= df["g"]))
    cohort = didjack.first_treated(df=made, treatment="on", tname="t", idname="id")
    pd.testing.assert_series_equal(cohort, didjack.first_treated(made, "on", "t", "id"))


def test_dir_has_public_names_only():
    assert set(dir(didjack)) == {*didjack.__all__, "__version__"}
