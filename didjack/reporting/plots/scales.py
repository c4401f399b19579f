"""The vertical scale, and labels along the horizontal one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Floats
from didjack.reporting.plots.axes import GREY, plain, root
from didjack.reporting.plots.points import Mark, entry

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


# ---- ticks ---------------------------------------------------------------------------------------

GAP = 6.0
"""Between two labels, in points."""
SHORT = 6
"""Labels of so many characters are left out rather than turned, where there are too many."""
TURNED = 45.0
"""Longer ones are turned by so many degrees."""


def whole_ticks(ax: Axes, low: float, high: float) -> None:
    """Mark whole numbers between two: each, every second or fifth, as there is room."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(low - 0.6, high + 0.6)
    widest = _widest(ax, [f"\N{MINUS SIGN}{max(abs(low), abs(high)):.0f}"])
    most = int(_width(ax) / (widest + GAP))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=max(most, 1), steps=[1, 2, 5, 10], integer=True))


def label_ticks(ax: Axes, texts: list[str]) -> None:
    """Label positions 0, 1, ...: turn long labels, and leave some out if there is no room."""
    texts = [plain(text) for text in texts]
    each = _width(ax) / (len(texts) + 0.2)
    needed, turned = _widest(ax, texts) + GAP, False
    if needed > each and max(map(len, texts)) > SHORT:
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
MARGIN = 0.05
BEYOND = "goes on to the number"


def set_scale(panels: Iterable[Axes]) -> None:
    """Give panels one vertical scale; limits that a user has set stay."""
    from didjack.reporting.plots.drawn import Beyond, records

    panels = list(panels)
    for panel in panels:
        for old in [one for one in panel.containers if isinstance(one, Beyond)]:
            old.remove()
    free = [panel for panel in panels if panel.get_autoscaley_on()]
    if not free:
        return
    boxes = np.concatenate([record.boxes for panel in free for record in records(panel)])
    limits = core(boxes[:, 1], boxes[:, 3])
    if limits is None:
        for panel in free:
            panel.autoscale_view(scalex=False)
        ends = np.array([panel.get_ylim() for panel in free])
        limits = float(ends[:, 0].min()), float(ends[:, 1].max())
    for panel in free:
        panel.set_ylim(*limits, auto=True)


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
        for (left, low, right, high), estimate in zip(record.boxes, record.estimate, strict=True):
            for up, end, out in ((True, high, high > top), (False, low, low < bottom)):
                if out:
                    hidden = estimate > top if up else estimate < bottom
                    value = estimate if hidden else end
                    found.append(((left + right) / 2.0, value, record.colour, up))
    return found
