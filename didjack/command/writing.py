"""A result -> a folder with its table, as data and for a paper, its picture, and a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import didjack

ESTIMATES, TABLE, LOG = "estimates.csv", "table.tex", "log.txt"
PICTURES = ("plot.png", "plot.pdf")
FILES = (ESTIMATES, TABLE, *PICTURES, LOG)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the files go.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @classmethod
    def of(cls, path: Path, force: bool) -> Folder:
        """Make it if need be, before anything is estimated.

        Parameters
        ----------
        path : Path
        force : bool
            Whether its files may be overwritten.

        Returns
        -------
        Folder

        Raises
        ------
        OptionError
            Some of the files are there and are not to be overwritten, or there can be no such
            folder.
        """
        there = [name for name in FILES if (path / name).exists()]
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

    def write(self, result: didjack.GroupTimeResult | didjack.AggregateResult, log: str) -> None:
        """Write all files; none of an earlier result is left.

        Parameters
        ----------
        result : GroupTimeResult or AggregateResult
        log : str

        Raises
        ------
        OSError
            A file cannot be written.
        """
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)
        average = isinstance(result, didjack.AggregateResult)
        table = result.tidy(overall=average, joint=True)
        table.to_csv(self.path / ESTIMATES, index=False)
        didjack.etable({result.options.yname: result}, file=self.path / TABLE)
        _save(result, self.path)
        (self.path / LOG).write_text(log, encoding="utf-8")


def _save(result: didjack.GroupTimeResult | didjack.AggregateResult, path: Path) -> None:
    """Draw the coefficients; of a simple average, which is one number, what clusters do to it."""
    import matplotlib.pyplot as plt

    single = isinstance(result, didjack.AggregateResult) and result.type == "simple"
    axes: Any
    if not single:
        axes = result.plot()
    elif result.options.jackknife:
        axes = result.plot(kind="replicates")
    else:
        axes = didjack.coefplot({result.options.yname: result})
    figure = np.ravel(axes)[0].figure
    for name in PICTURES:
        # Without a date in it, the same picture is the same file.
        metadata = {"CreationDate": None} if name.endswith(".pdf") else None
        figure.savefig(path / name, dpi=200, metadata=metadata)
    plt.close(figure)
