"""Results -> matplotlib pictures of what each cluster does to an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.inference.diagnostics import share_of_variance, treated_weight
from didjack.reporting.plots import AFTER, BEFORE, GREY, new_axes, set_title, wrapped
from didjack.wording import label_text, name_some, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from didjack.results.base import Result

FONT_SIZE = 8.0
MOST_LABELS = 60
"""A figure of its own grows to show so many clusters by name."""
MOST_BARS = 30
"""The variance view sums up the clusters after so many."""


def replicates(
    result: Result, theta: Floats, retargeted: Bools, coefficient: Any, ax: Axes | None
) -> Axes:
    """Draw an estimate without each cluster, sorted.

    Parameters
    ----------
    theta, retargeted : (R,) the full sample first
    coefficient : its label; None for the overall ATT
    """
    left_out, turned = theta[1:], retargeted[1:]
    order = np.argsort(left_out, kind="stable")
    order = order[~np.isnan(left_out[order])]
    many = order.size > MOST_LABELS
    if ax is None:
        ax = new_axes(6.4, 6.4 if many else _height(order.size))
    y, value = np.arange(order.size), left_out[order]
    treated = treated_weight(result._fit)[order] > 0
    size = 3.0 if many else 5.0
    ax.axvline(theta[0], color=GREY, lw=1.2, zorder=1, label="all clusters")
    if not many:
        ax.hlines(y, theta[0], value, color="#BBBBBB", lw=0.8, zorder=1)
    for rows, colour, marker, fill, name in _looks(treated):
        if rows.any():
            ax.plot(
                value[rows], y[rows], marker, color=colour, mfc=fill, ms=size, zorder=3, label=name
            )
    if turned[order].any():
        ring = turned[order]
        name = "leaves other ATT(g,t) to average"
        ax.plot(value[ring], y[ring], "o", color="black", mfc="none", ms=size + 4, label=name)
    _cluster_ticks(ax, result, order, np.abs(value - theta[0]))
    ax.set_xlabel(wrapped(ax, f"estimate without the cluster (effect on {result.options.yname})"))
    ax.set_ylabel(_cluster_name(result))
    gone = np.flatnonzero(np.isnan(left_out))
    title = f"{_name(coefficient)} without each of {plural(left_out.size, 'cluster')}"
    if gone.size:
        labels = [label_text(key) for key in result._fit.layout.cluster_labels[gone]]
        title += f" (cannot be computed without {name_some(labels, 6)})"
    _finish(ax, title)
    return ax


def variance(
    result: Result, theta: Floats, retargeted: Bools, coefficient: Any, ax: Axes | None
) -> Axes:
    """Draw the share of each cluster in the jackknife variance of an estimate.

    Parameters
    ----------
    theta, retargeted : (R,) the full sample first
    coefficient : its label; None for the overall ATT
    """
    share = share_of_variance(theta, result.options.vcov == "CV3J")
    order = np.argsort(-np.nan_to_num(share, nan=-1.0), kind="stable")
    order = order[~np.isnan(share[order])]
    if ax is None:
        ax = new_axes(6.4, _height(min(order.size, MOST_BARS + 1)))
    shown = order[: min(_room(ax), MOST_BARS)]
    rest = order[shown.size :]
    y = np.arange(shown.size)
    width = 100.0 * share[shown]
    texts = [label_text(key) for key in result._fit.layout.cluster_labels[shown]]
    treated = treated_weight(result._fit)[shown] > 0
    for rows, colour, _, fill, name in _looks(treated):
        if rows.any():
            ax.barh(y[rows], width[rows], 0.7, color=fill, edgecolor=colour, zorder=2, label=name)
    if rest.size:
        y, width = np.append(y, shown.size), np.append(width, 100.0 * share[rest].sum())
        texts.append(f"{rest.size} others")
        ax.barh(y[-1:], width[-1:], 0.7, color="#BBBBBB", zorder=2)
    for at, percent in zip(y, width, strict=True):
        ax.annotate(
            f"{percent:.0f}%" if percent >= 9.5 else f"{percent:.1f}%",
            (percent, at),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT_SIZE - 1.0,
        )
    equal = 100.0 / order.size
    ax.axvline(equal, color=GREY, lw=0.8, ls=":", zorder=3, label=f"equal shares ({equal:.1f}%)")
    ax.set_yticks(y, texts, fontsize=FONT_SIZE)
    ax.set_ylim(y.size - 0.4, -0.6)
    ax.set_xlim(0.0, 1.12 * width.max())
    ax.set_xlabel(wrapped(ax, f"share of the {result.options.vcov} variance, %"))
    ax.set_ylabel(_cluster_name(result))
    _finish(ax, f"{_name(coefficient)}: clusters its variance comes from")
    return ax


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


def _name(coefficient: Any) -> str:
    return "overall ATT" if coefficient in (None, "overall") else f"ATT({label_text(coefficient)})"


def _cluster_name(result: Result) -> str:
    return result.options.cluster or result.options.idname or "cluster"


def _height(n: int) -> float:
    """Choose the height of a figure for n clusters, in inches."""
    return float(np.clip(1.4 + 0.165 * n, 3.0, 11.0))


def _room(ax: Axes) -> int:
    """Count the labels that fit along the vertical axis."""
    inches = ax.bbox.height / ax.figure.dpi
    return max(int(inches * 72.0 / (1.25 * FONT_SIZE)), 3)


def _cluster_ticks(ax: Axes, result: Result, order: Ints, influence: Floats) -> None:
    """Label all clusters, or the most influential ones that do not run into each other."""
    labels = [label_text(key) for key in result._fit.layout.cluster_labels[order]]
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
