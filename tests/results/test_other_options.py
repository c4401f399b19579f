"""The same result under other inference: as a new call gives it, to the last bit."""

import inspect
import warnings

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import didjack
from didjack.estimation import fit as fits
from didjack.fields import Fields
from didjack.options import NAMES as OPTIONS

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
CALLS = {
    "panel": {"idname": "id", "xformla": "~ x1", "est_method": "ipw"},
    "panel_few_clusters": {"idname": "id", "xformla": "~ x1", "weightsname": "wt"},
    "panel_unbalanced": {"idname": "id", "allow_unbalanced_panel": True, "est_method": "reg"},
    "panel_one_treated_cluster": {"idname": "id", "base_period": "universal"},
    "rcs": {"panel": False, "weightsname": "w"},
    "mpdta": {"idname": "id", "control_group": "notyettreated"},
}
OTHERS = [
    {"vcov": "CV3J"},
    {"vcov": "analytic", "alpha": 0.1},
    {"vcov": "bootstrap", "n_boot": 99, "seed": 3},
    {"vcov": "CV3", "reference": "t"},
    {"vcov": "CV3", "undefined": "skip", "seed": 7},
    {"vcov": "CV3J", "undefined": "nan", "alpha": 0.2},
]
WINDOWS = [
    ("simple", {"weights": "cell"}),
    ("event", {"min_e": -1, "max_e": 1}),
    ("event", {"balance_e": 1}),
    ("group", {"max_e": 1}),
    ("calendar", {}),
]


def fit(data, name, **options):
    return didjack.csdid(data(name), **NAMES | CALLS[name] | options)


def assert_same(one, other, joint=True):
    """All numbers and words of two results are the same; the joint ones take longest."""
    assert one == other
    assert one.options == other.options
    exactly = {"check_exact": True}
    pd.testing.assert_frame_equal(one.tidy(joint=joint), other.tidy(joint=joint), **exactly)
    pd.testing.assert_frame_equal(one.vcov(), other.vcov(), **exactly)
    pd.testing.assert_frame_equal(one.glance(), other.glance(), **exactly)
    if joint:
        pd.testing.assert_series_equal(
            one.wald_test().to_series(), other.wald_test().to_series(), **exactly
        )
        assert str(one.summary()) == str(other.summary())


@pytest.mark.thin(2)
@pytest.mark.parametrize("name", CALLS)
def test_as_a_new_call_gives_it(data, name):
    begun = [fit(data, name), fit(data, name, vcov="analytic")]
    for number, options in enumerate(OTHERS):
        old, new = begun[number % 2], fit(data, name, **options)
        assert_same(old.with_options(**options), new, joint=False)
        kind, window = WINDOWS[number % len(WINDOWS)]
        average = old.aggregate(kind, **window).with_options(**options)
        assert_same(average, new.aggregate(kind, **window))


@pytest.mark.parametrize(("kind", "window"), WINDOWS)
def test_of_an_average_is_the_average_of_it(data, kind, window):
    begun = fit(data, "panel_few_clusters")
    average = begun.aggregate(kind, **window)
    for options in OTHERS:
        want = begun.with_options(**options).aggregate(kind, **window)
        assert_same(average.with_options(**options), want, joint=False)


def test_nothing_is_estimated_twice(data, monkeypatch):
    made, estimate = [], fits._estimate

    def counted(source, options, jackknife, progress):
        made.append(jackknife)
        return estimate(source, options, jackknife, progress)

    monkeypatch.setattr(fits, "_estimate", counted)
    begun = fit(data, "panel", vcov="analytic")
    average = begun.aggregate("event")
    assert made == [False]
    for _ in range(2):  # all results of one call share the replicates
        begun.with_options(vcov="CV3").tidy()
        average.with_options(vcov="CV3J", reference="t").tidy()
        average.with_options(vcov="bootstrap").tidy()
    assert made == [False, True]
    begun = fit(data, "panel")
    for vcov in ("analytic", "bootstrap", "CV3J"):
        begun.with_options(vcov=vcov).aggregate("group").with_options(vcov="CV3")
    begun.compare_vcov(n_permutations=0)
    assert made == [False, True, True]


def test_nothing_to_change(data):
    result = fit(data, "panel")
    assert result.with_options() is result
    assert result.with_options(vcov="CV3", alpha=0.05, seed=np.int64(0)) is result


@pytest.mark.parametrize("of", ["cells", "average"])
def test_options_that_are_not_allowed(data, of):
    result = fit(data, "panel")
    result = result if of == "cells" else result.aggregate("event")
    for options, message in [
        ({"vcov": "CV2"}, "vcov must be .* got 'CV2'"),
        ({"vcov": "jackknife"}, "did you mean 'CV3'"),
        ({"reference": "normal"}, "reference must be .* got 'normal'"),
        ({"undefined": "omit"}, "undefined must be .* got 'omit'"),
        ({"alpha": 0.95}, r"did you mean 0\.05\?"),
        ({"n_boot": 1}, "n_boot must be .* got 1"),
        ({"seed": -1}, "seed must be .* got -1"),
    ]:
        with pytest.raises(didjack.OptionError, match=message):
            result.with_options(**options)
    with pytest.raises(didjack.UnknownOptionError, match=r"'undefnied' .did you mean 'undefined'"):
        result.with_options(undefnied="skip")
    with pytest.raises(didjack.UnknownOptionError, match="unknown option 'est_method'; allowed"):
        result.with_options(est_method="reg")


