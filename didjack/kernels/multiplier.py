"""Draws of the multiplier bootstrap, whose weights are made where they are used."""

from __future__ import annotations

from typing import Any

import numpy as np

from didjack._typing import Floats
from didjack.kernels.compile import jit
from didjack.kernels.hashing import GAMMA, mix

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
