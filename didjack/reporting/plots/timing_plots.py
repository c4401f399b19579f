"""Plots of who is treated when, and of mean outcomes by cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.reporting.plots.axes import (
    AFTER,
    GREY,
    faint,
    ink,
    new_figure,
    plain,
    set_title,
    settle,
)
from didjack.reporting.plots.coefficient_plots import panels_in
from didjack.reporting.plots.guides import label_ticks, legend, put_below
from didjack.reporting.plots.points import INK, MARKERS, PALETTE, Finish
from didjack.wording import label_text, one_line, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

BESIDE = 4.0
"""On axes of so many inches the legend stands beside the title."""
ROW_POINTS = 9.0
"""Height of the name of a row."""


class Timing(Protocol):
    """Treatment in T periods, by G cohorts and H clusters, as `data.timing` reads it."""

    @property
    def periods(self) -> pd.Index:
        """Labels, (T,)."""

    @property
    def cohorts(self) -> list[Any]:
        """Labels, (G,); None for the never-treated."""

    @property
    def start(self) -> Ints:
        """Position of the first treated period, (G,)."""

    @property
    def n_units(self) -> Ints:
        """Units of each cohort, (G,); rows where none are named."""

    @property
    def n_clusters(self) -> Ints:
        """Clusters of each cohort, (G,)."""

    @property
    def by_cohort(self) -> Floats:
        """Share of rows that are treated, (G, T)."""

    @property
    def clusters(self) -> pd.Index:
        """Labels, (H,)."""

    @property
    def by_cluster(self) -> Floats:
        """Share of rows that are treated, (H, T)."""

    @property
    def means(self) -> Floats | None:
        """Mean outcomes, (G, T)."""


class TimingWords(NamedTuple):
    """What rows and outcomes are called.

    Attributes
    ----------
    cluster : of a row of the first panel; None: rows are cohorts
    counted : what is counted of a cohort: "cluster", "unit" or "row"
    outcome : of the second panel
    """

    cluster: str | None
    counted: Literal["cluster", "unit", "row"]
    outcome: str


def draw_timing(timing: Timing, words: TimingWords, ax: Any, finish: Finish) -> NDArray[Any]:
    """Draw treatment by period, and mean outcomes by cohort below if there are any."""
    by_cluster = words.cluster is not None
    panels = _panels(ax, timing, by_cluster)
    names = _names(timing, words)
    _treatment(panels[0], timing.by_cluster if by_cluster else timing.by_cohort, names)
    panels[0].set_ylabel("cohort" if words.cluster is None else plain(one_line(words.cluster)))
    set_title(panels[0], finish.words("Treatment by period"))
    boxes = np.empty((0, 4))
    if timing.means is not None:
        boxes = _outcomes(panels[1], timing, timing.means)
        panels[1].set_ylabel(finish.y(f"mean of {one_line(words.outcome)}"))
    settle(panels[0])
    for panel in panels:
        label_ticks(panel, [label_text(period) for period in timing.periods])
    panels[-1].set_xlabel("period")
    if finish.legend:
        _legends(panels, boxes)
        _name_rows(panels[0], names)  # there may be less room
    return panels


def _panels(ax: Any, timing: Timing, by_cluster: bool) -> NDArray[Any]:
    """Return one or two axes."""
    n = 1 if timing.means is None else 2
    rows = len(timing.clusters) if by_cluster else len(timing.cohorts)
    treatment = float(np.clip(1.2 + rows * 1.4 * ROW_POINTS / 72.0, 1.8, 8.0))
    heights = [treatment, 2.8][:n]
    given = new_figure(6.4, sum(heights)) if ax is None else ax
    return panels_in(given, n, "treatment and means", "one each", heights=heights).axes


def _names(timing: Timing, words: TimingWords) -> list[str]:
    """Name the rows."""
    if words.cluster is not None:
        return [one_line(label_text(label)) for label in timing.clusters]
    counts = timing.n_clusters if words.counted == "cluster" else timing.n_units
    return [
        f"{_cohort(label)} ({plural(count, words.counted)})"
        for label, count in zip(timing.cohorts, counts.tolist(), strict=True)
    ]


def _cohort(label: Any) -> str:
    return "never treated" if label is None else label_text(label)


def _treatment(ax: Axes, shares: Floats, names: list[str]) -> None:
    """Draw a tile for each row and period that there are observations of."""
    from matplotlib.colors import LinearSegmentedColormap

    n_rows, n_periods = shares.shape
    ax.pcolormesh(
        np.arange(n_periods + 1) - 0.5,
        np.arange(n_rows + 1) - 0.5,
        np.ma.masked_invalid(shares),
        cmap=LinearSegmentedColormap.from_list("treatment", [faint(ax), AFTER]),
        vmin=0.0,
        vmax=1.0,
        edgecolors=ax.get_facecolor(),
        linewidth=0.8 if n_rows * n_periods <= 2000 else 0.0,
        rasterized=n_rows * n_periods > 20000,
    )
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.spines[["top", "right", "left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    _name_rows(ax, names)


def _name_rows(ax: Axes, names: list[str]) -> None:
    """Name all rows, or every second or third, as there is room."""
    settle(ax)
    points = ax.bbox.height / ax.figure.dpi * 72.0
    step = int(np.ceil(len(names) * ROW_POINTS / points))
    ax.set_yticks(range(0, len(names), step), [plain(name) for name in names[::step]])
    ax.tick_params(axis="y", labelsize=8.0)


def _outcomes(ax: Axes, timing: Timing, means: Floats) -> Floats:
    """Draw mean outcomes by cohort, with filled markers from treatment on; return their places."""
    boxes = []
    for g, (label, start) in enumerate(zip(timing.cohorts, timing.start.tolist(), strict=True)):
        colour = _colour(ax, g, len(timing.cohorts), label is None)
        marker = MARKERS[g % len(MARKERS)]
        x: Ints = np.arange(means.shape[1])
        style = {"color": colour, "marker": marker, "ms": 4.0}
        ax.plot(x, means[g], lw=1.2, ls="--" if label is None else "-", color=colour, zorder=2)
        for part, fill in ((x < start, ax.get_facecolor()), (x >= start, colour)):
            ax.plot(x[part], means[g, part], ls="none", mfc=fill, zorder=3, **style)
        ax.plot([], [], mfc=colour, label=_cohort(label), **style)
        boxes.append(np.column_stack([x, means[g], x, means[g]]))
    ax.spines[["top", "right"]].set_visible(False)
    return np.concatenate(boxes)


def _legends(panels: NDArray[Any], boxes: Floats) -> None:
    """Explain tiles and lines, which are at `boxes`, (n, 4)."""
    from matplotlib.patches import Patch

    settle(panels[0])
    ax = panels[0]
    shown = {"untreated": Patch(color=faint(ax)), "treated": Patch(color=AFTER)}
    if ax.bbox.width < BESIDE * ax.figure.dpi:
        put_below(ax, shown, None)
    else:
        ax.legend(
            list(shown.values()),
            list(shown),
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=2,
            frameon=False,
            fontsize="small",
            borderaxespad=0.0,
            columnspacing=1.2,
        )
    for other in panels[1:]:
        settle(other)
        legend(other, boxes, title="cohort; filled: treated")


def _colour(ax: Axes, at: int, n_cohorts: int, never: bool) -> Any:
    """Choose the colour of a cohort: of many, an earlier one is darker."""
    if never:
        return GREY
    if n_cohorts > len(PALETTE):
        from matplotlib import colormaps

        return colormaps["viridis"](0.85 * at / n_cohorts)
    return ink(ax) if PALETTE[at] == INK else PALETTE[at]
