"""Marks for p-values below some cut-offs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from didjack.errors import OptionError
from didjack.options import check_share
from didjack.wording import brief

CUTOFFS = (0.1, 0.05, 0.01)
_MARK = re.compile(r"[^\s\d.,()\[\]-]+")

Stars = list[tuple[float, str]]
"""Cut-offs with their marks, the smallest first."""


def check_stars(stars: Any) -> Stars:
    """Return the cut-offs and their marks, or raise.

    Examples
    --------
    >>> check_stars(True)
    [(0.01, '***'), (0.05, '**'), (0.1, '*')]
    >>> check_stars((0.05,)), check_stars({"+": 0.1}), check_stars(False)
    ([(0.05, '*')], [(0.1, '+')], [])
    """
    if isinstance(stars, (bool, np.bool_)):
        return check_stars(CUTOFFS) if stars else []
    if isinstance(stars, Mapping):
        marks, levels = list(stars), list(stars.values())
    elif isinstance(stars, (list, tuple)):
        levels = sorted((check_share("stars", level) for level in stars), reverse=True)
        marks = ["*" * (i + 1) for i in range(len(levels))]
    else:
        raise _refused(stars)
    levels = [check_share("stars", level) for level in levels]
    known = all(isinstance(mark, str) and _MARK.fullmatch(mark) for mark in marks)
    if not known or not levels or len(set(levels)) < len(levels):
        raise _refused(stars)
    return sorted(zip(levels, marks, strict=True))


def _refused(stars: Any) -> OptionError:
    return OptionError(
        f"stars={brief(stars)} is not allowed: True, False, cut-offs such as (0.1, 0.05, 0.01), or "
        "a dict from marks without digits, brackets or spaces to different cut-offs"
    )


def mark(p_value: float, stars: Stars) -> str:
    """Return the mark of the smallest cut-off that a p-value is below, if there is one."""
    return next((text for level, text in stars if p_value < level), "")


def legend(stars: Stars) -> str:
    """Say what the marks mean."""
    return ", ".join(f"{text} p < {level:g}" for level, text in reversed(stars)) + "."
