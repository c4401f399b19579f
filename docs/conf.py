"""Sphinx configuration; `make docs` builds with warnings as errors."""

from importlib.metadata import version as installed_version

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
