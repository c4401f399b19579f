"""Hashes of rows: an order of them that is not that of the user's table."""

from __future__ import annotations

from typing import Any

import numpy as np

from didjack._typing import Floats, Ints
from didjack.kernels.compile import jit

GAMMA = 0x9E3779B97F4A7C15
"""The stride of SplitMix64."""


@jit
def mix(h: Any) -> Any:
    """Scramble 64 bits: a step of SplitMix64."""
    h = h + np.uint64(GAMMA)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@jit
def hash_rows(y: Floats, x: Floats, w: Floats) -> Ints:
    """Hash the contents of rows; y (n,), x (n, k), w (Q, n) -> (n,)."""
    n = y.size
    result = np.empty(n, dtype=np.int64)
    y_bits, x_bits, w_bits = y.view(np.uint64), x.view(np.uint64), w.view(np.uint64)
    for i in range(n):
        h = mix(y_bits[i])
        for a in range(x.shape[1]):
            h = mix(h ^ x_bits[i, a])
        for q in range(w.shape[0]):
            h = mix(h ^ w_bits[q, i])
        result[i] = np.int64(h >> np.uint64(1))
    return result
