"""Legends beside what is drawn, not over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from didjack._typing import Floats
from didjack.reporting.plots.axes import ink, paper, root
from didjack.reporting.plots.points import BASE, NO_ERROR, SHORT
from didjack.reporting.plots.scales import BEYOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from numpy.typing import NDArray


LAST = [SHORT, NO_ERROR, BASE, "anticipation", "overall ATT", BEYOND]
"""These come after the names of results, in this order."""
CORNERS: tuple[Literal["upper left", "upper right", "lower left", "lower right"], ...] = (
    "upper left",
    "upper right",
    "lower left",
    "lower right",
)
AWAY = 5.0
"""A legend keeps this distance to what is drawn, in points."""
FITS = 0.95
"""A legend may be as wide as this part of what it is in; letters differ with the resolution."""
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
    return _make_room(ax, made, min(taken, 0.6), boxes)


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


def _made(ax: Axes, shown: dict[str, Any], columns: int, title: str | None) -> Legend:
    return ax.legend(
        list(shown.values()),
        list(shown),
        loc="upper left",
        ncols=columns,
        title=title,
        title_fontsize="small",
        fontsize="small",
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
    for columns in range(min(len(shown), 4), 0, -1):
        made = figure.legend(
            list(shown.values()),
            list(shown),
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize="small",
        )
        if columns == 1 or made.get_window_extent().width <= FITS * figure.bbox.width:
            made.set_gid(OURS)
            return
        made.remove()


def own_legends(figure: Figure | SubFigure) -> list[Legend]:
    """Return the legend that was put below the panels of a figure, if there is one."""
    return [one for one in figure.legends if one.get_gid() == OURS]
