"""Differences and groups as users meet them: methods, tables, plots, tests, messages."""

import itertools
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import didjack
from didjack import simulate

mpl.use("Agg")
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

NAMES = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id", "cluster": "cluster"}


def fit(df, **options):
    return didjack.csdid(df, **NAMES | {"est_method": "reg"} | options)


def draw(seed=0, **options):
    """Draw 12 clusters in 6 periods, with two sexes."""
    given = {"n_clusters": 12, "cluster_size": 8, "n_periods": 6, "n_covariates": 1}
    df = simulate.panel(seed=seed, **given | options)
    df["sex"] = np.where(df["id"] % 2 == 0, "f", "m")
    return df


@pytest.fixture(scope="module")
def df():
    return draw()


@pytest.fixture(scope="module")
def results(df):
    return [fit(df[df["sex"] == sex]) for sex in ("f", "m")]


@pytest.fixture(scope="module")
def studies(results):
    return [one.aggregate("event") for one in results]


# Methods ----------------------------------------------------------------------------------------


def test_it_is_a_result_like_those_that_it_compares(results, studies):
    for pair, kind in ((results, didjack.GroupTimeResult), (studies, didjack.AggregateResult)):
        found = didjack.difference(*pair)
        assert isinstance(found, kind)
        assert found.nobs == sum(one.nobs for one in pair)
        assert found.shocks == "separate"
        assert found.title == f"{pair[0].title} (difference)"
        assert found.left_out == ((), ())
        assert set(found.sample["result"]) == {"a", "b"}
        assert found.with_options(alpha=0.1).with_options(alpha=0.05) == found
        assert repr(found).splitlines()[0].endswith("(difference): reg, CV3, 12 clusters")


def test_options_of_inference_are_those_of_the_first(studies):
    a, b = studies[0].with_options(vcov="analytic", alpha=0.1), studies[1]
    found = didjack.difference(a, b)
    assert (found.options.vcov, found.alpha) == ("analytic", 0.1)
    pd.testing.assert_frame_equal(
        found.with_options(vcov="CV3", alpha=0.05).tidy(), didjack.difference(*studies).tidy()
    )


def test_clusters_and_influence(studies):
    found = didjack.difference(*studies)
    clusters = found.clusters()
    assert clusters["variance_share"].sum() == pytest.approx(1.0)
    assert clusters["partial_leverage"].sum() == pytest.approx(1.0)
    want = found.coef()["overall"] - found.replicates()["overall"]
    np.testing.assert_allclose(clusters["influence"], want)
    assert found.influence().index[0] == want.abs().idxmax()
    np.testing.assert_allclose(found.glance()["critical_value"], critical(found.overall))


def critical(row):
    return (row["conf_high"] - row["estimate"]) / row["std_error"]


def test_cells_of_both(results):
    found = didjack.difference(*results).cells
    for name, one in zip("ab", results, strict=True):
        for column in ("base_period", "n_treated", "n_comparison"):
            assert found[f"{column}_{name}"].tolist() == one.cells[column].tolist()
    np.testing.assert_allclose(found["estimate"], didjack.difference(*results).coef())


def test_pretest_is_of_the_differences_before_treatment(studies):
    found = didjack.difference(*studies)
    test, leads = found.pretest(), found.tstat()[[-3, -2, -1]]
    assert test.n_tested == test.n_leads == 3
    assert test.statistic == pytest.approx(leads.abs().max())
    assert test.lead == leads.abs().idxmax()
    assert (test.p_value < 0.05) == (test.statistic > test.critical_value)


def test_trend_sensitivity_begins_with_the_interval(studies):
    found = didjack.difference(*studies)
    table = found.trend_sensitivity(m=[0.0, 1.0]).table
    at_zero = table[table["m"] == 0].set_index("target")
    want = found.confint()
    for label in (0, 1, "overall"):
        np.testing.assert_allclose(
            at_zero.loc[label, ["conf_low", "conf_high"]].astype(float), want.loc[label], rtol=1e-6
        )


