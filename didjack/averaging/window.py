"""Which event times an aggregation covers."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from didjack.averaging.schemes import Scheme
from didjack.errors import OptionError


@dataclass(frozen=True, slots=True)
class Window:
    """Which event times an aggregation covers; None is no bound."""

    min_e: float | None = None
    max_e: float | None = None
    balance_e: float | None = None

    def check(self, scheme: Scheme) -> None:
        """Raise for bounds that are not numbers, or that the aggregation does not have."""
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is None:
                continue
            number = isinstance(value, (int, float, np.integer, np.floating))
            if not number or isinstance(value, bool) or np.isnan(value):
                raise OptionError(f"{name}={value!r} is not allowed; it must be a number or None")
            infinite = np.isinf(value) and (value > 0) == (name == "max_e")
            if name not in scheme.bounds and not infinite:
                raise OptionError(
                    f"{name}={value!r} does not go with type {scheme.name!r}"
                    + (f"; allowed: {', '.join(scheme.bounds)}" if scheme.bounds else "")
                )
