"""A table -> LaTeX, by `maketables`."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Any

from didjack.imports import load
from didjack.reporting.alignment import MINUS, Cell
from didjack.reporting.grid import Grid

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
