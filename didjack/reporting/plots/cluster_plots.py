"""Results -> plots of what each cluster does to an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.inference.permutation.placebo import PlaceboTest
from didjack.inference.permutation.randomization import RandomizationTest
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
from didjack.wording import label_text, name_some, one_line, p_equals, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# ---- cluster plots -------------------------------------------------------------------------------

MOST_CLUSTERS = 10
"""So many clusters are shown by name, and the others together."""
LEGEND_ROWS = 5
"""Room that is left for the legend, in labels."""


def shown_and_others(weight: Floats, most: int = MOST_CLUSTERS) -> tuple[Ints, Ints]:
    """Divide positions into the largest ones, largest first, and the others; never one other.

    Examples
    --------
    >>> import numpy as np
    >>> shown, others = shown_and_others(np.arange(12.0))
    >>> shown.tolist(), others.tolist()
    ([11, 10, 9, 8, 7, 6, 5, 4, 3, 2], [1, 0])
    >>> [part.size for part in shown_and_others(np.arange(11.0))]
    [11, 0]
    """
    order = np.argsort(-weight, kind="stable")
    most = weight.size if weight.size == most + 1 else most
    return order[:most], order[most:]


def _font(ax: Axes) -> float:
    """Choose the size of clusters' names, in points."""
    return 8.0 if ax.bbox.width > 3.0 * root(ax).dpi else 7.0


def _most(ax: Axes) -> int:
    """Count the clusters whose names fit along the vertical axis, up to ten."""
    settle(ax)
    points = ax.bbox.height / root(ax).dpi * 72.0
    return int(np.clip(points / (1.25 * _font(ax)) - LEGEND_ROWS, 3, MOST_CLUSTERS))


def replicates(view: ResultView, deletions: Deletions, ax: Axes | None, finish: Finish) -> Axes:
    """Draw an estimate without each of the most influential clusters, sorted, and the others."""
    if ax is not None:
        check_axes(ax)
    clusters, full = view.clusters, deletions.estimate
    known = np.flatnonzero(~np.isnan(deletions.without))
    if ax is None:
        ax = new_axes(6.4, height(known.size))
    ax.set_xlabel(_wrapped(ax, finish, f"estimate without the cluster ({effect(view)})"))
    ax.set_ylabel(finish.y(one_line(clusters.name)))
    set_title(ax, finish.words(_capital(_without(deletions, clusters))))
    divided = shown_and_others(np.abs(deletions.without[known] - full), _most(ax))
    shown, others = (known[part] for part in divided)
    shown = shown[np.argsort(deletions.without[shown], kind="stable")]
    first = int(others.size > 0)
    y, value = first + np.arange(shown.size), deletions.without[shown]
    ax.axvline(full, color=GREY, lw=1.2, zorder=1, label="all clusters")
    ax.hlines(y, full, value, color=GREY, alpha=0.6, lw=0.8, zorder=1)
    for rows, colour, marker, fill, name in _looks(ax, clusters.treated[shown]):
        if rows.any():
            ax.plot(
                value[rows], y[rows], marker, color=colour, mfc=fill, ms=5.0, zorder=3, label=name
            )
    ring = deletions.composition[shown]
    if ring.any():
        name = "changes which ATT(g,t) are averaged"
        ax.plot(value[ring], y[ring], "o", color=ink(ax), mfc="none", ms=9.0, label=name)
    texts = _names(clusters, shown)
    boxes = np.column_stack([np.minimum(full, value), y, np.maximum(full, value), y])
    if first:
        texts.insert(0, f"{others.size} others")
        ends = deletions.without[others]
        low, high = float(ends.min()), float(ends.max())
        ax.plot([low, high], [0, 0], "-|", color=GREY, lw=3.0, ms=7.0, zorder=2)
        boxes = np.vstack([boxes, [low, 0.0, high, 0.0]])
    ax.set_yticks(range(len(texts)), texts, fontsize=_font(ax))
    ax.set_ylim(-0.8, len(texts) - 0.2, auto=True)
    finish_clusters(ax, finish, None, boxes)
    return ax


def _wrapped(ax: Axes, finish: Finish, default: str) -> str:
    """Return the label of the horizontal axis, in lines no wider than it."""
    return wrapped(ax, default) if finish.xlabel is None else finish.x(default)


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
    known = np.flatnonzero(~np.isnan(share))
    if not known.size:
        raise OptionError(
            f"no cluster has a share in the variance of {deletions.name}: no deletion that can "
            "be computed changes it"
        )
    if ax is None:
        ax = new_axes(6.4, height(known.size))
    ax.set_xlabel(_wrapped(ax, finish, f"share of the {view.options.vcov} variance, %"))
    ax.set_ylabel(finish.y(one_line(clusters.name)))
    set_title(ax, finish.words(f"{_capital(deletions.name)}: variance by cluster"))
    shown, rest = (known[part] for part in shown_and_others(share[known], _most(ax)))
    y, width = np.arange(shown.size), 100.0 * share[shown]
    texts = _names(clusters, shown)
    for rows, colour, _, fill, name in _looks(ax, clusters.treated[shown]):
        if rows.any():
            ax.barh(y[rows], width[rows], 0.7, color=fill, edgecolor=colour, zorder=2, label=name)
    if rest.size:
        y, width = np.append(y, shown.size), np.append(width, 100.0 * share[rest].sum())
        texts.append(f"{rest.size} others")
        ax.barh(y[-1:], width[-1:], 0.7, color=GREY, alpha=0.6, zorder=2)
    equal = 100.0 / known.size
    ax.axvline(equal, color=GREY, lw=0.8, ls=":", zorder=1, label=f"equal shares ({equal:.1f}%)")
    ax.set_yticks(y, texts, fontsize=_font(ax))
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
            fontsize=_font(ax) - 1.0,
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
    return 1.4 + 0.2 * min(n, MOST_CLUSTERS + 1)


