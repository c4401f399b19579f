"""A second source: sums that somebody has collected, without a row to go back to.

It serves outcome regression from sums by cluster, cohort and period alone; engine, averaging and
inference cannot tell it from rows in memory.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import draw, lose_rows, stages

from didjack.estimation.fit import Fit
from didjack.estimation.layout import Layout
from didjack.estimation.sum_source import ClusterSums, Presence, Sums
from didjack.results.group_time import group_time_result

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")


class NoLogits:
    """What sums cannot give."""

    tick = None


def shares(sample, layout):
    """Weight of each cohort by cluster, over the first periods, by how many these are."""
    table = pd.DataFrame({"cluster": sample.cluster, "cohort": sample.cohort})
    table["unit"] = sample.unit if sample.unit.size else np.arange(len(table))
    table["weight"] = 1.0 if sample.weight is None else sample.weight
    found = {}
    for n in range(1, 1 + layout.periods.size):
        rows = table[sample.period < (1 if layout.panel else n)]
        units = rows.groupby(["cluster", "cohort", "unit"])["weight"].mean()
        own = units.groupby(["cluster", "cohort"]).sum().unstack(fill_value=0.0)
        everywhere = {"index": range(layout.n_clusters), "columns": layout.cohorts}
        found[n] = own.reindex(**everywhere, fill_value=0.0).to_numpy()
    return found


@dataclass
class StoredSums:
    """Sums by stratum: cluster x cohort x period (one period on a balanced panel).

    gram (S, k, k), cross (S, O, k), count (S,), by slot of covariates and weights; square (S,) of
    the weights and first (S,) outcomes of the first period, by slot of weights; share (H, C), by
    number of periods; and where the strata are.
    """

    layout: Layout
    gram: dict
    cross: dict
    count: dict
    square: dict
    first: dict
    share: dict
    cluster: np.ndarray
    cohort: np.ndarray
    period: np.ndarray
    n_deleted: int = 0

    logits = NoLogits()

    @classmethod
    def collect(cls, sample, rows):
        """Add up rows with plain numpy; after this they are not needed."""
        gram, cross, count, square, first, strata = {}, {}, {}, {}, {}, rows.strata
        parts = [slice(a, b) for a, b in zip(strata.start[:-1], strata.start[1:], strict=True)]
        for q, x in enumerate(rows.x):
            for v, w in enumerate(rows.w):
                wx = x * w[:, None]
                gram[q, v] = np.array([wx[i].T @ x[i] for i in parts])
                cross[q, v] = np.array([rows.y[i].T @ wx[i] for i in parts])
        for v, number in enumerate(rows.count):
            count[v] = np.array([number[i].sum() for i in parts])
        level = rows.level if rows.level.size else np.zeros(len(rows.y))
        for v, w in enumerate(rows.w):
            squares = rows.square if rows.square.size else w**2
            square[v] = np.array([squares[i].sum() for i in parts])
            first[v] = np.array([w[i] @ level[i] for i in parts])
        where = (strata.cluster, strata.cohort, strata.period)
        sums = (gram, cross, count, square, first, shares(sample, rows.layout))
        return cls(rows.layout, *sums, *where)

    def replicated(self, jackknife):
        n_deleted = self.layout.n_clusters if jackknife else 0
        return replace(self, n_deleted=n_deleted)

    def relabelled(self, cohort):
        layout, rows = self.layout.relabelled(cohort), np.arange(len(cohort))
        share = {n: np.zeros_like(own) for n, own in self.share.items()}
        for n, own in share.items():
            own[rows, cohort] = self.share[n].sum(axis=1)
        return replace(self, layout=layout, share=share, cohort=cohort[self.cluster])

    def of_treatment(self):
        cohort, periods = self.layout.cohorts[self.cohort][:, None], self.layout.periods
        on = periods >= cohort if self.layout.panel else periods[self.period][:, None] >= cohort
        cross = {slot: on[:, :, None] * gram[:, :1] for slot, gram in self.gram.items()}
        return replace(self, cross=cross)

    def presence(self):
        shape = (self.layout.cohorts.size, self.layout.periods.size)
        clusters, some = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        for h, c, t in zip(self.cluster, self.cohort, self.period, strict=True):
            at = (c, slice(None)) if self.layout.panel else (c, t)
            clusters[at] += 1
            some[at] = h
        return Presence(clusters, some)

    def _replicates(self, values, chosen):
        return np.array(
            [values[chosen & (self.cluster != h)].sum(axis=0) for h in (-1, *range(self.n_deleted))]
        )

    def shares(self, n_periods):
        share = self.share[n_periods]
        total = share.sum(axis=0)
        return np.array([total, *(total - own for own in share[: self.n_deleted])])

    def _chosen(self, cohorts, arm):
        return np.isin(self.cohort, cohorts) & (self.period == arm.period)

    def sums(self, cohorts, arm):
        chosen, slot = self._chosen(cohorts, arm), (arm.x, arm.w)
        parts = (self.gram[slot], self.cross[slot])
        return Sums(*(self._replicates(part, chosen) for part in parts))

    def weights(self, cohorts, arm):
        return self.sums(cohorts, arm).weight

    def counts(self, cohorts, arm):
        number = self.count[arm.w if len(self.count) > 1 else 0]
        return self._replicates(number, self._chosen(cohorts, arm)).round().astype(int)

    def by_cluster(self, arm, outcomes):
        here, slot = self.period == arm.period, (0, arm.w)
        cross = self.cross[slot][:, outcomes, 0] + self.first[arm.w][:, None]
        parts = (self.gram[slot][:, 0, 0], self.square[arm.w], cross)
        tables = [np.zeros((*self.layout.n_units.shape, *part.shape[1:])) for part in parts]
        for table, part in zip(tables, parts, strict=True):
            table[self.cluster[here], self.cohort[here]] = part[here]
        return ClusterSums(*tables)

    def balanced_without(self, spans):
        yield from ()

    def influence(self, by_unit):
        raise NotImplementedError("sums have no influence functions")


SAMPLES = {
    "panel": {},
    "unbalanced": {"allow_unbalanced_panel": True},
    "repeated": {"panel": False},
}
OPTIONS = [
    {},
    {"xformla": "~ x1 + x2"},
    {"xformla": "~ x1 + x3", "weightsname": "wt", "control_group": "notyettreated"},
    {"xformla": "~ x2", "weightsname": "w", "base_period": "universal"},
    {"anticipation": 1, "collinear": "drop", "xformla": "~ x1 + I(2 * x1)"},
]


COHORTS = [(0, 4, 0, 5, 4, 0, 5), (0, 4, 3, 5, 4, 3, 5)]
"""In the second one, a replicate without never-treated units drops the last periods."""


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("cohorts", COHORTS)
def test_stored_sums_give_what_rows_give(cohorts, sample, options):
    df = draw(cohorts, (9, 8, 14, 7, 10, 8, 11), range(1, 6), 4, sample != "repeated")
    if sample == "unbalanced":
        df = lose_rows(df)
    options = options | SAMPLES[sample] | {"est_method": "reg"}
    checked, clean, rows = stages(df, **options)
    stored = StoredSums.collect(clean, rows.rows)
    one, other = (
        group_time_result(Fit.of(source, checked, clean.ledger)) for source in (rows, stored)
    )
    scale = df["y"].std()
    for a, b in [
        (one, other),
        *((one.aggregate(k), other.aggregate(k)) for k in ("event", "group")),
    ]:
        np.testing.assert_allclose(a.replicates(), b.replicates(), rtol=0, atol=1e-11 * scale)
        for column in ("estimate", "std_error", "p_value", "conf_low"):
            np.testing.assert_allclose(a.tidy()[column], b.tidy()[column], rtol=1e-8)
        assert a.tidy()["status"].tolist() == b.tidy()["status"].tolist()
    assert str(one.summary()) == str(other.summary())
    assert one.cells.equals(other.cells.assign(estimate=one.cells["estimate"]))


@pytest.mark.parametrize("sample", SAMPLES)
def test_cohorts_are_permuted_over_stored_sums(sample):
    shape = (0, 4, 0, 5, 4, 0, 5), (9, 8, 14, 7, 10, 8, 11)
    df = draw(*shape, range(1, 6), 4, sample != "repeated")
    if sample == "unbalanced":
        df = lose_rows(df)
    options = SAMPLES[sample] | {"est_method": "reg", "xformla": "~ x1"}
    checked, clean, rows = stages(df, **options)
    stored = StoredSums.collect(clean, rows.rows)
    one, other = (
        group_time_result(Fit.of(source, checked, clean.ledger))
        .aggregate("event")
        .randomization_test(n_permutations=30)
        for source in (rows, stored)
    )
    np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=1e-8)


def test_what_sums_cannot_give_is_said():
    df = draw((0, 4, 0, 5), (9, 8, 14, 7), range(1, 6), 4)
    checked, clean, rows = stages(df, est_method="reg")
    fit = Fit.of(StoredSums.collect(clean, rows.rows), checked, clean.ledger)
    with pytest.raises(NotImplementedError, match="no influence functions"):
        group_time_result(fit).vcov("analytic")
