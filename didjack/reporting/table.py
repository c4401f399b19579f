"""A table of words and numbers -> text (by statsmodels), LaTeX and HTML."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from didjack.wording import one_line

if TYPE_CHECKING:
    from statsmodels.iolib.table import SimpleTable

WIDTH = 100
"""Text is no wider than this where it can be helped."""
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)
_SIDE = {"l": "left", "r": "right"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be printed, put into a paper, or shown in a notebook.

    Attributes
    ----------
    title : may be empty
    head : rows of name, value, name, value; may be empty
    header : the names of the columns
    body : sections of rows, each with as many cells as `header`
    notes : sentences below the table
    aligned : "l" or "r" for each column
    """

    title: str
    head: list[list[str]]
    header: list[str]
    body: list[list[list[str]]]
    notes: list[str]
    aligned: str

    def __post_init__(self) -> None:
        """Have each cell in one line, whatever the names of columns and clusters are."""
        for name in ("title", "head", "header", "body", "notes"):
            object.__setattr__(self, name, _in_one_line(getattr(self, name)))

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_text(self) -> str:
        """Write for a terminal, 100 characters wide at most where labels allow.

        Returns
        -------
        str
        """
        body = self._body_text()
        total = max(len(line) for line in body)
        head = _simple([[row[0], _cut(row[1], WIDTH - 54), *row[2:]] for row in self.head], "llll")
        lines = head.as_text().splitlines()[1:-1] if self.head else []
        total = max(total, *(len(line) for line in lines)) if lines else total
        parts = [textwrap.fill(self.title, total)] if self.title else []
        parts += ["=" * total, *lines, *(["-" * total] if lines else []), *body]
        notes = [textwrap.fill(note, max(total, 72), break_on_hyphens=False) for note in self.notes]
        return "\n".join([*(line.rstrip() for line in parts), "=" * total, *notes])

    def _body_text(self) -> list[str]:
        """Write header and sections; the rules between them are those of the table writer."""
        table = _simple(
            [row for section in self.body for row in section], self.aligned, self.header
        )
        at = 0
        for section in self.body[:-1]:
            at += len(section)
            table[at].dec_below = "header_dec_below"
        return str(table.as_text()).splitlines()[1:-1]

    def as_latex(self) -> str:
        r"""Write a LaTeX table; the document needs ``\usepackage{booktabs}``.

        Returns
        -------
        str
        """
        lines = [r"\begin{table}[htbp]", r"\centering"]
        if self.title:
            lines.append(rf"\caption{{{_latex(self.title)}}}")
        if self.head:
            lines += [r"\begin{tabular}{llll}", r"\toprule"]
            lines += [_latex_row(row) for row in self.head]
            lines += [r"\bottomrule", r"\end{tabular}", r"\par\medskip"]
        lines += [rf"\begin{{tabular}}{{{self.aligned}}}", r"\toprule", _latex_row(self.header)]
        for section in self.body:
            lines += [r"\midrule", *(_latex_row(row) for row in section)]
        lines += [r"\bottomrule", r"\end{tabular}"]
        if self.notes:
            lines += [r"\par\medskip", r"\begin{minipage}{\linewidth}\footnotesize"]
            lines += [" ".join(_latex(note) for note in self.notes), r"\end{minipage}"]
        return "\n".join([*lines, r"\end{table}"])

    def as_html(self) -> str:
        """Write HTML without a style sheet.

        Returns
        -------
        str
        """
        lines = ['<table class="didjack">']
        if self.title:
            lines.append(f"<caption>{html.escape(self.title)}</caption>")
        columns = len(self.header)
        if self.head:
            lines.append("<tbody>")
            span = (1, columns - 1 - columns // 2, columns // 2 - 1, 1)
            lines += [_html_row(row, "llll", "td", span) for row in self.head]
            lines.append("</tbody>")
        lines += ["<tbody>", _html_row(self.header, self.aligned, "th"), "</tbody>"]
        for section in self.body:
            lines.append("<tbody>")
            lines += [_html_row(row, self.aligned, "td") for row in section]
            lines.append("</tbody>")
        if self.notes:
            text = "<br>".join(html.escape(note) for note in self.notes)
            style = 'style="text-align: left"'
            lines.append(f'<tfoot><tr><td colspan="{columns}" {style}>{text}</td></tr></tfoot>')
        return "\n".join([*lines, "</table>"])


def _in_one_line(part: Any) -> Any:
    """Write a text, or all texts in nested lists, without line breaks."""
    return one_line(part) if isinstance(part, str) else [_in_one_line(one) for one in part]


def _simple(rows: list[list[str]], aligned: str, header: list[str] | None = None) -> SimpleTable:
    """Return a table of statsmodels, whose writer lays text out."""
    from statsmodels.iolib.table import SimpleTable

    layout = {
        "data_fmts": ["%s"],
        "data_aligns": aligned,
        "header_align": "r",
        "colsep": "  ",
        "table_dec_above": "=",
        "table_dec_below": "=",
        "header_dec_below": "-",
    }
    return SimpleTable(rows, headers=header, txt_fmt=layout)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."


def _latex(text: str) -> str:
    """Escape LaTeX's own characters; write minus signs in front of numbers as such."""
    return re.sub(r"(?<![\w.])-(?=\d)", "$-$", text.translate(_LATEX))


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(_latex(cell) for cell in cells) + r" \\"


def _html_row(cells: list[str], aligned: str, tag: str, span: tuple[int, ...] | None = None) -> str:
    spans = span or (1,) * len(cells)
    parts = [
        f'<{tag}{f" colspan={wide!r}" if wide > 1 else ""} style="text-align: {_SIDE[side]}">'
        f"{html.escape(cell)}</{tag}>"
        for cell, side, wide in zip(cells, aligned, spans, strict=True)
    ]
    return f"<tr>{''.join(parts)}</tr>"
