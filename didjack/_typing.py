"""Arrays by the type of their elements, and the code of never-treated units."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = np.int64(2**62)
"""The cohort code of never-treated units: later than any period."""
