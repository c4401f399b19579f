"""The ledger of the sample rules, and their warnings."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from small_panels import NAMES, fit, panel, sample_warnings, where

import didjack
from didjack import SampleWarning

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


@pytest.fixture(scope="module")
def df():
    return panel()


def test_the_ledger_is_a_copy(df):
    result = fit(df)
    mine = result.sample
    mine.loc[0, "n_rows"] = -1
    assert result.sample["n_rows"].tolist() == [240]


def test_warnings_point_at_the_line_of_the_user(df):
    gaps = where(df, [3], "y", np.nan)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        didjack.csdid(gaps, **NAMES)
    assert {w.filename for w in caught} == {__file__}
    about_rows = [w for w in caught if not issubclass(w.category, didjack.FewClustersWarning)]
    assert about_rows
    assert all(issubclass(w.category, SampleWarning) for w in about_rows)
    assert all("see result.sample" in str(w.message) for w in about_rows)


def test_warnings_point_at_users_whose_folder_has_a_similar_name(df, tmp_path):
    """A script beside the package, in a folder whose name starts with that of the package."""
    folder = tmp_path / "didjack_project"
    folder.mkdir()
    where(df, [3], "y", np.nan).to_csv(folder / "data.csv", index=False)
    (folder / "didjack_script.py").write_text(
        "import pandas as pd, didjack\n"
        f"didjack.csdid(pd.read_csv({str(folder / 'data.csv')!r}), **{NAMES!r})\n"
    )
    run = subprocess.run(
        [sys.executable, str(folder / "didjack_script.py")], capture_output=True, text=True
    )
    assert run.returncode == 0
    assert "didjack_script.py:2: SampleWarning: dropped 1 row of 1 unit" in run.stderr


def test_warnings_can_be_errors(df):
    gaps = where(df, [3], "y", np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SampleWarning)
        with pytest.raises(SampleWarning, match="dropped 1 row"):
            fit(gaps)


def test_each_rule_warns_once(df):
    """However many rows and units it concerns."""
    gaps = where(df, range(0, 100, 5), "y", np.nan)
    _, texts = sample_warnings(gaps)
    assert len(texts) == 2
    assert all(len(text) < 200 for text in texts)
