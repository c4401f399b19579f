"""What a table says, whatever it is written in, and how its numbers are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.options import check_share, must_be
from didjack.reporting.flags import FLAGS, either
from didjack.reporting.view import ResultView
from didjack.status import BASE, StatusCode
from didjack.wording import name_some, one_line, p_text

# ---- numbers -------------------------------------------------------------------------------------


def decimals(values: pd.Series) -> int:
    """Choose how many decimals show three digits of the smaller numbers.

    Examples
    --------
    >>> decimals(pd.Series([0.0123, 0.5])), decimals(pd.Series([120.0, 4300.0]))
    (4, 2)
    """
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    if size.empty:
        return 4
    return int(np.clip(2 - np.floor(np.log10(size.quantile(0.25, interpolation="lower"))), 2, 10))


def decimals_of(table: pd.DataFrame) -> int:
    """Choose the decimals of estimates by their standard errors; where none has one, by size."""
    errors = table["std_error"]
    return decimals(errors if errors.notna().any() else table["estimate"])


def number(value: float, places: int) -> str:
    """Write a number, or nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.{places}f}"


# ---- stars ---------------------------------------------------------------------------------------

CUTOFFS = (0.1, 0.05, 0.01)
_MARK = re.compile(r"[^\s\d.,()\[\]-]+")

Stars = list[tuple[float, str]]
"""Cut-offs with their marks, the smallest first."""


def check_stars(stars: Any) -> Stars:
    """Return the cut-offs and their marks, or raise.

    Examples
    --------
    >>> check_stars(True)
    [(0.01, '***'), (0.05, '**'), (0.1, '*')]
    >>> check_stars((0.05,)), check_stars({"+": 0.1}), check_stars(False)
    ([(0.05, '*')], [(0.1, '+')], [])
    """
    if isinstance(stars, (bool, np.bool_)):
        return check_stars(CUTOFFS) if stars else []
    if isinstance(stars, Mapping):
        marks, levels = list(stars), list(stars.values())
    elif isinstance(stars, (list, tuple)):
        levels = sorted((check_share("stars", level) for level in stars), reverse=True)
        marks = ["*" * (i + 1) for i in range(len(levels))]
    else:
        raise _refused(stars)
    levels = [check_share("stars", level) for level in levels]
    known = all(isinstance(mark, str) and _MARK.fullmatch(mark) for mark in marks)
    if not known or not levels or len(set(levels)) < len(levels):
        raise _refused(stars)
    return sorted(zip(levels, marks, strict=True))


def _refused(stars: Any) -> OptionError:
    what = (
        "True, False, cut-offs such as (0.1, 0.05, 0.01), or a dict from marks without digits, "
        "brackets or spaces to different cut-offs"
    )
    return must_be("stars", what, stars)


def mark(p_value: float, stars: Stars) -> str:
    """Return the mark of the smallest cut-off that a p-value is below, if there is one."""
    return next((text for level, text in stars if p_value < level), "")


def legend(stars: Stars) -> str:
    """Say what the marks mean."""
    return ", ".join(f"{text} p < {level:g}" for level, text in reversed(stars)) + "."


# ---- alignment -----------------------------------------------------------------------------------

