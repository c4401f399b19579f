"""A table that can be printed, shown, and written into files of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from didjack.errors import OptionError
from didjack.options import check_flag, check_listed, must_be
from didjack.reporting.tables.documents import typst, word
from didjack.reporting.tables.grid import Grid
from didjack.reporting.tables.latex import latex, siunitx
from didjack.reporting.tables.plain import html, markdown, text
from didjack.wording import brief

LatexStyle = Literal["plain", "siunitx"]


@dataclass(frozen=True, slots=True)
class Table(Grid):
    r"""A table that can be printed, put into a paper, or shown in a notebook.

    It prints as plain text, and notebooks show it as HTML. LaTeX documents need
    ``\usepackage{booktabs, makecell, threeparttable}``.

    Attributes
    ----------
    title : may be empty
    head : rows of name, value, name, value; may be empty
    header : the names of the columns
    body : sections of rows, each with as many cells as ``header``
    notes : sentences below the table
    aligned : "l", "r" or "c" for each column, in plain text; elsewhere numbers are centred
    groups : headings above the names of the columns, one for each but the first; or empty
    label : label for references in documents; may be empty
    math : whether LaTeX reads mathematics between dollar signs
    fragment : whether `to_latex` writes the tabular alone
    values : the numbers, unrounded, if the table has any

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> table = didjack.etable({"Simple": res.aggregate("simple")})
    >>> table.to_frame()
                             Simple
    coefficient statistic
    overall ATT estimate  -0.039951
                std_error  0.012110
    >>> print(table.to_latex(fragment=True))
    \begingroup
    ...
     & Simple \\
    \midrule
    ...
    >>> print(table.to_markdown())
    |                  |   Simple |
    |:-----------------|---------:|
    | overall ATT      |  -0.0400 |
    ...
    >>> "<table" in table.to_html(), "#table(" in table.to_typst()
    (True, True)

    ``table.save("effects.tex")`` writes a file; its extension sets the format.
    """

    fragment: bool = False
    values: pd.DataFrame | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def as_text(self) -> str:
        """Write for a terminal, 100 characters wide at most where labels allow.

        Returns
        -------
        str
        """
        return text(self)

    def to_latex(self, fragment: bool | None = None, style: LatexStyle = "plain") -> str:
        r"""Write LaTeX, for a document with booktabs, makecell and threeparttable.

        The font becomes smaller, and long words and labels are broken, until the table fits the
        text width of the class ``article``. Numbers are aligned at the decimal point.

        With ``style="siunitx"`` rows are what a co-author would type, in columns ``S`` of the
        package siunitx (version 3), and the document needs booktabs, siunitx and threeparttable.

        Parameters
        ----------
        fragment : bool, optional
            The tabular alone, for ``\input`` into your own table: without title, label and notes.
            Default: the option of the table.
        style : {"plain", "siunitx"}
            How numbers are aligned: by invisible digits as wide as the widest, or by siunitx.

        Returns
        -------
        str
            A ``table`` environment if there is a title or a label, otherwise its content.

        Raises
        ------
        OptionError
            ``fragment`` is not True, False or None, or there is no such style.
        """
        check_listed("style", style, get_args(LatexStyle))
        if fragment is not None:
            fragment = check_flag("fragment", fragment, optional=True)
        write_latex = latex if style == "plain" else siunitx
        return write_latex(self, self.fragment if fragment is None else fragment)

    def to_html(self) -> str:
        """Write HTML with its own style sheet, for light pages and dark ones.

        Returns
        -------
        str
        """
        return html(self)

    def to_markdown(self) -> str:
        """Write a pipe table, title above and notes below.

        Returns
        -------
        str
        """
        return markdown(self)

    def to_typst(self) -> str:
        """Write a table of typst, in a figure if there is a title or a label.

        Returns
        -------
        str
        """
        return typst(self)

    def to_word(self, path: Any) -> None:
        """Write a Word document with the table; an existing file is replaced.

        Parameters
        ----------
        path : str or path
            Ends in ".docx", in an existing folder.

        Raises
        ------
        OptionError
            There is no such folder, the file is of another kind, or cannot be written.
        """
        write(self, "path", check_path("path", path, (".docx",)))

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers as they are, not rounded.

        Returns
        -------
        DataFrame
            For `etable`, a row for each coefficient and statistic and a column for each result; NaN
            where a result does not have the coefficient. For a summary, the cells as strings;
            ``tidy()`` has its numbers.
        """
        return self.shown() if self.values is None else self.values.copy()

    def save(self, path: Any) -> None:
        """Write a file; its extension sets the format. An existing file is overwritten.

        Parameters
        ----------
        path : str or path
            Ends in ".tex", ".html", ".md", ".docx", ".typ", ".txt" or ".csv" (the cells as they
            are shown), in an existing folder.

        Raises
        ------
        OptionError
            There is no such folder, no such kind of file, or it cannot be written.
        """
        write(self, "path", check_path("path", path))

    def as_latex(self) -> str:
        """Write LaTeX, as `to_latex` does.

        Returns
        -------
        str
        """
        return self.to_latex()

    def as_html(self) -> str:
        """Write HTML, as `to_html` does.

        Returns
        -------
        str
        """
        return self.to_html()


_WRITERS: dict[str, Callable[[Table], str]] = {
    ".csv": lambda table: table.shown().to_csv(),
    ".html": Table.to_html,
    ".md": Table.to_markdown,
    ".tex": Table.to_latex,
    ".txt": Table.as_text,
    ".typ": Table.to_typst,
}
SUFFIXES = (*_WRITERS, ".docx")
"""Kinds of files that a table can be written to."""


def check_path(name: str, path: Any, suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """Return a path to a file of an allowed kind, in a folder that is there, or raise."""
    known = isinstance(path, (str, Path)) and "\0" not in str(path)
    if not known or Path(path).suffix not in suffixes:
        raise must_be(name, f"a file whose name ends in {', '.join(suffixes)}", path)
    file = Path(path)
    try:
        there, folder = file.parent.is_dir(), file.is_dir()
    except OSError as error:
        raise must_be(name, "a file that can be written", path, f": {error}") from error
    if not there:
        raise must_be(name, "a file in a folder that exists", path)
    if folder:
        raise must_be(name, "a file, not a folder", path)
    return file


def write(table: Table, name: str, file: Path) -> None:
    """Write a table into a file whose path `check_path` gave for an argument, or raise."""
    try:
        if file.suffix == ".docx":
            word(table, file)
        else:
            written = _WRITERS[file.suffix](table)
            file.write_text(written if written.endswith("\n") else written + "\n", "utf-8")
    except OSError as error:
        raise OptionError(f"{name}={brief(str(file))} cannot be written: {error}") from error
