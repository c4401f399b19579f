"""What tables and summaries say that numbers rest on."""

import inspect

import numpy as np
import pytest
from small_panels import COVARIATES, panel, quiet_fit

import didjack
from didjack.options import NAMES
from didjack.reporting import etable
from didjack.reporting.tables import footer

SILENT = {"collect", "progress"}
"""Arguments that move no number."""

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")


@pytest.fixture(scope="module")
def df():
    table = panel()
    table["young"] = table["id"] % 2
    return table.assign(y2=table["y"] + table["x1"], t2=table["t"], g2=table["g"], id2=table["id"])


def written(*results):
    """Return the rows of a table of some results, by label."""
    return {label: values for label, *values in footer.rows([one._view for one in results])}


def head(result):
    """Return the head of a summary, by label."""
    rows = result.summary().head
    return {cells[i]: cells[i + 1] for cells in rows for i in (0, 2)}


ALWAYS = ["Observations", "Clusters", "Treated clusters", "Standard errors"]
ROW_OF = {name: row for row in footer.ROWS for name in row.arguments}
CALLS = [
    # what is asked for, beside what, and the two texts
    ({"yname": "y2"}, {}, ("y2", "y")),
    ({"tname": "t2"}, {}, ("t2", "t")),
    ({"gname": "g2"}, {}, ("g2", "g")),
    ({"idname": "id2"}, {}, ("id2", "id")),
    ({"panel": False, "idname": None}, {}, ("no", "yes")),
    ({"allow_unbalanced_panel": True}, {}, ("kept", "dropped")),
    ({"weightsname": "w"}, {}, ("w", "none")),
    ({"fix_weights": "base_period"}, {"weightsname": "w"}, ("base", "earlier")),
    ({"fix_weights": "varying"}, {"weightsname": "w"}, ("own", "earlier")),
    ({"fix_weights": "first_period"}, {"weightsname": "w"}, ("first", "earlier")),
    ({"pname": "young"}, {}, ("young", "all")),
    ({"est_method": "ipw"}, {}, ("IPW", "DR")),
    ({"est_method": "reg"}, {}, ("OR", "DR")),
    ({"xformla": "~ x1"}, {}, ("~ x1", "none")),
    ({"collinear": "drop"}, {"xformla": "~ x1"}, ("dropped", "no ATT")),
    ({"control_group": "notyettreated"}, {}, ("not yet", "never")),
    ({"base_period": "universal"}, {}, ("universal", "varying")),
    ({"anticipation": 1}, {}, ("1", "0")),
    ({"cluster": None}, {}, ("id", "cl")),
    ({"vcov": "CV3J"}, {}, ("CV3J", "CV3")),
    ({"reference": "t"}, {}, ("t(R-1)", "model")),
    ({"alpha": 0.1}, {}, ("90%", "95%")),
    ({"n_boot": 1999}, {"vcov": "bootstrap"}, ("1,999", "999")),
    ({"seed": 3}, {"vcov": "bootstrap"}, ("3", "0")),
]
AVERAGES = [
    ({"type": "group"}, {}, ("group", "simple")),
    ({"min_e": -1}, {"type": "event"}, ("from -1", "all")),
    ({"min_e": -1, "max_e": 1}, {"type": "event"}, ("-1 to 1", "all")),
    ({"max_e": 0}, {}, ("to 0", "all")),
    ({"balance_e": 1}, {"type": "event"}, ("to e = 1", "no")),
    ({"weights": "cell"}, {}, ("cell", "cohort")),
    ({"min_e": 1}, {"type": "group"}, ("from 1", "all")),
    ({"event_times": [0, 2]}, {}, ("0, 2", "all")),
    ({"bins": [(-2, -1), (0, 2)]}, {"type": "event"}, ("2 bins", "all")),
    ({"cohorts": [2003]}, {}, ("2003", "all")),
]


def test_every_argument_has_a_row():
    """A new option has to be given its row, or its reason to have none."""
    arguments = set(NAMES)
    arguments |= set(inspect.signature(didjack.GroupTimeResult.aggregate).parameters) - {"self"}
    told = [name for row in footer.ROWS for name in row.arguments]
    assert len(told) == len(set(told))
    assert set(told) | SILENT == arguments
    assert not set(told) & SILENT
    labels = [row.label for row in footer.ROWS]
    assert len(labels) == len(set(labels))


