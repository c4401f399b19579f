"""Statuses of coefficients -> marks that tables and plots show, and sentences that explain them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from didjack.reporting.view import ResultView, coefficient_names
from didjack.status import Status, StatusCode
from didjack.wording import label_text, name_some, one_line

FLAGS = {
    StatusCode.IMPUTED: "†",
    StatusCode.SKIPPED: "‡",
    StatusCode.UNDEFINED: "‡",
    StatusCode.COMPOSITION: "§",
    StatusCode.NO_VARIATION: "¶",
    StatusCode.MISSING: "¶",
    StatusCode.NO_ROWS: "¶",
    StatusCode.NO_OVERLAP: "¶",
    StatusCode.COLLINEAR: "¶",
}
"""A mark for each status that says more than that all is well, or that a period is the base."""


def flag(status: Status) -> str:
    """Return the mark of a status; empty where there is nothing to explain."""
    return FLAGS.get(status.code, "")


def flag_notes(view: ResultView) -> list[str]:
    """Explain the marks of a result's coefficients, one sentence for each kind and its clusters."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for at, (name, status) in enumerate(zip(coefficient_names(view), view.statuses, strict=True)):
        if mark := flag(status):
            groups.setdefault((mark, *_explained(view, at, status)), []).append(name)
    return [
        f"{mark} {_sentence(before, joined(names), after if len(names) > 1 else one)}"
        for (mark, before, one, after), names in sorted(groups.items(), key=_order)
    ]


def _order(item: tuple[tuple[str, str, str, str], list[str]]) -> int:
    return list(FLAGS.values()).index(item[0][0])


def _sentence(before: str, names: str, after: str) -> str:
    """Put the names of coefficients between the two parts of a sentence."""
    text = f"{before}{names}{after}"
    return f"{text[0].upper()}{text[1:]}."


def _explained(view: ResultView, at: int, status: Status) -> tuple[str, str, str]:
    """Return what a sentence says before the name of one coefficient, and after one or several."""
    match status.code:
        case StatusCode.IMPUTED:
            then = " not identified: that part of the variance is imputed under the working model"
        case StatusCode.SKIPPED:
            then = " not identified: standard errors do not include its variation"
        case StatusCode.UNDEFINED if view.beyond_imputation[:, at].any():
            then = " not identified, and too few others are left to impute it: no standard error"
        case StatusCode.UNDEFINED:
            then = " not identified: no standard error"
        case StatusCode.COMPOSITION:
            clusters = tuple(view.clusters.labels[np.flatnonzero(view.composition[:, at])])
            leaving = f"leaving out {either(view.clusters.name, clusters)} changes which "
            if view.aggregation is None:
                return f"{leaving}cohorts or periods enter ", "", ""
            return f"{leaving}ATT(g,t) enter ", "", ""
        case _:
            return "", f": {status}", f": {status}"
    without = f"without {either(view.clusters.name, status.clusters)}, "
    return without, f" is{then}", f" are{then}"


def either(name: str, clusters: Sequence[object]) -> str:
    """Write clusters, of which a sentence is true of each, with the name of their column.

    Examples
    --------
    >>> either("state", ["Florida", "Montana"])
    'state Florida or Montana'
    """
    labels = [label_text(one) for one in clusters]
    text = name_some(labels, most=5) if len(labels) > 5 else " or ".join(labels)
    return f"{one_line(name)} {text}"


def joined(names: Sequence[str]) -> str:
    """Write names of coefficients as part of a sentence.

    Examples
    --------
    >>> joined(["event time 2", "event time 3", "overall ATT"])
    'event times 2 and 3 and the overall ATT'
    >>> joined(["cohort 2004"])
    'cohort 2004'
    """
    single = [name for name in names if name != "overall ATT"]
    heads = {name.rpartition(" ")[0] for name in single}
    head = heads.pop() if len(heads) == 1 else ""
    if len(single) > 1 and head in ("event time", "cohort", "period"):
        labels = [name.rpartition(" ")[2] for name in single]
        listed = f"{labels[0]} to {labels[-1]}" if _consecutive(labels) else _listed(labels)
        text = f"{head}s {listed}"
    else:
        text = _listed(single)
    overall = "the overall ATT" if len(single) < len(names) else ""
    return " and ".join(part for part in (text, overall) if part)


def _consecutive(labels: Sequence[str]) -> bool:
    """Whether labels are more than two whole numbers, one after the other."""
    try:
        numbers = [int(label) for label in labels]
    except ValueError:
        return False
    return len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1))


def _listed(items: Sequence[str]) -> str:
    """Write all of a few, or the first of many."""
    if len(items) > 6:
        return name_some(items, most=5)
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)