def test_steps_that_both_share_do_no_harm(df):
    """A deviation from parallel trends that both groups have is none in the difference."""
    trend = df["period"] * (df["cohort"] > 0)
    parts = [[], []]
    for data in (df, df.assign(y=df["y"] + trend)):
        for part, sex in zip(parts, ("f", "m"), strict=True):
            part.append(fit(data[data["sex"] == sex]).aggregate("event"))
    plain, bent = (didjack.difference(*pair) for pair in zip(*parts, strict=True))
    one, other = (each.trend_sensitivity().table.iloc[:, 1:] for each in (plain, bent))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_noise_sensitivity_begins_with_the_p_value(studies):
    found = didjack.difference(*studies)
    table = found.noise_sensitivity(ratios=[1.0, 2.0]).table
    at_one = table[table["ratio"] == 1].set_index("target")["p_value"]
    want = found.pvalue()
    np.testing.assert_allclose(at_one.to_numpy(), want.loc[at_one.index], rtol=1e-7)


def test_variances_side_by_side(studies):
    found = didjack.difference(*studies).compare_vcov(n_permutations=19)
    rows = ["clustered", "bootstrap", "CV3J", "CV3, t(R-1)", "CV3, model", "randomization"]
    assert found.index.tolist() == rows
    whole = didjack.difference(*studies)
    np.testing.assert_allclose(found.loc["CV3, model", "p_value"], whole.overall["p_value"])


# Randomization ----------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", ["t", "estimate"])
@pytest.mark.parametrize("cells", [False, True])
def test_cohorts_are_permuted_in_both_at_once(cells, statistic):
    data = draw(3, n_clusters=6, n_periods=3, cohorts=[2], treated_clusters=2, cluster_size=6)
    clusters = sorted(data["cluster"].unique())

    def compare(df):
        a, b = (fit(df[df["sex"] == sex]) for sex in ("f", "m"))
        if cells:
            return didjack.difference(a, b).aggregate("group")
        return didjack.difference(a.aggregate("group"), b.aggregate("group"))

    found = []
    for treated in itertools.combinations(clusters, 2):
        overall = compare(data.assign(cohort=2 * data["cluster"].isin(treated))).overall
        found.append(abs(overall["statistic" if statistic == "t" else "estimate"]))
    actual = compare(data).overall["statistic" if statistic == "t" else "estimate"]
    test = compare(data).randomization_test(statistic)
    assert test.n_assignments == len(found) == 15
    assert test.statistic == pytest.approx(actual)
    assert test.p_value == pytest.approx(np.mean(np.array(found) >= abs(actual) * (1 - 1e-9)))
    wide = compare(data).randomization_test(statistic, alpha=0.2)
    assert wide.conf_low <= wide.estimate <= wide.conf_high
    for end, step in ((wide.conf_low, -1e-6), (wide.conf_high, 1e-6)):
        if np.isfinite(end):
            outside = compare(data).randomization_test(statistic, null=end + step)
            assert outside.p_value <= 0.2


@pytest.mark.parametrize("cells", [False, True])
def test_a_null_is_an_effect_of_the_first_alone(df, cells):
    """Adding 2 to the first group's effect moves the difference, and its interval, by 2."""
    treated = (df["cohort"] > 0) & (df["period"] >= df["cohort"])
    moved = df["y"] + 2.0 * (treated & (df["sex"] == "f"))
    tests = []
    for data in (df, df.assign(y=moved)):
        a, b = (fit(data[data["sex"] == sex]) for sex in ("f", "m"))
        pair = (a, b) if cells else (a.aggregate("simple"), b.aggregate("simple"))
        found = didjack.difference(*pair)
        tests.append(found.randomization_test(n_permutations=39, alpha=0.2))
    one, other = tests
    np.testing.assert_allclose(
        [other.conf_low, other.conf_high], [one.conf_low + 2, one.conf_high + 2], rtol=1e-6
    )


def test_clusters_of_one_group_change_places_among_themselves():
    data = draw(4, n_clusters=10, n_periods=3, cohorts=[2], treated_clusters=4)
    lacking = sorted(data["cluster"].unique())[:3]
    a = fit(data[data["sex"] == "f"]).aggregate("simple")
    b = fit(data[(data["sex"] == "m") & ~data["cluster"].isin(lacking)]).aggregate("simple")
    cohort = data.groupby("cluster")["cohort"].first()
    ways = [
        len(list(itertools.combinations(part, int((part > 0).sum()))))
        for part in (cohort[lacking], cohort.drop(lacking))
    ]
    test = didjack.difference(a, b).randomization_test("estimate", n_permutations=9_999)
    assert test.n_assignments == np.prod(ways)


