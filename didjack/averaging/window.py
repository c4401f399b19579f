"""Which event times an aggregation covers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from didjack.averaging.schemes import Scheme
from didjack.errors import OptionError
from didjack.options import MOST_PERIODS
from didjack.wording import brief


@dataclass(frozen=True, slots=True)
class Window:
    """Which event times an aggregation covers; None is no bound."""

    min_e: float | None = None
    max_e: float | None = None
    balance_e: float | None = None

    def __str__(self) -> str:
        """Write the bounds that there are, as in a call."""
        bounds = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name}={value}" for name, value in bounds.items() if value is not None)

    @staticmethod
    def _check_number(name: str, value: Any) -> None:
        number = isinstance(value, (int, float, np.integer, np.floating))
        if not number or isinstance(value, (bool, np.timedelta64)) or value != value:
            raise OptionError(f"{name}={brief(value)} is not allowed; it must be a number or None")
        if MOST_PERIODS < abs(value) < np.inf:
            raise OptionError(
                f"{name}={brief(value)} is not allowed; it must be at most {MOST_PERIODS:,} "
                "periods from treatment, or infinite"
            )

    def check(self, scheme: Scheme) -> None:
        """Raise for bounds that are not numbers, or that the aggregation does not have."""
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is None:
                continue
            self._check_number(name, value)
            infinite = np.isinf(value) and (value > 0) == (name == "max_e")
            if name not in scheme.bounds and not infinite:
                raise OptionError(
                    f"{name}={brief(value)} does not go with type {scheme.name!r}"
                    + (f"; allowed: {', '.join(scheme.bounds)}" if scheme.bounds else "")
                )