def test_a_jackknife_needs_clusters(data):
    result = didjack.csdid(
        data("rcs"), "y", "period", "cohort", panel=False, vcov="analytic", est_method="reg"
    )
    with pytest.raises(didjack.OptionError, match="cluster is required for vcov='CV3'"):
        result.aggregate("simple").with_options(vcov="CV3")


def caught(call):
    """Categories of the warnings of a call."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        call()
    return [one.category for one in given]


def test_warnings_are_those_of_the_new_inference(data):
    begun = fit(data, "mpdta", vcov="analytic", xformla=None)  # one state holds a cohort
    average = begun.aggregate("event")
    assert caught(lambda: begun.with_options(vcov="CV3")) == []
    assert caught(lambda: average.with_options(vcov="CV3")) == [didjack.InferenceWarning]
    assert caught(lambda: average.with_options(n_boot=99)) == []
    again = average.with_options(vcov="CV3")
    assert caught(lambda: again.with_options(alpha=0.1, seed=2)) == []
    with pytest.warns(didjack.InferenceWarning, match="standard errors leave these clusters out"):
        again.with_options(undefined="skip")
    with pytest.raises(didjack.UndefinedReplicateError, match="cannot be computed without"):
        begun.with_options(vcov="CV3", undefined="raise")
    with pytest.raises(didjack.UndefinedReplicateError, match="event"):
        again.with_options(undefined="raise")


def test_all_that_is_no_estimation_can_be_changed():
    changeable = set(inspect.signature(didjack.AggregateResult.with_options).parameters) - {"self"}
    fields = list(OPTIONS)
    assert changeable == set(fields[fields.index("vcov") : fields.index("progress")])


# The level of the call ------------------------------------------------------------------------

LEVELS = {
    "tidy": lambda r, **a: r.tidy(joint=True, **a),
    "confint": lambda r, **a: r.confint(**a),
    "joint": lambda r, **a: r.confint(joint=True, **a),
    "summary": lambda r, **a: str(r.summary(**a)),
    "mde": lambda r, **a: r.mde(**a),
    "lincomb": lambda r, **a: r.lincomb(np.eye(len(r.tidy()))[1], **a),
    "randomization_test": lambda r, **a: r.randomization_test(n_permutations=49, **a),
    "placebo_test": lambda r, **a: r.placebo_test(**a),
    "compare_vcov": lambda r, **a: r.compare_vcov(n_permutations=19, **a),
}


def drawn(ax):
    """What a picture shows: its lines, areas and words."""
    lines = [np.asarray(line.get_xydata()).tolist() for line in ax.lines]
    paths = [path.vertices.tolist() for part in ax.collections for path in part.get_paths()]
    labels = ax.get_legend_handles_labels()[1]
    return str([lines, paths, labels, [text.get_text() for text in ax.texts]])


@pytest.fixture(scope="module")
def levels():
    """The event study of one call at 95 percent and of another at 80."""
    df = didjack.simulate.panel(
        n_clusters=12, cluster_size=5, treated_clusters={4: 1}, cohorts=[4], seed=1
    )
    names = ["y", "period", "cohort", "id"]
    return [
        didjack.csdid(df, *names, cluster="cluster", est_method="reg", alpha=alpha)
        for alpha in (0.05, 0.2)
    ]


@pytest.mark.parametrize("method", LEVELS)
def test_methods_have_the_level_of_the_call(levels, method):
    call = LEVELS[method]
    for at_95, at_80 in (levels, [one.aggregate("event") for one in levels]):
        if method.endswith("_test") and not hasattr(at_95, method):
            continue
        statistic = {"statistic": "estimate"} if method == "randomization_test" else {}
        got, want = call(at_80, **statistic), call(at_95, alpha=0.2, **statistic)
        plain = call(at_95, **statistic)
        if isinstance(got, Fields):
            got, want, plain = got.to_series(), want.to_series(), plain.to_series()
            got, want, plain = (one.drop("placebos", errors="ignore") for one in (got, want, plain))
        if isinstance(got, str):
            assert got == want
            assert "[80% conf." in got
        else:
            assert not got.equals(plain)
            assert got.equals(want)


def test_what_is_made_of_results_has_their_level(levels):
    at_95, at_80 = (one.aggregate("event") for one in levels)
    changed = at_95.with_options(alpha=0.2)
    tables = [str(didjack.etable([one], cells="ci")) for one in (at_95, at_80, changed)]
    assert tables[1] == tables[2] != tables[0]
    pictures = [drawn(didjack.coefplot({"one": one})) for one in (at_95, at_80, changed)]
    assert pictures[1] == pictures[2] != pictures[0]
    plt.close("all")


def test_pictures_and_tests_without_alpha_have_the_level_of_the_call(levels):
    at_95, at_80 = (one.aggregate("event") for one in levels)
    assert drawn(at_80.plot()) == drawn(at_95.plot(alpha=0.2)) != drawn(at_95.plot())
    assert at_80.pretest()["largest_violation"] < at_95.pretest()["largest_violation"]
    assert at_80.wald_test()["p_value"] == at_95.wald_test()["p_value"]
    assert at_80.glance().loc[0, "critical_value"] < at_95.glance().loc[0, "critical_value"]
    assert {"ci80l", "ci80u"} <= set(at_80.__maketables_coef_table__.columns)
    assert at_80.overall["conf_low"] == at_95.tidy(alpha=0.2, overall=True)["conf_low"].iloc[-1]
    plt.close("all")