_NUMBER = re.compile(r"([(\[]?-?\d[\d,]*(?:\.\d+)?)([^\s\d]*)")
MINUS = r"(?<![\w.])-(?=\d)"
"""A hyphen that is the sign of a number."""
_NARROW = set(".,:;'|!ijlt()[] ")
_WIDE = set("mwMW-")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, or a number that stands in line with the others of its column.

    A writer gives all numbers of a column the same width: that of the widest one on each side of
    the last digit. Then they stand in line, centred or not, whatever stars follow.

    Attributes
    ----------
    text : up to the last digit of a number; all of anything else
    tail : what comes after the last digit, such as stars or a closing parenthesis
    widest : the widest text of a number in the column; empty for what is not in line
    widest_tail : the widest tail
    """

    text: str
    tail: str = ""
    widest: str = ""
    widest_tail: str = ""


def aligned(column: list[str]) -> list[Cell]:
    """Align the numbers of a column that have as many decimals as most of its numbers.

    Examples
    --------
    >>> cells = aligned(["-0.25**", "11.50", "(0.75)", "none", "12"])
    >>> cells[2]
    Cell(text='(0.75', tail=')', widest='-0.25', widest_tail='**')
    >>> cells[4]
    Cell(text='12', tail='', widest='', widest_tail='')
    """
    found = [_NUMBER.fullmatch(text) for text in column]
    decimals = [len(one[1].partition(".")[2]) if one else -1 for one in found]
    numbers = Counter(places for places in decimals if places >= 0)
    if not numbers:
        return [Cell(text) for text in column]
    most = max(numbers, key=lambda places: (places > 0, numbers[places]))
    parts = [
        (one[1], one[2]) if one and places == most else None
        for one, places in zip(found, decimals, strict=True)
    ]
    widest, tail = (max((part[side] for part in parts if part), key=ems) for side in (0, 1))
    return [
        Cell(*part, widest, tail) if part else Cell(text)
        for text, part in zip(column, parts, strict=True)
    ]


def ems(text: str) -> float:
    """Estimate the width of a text, relative to the size of its letters."""
    return sum(
        0.33 if one in _NARROW else 0.8 if one in _WIDE else 0.72 if one.isupper() else 0.5
        for one in text
    )


def minus(text: str) -> str:
    """Write minus signs in front of numbers as wide as digits are."""
    return re.sub(MINUS, "\N{MINUS SIGN}", text)


# ---- estimates -----------------------------------------------------------------------------------

BELOW = {"se": ["std_error"], "ci": ["conf_low", "conf_high"], "p": ["p_value"]}
"""What can stand below an estimate, and the statistics that it is made of."""


@dataclass(frozen=True, slots=True)
class Style:
    """How coefficients are written.

    Attributes
    ----------
    places : decimals
    stars : cut-offs with their marks
    below : what stands below estimates
    """

    places: int
    stars: Stars
    below: str

    def rows(self, name: str, tables: list[pd.DataFrame]) -> list[list[str]]:
        """Write one coefficient of all results: the estimates, and what stands below them."""
        at = [table.index.get_indexer(pd.Index([name]))[0] for table in tables]
        found = [table.iloc[i] if i >= 0 else None for table, i in zip(tables, at, strict=True)]
        return [
            [name, *("" if row is None else self._estimate(row) for row in found)],
            ["", *("" if row is None else self._below(row) for row in found)],
        ]

    def _estimate(self, row: pd.Series) -> str:
        written = number(row["estimate"], self.places)
        if not written:
            return "none"
        imputed = row["status"].code is StatusCode.IMPUTED
        return written + mark(row["p_value"], self.stars) + imputed * self.imputed

    @property
    def imputed(self) -> str:
        """The mark of standard errors that are imputed in part, another one than of stars."""
        taken = "".join(text for _, text in self.stars)
        free = (text for text in (FLAGS[StatusCode.IMPUTED], "‡", "§", "¶") if text not in taken)
        return next(free, "(imputed)")

    def _below(self, row: pd.Series) -> str:
        if np.isnan(row["estimate"]):
            return ""
        if row["status"] == BASE:
            return "(base)"
        if np.isnan(row["std_error"]):
            return "(none)"
        match self.below:
            case "se":
                return f"({number(row['std_error'], self.places)})"
            case "p":
                return f"[{p_text(row['p_value'])}]"
            case _:
                low, high = (number(row[end], self.places) for end in BELOW["ci"])
                return f"[{low}, {high}]"

    def notes(
        self, views: Sequence[ResultView], heads: list[str], tables: list[pd.DataFrame]
    ) -> list[str]:
        """Say what the numbers are, and why some are missing."""
        kinds = list(dict.fromkeys(view.errors for view in views))
        kind = f"{kinds[0]} standard errors" if len(kinds) == 1 else "standard errors"
        levels = list(dict.fromkeys(f"{100 * (1 - view.options.alpha):g}%" for view in views))
        lines = {
            "se": f"{kind} in parentheses.",
            "p": f"p-values in brackets, from {kind}.",
            "ci": f"{' and '.join(levels)} confidence intervals in brackets, from {kind}.",
        }
        notes = [lines[self.below]]
        if self.below == "se":
            notes = [notes[0][0].upper() + notes[0][1:]]
        if self.stars:
            notes.append(legend(self.stars))
        return [*notes, *_imputed(self.imputed, views, tables), *_gaps(heads, tables)]


def _imputed(mark: str, views: Sequence[ResultView], tables: list[pd.DataFrame]) -> list[str]:
    """Explain the mark of coefficients whose standard error is imputed in part."""
    clusters: dict[str, dict[object, None]] = {}
    for view, table in zip(views, tables, strict=True):
        for status in table["status"]:
            if status.code is StatusCode.IMPUTED:
                found = clusters.setdefault(view.clusters.name, {})
                found |= dict.fromkeys(status.clusters)
    if not clusters:
        return []
    without = " or ".join(either(name, list(found)) for name, found in clusters.items())
    return [
        f"{mark} Not identified without {without}: the "
        "standard error is imputed in part, under the working model."
    ]


def _gaps(heads: list[str], tables: list[pd.DataFrame]) -> list[str]:
    """Say why coefficients have no estimate or standard error, a sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for head, table in zip(heads, tables, strict=True):
        for name, row in table[table["std_error"].isna()].iterrows():
            what = "No estimate" if np.isnan(row["estimate"]) else "No standard error"
            if row["status"] == BASE:
                reasons["(base): base period, zero by construction"] = []
            else:
                reason = f"{what} ({row['status']})"
                reasons.setdefault(reason, []).append(f"{name} in {head}")
    return [
        f"{reason}: {name_some(where, most=6)}." if where else f"{reason}."
        for reason, where in reasons.items()
    ]


# ---- grid ----------------------------------------------------------------------------------------


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
    math : whether LaTeX reads mathematics between dollar signs
    """

    title: str
    head: list[list[str]]
    header: list[str]
    body: list[list[list[str]]]
    notes: list[str]
    aligned: str
    groups: list[str] = field(default_factory=list)
    label: str = ""
    math: bool = False

    def __post_init__(self) -> None:
        """Have each cell in one line, whatever the names of columns and clusters are."""
        for name in ("title", "head", "header", "body", "notes", "groups"):
            object.__setattr__(self, name, _in_one_line(getattr(self, name)))

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
        """Return the table without its head, the content of which goes into a note."""
        pairs = [(row[i], row[i + 1]) for i in (0, 2) for row in self.head if row[i]]
        design = "; ".join(f"{name}: {value}" for name, value in pairs)
        return replace(self, head=[], notes=[*([f"{design}."] if design else []), *self.notes])


def _in_one_line(part: Any) -> Any:
    """Write a text, or all texts in nested lists, without line breaks."""
    return one_line(part) if isinstance(part, str) else [_in_one_line(one) for one in part]
