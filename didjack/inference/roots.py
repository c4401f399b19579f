"""Where many functions that fall from a positive value vanish, all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from didjack._typing import Floats, Ints

FARTHEST = 1e6
"""A place beyond this is infinite."""
TOLERANCE = 1e-9
"""There a function is zero but for this share of its value at zero."""
MOST_STEPS, MOST_SECANTS = 100, 40


def roots(
    excess: Callable[[Ints, Ints, Floats], Floats],
    which: tuple[Ints, Ints],
    start: Floats,
    most: Floats,
) -> Floats:
    """Return where functions that are positive at zero vanish, (L,); infinite where nowhere.

    By secants of a bracket. An end that stays twice counts less (Anderson & Björck 1973).

    Where a function jumps below zero, that is the place: zero if it does so at once.

    Parameters
    ----------
    excess : of targets, steps and values of m
    which : targets and steps, (L,) each
    start : (L,) values at zero
    most : (L,) places where they are negative, or infinity
    """
    low, f_low, high = np.zeros(start.size), start.copy(), np.minimum(most, 1.0)
    f_high = excess(*which, high)
    while (some := np.flatnonzero((f_high > 0) & (high < np.minimum(most, FARTHEST)))).size:
        low[some], f_low[some] = high[some], f_high[some]
        high[some] = np.minimum(4.0 * high[some], most[some])
        f_high[some] = excess(which[0][some], which[1][some], high[some])
    found = np.where(f_high > 0, np.inf, np.nan)
    last = np.zeros(start.size)  # which end was replaced last
    for number in range(MOST_STEPS):
        some = np.flatnonzero(np.isnan(found))
        if not some.size:
            break
        a, f_a, b, f_b = low[some], f_low[some], high[some], f_high[some]
        # An end may jump, at zero above all: then secants do not find it.
        place = (a * f_b - b * f_a) / (f_b - f_a) if number < MOST_SECANTS else (a + b) / 2.0
        value = excess(which[0][some], which[1][some], place)
        found[some] = np.where(np.abs(value) <= TOLERANCE * start[some], place, np.nan)
        side = np.sign(value)
        less = 1.0 - value / np.where(side > 0, f_a, f_b)
        less = np.where(side == last[some], np.where(less > 0, less, 0.5), 1.0)
        low[some], high[some] = np.where(side > 0, (place, b), (a, place))
        f_low[some], f_high[some] = np.where(side > 0, (value, f_b * less), (f_a * less, value))
        last[some] = side
    return np.where(np.isnan(found) & ~np.isnan(f_high), low, found)
