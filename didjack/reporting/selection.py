"""Which coefficients a table of several results shows, in which order and under which names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from didjack.errors import OptionError
from didjack.wording import brief, did_you_mean, encodable, name_some, nearest


def selected(known: Sequence[str], keep: Any, drop: Any, order: Any) -> list[str]:
    """Return the names that are kept and not dropped, those of `order` first.

    Examples
    --------
    >>> known = ["event time -1", "event time 0", "event time 1", "overall ATT"]
    >>> selected(known, None, "-", ["overall ATT"])
    ['overall ATT', 'event time 0', 'event time 1']
    """
    kept = _matching("keep", keep, known) if keep is not None else list(known)
    gone = _matching("drop", drop, known) if drop is not None else []
    left = [name for name in known if name in kept and name not in gone]
    if not left:
        raise OptionError("keep and drop leave no coefficient")
    first = _matching("order", order, known) if order is not None else []
    return [name for name in first if name in left] + [name for name in left if name not in first]


def renamed(known: Sequence[str], rename: Any) -> dict[str, str]:
    r"""Return what each name is called in the table.

    Examples
    --------
    >>> renamed(["event time 2", "overall ATT"], {r"event time (\d+)": r"year \1 after"})
    {'event time 2': 'year 2 after', 'overall ATT': 'overall ATT'}
    """
    if rename is None:
        return {name: name for name in known}
    if not isinstance(rename, Mapping) or not all(isinstance(new, str) for new in rename.values()):
        raise OptionError(f"rename={brief(rename)} is not allowed: a dict from names to texts")
    found: dict[str, str] = {}
    for pattern, new in rename.items():
        names = _matching("rename", pattern, known)
        for name in names:
            found.setdefault(name, new if pattern in known else _replaced(pattern, new, name))
    return {name: encodable(found.get(name, name)) for name in known}


def _replaced(pattern: str, new: str, name: str) -> str:
    try:
        return re.sub(pattern, new, name)
    except (re.error, IndexError) as error:
        raise OptionError(f"rename={brief({pattern: new})} is not allowed: {error}") from error


def _matching(option: str, patterns: Any, known: Sequence[str]) -> list[str]:
    """Return the names that some patterns stand for, in the order of the patterns, or raise.

    A pattern that is a name stands for this one alone; any other is a regular expression that
    stands for the names in which it is found.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, Sequence) or not all(isinstance(one, str) for one in patterns):
        raise OptionError(
            f"{option}={brief(patterns)} is not allowed: names of coefficients, or regular "
            "expressions"
        )
    found: list[str] = []
    for pattern in patterns:
        names = [pattern] if pattern in known else _searched(option, pattern, known)
        if not names:
            hint = did_you_mean(nearest(pattern, known))
            raise OptionError(
                f"{option}={brief(pattern)} matches no coefficient{hint}; there are: "
                f"{name_some(known, most=12)}"
            )
        found.extend(name for name in names if name not in found)
    return found


def _searched(option: str, pattern: str, known: Sequence[str]) -> list[str]:
    try:
        return [name for name in known if re.search(pattern, name)]
    except re.error as error:
        raise OptionError(
            f"{option}={brief(pattern)} is no coefficient, and no regular expression: {error}"
        ) from error
