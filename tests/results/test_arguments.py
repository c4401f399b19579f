"""Arguments of the methods of results that are not allowed: errors of the package, at once."""

from decimal import Decimal

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import didjack
from didjack import etable

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.InferenceWarning")

NAMES = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}
NO_FLAGS = ["False", "no", 0, 1, None, np.array([True]), float("nan"), pd.NA]
NO_NUMBERS = [
    "1",
    True,
    float("nan"),
    np.timedelta64(1, "D"),
    pd.Timedelta(1, "D"),
    10**30,
    -(10**30),
    1e30,
    1j,
    Decimal("sNaN"),
    [1],
    np.array([1, 2]),
    pd.NA,
]
NO_WORDS = ["some", 1, None, ["overall"], np.array(["all", "all"]), pd.NA]


@pytest.fixture(scope="module")
def result():
    return didjack.csdid(didjack.datasets.load_mpdta(), **NAMES)


@pytest.fixture(scope="module")
def event(result):
    return result.aggregate("event")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def refused(call, *parts):
    with pytest.raises(didjack.DidjackError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("flag", NO_FLAGS, ids=repr)
def test_flags(result, event, flag):
    for one in (result, event):
        refused(lambda one=one: one.confint(joint=flag), "joint must be")
        refused(lambda one=one: one.tidy(joint=flag), "joint must be")
        refused(lambda one=one: one.tidy(overall=flag), "overall must be")
        refused(lambda one=one: one.plot(joint=flag), "joint must be")
    refused(lambda: etable([event], stars=flag), "stars")


def test_numpy_flags(event):
    pd.testing.assert_frame_equal(event.confint(joint=np.True_), event.confint(joint=True))


@pytest.mark.parametrize("number", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["min_e", "max_e", "balance_e"])
def test_windows(result, name, number):
    refused(lambda: result.aggregate("event", **{name: number}), f"{name} must be")


def test_windows_may_be_infinite(result, event):
    assert result.aggregate("event", min_e=-np.inf, max_e=np.inf).tidy().equals(event.tidy())
    assert result.aggregate("event", max_e=2**53).tidy().equals(event.tidy())


@pytest.mark.parametrize("number", [value for value in NO_NUMBERS if value is not True], ids=repr)
def test_levels(result, event, number):
    for one in (result, event):
        for method in (one.tidy, one.confint, one.summary, one.compare_vcov, one.plot):
            refused(lambda method=method: method(alpha=number), "alpha must be")
    refused(lambda: event.lincomb({0: 1.0}, alpha=number), "alpha must be")
    refused(lambda: event.mde(alpha=number), "alpha must be")


@pytest.mark.parametrize("word", NO_WORDS, ids=repr)
def test_words(result, event, word):
    refused(lambda: event.compare_vcov(word), "which must be")
    refused(lambda: event.plot(kind=word), "kind must be")
    refused(lambda: result.plot(kind=word), "kind must be")
    refused(lambda: result.aggregate(word), "type must be")
    refused(lambda: result.aggregate("event", weights=word), "weights must be")
    refused(lambda: etable([event], which=word), "which must be")
    if word is not None:
        refused(lambda: event.vcov(word), "kind must be")
        refused(lambda: event.plot(compare=word), "compare must be")


@pytest.mark.parametrize(
    "ax",
    [3, "ax", [3], np.array([1, 2, 3]), {}, pytest.param(object(), id="object"), [[None]], pd.NA],
    ids=repr,
)
def test_axes(result, event, ax):
    for one in (result, event):
        for kind in ("coefficients", "replicates", "variance"):
            refused(lambda one=one, kind=kind: one.plot(ax=ax, kind=kind), "ax")


@pytest.mark.parametrize(
    "label", ["first", True, 99, 10**30, (2004, 2004), {}, np.array([1, 2]), Decimal("sNaN")]
)
def test_labels(event, label):
    refused(lambda: event.plot(kind="replicates", coefficient=label), "there is no coefficient")


@pytest.mark.parametrize(
    "weights",
    [
        {0: "1"},
        {0: True},
        {0: 1j},
        {0: np.timedelta64(1, "D")},
        {0: Decimal("sNaN")},
        {0: None},
        {True: 1.0},
        ["1"] * 7,
        np.ones(7) * 1j,
        np.array([1] * 7, dtype="timedelta64[D]"),
        {0: 10**400},
    ],
    ids=repr,
)
def test_weights_are_numbers(event, weights):
    refused(lambda: event.lincomb(weights))
    if isinstance(weights, dict):
        refused(lambda: event.wald_test([weights]))
    elif not isinstance(weights, list):  # one of texts is a list of labels
        refused(lambda: event.wald_test(weights))


def test_numbers_of_any_kind(event):
    want = event.lincomb({0: 0.5, 1: 0.5})
    for half in (Decimal("0.5"), np.float32(0.5), pd.Series([0.5], dtype="Float64")[0]):
        pd.testing.assert_series_equal(event.lincomb({0: half, 1: half}), want)
    refused(lambda: event.wald_test([0, 1], q=["0", "1"]), "numbers")
    refused(lambda: event.wald_test([0, 1], q=np.timedelta64(1, "D")), "numbers")


@pytest.mark.parametrize(
    "results",
    [3, "event", None, [3], [np.ones(3)], [pd.DataFrame()], {"a": 3}, [None], {}, []],
    ids=repr,
)
def test_etables_of_nothing(results):
    refused(lambda: etable(results))


def test_etables(event):
    assert str(etable(event)) == str(etable([event]))
    refused(lambda: etable({1: event}), "names must be", "strings")
    refused(lambda: etable([event], names="a"), "names must be")
    refused(lambda: etable([event], names=[None]), "names must be")
    refused(lambda: etable([event], names=3), "names must be")
    for digits in ("3", 2.5, -1, 10**6, True):
        refused(lambda digits=digits: etable([event], digits=digits), "digits must be")
    refused(lambda: etable([event], caption=3), "caption must be a string")
    assert "-0.02" in str(etable((event,), digits=np.int64(2)))


@pytest.mark.parametrize("n_boot", [1, 0, 10**20, 10**9, True, 2.0, np.timedelta64(5, "D")])
def test_numbers_of_draws(n_boot):
    refused(lambda: didjack.csdid(None or pd.DataFrame(), **NAMES, n_boot=n_boot), "n_boot must be")


@pytest.mark.parametrize("seed", [-1, 2**64, 10**30, 1.0, "0"])
def test_seeds(seed):
    refused(lambda: didjack.csdid(pd.DataFrame(), **NAMES, seed=seed), "seed must be")


def test_least_draws_and_largest_seed():
    df = didjack.datasets.load_mpdta()
    two = didjack.csdid(df, **NAMES, vcov="bootstrap", n_boot=2, seed=2**64 - 1)
    assert two.tidy()["std_error"].notna().sum() > 6
    assert two.tidy()["status"].str.contains("ok|no variation").all()
    with pytest.raises(didjack.OptionError, match="too small for a simultaneous band from 2 draws"):
        two.confint(joint=True)
    assert two.confint(alpha=0.4, joint=True).notna().any(axis=None)


def test_influence_speaks_of_itself():
    df = didjack.datasets.load_mpdta()
    result = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal", vcov="analytic")
    with pytest.raises(didjack.OptionError, match=r"influence\(\)"):
        result.influence()
