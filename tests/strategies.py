"""Random small designs for the property tests, with hypothesis."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

LABELS = {
    "as they are": lambda h: h,
    "negative": lambda h: -3 * h - 1,
    "text": lambda h: f"cluster {h:02d}",
    "unicode": lambda h: "äß語ñ"[h % 4] + str(h),
    "tuples": lambda h: ("a", h),
    "mixed": lambda h: h if h % 2 else f"c{h}",
}
"""Labels of clusters, in the tests of relabelling."""

UNITS = {
    "leading zeros": lambda i: "0" * (i % 3) + str(i // 3),  # "1", "01" and "001" are three units
    "negative": lambda i: 7 - 2 * i,
    "upper and lower case": lambda i: ("Unit ", "unit ", "UNIT ")[i % 3] + str(i // 3),
}
"""Labels of units, of which some differ only in what a careless reader would drop."""

DTYPES = ("int64", "int8", "int16", "float32", "float64", "object", "Int64", "Float64")
"""Types of periods and cohorts, which are small whole numbers."""


def years(values, first=1995):
    """Turn periods 1, 2, ... into first days of years; 0, never treated, into NaT."""
    dates = [pd.NaT if value == 0 else pd.Timestamp(first + int(value), 1, 1) for value in values]
    return pd.Series(dates, dtype="datetime64[ns]")


CALENDARS = {
    "years": years,
    "ends of years": lambda values: years(values) + pd.offsets.YearEnd(),
    "years in seconds": lambda values: years(values).astype("datetime64[s]"),
    "Periods of years": lambda values: years(values).dt.to_period("Y"),
    "Periods of quarters": lambda values: pd.Series(
        [pd.NaT if value == 0 else pd.Period("1999Q3") + int(value) for value in values],
        dtype="period[Q-DEC]",
    ),
}
"""Periods and cohorts as dates and pandas Periods."""


@st.composite
def designs(draw, methods=("reg",), units=(2, 6)):
    """Draw a table with period, cohort, id, cluster, y, x1, w, wt, w0; and options of `csdid`.

    `units` bounds the number of units in a cluster: a logit of very few fails in most cells.
    Methods other than outcome regression have a covariate: without one, all are the same.
    Outcomes are drawn by a seed: designs are what matters. Some of the weights w0 are zero.
    """
    sample = draw(st.sampled_from(["panel", "unbalanced", "repeated"]))
    n_periods = draw(st.integers(3, 6))
    last = n_periods + 1  # a cohort that is treated after all periods
    cohorts = draw(
        st.lists(st.sampled_from([0, 0, *range(2, last + 1)]), min_size=3, max_size=8).filter(
            lambda found: 0 in found and any(2 <= g <= n_periods for g in found)
        )
    )
    sizes = draw(st.lists(st.integers(*units), min_size=len(cohorts), max_size=len(cohorts)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    df = _rows(np.array(cohorts), np.array(sizes), n_periods, rng, sample != "repeated")
    if sample == "unbalanced":
        df = df[rng.random(len(df)) > 0.1]
    options = {
        "panel": sample != "repeated",
        "allow_unbalanced_panel": sample == "unbalanced",
        "weightsname": draw(st.sampled_from([None, "w", "wt", "w0"])),
        "control_group": draw(st.sampled_from(["nevertreated", "notyettreated"])),
        "anticipation": draw(st.integers(0, 2)),
        "base_period": draw(st.sampled_from(["varying", "universal"])),
        "est_method": draw(st.sampled_from(methods)),
    }
    formulas = [None, None, "~ x1"] if options["est_method"] == "reg" else ["~ x1"]
    options["xformla"] = draw(st.sampled_from(formulas))
    return df.sample(frac=1.0, random_state=0).reset_index(drop=True), options


def _rows(cohorts, sizes, n_periods, rng, panel):
    """Draw units of each cluster, or rows in each period, with a movement of their cluster."""
    cluster = np.repeat(np.arange(cohorts.size), sizes)
    n = cluster.size
    movement = rng.normal(size=(n_periods, cohorts.size))
    fixed = _covariate(rng, n), rng.uniform(0.5, 2.0, n), rng.normal(size=n)
    frames = []
    for j in range(n_periods):
        x1, w, level = fixed
        if not panel:
            x1, w, level = _covariate(rng, n), rng.uniform(0.5, 2.0, n), rng.normal(size=n)
        frames.append(
            pd.DataFrame(
                {
                    "id": np.arange(n),
                    "cluster": cluster,
                    "period": j + 1,
                    "cohort": cohorts[cluster],
                    "y": level + 0.3 * j * x1 + movement[j, cluster] + rng.normal(size=n),
                    "x1": x1,
                    "w": w,
                    "wt": w * rng.uniform(0.8, 1.25, n),
                    "w0": np.where(w < 0.7, 0.0, w),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _covariate(rng, n):
    """Draw values that are equal or 0.1 apart.

    With two rows in a cell whose values differ by 1e-4 the estimate is a thousand times as large
    as the outcomes, and has lost as many digits, whoever computes it.
    """
    return rng.normal(size=n).round(1)
