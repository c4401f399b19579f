"""A page of small figures: those stored in a notebook, with a link to the code of each."""

import ast
import base64
import re

import nbformat
from myst_parser.mdit_to_docutils.base import default_slugify

HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def figures_of(notebook):
    """The heading above, what is shown in words, the code and the bytes of each figure."""
    heading = ""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown":
            heading = (HEADING.findall(cell.source) or [heading])[-1]
            continue
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                shown = cell.metadata["mystnb"]["image"]["alt"]
                yield heading, shown, cell.source, base64.b64decode(output.data["image/png"])


def call_of(code):
    """Return the last call of a function that plots, on one line."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    drawn = [one for one in calls if ast.unparse(one.func).endswith("plot")]
    last = max(drawn, key=lambda one: (one.end_lineno, one.end_col_offset))
    line = " ".join(ast.get_source_segment(code, last).split())
    line = re.sub(r",? \)$", ")", line).replace("plot( ", "plot(")
    return re.sub(r"^\w+\.aggregate\([^()]*\)", "", line)


def write_gallery(notebook, folder):
    """Write the figures of a notebook into a folder, and gallery.txt, which shows them."""
    items = []
    for number, (heading, shown, code, figure) in enumerate(figures_of(notebook)):
        name = f"gallery_{number}.png"
        (folder / name).write_bytes(figure)
        place = f"generated/{notebook.name}#{default_slugify(heading)}"
        items.append(f"[![{shown}](generated/{name})]({place})\n{shown}: `{call_of(code)}`\n")
    page = "\n".join(["::::{container} gallery", *items, "::::\n"])
    (folder / "gallery.txt").write_text(page, "utf-8")
