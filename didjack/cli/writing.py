"""How a result came about, in words: for those who want to get it again."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import didjack
from didjack.cli.analyses import Analysis, table_of_tests
from didjack.cli.replication import PACKAGES, Run
from didjack.cli.signals import deferred
from didjack.reporting.plots.axes import to_files

# ---- log -----------------------------------------------------------------------------------------

Result = didjack.GroupTimeResult | didjack.AggregateResult


def checksum(data: Path) -> str:
    """Return the SHA-256 of a file."""
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_log(
    command: str, run: Run, result: Result, analyses: Sequence[Analysis], warnings: Iterable[str]
) -> str:
    """Write command, data, options, sample, summary, tests, warnings and versions.

    Parameters
    ----------
    command : str
        What was typed.
    run : Run
    result : GroupTimeResult or AggregateResult
    analyses : sequence of Analysis
    warnings : iterable of str

    Returns
    -------
    str
    """
    cohort = f"{run.options['gname']} = first_treated(data, {', '.join(map(repr, run.treatment))})"
    sections = {
        "Command": [command],
        "Data": [f"{run.data.resolve()}", f"SHA-256 {run.digest}"],
        **({"Cohort": [cohort]} if run.treatment else {}),
        "Options of csdid": _named(result.options.as_dict()),
        "Options of aggregate": _named(run.average) or ["none: ATT(g,t)"],
        "Sample": result.sample.to_string(index=False).splitlines(),
        "Summary": str(result.summary()).splitlines(),
        **{one.call: repr(one.found).splitlines() for one in analyses},
        "Warnings": list(warnings) or ["none"],
        "Versions": [
            f"Python {platform.python_version()} on {platform.platform()}",
            *(f"{name} {version(name)}" for name in PACKAGES),
        ],
    }
    head = f"didjack {didjack.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n"
    parts = [f"{name}\n" + "".join(f"  {line}\n" for line in sections[name]) for name in sections]
    return "\n".join([head, *parts])


def _named(values: dict[str, Any]) -> list[str]:
    """Write names and values, one a line."""
    width = max(map(len, values), default=0)
    return [f"{name:{width}} = {value!r}" for name, value in values.items()]


# ---- writing -------------------------------------------------------------------------------------

ESTIMATES, TABLE, LOG = "estimates.csv", "table.tex", "log.txt"
FIGURES = ("plot.png", "plot.pdf")
SCRIPT, REQUIREMENTS = "replicate.py", "requirements.txt"
FILES = (ESTIMATES, TABLE, *FIGURES, LOG, SCRIPT, REQUIREMENTS)
TESTS = "tests.csv"
SENSITIVITIES = ("trend_sensitivity", "noise_sensitivity")
MORE = (TESTS, *(f"{name}.{kind}" for name in SENSITIVITIES for kind in ("csv", "png")))
"""Those of analyses that were asked for."""
MADE = ".didjack-"
"""What the folder's name begins with in which files are until all are there."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the files go.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @classmethod
    def from_path(cls, path: Path, force: bool, data: Path) -> Folder:
        """Make it if need be, before anything is estimated.

        Parameters
        ----------
        path : Path
        force : bool
            Whether its files may be overwritten.
        data : Path
            The table that is read, which may not.

        Returns
        -------
        Folder

        Raises
        ------
        OptionError
            Some of the files are there and are not to be overwritten, one is the table that is
            read, or there can be no such folder.
        """
        there = [name for name in (*FILES, *MORE) if os.path.lexists(path / name)]
        for name in there:
            if (path / name).exists() and data.exists() and (path / name).samefile(data):
                raise didjack.OptionError(
                    f"--out {path}: {name} there is the table that is read; choose another folder"
                )
        if there and not force:
            raise didjack.OptionError(
                f"--out {path}: {', '.join(there)} {'is' if len(there) == 1 else 'are'} there; "
                "--force overwrites"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise didjack.OptionError(f"--out {path} cannot be a folder: {error}") from error
        return cls(path)

    def notes(self) -> list[str]:
        """Name folders of runs that were killed, which had no time to remove them."""
        left = sorted(one.name for one in self.path.glob(f"{MADE}*"))
        return [
            f"{self.path / name} is of a run that was killed, or is not done: if none is running, "
            "remove it"
            for name in left
        ]

    def write(self, result: Result, analyses: Sequence[Analysis], texts: dict[str, str]) -> None:
        """Write all files; none of an earlier result is left, or all if there is an error.

        Parameters
        ----------
        result : GroupTimeResult or AggregateResult
        analyses : sequence of Analysis
        texts : dict
            What files of text hold, by their names.

        Raises
        ------
        OSError
            A file cannot be written.
        """
        # At a signal, no later step begins; the folder for files that are not done goes first.
        with deferred() as came, tempfile.TemporaryDirectory(prefix=MADE, dir=self.path) as folder:
            made = Path(folder)
            for step in _steps(result, analyses, texts, made):
                if came:
                    return
                step()
            _move(made, self.path)


def _steps(
    result: Result, analyses: Sequence[Analysis], texts: dict[str, str], path: Path
) -> Iterator[Callable[[], Any]]:
    """Write the files of a result into an empty folder, step by step."""
    average = isinstance(result, didjack.AggregateResult)
    yield lambda: result.tidy(overall=average, joint=True).to_csv(path / ESTIMATES, index=False)
    yield lambda: didjack.etable({result.options.yname: result}, file=path / TABLE)
    for name, text in texts.items():
        yield partial((path / name).write_text, text, encoding="utf-8")
    drawn: list[Any] = []
    yield lambda: drawn.append(_draw(result))
    for name in FIGURES:
        # Without a date in it, the same figure is the same file.
        metadata = {"CreationDate": None} if name.endswith(".pdf") else None
        yield partial(drawn[0].savefig, path / name, dpi=200, metadata=metadata)
    if any(one.is_test for one in analyses):
        yield lambda: table_of_tests(list(analyses)).to_csv(path / TESTS)
    for one in analyses:
        if not one.is_test:
            yield partial(one.found.table.to_csv, path / f"{one.name}.csv", index=False)
            yield partial(_draw_sensitivity, one, path / f"{one.name}.png")
    yield lambda: None  # a last look before files are moved


def _move(made: Path, path: Path) -> None:
    """Move all files into a folder, or none, in which case what was there stays."""
    files = [name for name in (*FILES, *MORE) if (made / name).exists()]
    before = [name for name in (*FILES, *MORE) if os.path.lexists(path / name)]
    for name in before:
        shutil.copy2(path / name, made / f"old-{name}", follow_symlinks=False)
    with ExitStack() as back:
        for name in before:
            if name not in files:  # of an analysis that was not asked for again
                (path / name).unlink()
                back.callback(os.replace, made / f"old-{name}", path / name)
        for name in files:
            os.replace(made / name, path / name)
            if name in before:
                back.callback(os.replace, made / f"old-{name}", path / name)
            else:
                back.callback((path / name).unlink)
        back.pop_all()


def _draw_sensitivity(one: Analysis, path: Path) -> None:
    """Draw the intervals of a sensitivity analysis into a file."""
    with to_files():
        figure = np.ravel(one.found.plot())[0].figure
    figure.savefig(path, dpi=200)


def _draw(result: Result) -> Any:
    """Draw the coefficients; of a simple average, which is one number, what clusters do to it."""
    single = isinstance(result, didjack.AggregateResult) and result.type == "simple"
    axes: Any
    with to_files():
        if not single:
            axes = result.plot()
        elif result.options.jackknife:
            axes = result.plot(kind="replicates")
        else:
            axes = didjack.coefplot({result.options.yname: result})
    return np.ravel(axes)[0].figure
