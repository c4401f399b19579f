"""Warnings of ATT(g,t) without an estimate, and of averages that lack them."""

import warnings

import pytest
from small_panels import NAMES, panel

import didjack


@pytest.fixture(scope="module")
def df():
    """Cohort 2005 is apart from the others in x1, and the only one that differs in x2."""
    table = panel()
    apart = table["g"] == 2005
    return table.assign(x1=table["x1"] + 99.0 * apart, x2=table["x2"] * apart)


def fit(df, **options):
    return didjack.csdid(df, **NAMES, **options)


def said(call):
    """Return the result and the texts of the estimation warnings, all of which point here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    found = [one for one in caught if issubclass(one.category, didjack.EstimationWarning)]
    assert {one.filename for one in found} <= {__file__}
    return result, [str(one.message) for one in found]


@pytest.fixture(scope="module")
def result(df):
    found, (text,) = said(lambda: fit(df, xformla="~ x1"))
    assert text.startswith("4 of 8 ATT(g,t) could not be estimated and are NaN: (2005, 2002): no ")
    assert "and 3 more (see result.cells; " in text
    return found


@pytest.mark.parametrize(
    ("kind", "count", "some", "empty"),
    [
        ("simple", "1 of 4 ATT(g,t) of the simple average", "overall", ""),
        ("event", "4 of 8 ATT(g,t) of the event study", "-1, 0 and 1 more", "-3, -2"),
        ("group", "1 of 4 ATT(g,t) of the group effects", "overall", "2005"),
        ("calendar", "1 of 4 ATT(g,t) of the calendar-time effects", "2005, overall", ""),
    ],
)
def test_aggregated_effects_that_lack_some(result, kind, count, some, empty):
    average, (text,) = said(lambda: result.aggregate(kind))
    assert text.startswith(f"{count} could not be estimated; aggregated without them: {some}")
    assert (f"; NaN: {empty} (see" in text) == bool(empty)
    assert text.endswith("(see result.cells)")
    for again in (average.summary, average.tidy, average.clusters, average.glance):
        assert said(again)[1] == []


def test_a_window_without_them(result):
    assert said(lambda: result.aggregate("event", min_e=1))[1] == []
    assert said(lambda: result.aggregate("event", min_e=-3, max_e=-2))[1] != []


def test_each_has_its_reason(df):
    result, (text,) = said(lambda: fit(df, xformla="~ x2", est_method="reg"))
    assert text.startswith("8 of 8 ATT(g,t) could not be estimated and are NaN: (2003, 2002): coll")
    _, (text,) = said(lambda: result.aggregate("group"))
    assert text.startswith("4 of 4 ATT(g,t) of the group effects could not be estimated")
    assert text.endswith("(see result.cells)")
    assert "; NaN: 2003, 2005 and 1 more (see" in text
    assert "aggregated" not in text


def test_nothing_is_said_where_all_are_estimated():
    result, texts = said(lambda: fit(panel()))
    assert texts == []
    assert said(lambda: result.aggregate("event"))[1] == []
