"""What makes a plot readable: the vertical scale, labels along the horizontal one, and legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from didjack._typing import Floats
from didjack.reporting.plots.axes import GREY, ink, paper, plain, root, settle
from didjack.reporting.plots.points import BASE, IMPUTED, NO_ERROR, SHORT, Mark, entry

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from numpy.typing import NDArray


# ---- ticks ---------------------------------------------------------------------------------------

GAP = 6.0
"""Between two labels, in points."""
SHORT_LABEL = 6
"""Labels of so many characters are left out rather than turned, where there are too many."""
TURNED = 45.0
"""Longer ones are turned by so many degrees."""


def whole_ticks(ax: Axes, low: float, high: float, counts: Mapping[float, int]) -> None:
    """Mark whole numbers between two: each, every second or fifth, as there is room.

    Parameters
    ----------
    counts : what is written below some of them
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def counted(x: float, _: Any) -> str:
        number = f"{x:.0f}".replace("-", "\N{MINUS SIGN}")
        return f"{number}\n{counts[round(x)]}" if round(x) in counts else number

    if counts:
        ax.xaxis.set_major_formatter(FuncFormatter(counted))
    ax.set_xlim(low - 0.6, high + 0.6)
    widest = _widest(ax, [f"\N{MINUS SIGN}{max(abs(low), abs(high)):.0f}"])
    most = int(_width(ax) / (widest + GAP))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=max(most, 1), steps=[1, 2, 5, 10], integer=True))


def label_ticks(ax: Axes, texts: list[str]) -> None:
    """Label positions 0, 1, ...: turn long labels, and leave some out if there is no room."""
    texts = [plain(text) for text in texts]
    each = _width(ax) / (len(texts) + 0.2)
    lines = [line for text in texts for line in text.split("\n")]
    needed, turned = _widest(ax, lines) + GAP, False
    if needed > each and max(map(len, lines)) > SHORT_LABEL:
        turned = True
        needed = 1.3 * _font(ax).get_size_in_points() / np.sin(np.deg2rad(TURNED))
    at = np.arange(0, len(texts), max(1, int(np.ceil(needed / each))))
    ax.set_xticks(
        at,
        [texts[i] for i in at],
        rotation=TURNED if turned else 0.0,
        ha="right" if turned else "center",
        rotation_mode="anchor" if turned else "default",
    )
    ax.set_xlim(-0.6, len(texts) - 0.4)


def _width(ax: Axes) -> float:
    """Measure axes, in points."""
    return ax.bbox.width / root(ax).dpi * 72.0


def _font(ax: Axes):  # type: ignore[no-untyped-def]  # matplotlib's FontProperties
    return ax.xaxis.get_major_ticks(1)[0].label1.get_fontproperties()


def _widest(ax: Axes, texts: list[str]) -> float:
    """Measure the widest of some labels, in points."""
    from matplotlib.textpath import TextPath

    font = _font(ax)
    size = font.get_size_in_points()
    written = [text for text in dict.fromkeys(texts) if text.strip()]
    return max(
        (TextPath((0, 0), text, size, font).get_extents().width for text in written), default=0.0
    )


# ---- frame ---------------------------------------------------------------------------------------

FLAT = 5.0
"""Intervals reach beyond the axes if the others are so many times flatter with them."""
MOST_BEYOND = 0.25
"""The share of coefficients that may do so; two always may, if three others are left."""
UNLIKE = 3.0
"""Panels have scales of their own if the widest is so many times the narrowest."""
MARGIN = 0.05
FLAG = 6.0
"""Marks above coefficients need so much more, in points."""
BEYOND = "value beyond the axis"


