"""README and pages: Python blocks and commands run, and print what the text block after them says.

Warnings of the package are part of that, as users see them.

As a script (``python tests/test_docs.py``), write what they print into the pages.
"""

import contextlib
import io
import re
import shlex
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from looks import difference, draws_text
from typer.testing import CliRunner

import didjack
from didjack import AggregateResult, DidjackWarning, GroupTimeResult
from didjack.cli.app import app

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from examples import FIGURES, draw_figure, files_of, first_example  # noqa: E402

TOPS = [ROOT, ROOT / "didjack"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^```(?:python\n(?P<code>.*?)|sh\ndidjack (?P<command>.*?))^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
NEEDED = {
    "interoperability.md": ["cvxpy", "moderndid"],
    "howto_figures.md": ["altair", "cvxpy", "marginaleffects", "moderndid", "plotnine"],
    "howto_tables.md": ["great_tables", "pyfixest"],
    "migrating.md": ["diff_diff", "moderndid", "pyfixest"],
}
"""What pages import beside the package and the extra "test"; but for figures it is in "interop"."""
WRITTEN = ["benchmarks.md", "monte_carlo.md"]
"""Pages that scripts write, which may not have run."""
FOR_THE_PACKAGE: set[str] = set()
"""Members of results that users have no use for."""
MOST_WIDE = 92
"""Warnings are wrapped at this width, so that pages need not be scrolled sideways."""
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")

SLOW = ["interoperability.md", "large_data.md"]
"""Pages whose examples take longest."""

examples = pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page.name in SLOW else [])
        for page in PAGES
        if BLOCK.search(page.read_text())
    ],
    ids=lambda page: page.name,
)


def printed(block, page, namespace):
    """Run a block of a page, after those before it, and return what it prints."""
    if block["command"]:
        words = shlex.split(block["command"].replace("\\\n", " "))
        return stripped(CliRunner().invoke(app, words).output)
    line = page.read_text()[: block.start()].count("\n") + 1
    code = compile("\n" * line + block["code"], str(page), "exec")
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), warnings.catch_warnings():
        # Not "default": it repeats a warning where another module has changed filters meanwhile.
        warnings.simplefilter("always", DidjackWarning)
        warnings.showwarning = shown_once(set())
        exec(code, namespace)
    return stripped(stream.getvalue())


def shown_once(seen):
    """Return what prints a warning of the package, once for each line of the page, without it."""

    def show(message, category, filename, line, *_):
        text = f"{category.__name__}: {message}"
        if issubclass(category, DidjackWarning) and (text, filename, line) not in seen:
            seen.add((text, filename, line))
            print(textwrap.fill(text, MOST_WIDE, subsequent_indent="  ", break_on_hyphens=False))

    return show


def stripped(text):
    """Leave out spaces at the ends of lines."""
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


@examples
def test_blocks_print_what_the_page_says(page, tmp_path, monkeypatch):
    for package in NEEDED.get(page.name, []):
        pytest.importorskip(package, reason="not in the extra 'test'")
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    namespace = {"__name__": "page"}
    for block in BLOCK.finditer(page.read_text()):
        assert printed(block, page, namespace) == (block["output"] or "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_are_there(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in LINK.findall(text):
        copied = ROOT / "notebooks" / Path(target).name  # conf.py copies notebooks to generated/
        assert (page.parent / target).exists() or copied.exists() or target in WRITTEN, target


@draws_text
@pytest.mark.parametrize("page", FIGURES)
def test_figure_of_a_page_is_what_its_example_draws(page, tmp_path):
    mpl.use("Agg")
    draw_figure(page, tmp_path)
    for name in files_of(page):
        different = difference(ROOT / "docs" / "_static" / name, tmp_path / name)
        assert different is None, different
        assert name in (ROOT / "docs" / page).read_text()
        assert FIGURES[page] != "home" or name in (ROOT / "README.md").read_text()


def test_readme_and_home_page_have_the_same_example():
    mpl.use("Agg")
    readme, home = (first_example(page) for page in ("../README.md", "index.md"))
    assert readme["study"].tidy().equals(home["study"].tidy())
    for one, other in zip(readme["ax"].lines, home["ax"].lines, strict=True):
        np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


def test_architecture_names_every_folder_and_file():
    described = (ROOT / "docs" / "architecture.md").read_text()
    files = {path.relative_to(ROOT / "didjack") for path in (ROOT / "didjack").rglob("*.py")}
    names = {part for path in files for part in (path.stem, *path.parent.parts)} - {"__init__"}
    assert not {name for name in names if not re.search(rf"\b{name}\b", described)}


@pytest.mark.parametrize("kind", [GroupTimeResult, AggregateResult])
def test_reference_lists_every_method_and_attribute(kind):
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    listed = re.findall(rf"^   ~{kind.__name__}\.(\w+)$", pages, re.MULTILINE)
    public = {name for name in dir(kind) if not name.startswith("_")} - FOR_THE_PACKAGE
    assert sorted(listed) == sorted(public)


def test_reference_has_every_name_of_the_package():
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    described = set(re.findall(r"^\.\. auto\w+:: (?:didjack\.)?(\w+)", pages, re.MULTILINE))
    assert set(didjack.__all__) - described == set()


def test_files_that_the_papers_lead_to_are_there():
    page = (ROOT / "docs" / "paper_to_code.md").read_text()
    named = re.findall(r"`(\w+/[\w/]+\.py)`", page)
    assert named
    assert [name for name in named if not any((top / name).exists() for top in TOPS)] == []


def rewrite(page):
    """Write what the blocks of a page print into it."""
    namespace = {"__name__": "page"}

    def with_output(block):
        output = printed(block, page, namespace)
        shown = f"\n```text\n{output}```\n" if output else ""
        language = "sh" if block["command"] else "python"
        code = f"didjack {block['command']}" if block["command"] else block["code"]
        return f"```{language}\n{code}```\n{shown}"

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        page.write_text(BLOCK.sub(with_output, page.read_text()))


if __name__ == "__main__":
    mpl.use("Agg")
    for each in PAGES:
        rewrite(each)