# Tables and plots -------------------------------------------------------------------------------


def test_a_table_has_both_and_the_difference(df):
    a = fit(df).aggregate("simple")
    b = fit(df, control_group="notyettreated", est_method="dr", xformla="~ x1").aggregate("simple")
    both = didjack.difference(a, b, shocks="shared")
    text = str(didjack.etable({"a": a, "b": b, "a - b": both}))
    rows = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert rows["Control group"].split()[2:] == ["never", "not", "yet", "never", "/", "not", "yet"]
    assert rows["Estimator"].split()[1:] == ["OR", "DR", "OR", "/", "DR"]
    assert rows["Covariates"].endswith("~ x1")
    assert rows["Observations"].split()[1:] == ["576"] * 3
    text = " ".join(str(both.summary()).split())
    assert "outcome regression / doubly robust" in text
    assert "never treated / not yet treated" in text
    assert "First result less second; cluster-level shocks are the same in both." in text
    assert "~ 1 / ~ x1" in text
    assert both.glance()["est_method"].item() == "reg / dr"


def test_a_plot_has_both_and_the_difference(results, studies):
    ax = didjack.coefplot([*studies, didjack.difference(*studies)], joint=False)
    assert [text.get_text() for text in ax.get_legend().get_texts()][:3] == ["(1)", "(2)", "(3)"]
    assert didjack.difference(*studies).plot().get_ylabel() == "difference of effects on y"
    panels = didjack.coefplot([*results, didjack.difference(*results)], joint=False)
    assert len(panels) == 2
    simple = [one.aggregate("simple") for one in results]
    didjack.coefplot([*simple, didjack.difference(*simple)])
    with pytest.raises(didjack.OptionError, match=r"several kinds.*\(difference\)"):
        didjack.coefplot([simple[0], didjack.difference(*studies)])
    for kind in ("replicates", "variance"):
        didjack.difference(*studies).plot(kind=kind)


def test_labels_of_one_alone_are_left_out_and_named(results):
    a, b = results[0].aggregate("event", min_e=-2), results[1].aggregate("event", max_e=1)
    with pytest.warns(didjack.EstimationWarning, match="coefficients in one result alone") as told:
        found = didjack.difference(a, b)
    assert len(str(told[0].message).split()) <= 30
    assert found.coef().index.tolist() == [-2, -1, 0, 1, "overall"]
    assert found.left_out[0] == ("event time 2", "event time 3")
    assert found.left_out[1] == ("event time -3",)
    want = a.overall["estimate"] - b.overall["estimate"]
    assert found.overall["estimate"] == pytest.approx(want)
    assert "Left out, in the first alone: event time 2, event time 3." in " ".join(
        str(found.summary()).split()
    )
    with pytest.raises(didjack.OptionError, match="over the same event times; 2, 3 are in one"):
        found.trend_sensitivity()


# Messages ---------------------------------------------------------------------------------------


def refusals():
    """Pairs of results that do not go together, and what is said of them."""
    df = draw(1)
    text = df.assign(cluster=df["cluster"].astype(str))
    county = df.rename(columns={"cluster": "county"})
    years = {t: pd.Timestamp(2000 + t, 1, 1) for t in range(1, 7)}
    dates = df.assign(period=df["period"].map(years), cohort=df["cohort"].map(years))
    rows = df.drop(columns="id")
    return [
        (df, text, {}, "clusters 'cluster' cannot be matched: those of a are numbers"),
        (df, county, {"cluster": "county"}, "a is clustered by 'cluster', b by 'county'"),
        (df, df[df["period"] < 6], {}, r"a has 1 period that b lacks \(6\): estimate both"),
        (df[df["period"] > 1], df, {}, r"b has 1 period that a lacks \(1\)"),
        (df, dates, {}, "the periods of a are numbers, those of b datetime Y"),
        (
            df,
            rows,
            {"idname": None, "cluster": None, "panel": False, "vcov": "analytic"},
            r"b has no clusters, by which results are matched: csdid\(\.\.\., cluster=\.\.\.\)",
        ),
        (
            df,
            df.assign(cohort=df["cohort"].replace({3: 4, 5: 4})),
            {},
            r"no label in common: a has ATT\(3, 2\), ATT\(3, 3\), .*; b has ATT\(4, 2\)",
        ),
    ]


