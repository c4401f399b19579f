"""Compiled: draws of the multiplier bootstrap and of cluster-level shocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from didjack._typing import Floats
from didjack.estimation.kernels.compiled import jit
from didjack.estimation.kernels.inputs import ShockModel
from didjack.estimation.kernels.strata import GAMMA, mix

# ---- multiplier ----------------------------------------------------------------------------------

BLOCK = 16


@jit
def sum_draws(
    lo: int, hi: int, influence: Floats, seed: Any, points: Floats, draws: Floats
) -> None:
    """Add up the weighted influence of all groups in draws lo:hi.

    A weight is a function of the seed, the draw and the group: one of 64 random bits, or the top
    bits as a number between 0 and 1.

    Parameters
    ----------
    influence : (G, M)
    points : (2,) or (6,) the values that weights have, with the same probability each
    draws : (n_boot, M)
        Zeros, filled in.
    """
    n_groups, m = influence.shape
    binary = points.size == 2
    for first in range(lo, hi, BLOCK):
        last = min(first + BLOCK, hi)
        for g in range(n_groups):
            place = np.uint64(g >> 6 if binary else g) * np.uint64(GAMMA)
            for b in range(first, last):
                bits = mix(mix(seed + np.uint64(b) * np.uint64(GAMMA)) + place)
                if binary:
                    at = np.int64((bits >> np.uint64(g & 63)) & np.uint64(1))
                else:
                    at = np.int64(6.0 * (np.float64(bits >> np.uint64(11)) / 9007199254740992.0))
                v = points[at]
                for j in range(m):
                    draws[b, j] += v * influence[g, j]


# ---- cluster-level shocks ------------------------------------------------------------------------


@jit
def shocked(  # noqa: PLR0913 (a kernel is given arrays)
    lo: int,
    hi: int,
    model: ShockModel,
    shocks: Floats,
    centre_on_mean: bool,
    estimate: Floats,
    square: Floats,
    z: Floats,
    deviation: Floats,
    turned: Floats,
) -> None:
    """Compute the estimates that draws lo:hi give, and products of the replicates' deviations.

    Parameters
    ----------
    shocks : (B, T, H)
    centre_on_mean : whether deviations are from their mean, not from the estimate
    estimate : (B, M), filled in
    square : (B, M, M) or, for squares alone, (B, M, 1), filled in
    z, deviation, turned : (Q,), (n,), (n, M) overwritten
    """
    weight, period, kept, start, mean, first, shift, own_start, own_period, own = model
    n, width = deviation.size, square.shape[2]
    for b in range(lo, hi):
        u, into = shocks[b], square[b]
        z[:] = 0.0
        for h in range(u.shape[1]):
            for q in range(z.size):
                z[q] += weight[q, h] * u[period[q], h]
        for m in range(len(into)):
            total, middle = 0.0, 0.0
            deviation[:] = 0.0
            for k in range(start[m], start[m + 1]):
                value = z[mean[k]]
                total += first[k] * value
                for j in range(n):
                    deviation[j] += shift[k, j] * value
            for k in range(own_start[m], own_start[m + 1]):
                row = u[own_period[k]]
                for j in range(n):
                    deviation[j] -= own[k, j] * row[kept[j]]
            for j in range(n if centre_on_mean else 0):
                middle += deviation[j]
            for j in range(n):
                turned[j, m] = deviation[j] - middle / n
            estimate[b, m] = total
            into[m] = 0.0
        for j in range(n):  # over rows, so that the sums are no reductions
            row = turned[j]
            for m in range(row.size):
                if width > 1:
                    for other in range(m + 1):
                        into[m, other] += row[m] * row[other]
                else:
                    into[m, 0] += row[m] * row[m]
        if width > 1:
            for m in range(len(into)):
                for other in range(m):
                    into[other, m] = into[m, other]
