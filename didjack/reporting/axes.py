"""What all pictures share: colours, new axes, titles, ticks and legends."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Floats
from didjack.errors import OptionError
from didjack.wording import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Okabe and Ito's colours, told apart by colour-blind readers and by their grey in print.
BEFORE, AFTER, SECOND, GREY = "#E69F00", "#0072B2", "#000000", "#666666"
LEGEND = [
    "before treatment",
    "before treatment, no standard error",
    "after treatment",
    "after treatment, no standard error",
    "reference period",
    "anticipation",
]
"""Legends of several panels are in this order; what is not listed comes last."""


def new_axes(width: float, height: float) -> Axes:
    """Make a figure with one pair of axes."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def check_axes(ax: Any) -> None:
    """Raise for anything but matplotlib Axes."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise OptionError(
            f"ax={brief(ax)} is not allowed: matplotlib Axes, or None for a new figure"
        )


def treatment_line(ax: Axes, x: float, anticipation: int) -> None:
    """Mark where treatment begins, and the periods in which it may be anticipated."""
    ax.axvline(x, color=GREY, lw=0.8, ls=":", zorder=1)
    if anticipation:
        ax.axvspan(x - anticipation, x, color="#DDDDDD", lw=0, zorder=0, label="anticipation")


def whole_ticks(ax: Axes, x: Floats) -> None:
    """Mark whole numbers along the range of x."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    ax.set_xlim(x.min() - 0.6, x.max() + 0.6)


def label_ticks(ax: Axes, texts: list[str]) -> None:
    """Label positions 0, 1, ...: as many as there is room for."""
    room = ax.bbox.width / ax.figure.dpi * 72.0 / 6.0  # characters
    step = max(1, int(np.ceil(sum(len(text) + 2 for text in texts) / max(room, 1.0))))
    at = np.arange(0, len(texts), step)
    ax.set_xticks(at, [texts[i] for i in at])
    ax.set_xlim(-0.6, len(texts) - 0.4)


def plain(text: str) -> str:
    """Have dollar signs of names drawn as they are: matplotlib reads mathematics between two."""
    return text.replace("$", r"\$")


def set_title(ax: Axes, text: str) -> None:
    """Put a title above the axes, wrapped to their width."""
    ax.set_title(wrapped(ax, text), fontsize="medium", loc="left")


def wrapped(ax: Axes, text: str) -> str:
    """Break lines so that they are about as wide as the axes."""
    room = int(ax.bbox.width / ax.figure.dpi * 72.0 / 5.5)
    lines = [textwrap.fill(line, max(room, 20)) for line in text.split("\n")]
    return "\n".join(plain(line) for line in lines)


def legend(ax: Axes) -> None:
    """Put a legend where there is room, if there is anything to tell."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, loc="best", fontsize="small")


def shared_legend(figure: Any, panels: NDArray[Any]) -> None:
    """Put one legend below all panels."""
    found: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    order = {label: at for at, label in enumerate(LEGEND)}
    entries = dict(sorted(found.items(), key=lambda entry: order.get(entry[0], len(order))))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=min(len(entries), 3),
        frameon=False,
        fontsize="small",
    )
