"""The vertical scale: what a few wild intervals would flatten is shown, and they are marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Floats
from didjack.reporting.axes import GREY
from didjack.reporting.points import Mark, entry

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FLAT = 5.0
"""Intervals reach beyond the axes if the others are so many times flatter with them."""
MOST_BEYOND = 0.25
"""The share of coefficients that may do so; two always may, if three others are left."""
MARGIN = 0.05
BEYOND = "goes on to the number"


def set_scale(panels: Iterable[Axes]) -> None:
    """Give panels one vertical scale; limits that a user has set stay."""
    from didjack.reporting.drawn import Beyond, records

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
    from didjack.reporting.drawn import Beyond

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
    from didjack.reporting.drawn import records

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
