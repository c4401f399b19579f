"""Small data, and checks of what the package does with them, for the tests of the data side."""

import warnings

import numpy as np
import pandas as pd
import pytest

import didjack
from didjack import simulate

NAMES = {"yname": "y", "tname": "t", "gname": "g", "idname": "id", "cluster": "cl"}
COVARIATES = {"xformla": "~ x1 + x2", "weightsname": "w"}


def panel(**options):
    """Draw 48 units in 12 clusters, periods 2001 to 2005, cohorts 2003 and 2005, and never."""
    given = {"n_clusters": 12, "cluster_size": 4, "n_periods": 5, "first_period": 2001, "seed": 1}
    df = simulate.panel(**given | {"n_covariates": 1, "n_dummies": 1, "weights": True} | options)
    return df.rename(columns={"period": "t", "cohort": "g", "cluster": "cl"})


def fit(df, **options):
    """Fit with the names of `panel`; with `pname`, triple differences."""
    estimate = didjack.ddd if "pname" in options else didjack.csdid
    return estimate(df, **NAMES | options)


def quiet_fit(df, **options):
    """Fit; warnings of the package are expected, and checked elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        return fit(df, **options)


def regression(df, **options):
    """Fit by outcome regression, with the names of simulated data as they are."""
    names = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        return didjack.csdid(df, **{"cluster": "cluster", "est_method": "reg", **names, **options})


def numbers(result):
    """Return the table of a result without its labels."""
    return result.tidy().iloc[:, 3:]


def assert_same(result, other, labels=False):
    """All numbers of two results are the same to the last digit, perhaps also their labels."""
    pd.testing.assert_frame_equal(numbers(result), numbers(other), check_exact=True)
    np.testing.assert_array_equal(result.replicates().to_numpy(), other.replicates().to_numpy())
    if labels:
        pd.testing.assert_frame_equal(result.tidy(), other.tidy(), check_exact=True)


def assert_close(result, other, tolerance=1e-12):
    """All numbers of two results agree."""
    pd.testing.assert_frame_equal(numbers(result), numbers(other), rtol=tolerance, atol=tolerance)


def state(df):
    """Return everything that can be seen of a pandas frame, to find out whether it is changed."""
    return df.copy(deep=True), df.index.copy(), list(df.columns), df.dtypes.copy()


def assert_unchanged(df, before):
    """The frame is what it was."""
    copy, index, columns, dtypes = before
    pd.testing.assert_frame_equal(df, copy, check_exact=True)
    pd.testing.assert_index_equal(df.index, index, exact=True)
    assert list(map(repr, df.columns)) == list(map(repr, columns))
    assert df.dtypes.tolist() == dtypes.tolist()


def refusal(df, *parts, error=didjack.DataError, **options):
    """Fit, expect an error whose message has all `parts`, and no change of the frame.

    Sample warnings may come first; nothing else may.
    """
    before = state(df) if isinstance(df, pd.DataFrame) else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", didjack.SampleWarning)
        with pytest.raises(didjack.DidjackError) as caught:
            fit(df, **options)
    message = str(caught.value)
    assert type(caught.value) is error, message
    for part in parts:
        assert part in message
    assert "\n" not in message
    if before is not None:
        assert_unchanged(df, before)
    return message


def sample_warnings(df, **options):
    """Fit; return the result and the texts of the sample warnings, all of which point here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = fit(df, **options)
    assert all(issubclass(w.category, didjack.DidjackWarning) for w in caught)
    assert {w.filename for w in caught} <= {__file__}
    texts = [str(w.message) for w in caught if issubclass(w.category, didjack.SampleWarning)]
    return result, texts


def where(df, rows, column, value):
    """Put a value into some rows (by position) of a column, whatever its dtype."""
    values = df[column].astype(object).tolist()
    for row in rows:
        values[row] = value
    floats = isinstance(value, float) and df[column].dtype.kind in "iuf"
    dtype = float if floats else object
    return df.assign(**{column: pd.Series(values, index=df.index, dtype=dtype)})


def as_periods(df, start, freq):
    """Time and cohort of a panel as Periods; never-treated is NaT."""
    first = pd.Period(start, freq=freq)
    time = pd.Series(pd.PeriodIndex([first + int(t - 2001) for t in df["t"]]))
    periods = [first + int(g - 2001) if g else pd.NaT for g in df["g"]]
    return time, pd.Series(pd.PeriodIndex(periods, freq=freq))
