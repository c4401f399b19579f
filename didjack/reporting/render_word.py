"""A table -> Word and typst, by `maketables`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from didjack.reporting.alignment import Cell, minus
from didjack.reporting.grid import Grid

if TYPE_CHECKING:
    from maketables.mtable import MTable

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
_ESCAPED = 0x10F100
_SPECIAL = re.compile(r"([\\#*_<>$@~`\[\]=\"/+]|^-(?!\d))")


def word(grid: Grid, path: Path) -> None:
    """Write a Word document with the table."""
    document: Any = _table(grid, _spaced, minus).make("docx", docx_style={"notes_align": "left"})
    document.save(str(path))


def typst(grid: Grid) -> str:
    """Write a table of typst."""
    text = str(_table(grid, lambda cell: _escape(_spaced(cell)), _escape).make("typst"))
    return re.sub("[\U0010f100-\U0010f1ff]", lambda one: "\\" + chr(ord(one[0]) - _ESCAPED), text)


def _table(grid: Grid, cell: Callable[[Cell], str], text: Callable[[str], str]) -> MTable:
    from maketables.mtable import MTable

    paper = grid.for_paper()
    return MTable(
        paper.frame(cell, text, grouped=bool(paper.groups)),
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
    return _SPECIAL.sub(lambda one: chr(_ESCAPED + ord(one[0])), text)
