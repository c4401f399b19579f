"""A table -> text for terminals (by statsmodels) and Markdown (by pandas)."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from didjack.imports import load
from didjack.reporting.alignment import Cell
from didjack.reporting.grid import Grid

if TYPE_CHECKING:
    from statsmodels.iolib.table import SimpleTable

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
