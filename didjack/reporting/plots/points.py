"""Coefficients as points with intervals, and how they are drawn: names, colours and markers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.options import check_flag, check_listed, must_be
from didjack.reporting.flags import FLAGS
from didjack.reporting.plots.axes import AFTER, BEFORE, GREY, ink, paper, plain, root
from didjack.status import StatusCode
from didjack.wording import encodable, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# ---- style ---------------------------------------------------------------------------------------

INK = "ink"
"""Stands for the colour that axes are written in, as black cannot be seen on black."""
# Okabe and Ito's again, but for yellow and orange, which read as warnings; the first ones differ in
# grey, too. Markers repeat after another number of results than colours, so that 56 results look
# different.
PALETTE = (AFTER, INK, "#D55E00", "#56B4E9", "#009E73", "#CC79A7", BEFORE)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
FURTHEST = 0.5
"""Neighbouring coefficients are one apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Title, legend and labels of a plot.

    Attributes
    ----------
    title : None for what the plot says of itself, "" for none
    legend : whether there is one
    xlabel, ylabel : None for what the plot says of its axes, "" for none
    """

    title: str | None = None
    legend: bool = True
    xlabel: str | None = None
    ylabel: str | None = None

    def __post_init__(self) -> None:
        for name in ("title", "xlabel", "ylabel"):
            check_text(name, getattr(self, name))
        object.__setattr__(self, "legend", check_flag("legend", self.legend))

    def words(self, default: str) -> str:
        """Return the title."""
        return default if self.title is None else self.title

    def x(self, default: str) -> str:
        """Return the label of the horizontal axis; that of a user may have mathematics."""
        return plain(default) if self.xlabel is None else encodable(self.xlabel)

    def y(self, default: str) -> str:
        """Return the label of the vertical axis."""
        return plain(default) if self.ylabel is None else encodable(self.ylabel)


Look = Literal["errorbar", "ribbon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one result is drawn.

    Attributes
    ----------
    label : its name in the legend; None: the legend tells what is before and after treatment
    color, marker : of all its coefficients; None: chosen
    offset : how far to the right they stand, in steps between coefficients
    look : intervals as bars or as ribbons
    """

    label: str | None = None
    color: Any = None
    marker: str | None = None
    offset: float = 0.0
    look: Look = "errorbar"

    def __post_init__(self) -> None:
        check_listed("style", self.look, get_args(Look))
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
            return Paint(before, after, None, pre_post, *errors, ribbon=self.look == "ribbon")
        chosen = PALETTE[taken % len(PALETTE)]
        colour = (ink if chosen == INK else chosen) if self.color is None else self.color
        mark = Mark(self.marker or MARKERS[taken % len(MARKERS)], colour)
        return Paint(mark, mark, self.label, pre_post, *errors, ribbon=self.look == "ribbon")

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


# ---- points --------------------------------------------------------------------------------------


CROWDED = 4.0
"""With more coefficients in an inch than this, markers and lines are drawn smaller."""
SHIFT = 0.11
"""Two variance estimators are drawn so far to the left and to the right."""
BASE, NO_ERROR, SHORT = "base period", "no standard error", "one-period change"
IMPUTED = "standard error imputed"


@dataclass(frozen=True, slots=True)
class Points:
    """What is drawn of some coefficients; (m,) each.

    Attributes
    ----------
    x, estimate, low, high : pointwise interval, NaN where there is none
    joint_low, joint_high : simultaneous interval, NaN where there is none
    before, base : pre-treatment coefficients, and those that are zero by construction
    short : those that are changes since the period before, not since one before treatment
    imputed : those whose standard error is imputed in part
    second : (m, 2) interval of a second variance estimator, NaN where there is none
    """

    x: Floats
    estimate: Floats
    low: Floats
    high: Floats
    joint_low: Floats
    joint_high: Floats
    before: Bools
    base: Bools
    short: Bools
    imputed: Bools
    second: Floats

    def take(self, rows: Bools | Ints | slice) -> Points:
        """Select coefficients."""
        return Points(*(getattr(self, name)[rows] for name in self.__slots__))

    def moved(self, by: float) -> Points:
        """Move to the right."""
        return replace(self, x=self.x + by)

    def boxes(self) -> Floats:
        """Return what each covers: left, lowest, right, highest, (m, 4); NaN if it is not drawn."""
        drawn = [self.estimate, self.low, self.high, self.joint_low, self.joint_high]
        ends = np.column_stack([*drawn, self.second])
        compared = bool(np.isfinite(self.second).any())
        aside = SHIFT if compared else 0.0
        low, high = np.fmin.reduce(ends, axis=1), np.fmax.reduce(ends, axis=1)
        return np.column_stack([self.x - aside, low, self.x + aside, high])


