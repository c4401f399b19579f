"""Results -> plots of what each cluster does to an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.inference.permutation.placebo import PlaceboTest
from didjack.reporting.plots.axes import (
    AFTER,
    BEFORE,
    GREY,
    check_axes,
    ink,
    new_axes,
    paper,
    plain,
    root,
    set_title,
    settle,
    wrapped,
)
from didjack.reporting.plots.guides import legend
from didjack.reporting.plots.points import Finish
from didjack.reporting.view import Clusters, Deletions, ResultView, effect
from didjack.wording import label_text, name_some, one_line, p_text, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# ---- cluster plots -------------------------------------------------------------------------------

FONT_SIZE = 8.0
MOST_LABELS = 60
"""A figure of its own grows to show so many clusters by name."""
MOST_BARS = 30
"""The variance view sums up the clusters after so many."""
LEGEND_ROWS = 5
"""It leaves the room of so many labels, in which a legend may be, and a bar for the others."""


def replicates(view: ResultView, deletions: Deletions, ax: Axes | None, finish: Finish) -> Axes:
    """Draw an estimate without each cluster, sorted."""
    if ax is not None:
        check_axes(ax)
    clusters, full = view.clusters, deletions.estimate
    order = np.argsort(deletions.without, kind="stable")
    order = order[~np.isnan(deletions.without[order])]
    many = order.size > MOST_LABELS
    if ax is None:
        ax = new_axes(6.4, 6.4 if many else height(order.size))
    y, value = np.arange(order.size), deletions.without[order]
    size = 3.0 if many else 5.0
    ax.axvline(full, color=GREY, lw=1.2, zorder=1, label="all clusters")
    if not many:
        ax.hlines(y, full, value, color=GREY, alpha=0.6, lw=0.8, zorder=1)
    for rows, colour, marker, fill, name in _looks(ax, clusters.treated[order]):
        if rows.any():
            ax.plot(
                value[rows], y[rows], marker, color=colour, mfc=fill, ms=size, zorder=3, label=name
            )
    ring = deletions.composition[order]
    if ring.any():
        name = "leaves other ATT(g,t) to aggregate"
        ax.plot(value[ring], y[ring], "o", color=ink(ax), mfc="none", ms=size + 4, label=name)
    ax.set_xlabel(wrapped(ax, f"estimate without the cluster ({effect(view)})"))
    ax.set_ylabel(plain(one_line(clusters.name)))
    ax.set_ylim(-0.8, order.size - 0.2, auto=True)
    far = full if not many else value
    boxes = np.column_stack([np.minimum(far, value), y, np.maximum(far, value), y])
    finish_clusters(ax, finish, _without(deletions, clusters), boxes)
    name_rows(ax, _names(clusters, order), np.abs(value - full))
    return ax


def _without(deletions: Deletions, clusters: Clusters) -> str:
    """Say what is left out, and where that cannot be done."""
    gone = np.flatnonzero(np.isnan(deletions.without))
    title = f"{deletions.name} without each of {plural(deletions.without.size, 'cluster')}"
    if gone.size:
        labels = [one_line(label_text(key)) for key in clusters.labels[gone]]
        title += f" (cannot be computed without {name_some(labels, 6)})"
    return title


def variance(view: ResultView, deletions: Deletions, ax: Axes | None, finish: Finish) -> Axes:
    """Draw the share of each cluster in the jackknife variance of an estimate."""
    if ax is not None:
        check_axes(ax)
    share, clusters = deletions.share, view.clusters
    order = np.argsort(-np.nan_to_num(share, nan=-1.0), kind="stable")
    order = order[~np.isnan(share[order])]
    if not order.size:
        raise OptionError(
            f"no cluster has a share in the variance of {deletions.name}: no deletion that can "
            "be computed changes it"
        )
    if ax is None:
        ax = new_axes(6.4, height(min(order.size, MOST_BARS + 1)))
    ax.set_xlabel(wrapped(ax, f"share of the {view.options.vcov} variance, %"))
    ax.set_ylabel(plain(one_line(clusters.name)))
    set_title(ax, finish.words(f"{_capital(deletions.name)}: clusters its variance comes from"))
    settle(ax)
    shown = order[: min(max(_room(ax) - LEGEND_ROWS, 3), MOST_BARS)]
    rest = order[shown.size :]
    y, width = np.arange(shown.size), 100.0 * share[shown]
    texts = _names(clusters, shown)
    for rows, colour, _, fill, name in _looks(ax, clusters.treated[shown]):
        if rows.any():
            ax.barh(y[rows], width[rows], 0.7, color=fill, edgecolor=colour, zorder=2, label=name)
    if rest.size:
        y, width = np.append(y, shown.size), np.append(width, 100.0 * share[rest].sum())
        texts.append(f"{rest.size} others")
        ax.barh(y[-1:], width[-1:], 0.7, color=GREY, alpha=0.6, zorder=2)
    equal = 100.0 / order.size
    ax.axvline(equal, color=GREY, lw=0.8, ls=":", zorder=1, label=f"equal shares ({equal:.1f}%)")
    ax.set_yticks(y, texts, fontsize=FONT_SIZE)
    ax.set_ylim(y.size - 0.4, -0.6, auto=True)
    ax.set_xlim(0.0, 1.15 * max(width.max(), equal))
    settle(ax)
    ends = _percentages(ax, y, width, equal)
    boxes = np.column_stack([np.zeros(y.size), y - 0.4, ends, y + 0.4])
    finish_clusters(ax, finish, None, boxes)
    return ax


def _percentages(ax: Axes, y: Ints, width: Floats, equal: float) -> Floats:
    """Write the length of each bar at its end, but not on the line of equal shares.

    Returns
    -------
    ndarray, (n,)
        Where the texts end.
    """
    pixels = root(ax).dpi / 72.0
    scale = float(np.ptp(ax.get_xlim())) / ax.bbox.width  # data units in a pixel
    ends = []
    for at, percent in zip(y, width, strict=True):
        text = ax.annotate(
            f"{percent:.0f}%" if percent >= 9.5 else f"{percent:.1f}%",
            (percent, at),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT_SIZE - 1.0,
        )
        long = (text.get_window_extent().width + 6.0 * pixels) * scale
        if percent - 3.0 * pixels * scale <= equal <= percent + long:
            text.xy = (max(percent, equal), at)
        ends.append(text.xy[0] + long)
    return np.array(ends)


def finish_clusters(ax: Axes, finish: Finish, title: str | None, boxes: Floats) -> None:
    """Add title and legend to a plot of clusters, where `boxes`, (n, 4), are drawn."""
    if title is not None:
        set_title(ax, finish.words(_capital(title)))
    ax.spines[["top", "right"]].set_visible(False)
    settle(ax)
    if finish.legend:
        legend(ax, boxes)


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


def _looks(ax: Axes, treated: Bools) -> list[tuple[Bools, str, str, Any, str]]:
    """Return rows, colour, marker, fill and name of treated and other clusters."""
    return [
        (treated, AFTER, "o", AFTER, "treated cluster"),
        (~treated, BEFORE, "s", paper(ax), "never or not yet treated"),
    ]


def height(n: int) -> float:
    """Choose the height of a figure for n clusters, in inches."""
    return float(np.clip(1.4 + 0.165 * n, 3.0, 11.0))


def _room(ax: Axes) -> int:
    """Count the labels that fit along the vertical axis."""
    inches = ax.bbox.height / root(ax).dpi
    return max(int(inches * 72.0 / (1.25 * FONT_SIZE)), 3)


def _names(clusters: Clusters, which: Ints) -> list[str]:
    return [plain(one_line(label_text(key))) for key in clusters.labels[which]]


def name_rows(ax: Axes, labels: list[str], weight: Floats) -> None:
    """Name all rows, or those of the largest weight that do not run into each other."""
    # One row is one unit of the axis, part of which a legend may have.
    apart = abs(float(np.diff(ax.get_ylim())[0])) / _room(ax)
    chosen: list[int] = []
    for at in np.argsort(-weight, kind="stable").tolist():
        if all(abs(at - other) >= apart for other in chosen):
            chosen.append(at)
    if apart > 1.0:
        chosen = chosen[:20]
    chosen.sort()
    ax.set_yticks(chosen, [labels[at] for at in chosen], fontsize=FONT_SIZE)


# ---- placebo plot --------------------------------------------------------------------------------


def draw_placebos(test: PlaceboTest, view: ResultView, ax: Axes | None, finish: Finish) -> Axes:
    """Draw the placebo estimates, sorted, and the actual one among them."""
    if ax is not None:
        check_axes(ax)
    value = np.append(test.placebos, test.estimate)
    labels = [plain(label_text(key)) for key in (*test.placebos.index, test.treated)]
    order = np.argsort(value, kind="stable")
    actual = int(np.flatnonzero(order == value.size - 1)[0])
    y = np.arange(value.size)
    if ax is None:
        ax = new_axes(6.4, height(value.size))
    size, name = abs(test.estimate), plain(one_line(view.clusters.name))
    ax.axvspan(
        -size, size, color=GREY, alpha=0.15, lw=0, zorder=0, label="smaller than the estimate"
    )
    ax.axvline(0.0, color=GREY, lw=0.8, zorder=1)
    others = np.delete(y, actual)
    label = f"placebos, never-treated {name}"
    ax.plot(value[order][others], others, "s", color=BEFORE, mfc=paper(ax), ms=5, label=label)
    label = f"estimate, treated {name} {labels[-1]}"
    ax.plot([test.estimate], [actual], "o", color=AFTER, ms=7, zorder=3, label=label)
    ax.set_xlabel(
        wrapped(
            ax, f"overall ATT, or what it would be without effect ({one_line(view.options.yname)})"
        )
    )
    ax.set_ylabel(name)
    number = plural(test.n_placebos, "placebo")
    points = value[order]
    ax.set_ylim(-0.8, value.size - 0.2, auto=True)
    boxes = np.column_stack([points, y, points, y])
    finish_clusters(
        ax,
        finish,
        f"Estimate and {number}: p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{p_text(test.p_value)}",
        boxes,
    )
    # The treated cluster is named first of all, then those with the largest placebos.
    weight = np.abs(points)
    weight[actual] = np.inf
    name_rows(ax, [labels[at] for at in order], weight)
    return ax
