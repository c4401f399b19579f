"""Results -> matplotlib pictures of coefficients and their intervals."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Bools, Floats
from didjack.errors import OptionError
from didjack.options import Vcov
from didjack.reporting.export import vcov_name
from didjack.wording import label_text, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from didjack.results.group_time import AggregateResult, GroupTimeResult

# Okabe and Ito's colours, told apart by colour-blind readers and by their grey in print.
BEFORE, AFTER, SECOND, GREY = "#E69F00", "#0072B2", "#000000", "#666666"
X_LABELS = {
    "event": "periods since treatment",
    "group": "cohort (first treated period)",
    "calendar": "period",
}
LEGEND = [
    "before treatment",
    "before treatment, no standard error",
    "after treatment",
    "after treatment, no standard error",
    "reference period",
    "anticipation",
]
"""Legends of several panels are in this order; what is not listed comes last."""
CROWDED = 4.0
"""With more coefficients in an inch than this, markers and lines are drawn smaller."""


@dataclass(frozen=True, slots=True)
class Points:
    """What is drawn of some coefficients; (m,) each.

    Attributes
    ----------
    x, estimate, low, high : pointwise interval, NaN where there is none
    joint_low, joint_high : simultaneous interval, NaN where there is none
    before, reference : pre-treatment coefficients, and those that are zero by construction
    second : (m, 2) interval of a second variance estimator, NaN where there is none
    """

    x: Floats
    estimate: Floats
    low: Floats
    high: Floats
    joint_low: Floats
    joint_high: Floats
    before: Bools
    reference: Bools
    second: Floats

    def take(self, rows: Bools) -> Points:
        """Select coefficients."""
        return Points(*(getattr(self, name)[rows] for name in self.__slots__))


def _points(
    result: AggregateResult | GroupTimeResult,
    x: Floats,
    before: Bools,
    alpha: float,
    joint: bool,
    compare: Vcov | None,
) -> Points:
    """Collect what is drawn of the components of a result."""
    which = result._components
    table = result._statistics(alpha).iloc[which]
    band = np.full((which.size, 2), np.nan)
    if joint:
        band = result.confint(1.0 - alpha, joint=True).to_numpy()[which]
    second = np.full((which.size, 2), np.nan)
    if compare is not None:
        second = result._with_vcov(compare).confint(1.0 - alpha).to_numpy()[which]
    return Points(
        x=x,
        estimate=table["estimate"].to_numpy(),
        low=table["conf_low"].to_numpy(),
        high=table["conf_high"].to_numpy(),
        joint_low=band[:, 0],
        joint_high=band[:, 1],
        before=before,
        reference=result._targets.reference[which],
        second=second,
    )


def new_axes(width: float, height: float) -> Axes:
    """Make a figure with one pair of axes."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def averages(
    result: AggregateResult, ax: Axes | None, alpha: float, joint: bool, compare: Vcov | None
) -> Axes:
    """Draw the components of an aggregation."""
    n = result._components.size
    event = result.type == "event"
    labels = result.tidy()[result.tidy().columns[0]]
    x = labels.to_numpy(dtype=float) if event else np.arange(n, dtype=float)
    before = x < 0 if event else np.zeros(n, dtype=bool)
    points = _points(result, x, before, alpha, joint, compare)
    if ax is None:
        ax = new_axes(float(np.clip(3.0 + 0.3 * n, 6.0, 10.0)), 4.0)
    _draw(ax, points, _names(result, compare), event)
    if event:
        _treatment_line(ax, -0.5, result.options.anticipation)
        _whole_ticks(ax, x)
    else:
        _label_ticks(ax, [label_text(key) for key in labels])
        overall = result.overall["estimate"]
        if np.isfinite(overall):
            ax.axhline(overall, color=AFTER, lw=1.0, ls="--", zorder=1, label="overall ATT")
    ax.set_xlabel(X_LABELS[result.type])
    ax.set_ylabel(f"effect on {result.options.yname}")
    set_title(ax, _what(result, alpha, points))
    _legend(ax)
    return ax


