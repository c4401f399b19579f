"""Sphinx configuration; `make docs` builds with warnings as errors."""

from importlib.metadata import version as installed_version
from pathlib import Path

project = "didjack"
author = "didjack developers"
copyright = "2026, didjack developers"
release = installed_version("didjack")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_nb",  # Markdown pages and notebooks
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"didjack {release}"

# Single backticks in docstrings link to the object they name, or are shown as code.
default_role = "autolink"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Notebooks are executed by the tests; the pages show what is stored in them.
nb_execution_mode = "off"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# Sphinx only reads its own directory, so the notebooks are copied to where it can.
here = Path(__file__).parent
for notebook in sorted((here.parent / "notebooks").glob("*.ipynb")):
    copy = here / "generated" / notebook.name
    copy.parent.mkdir(exist_ok=True)
    if not copy.exists() or copy.read_bytes() != notebook.read_bytes():
        copy.write_bytes(notebook.read_bytes())
