"""Periods that write dates as numbers."""

import numpy as np
import pandas as pd
import pytest
from small_panels import fit, panel, quiet_fit, sample_warnings

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

# Codes of five periods in a row, the gap that is named, and its length.
CODES = {
    "quarter": ([20154, 20161, 20162, 20163, 20164], "from 20154 to 20161 are 7 periods"),
    "half-year": ([20151, 20152, 20161, 20162, 20171], "from 20152 to 20161 are 9 periods"),
    "month": ([202011, 202012, 202101, 202102, 202103], "from 202012 to 202101 are 89 periods"),
    "yearly month": ([201906, 202006, 202106, 202206, 202306], "201906 to 202006 are 100 periods"),
    "week": ([202051, 202052, 202053, 202101, 202102], "from 202053 to 202101 are 48 periods"),
    "day": ([2020364, 2020365, 2020366, 2021001, 2021002], "2020366 to 2021001 are 635 periods"),
    "date": ([20240130, 20240131, 20240201, 20240202, 20240203], "20240131 to 20240201 are 70 "),
}


@pytest.fixture(scope="module")
def df():
    return panel()


def written(df, codes, first=2001):
    """The panel with other numbers for its periods."""
    number = dict(zip(range(first, first + 5), codes, strict=True))
    return df.assign(t=df["t"].map(number), g=df["g"].map(number).fillna(0).astype(int))


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("dtype", [int, float, "Int64"])
def test_codes_are_counted_as_numbers_with_a_warning(df, kind, dtype):
    codes, gap = CODES[kind]
    coded = written(df, codes).astype({"t": dtype})
    result, texts = sample_warnings(coded)
    assert len(texts) == 1
    assert gap in texts[0]
    assert texts[0].startswith("tname 't' looks like year")
    assert "Use Periods" in texts[0]
    assert max(result.tidy()["event_time"]) == codes[-1] - codes[2]
    assert len(sample_warnings(coded, panel=False, idname=None)[1]) == 1


@pytest.mark.parametrize("kind", ["quarter", "month", "day", "date"])
def test_the_remedy_runs(df, kind):
    coded = written(df, CODES[kind][0])
    remedy = sample_warnings(coded)[1][0].split("such as ")[1].split(", for tname")[0]
    time = pd.Series(eval(remedy, {"pd": pd, "df": coded}))
    cohort = df["g"].map(dict(zip(df["t"], time, strict=True)))
    result = fit(coded.assign(t=time, g=cohort))
    assert result.tidy()["event_time"].tolist() == fit(df).tidy()["event_time"].tolist()
    assert result.tidy()["time"].iloc[-1].year == int(str(CODES[kind][0][-1])[:4])


@pytest.mark.parametrize(
    "periods",
    [
        [2001, 2002, 2004, 2005, 2009],
        [202001, 202002, 202003, 202004, 202012],
        [20151, 20152, 20153, 20154, 20155],
        [20151, 20158, 20165, 20172, 20179],
        [202011, 202012, 202013, 202101, 202154],
        [1, 2, 3, 4, 5],
        [10, 20, 30, 40, 50],
        [-202012, -202011, -202001, -2, -1],
        [20240101, 20240102, 20240103, 20240104, 20240131],
        [20241301, 20241302, 20241401, 20241402, 20241403],
    ],
)
def test_other_numbers_are_what_they_are(df, periods):
    assert sample_warnings(written(df, periods))[1] == []


def test_only_periods_of_complete_rows_count(df):
    coded = written(df, [202010, 202011, 202012, 202101, 202102])
    coded["y"] = coded["y"].where(coded["t"] < 202100)
    assert not any("looks like" in text for text in sample_warnings(coded)[1])
    assert np.isfinite(quiet_fit(coded).tidy()["estimate"]).all()
