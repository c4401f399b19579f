"""Cells of a column -> what the widest of them has, so that decimal points stand in line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_NUMBER = re.compile(r"([(\[]?-?\d[\d,]*(?:\.\d+)?)([^\s\d]*)")
MINUS = r"(?<![\w.])-(?=\d)"
"""A hyphen that is the sign of a number."""
_NARROW = set(".,:;'|!ijlt()[] ")
_WIDE = set("mwMW-")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, or a number that stands in line with the others of its column.

    A writer gives all numbers of a column the same width: that of the widest one on each side of
    the last digit. Then they stand in line, centred or not, whatever stars follow.

    Attributes
    ----------
    text : up to the last digit of a number; all of anything else
    tail : what comes after the last digit, such as stars or a closing parenthesis
    widest : the widest text of a number in the column; empty for what is not in line
    widest_tail : the widest tail
    """

    text: str
    tail: str = ""
    widest: str = ""
    widest_tail: str = ""


def aligned(column: list[str]) -> list[Cell]:
    """Align the numbers of a column that have as many decimals as most of its numbers.

    Examples
    --------
    >>> cells = aligned(["-0.25**", "11.50", "(0.75)", "none", "12"])
    >>> cells[2]
    Cell(text='(0.75', tail=')', widest='-0.25', widest_tail='**')
    >>> cells[4]
    Cell(text='12', tail='', widest='', widest_tail='')
    """
    found = [_NUMBER.fullmatch(text) for text in column]
    decimals = [len(one[1].partition(".")[2]) if one else -1 for one in found]
    numbers = Counter(places for places in decimals if places >= 0)
    if not numbers:
        return [Cell(text) for text in column]
    most = max(numbers, key=lambda places: (places > 0, numbers[places]))
    parts = [
        (one[1], one[2]) if one and places == most else None
        for one, places in zip(found, decimals, strict=True)
    ]
    widest, tail = (max((part[side] for part in parts if part), key=ems) for side in (0, 1))
    return [
        Cell(*part, widest, tail) if part else Cell(text)
        for text, part in zip(column, parts, strict=True)
    ]


def ems(text: str) -> float:
    """Estimate the width of a text, relative to the size of its letters."""
    return sum(
        0.33 if one in _NARROW else 0.8 if one in _WIDE else 0.72 if one.isupper() else 0.5
        for one in text
    )


def minus(text: str) -> str:
    """Write minus signs in front of numbers as wide as digits are."""
    return re.sub(MINUS, "\N{MINUS SIGN}", text)
