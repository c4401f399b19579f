"""The Monte Carlo and the coverage of sensitivity intervals: designs, counts, and their page."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import monte_carlo as mc  # noqa: E402
import monte_carlo_page as pages  # noqa: E402
import sensitivity_coverage as coverage  # noqa: E402

from didjack.inference.trend_sensitivity import METHODS  # noqa: E402


def test_the_page_has_what_was_counted():
    assert pages.PAGE.read_text() == pages.page(pages.rates())


def test_neighbours_are_correlated():
    rng = np.random.default_rng(0)
    treated = np.arange(6) >= 4
    errors = rng.standard_normal((6, 40_000))
    for together in (False, True):
        order = np.random.default_rng(1).permutation(6)
        if together:
            order = order[np.argsort(~treated[order], kind="stable")]
            assert treated[order[:2]].all()
        found = mc.spatial(errors.copy(), treated, together, np.random.default_rng(1))[order]
        distance = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
        np.testing.assert_allclose(np.corrcoef(found), mc.SPATIAL**distance, atol=0.02)


@pytest.mark.parametrize(
    "design",
    [
        mc.Design("unequal", 20, 19),
        mc.Design("unequal", 20, 5, "single cohorts"),
        mc.Design("unequal", 20, 2, "treated neighbours"),
        mc.Design("equal", 10, 1, "cross sections"),
    ],
)
def test_samples_are_of_their_design_and_have_a_seed(design):
    one, again = (mc.data_of(design, 3)[0] for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    cohorts = one.groupby("cluster")["cohort"].max()
    assert len(cohorts) == design.clusters
    assert (cohorts > 0).sum() == design.treated
    alone = (cohorts[cohorts > 0].value_counts() == 1).all()
    assert alone == (design.errors == "single cohorts" or design.treated <= 2)


def test_counts_of_a_cell_replace_earlier_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(mc.numba, "set_num_threads", lambda _: None)
    cell = mc.Cell("level", mc.Design("equal", 10, 3), 2, 0, default_only=True)
    found = mc.run(cell)
    assert found["test"].tolist() == ["CV3, model"]
    assert found["samples"].tolist() == [2]
    assert found["failed"].tolist() == [0]
    path = tmp_path / "counts.csv"
    mc.update(path, found.assign(rejected=1))
    mc.update(path, found.assign(rejected=0))
    assert pd.read_csv(path)["rejected"].tolist() == [0]


@pytest.mark.parametrize("deviation", coverage.DEVIATIONS)
def test_samples_of_sensitivity_intervals(deviation, monkeypatch):
    for method in METHODS.values():
        monkeypatch.setattr(method, "breakdown", method.breakdown)  # put back after the test
    rows = coverage.quiet_draw(0, clusters=10, treated=3, name=deviation, n_honest=0)
    assert [(row[1], row[2]) for row in rows] == [("didjack", name) for name in coverage.TARGETS]
    assert all(np.isfinite(row[4]) for row in rows)