@pytest.mark.parametrize("number", range(7))
def test_results_that_do_not_go_together(number):
    one, other, options, message = refusals()[number]
    a, b = fit(one), fit(other, **options)
    if options.get("vcov"):
        a = a.with_options(vcov="analytic")
    with pytest.raises(didjack.OptionError, match=message):
        didjack.difference(a, b)


def test_periods_of_two_types_are_named(df, results):
    years = {t: pd.Period(2000 + t, freq="Y") for t in df["period"].unique()}
    other = fit(df.assign(period=df["period"].map(years), cohort=df["cohort"].map(years)))
    with pytest.raises(didjack.OptionError, match=r"a are numbers, those of b period\[[YA]-DEC\]"):
        didjack.difference(results[0], other)


def test_arguments_that_are_not_allowed(df, results, studies):
    a, b = results
    done = didjack.difference(a, b)
    other = fit(df, yname="x1").aggregate("event")
    apart = [fit(df[(df["cluster"] % 2 == k)]) for k in (0, 1)]
    binned = a.aggregate("event", bins=[(0, 1)])
    groups = didjack.by(df, "sex", **NAMES, est_method="reg")
    for arguments, message in [
        ((a, studies[1]), "a is ATT(g,t), b of type 'event'"),
        ((a.aggregate("group"), studies[1]), "a is of type 'group', b of type 'event'"),
        ((binned, studies[1]), "a is of type 'event' with bins=[(0, 1)], b of type 'event'"),
        ((groups, "shared"), "groups of by() are given alone, difference(groups), or one result"),
        ((done, b), "a is a difference already"),
        ((a, 3), "b must be a result of csdid() or aggregate(); got 3"),
        ((a, b, "common"), "shocks must be one of 'separate', 'shared'; got 'common'"),
        ((studies[0], other, "shared"), "shocks='shared' is for one outcome; a has 'y', b 'x1'"),
        ((*apart, "shared"), "a and b have no cluster in common: 6 clusters, first: "),
    ]:
        with pytest.raises(didjack.OptionError, match=re.escape(message)):
            didjack.difference(*arguments)
    data = df.assign(young=(df["sex"] == "f").astype(int))
    triple = didjack.ddd(data, pname="young", **NAMES)
    with pytest.raises(didjack.OptionError, match="b is a triple difference, the other result is"):
        didjack.difference(a, triple)
    with pytest.raises(didjack.OptionError, match="placebo_test\\(\\) is of one result"):
        done.placebo_test()


def test_base_periods_of_one_alone_are_no_base_periods(df):
    a = fit(df, base_period="universal").aggregate("event")
    b = fit(df, base_period="universal", anticipation=1).aggregate("event")
    found = didjack.difference(a, b, shocks="shared")
    status = found.tidy().set_index("event_time")["status"]
    assert not (status == "base").any()
    np.testing.assert_allclose(found.coef()[-1], -b.coef()[-1])
    with pytest.raises(didjack.OptionError, match="a has anticipation=0, b anticipation=1"):
        found.trend_sensitivity()


# Groups -----------------------------------------------------------------------------------------


