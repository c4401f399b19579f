"""How pictures are compared with stored ones."""

import re

import matplotlib as mpl
import pytest
from matplotlib.testing.compare import compare_images

TOLERANCE = 3.0
# Matplotlib 3.11 draws text anew: letters are as wide as they should be, and everything beside
# them moves by a pixel or two, which no tolerance tells from a defect. With older versions, what
# pictures show is tested, but not how they look.
VERSION = tuple(map(int, re.findall(r"\d+", mpl.__version__)[:2]))
draws_text = pytest.mark.skipif(
    VERSION < (3, 11), reason="text is drawn otherwise before matplotlib 3.11"
)


def difference(stored, drawn):
    """Say how two pictures differ; None if they do not."""
    return compare_images(str(stored), str(drawn), tol=TOLERANCE)
