"""Arrays by jackknife replicate: the full sample, and the sample without each cluster.

From the sums to the coefficients, every array has a leading axis of R = 1 + H replicates. This is
the one place that says where on it the full sample is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from didjack._typing import Ints

T = TypeVar("T", bound=np.generic)
S = TypeVar("S", bound=np.generic)

FULL_SAMPLE = np.zeros(1, dtype=np.int64)
"""The row of the full sample, as an array of replicates."""


Clusters = TypeVar("Clusters", int, Ints)


def without(cluster: Clusters) -> Clusters:
    """Return the row of the replicate that leaves out a cluster, or rows for several."""
    return 1 + cluster


@dataclass(frozen=True, slots=True, eq=False)
class Replicates(Generic[T]):
    """The same numbers in the full sample and in every leave-one-cluster-out sample.

    Attributes
    ----------
    stacked : (1 + H, ...) array of both, which is not copied
    """

    stacked: NDArray[T]

    @property
    def full(self) -> NDArray[T]:
        """Those of the full sample, (...)."""
        found: NDArray[T] = self.stacked[0]
        return found

    @property
    def deleted(self) -> NDArray[T]:
        """Those without each cluster, (H, ...)."""
        return self.stacked[1:]

    @property
    def n_deleted(self) -> int:
        """H, or 0 for the full sample alone."""
        return len(self.stacked) - 1

    def full_sample(self) -> Replicates[T]:
        """Return the full sample alone, H = 0."""
        return Replicates(self.stacked[:1])

    def take(self, columns: Ints | int | list[int]) -> Replicates[T]:
        """Select columns of the second axis; of one column, (1 + H,)."""
        return Replicates(self.stacked[:, columns])

    def map(self, function: Callable[[NDArray[T]], NDArray[S]]) -> Replicates[S]:
        """Apply a function that keeps the axis of replicates."""
        return Replicates(function(self.stacked))
