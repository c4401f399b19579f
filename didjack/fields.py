"""Results of tests: frozen objects whose fields are found by name, as those of a Series are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.wording import did_you_mean, nearest, p_text


class Fields:
    """Base of frozen dataclasses that are the result of a test.

    ``test.p_value`` and ``test["p_value"]`` are the same. `_title` is the first line of what is
    printed, `_more` are properties that count as fields.
    """

    _title: ClassVar[str] = ""
    _more: ClassVar[tuple[str, ...]] = ()

    def keys(self) -> list[str]:
        """Return the names of the fields."""
        named = [one.name for one in fields(self)]  # type: ignore[arg-type]  # of dataclasses
        return [*(name for name in named if not name.startswith("_")), *self._more]

    def __getitem__(self, name: str | list[str]) -> Any:
        names = self.keys()
        if isinstance(name, list):
            return pd.Series({one: self[one] for one in name}, dtype=object)
        if name in names:
            return getattr(self, name)
        match = nearest(name, names) if isinstance(name, str) else None
        raise OptionError(
            f"{type(self).__name__} has no field {name!r}{did_you_mean(match)}; fields: "
            f"{', '.join(names)}"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __len__(self) -> int:
        return len(self.keys())

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self.keys()}

    def to_series(self) -> pd.Series:
        """Return the fields as a Series of objects."""
        return pd.Series(self.to_dict(), dtype=object, name=type(self).__name__)

    def _shown(self) -> list[tuple[str, str]]:
        """Return what is printed of each field that says something."""
        values = [(name, getattr(self, name)) for name in self.keys()]
        return [
            (name, p_text(value) if name == "p_value" and value < 0.001 else written(value))
            for name, value in values
            if not _empty(value)
        ]

    def __repr__(self) -> str:
        rows = self._shown()
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {text}" for name, text in rows]
        return "\n".join([self._title, "-" * max(map(len, [self._title, *lines])), *lines])

    def _repr_html_(self) -> str:
        table = pd.DataFrame({"": dict(self._shown())})
        return f"<p>{self._title}</p>{table.to_html(header=False)}"


def _empty(value: object) -> bool:
    """Whether a field says nothing: no reason, none left out."""
    return value is None or (isinstance(value, (str, tuple)) and not value)


def written(value: object) -> str:
    """Write the value of a field on one line.

    Examples
    --------
    >>> written(0.123456), written(5), written(("a", "b"))
    ('0.1235', '5', 'a, b')
    """
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, pd.Series):
        return f"{len(value)} values"
    return str(value)
