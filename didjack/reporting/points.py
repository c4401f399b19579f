"""Coefficients as points with intervals, and how these are drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from didjack._typing import Bools, Floats
from didjack.reporting.axes import AFTER, BEFORE, GREY, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CROWDED = 4.0
"""With more coefficients in an inch than this, markers and lines are drawn smaller."""
SHIFT = 0.11
"""Two variance estimators are drawn so far to the left and to the right."""


@dataclass(frozen=True, slots=True)
class Points:
    """What is drawn of some coefficients; (m,) each.

    Attributes
    ----------
    x, estimate, low, high : pointwise interval, NaN where there is none
    joint_low, joint_high : simultaneous interval, NaN where there is none
    before, reference : pre-treatment coefficients, and those that are zero by construction
    second : (m, 2) interval of a second variance estimator, NaN where there is none
    """

    x: Floats
    estimate: Floats
    low: Floats
    high: Floats
    joint_low: Floats
    joint_high: Floats
    before: Bools
    reference: Bools
    second: Floats

    def take(self, rows: Bools) -> Points:
        """Select coefficients."""
        return Points(*(getattr(self, name)[rows] for name in self.__slots__))

    def moved(self, by: float) -> Points:
        """Move to the right."""
        return replace(self, x=self.x + by)


class Names(NamedTuple):
    """What a legend calls the variance estimators.

    Attributes
    ----------
    first : the one of the thick intervals
    second : the one drawn beside it, if any
    told_apart : whether the legend is about before and after treatment instead
    """

    first: str
    second: str | None
    told_apart: bool


class Pen(NamedTuple):
    """Sizes in points."""

    marker: float
    line: float


class Look(NamedTuple):
    """Shape, colour and size of a marker."""

    shape: str
    colour: str
    size: float


def draw(ax: Axes, points: Points, names: Names) -> None:
    """Draw estimates with thick pointwise and thin simultaneous intervals."""
    small = points.x.size > CROWDED * ax.bbox.width / ax.figure.dpi
    pen = Pen(3.0, 1.2) if small else Pen(5.0, 2.0)
    ax.axhline(0.0, color=GREY, lw=0.8, zorder=1)
    shift = 0.0 if names.second is None else SHIFT
    for rows, colour, marker, name in (
        (points.before & ~points.reference, BEFORE, "s", "before treatment"),
        (~points.before & ~points.reference, AFTER, "o", "after treatment"),
    ):
        if rows.any():
            part = points.take(rows).moved(-shift)
            _intervals(ax, part, colour, pen)
            label = name if names.told_apart else names.first if names.second else None
            none = f"{name if names.told_apart else 'estimate'}, no standard error"
            known = np.isfinite(part.low)
            look = Look(marker, colour, pen.marker)
            _estimates(ax, part.take(known), look, colour, label)
            _estimates(ax, part.take(~known), look, "white", none)
    if points.reference.any():
        _references(ax, points.take(points.reference), pen)
    if names.second is not None:
        known = np.asarray(np.isfinite(points.second).all(axis=1))
        _second(ax, points.take(known).moved(shift), names.second, pen)
    ax.spines[["top", "right"]].set_visible(False)


def _estimates(ax: Axes, part: Points, look: Look, fill: str, label: str | None) -> None:
    """Draw estimates, if there are any."""
    shape, colour, size = look
    if part.x.size:
        ax.plot(
            part.x, part.estimate, shape, color=colour, mfc=fill, ms=size, zorder=4, label=label
        )


def _intervals(ax: Axes, part: Points, colour: str, pen: Pen) -> None:
    """Draw simultaneous intervals with caps, and thicker pointwise ones over them."""
    ax.vlines(part.x, part.joint_low, part.joint_high, color=colour, lw=0.5 * pen.line, zorder=2)
    for end in (part.joint_low, part.joint_high):
        ax.plot(part.x, end, "_", color=colour, ms=1.2 * pen.marker, mew=0.5 * pen.line, zorder=2)
    ax.vlines(part.x, part.low, part.high, color=colour, lw=1.5 * pen.line, zorder=3)


def _references(ax: Axes, part: Points, pen: Pen) -> None:
    """Draw coefficients that are zero by construction."""
    ax.plot(
        part.x,
        part.estimate,
        "D",
        color=GREY,
        mfc="white",
        ms=pen.marker,
        zorder=4,
        label="reference period",
    )


def _second(ax: Axes, part: Points, name: str, pen: Pen) -> None:
    """Draw the intervals of a second variance estimator."""
    low, high = part.second.T
    ax.vlines(part.x, low, high, color=SECOND, lw=0.8 * pen.line, zorder=2)
    ax.plot(
        part.x,
        part.estimate,
        "x",
        color=SECOND,
        ms=0.8 * pen.marker,
        zorder=3,
        label=f"{name}, pointwise",
    )
