"""Compiled: draws of the multiplier bootstrap and of cluster-level shocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels.compiled import jit
from didjack.estimation.kernels.inputs import ShockModel
from didjack.estimation.kernels.strata import GAMMA, mix

# ---- multiplier ----------------------------------------------------------------------------------

BLOCK = 16


@jit
def word(seed: Any, draw: int, position: int) -> Any:
    """Return 64 random bits, a function of the seed, the draw and a position in it."""
    stream = mix(seed + np.uint64(draw) * np.uint64(GAMMA))
    return mix(stream + np.uint64(position) * np.uint64(GAMMA))


@jit
def weight(points: Floats, seed: Any, draw: int, group: int) -> Any:
    """Return the random weight of a group in a draw: -1 or 1, or one of six points."""
    if points.size == 2:
        bit = (word(seed, draw, group >> 6) >> np.uint64(group & 63)) & np.uint64(1)
        return points[1] if bit else points[0]
    uniform = np.float64(word(seed, draw, group) >> np.uint64(11)) / 9007199254740992.0
    return points[int(6.0 * uniform)]


@jit
def sum_draws(
    lo: int, hi: int, influence: Floats, seed: Any, points: Floats, draws: Floats
) -> None:
    """Add up the weighted influence of all groups in draws lo:hi.

    Parameters
    ----------
    influence : (G, M)
    points : (2,) or (6,) the values that weights have, with the same probability each
    draws : (n_boot, M)
        Zeros, filled in.
    """
    n_groups, m = influence.shape
    for first in range(lo, hi, BLOCK):
        last = min(first + BLOCK, hi)
        for g in range(n_groups):
            for b in range(first, last):
                v = weight(points, seed, b, g)
                for j in range(m):
                    draws[b, j] += v * influence[g, j]


# ---- cluster-level shocks ------------------------------------------------------------------------


@jit
def mean_shocks(weight: Floats, period: Ints, u: Floats, z: Floats) -> None:
    """Add up cluster-level shocks, (T, H), with the weights of each mean, (Q,)."""
    for q in range(z.size):
        z[q] = 0.0
        for h in range(u.shape[1]):
            z[q] += weight[q, h] * u[period[q], h]


@jit
def target_deviations(
    model: ShockModel, m: int, u: Floats, z: Floats, centre_on_mean: bool, deviation: Floats
) -> float:
    """Write the deviations of the replicates of one target, (n,), and return its estimate."""
    n, estimate = deviation.size, 0.0
    for j in range(n):
        deviation[j] = 0.0
    for k in range(model.start[m], model.start[m + 1]):
        value, shift = z[model.mean[k]], model.shift[k]
        estimate += model.first[k] * value
        for j in range(n):
            deviation[j] += shift[j] * value
    for k in range(model.own_start[m], model.own_start[m + 1]):
        own, of_period = model.own[k], u[model.own_period[k]]
        for j in range(n):
            deviation[j] -= own[j] * of_period[model.kept[j]]
    if centre_on_mean:
        total = 0.0
        for j in range(n):
            total += deviation[j]
        for j in range(n):
            deviation[j] -= total / n
    return estimate


@jit
def add_products(deviation: Floats, turned: Floats, square: Floats) -> None:
    """Add up products of deviations, (M, n): (M, M), or (M, 1) squares alone.

    Parameters
    ----------
    turned : (n, M) overwritten: sums over replicates are then over rows, and no reductions
    """
    whole = square.shape[1] > 1 or square.shape[0] == 1
    for m in range(square.shape[0]):
        for j in range(turned.shape[0]):
            turned[j, m] = deviation[m, j]
        for other in range(square.shape[1]):
            square[m, other] = 0.0
    for j in range(turned.shape[0]):
        row = turned[j]
        for m in range(row.size):
            if whole:
                for other in range(m + 1):
                    square[m, other] += row[m] * row[other]
            else:
                square[m, 0] += row[m] * row[m]
    if whole:
        for m in range(square.shape[0]):
            for other in range(m):
                square[other, m] = square[m, other]


@jit
def shocked(
    lo: int,
    hi: int,
    model: ShockModel,
    shocks: Floats,
    centre_on_mean: bool,
    estimate: Floats,
    square: Floats,
) -> None:
    """Compute what draws lo:hi give.

    Parameters
    ----------
    shocks : (B, T, H)
    centre_on_mean : whether deviations are from their mean, not from the estimate
    estimate : (B, M), filled in
    square : (B, M, M) or, for squares alone, (B, M, 1), filled in
    """
    n_targets, n = estimate.shape[1], model.kept.size
    z, deviation = np.empty(model.period.size), np.empty((n_targets, n))
    turned = np.empty((n, n_targets))
    for b in range(lo, hi):
        u = shocks[b]
        mean_shocks(model.weight, model.period, u, z)
        for m in range(n_targets):
            row = deviation[m]
            estimate[b, m] = target_deviations(model, m, u, z, centre_on_mean, row)
        add_products(deviation, turned, square[b])
