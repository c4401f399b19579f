"""Tables that change while they are read, between any two queries."""

import duckdb
import numpy as np
import pytest
from lazy_tables import assert_alike, refused
from small_panels import NAMES, panel, where

import didjack
from didjack.data.lazy.lazy_table import LazyTable

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

OPTIONS = NAMES | {"xformla": "~ x2", "weightsname": "w", "est_method": "reg"}

COUNTED = {
    "a row less": "DELETE FROM a WHERE id = 17 AND t = 2003",
    "a unit less": "DELETE FROM a WHERE id = 17",
    "nothing left": "DELETE FROM a",
    "a unit more": "INSERT INTO a SELECT * REPLACE (1000 AS id) FROM a WHERE id = 17",
    "an outcome less": "UPDATE a SET y = NULL WHERE id = 17 AND t = 2003",
    "another cohort": "UPDATE a SET g = 2004 WHERE id = 17",
    "cohorts": "UPDATE a SET g = 2005 WHERE g = 2003",
    "periods": "UPDATE a SET t = 2006 WHERE t = 2005",
}
"""What the query that counts units sees."""

SUMMED = {
    "outcomes": "UPDATE a SET y = 2 * y",
    "weights": "UPDATE a SET w = 2 * w WHERE id = 17",
    "outcomes by a little": "UPDATE a SET y = 1.0001 * y",
    "weights by a little": "UPDATE a SET w = 1.001 * w WHERE id = 17",
    "a cluster": "UPDATE a SET cl = 99 WHERE id = 17",
    "a covariate": "UPDATE a SET x2 = 1 - x2 WHERE id = 17",
    "a row's unit": "UPDATE a SET id = 30 WHERE id = 17 AND t = 2003",
    "units of two rows": "UPDATE a SET id = 37 - id WHERE id IN (7, 30) AND t = 2003",
}
"""What grouping rows again sees, too."""


@pytest.fixture
def changing(monkeypatch):
    """Make a table that changes after so many queries."""
    fetch = LazyTable.fetch

    def make(df, change, after):
        connection, asked = duckdb.connect(), []
        connection.register("df", df)
        connection.execute("CREATE TABLE a AS SELECT * FROM df")

        def noted(self, query, what):
            found = fetch(self, query, what)
            asked.append(what)
            if len(asked) == after:
                connection.execute(change)
            return found

        monkeypatch.setattr(LazyTable, "fetch", noted)
        return connection.table("a")

    return make


def short():
    """A panel whose units are grouped again."""
    return where(panel(), [30], "y", np.nan)[:-5].drop(index=[100, 140])


@pytest.mark.parametrize("change", COUNTED)
def test_before_units_are_counted(changing, change):
    message = refused(changing(panel(), COUNTED[change], after=2), **OPTIONS)
    assert message.startswith("data changed while it was read")


@pytest.mark.thin(3)
@pytest.mark.parametrize("change", COUNTED | SUMMED)
def test_before_rows_are_grouped_again(changing, change):
    table = changing(short(), (COUNTED | SUMMED)[change], after=3)
    message = refused(table, **OPTIONS, allow_unbalanced_panel="row" in change)
    assert message.startswith("data changed while it was read")


def test_numbers_of_rows_are_said(changing):
    message = refused(changing(panel(), COUNTED["a unit less"], after=2), **OPTIONS)
    assert message == (
        "data changed while it was read (240 rows, then 235); give a table that stays as it is, "
        "such as a copy"
    )


@pytest.mark.parametrize("change", ["outcomes", "weights", "a cluster", "a covariate"])
def test_what_was_read_is_what_counts(changing, change):
    """A balanced panel is grouped once: later outcomes make no difference."""
    lazy = didjack.csdid(changing(panel(), SUMMED[change], after=2), **OPTIONS)
    assert_alike(didjack.csdid(panel(), **OPTIONS), lazy)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_tables_that_are_gone(changing, after):
    message = refused(changing(short(), "DROP TABLE a", after=after), **OPTIONS)
    assert message.startswith(
        "duckdb could not read data: Catalog Error: Table with name a does not"
    )


def test_random_rows():
    connection, df = duckdb.connect(), panel()
    connection.register("df", df)
    table = connection.sql("SELECT * FROM df WHERE random() < 0.9")
    assert refused(table, **OPTIONS).startswith("data changed while it was read")