def set_scale(panels: Iterable[Axes]) -> bool:
    """Give panels one vertical scale, or each its own where one would flatten some of them.

    Limits that a user has set stay.

    Returns
    -------
    bool
        Whether scales differ.
    """
    from didjack.reporting.plots.drawn import Beyond, records

    panels = list(panels)
    for panel in panels:
        for old in [one for one in panel.containers if isinstance(one, Beyond)]:
            old.remove()
    free = [panel for panel in panels if panel.get_autoscaley_on()]
    if not free:
        return False
    boxes = [np.concatenate([record.boxes for record in records(panel)]) for panel in free]
    own = np.array([_limits(panel, box) for panel, box in zip(free, boxes, strict=True)])
    differ = unlike(own)
    if not differ:
        limits = core(*np.concatenate(boxes)[:, [1, 3]].T)
        own[:] = (own[:, 0].min(), own[:, 1].max()) if limits is None else limits
    marked = max(_pixels_of(panel, FLAG) / panel.bbox.height for panel in free)
    flagged = any(panel.texts for panel in free)
    for panel, (low, high) in zip(free, own.tolist(), strict=True):
        panel.set_ylim(low, high + flagged * marked * (high - low), auto=True)
    return differ


def unlike(limits: Floats) -> bool:
    """Whether one vertical scale would flatten some of several panels with limits, (n, 2)."""
    spans = np.ptp(limits, axis=1)
    return bool(spans.max() > UNLIKE * spans.min())


def label_scales(panels: Iterable[Axes], differ: bool) -> None:
    """Label the vertical scales of all panels if they differ, otherwise in the first column."""
    for panel in panels:
        spec = panel.get_subplotspec()
        panel.tick_params(labelleft=differ or spec is None or spec.is_first_col())


def _limits(panel: Axes, boxes: Floats) -> tuple[float, float]:
    """Return the vertical limits of one panel on its own."""
    limits = core(boxes[:, 1], boxes[:, 3])
    if limits is not None:
        return limits
    panel.autoscale_view(scalex=False)
    low, high = panel.get_ylim()
    return float(low), float(high)


def core(low: Floats, high: Floats) -> tuple[float, float] | None:
    """Return the limits of an axis without wild intervals; None if there are none.

    Parameters
    ----------
    low, high : (m,) ends of what is drawn of each coefficient, NaN where it is not

    Examples
    --------
    >>> import numpy as np
    >>> tame = np.arange(8.0)
    >>> core(-tame, tame) is None
    True
    >>> low, high = core(np.append(-tame, -900.0), np.append(tame, 5.0))
    >>> f"{low:.1f} {high:.1f}"
    '-7.7 7.7'
    """
    there = np.isfinite(low) & np.isfinite(high)
    low, high = np.minimum(low[there], 0.0), np.maximum(high[there], 0.0)  # zero is drawn
    most = min(max(2, int(MOST_BEYOND * low.size)), low.size - 3)
    if most < 1:
        return None
    order = np.argsort(-np.maximum(-low, high), kind="stable")
    spans = [np.ptp([low[order[k:]].min(), high[order[k:]].max()]) for k in range(most + 1)]
    if not spans[0] > FLAT * spans[most] > 0.0:
        return None
    left = order[next(k for k, span in enumerate(spans) if span <= FLAT * spans[most]) :]
    ends = float(low[left].min()), float(high[left].max())
    margin = MARGIN * (ends[1] - ends[0])
    return ends[0] - margin, ends[1] + margin


def explain_beyond(ax: Axes) -> None:
    """Have the legend explain the marks of what goes beyond the axes, if anything does."""
    if _beyond(ax):
        entry(ax, Mark("^", GREY), GREY, BEYOND)


def mark_beyond(ax: Axes, room: tuple[float, float] = (0.0, 1.0)) -> None:
    """Mark what goes beyond the axes, with the number that it goes to.

    Parameters
    ----------
    ax : Axes
    room : from where to where the axes are free for data, in shares of their height
    """
    from didjack.reporting.plots.drawn import Beyond

    artists: list[Artist] = []
    for x, value, colour, up in _beyond(ax):
        (arrow,) = ax.plot(
            [x],
            [room[1] - 0.015 if up else room[0] + 0.015],
            "^" if up else "v",
            color=colour,
            ms=6.0,
            zorder=6,
            transform=ax.get_xaxis_transform(),
            scalex=False,
            scaley=False,
        )
        text = ax.annotate(
            f"{value:.3g}".replace("-", "\N{MINUS SIGN}"),
            (x, room[1] if up else room[0]),
            xycoords=ax.get_xaxis_transform(),
            xytext=(3.0, -3.0 if up else 3.0),
            textcoords="offset points",
            rotation=90.0,
            ha="left",
            va="top" if up else "bottom",
            fontsize="x-small",
            zorder=6,
        )
        artists += [arrow, text]
    if artists:
        ax.add_container(Beyond(artists))


