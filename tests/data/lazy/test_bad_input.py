"""Bad input: the messages of tables in memory, and those that only lazy tables need."""

import re

import numpy as np
import pandas as pd
import pytest
from lazy_tables import ENGINES, refused, without_row_numbers
from small_panels import COVARIATES, NAMES, panel, where

BY_ENGINE = pytest.mark.parametrize("engine", ENGINES)

BAD = {
    "no column": (lambda d: d.drop(columns="y"), {}),
    "no covariate": (lambda d: d, {"xformla": "~ x11"}),
    "no rows": (lambda d: d[:0], {}),
    "text outcome": (lambda d: d.assign(y="a"), {}),
    "negative weights": (lambda d: d.assign(w=d["w"] - 2), COVARIATES),
    "large outcomes": (lambda d: d.assign(y=d["y"] * 1e200), {}),
    "all missing": (lambda d: d.assign(y=np.nan), {}),
    "no weight": (lambda d: d.assign(w=0.0), COVARIATES),
    "one period": (lambda d: d[d["t"] == 2003], {}),
    "not whole": (lambda d: d.assign(t=d["t"] + 0.5), {}),
    "-inf": (lambda d: where(d.assign(g=d["g"] * 1.0), [3, 4], "g", -np.inf), {}),
    "dummy": (lambda d: d.assign(g=(d["g"] > 0).astype(int)), {}),
    "missing and coded": (lambda d: where(d, [8, 9], "g", np.nan), {}),
    "all treated": (lambda d: d.assign(g=2003), {}),
    "none treated": (lambda d: d.assign(g=0), {}),
    "-1": (lambda d: d.assign(g=d["g"].replace(0, -1)), {}),
    "two cohorts": (lambda d: where(d, [1, 7, 8, 50], "g", 2004), {}),
    "never and treated": (lambda d: where(d.assign(g=d["g"] * 1.0), [0, 7, 60], "g", np.inf), {}),
    "two clusters": (lambda d: where(d, [7, 8, 50], "cl", 99), {}),
    "twice": (lambda d: pd.concat([d, d[7:9], d[:1], d[100:103]]), {}),
    "twice and thrice": (lambda d: pd.concat([d, d[7:9], d[7:8]]), {}),
    "nobody in all periods": (lambda d: d[d["t"] != 2001 + d["id"] % 5], {}),
    "one cluster": (lambda d: d.assign(cl=1), {}),
    "numbers as text": (lambda d: d.assign(x2=d["x2"].astype(str) + ".5"), COVARIATES),
    "bad formula": (lambda d: d, {"xformla": "~ np.log(x2, nothing=1)"}),
}


@BY_ENGINE
@pytest.mark.parametrize("name", BAD)
def test_messages_are_those_of_memory(name, engine):
    change, options = BAD[name]
    df = change(panel()).reset_index(drop=True)
    want = refused(df, **NAMES | options)
    got = refused(ENGINES[engine](df), **NAMES | options)
    assert without_row_numbers(got) == without_row_numbers(want)
    assert re.search(r"\brow \d", got) is None