def test_every_row_is_tested():
    asked = {name for one, _, _ in CALLS + AVERAGES for name in one}
    assert asked | {"undefined"} == set(ROW_OF)


@pytest.mark.parametrize(("one", "both", "texts"), CALLS)
def test_options_of_a_fit(df, one, both, texts):
    results = [quiet_fit(df, **both | more) for more in (one, {})]
    found, label = written(*results), ROW_OF[next(iter(one))].label
    assert found.pop(label) == list(texts)
    further = set(found) - set(ALWAYS)
    # Clusters, and units, of another name are told about too.
    assert further <= {"Unit", "Clustered by"}
    assert set(written(results[0], results[0])) == set(ALWAYS)


@pytest.mark.parametrize(("one", "both", "texts"), AVERAGES)
def test_options_of_an_average(df, one, both, texts):
    result = quiet_fit(df)
    averages = [result.aggregate(**both | more) for more in (one, {})]
    found, label = written(*averages), ROW_OF[next(iter(one))].label
    assert found.pop(label) == list(texts)
    assert set(found) == set(ALWAYS)


def test_what_does_not_apply_is_silent_unless_another_is_unusual(df):
    result = quiet_fit(df)
    assert written(result, result.aggregate("event"))["Aggregation"] == ["none", "event"]
    assert set(written(result, result.aggregate("event"))) == {*ALWAYS, "Aggregation"}
    assert written(result, result.aggregate("event", max_e=1))["Event times"] == ["", "to 1"]
    drawn = quiet_fit(df, vcov="bootstrap")
    assert set(written(result, drawn)) == set(ALWAYS)
    assert written(result, quiet_fit(df, vcov="bootstrap", n_boot=99))["Draws"] == ["", "99"]
    assert set(written(drawn, quiet_fit(df, vcov="bootstrap", reference="t"))) == set(ALWAYS)


def test_infinite_windows_are_none(df):
    result = quiet_fit(df)
    wide = result.aggregate("event", min_e=-np.inf, max_e=np.inf)
    assert set(written(wide, result.aggregate("event"))) == set(ALWAYS)
    assert "Event times" not in head(wide)


def test_a_table_has_these_rows(df):
    results = [quiet_fit(df), quiet_fit(df, est_method="reg", **COVARIATES)]
    table = etable(results)
    assert table.body[-1] == footer.rows([one._view for one in results])


# ---- summaries ----------------------------------------------------------------------------------


def test_a_summary_shows_what_is_unusual(df):
    plain = quiet_fit(df)
    usual = set(head(plain))
    assert usual == set(head(plain.aggregate("event")))
    asked = quiet_fit(
        df,
        collinear="drop",
        fix_weights="first_period",
        reference="t",
        **COVARIATES,
    )
    more = {
        "Weights": "w",
        "Weights of period": "first",
        "If collinear": "dropped",
        "Reference distribution": "t(R-1)",
    }
    found = head(asked)
    assert {label: found[label] for label in set(found) - usual - {""}} == more
    study = head(asked.aggregate("event", min_e=-1, balance_e=1, weights="cell"))
    more |= {"Event times": "from -1", "Balanced cohorts": "to e = 1", "Cell weights": "cell"}
    assert {label: study[label] for label in set(study) - usual - {""}} == more
    for result in (asked, asked.aggregate("event", max_e=1)):
        assert max(map(len, str(result.summary()).splitlines())) <= 100


def test_summaries_of_every_option(df):
    """Whatever is not the default, and not in the head in any case, is in it."""
    usual = head(quiet_fit(df))
    for one, both, (text, _) in CALLS:
        row, found = ROW_OF[next(iter(one))], head(quiet_fit(df, **both | one))
        if row.usual is not None:
            assert found[row.label] == text
        elif row.label in usual and row.label != "Estimator":
            assert found[row.label].startswith((text, "1 period", "not yet treated"))


# ---- averages of some ATT(g,t) only -------------------------------------------------------------


@pytest.fixture(scope="module")
def partial(df):
    """Cohort 2005 differs from the others in its covariate: four of its cells have no overlap."""
    apart = df.assign(x1=df["x1"] + 99.0 * (df["g"] == 2005))
    return quiet_fit(apart, xformla="~ x1")


