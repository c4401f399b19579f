"""A table -> plots of who is treated when, and of mean outcomes by cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from didjack._typing import Floats, Ints
from didjack.data.timing import Timing, read_timing
from didjack.errors import OptionError
from didjack.options import SampleOptions, check_listed, validate_keywords
from didjack.reporting.plots.axes import AFTER, GREY, ink, new_figure, plain, set_title, settle
from didjack.reporting.plots.coefficient_plots import panels_in
from didjack.reporting.plots.guides import label_ticks, legend, put_below
from didjack.reporting.plots.points import INK, MARKERS, PALETTE, Finish
from didjack.wording import label_text, one_line, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

TimingRows = Literal["cohort", "cluster"]
UNTREATED = "#D9D9D9"
BESIDE = 4.0
"""On axes of so many inches the legend stands beside the title."""
ROW_POINTS = 9.0
"""Height of the name of a row."""


@validate_keywords
def timing_plot(  # noqa: PLR0913 (a plot has the options that it has)
    data: Any,
    tname: str,
    gname: str,
    idname: str | None = None,
    cluster: str | None = None,
    yname: str | None = None,
    weightsname: str | None = None,
    rows: TimingRows = "cohort",
    ax: Axes | NDArray[Any] | Figure | SubFigure | None = None,
    title: str | None = None,
    legend: bool = True,
    ylabel: str | None = None,
) -> NDArray[Any]:
    """Draw who is treated when, and mean outcomes by cohort.

    The table is drawn as it stands: rules that `csdid` has for its sample are not applied. Rows
    without period, cluster, outcome or weight are left out.

    Parameters
    ----------
    data : pandas, polars or pyarrow table
        It is not modified.
    tname, gname : str
        Columns of the period, and of the first treated period, as in `csdid`.
    idname, cluster : str, optional
        Columns of the unit, and of the cluster, which default to the unit. They are counted, and
        with ``rows="cluster"`` each cluster is a row.
    yname : str, optional
        Column of the outcome: a second panel has its means by cohort.
    weightsname : str, optional
        Column of sampling weights of the means.
    rows : {"cohort", "cluster"}
        What the rows of the first panel are. The color of a cluster in a period says which share of
        its rows is treated.
    ax : matplotlib Axes, array of Axes, Figure or SubFigure, optional
        Where to draw; default: a new figure. With `yname`, two Axes or an empty figure.
    title : str, optional
        Of the first panel; default: what it shows, "" for no title.
    legend : bool
        Whether there are legends.
    ylabel : str, optional
        What the outcome is called; default: its column.

    Returns
    -------
    array of matplotlib Axes
        The panel of treatment, and with `yname` that of the means.

    Raises
    ------
    DataError
        A column is not there or cannot be read.
    OptionError
        An argument is not allowed; ``rows="cluster"`` without `cluster` or `idname`.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_castle()
    >>> panels = didjack.timing_plot(
    ...     df, tname="year", gname="cohort", idname="sid", cluster="state", yname="l_homicide"
    ... )
    >>> [text.get_text() for text in panels[0].get_yticklabels()][:2]
    ['2006 (1 cluster)', '2007 (13 clusters)']
    >>> panels[1].get_ylabel()
    'mean of l_homicide'
    """
    check_listed("rows", rows, get_args(TimingRows))
    finish = Finish(title=title, legend=legend, ylabel=ylabel)
    if rows == "cluster" and cluster is None and idname is None:
        raise OptionError("rows='cluster' needs a cluster: name its column, or idname")
    options = SampleOptions(
        yname="" if yname is None else yname,
        tname=tname,
        gname=gname,
        idname=idname,
        cluster=cluster,
        weightsname=weightsname,
        panel=idname is not None,
    )
    timing = read_timing(data, options)
    by_cluster = rows == "cluster"
    panels = _panels(ax, timing, by_cluster)
    names = _names(timing, by_cluster, options)
    shares = timing.by_cluster if by_cluster else timing.by_cohort
    _treatment(panels[0], shares, names)
    panels[0].set_ylabel(plain(one_line(cluster or idname)) if by_cluster else "cohort")
    set_title(panels[0], finish.words("Treatment by period"))
    boxes = np.empty((0, 4))
    if timing.means is not None:
        boxes = _outcomes(panels[1], timing, timing.means)
        panels[1].set_ylabel(finish.y(f"mean of {one_line(yname)}"))
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


def _names(timing: Timing, by_cluster: bool, options: SampleOptions) -> list[str]:
    """Name the rows."""
    if by_cluster:
        return [one_line(label_text(label)) for label in timing.clusters]
    named = options.cluster is not None
    what = "cluster" if named else "unit" if options.idname else "row"
    counts = timing.n_clusters if named else timing.n_units
    return [
        f"{_cohort(label)} ({plural(count, what)})"
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
        cmap=LinearSegmentedColormap.from_list("treatment", [UNTREATED, AFTER]),
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
    shown = {"untreated": Patch(color=UNTREATED), "treated": Patch(color=AFTER)}
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