def cells(
    result: GroupTimeResult,
    ax: Axes | NDArray[Any] | None,
    alpha: float,
    joint: bool,
    compare: Vcov | None,
) -> NDArray[Any]:
    """Draw ATT(g,t) over time, one panel a cohort."""
    fit = result._fit
    cohorts = np.unique(fit.cell_group)
    panels = _panels(ax, cohorts.size)
    periods = fit.layout.periods
    x = np.searchsorted(periods, fit.cell_time).astype(float)
    before = fit.cell_time < fit.cell_group
    points = _points(result, x, before, alpha, joint, compare)
    texts = [label_text(key) for key in fit.layout.axis.labels(periods)]
    counts = fit.layout.n_units.sum(axis=0)[np.searchsorted(fit.layout.cohorts, cohorts)]
    names = [label_text(key) for key in fit.layout.axis.labels(cohorts)]
    for panel, g, name, count in zip(panels, cohorts, names, counts, strict=True):
        _draw(panel, points.take(fit.cell_group == g), _names(result, compare), True)
        start = float(np.searchsorted(periods, g)) - 0.5
        _treatment_line(panel, start, result.options.anticipation)
        panel.set_xlim(-0.6, periods.size - 0.4)
        _label_ticks(panel, texts)
        panel.set_title(f"cohort {name} ({plural(int(count), 'unit')})", fontsize="medium")
    if ax is None:
        figure = panels[0].figure
        for panel in panels:
            if panel.xaxis.get_tick_params()["labelbottom"]:
                panel.set_xlabel("period")
        figure.supylabel(f"effect on {result.options.yname}", fontsize="medium")
        figure.suptitle(_what(result, alpha, points), fontsize="medium")
        _shared_legend(figure, panels)
    return panels


