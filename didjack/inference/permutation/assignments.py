"""Assignments of cohorts to clusters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from didjack._typing import Ints


def n_assignments(cohort: Ints, strata: Ints, most: int) -> int:
    """Count the distinct assignments of cohorts to clusters within strata, (H,) codes each.

    `most` + 1 stands for all larger numbers, of which there may be millions of digits.

    Examples
    --------
    >>> import numpy as np
    >>> one_of_12 = np.arange(12) == 0
    >>> n_assignments(one_of_12, np.zeros(12, dtype=int), most=999)
    12
    """
    counts = [
        np.sort(np.unique(cohort[strata == stratum], return_counts=True)[1])[::-1].tolist()
        for stratum in np.unique(strata)
    ]
    logarithm = sum(
        math.lgamma(sum(count) + 1) - sum(math.lgamma(n + 1) for n in count) for count in counts
    )
    if logarithm > math.log(most + 1) + 1.0:
        return most + 1
    total = 1
    for count in counts:
        for position, n in enumerate(count):
            total *= math.comb(sum(count[: position + 1]), n)
    return min(total, most + 1)


def assignments(cohort: Ints, strata: Ints, n_permutations: int, seed: int) -> Iterator[Ints]:
    """Yield assignments, (H,) cohorts of the clusters, the actual one first.

    All distinct ones if there are at most `n_permutations` + 1, otherwise so many random ones and
    the actual one.
    """
    yield cohort
    if n_assignments(cohort, strata, n_permutations + 1) <= n_permutations + 1:
        yield from _others(cohort, strata)
        return
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for _ in range(n_permutations):
        drawn = cohort.copy()
        for members in groups:
            drawn[members] = rng.permutation(cohort[members])
        yield drawn


def _others(cohort: Ints, strata: Ints) -> Iterator[Ints]:
    """Yield all distinct assignments but the actual one."""
    groups = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    ways = [list(_arrangements(cohort[members].tolist())) for members in groups]
    for parts in product(*ways):
        other = cohort.copy()
        for members, part in zip(groups, parts, strict=True):
            other[members] = part
        if not np.array_equal(other, cohort):
            yield other


def _arrangements(values: list[int]) -> Iterator[list[int]]:
    """Yield the distinct arrangements of a list in lexicographic order."""
    current = sorted(values)
    while True:
        yield current.copy()
        at = next((i for i in range(len(current) - 2, -1, -1) if current[i] < current[i + 1]), -1)
        if at < 0:
            return
        swap = next(j for j in range(len(current) - 1, at, -1) if current[j] > current[at])
        current[at], current[swap] = current[swap], current[at]
        current[at + 1 :] = current[at + 1 :][::-1]
