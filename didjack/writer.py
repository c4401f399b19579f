"""A table of words and numbers -> text, LaTeX and HTML."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

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

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_text(self) -> str:
        """Write for a terminal, 100 characters wide at most where labels allow."""
        rows = [self.header, *(row for section in self.body for row in section)]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        body = [[_line(row, widths, self.aligned) for row in section] for section in self.body]
        header = _line(self.header, widths, self.aligned)
        total = max(len(header), *(len(line) for section in body for line in section), 40)
        head = self._head_text(total)
        total = max(total, *(len(line) for line in head)) if head else total
        parts = [textwrap.fill(self.title, total)] if self.title else []
        parts += ["=" * total, *head, *(["-" * total] if head else []), header]
        for section in body:
            parts += ["-" * total, *section]
        notes = [textwrap.fill(note, max(total, 72), break_on_hyphens=False) for note in self.notes]
        return "\n".join([*parts, "=" * total, *notes])

    def _head_text(self, total: int) -> list[str]:
        """Write the head in two columns; long values are cut."""
        if not self.head:
            return []
        names = [max(len(row[i]) for row in self.head) for i in (0, 2)]
        right = max(len(row[3]) for row in self.head)
        left = max(
            min(max(len(row[1]) for row in self.head), WIDTH - sum(names) - right - 6),
            total - sum(names) - right - 6,
        )
        widths = [names[0], left, names[1], right]
        return [
            _line([row[0], _cut(row[1], left), row[2], row[3]], widths, "llll") for row in self.head
        ]

    def as_latex(self) -> str:
        r"""Write a LaTeX table; the document needs ``\usepackage{booktabs}``."""
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
        """Write HTML without a style sheet."""
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


def _line(cells: list[str], widths: list[int], aligned: str) -> str:
    parts = [
        cell.ljust(width) if side == "l" else cell.rjust(width)
        for cell, width, side in zip(cells, widths, aligned, strict=True)
    ]
    return "  ".join(parts).rstrip()


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