def test_groups_are_fits_of_their_rows(df, results):
    groups = didjack.by(df, "sex", **NAMES, est_method="reg")
    assert list(groups) == ["sex = f", "sex = m"]
    assert len(groups) == 2
    for key, name, want in zip(("f", "m"), groups, results, strict=True):
        assert groups[key] is groups[name]
        assert groups[key] == want
    studies = groups.aggregate("event", max_e=1)
    assert studies["f"] == results[0].aggregate("event", max_e=1)
    table = studies.tidy(overall=True)
    assert table.columns[0] == "sex"
    assert len(table) == sum(len(one.coef()) for one in studies.values())
    assert "2 groups by sex: event study; overall ATT:" in repr(studies)
    assert "sex = m" in str(didjack.etable(studies))
    didjack.coefplot(studies)
    one, other = didjack.difference(studies), didjack.difference(studies["f"], studies["m"])
    pd.testing.assert_frame_equal(one.tidy(), other.tidy())


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "lazy"])
def test_groups_of_other_tables(df, results, kind):
    if kind == "pyarrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(df)
    else:
        table = pytest.importorskip("polars").from_pandas(df)
        table = table.lazy() if kind == "lazy" else table
    groups = didjack.by(table, "sex", **NAMES, est_method="reg")
    for name, want in zip(("f", "m"), results, strict=True):
        np.testing.assert_allclose(groups[name].coef(), want.coef(), rtol=1e-9)


def test_equality_of_two_groups_is_their_difference(df):
    groups = didjack.by(df, "sex", **NAMES, est_method="reg")
    for results in (groups.aggregate("event"), groups.aggregate("group")):
        test, found = results.equality_test(), didjack.difference(results)
        want = found.wald_test(["overall"])
        assert test.statistic == pytest.approx(want.statistic)
        assert test.p_value == pytest.approx(want.p_value)
        test, want = results.equality_test("all"), found.wald_test()
        assert test.statistic == pytest.approx(want.statistic)
        assert test.p_value == pytest.approx(want.p_value)
    test = groups.equality_test()
    want = didjack.difference(groups.aggregate("simple")).overall
    assert test.p_value == pytest.approx(want["p_value"])


def test_equality_of_several_groups(df):
    """The statistic by hand; it does not depend on which group the others are compared with."""
    data = df.assign(age=df["id"] % 3)
    groups = didjack.by(data, "age", **NAMES, est_method="reg").aggregate("simple")
    test = groups.equality_test()
    theta = np.array([one.overall["estimate"] for one in groups.values()])
    replicates = np.column_stack([one.replicates()["overall"] for one in groups.values()])
    contrast = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    deviation = (replicates - theta) @ contrast.T
    n = len(deviation)
    cv3 = (n - 1) / n * deviation.T @ deviation
    distance = contrast @ theta
    assert test.statistic == pytest.approx(distance @ np.linalg.solve(cv3, distance) / 2)
    turned = data.assign(age=2 - data["age"])
    other = didjack.by(turned, "age", **NAMES, est_method="reg").aggregate("simple").equality_test()
    assert test.statistic == pytest.approx(other.statistic)
    assert abs(test.p_value - other.p_value) < 0.02  # other draws
    analytic = groups.with_options(vcov="analytic").equality_test()
    assert analytic.df_denom == 11


def test_groups_of_clusters(df):
    """Groups may divide clusters, too."""
    cohort = df.groupby("cluster")["cohort"].first()
    region = cohort.groupby(cohort).cumcount() % 2
    groups = didjack.by(df.assign(region=df["cluster"].map(region)), "region", **NAMES)
    found = didjack.difference(groups.aggregate("simple"))
    assert len(found.clusters()) == 12
    assert np.isfinite(groups.equality_test().p_value)


def test_columns_that_are_no_groups(df):
    late = df.assign(late=df["period"] > 3)
    many = df.assign(x=df["id"])
    alone = df.assign(one="a")
    listed = df.assign(sex=[[one] for one in df["sex"]])
    pairs = df.assign(sex=[(one, 1) for one in df["sex"]])
    twice = pd.concat([df, df[["sex"]]], axis=1)
    mixed = df.assign(sex=df["sex"].astype(object).where(df["id"] % 3 > 0, 3))
    for data, column, error, message in [
        (df, "height", didjack.DataError, "column 'height' is not in the data; there are"),
        (df, "period", didjack.OptionError, "column='period' is tname; groups need"),
        (df, 3, didjack.OptionError, "column must be the name of a column"),
        (many, "x", didjack.DataError, "column 'x' has 96 values"),
        (alone, "one", didjack.DataError, "column 'one' has 1 value (a); groups need 2 to 50"),
        (late, "late", didjack.DataError, "column 'late' varies within 96 units of 'id' (first: "),
        (mixed, "sex", didjack.DataError, "column 'sex' has values of several types"),
        (listed, "sex", didjack.DataError, "column 'sex' has values of type Object; groups need"),
        (pairs, "sex", didjack.DataError, "column 'sex' has 2 values of several parts (first: ("),
        (twice, "sex", didjack.DataError, "data has several columns of the same name"),
        (5, "sex", didjack.OptionError, "data must be a pandas, polars or pyarrow table"),
    ]:
        with pytest.raises(error, match=re.escape(message)):
            didjack.by(data, column, **NAMES)
    with pytest.raises(didjack.UnknownOptionError, match="unknown option 'methd'"):
        didjack.by(df, "sex", **NAMES, methd="reg")
    with pytest.raises(didjack.UnknownOptionError, match="yname, tname, gname are required"):
        didjack.by(df, "sex")


