"""Labels along the horizontal axis that do not run into each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from didjack.reporting.axes import plain, root

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
