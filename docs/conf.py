"""Sphinx configuration; `make docs` builds with warnings as errors."""

import shutil
import sys
from pathlib import Path

import didjack

project = "didjack"
author = "didjack developers"
copyright = "2026, didjack developers"
release = didjack.__version__
version = ".".join(release.split(".")[:2])

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
from examples import first_example  # noqa: E402
from gallery import write_gallery  # noqa: E402

extensions = [
    "dois",
    "mathml",
    "myst_nb",  # Markdown pages and notebooks
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
]
exclude_patterns = ["_build"]

html_theme = "furo"
pygments_dark_style = "a11y-high-contrast-dark"  # as the theme has for light pages; no underlines
html_title = f"didjack {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"

# Single backticks in docstrings link to the object they name, or are shown as code.
default_role = "autolink"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Notebooks are executed by the tests; the pages show what is stored in them.
nb_execution_mode = "off"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state the types
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

here = Path(__file__).parent

# Sphinx only reads its own directory, so the notebooks are copied to where it can.
(here / "generated").mkdir(exist_ok=True)
for copy in (here / "generated").glob("*.ipynb"):
    copy.unlink()
for notebook in (here.parent / "notebooks").glob("*.ipynb"):
    shutil.copy2(notebook, here / "generated")

# This page shows the table that its first example makes.
table = first_example("tables.md")["table"]
(here / "generated" / "table.html").write_text(table.to_html(), "utf-8")
write_gallery(here.parent / "notebooks" / "figures.ipynb", here / "generated")