def test_an_average_counts_its_cells(partial):
    assert footer.counted(footer.Column.from_view(partial._view)) == "4 of 8"
    for kind in ("simple", "event", "group", "calendar"):
        average = partial.aggregate(kind)
        coverage = average._view.coverage
        cells = partial.tidy()
        used = cells if kind == "event" else cells[cells["event_time"] >= 0]
        together = footer.Column.from_view(average._view)
        assert together.n_cells == len(used)
        assert together.n_estimated == used["estimate"].count()
        if kind != "simple":
            label = {"event": "event_time", "group": "group", "calendar": "time"}[kind]
            counts = used.groupby(label)["estimate"].agg(["size", "count"])
            np.testing.assert_array_equal(coverage.n_cells[:-1], counts["size"])
            np.testing.assert_array_equal(coverage.n_estimated[:-1], counts["count"])
        after = used[used["event_time"] >= 0]
        assert coverage.n_cells[-1] == len(after)
        assert coverage.n_estimated[-1] == after["estimate"].count()


def test_a_summary_counts_the_cells_of_averages(df, partial):
    lines = partial.summary().notes
    assert "4 of 8 ATT(g,t) have an estimate." in lines
    (line,) = [one for one in partial.aggregate("event").summary().notes if "ATT(g,t) have" in one]
    assert line.startswith("4 of 8 ATT(g,t) have an estimate. Aggregated effects that lack some: ")
    assert "event time 0 (1 of 2)" in line
    assert line.endswith("overall ATT (3 of 4).")
    assert not any("have an estimate" in one for one in quiet_fit(df).summary().notes)


def test_those_of_some_coefficients(partial):
    view = partial.aggregate("event")._view
    for names, text in (
        (["overall ATT"], "3 of 4"),
        (["overall ATT", "event time 0"], "3 of 4"),
        (["overall ATT", "event time -1"], "4 of 6"),
        (["event time -1", "event time 0", "event time 7"], "2 of 4"),
        (["event time 1"], "1"),
    ):
        assert footer.counted(footer.Column.from_view(view, names)) == text
    found = dict(footer.rows([view], ["event time 1"]))
    assert "ATT(g,t)" not in found
    cells = partial._view
    assert footer.rows([cells], ["ATT(2005, 2005)"])[3] == ["ATT(g,t)", "0 of 1"]


def test_a_table_counts_the_cells_of_averages(df, partial):
    whole = quiet_fit(df)
    found = written(whole.aggregate("event"), partial.aggregate("event", min_e=0))
    assert found["ATT(g,t)"] == ["8", "3 of 4"]
    assert "ATT(g,t)" not in written(whole, whole.aggregate("group"))


# ---- replicates that are left out ---------------------------------------------------------------


@pytest.fixture(scope="module")
def alone():
    """Cohort 2004 is in one cluster."""
    return panel(treated_clusters={2004: 1, 2005: 3})


def test_clusters_whose_variation_is_missing(alone):
    results = [quiet_fit(alone, undefined=rule) for rule in ("skip", "nan", "impute")]
    cluster = alone.loc[alone["g"] == 2004, "cl"].iloc[0]
    found = written(*(one.aggregate("group") for one in results))
    assert found["SE without cluster"] == [str(cluster), "", ""]
    assert found["Missing replicates"] == ["left out", "no SE", "imputed"]
    views = [one.aggregate("group")._view for one in results]
    labels = {row[0] for row in footer.rows(views, ["overall ATT"])}
    assert not {"SE without cluster", "Missing replicates"} & labels
    overall = written(*(one.aggregate("simple") for one in results))
    assert not {"SE without cluster", "Missing replicates"} & set(overall)
    notes = results[0].aggregate("group").summary().notes
    want = f"Without cl {cluster}, cohort 2004 is not identified: "
    assert f"‡ {want}standard errors do not include its variation." in notes
    notes = results[1].aggregate("group").summary().notes
    assert f"‡ {want}no standard error." in notes
    notes = results[2].aggregate("group").summary().notes
    assert f"† {want}that part of the variance is imputed under the working model." in notes


def test_too_few_replicates_are_not_left_out():
    """Of two clusters one is left, which is no jackknife."""
    three = panel(n_clusters=3, treated_clusters={2004: 1})
    untreated = three.loc[three["g"] == 0, "cl"].max()
    for table, error in ((three, False), (three[three["cl"] != untreated], True)):
        result = quiet_fit(table, undefined="skip", reference="t").aggregate("simple")
        assert np.isnan(result.overall["std_error"]) == error
        assert ("SE without cluster" in written(result)) != error
        flagged = [one for one in result.summary().notes if one.startswith("‡")]
        assert ["no standard error" in one for one in flagged] == [error]
