"""The one decorator of compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel, cached on disk; type checkers see the function itself.

    Kernels are serial and release the GIL: `didjack.kernels.threads` runs them on disjoint chunks.
    """
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast(Callable[P, R], compiled)
