"""What all plots share: colours, new axes, titles, and where treatment begins."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from didjack.imports import load
from didjack.options import must_be
from didjack.wording import encodable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


# Grey before treatment, and one of Okabe and Ito's colours, which colour-blind readers see.
BEFORE, AFTER, GREY = "#767676", "#0072B2", "#808080"
FAINT = 0.3

_to_files = ContextVar("to_files", default=False)


@contextmanager
def to_files() -> Iterator[None]:
    """Make new figures without pyplot: they are for files, whatever a screen is drawn with."""
    before = _to_files.set(True)
    try:
        yield
    finally:
        _to_files.reset(before)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure."""
    if _to_files.get():
        from matplotlib.figure import Figure

        return Figure(figsize=(width, height), layout="constrained")
    load("matplotlib.pyplot")
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained")


def new_axes(width: float, height: float) -> Axes:
    """Make a figure with one pair of axes."""
    return new_figure(width, height).subplots()


def check_axes(ax: Any) -> None:
    """Raise for anything but matplotlib Axes with a horizontal and a vertical scale."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes) or ax.name != "rectilinear":
        raise must_be("ax", "rectilinear matplotlib Axes, or None for a new figure", ax)


def root(within: Axes | Figure | SubFigure) -> Figure:
    """Return the figure that axes, or a subfigure, are in."""
    return within.figure.canvas.figure


def settle(ax: Axes) -> None:
    """Have the figure's layout, if it has one, place the axes: what follows is measured."""
    if root(ax).get_layout_engine() is not None:
        root(ax).draw_without_rendering()


def ink(ax: Axes) -> Any:
    """Return the colour that these axes are written in: black, unless their style is dark."""
    return ax.xaxis.label.get_color()


def paper(ax: Axes) -> Any:
    """Return the colour that is behind these axes."""
    from matplotlib.colors import to_rgba

    colour = to_rgba(ax.get_facecolor())
    return colour if colour[3] > 0.0 else root(ax).get_facecolor()


def faint(ax: Axes) -> Any:
    """Return a colour that hardly stands out from what is behind these axes."""
    from matplotlib.colors import to_rgba

    behind = paper(ax)
    return tuple(
        FAINT * grey + (1.0 - FAINT) * back
        for grey, back in zip(to_rgba(GREY)[:3], behind[:3], strict=True)
    )


def zero_line(ax: Axes) -> None:
    """Mark zero, and leave the axes open at the top and on the right."""
    ax.axhline(0.0, color=GREY, lw=0.8, zorder=1)
    ax.spines[["top", "right"]].set_visible(False)


def treatment_line(ax: Axes, start: float, anticipated: float) -> None:
    """Mark where treatment begins, and from where on it may be anticipated."""
    ax.axvline(start - 0.5, color=GREY, lw=0.8, ls=":", zorder=1)
    if anticipated < start:
        label = "anticipation"
        known = label in ax.get_legend_handles_labels()[1]
        ax.axvspan(
            anticipated - 0.5,
            start - 0.5,
            color=GREY,
            alpha=0.25,
            lw=0,
            zorder=0,
            label=None if known else label,
        )


def plain(text: str) -> str:
    """Have dollar signs of names drawn as they are: matplotlib reads mathematics between two."""
    return encodable(text).replace("$", r"\$")


def set_title(ax: Axes, text: str) -> None:
    """Put a title above the axes; a long one is wrapped to their width, and smaller."""
    set_titles([ax], [text])


def set_titles(axes: Iterable[Axes], texts: Iterable[str]) -> None:
    """Put titles above several axes; if one has to be wrapped, all are smaller."""
    given = list(zip(axes, texts, strict=True))
    long = any(wrapped(ax, text).count("\n") > text.count("\n") for ax, text in given)
    size = "small" if long else "medium"
    for ax, text in given:
        ax.set_title(wrapped(ax, text, size), fontsize=size, loc="left")


def wrapped(within: Axes | Figure | SubFigure, text: str, size: str = "medium") -> str:
    """Break lines so that, in letters of some size, they are about as wide as axes or a figure."""
    from matplotlib.font_manager import FontProperties

    letter = 0.56 * FontProperties(size=size).get_size_in_points()
    room = int(within.bbox.width / root(within).dpi * 72.0 / letter)
    lines = [textwrap.fill(line, max(room, 20)) for line in text.split("\n")]
    return "\n".join(plain(line) for line in lines)
