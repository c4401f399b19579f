"""Some rows of a clean sample."""

import numpy as np
import pandas as pd
import pytest
from small_panels import COVARIATES, NAMES, panel

from didjack.data.clean import clean
from didjack.data.labels import renumber
from didjack.options import EstimationOptions, SampleOptions

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

ARRAYS = ("y", "cohort", "cluster", "weight", "x")


def test_some_rows_of_a_sample():
    """Periods and units are those of the rows; clusters stay what they are."""
    df = panel()
    data = clean(df, SampleOptions(**NAMES | COVARIATES), EstimationOptions())
    kept = (df["id"] % 2 == 0) & (df["t"] != 2003)
    part = data.take(kept.to_numpy())
    alone = clean(df[kept], SampleOptions(**NAMES | COVARIATES), EstimationOptions())
    for name in (*ARRAYS, "period", "unit", "periods"):
        np.testing.assert_array_equal(getattr(part, name), getattr(alone, name), err_msg=name)
    assert part.cluster_labels is data.cluster_labels
    assert data.y.size == 240


def test_some_rows_of_repeated_cross_sections():
    """A row is its own unit; without weights and covariates there are none to take."""
    options = SampleOptions(**NAMES | {"idname": None}, panel=False)
    data = clean(panel(), options, EstimationOptions())
    part = data.take(data.period > 0)
    assert part.unit.size == 0
    assert part.weight is part.x is None
    assert part.periods.tolist() == [2002, 2003, 2004, 2005]
    assert part.period.min() == 0


@pytest.mark.parametrize("codes", [[0], [2, 0, 2], [-1, 3, 1, -1], [-1], [0, 1, 2, 3], []])
def test_renumber(codes):
    codes = np.array(codes, dtype=np.int64)
    new, present = renumber(codes, 4)
    want, labels = pd.factorize(np.where(codes < 0, np.nan, codes), sort=True)
    assert new.tolist() == want.tolist()
    assert np.flatnonzero(present).tolist() == labels.tolist()
