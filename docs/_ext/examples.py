"""What the first example of a page makes, and the picture that README and the home page show of it.

As a script (``python docs/_ext/examples.py``), draw that picture anew.
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
HOME = {"home_light.png": ["default"], "home_dark.png": ["dark_background", DARK]}
"""Files of the picture in `_static`, and the styles that each is drawn in."""
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


def draw_home(folder):
    """Draw the picture of the home page into a folder, for light and for dark pages."""
    for name, styles in HOME.items():
        with plt.style.context([*styles, PLAIN_TEXT], after_reset=True):
            figure = first_example("index.md")["ax"].figure
            # Dark pages have shades of their own; on all others the picture brings its white.
            figure.savefig(
                folder / name, dpi=DPI, transparent=DARK in styles, metadata={"Software": None}
            )
            plt.close(figure)


if __name__ == "__main__":
    draw_home(DOCS / "_static")
