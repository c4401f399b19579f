"""Copies for the user, who may change them: before pandas 3 frames share what they are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from didjack._typing import Floats


def own_index(index: pd.Index) -> pd.Index:
    """Copy labels and names."""
    return index.copy(deep=True)


def own_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy a table, its labels and its attributes."""
    return frame.copy().set_axis(own_index(frame.index)).set_axis(own_index(frame.columns), axis=1)


def labelled(values: Floats, rows: pd.Index, columns: pd.Index | list[str]) -> pd.DataFrame:
    """Make a table of values, (n, m), that shares nothing with them or their labels."""
    if isinstance(columns, pd.Index):
        columns = own_index(columns)
    return pd.DataFrame(np.array(values), index=own_index(rows), columns=columns)
