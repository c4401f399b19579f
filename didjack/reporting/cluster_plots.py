"""Results -> matplotlib pictures of what each cluster does to an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.reporting.axes import (
    AFTER,
    BEFORE,
    GREY,
    check_axes,
    new_axes,
    plain,
    set_title,
    wrapped,
)
from didjack.reporting.view import Clusters, Deletions, ResultView
from didjack.reporting.words import effect
from didjack.wording import label_text, name_some, one_line, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT_SIZE = 8.0
MOST_LABELS = 60
"""A figure of its own grows to show so many clusters by name."""
MOST_BARS = 30
"""The variance view sums up the clusters after so many."""


def replicates(view: ResultView, deletions: Deletions, ax: Axes | None) -> Axes:
    """Draw an estimate without each cluster, sorted."""
    if ax is not None:
        check_axes(ax)
    clusters, full = view.clusters, deletions.estimate
    order = np.argsort(deletions.without, kind="stable")
    order = order[~np.isnan(deletions.without[order])]
    many = order.size > MOST_LABELS
    if ax is None:
        ax = new_axes(6.4, 6.4 if many else _height(order.size))
    y, value = np.arange(order.size), deletions.without[order]
    size = 3.0 if many else 5.0
    ax.axvline(full, color=GREY, lw=1.2, zorder=1, label="all clusters")
    if not many:
        ax.hlines(y, full, value, color="#BBBBBB", lw=0.8, zorder=1)
    for rows, colour, marker, fill, name in _looks(clusters.treated[order]):
        if rows.any():
            ax.plot(
                value[rows], y[rows], marker, color=colour, mfc=fill, ms=size, zorder=3, label=name
            )
    ring = deletions.retargeted[order]
    if ring.any():
        name = "leaves other ATT(g,t) to average"
        ax.plot(value[ring], y[ring], "o", color="black", mfc="none", ms=size + 4, label=name)
    _cluster_ticks(ax, clusters, order, np.abs(value - full))
    ax.set_xlabel(wrapped(ax, f"estimate without the cluster ({effect(view)})"))
    ax.set_ylabel(plain(one_line(clusters.name)))
    _finish(ax, _without(deletions, clusters))
    return ax


def _without(deletions: Deletions, clusters: Clusters) -> str:
    """Say what is left out, and where that cannot be done."""
    gone = np.flatnonzero(np.isnan(deletions.without))
    title = f"{deletions.name} without each of {plural(deletions.without.size, 'cluster')}"
    if gone.size:
        labels = [one_line(label_text(key)) for key in clusters.labels[gone]]
        title += f" (cannot be computed without {name_some(labels, 6)})"
    return title


def variance(view: ResultView, deletions: Deletions, ax: Axes | None) -> Axes:
    """Draw the share of each cluster in the jackknife variance of an estimate."""
    if ax is not None:
        check_axes(ax)
    share, clusters = deletions.share, view.clusters
    order = np.argsort(-np.nan_to_num(share, nan=-1.0), kind="stable")
    order = order[~np.isnan(share[order])]
    if not order.size:
        raise OptionError(
            f"no cluster has a share in the variance of the {deletions.name}: no deletion that can "
            "be computed changes it"
        )
    if ax is None:
        ax = new_axes(6.4, _height(min(order.size, MOST_BARS + 1)))
    shown = order[: min(_room(ax), MOST_BARS)]
    rest = order[shown.size :]
    y, width = np.arange(shown.size), 100.0 * share[shown]
    texts = [plain(one_line(label_text(key))) for key in clusters.labels[shown]]
    for rows, colour, _, fill, name in _looks(clusters.treated[shown]):
        if rows.any():
            ax.barh(y[rows], width[rows], 0.7, color=fill, edgecolor=colour, zorder=2, label=name)
    if rest.size:
        y, width = np.append(y, shown.size), np.append(width, 100.0 * share[rest].sum())
        texts.append(f"{rest.size} others")
        ax.barh(y[-1:], width[-1:], 0.7, color="#BBBBBB", zorder=2)
    _percentages(ax, y, width)
    equal = 100.0 / order.size
    ax.axvline(equal, color=GREY, lw=0.8, ls=":", zorder=3, label=f"equal shares ({equal:.1f}%)")
    ax.set_yticks(y, texts, fontsize=FONT_SIZE)
    ax.set_ylim(y.size - 0.4, -0.6)
    ax.set_xlim(0.0, 1.12 * width.max())
    ax.set_xlabel(wrapped(ax, f"share of the {view.options.vcov} variance, %"))
    ax.set_ylabel(plain(one_line(clusters.name)))
    _finish(ax, f"{deletions.name}: clusters its variance comes from")
    return ax


def _percentages(ax: Axes, y: Ints, width: Floats) -> None:
    """Write the length of each bar at its end."""
    for at, percent in zip(y, width, strict=True):
        ax.annotate(
            f"{percent:.0f}%" if percent >= 9.5 else f"{percent:.1f}%",
            (percent, at),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT_SIZE - 1.0,
        )


def _finish(ax: Axes, title: str) -> None:
    set_title(ax, title[0].upper() + title[1:])
    ax.legend(frameon=False, fontsize="small", loc="best")
    ax.spines[["top", "right"]].set_visible(False)


def _looks(treated: Bools) -> list[tuple[Bools, str, str, str, str]]:
    """Return rows, colour, marker, fill and name of treated and other clusters."""
    return [
        (treated, AFTER, "o", AFTER, "treated cluster"),
        (~treated, BEFORE, "s", "white", "never or not yet treated"),
    ]


def _height(n: int) -> float:
    """Choose the height of a figure for n clusters, in inches."""
    return float(np.clip(1.4 + 0.165 * n, 3.0, 11.0))


def _room(ax: Axes) -> int:
    """Count the labels that fit along the vertical axis."""
    inches = ax.bbox.height / ax.figure.dpi
    return max(int(inches * 72.0 / (1.25 * FONT_SIZE)), 3)


def _cluster_ticks(ax: Axes, clusters: Clusters, order: Ints, influence: Floats) -> None:
    """Label all clusters, or the most influential ones that do not run into each other."""
    labels = [plain(one_line(label_text(key))) for key in clusters.labels[order]]
    apart = order.size / _room(ax)
    chosen: list[int] = []
    for at in np.argsort(-influence, kind="stable").tolist():
        if all(abs(at - other) >= apart for other in chosen):
            chosen.append(at)
    if apart > 1.0:
        chosen = chosen[:20]
    chosen.sort()
    ax.set_yticks(chosen, [labels[at] for at in chosen], fontsize=FONT_SIZE)
    ax.set_ylim(-0.8, order.size - 0.2)
