"""A table -> HTML, by `maketables`, which has it written by `great_tables`."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

from didjack.imports import load
from didjack.reporting.alignment import Cell, minus
from didjack.reporting.grid import Grid

# Rules and letters have the colour of the text around the table, in light pages and in dark ones.
# What is marked as important would be as Jupyter has it for data frames: striped, to the right.
STYLE = """<style>
.didjack-table { overflow-x: auto; margin: 1em 0; }
.didjack-table table { border-collapse: collapse; margin: 0 auto; font-size: 0.95em; }
.didjack-table table, .didjack-table tr, .didjack-table td, .didjack-table th {
  border: none; background: transparent !important; color: inherit; }
.didjack-table td, .didjack-table th {
  padding: 0.15em 0.7em; font-weight: normal; text-align: center !important; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.didjack-table .gt_stub { text-align: left !important; }
.didjack-table .gt_title { font-weight: bold; padding-bottom: 0.5em; white-space: normal; }
.didjack-table .gt_col_headings:not(.gt_spanner_row ~ tr) th {
  border-top: 2px solid currentColor; }
.didjack-table .gt_column_spanner {
  display: block; border-bottom: 1px solid currentColor; padding-bottom: 0.15em; }
.didjack-table tbody { border-top: 1px solid currentColor; border-bottom: 2px solid currentColor; }
.didjack-design td { text-align: left !important; }
.didjack-design tbody { border-top-width: 2px; }
.didjack-table .gt_group_heading {
  padding: 0; border-top: 1px solid currentColor; line-height: 0.4em; }
.didjack-table .gt_sourcenote {
  text-align: left !important; white-space: normal; font-size: 0.85em; padding-top: 0.5em; }
</style>"""
# Characters for private use: they pass the renderer, and become tags afterwards.
_OPEN, _MIDDLE, _CLOSE = "\U0010f000", "\U0010f001", "\U0010f002"


def html(grid: Grid) -> str:
    """Write a table with its style sheet; the head of a summary is a table of its own."""
    parts = [grid]
    if grid.head:
        design = Grid(grid.title, [], ["", "", "", ""], [grid.head], [], "llll")
        parts = [design, replace(grid, title="")]
    state = random.getstate()
    try:
        return "\n".join([STYLE, *map(_rendered, parts)])
    finally:
        random.setstate(state)  # the renderer draws identifiers, which are removed


def _rendered(grid: Grid) -> str:
    load("maketables.mtable")
    from maketables.mtable import MTable

    table = MTable(
        grid.frame(_written, minus, str),
        notes="\n".join(grid.notes),
        caption=grid.title or None,
        rgroup_sep="t",
        rgroup_display=False,
    )
    named = any(grid.header)
    kind = "didjack-table" if named else "didjack-table didjack-design"
    written: Any = table.make("gt", gt_style={"column_labels_hidden": not named})
    text: str = written.as_raw_html()
    # One style sheet serves all tables; the renderer's would reach into the rest of the page.
    text = re.sub(r"<div id=.*?</style>", f'<div class="{kind}">', text, flags=re.DOTALL)
    # Other tables on the page have the same identifiers; scopes tell what belongs together.
    text = re.sub(r' (?:id|headers|aria-labelledby)="[^"]*"', "", text)
    for mark, tag in ((_OPEN, '<span style="'), (_MIDDLE, '">'), (_CLOSE, "</span>")):
        text = text.replace(mark, tag)
    return text


def _written(cell: Cell) -> str:
    """Write a cell; the parts of a number stand in boxes that are as wide in all of its column."""
    if not cell.widest:
        return minus(cell.text)
    left = _box(cell.text, cell.widest, "right")
    return left + (_box(cell.tail, cell.widest_tail, "left") if cell.widest_tail else "")


def _box(text: str, widest: str, side: str) -> str:
    width = sum(0.6 if one in ".,()[]" else 1 for one in widest)
    style = f"display:inline-block;width:{width:.1f}ch;text-align:{side}"
    return f"{_OPEN}{style}{_MIDDLE}{minus(text)}{_CLOSE}"
