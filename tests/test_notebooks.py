"""The notebooks run, and give what is stored in them.

As a script (``python tests/test_notebooks.py [name ...]``), execute them and store what they give.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
import pytest
from typer.main import get_command

from didjack.cli.app import app

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
MOST_LINES = 40
"""A cell that is longer does not fit a screen."""
MOST_SECONDS = 600
"""A cell that takes longer hangs."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed(path, folder):
    """Execute a notebook in a folder, whatever is stored in it.

    Without progress bars: on a slow machine one more cell than on a fast one has one.
    """
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=MOST_SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, "TQDM_DISABLE": "1"})
    return notebook


def text_of(output):
    """Return an output as text."""
    return output.get("text", "") or output.get("data", {}).get("text/plain", "")


def has_figure(cell):
    """Whether a cell has a figure."""
    outputs = cell.get("outputs", [])
    return any("image/png" in output.get("data", {}) for output in outputs)


def description(cell):
    """The metadata of a cell: what its figure shows, in words; nothing without a figure."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    return {"mystnb": {"image": {"alt": alt}}} if has_figure(cell) else {}


def words(notebook):
    """List the words of all outputs that are text, by cell: layout may differ, numbers not.

    Warnings are listed once a cell: pandas 2 has Python forget which were shown already.
    """
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            told = [text_of(o) for o in cell.outputs if o.get("name") == "stderr"]
            lines = dict.fromkeys(line for text in told for line in text.splitlines())
            texts = [text_of(o) for o in cell.outputs if o.get("name") != "stderr"]
            # Objects without a text of their own are shown by their address.
            shown = [*lines, *(text for text in texts if " at 0x" not in text)]
            found.append([word for text in shown for word in text.split()])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_gives_what_is_stored_in_it(path, tmp_path):
    stored = nbformat.read(path, as_version=4)
    again = executed(path, tmp_path)
    assert words(again) == words(stored)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == METADATA
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.metadata == description(cell) for cell in notebook.cells)
    assert all(cell.metadata.mystnb.image.alt for cell in code if has_figure(cell))
    assert all(cell.source.count("\n") < MOST_LINES for cell in notebook.cells)
    assert any(map(has_figure, code))
    assert path.stat().st_size < 400_000


def test_commands_in_notebooks_have_options_that_exist():
    fit = get_command(app).commands["fit"]
    options = {name for option in fit.params for name in (*option.opts, *option.secondary_opts)}
    found = [
        command
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        for command in re.findall(r"^didjack fit (?:.*\\\n)*.*", cell.source, flags=re.M)
    ]
    assert found
    assert {name for command in found for name in re.findall(r"--[\w-]+", command)} <= options


def store(path):
    """Execute a notebook and store what it gives, without traces of this machine."""
    with tempfile.TemporaryDirectory() as folder:  # notebooks write files
        notebook = executed(path, folder)
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = description(cell)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for each in NOTEBOOKS:
        if each.stem in (sys.argv[1:] or [each.stem]):
            store(each)