def _names(clusters: Clusters, which: Ints) -> list[str]:
    return [plain(one_line(label_text(key))) for key in clusters.labels[which]]


# ---- permutations --------------------------------------------------------------------------------

MOST_BINS = 30


def draw_placebos(test: PlaceboTest, view: ResultView, ax: Axes | None, finish: Finish) -> Axes:
    """Draw the placebo estimates as a histogram, and the actual one as a line."""
    cluster = plain(one_line(view.clusters.name))
    number = plural(test.n_placebos, "placebo")
    words = PermutationWords(
        title=f"Estimate and {number}",
        actual=f"estimate, treated {cluster} {plain(label_text(test.treated))}",
        others=f"placebos, never-treated {cluster}",
        axis=effect(view),
        counted="number of placebos",
    )
    return draw_permutations(
        test.placebos.to_numpy(), test.estimate, test.p_value, words, ax, finish
    )


def draw_assignments(
    test: RandomizationTest, others: Floats, ax: Axes | None, finish: Finish
) -> Axes:
    """Draw the t statistics of other assignments, (n,), and the actual one as a line."""
    words = PermutationWords(
        title=f"Actual and {plural(others.size, 'other assignment')}",
        actual="actual assignment",
        others="other assignments",
        axis="t statistic of the overall ATT",
        counted="number of assignments",
    )
    return draw_permutations(others, test.statistic, test.p_value, words, ax, finish)


class PermutationWords(NamedTuple):
    """What a histogram says: title, legend of the actual and the other values, and axes."""

    title: str
    actual: str
    others: str
    axis: str
    counted: str


def draw_permutations(
    others: Floats,
    actual: float,
    p_value: float,
    words: PermutationWords,
    ax: Axes | None,
    finish: Finish,
) -> Axes:
    """Draw values under other assignments as a histogram, and the actual one as a line.

    Parameters
    ----------
    others : (n,) values under other assignments
    actual : value of the actual assignment
    p_value : of the test that compares their sizes
    words : what is said of them
    ax : where to draw; None: a new figure
    finish : title, legend and labels
    """
    from matplotlib.ticker import MaxNLocator

    if ax is not None:
        check_axes(ax)
    else:
        ax = new_axes(6.4, 3.6)
    edges = _edges(others, actual)
    counts, _ = np.histogram(others, edges)
    ax.bar(
        edges[:-1],
        counts,
        np.diff(edges),
        align="edge",
        color=BEFORE,
        alpha=0.5,
        edgecolor=paper(ax),
        lw=0.8,
        label=words.others,
    )
    ax.axvline(actual, color=AFTER, lw=2.0, zorder=3, label=words.actual)
    label = "as large, with the other sign"
    ax.axvline(-actual, color=AFTER, lw=1.0, ls="--", zorder=3, label=label)
    ax.set_xlabel(_wrapped(ax, finish, words.axis))
    ax.set_ylabel(finish.y(words.counted))
    ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    top = 1.05 * float(np.max(counts, initial=1.0))
    ax.set_ylim(0.0, top, auto=True)
    bars = np.column_stack([edges[:-1], np.zeros(counts.size), edges[1:], counts])
    lines = [[x, 0.0, x, top] for x in (actual, -actual)]
    p = p_equals(p_value).replace(" ", "\N{NO-BREAK SPACE}")
    title = f"{words.title}: {p}" if p else words.title
    finish_clusters(ax, finish, title, np.vstack([bars, lines]))
    return ax


def _edges(others: Floats, actual: float) -> Floats:
    """Return the edges of bins, one of which ends at the actual value and one at its negative."""
    size = abs(actual)
    largest = float(np.max(np.abs(others), initial=size))
    if largest == 0.0:
        return np.array([-0.5, 0.5])
    quartiles = np.quantile(others, [0.25, 0.75])
    wide = 2.0 * float(np.ptp(quartiles)) * others.size ** (-1.0 / 3.0)  # Freedman and Diaconis
    wide = max(wide, 2.0 * largest / MOST_BINS)
    if size > wide / 2.0:
        wide = size / max(round(size / wide), 1)
    n = int(np.ceil(largest / wide * (1.0 - 1e-9)))
    return np.asarray(wide * np.arange(-n, n + 1))
