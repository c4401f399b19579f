"""Clusters in other cohorts give what a table gives in which they are in other cohorts."""

import numpy as np
import pytest
from compare_with_bruteforce import draw, lose_rows, stages

from didjack._typing import NEVER
from didjack.aggregation.aggregate import aggregate, overall
from didjack.aggregation.schemes import Window
from didjack.estimation.fit import Fit
from didjack.estimation.relabelled import Assignments
from didjack.inference.targets import cell_table, table_of_cells

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

COHORTS = np.array([0, 4, 0, 5, 4, 0, 5, 0])
SIZES = (9, 8, 14, 7, 10, 8, 11, 6)


def one_gap(df):
    """Drop rows of one cluster, without which the panel is balanced."""
    gone = (df["cluster"] == 1) & (df["period"] == 3) & (df["id"] % 3 == 0)
    return df[~gone]


CASES = {
    "panel, reg": ({}, None),
    "panel, dr": ({"est_method": "dr", "xformla": "~ x1 + x2", "weightsname": "w"}, None),
    "panel, ipw": (
        {"est_method": "ipw", "xformla": "~ x3", "weightsname": "wt", "base_period": "universal"},
        None,
    ),
    "panel, not yet treated": ({"control_group": "notyettreated", "anticipation": 1}, None),
    "unbalanced": ({"allow_unbalanced_panel": True, "xformla": "~ x1"}, lose_rows),
    "gap in a cluster": ({"allow_unbalanced_panel": True, "xformla": "~ x1"}, one_gap),
    "weights of another period": (
        {
            "allow_unbalanced_panel": True,
            "weightsname": "wt",
            "fix_weights": "base_period",
        },
        one_gap,
    ),
    "cross sections": ({"panel": False, "est_method": "dr", "xformla": "~ x1 + x2"}, None),
    "cross sections, put together": ({"panel": False, "xformla": "~ x2"}, None),
}


@pytest.fixture(params=CASES)
def case(request):
    """Data and options."""
    options, change = CASES[request.param]
    df = draw(COHORTS, SIZES, range(1, 7), 4, options.get("panel", True))
    return (df if change is None else change(df)), {"est_method": "reg"} | options


def fit_of(df, options):
    """Estimate in all replicates."""
    checked, clean, source = stages(df, **options)
    return Fit.from_source(source, checked, clean.ledger)


def relabelled(fit, cohorts, of_treatment=False):
    """Estimate the same sums with other cohorts, given by their first treated periods."""
    position = {int(g): at for at, g in enumerate(fit.layout.cohorts)}
    labels = np.array([position[int(g) or int(NEVER)] for g in cohorts])
    source = fit.source.of_treatment() if of_treatment else fit.source
    return Fit.from_source(source.relabelled(labels), fit.options, fit.ledger)


def permutations(n=6):
    rng = np.random.default_rng(1)
    return [COHORTS, *(rng.permutation(COHORTS) for _ in range(n))]


def averages(fit):
    """Event study and its overall in all replicates."""
    return aggregate(cell_table(fit), "event", Window()).theta


def test_each_permutation_is_a_refit_bit_for_bit(case):
    df, options = case
    fit = fit_of(df, options)
    for cohorts in permutations():
        again = fit_of(df.assign(cohort=cohorts[df["cluster"]]), options)
        other = relabelled(fit, cohorts)
        for part in ("shown", "extra"):
            one, two = (getattr(f.estimated(True), part) for f in (again, other))
            assert one.cells == two.cells
            for name in ("att", "code", "changed", "treated", "first", "last"):
                np.testing.assert_array_equal(getattr(one, name), getattr(two, name), name)
        np.testing.assert_array_equal(averages(again), averages(other))
        for name in ("share", "n_units"):
            one, two = (getattr(f.layout, name) for f in (again, other))
            np.testing.assert_allclose(one, two, rtol=1e-14)


def test_many_assignments_at_once_bit_for_bit(case):
    """Stacked, the replicates of an assignment are those that it has alone."""
    df, options = case
    fit = fit_of(df, options)
    position = {int(g): at for at, g in enumerate(fit.layout.cohorts)}
    drawn = permutations(9)
    cohort = np.array([[position[int(g) or int(NEVER)] for g in one] for one in drawn])
    assignments = Assignments.from_fit(fit, with_treatment=True)
    seen = []
    for at, found in assignments.estimate(cohort):
        for of_treatment, stacked in enumerate(found):
            table = table_of_cells(fit.layout, stacked[:2], stacked.share, False)
            means = overall(table, "event", Window()).reshape(at.size, -1)
            for p, mean in zip(at, means, strict=True):
                alone = relabelled(fit, drawn[p], bool(of_treatment))
                rows = slice(len(mean) * int(np.searchsorted(at, p)), None)
                for part in ("shown", "extra"):
                    one, two = getattr(alone.estimated(True), part), getattr(stacked, part)
                    labels = [[(c.cohort, c.time) for c in some.cells] for some in (one, two)]
                    assert labels[0] == labels[1]
                    for name in ("att", "code", "changed", "treated", "first", "last"):
                        own = getattr(two, name)[rows][: len(mean)]
                        np.testing.assert_array_equal(getattr(one, name), own, name)
                np.testing.assert_array_equal(averages(alone)[:, -1], mean)
        seen += at.tolist()
    assert sorted(seen) == list(range(len(drawn)))


def test_the_indicator_of_actual_treatment_is_an_outcome(case):
    df, options = case
    fit = fit_of(df, options)
    on = ((df["cohort"] > 0) & (df["period"] >= df["cohort"])).astype(float)
    for cohorts in permutations(3):
        again = fit_of(df.assign(cohort=cohorts[df["cluster"]], y=on), options)
        other = relabelled(fit, cohorts, of_treatment=True)
        np.testing.assert_allclose(averages(again), averages(other), rtol=0, atol=1e-11)
    actual = relabelled(fit, COHORTS, of_treatment=True)
    np.testing.assert_allclose(averages(actual)[:, -1], 1.0, rtol=0, atol=1e-11)


def test_the_source_stays_what_it_was(case):
    df, options = case
    fit = fit_of(df, options)
    before = averages(fit).copy()
    relabelled(fit, COHORTS[::-1])
    np.testing.assert_array_equal(
        averages(Fit.from_source(fit.source, fit.options, fit.ledger)), before
    )
