"""What a table says, whatever it is written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import pandas as pd

from didjack.reporting.tables.formatting import Cell, aligned, ems
from didjack.wording import one_line


@dataclass(frozen=True, slots=True)
class Grid:
    """The words and numbers of a table.

    Attributes
    ----------
    title : may be empty
    head : rows of name, value, name, value; may be empty
    header : the names of the columns
    body : sections of rows, each with as many cells as `header`
    notes : sentences below the table
    aligned : "l", "r" or "c" for each column, in text; elsewhere numbers are centred
    groups : what stands above the names of the columns, one for each but the first; or empty
    label : by which documents refer to the table; may be empty
    status_notes : the last column is of statuses, which papers have as these notes; None: it is not
    """

    title: str
    head: list[list[str]]
    header: list[str]
    body: list[list[list[str]]]
    notes: list[str]
    aligned: str
    groups: list[str] = field(default_factory=list)
    label: str = ""
    status_notes: list[str] | None = None

    def __post_init__(self) -> None:
        """Have each cell in one line, whatever the names of columns and clusters are."""
        for name in ("title", "head", "header", "body", "notes", "groups", "status_notes"):
            if (part := getattr(self, name)) is not None:
                object.__setattr__(self, name, _in_one_line(part))

    def cells(self) -> list[list[list[Cell]]]:
        """Return the sections with the numbers of each column in line, but those at the left."""
        rows = [row for section in self.body for row in section]
        columns = [
            [Cell(text) for text in column] if side == "l" else aligned(list(column))
            for side, column in zip(self.aligned, zip(*rows, strict=True), strict=True)
        ]
        ready = iter(zip(*columns, strict=True))
        return [[list(next(ready)) for _ in section] for section in self.body]

    def spans(self) -> list[tuple[str, int, int]]:
        """Return the groups of columns: what they are called, the first column, the last one."""
        found, at = [], 1
        for text, members in groupby(self.groups):
            size = len(list(members))
            found.append((text, at, at + size - 1))
            at += size
        return found

    def frame(
        self,
        write: Callable[[Cell], str],
        write_label: Callable[[str], str],
        write_group: Callable[[str], str] | None,
    ) -> pd.DataFrame:
        """Return the cells as `maketables` reads them: (section, label) x ([group,] name).

        Parameters
        ----------
        write : writes a cell, or the name of a column
        write_label : writes the label of a row
        write_group : writes the title of a group of columns; None: without the level of groups
        """
        cells = self.cells()
        names = [write(Cell(name)) for name in self.header[1:]]
        columns: pd.Index = pd.Index(names, dtype=object)
        if write_group is not None:
            groups = [write_group(text) for text in self.groups] or [""] * len(names)
            columns = pd.MultiIndex.from_arrays([groups, names])
        labels = [
            (" " * (number + 1), write_label(row[0].text))  # sections are told apart, not named
            for number, part in enumerate(cells)
            for row in part
        ]
        return pd.DataFrame(
            [[write(cell) for cell in row[1:]] for part in cells for row in part],
            index=pd.MultiIndex.from_tuples(labels),
            columns=columns,
            dtype=object,
        )

    def widths(
        self, words: Callable[[str], list[str]], label: Callable[[str], list[str]]
    ) -> list[float]:
        """Estimate how wide the columns are, relative to the size of letters.

        Parameters
        ----------
        words, label : break a cell or name, and the label of a row, into lines
        """
        labels = [line for part in self.body for row in part for line in label(row[0])]
        columns = [labels]
        rows = [row[1:] for part in self.cells() for row in part]
        for name, *cells in zip(self.header[1:], *rows, strict=True):
            numbers = [one.widest + one.widest_tail for one in cells if one.widest]
            texts = [name, *(one.text for one in cells if not one.widest)]
            columns.append([*numbers, *(line for text in texts for line in words(text))])
        return [max(map(ems, column)) for column in columns]

    def shown(self) -> pd.DataFrame:
        """Return the cells as they are shown, by their labels."""
        rows = [row for section in self.body for row in section]
        columns: pd.Index = pd.Index(self.header[1:])
        if self.groups:
            columns = pd.MultiIndex.from_arrays([self.groups, self.header[1:]])
        labels = pd.Index([row[0] for row in rows])
        return pd.DataFrame([row[1:] for row in rows], index=labels, columns=columns)

    def for_paper(self) -> Grid:
        """Return the table without head and column of statuses; both are said in notes."""
        pairs = [(row[i], row[i + 1]) for i in (0, 2) for row in self.head if row[i]]
        design = "; ".join(f"{name}: {value}" for name, value in pairs)
        grid = replace(self, head=[], notes=[*([f"{design}."] if design else []), *self.notes])
        if self.status_notes is None:
            return grid
        return replace(
            grid,
            header=self.header[:-1],
            body=[[row[:-1] for row in section] for section in self.body],
            notes=[*grid.notes, *self.status_notes],
            aligned=self.aligned[:-1],
            groups=self.groups[:-1],
            status_notes=None,
        )


def _in_one_line(part: Any) -> Any:
    """Write a text, or all texts in nested lists, without line breaks."""
    return one_line(part) if isinstance(part, str) else [_in_one_line(one) for one in part]
