"""The words of tables and pictures: for options, and for coefficients."""

from __future__ import annotations

import pandas as pd

from didjack.options import ControlGroup, Options, registered
from didjack.reporting.view import ResultView
from didjack.wording import label_text, one_line

COMPARISONS: dict[ControlGroup, str] = {
    "nevertreated": "never treated",
    "notyettreated": "not yet treated",
}


def estimator(options: Options) -> str:
    """Name the estimator in words."""
    return str(registered("est_method", options.est_method).words)


def effect(view: ResultView) -> str:
    """Name what is estimated, in one line."""
    return f"effect on {one_line(view.options.yname)}"


def coefficient_names(view: ResultView) -> list[str]:
    """Write the labels of all coefficients in words."""
    if view.scheme is None:
        return [f"ATT({label_text(key)})" for key in view.index]
    words = view.scheme.words
    return [
        "overall ATT" if key == "overall" else f"{words} {label_text(key)}".strip()
        for key in view.index
    ]


def columns(view: ResultView, alpha: float | None = None) -> pd.DataFrame:
    """Return the statistics by the names of the coefficients."""
    return view.statistics(alpha).set_axis(pd.Index(coefficient_names(view)))
