"""Sums by stratum, made once for all sources whose rows lie in the same strata."""

from __future__ import annotations

from didjack._typing import Floats
from didjack.sums.deletion import Deletion
from didjack.sums.layout import Arm


class StratumSums:
    """Sums over the rows of each stratum.

    They do not depend on which cohort a cluster is in, so sources that differ in that share them.

    Attributes
    ----------
    deletion : Deletion of the rows that are summed
    """

    def __init__(self, deletion: Deletion) -> None:
        self.deletion = deletion
        self._products: dict[tuple[int, int], tuple[Floats, Floats]] = {}
        self._counts: dict[int, Floats] = {}

    def products(self, arm: Arm) -> tuple[Floats, Floats]:
        """Sum w x x', (S, k, k), and w x y, (S, O, k)."""
        key = (arm.x, arm.w)
        if key not in self._products:
            rows = self.deletion.rows
            self._products[key] = self.deletion.products(rows.x[arm.x], rows.w[arm.w], rows.y)
        return self._products[key]

    def counts(self, arm: Arm) -> Floats:
        """Count units (unit-periods), (S, 1)."""
        if arm.w not in self._counts:
            self._counts[arm.w] = self.deletion.by_stratum(self.deletion.rows.count_at(arm))
        return self._counts[arm.w]
