"""A table -> Word and typst."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from didjack.imports import load
from didjack.reporting.tables.grid import Cell, Grid, minus

if TYPE_CHECKING:
    from maketables.mtable import MTable


# ---- render word ---------------------------------------------------------------------------------

# Widths of characters, and of spaces to make up for others, in the letters that Word is given.
_WIDTHS = dict.fromkeys(".,", 0.25) | dict.fromkeys("()[]", 0.333) | {"-": 0.564}
_DIGIT = 0.5
_SPACES = {
    0.5: "\N{FIGURE SPACE}",
    0.333: "\N{THREE-PER-EM SPACE}",
    0.25: "\N{FOUR-PER-EM SPACE}",
    0.167: "\N{SIX-PER-EM SPACE}",
}
# Characters for private use pass the renderer, whose own escapes miss some; they become
# backslashes afterwards.
_WORD_ESCAPED = 0x10F100
_SPECIAL = re.compile(r"([\\#*_<>$@~`\[\]=\"/+]|^-(?!\d))")


PAGE_WIDTH = 432.0
"""Of a document with Word's own margins, in points."""
SIZES = (11, 10, 9, 8, 7)
"""Of letters, in points; a table takes the first in which it fits the page, or the last."""
SPACE = 8.0
"""Of a column, in points."""


def word(grid: Grid, path: Path) -> None:
    """Write a Word document with the table."""
    from docx.shared import Pt

    ems = _widths(grid)
    size = _size(ems)
    style = {
        "notes_align": "left",
        "font_size_pt": size,
        "cell_margins_dxa": {"left": 20, "right": 20, "top": 10, "bottom": 10},
    }
    document: Any = _table(grid, _spaced, minus).make("docx", docx_style=style)
    table = document.tables[0]
    widths = [Pt(size * wide + SPACE) for wide in ems]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for row in table.rows[1 if grid.groups else 0 : -1]:  # the others have cells of many columns
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = width
    document.save(str(path))


def _widths(grid: Grid) -> list[float]:
    """Estimate how wide the columns are, relative to the size of letters."""
    return grid.for_paper().widths(lambda text: [text], lambda text: [text])


def _size(ems: list[float]) -> int:
    """Return the largest size of letters in which columns fit the page."""
    fitting = (one for one in SIZES if one * sum(ems) + SPACE * len(ems) <= PAGE_WIDTH)
    return next(fitting, SIZES[-1])


def typst(grid: Grid) -> str:
    """Write a table of typst, in which all columns but the first are equally wide."""
    label, *others = _widths(grid)
    size = _size([label, *[max(others)] * len(others)])
    table = _table(grid, lambda cell: _escape(_spaced(cell)), _escape)
    text = str(table.make("typst", typst_style={"notes_font_size": f"{size}pt"}))
    # Lines may break at spaces, and not at hidden characters of the same width.
    for space, hidden in zip(_SPACES.values(), "0(.|", strict=True):
        text = text.replace(space, f"#hide[{hidden}];")
    text = text.replace("#table(", f"#set text(size: {size}pt)\n#table(", 1)
    text = text if text.startswith("#figure") else f"#[\n{text}\n]"
    return re.sub("[\U0010f100-\U0010f1ff]", _unescaped, text)


def _unescaped(one: re.Match[str]) -> str:
    return "\\" + chr(ord(one[0]) - _WORD_ESCAPED)


def _table(grid: Grid, cell: Callable[[Cell], str], text: Callable[[str], str]) -> MTable:
    load("maketables.mtable")
    from maketables.mtable import MTable

    paper = grid.for_paper()
    return MTable(
        paper.frame(cell, text, text if paper.groups else None),
        notes="\n".join(map(text, paper.notes)),
        caption=text(paper.title) if paper.title else None,
        tab_label=paper.label or None,
        rgroup_sep="t",
        rgroup_display=False,
    )


def _spaced(cell: Cell) -> str:
    """Write a cell, with spaces for what the widest number of the column has more."""
    before, after = _space(cell.widest, cell.text), _space(cell.widest_tail, cell.tail)
    return before + minus(cell.text + cell.tail) + after


def _space(widest: str, text: str) -> str:
    """Return spaces that are about as wide as what a text lacks."""
    wide, narrow = (sum(_WIDTHS.get(one, _DIGIT) for one in part) for part in (widest, text))
    lacking, spaces = max(wide - narrow, 0), ""
    for width, space in _SPACES.items():
        count = int((lacking + 0.01) // width)
        spaces, lacking = spaces + count * space, lacking - count * width
    return spaces


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda one: chr(_WORD_ESCAPED + ord(one[0])), text)
