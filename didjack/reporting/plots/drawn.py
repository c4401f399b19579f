"""What is drawn on axes already; matplotlib keeps it with them.

Imports matplotlib, and is therefore imported only by functions that draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.container import Container

from didjack.reporting.plots.series import Record

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class Drawn(Container):
    """The legend's handle of one result, and its record."""

    def __init__(self, artists: Sequence[Artist], record: Record) -> None:
        super().__init__(artists, label="_nolegend_")
        self.record = record


class Beyond(Container):
    """Marks of what goes beyond the axes, drawn anew when more is drawn."""

    def __init__(self, artists: Sequence[Artist]) -> None:
        super().__init__(artists, label="_nolegend_")


def records(ax: Axes) -> list[Record]:
    """Return what is known of the results on some axes, in the order they were drawn."""
    return [one.record for one in ax.containers if isinstance(one, Drawn)]
