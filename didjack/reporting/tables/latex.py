"""A table -> LaTeX, with numbers put in line by itself or by siunitx."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from didjack.imports import load
from didjack.reporting.tables.grid import MINUS, Cell, Grid

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
    write = partial(escape, math=paper.math)
    without: Any = None  # the renderer makes them as wide as the page, whatever the table is
    table = MTable(
        paper.frame(
            lambda cell: _written(cell, setting, write),
            lambda label: "\n".join(map(write, setting.label(label))),
            write if paper.groups else None,
        ),
        notes=without,
        caption=write(paper.title) if paper.title and not fragment else None,
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
    item = r"\item " + " ".join(escape(note, grid.math) for note in grid.notes)
    return "\n".join([begin, item, r"\end{tablenotes}", ""])


def escape(text: str, math: bool = False) -> str:
    r"""Escape LaTeX's own characters; write minus signs in front of numbers as such.

    Parameters
    ----------
    math : whether what stands between two dollar signs is left as it is

    Examples
    --------
    >>> print(escape("50% of $t$, e = -1"), escape("50% of $t$", math=True))
    50\% of \$t\$, e = $-$1 50\% of $t$
    """
    if math:
        parts = re.split(r"(\$[^$]+\$)", text)
        return "".join(one if i % 2 else escape(one) for i, one in enumerate(parts))
    # A star at the start of a row would be an argument of the end of the row before.
    text = re.sub(r"^\*", "{*}", text.translate(_ESCAPED))
    return re.sub(MINUS, "$-$", text)


def _written(cell: Cell, setting: Setting, write: Callable[[str], str]) -> str:
    """Write a cell; the parts of a number are as wide as the widest ones of its column."""
    if not cell.widest:
        return "\n".join(map(write, setting.words(cell.text)))
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


# ---- siunitx -------------------------------------------------------------------------------------

_MARKS = {"†": r"\dagger", "‡": r"\ddagger", "§": r"\S", "¶": r"\P"}
"""Marks of statuses, as they are written in mathematics."""


def siunitx(grid: Grid, fragment: bool) -> str:
    """Write a table, or the tabular alone, with columns that siunitx puts in line."""
    paper = grid.for_paper()
    fitting = (one for one in SETTINGS if one.room(paper) >= one.space and not one.broken)
    setting = next(fitting, SETTINGS[2])
    tabular = _tabular(paper, setting)
    if fragment:
        return "\n".join(tabular)
    named = [rf"\caption{{{escape(paper.title, paper.math)}}}"] if paper.title else []
    named += [rf"\label{{{paper.label}}}"] if paper.label else []
    notes = _notes(paper, setting).splitlines()
    lines = [_BEGIN, *named, *tabular, *notes, _END]
    if paper.title or paper.label:
        lines = [r"\begin{table}[htbp]", r"\centering", *lines, r"\end{table}"]
    return "\n".join(lines)


def _tabular(paper: Grid, setting: Setting) -> list[str]:
    """Write the lines of a tabular, in letters and spaces in which it fits."""
    space = min(max(setting.room(paper), setting.space), MOST_SPACE)
    names = ["", *(f"{{{_inside(paper, name)}}}" for name in paper.header[1:])]
    body = paper.cells()
    written = [[_row(paper, row) for row in part] for part in body]
    rows = [row for part in written for row in part]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    columns = zip(*(row[1:] for part in body for row in part), strict=True)
    sections = "\n\\midrule\n".join(
        "\n".join(_line(row, widths) for row in part) for part in written if part
    )
    return [
        r"\begingroup",
        *([setting.size] if setting.size else []),
        rf"\setlength{{\tabcolsep}}{{{space:.1f}pt}}",
        _SISETUP,
        rf"\begin{{tabular}}{{@{{}}l{_specified(list(map(_column, columns)))}@{{}}}}",
        r"\toprule",
        *_groups(paper),
        _line(names, widths),
        r"\midrule",
        *sections.splitlines(),
        r"\bottomrule",
        r"\end{tabular}",
        r"\endgroup",
    ]


_SISETUP = (
    r"\sisetup{input-open-uncertainty=, input-close-uncertainty=, "
    r"table-align-text-before=false, table-align-text-after=false}"
)
"""Parentheses are not uncertainties, and stars do not move the number."""


def _specified(columns: list[str]) -> str:
    """Write the types of columns; like ones next to each other once."""
    runs = [(kind, len(list(members))) for kind, members in groupby(columns)]
    return "".join(kind if n == 1 else rf"*{{{n}}}{{{kind}}}" for kind, n in runs)


def _column(cells: Sequence[Cell]) -> str:
    """Write the type of a column, with room for its numbers and for what stands around them."""
    numbers = [cell for cell in cells if _is_number(cell)]
    if not numbers:
        return "c"
    parts = [cell.text.lstrip("(").partition(".") for cell in numbers]
    whole = max(len(one.lstrip("-").replace(",", "")) for one, _, _ in parts)
    sign = "-" if any(one.startswith("-") for one, _, _ in parts) else ""
    room = [f"table-format={sign}{whole}.{max(len(one) for _, _, one in parts)}"]
    if any(cell.text.startswith("(") for cell in numbers):
        room.append("table-space-text-pre=(")
    after = max((_marks(cell) for cell in numbers), key=len)
    if after:
        room.append(f"table-space-text-post={after}")
    return f"S[{', '.join(room)}]"


def _groups(paper: Grid) -> list[str]:
    """Write what stands above the names of columns."""
    if not paper.groups:
        return []
    spans = paper.spans()
    titles = [
        rf"\multicolumn{{{last - first + 1}}}{{c}}{{{_inside(paper, title)}}}"
        for title, first, last in spans
    ]
    rules = [rf"\cmidrule(lr){{{a + 1}-{b + 1}}}" for title, a, b in spans if title]
    return [" & " + " & ".join(titles) + r" \\", " ".join(rules)]


def _line(row: list[str], widths: list[int]) -> str:
    cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
    return " & ".join(cells).rstrip() + r" \\"


def _row(paper: Grid, row: list[Cell]) -> list[str]:
    """Write a label and cells: numbers as they are, all else in braces."""
    label, *cells = row
    written = [escape(label.text, paper.math)]
    for cell in cells:
        if _is_number(cell):
            written.append(cell.text.replace(",", "") + _marks(cell))
        elif cell.text.startswith("[") and "." in cell.text:
            written.append(f"{{${cell.text}{cell.tail}$}}")
        else:
            text = _inside(paper, cell.text + cell.tail)
            written.append(f"{{{text}}}" if text else "")
    return written


def _is_number(cell: Cell) -> bool:
    """Whether siunitx puts a cell in line."""
    return bool(cell.widest) and "." in cell.text and not cell.text.startswith("[")


def _marks(cell: Cell) -> str:
    """Write what follows a number: stars and other marks, raised, and a parenthesis."""
    marks = cell.tail.rstrip(")]")
    power = "".join(_MARKS.get(one, one) for one in marks.translate(_ESCAPED))
    return (f"$^{{{power}}}$" if power else "") + cell.tail[len(marks) :]


def _inside(paper: Grid, text: str) -> str:
    """Escape a text that is within braces, in which brackets are no arguments."""
    return escape(text, paper.math).replace("{[}", "[")