def _beyond(ax: Axes) -> Sequence[tuple[float, float, Any, bool]]:
    """Return where, to which number, in which colour and whether upwards something goes beyond."""
    from didjack.reporting.plots.drawn import records

    bottom, top = sorted(ax.get_ylim())
    found = []
    for record in records(ax):
        every = zip(record.boxes, record.estimate, record.colours, strict=True)
        for (left, low, right, high), estimate, colour in every:
            for up, end, out in ((True, high, high > top), (False, low, low < bottom)):
                if out:
                    hidden = estimate > top if up else estimate < bottom
                    value = estimate if hidden else end
                    found.append(((left + right) / 2.0, value, colour, up))
    return found


# ---- legends -------------------------------------------------------------------------------------


LAST = [SHORT, NO_ERROR, IMPUTED, BASE, "anticipation", "overall ATT", BEYOND]
"""These come after the names of results, in this order."""
CORNERS: tuple[Literal["upper left", "upper right", "lower left", "lower right"], ...] = (
    "upper left",
    "upper right",
    "lower left",
    "lower right",
)
SMALL = 5.0
"""Figures of fewer inches have smaller letters in the legend of all panels."""
AWAY = 5.0
"""A legend keeps this distance to what is drawn, in points."""
FITS = 0.95
"""A legend may be as wide as this part of what it is in; letters differ with the resolution."""
MOST_TAKEN = 0.3
"""A legend that takes more of the axes' height stands below them."""
MARK = 30.0
"""Height of the mark and the number of what goes beyond the axes, in points."""
OURS = "didjack"
"""The id of the legend of a whole figure, by which it is found when more is drawn."""


def entries(panels: NDArray[Any]) -> dict[str, Any]:
    """Return what the legend of some panels explains, by its label and in order."""
    found: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    order = {label: at for at, label in enumerate(LAST, 1)}

    def place(label: str) -> int:
        return -1 if label.startswith("before treatment") else order.get(label, 0)

    return {label: found[label] for label in sorted(found, key=place)}


def legend(
    ax: Axes, boxes: Floats, shown: dict[str, Any] | None = None, title: str | None = None
) -> tuple[float, float]:
    """Put a legend into a corner that is free, or make room for it.

    Parameters
    ----------
    ax : Axes
    boxes : (n, 4) left, lowest, right and highest of what it may not cover, in data units
    shown : what it explains, by label; default: what the axes have
    title : its title

    Returns
    -------
    tuple
        From where to where the axes are free for data, in shares of their height.
    """
    shown = entries(np.array([ax])) if shown is None else shown
    if not shown and title is None:
        return 0.0, 1.0
    made = _made(ax, shown, 1, title)
    blocked = _pixels(ax, boxes)
    for corner in CORNERS:
        made.set_loc(corner)
        if not _covers(made, blocked):
            return 0.0, 1.0
    for columns in range(len(shown), 0, -1):
        made = _made(ax, shown, columns, title)
        if made.get_window_extent().width <= FITS * ax.bbox.width:
            break
    taken = (made.get_window_extent().height + 2.0 * _pixels_of(ax, AWAY)) / ax.bbox.height
    if taken > MOST_TAKEN and root(ax).get_layout_engine() is not None:
        put_below(ax, shown, title)
        return 0.0, 1.0
    return _make_room(ax, made, min(taken, 0.6), boxes)


def put_below(ax: Axes, shown: dict[str, Any], title: str | None) -> None:
    """Put a legend below axes and their labels; the layout makes room for it."""
    from matplotlib.transforms import ScaledTranslation

    earlier = ax.get_legend()
    if earlier is not None:
        earlier.remove()
    box = ax.get_tightbbox()
    left, low, width = ax.bbox.x0, ax.bbox.y0, ax.bbox.width
    if box is not None:
        left, low, width = box.x0, box.y0, box.width
    for columns in range(len(shown), 0, -1):
        made = _made(ax, shown, columns, title, "x-small")
        if columns == 1 or made.get_window_extent().width <= width:
            break
    dpi = root(ax).dpi
    aside, below = (left - ax.bbox.x0) / dpi, (low - ax.bbox.y0) / dpi - AWAY / 72.0
    moved = ScaledTranslation(aside, below, root(ax).dpi_scale_trans)
    made.set_bbox_to_anchor((0.0, 0.0), ax.transAxes + moved)
    made.set_loc("upper left")
    settle(ax)


