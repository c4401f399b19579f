"""One result -> its summary: the design, the coefficients and what to know about them."""

from __future__ import annotations

import numpy as np

from didjack.reporting.flags import flag, flag_notes
from didjack.reporting.tables.footer import Column, counted, unusual
from didjack.reporting.tables.grid import decimals_of, number
from didjack.reporting.tables.table import Table
from didjack.reporting.view import COMPARISONS, ResultView, both, coefficient_names
from didjack.status import BASE
from didjack.wording import name_some, p_text, plural

DESIGNS = {False: "Callaway-Sant'Anna difference in differences", True: "Triple differences"}
"""By whether units are divided by eligibility."""


def summary(view: ResultView, alpha: float) -> Table:
    """Write the design, the coefficients and the notes of a result."""
    header, rows = _coefficient_rows(view, alpha)
    size = view.components.size
    return Table(
        title=f"{DESIGNS[view.options.pname is not None]}: {view.title}",
        head=_design_rows(view),
        header=header,
        body=[section for section in (rows[:size], rows[size:]) if section],
        notes=notes(view, alpha),
        aligned="l" + "r" * (len(header) - 1),
    )


def _design_rows(view: ResultView) -> list[list[str]]:
    """Return the head of a summary: name, value, name, value."""
    about = view.about
    by = about["cluster"] or "each row"
    left = [
        ["Outcome", both(view, lambda one: one.options.yname)],
        ["Estimator", both(view, lambda one: one.estimator)],
        ["Covariates", str(about["xformla"])],
        ["Control group", both(view, lambda one: COMPARISONS[one.options.control_group])],
        ["Base period", both(view, lambda one: one.options.base_period)],
        ["Anticipation", both(view, lambda one: plural(one.options.anticipation, "period"))],
    ]
    right = [
        ["Observations", f"{about['n_obs']:,}"],
        ["Units", f"{about['n_units']:,}"],
        ["Clusters", f"{about['n_clusters']:,} ({by})"],
        ["Treated clusters", f"{about['n_treated_clusters']:,}"],
        ["Cohorts, periods", f"{about['n_groups']}, {about['n_periods']}"],
        ["Standard errors", view.errors],
    ]
    more = unusual(view)
    half = (len(more) + 1) // 2
    left += more[:half]
    right += [*more[half:], ["", ""]][:half]
    return [[*a, *b] for a, b in zip(left, right, strict=True)]


def _coefficient_rows(view: ResultView, alpha: float) -> tuple[list[str], list[list[str]]]:
    """Return the header and the coefficients as text, labels joined in the first column."""
    table = view.statistics(alpha)
    places = decimals_of(table)
    letter = "z" if view.normal else "t"
    header = [
        "",
        "ATT",
        "std. error",
        letter,
        f"P>|{letter}|",
        f"[{100 * (1 - alpha):g}% conf.",
        "interval]",
    ]
    numbers = [
        ("estimate", places),
        ("std_error", places),
        ("statistic", 2),
        ("p_value", None),
        ("conf_low", places),
        ("conf_high", places),
    ]
    marks = [
        " (base)" if status == BASE else f" {flag(status)}".rstrip() for status in view.statuses
    ]
    columns = [
        [name + mark for name, mark in zip(coefficient_names(view), marks, strict=True)],
        *(
            [p_text(value) if digits is None else number(value, digits) for value in table[name]]
            for name, digits in numbers
        ),
    ]
    return header, [list(row) for row in zip(*columns, strict=True)]


def notes(view: ResultView, alpha: float) -> list[str]:
    """Say how the variance was made, what marks mean, and what the design asks a reader to know."""
    sentences = (view.note, view.critical_values(alpha), view.pretest(alpha))
    lines = [*flag_notes(view), *(line for line in sentences if line), *view.few_treated(alpha)]
    empty = int((view.clusters.n_units == 0).sum())
    if empty:
        counted = "" if view.normal else " (counted in the degrees of freedom)"
        lines.append(f"{plural(empty, 'cluster')} without units in the sample{counted}.")
    column = Column.from_view(view)
    if column.n_estimated < column.n_cells:
        lines.append(_partial(column))
    return lines


def _partial(column: Column) -> str:
    """Say how many ATT(g,t) have an estimate, and which aggregated effects lack some of theirs."""
    view, coverage = column.view, column.view.coverage
    line = f"{counted(column)} ATT(g,t) have an estimate."
    if view.aggregation is None:
        return line
    names = coefficient_names(view)
    short = np.flatnonzero(coverage.n_estimated < coverage.n_cells)
    parts = [f"{names[m]} ({coverage.n_estimated[m]} of {coverage.n_cells[m]})" for m in short]
    return f"{line} Aggregated effects that lack some: {name_some(parts, most=8)}."
