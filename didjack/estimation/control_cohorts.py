"""How much each of several control cohorts counts in a triple difference.

Cohorts that are not treated yet are compared one by one, as they differ in their shares of eligible
units. The difference between the n_1 eligible and the n_0 other units of a cohort has a variance in
proportion to 1/n_1 + 1/n_0, so cohorts count by 1 / (1/n_1 + 1/n_0), in each replicate by its own
numbers: on a balanced panel the weights of units in the first period, otherwise those of the rows
in both periods of a cell.
"""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Floats
from didjack.estimation.cells import Cell, Sizes
from didjack.estimation.layout import Arm
from didjack.estimation.sums import InfluenceSource, SumSource


def shares(n_1: Floats, n_0: Floats, there: Bools) -> Floats:
    """Return the share of each of S cohorts, (S, R); zero for all where none of them is there.

    Parameters
    ----------
    n_1, n_0 : (S, R) weights of eligible and of other units
    there : (S, R) whether both have rows in all periods

    Examples
    --------
    >>> import numpy as np
    >>> n = np.array([[2.0], [6.0]])
    >>> shares(n, n, n > 0).ravel()
    array([0.25, 0.75])
    """
    size = np.divide(n_1 * n_0, n_1 + n_0, out=np.zeros(n_1.shape), where=there)
    total = size.sum(axis=0)
    share: Floats = np.divide(size, total, out=np.zeros(size.shape), where=total > 0)
    return share


def shares_of_cell(source: SumSource, cell: Cell) -> dict[Sizes, Floats]:
    """Return the share of each control cohort of a cell in all replicates, (R,) each."""
    arms, sizes = source.layout.arms(*cell.periods), cell.sizes
    n_1, n_0 = (
        np.stack([source.size(classes, arms) for classes in side])
        for side in zip(*sizes, strict=True)
    )
    there = [[_there(source, pair, arm) for arm in arms] for pair in sizes]
    found = shares(n_1, n_0, np.asarray(np.all(there, axis=1)))
    return dict(zip(sizes, found, strict=True))


def _there(source: SumSource, pair: Sizes, arm: Arm) -> Bools:
    """Return in which replicates both sides have rows in an arm, (R,)."""
    both = [(source.counts(c, arm) > 0) & (source.weights(c, arm) > 0) for c in pair]
    return np.asarray(both[0] & both[1])


def influence_of_shares(source: InfluenceSource, cell: Cell, parts: dict[Sizes, float]) -> Floats:
    """Influence of units or clusters on an estimate by way of the shares of control cohorts, (G,).

    Parameters
    ----------
    parts : what each control cohort adds to the estimate, per unit of its share
    """
    sums, arms = source.sums, source.sums.layout.arms(*cell.periods)
    found = {sizes: share[0] for sizes, share in shares_of_cell(sums, cell).items()}
    mean = sum(share * parts[sizes] for sizes, share in found.items() if share > 0)
    result = np.zeros(source.n_independent)
    for sizes, share in found.items():
        if share <= 0:
            continue
        n_1, n_0 = (float(sums.size(classes, arms)[0]) for classes in sizes)
        change = share * (parts[sizes] - mean) / (n_1 + n_0)
        for classes, own, other in zip(sizes, (n_1, n_0), (n_0, n_1), strict=True):
            result += change * other / own * source.size(classes, arms)
    return result
