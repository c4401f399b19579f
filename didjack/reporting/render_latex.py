"""A table -> LaTeX, by `maketables`."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Any

from didjack.reporting.alignment import MINUS, Cell, ems
from didjack.reporting.grid import Grid

# Brackets and stars as well: a row that begins with one would be read as an argument of `\\`.
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
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
    }
)
TEXT_WIDTH = 345.0
"""Of a page of the class `article` at 10pt, in points."""
LONGEST = 10
"""Characters after which words break where a table is too wide; labels of rows may have more."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a table is set.

    Attributes
    ----------
    size : command for the size of letters
    scale : their width, relative to 10pt
    space : on each side of a column, in points
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

    def width(self, grid: Grid) -> float:
        """Estimate how wide a table is, in points."""
        labels = [line for part in grid.body for row in part for line in self.label(row[0])]
        columns = [labels]
        for name, *cells in zip(
            grid.header[1:], *(row[1:] for part in grid.cells() for row in part), strict=True
        ):
            numbers = [one.widest + one.widest_tail for one in cells if one.widest]
            texts = [name, *(one.text for one in cells if not one.widest)]
            columns.append([*numbers, *(line for text in texts for line in self.words(text))])
        letters = sum(max(map(ems, column)) for column in columns)
        return 10 * self.scale * letters + self.space * (2 * len(columns) - 1)


SETTINGS = (
    Setting(None, 1.0, 5.0),
    Setting(r"\small", 0.925, 4.0),
    Setting(r"\footnotesize", 0.85, 3.0),
    Setting(r"\footnotesize", 0.85, 2.5, broken=True),
    Setting(r"\scriptsize", 0.8, 1.5, broken=True),
    Setting(r"\tiny", 0.68, 1.5, broken=True),
)
"""From roomy to dense; a table takes the first that fits the page, or the last."""


def latex(grid: Grid, fragment: bool) -> str:
    """Write a table, or the tabular alone."""
    from maketables.mtable import MTable

    paper = grid.for_paper()
    setting = next((one for one in SETTINGS if one.width(paper) <= TEXT_WIDTH), SETTINGS[-1])
    told = not fragment
    notes: Any = " ".join(map(escape, paper.notes)) if told and paper.notes else None
    table = MTable(
        paper.frame(
            lambda cell: _written(cell, setting),
            lambda label: "\n".join(map(escape, setting.label(label))),
            grouped=bool(paper.groups),
        ),
        notes=notes,
        caption=escape(paper.title) if told and paper.title else None,
        tab_label=paper.label if told and paper.label else None,
        rgroup_sep="t",
        rgroup_display=False,
    )
    style = {
        "tab_width": None,
        "tabcolsep": f"{setting.space}pt",
        "group_intro": setting.size,
        "data_addlinespace": None,
        "first_row_addlinespace": None,
    }
    text = str(table.make("tex", tex_style=style))
    for title, first, last in paper.spans():
        if not title:  # no rule below nothing
            text = re.sub(rf" ?\\cmidrule\(lr\){{{{{first + 1}-{last + 1}}}}}", "", text)
    if fragment:
        text = text.removeprefix("\\begin{threeparttable}\n")
        text = text.removesuffix("\n\\end{threeparttable}")
    return text


def escape(text: str) -> str:
    """Escape LaTeX's own characters; write minus signs in front of numbers as such."""
    return re.sub(MINUS, "$-$", text.translate(_ESCAPED))


def _written(cell: Cell, setting: Setting) -> str:
    """Write a cell; the parts of a number overlap invisible ones, the widest of the column."""
    if not cell.widest:
        return "\n".join(map(escape, setting.words(cell.text)))
    text = rf"\phantom{{{escape(cell.widest)}}}\llap{{{escape(cell.text)}}}"
    if cell.widest_tail:
        text += rf"\rlap{{{escape(cell.tail)}}}" if cell.tail else ""
        text += rf"\phantom{{{escape(cell.widest_tail)}}}"
    return text
