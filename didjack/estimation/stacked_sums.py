"""Sums of a sample under many assignments of cohorts to clusters.

What a cluster contributes does not depend on its cohort, so the sums of P assignments are those of
the same strata under P masks. They are stacked to P R replicates; each sum is in the same order as
that of one assignment alone.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.passes import LogitModel, LogitPasses, Tick
from didjack.estimation.rows import deleted_sums
from didjack.estimation.sums import SumSource
from didjack.leave_one_out import without
from didjack.memo import Memo


class Relabelled:
    """A sample under P assignments.

    Attributes
    ----------
    source : the actual sample
    cohort : (P, H) positions of the cohorts of clusters
    """

    def __init__(self, source: SumSource, cohort: Ints) -> None:
        self.source, self.cohort = source, cohort

    @cached_property
    def each(self) -> list[SumSource]:
        """The P samples."""
        return [self.source.relabelled(one) for one in self.cohort]


class StackedLogits:
    """Passes over the rows of propensity models under all assignments.

    The model of all of them is the list of their models.
    """

    def __init__(self, relabelled: Relabelled) -> None:
        self._relabelled = relabelled
        self.tick: Tick | None = None

    @cached_property
    def each(self) -> list[LogitPasses]:
        """Those of each assignment."""
        return [one.logits for one in self._relabelled.each]

    def model(self, *comparison: Any) -> list[LogitModel]:
        """Collect the rows of the propensity models of one comparison."""
        return [logits.model(*comparison) for logits in self.each]

    def gram(self, models: list[LogitModel]) -> Floats:
        """Sum w x x' over all rows of each model, (P R, k, k)."""
        pairs = zip(self.each, models, strict=True)
        return np.concatenate([logits.gram(model) for logits, model in pairs])


class StackedSums(SumSource):
    """Sums over the rows of a sample under P assignments, P R stacked replicates.

    Cohorts have one class each, and a cluster one stratum in a period.

    Attributes
    ----------
    samples : Relabelled
    n_deleted : P R - 1: what has a row for each replicate has P R
    """

    def __init__(self, relabelled: Relabelled) -> None:
        base = relabelled.source
        super().__init__(base.rows, base.origin, base.n_deleted > 0, base.by_stratum)
        self.samples = relabelled
        self.logits: Any = StackedLogits(relabelled)
        self._n_rep = 1 + self.n_deleted
        self.n_deleted = self._n_rep * len(relabelled.cohort) - 1
        self._strata = Memo()

    def _select(self, period: int) -> Ints:
        """Return the strata of a period, one a cluster, in the order of clusters."""
        return self._strata.get(period, partial(self.rows.strata.of_period, period))

    def _deleted(self, values: Floats, cohorts: Classes, arm: Arm) -> Floats:
        """Add up the strata of some cohorts in an arm, (S, ...) -> (P R, ...)."""
        chosen = self._select(arm.period)
        cluster = self.rows.strata.cluster[chosen]
        cohort = self.samples.cohort[:, cluster]
        own = cohort == cohorts[0] if len(cohorts) == 1 else np.isin(cohort, cohorts)
        flat = values[chosen].reshape(chosen.size, 1, -1)
        total = self._add(np.where(own.T[:, :, None], flat, 0.0), cluster)
        if len(total) > 1:  # without a cluster of other cohorts everything is left
            total[without(cluster)] = np.where(own.T[:, :, None], total[without(cluster)], total[0])
        return _by_assignment(total).reshape(-1, *values.shape[1:])

    def _add(self, masked: Floats, cluster: Ints) -> Floats:
        """Add up (c, P, m) values of clusters, (R, P, m)."""
        flat = masked.reshape(cluster.size, -1)
        at = np.arange(cluster.size)
        found = deleted_sums(flat, at, cluster, self._n_rep - 1)
        return np.asarray(found.reshape(self._n_rep, *masked.shape[1:]))

    def shares(self, n_periods: int) -> Floats:
        """Return the weight of each cohort over the rows of the first periods, (P R, C)."""
        layout, cohort = self.layout, self.samples.cohort
        if n_periods < layout.periods.size and not (layout.panel or layout.balanced):
            return np.concatenate([one.shares(n_periods) for one in self.samples.each])
        own = cohort.T[:, :, None] == np.arange(layout.cohorts.size)
        share = np.where(own, layout.share.sum(axis=1)[:, None, None], 0.0)
        return _by_assignment(self._add(share, np.arange(layout.n_clusters)))


def _by_assignment(values: Floats) -> Floats:
    """Stack (R, P, m) values to (P R, m)."""
    return np.ascontiguousarray(values.transpose(1, 0, 2)).reshape(-1, values.shape[2])