def _make_room(ax: Axes, made: Legend, taken: float, boxes: Floats) -> tuple[float, float]:
    """Move the limits of the vertical axis, but not if the user has set them."""
    low, high = ax.get_ylim()
    if not ax.get_autoscaley_on():
        return 0.0, 1.0
    # Above, unless something is cut there and nothing below.
    above = not (np.nanmax(boxes[:, 3], initial=low) > max(low, high)) or bool(
        np.nanmin(boxes[:, 1], initial=high) < min(low, high)
    )
    if above:
        made.set_loc("upper left")
        ax.set_ylim(low, low + (high - low) / (1.0 - taken), auto=True)
        return 0.0, 1.0 - taken
    made.set_loc("lower left")
    ax.set_ylim(high - (high - low) / (1.0 - taken), high, auto=True)
    return taken, 1.0


def _made(
    ax: Axes, shown: dict[str, Any], columns: int, title: str | None, size: str = "small"
) -> Legend:
    return ax.legend(
        list(shown.values()),
        list(shown),
        loc="upper left",
        ncols=columns,
        title=title,
        title_fontsize=size,
        fontsize=size,
        alignment="left",
        borderaxespad=0.2,
        columnspacing=1.2,
        handletextpad=0.5,
        facecolor=paper(ax),
        labelcolor=ink(ax),
        edgecolor="none",
        framealpha=0.9,
    )


def _pixels_of(ax: Axes, points: float) -> float:
    return points * root(ax).dpi / 72.0


def _pixels(ax: Axes, boxes: Floats) -> Floats:
    """Return boxes as they are on the axes, with the distance to keep, in pixels."""
    there = boxes[np.isfinite(boxes).all(axis=1)]
    one, other = ax.transData.transform(there[:, :2]), ax.transData.transform(there[:, 2:])
    left, low = (np.minimum(one, other) - _pixels_of(ax, AWAY)).T
    right, high = (np.maximum(one, other) + _pixels_of(ax, AWAY)).T
    # What goes beyond the axes has its mark and number at the border.
    mark = _pixels_of(ax, MARK)
    up, down = high > ax.bbox.y1, low < ax.bbox.y0
    low = np.where(up, np.minimum(low, ax.bbox.y1 - mark), low)
    high = np.where(down, np.maximum(high, ax.bbox.y0 + mark), high)
    right = np.where(up | down, right + mark / 2.0, right)
    return np.column_stack([left, low, right, high])


def _covers(made: Legend, blocked: Floats) -> bool:
    """Return whether a legend covers some of the boxes."""
    left, low, right, high = made.get_window_extent().extents
    apart = (
        (blocked[:, 2] < left)
        | (blocked[:, 0] > right)
        | (blocked[:, 3] < low)
        | (blocked[:, 1] > high)
    )
    return not bool(apart.all())


def figure_legend(figure: Figure | SubFigure, panels: NDArray[Any]) -> None:
    """Put one legend below all panels, in the place of an earlier one."""
    for old in own_legends(figure):
        old.remove()
    shown = entries(panels)
    if not shown:
        return
    size = "small" if figure.bbox.width > SMALL * figure.canvas.figure.dpi else "x-small"
    for columns in range(min(len(shown), 4), 0, -1):
        made = figure.legend(
            list(shown.values()),
            list(shown),
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=size,
        )
        if columns == 1 or made.get_window_extent().width <= FITS * figure.bbox.width:
            made.set_gid(OURS)
            return
        made.remove()


def own_legends(figure: Figure | SubFigure) -> list[Legend]:
    """Return the legend that was put below the panels of a figure, if there is one."""
    return [one for one in figure.legends if one.get_gid() == OURS]