def test_the_group_that_cannot_be_estimated_is_named(df):
    message = "sex = m: gname 'cohort': no treated cohort is left"
    with pytest.raises(didjack.DataError, match=message):
        didjack.by(df[(df["sex"] == "f") | (df["cohort"] == 0)], "sex", **NAMES)


def test_a_warning_is_given_once_and_names_its_groups(df):
    gone = df.assign(y=df["y"].where((df["id"] != 4) | (df["period"] > 1)))
    with pytest.warns(didjack.SampleWarning) as caught:
        groups = didjack.by(gone, "sex", **NAMES, est_method="reg")
    told = [str(one.message) for one in caught if one.category is didjack.SampleWarning]
    assert len(told) == 2
    assert all(one.startswith("sex = f: dropped") for one in told)
    assert all(one.filename == __file__ for one in caught)
    first = df[df["cohort"] > 0].groupby("cohort")["cluster"].transform("min")
    alone = df[df["cluster"].eq(first.reindex(df.index)) | df["cohort"].eq(0)]  # a cluster a cohort
    groups = didjack.by(alone, "sex", **NAMES, est_method="reg")
    with pytest.warns(didjack.InferenceWarning) as caught:
        groups.aggregate("group")
    told = [str(one.message) for one in caught if "imputed" in str(one.message)]
    assert len(told) == 1
    assert told[0].startswith("sex = f, sex = m: 2 of 3 coefficients")


def test_warnings_of_groups_before_one_that_is_an_error_are_given(df):
    data = df[(df["sex"] == "f") | (df["cohort"] == 0)]
    gone = data.assign(y=data["y"].where((data["id"] != 4) | (data["period"] > 1)))
    with (
        pytest.warns(didjack.SampleWarning, match=r"^sex = f: dropped"),
        pytest.raises(didjack.DataError, match=r"^sex = m: "),
    ):
        didjack.by(gone, "sex", **NAMES)


def test_groups_have_the_order_of_ordered_categories(df):
    age = pd.cut(df["id"] % 3, [-1, 0, 1, 2], labels=["young", "middle", "aged"])
    groups = didjack.by(df.assign(age=age), "age", **NAMES, est_method="reg")
    assert groups.levels == ("young", "middle", "aged")


def test_rows_without_a_group_are_in_none(df, results):
    data = pd.concat([df, df[df["id"] < 8].assign(id=lambda one: one["id"] + 1000, sex=None)])
    with pytest.warns(didjack.SampleWarning, match="42 rows without a value of 'sex'"):
        groups = didjack.by(data, "sex", **NAMES, est_method="reg")
    assert groups["f"] == results[0]


def test_groups_that_are_not_there(df):
    data = df.assign(age=df["id"] % 3)
    groups = didjack.by(data, "age", **NAMES, est_method="reg")
    with pytest.raises(KeyError, match="there is no group 7; there are age = 0, age = 1, age = 2"):
        groups[7]
    with pytest.raises(didjack.OptionError, match="a has 3 groups"):
        didjack.difference(groups)
    with pytest.raises(didjack.OptionError, match="aggregated effects already"):
        groups.aggregate("simple").aggregate("event")
    with pytest.raises(didjack.OptionError, match="which must be one of"):
        groups.equality_test("some")
