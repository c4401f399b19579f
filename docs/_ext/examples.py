"""What the first example of a page makes, and the figures that pages show of it.

As a script (``python docs/_ext/examples.py``), draw these figures again.
"""

import contextlib
import io
import re
import warnings
from pathlib import Path

import matplotlib.pyplot as plt

DOCS = Path(__file__).parents[1]
DARK = {"axes.facecolor": "#0d1117"}
"""Behind a legend and in open markers, which keep their color where all else is transparent."""
FIGURES = {"index.md": "home", "comparing_groups.md": "groups"}
"""How the files in `_static` begin that have the figure of a page."""
STYLES = {"light": ["default"], "dark": ["dark_background", DARK]}
"""Two of each, and the styles that these are drawn in."""
PLAIN_TEXT = {"text.hinting": "none"}
DPI = 200


def first_example(page):
    """What the first example of a page makes, by name."""
    code = re.search(r"^```python\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.M | re.S)
    made = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(code[1], made)
    return made


def files_of(page):
    """Name the files of the figure of a page, with the styles of each."""
    return {f"{FIGURES[page]}_{name}.png": styles for name, styles in STYLES.items()}


def draw_figure(page, folder):
    """Draw the figure of a page into a folder, for light and for dark pages."""
    for name, styles in files_of(page).items():
        with plt.style.context([*styles, PLAIN_TEXT], after_reset=True):
            figure = first_example(page)["ax"].figure
            # Dark pages have shades of their own; on all others the figure brings its white.
            figure.savefig(
                folder / name, dpi=DPI, transparent=DARK in styles, metadata={"Software": None}
            )
            plt.close(figure)


if __name__ == "__main__":
    for each in FIGURES:
        draw_figure(each, DOCS / "_static")