class Mark(NamedTuple):
    """Shape and colour of a marker: what matplotlib calls it, or a path."""

    shape: Any
    colour: Any


class Paint(NamedTuple):
    """How a result is drawn, and what the legend says of it.

    Attributes
    ----------
    before, after : markers before and after treatment
    label : the result's name in the legend
    pre_post : whether the legend, without a name, is about before and after treatment
    first, second : what it calls the variance estimators, if there are two
    ribbon : whether intervals are ribbons around a line
    """

    before: Mark
    after: Mark
    label: str | None
    pre_post: bool
    first: str
    second: str | None
    ribbon: bool = False


class Pen(NamedTuple):
    """Sizes in points."""

    marker: float
    line: float


def draw(ax: Axes, points: Points, paint: Paint) -> None:
    """Draw estimates with thick pointwise and thin simultaneous intervals, and explain them."""
    several = 1 if paint.label is None else 2  # at least
    small = several * points.x.size > CROWDED * ax.bbox.width / root(ax).dpi
    pen = Pen(3.0, 1.2) if small else Pen(5.0, 2.0)
    shift = 0.0 if paint.second is None else SHIFT
    estimated = np.isfinite(points.estimate)
    for rows, mark in (
        (points.before & ~points.base & estimated, paint.before),
        (~points.before & ~points.base & estimated, paint.after),
    ):
        part = points.take(rows).moved(-shift)
        known = np.isfinite(part.low)
        if not paint.ribbon:
            _intervals(ax, part, mark.colour, pen)
        _estimates(ax, part.take(known & ~part.short), mark, mark.colour, pen)
        _estimates(ax, part.take(known & part.short), mark, paper(ax), pen)
        _estimates(ax, part.take(~known), Mark("x", mark.colour), mark.colour, pen)
    if paint.ribbon:
        _ribbons(ax, points.take(estimated).moved(-shift), paint, pen)
    _estimates(ax, points.take(points.base), Mark("D", GREY), paper(ax), pen)
    _flags(ax, points.take(points.imputed & estimated).moved(-shift))
    if paint.second is not None:
        known = np.asarray(np.isfinite(points.second).all(axis=1))
        _second(ax, points.take(known).moved(shift), pen)
    _explain(ax, points.take(estimated), paint)


def _estimates(ax: Axes, part: Points, mark: Mark, fill: Any, pen: Pen) -> None:
    """Draw estimates, if there are any."""
    if part.x.size:
        ax.plot(
            part.x, part.estimate, mark.shape, color=mark.colour, mfc=fill, ms=pen.marker, zorder=4
        )


def _intervals(ax: Axes, part: Points, colour: Any, pen: Pen) -> None:
    """Draw simultaneous intervals with caps, and thicker pointwise ones over them."""
    ax.vlines(part.x, part.joint_low, part.joint_high, color=colour, lw=0.5 * pen.line, zorder=2)
    for end in (part.joint_low, part.joint_high):
        ax.plot(part.x, end, "_", color=colour, ms=1.2 * pen.marker, mew=0.5 * pen.line, zorder=2)
    ax.vlines(part.x, part.low, part.high, color=colour, lw=1.5 * pen.line, zorder=3)


