"""A table -> text for terminals, Markdown and HTML."""

from __future__ import annotations

import random
import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from didjack.imports import load
from didjack.reporting.tables.grid import Cell, Grid, minus

if TYPE_CHECKING:
    from statsmodels.iolib.table import SimpleTable


# ---- render text ---------------------------------------------------------------------------------

WIDTH = 100
"""Text is no wider than this where it can be helped."""
_GAP = "  "
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$#&])")


def text(grid: Grid) -> str:
    """Write for a terminal, 100 characters wide at most where labels allow."""
    body = _body(grid)
    total = max(len(line) for line in body)
    head = _simple([[row[0], _cut(row[1], WIDTH - 54), *row[2:]] for row in grid.head], "llll")
    lines = head.as_text().splitlines()[1:-1] if grid.head else []
    total = max(total, *(len(line) for line in lines)) if lines else total
    parts = [textwrap.fill(grid.title, total)] if grid.title else []
    parts += ["=" * total, *lines, *(["-" * total] if lines else []), *body]
    notes = [textwrap.fill(note, max(total, 72), break_on_hyphens=False) for note in grid.notes]
    return "\n".join([*(line.rstrip() for line in parts), "=" * total, *notes])


def _body(grid: Grid) -> list[str]:
    """Write header and sections; the rules between them are those of the table writer."""
    rows = [[_spaced(cell) for cell in row] for section in grid.cells() for row in section]
    table = _simple(rows, grid.aligned, _wide_enough(grid, rows))
    at = 0
    for section in grid.body[:-1]:
        at += len(section)
        table[at].dec_below = "header_dec_below"
    return [*_spanners(grid, table), *table.as_text().splitlines()[1:-1]]


def _spaced(cell: Cell) -> str:
    return cell.text.rjust(len(cell.widest)) + cell.tail.ljust(len(cell.widest_tail))


def _wide_enough(grid: Grid, rows: list[list[str]]) -> list[str]:
    """Return the names of the columns, the first of a group padded until its title fits."""
    names = list(grid.header)
    widths = [max(len(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    for title, first, last in grid.spans():
        taken = sum(widths[first : last + 1]) + len(_GAP) * (last - first)
        lacking = max(len(title) - taken, 0)
        names[first] = names[first].center(widths[first] + lacking) if lacking else names[first]
    return names


def _spanners(grid: Grid, table: SimpleTable) -> list[str]:
    """Write the titles of groups of columns, each with a rule below it."""
    if not grid.groups:
        return []
    widths = table.get_colwidths("txt", **table.output_formats["txt"])
    parts = [(" " * widths[0], " " * widths[0])]
    for title, first, last in grid.spans():
        wide = sum(widths[first : last + 1]) + len(_GAP) * (last - first)
        parts.append((title.center(wide), ("-" if title else " ") * wide))
    return [_GAP.join(line) for line in zip(*parts, strict=True)]


def _simple(rows: list[list[str]], aligned: str, header: list[str] | None = None) -> SimpleTable:
    """Return a table of statsmodels, whose writer lays text out."""
    load("statsmodels.iolib.table")
    from statsmodels.iolib.table import SimpleTable

    layout = {
        "data_fmts": ["%s"],
        "data_aligns": aligned,
        "header_align": "c" if "c" in aligned else "r",
        "colsep": _GAP,
        "table_dec_above": "=",
        "table_dec_below": "=",
        "header_dec_below": "-",
    }
    return SimpleTable(rows, headers=header, txt_fmt=layout)


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: max(width - 3, 0)] + "..."


def markdown(grid: Grid) -> str:
    """Write a pipe table, with the title above it and the notes below, paragraphs of their own."""
    paper = grid.for_paper()
    frame = paper.frame(_in_markdown, _marked, None)
    if paper.groups:
        groups = [_marked(group) for group in paper.groups]
        frame.columns = [
            f"{group}: {name}" if group else name
            for group, name in zip(groups, frame.columns, strict=True)
        ]
    frame.insert(0, "", frame.index.get_level_values(1), allow_duplicates=True)
    table = frame.to_markdown(
        index=False,
        disable_numparse=True,
        colalign=["left"] + ["right"] * (len(paper.header) - 1),
    )
    parts = (_marked(paper.title), table, *map(_marked, paper.notes))
    return "\n\n".join(part for part in parts if part)


def _in_markdown(cell: Cell) -> str:
    """Write a cell; spaces that no reader of Markdown drops take the place of stars."""
    lacking = max(len(cell.widest_tail) - len(cell.tail), 0)
    return _marked(cell.text + cell.tail) + lacking * "\N{FIGURE SPACE}"


def _marked(words: str) -> str:
    """Escape the characters that mean something in Markdown."""
    return _MARKDOWN.sub(r"\\\1", words)


# ---- render html ---------------------------------------------------------------------------------

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
