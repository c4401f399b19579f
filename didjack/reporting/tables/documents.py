"""A table -> LaTeX, Word and typst."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from didjack.imports import load
from didjack.reporting.tables.grid import MINUS, Cell, Grid, minus

if TYPE_CHECKING:
    from maketables.mtable import MTable


# ---- render latex --------------------------------------------------------------------------------

_ESCAPED = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"$\sim$",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # at the start of a row it would be an argument of the row before
    }
)
TEXT_WIDTH = 345.0
"""Of a page of the class `article` at 10pt, in points."""
LONGEST = 10
"""Characters after which words break where a table is too wide; labels of rows may have more."""
MOST_SPACE = 5.0
"""On each side of a column, in points."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a table is set.

    Attributes
    ----------
    size : command for the size of letters
    scale : their width, relative to 10pt
    space : at least on each side of a column, in points
    broken : whether long words and labels are
    """

    size: str | None
    scale: float
    space: float
    broken: bool = False

    def words(self, text: str) -> list[str]:
        """Break the words of a cell or the name of a column into lines."""
        return self._lines(text, LONGEST)

    def label(self, text: str) -> list[str]:
        """Break the label of a row into lines."""
        return self._lines(text, LONGEST + 4)

    def _lines(self, text: str, width: int) -> list[str]:
        lines = textwrap.wrap(text, width, break_long_words=False) if self.broken else []
        return lines or [text]

    def room(self, grid: Grid) -> float:
        """Estimate how much space there is on each side of a column, in points."""
        widths = grid.widths(self.words, self.label)
        return (TEXT_WIDTH - 10 * self.scale * sum(widths)) / (2 * len(widths) - 1)


SETTINGS = (
    Setting(None, 1.0, 4.0),
    Setting(r"\small", 0.925, 3.0),
    Setting(r"\footnotesize", 0.85, 2.5),
    Setting(r"\footnotesize", 0.85, 2.5, broken=True),
    Setting(r"\scriptsize", 0.8, 1.5, broken=True),
    Setting(r"\tiny", 0.68, 1.0, broken=True),
)
"""From large to small; a table takes the first in which it fits the page, or the last."""


def latex(grid: Grid, fragment: bool) -> str:
    """Write a table, or the tabular alone."""
    load("maketables.mtable")
    from maketables.mtable import MTable

    paper = grid.for_paper()
    fitting = (one for one in SETTINGS if one.room(paper) >= one.space)
    setting = next(fitting, SETTINGS[-1])
    without: Any = None  # the renderer makes them as wide as the page, whatever the table is
    table = MTable(
        paper.frame(
            lambda cell: _written(cell, setting),
            lambda label: "\n".join(map(escape, setting.label(label))),
            escape if paper.groups else None,
        ),
        notes=without,
        caption=escape(paper.title) if paper.title and not fragment else None,
        tab_label=paper.label if paper.label and not fragment else None,
        rgroup_sep="t",
        rgroup_display=False,
    )
    style = {
        "tab_width": None,
        "tabcolsep": f"{min(max(setting.room(paper), setting.space), MOST_SPACE):.1f}pt",
        "group_intro": setting.size,
        "data_addlinespace": None,
        "first_row_addlinespace": None,
    }
    text = str(table.make("tex", tex_style=style))
    for title, first, last in paper.spans():
        if not title:  # no rule below nothing
            text = re.sub(rf" ?\\cmidrule\(lr\){{{{{first + 1}-{last + 1}}}}}", "", text)
    if fragment:
        return text.removeprefix(_BEGIN + "\n").removesuffix("\n" + _END)
    return text.replace(_END, _notes(paper, setting) + _END)


_BEGIN, _END = r"\begin{threeparttable}", r"\end{threeparttable}"


def _notes(grid: Grid, setting: Setting) -> str:
    """Write the notes as one paragraph, as wide as the table and in letters no larger than its."""
    if not grid.notes:
        return ""
    size = setting.size if setting.size and setting.scale < 0.85 else r"\footnotesize"
    begin = rf"\begin{{tablenotes}}[flushleft]\setlength{{\labelsep}}{{0pt}}{size}"
    item = r"\item " + " ".join(map(escape, grid.notes))
    return "\n".join([begin, item, r"\end{tablenotes}", ""])


def escape(text: str) -> str:
    """Escape LaTeX's own characters; write minus signs in front of numbers as such."""
    # A star at the start of a row would be an argument of the end of the row before.
    text = re.sub(r"^\*", "{*}", text.translate(_ESCAPED))
    return re.sub(MINUS, "$-$", text)


def _written(cell: Cell, setting: Setting) -> str:
    """Write a cell; the parts of a number are as wide as the widest ones of its column."""
    if not cell.widest:
        return "\n".join(map(escape, setting.words(cell.text)))
    shape, widest = (re.sub(r"\d", "0", text) for text in (cell.text, cell.widest))
    text = _minus(cell.text)
    tail, widest_tail = (one.translate(_ESCAPED) for one in (cell.tail, cell.widest_tail))
    if widest.endswith(shape):
        text = _phantom(_minus(widest.removesuffix(shape))) + text
    else:
        text = _phantom(_minus(widest)) + rf"\llap{{{text}}}"
    if widest_tail.startswith(tail):
        return text + tail + _phantom(widest_tail.removeprefix(tail))
    return rf"{text}\rlap{{{tail}}}" + _phantom(widest_tail)


def _phantom(text: str) -> str:
    return rf"\phantom{{{text}}}" if text else ""


def _minus(number: str) -> str:
    return number.replace("-", "$-$")


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
