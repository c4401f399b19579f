"""How a user wants a plot: names, colours and markers, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from didjack.options import check_flag, check_listed, must_be
from didjack.reporting.plots.axes import AFTER, BEFORE
from didjack.reporting.plots.points import Mark, Paint
from didjack.wording import one_line

INK = "ink"
"""Stands for the colour that axes are written in, as black cannot be seen on black."""
# Okabe and Ito's again; neighbours differ in grey, too. Markers repeat after another number of
# results than colours, so that 56 results look different.
PALETTE = (AFTER, BEFORE, INK, "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
FURTHEST = 0.5
"""Neighbouring coefficients are one apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Title and legend of a plot.

    Attributes
    ----------
    title : None for what the plot says of itself, "" for none
    legend : whether there is one
    """

    title: str | None = None
    legend: bool = True

    def __post_init__(self) -> None:
        check_text("title", self.title)
        object.__setattr__(self, "legend", check_flag("legend", self.legend))

    def words(self, default: str) -> str:
        """Return the title."""
        return default if self.title is None else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one result is drawn.

    Attributes
    ----------
    label : its name in the legend; None: the legend tells what is before and after treatment
    color, marker : of all its coefficients; None: chosen
    offset : how far to the right they stand, in steps between coefficients
    """

    label: str | None = None
    color: Any = None
    marker: str | None = None
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_text("label", self.label)
        if self.label is not None:
            object.__setattr__(self, "label", one_line(self.label))
        if self.color is not None:
            check_color("color", self.color)
        if self.marker is not None:
            check_marker("marker", self.marker)
        check_offset(self.offset)

    def paint(self, taken: int, ink: Any, pre_post: bool, errors: tuple[str, str | None]) -> Paint:
        """Choose what was not asked for.

        Parameters
        ----------
        taken : number of colours that are there already
        ink : the colour that the axes are written in
        pre_post : whether a legend without a name is about before and after treatment
        errors : names of the variance estimators, the second may be none
        """
        if self.label is None:
            before = Mark(self.marker or "s", BEFORE if self.color is None else self.color)
            after = Mark(self.marker or "o", AFTER if self.color is None else self.color)
            return Paint(before, after, None, pre_post, *errors)
        chosen = PALETTE[taken % len(PALETTE)]
        colour = (ink if chosen == INK else chosen) if self.color is None else self.color
        mark = Mark(self.marker or MARKERS[taken % len(MARKERS)], colour)
        return Paint(mark, mark, self.label, pre_post, *errors)

    @property
    def n_colours(self) -> int:
        """Number of colours that a result in this style takes."""
        return 2 if self.label is None else 1


def check_text(name: str, value: Any) -> None:
    """Raise for anything but a string or None."""
    if value is not None and not isinstance(value, str):
        raise must_be(name, "a string or None", value)


def check_color(name: str, value: Any) -> None:
    """Raise for what matplotlib knows no colour by."""
    from matplotlib.colors import is_color_like

    if not is_color_like(value):
        what = "a colour of matplotlib, such as 'black', '#0072B2' or (0.0, 0.4, 0.7)"
        raise must_be(name, what, value)


def check_marker(name: str, value: Any) -> None:
    """Raise for a marker that cannot be both filled and open."""
    from matplotlib.lines import Line2D

    check_listed(name, value, Line2D.filled_markers)


def check_offset(value: Any) -> None:
    """Raise unless it is less than half the way to the next coefficient."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not abs(value) < FURTHEST:
        hint = "; neighbouring coefficients are 1 apart"
        raise must_be("offset", f"a number between {-FURTHEST} and {FURTHEST}", value, hint)
