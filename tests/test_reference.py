"""All numbers agree with R `did` 2.5.1 and its delete-one-cluster refits; see data/."""

from types import SimpleNamespace

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import split
from conftest import reference_cases

import didjack

# The designs are awkward on purpose; their warnings have tests of their own.
pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning",
    "ignore::didjack.SampleWarning",
    "ignore::didjack.InferenceWarning",
)

KINDS = ["simple", "event", "group", "calendar"]
LABEL = {"event": "event_time", "group": "group", "calendar": "time"}


def floats(values):
    return np.array(values, dtype=float)


@pytest.fixture(scope="module", params=reference_cases())
def case(request, data):
    """A reference case, its fit, and the tolerance it is held to."""
    reference = reference_cases()[request.param]
    options = reference["options"]
    fit = didjack.csdid(data(reference["data"]), **options, reference="t", undefined="skip")
    logit = options["est_method"] != "reg" and options["xformla"] is not None
    return SimpleNamespace(
        reference=reference,
        frame=data(reference["data"]),
        options=options,
        fit=fit,
        averages={kind: fit.aggregate(kind) for kind in KINDS},
        tolerance=1e-7 if logit else 1e-9,
    )


def agree(case, got, want):
    """Equal up to the tolerance, relative to the larger of 1 and the reference; NaN where it is."""
    got, want = floats(got), floats(want)
    assert got.shape == want.shape
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    gap = np.abs(got - want) / np.maximum(1.0, np.abs(want))
    assert np.nanmax(gap, initial=0.0) <= case.tolerance


def cell_index(case):
    return pd.MultiIndex.from_tuples([tuple(cell) for cell in case.reference["cells"]])


def cell_column(case, table, column):
    """A column of `tidy()`, in the order of the reference; both have the same cells."""
    index = pd.MultiIndex.from_frame(table[["group", "time"]].astype(float))
    want = cell_index(case)
    assert set(index) == set(want)
    return pd.Series(table[column].to_numpy(), index=index).reindex(want)


def average_column(result, reference, column):
    """The components of an aggregation in the order of the reference, then its overall."""
    if result.type == "simple":
        return [result.overall[column]]
    table = result.tidy().set_index(LABEL[result.type])[column]
    assert set(table.index) == set(reference["labels"])
    return [*table.reindex(reference["labels"]), result.overall[column]]


def test_all_cases_are_there():
    cases = reference_cases()
    assert len(cases) == 100
    assert {len(case["aggregations"]) for case in cases.values()} == {4}


def test_estimates(case):
    agree(case, cell_column(case, case.fit.tidy(), "estimate"), case.reference["estimate"])


def test_aggregates(case):
    for kind, reference in case.reference["aggregations"].items():
        agree(
            case,
            average_column(case.averages[kind], reference, "estimate"),
            reference["estimate"],
        )


def analytic_errors(case, clustered):
    """Analytic errors of cells, then of each aggregation, in the order of the reference."""
    options = dict(case.options, cluster="cluster" if clustered else None)
    fit = didjack.csdid(case.frame, **options, vcov="analytic")
    averages = [
        average_column(fit.aggregate(kind), reference, "std_error")
        for kind, reference in case.reference["aggregations"].items()
    ]
    return [cell_column(case, fit.tidy(), "std_error"), *averages]


def reference_errors(case, clustered):
    key = "se_clustered" if clustered else "se"
    averages = case.reference["aggregations"].values()
    return [case.reference[key], *(reference[key] for reference in averages)]


@pytest.mark.thin(3)
@pytest.mark.parametrize("clustered", [False, True])
def test_analytic_standard_errors(case, clustered, monkeypatch):
    """Those of the reference, but for dr with covariates on pooled rows.

    There DRDID 1.2.3 turns a sign: its influence function is not the derivative of the estimate
    (tests/estimation/test_influence.py). Turned back in the slow implementation, which has the same
    estimates, its errors are reproduced; those of the package are the derivative's.
    """
    got, want = analytic_errors(case, clustered), reference_errors(case, clustered)
    pooled = not case.options.get("panel", True) or "unbalanced" in case.reference["data"]
    if not (pooled and case.options["est_method"] == "dr" and case.options["xformla"]):
        for mine, reference in zip(got, want, strict=True):
            agree(case, mine, reference)
        return
    for mine, reference in zip(got, want, strict=True):
        ratio = floats(mine) / floats(reference)
        assert ((ratio > 0.7) & (ratio < 1.4) | np.isnan(ratio)).all()
    monkeypatch.setattr(bf, "BASE_SIGN", -1)
    slow = bf.fit(case.frame, **split(case.options))
    code = slow.cluster if clustered else None
    errors = pd.Series(bf.standard_errors(slow, code), index=slow_index(slow))
    agree(case, errors.reindex(cell_index(case)), want[0])


def slow_index(slow):
    return pd.MultiIndex.from_frame(slow.table[["group", "time"]].astype(float))


def test_replicates(case):
    table = case.fit.replicates()
    assert table.index.tolist() == case.reference["clusters"]
    table.columns = pd.MultiIndex.from_tuples([(float(g), float(t)) for g, t in table.columns])
    agree(case, table[cell_index(case)], case.reference["replicates"])


@pytest.mark.parametrize("kind", KINDS)
def test_replicates_of_aggregates(case, kind):
    reference = case.reference["aggregations"][kind]
    table = case.averages[kind].replicates()
    assert table.index.tolist() == case.reference["clusters"]
    table.columns = [label if label == "overall" else float(label) for label in table.columns]
    agree(case, table[[*reference["labels"], "overall"]], reference["replicates"])


def test_cv3_of_overalls(case):
    for kind, reference in case.reference["aggregations"].items():
        overall = case.averages[kind].overall
        got = overall[["std_error", "df", "p_value"]]
        agree(case, got, [reference[key] for key in ("cv3", "df", "p")])


def cv3(estimate, replicates):
    """CV3 of each column from the replicates of the reference, leaving out missing ones."""
    replicates = floats(replicates)
    r = (~np.isnan(replicates)).sum(axis=0)
    total = np.nansum((replicates - floats(estimate)) ** 2, axis=0)
    usable = (r > 1) & (total > 0)  # not the reference period, which is zero by construction
    return np.where(usable, np.sqrt((r - 1) / r * total), np.nan), np.where(usable, r - 1, np.nan)


def test_cv3_of_all_coefficients(case):
    error, df = cv3(case.reference["estimate"], case.reference["replicates"])
    table = case.fit.tidy()
    agree(case, cell_column(case, table, "std_error"), error)
    agree(case, cell_column(case, table, "df"), df)
    for kind, reference in case.reference["aggregations"].items():
        error, df = cv3(reference["estimate"], reference["replicates"])
        result = case.averages[kind]
        agree(case, average_column(result, reference, "std_error"), error)
        agree(case, average_column(result, reference, "df"), df)