def _ribbons(ax: Axes, points: Points, paint: Paint, pen: Pen) -> None:
    """Draw lines through estimates, with ribbons of pointwise and wider, lighter ones around."""
    points = points.take(np.argsort(points.x, kind="stable"))
    first = int(np.argmin(points.before)) if not points.before.all() else points.before.size
    # A line from the last change before treatment to the first effect would join what differs.
    joined = first > 0 and not points.short[first - 1]
    for start, stop, mark in (
        (0, first, paint.before),
        (first - joined, points.x.size, paint.after),
    ):
        part = points.take(slice(start, stop))
        low, high, joint_low, joint_high = (
            np.where(part.base, part.estimate, end)
            for end in (part.low, part.high, part.joint_low, part.joint_high)
        )
        for ends, alpha in (((joint_low, joint_high), 0.18), ((low, high), 0.3)):
            ax.fill_between(part.x, *ends, color=mark.colour, alpha=alpha, lw=0, zorder=2)
        ax.plot(part.x, part.estimate, "-", color=mark.colour, lw=0.8 * pen.line, zorder=3)


def _flags(ax: Axes, part: Points) -> None:
    """Put the mark that tables have of coefficients with imputed standard errors above these."""
    tops = np.fmax(np.fmax(part.high, part.joint_high), part.estimate)
    for x, top in zip(part.x, tops, strict=True):
        ax.annotate(
            FLAGS[StatusCode.IMPUTED],
            (x, top),
            xytext=(0, 1),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize="small",
            color=ink(ax),
        )


def _letter(text: str) -> Any:
    """Return a marker in the shape of a letter, without mathematics."""
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    path = TextPath((0.0, 0.0), text, size=1.0)
    ends = path.get_extents()
    centre = ((ends.x0 + ends.x1) / 2.0, (ends.y0 + ends.y1) / 2.0)
    return Path(path.vertices - centre, path.codes)


def _second(ax: Axes, part: Points, pen: Pen) -> None:
    """Draw the intervals of a second variance estimator."""
    low, high = part.second.T
    ax.vlines(part.x, low, high, color=ink(ax), lw=0.8 * pen.line, zorder=2)
    ax.plot(part.x, part.estimate, "+", color=ink(ax), ms=1.2 * pen.marker, zorder=3)


def entry(ax: Axes, mark: Mark, fill: Any, label: str) -> None:
    """Have the legend explain a marker, once."""
    if label not in ax.get_legend_handles_labels()[1]:
        ax.plot(
            [],
            [],
            marker=mark.shape,
            ls="none",
            color=mark.colour,
            mfc=fill,
            ms=5.0,
            label=label,
            scalex=False,
            scaley=False,
        )


def _explain(ax: Axes, points: Points, paint: Paint) -> None:
    """Have the legend explain what was drawn."""
    effects, known = points.take(~points.base), np.isfinite(points.low)
    if paint.label is not None:
        entry(ax, paint.after, paint.after.colour, paint.label)
        if (effects.short & np.isfinite(effects.low)).any():
            entry(ax, Mark("o", GREY), paper(ax), SHORT)
    elif paint.pre_post:
        _explain_times(ax, effects, paint)
    elif paint.second is not None:
        entry(ax, paint.after, paint.after.colour, paint.first)
    if (~known & ~points.base).any():
        entry(ax, Mark("x", GREY), GREY, NO_ERROR)
    if points.base.any():
        entry(ax, Mark("D", GREY), paper(ax), BASE)
    if points.imputed.any():
        entry(ax, Mark(_letter(FLAGS[StatusCode.IMPUTED]), ink(ax)), ink(ax), IMPUTED)
    if paint.second is not None:
        name = f"{paint.second}, pointwise"
        entry(ax, Mark("+", ink(ax)), ink(ax), f"{paint.label}: {name}" if paint.label else name)


def _explain_times(ax: Axes, effects: Points, paint: Paint) -> None:
    """Have the legend tell what is before treatment from what is after."""
    before, colour = "before treatment", paint.before.colour
    if (effects.before & effects.short).any():
        entry(ax, paint.before, paper(ax), f"{before}, {SHORT}")
    if (effects.before & ~effects.short).any():
        entry(ax, paint.before, colour, before)
    if (~effects.before).any():
        entry(ax, paint.after, paint.after.colour, "after treatment")
