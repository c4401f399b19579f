"""Formulas as MathML, by math-core: they need no script, and no network, to be read."""

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.util import logging

CONVERTER = LatexToMathML()
logger = logging.getLogger(__name__)


def visit_inline(translator, node):
    translator.body.append(mathml(node, displaystyle=False))
    raise nodes.SkipNode


def visit_block(translator, node):
    translator.body += ['<div class="math">', mathml(node, displaystyle=True), "</div>\n"]
    raise nodes.SkipNode


def mathml(node, displaystyle):
    """The MathML of a formula; one that cannot be read is a warning, and so fails `make docs`."""
    try:
        return CONVERTER.convert_with_local_state(node.astext(), displaystyle=displaystyle)
    except LatexError as error:
        logger.warning("%s: %s", error, node.astext(), location=node)
        return ""


def setup(app):
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(visit_inline, None),
        block_renderers=(visit_block, None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
