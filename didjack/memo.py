"""Results that are computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from numpy.typing import NDArray

T = TypeVar("T")


class Memo:
    """Keeps what was computed, by a key that names it and all that it depends on."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key; computed when it is first asked for.

        Examples
        --------
        >>> memo = Memo()
        >>> memo.get(("square", 3), lambda: 9), memo.get(("square", 3), lambda: 1 / 0)
        (9, 9)
        """
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept


def key_of(array: NDArray[Any] | None) -> Hashable:
    """Return a key that arrays share if they have the same shape, type and contents.

    Examples
    --------
    >>> import numpy as np
    >>> key_of(np.arange(3)) == key_of(np.arange(3)) != key_of(np.arange(3.0))
    True
    """
    return None if array is None else (array.shape, array.dtype.str, array.tobytes())
