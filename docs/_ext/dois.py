"""Links in docstrings: a DOI leads to what it names."""

import re

DOI = re.compile(r"(?<![\w/])doi:(10\.\d+/\S*[^\s.,;)])")


def link(app, what, name, obj, options, lines):
    """Make links of the DOIs in the lines of a docstring."""
    lines[:] = [DOI.sub(r"`doi:\1 <https://doi.org/\1>`__", line) for line in lines]


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", link, priority=900)  # after numpydoc, at 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
