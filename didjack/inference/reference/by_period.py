"""Matrices that are zero between periods, by the blocks that are not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from didjack._typing import Floats, Ints


@dataclass(frozen=True, eq=False)
class ByPeriod:
    """A symmetric matrix with a block for each period, and zeros outside of these.

    Attributes
    ----------
    ends : (T' + 1,) where blocks begin, and their end
    blocks : (n, n) each
    """

    ends: Ints
    blocks: list[Floats]
    __array_ufunc__ = None
    """Arrays leave products to this class."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return int(self.ends[-1]), int(self.ends[-1])

    def __matmul__(self, other: Floats) -> Floats:
        """Multiply with a vector or matrix."""
        pairs = zip(self.blocks, pairwise(self.ends), strict=True)
        return np.concatenate([block @ other[first:last] for block, (first, last) in pairs])

    def __rmatmul__(self, other: Floats) -> Floats:
        """Multiply a vector or matrix with it."""
        pairs = zip(self.blocks, pairwise(self.ends), strict=True)
        parts = [other[..., first:last] @ block for block, (first, last) in pairs]
        return np.concatenate(parts, axis=-1)