def _panels(ax: Axes | NDArray[Any] | None, n: int) -> NDArray[Any]:
    """Return n axes: those given, or new ones with the same scales."""
    if ax is not None:
        given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if given.size < n:
            raise OptionError(
                f"ATT(g,t) are drawn in {plural(n, 'panel')}, one a cohort; ax has {given.size}. "
                "Give an array of that many Axes, or plot an aggregation"
            )
        return given[:n]
    import matplotlib.pyplot as plt

    columns = n if n <= 3 else int(np.ceil(np.sqrt(n)))
    rows = int(np.ceil(n / columns))
    grid = plt.subplots(
        rows,
        columns,
        figsize=(max(6.4, 2.7 * columns), max(3.4, 2.1 * rows + 0.9)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )[1]
    for unused in grid.ravel()[n:]:
        unused.remove()
    # The lowest panel of each column shows the periods.
    for column in range(columns):
        lowest = (n - 1 - column) // columns
        grid[lowest, column].tick_params(labelbottom=True)
    return np.asarray(grid.ravel()[:n])


def _names(
    result: AggregateResult | GroupTimeResult, compare: Vcov | None
) -> tuple[str, str | None]:
    """Name the variance estimator, and the second one if there is."""
    return vcov_name(result), None if compare is None else vcov_name(result._with_vcov(compare))


def _draw(ax: Axes, points: Points, names: tuple[str, str | None], told_apart: bool) -> None:
    """Draw estimates with thick pointwise and thin simultaneous intervals.

    Parameters
    ----------
    names : of the variance estimator, and of the second one
    told_apart : whether there is a before and an after
    """
    vcov, compare = names
    small = points.x.size > CROWDED * ax.bbox.width / ax.figure.dpi
    size, thick = (3.0, 1.2) if small else (5.0, 2.0)
    ax.axhline(0.0, color=GREY, lw=0.8, zorder=1)
    shift = 0.0 if compare is None else 0.11
    for rows, colour, marker, name in (
        (points.before & ~points.reference, BEFORE, "s", "before treatment"),
        (~points.before & ~points.reference, AFTER, "o", "after treatment"),
    ):
        if not rows.any():
            continue
        part = points.take(rows)
        x = part.x - shift
        label = name if told_apart else vcov if compare else None
        ax.vlines(x, part.joint_low, part.joint_high, color=colour, lw=0.5 * thick, zorder=2)
        for end in (part.joint_low, part.joint_high):
            ax.plot(x, end, "_", color=colour, ms=1.2 * size, mew=0.5 * thick, zorder=2)
        ax.vlines(x, part.low, part.high, color=colour, lw=1.5 * thick, zorder=3)
        known = np.isfinite(part.low)
        if known.any():
            ax.plot(
                x[known], part.estimate[known], marker, color=colour, ms=size, zorder=4, label=label
            )
        if (~known).any():
            ax.plot(
                x[~known],
                part.estimate[~known],
                marker,
                color=colour,
                mfc="white",
                ms=size,
                zorder=4,
                label=f"{name if told_apart else 'estimate'}, no standard error",
            )
    if points.reference.any():
        part = points.take(points.reference)
        ax.plot(
            part.x,
            part.estimate,
            "D",
            color=GREY,
            mfc="white",
            ms=size,
            zorder=4,
            label="reference period",
        )
    if compare is not None:
        part = points.take(np.asarray(np.isfinite(points.second).all(axis=1)))
        x = part.x + shift
        ax.vlines(x, part.second[:, 0], part.second[:, 1], color=SECOND, lw=0.8 * thick, zorder=2)
        ax.plot(
            x,
            part.estimate,
            "x",
            color=SECOND,
            ms=0.8 * size,
            zorder=3,
            label=f"{compare}, pointwise",
        )
    ax.spines[["top", "right"]].set_visible(False)


def _treatment_line(ax: Axes, x: float, anticipation: int) -> None:
    """Mark where treatment begins, and the periods in which it may be anticipated."""
    ax.axvline(x, color=GREY, lw=0.8, ls=":", zorder=1)
    if anticipation:
        ax.axvspan(x - anticipation, x, color="#DDDDDD", lw=0, zorder=0, label="anticipation")


def _whole_ticks(ax: Axes, x: Floats) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    ax.set_xlim(x.min() - 0.6, x.max() + 0.6)


def _label_ticks(ax: Axes, texts: list[str]) -> None:
    """Label positions 0, 1, ...: as many as there is room for."""
    room = ax.bbox.width / ax.figure.dpi * 72.0 / 6.0  # characters
    step = max(1, int(np.ceil(sum(len(text) + 2 for text in texts) / max(room, 1.0))))
    at = np.arange(0, len(texts), step)
    ax.set_xticks(at, [texts[i] for i in at])
    ax.set_xlim(-0.6, len(texts) - 0.4)


def _what(result: AggregateResult | GroupTimeResult, alpha: float, points: Points) -> str:
    """Say what the intervals are."""
    level, kind = f"{100 * (1 - alpha):g}%", vcov_name(result)
    if np.isfinite(points.joint_low).any():
        return f"{level} intervals ({kind}): pointwise (thick), simultaneous (thin)"
    return f"{level} pointwise intervals ({kind})"


def set_title(ax: Axes, text: str) -> None:
    """Put a title above the axes, wrapped to their width."""
    ax.set_title(wrapped(ax, text), fontsize="medium", loc="left")


def wrapped(ax: Axes, text: str) -> str:
    """Break lines so that they are about as wide as the axes."""
    room = int(ax.bbox.width / ax.figure.dpi * 72.0 / 5.5)
    return "\n".join(textwrap.fill(line, max(room, 20)) for line in text.split("\n"))


def _legend(ax: Axes) -> None:
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, loc="best", fontsize="small")


def _shared_legend(figure: Any, panels: NDArray[Any]) -> None:
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
