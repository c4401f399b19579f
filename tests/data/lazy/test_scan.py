"""Files whose columns have several types, and CSV files, as both engines read them."""

import datetime as dt
from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from lazy_tables import assert_alike

import didjack

BY_ENGINE = pytest.mark.parametrize("engine", ["duckdb", "polars"])
DAY, NOON = dt.date(2004, 2, 1), dt.datetime(2004, 2, 1, 12)
STAMPS = dict(yname="y", tname="period", gname="cohort", cluster="cluster", panel=False)


def rows(folder, engine):
    """Return the rows of files, sorted, and the type of their only column."""
    table = nw.from_native(didjack.scan(folder, engine=engine)).collect("pyarrow").to_native()
    values = table["x"].to_pylist()
    return sorted(values, key=lambda value: (value is None, value)), table.schema.field("x").type


def write(folder, *columns):
    for i, column in enumerate(columns):
        pq.write_table(pa.table({"x": column}), folder / f"{i}.parquet")


WIDER = {
    "whole numbers, floats": (
        [pa.array([1, 2]), pa.array([0.5])],
        ([0.5, 1.0, 2.0], pa.float64()),
    ),
    "floats, whole numbers": (
        [pa.array([0.5]), pa.array([2**53])],
        ([0.5, 2.0**53], pa.float64()),
    ),
    "floats of two sizes": (
        [pa.array([0.5], pa.float32()), pa.array([0.1])],
        ([0.1, 0.5], pa.float64()),
    ),
    "small whole numbers": (
        [pa.array([1], pa.int8()), pa.array([2**60]), pa.array([3], pa.uint8())],
        ([1, 3, 2**60], pa.int64()),
    ),
    "unsigned": (
        [pa.array([1], pa.uint32()), pa.array([2**64 - 1], pa.uint64())],
        ([1, 2**64 - 1], pa.uint64()),
    ),
    "unsigned, signed": (
        [pa.array([2**63 - 1], pa.uint64()), pa.array([-1])],
        ([-1, 2**63 - 1], pa.int64()),
    ),
    "decimals": (
        [pa.array([Decimal("1.50")]), pa.array([Decimal("12345.125")]), pa.array([2**62])],
        ([Decimal("1.5"), Decimal("12345.125"), Decimal(2**62)], pa.decimal128(22, 3)),
    ),
    "dates, times": (
        [pa.array([DAY]), pa.array([NOON], pa.timestamp("us"))],
        ([dt.datetime(2004, 2, 1), NOON], pa.timestamp("us")),
    ),
    "times of two units": (
        [pa.array([NOON], pa.timestamp("ns")), pa.array([NOON], pa.timestamp("us"))],
        ([pd.Timestamp(NOON)] * 2, pa.timestamp("ns")),
    ),
    "nothing, numbers": ([pa.nulls(1), pa.array([1])], ([1, None], pa.int64())),
    "no text, text": (
        [pa.array([None], pa.float64()), pa.array(["a"])],
        (["a", None], pa.string()),
    ),
    "categories, text": (
        [pa.array(["a"]).dictionary_encode(), pa.array(["b"])],
        (["a", "b"], pa.string()),
    ),
}


@BY_ENGINE
@pytest.mark.parametrize("case", WIDER)
def test_files_are_read_at_the_widest_type(tmp_path, engine, case):
    columns, (values, kind) = WIDER[case]
    for order in (columns, columns[::-1]):
        write(tmp_path, *order)
        found, dtype = rows(tmp_path, engine)
        assert found == values
        assert dtype == kind or (pa.types.is_large_string(dtype) and kind == pa.string())


NO_TYPE = {
    "text, numbers": [pa.array(["01"]), pa.array([1])],
    "text, dates": [pa.array(["2004-02-01"]), pa.array([DAY])],
    "truth values, numbers": [pa.array([True]), pa.array([1])],
    "dates, numbers": [pa.array([DAY]), pa.array([1])],
    "decimals, floats": [pa.array([Decimal("0.10")]), pa.array([0.1])],
    "decimals of too many digits": [
        pa.array([Decimal(1)], pa.decimal128(38, 0)),
        pa.array([Decimal("0.5")], pa.decimal128(3, 2)),
    ],
    "bytes, text": [pa.array([b"a"]), pa.array(["a"])],
    "time zones": [pa.array([NOON], pa.timestamp("us", "UTC")), pa.array([NOON])],
    "whole numbers that floats do not hold": [pa.array([2**53 + 1]), pa.array([0.5])],
    "the same below zero": [pa.array([0.5]), pa.array([-(2**53) - 1])],
    "unsigned ones": [pa.array([2**53 + 1], pa.uint64()), pa.array([0.5])],
    "unsigned, signed": [pa.array([2**63], pa.uint64()), pa.array([-1])],
    "dates that nanoseconds do not reach": [
        pa.array([dt.date(9999, 12, 31)]),
        pa.array([NOON], pa.timestamp("ns")),
    ],
    "times that nanoseconds do not reach": [
        pa.array([dt.datetime(1, 1, 1)], pa.timestamp("us")),
        pa.array([NOON], pa.timestamp("ns")),
    ],
    "dates beyond the calendar": [pa.array([10**7], pa.date32()), pa.array([NOON])],
}


@BY_ENGINE
@pytest.mark.parametrize("case", NO_TYPE)
def test_files_of_types_that_do_not_go_together_are_refused(tmp_path, engine, case):
    for columns in (NO_TYPE[case], NO_TYPE[case][::-1]):
        write(tmp_path, *columns)
        with pytest.raises(didjack.DataError, match=r"column 'x' is .* in .*\d\.parquet"):
            didjack.scan(tmp_path, engine=engine)


@BY_ENGINE
def test_a_column_that_a_file_does_not_have(tmp_path, engine):
    one, two = pa.table({"x": [1], "y": [2]}), pa.table({"x": [3]})
    for first, second, lacks in ((one, two, "1"), (two, one, "0")):
        pq.write_table(first, tmp_path / "0.parquet")
        pq.write_table(second, tmp_path / "1.parquet")
        with pytest.raises(didjack.DataError, match=rf"{lacks}\.parquet has no column 'y'"):
            didjack.scan(tmp_path, engine=engine)


@BY_ENGINE
def test_columns_in_another_order(tmp_path, engine):
    pq.write_table(pa.table({"x": [1], "y": [2]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"y": [4], "x": [3]}), tmp_path / "1.parquet")
    assert rows(tmp_path, engine)[0] == [1, 3]
    for i in range(2):
        table = pq.read_table(tmp_path / f"{i}.parquet")
        pyarrow.csv.write_csv(table, tmp_path / f"{i}.csv")
    assert rows(tmp_path / "*.csv", engine)[0] == [1, 3]


@BY_ENGINE
def test_names_of_files_that_look_like_patterns(tmp_path, engine):
    write(tmp_path, pa.array([1]), pa.array([2.5]))
    (tmp_path / "0.parquet").rename(tmp_path / "a[1].parquet")
    assert rows(tmp_path, engine)[0] == [1.0, 2.5]


@BY_ENGINE
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_outcomes_that_are_whole_in_one_file(tmp_path, engine, ending):
    df = didjack.simulate.repeated_cross_section(n_clusters=20, n_covariates=0, seed=7)
    first = df["period"] == df["period"].min()
    df["y"] = df["y"].where(~first, df["y"].round())
    for period, part in df.groupby("period"):
        if period == df["period"].min():
            part = part.astype({"y": "int64"})
        if ending == "csv":
            part.to_csv(tmp_path / f"{period:02d}.csv", index=False)
        else:
            part.to_parquet(tmp_path / f"{period:02d}.parquet")
    lazy = didjack.csdid(didjack.scan(tmp_path / f"*.{ending}", engine=engine), **STAMPS)
    assert_alike(didjack.csdid(df, **STAMPS), lazy, named=False)


CELLS = {
    "codes": (["1", "01"], ["01", "1"]),
    "codes beyond the first rows": (["1"] * 30_000 + ["02"], ["02"] + ["1"] * 30_000),
    "long codes": (["9" * 19, "1"], ["1", "9" * 19]),
    "long codes, one missing": (["9" * 18, "NA", ""], [10**18 - 1, None, None]),
    "long codes among decimals": (["9" * 18, "1.5"], ["1.5", "9" * 18]),
    "signed codes": (["+1", "1", "01"], ["+1", "01", "1"]),
    "padded": ([" 1", "1"], [" 1", "1"]),
    "codes that look like powers": (["1E2", "100"], ["100", "1E2"]),
    "digits of another script": (["1", "\u0661"], ["1", "\u0661"]),
    "letters": (["1", "1a"], ["1", "1a"]),
    "whole": (["-1", "0", "20"], [-1, 0, 20]),
    "decimals": (["1", ".5", "-2.50", "3."], [-2.5, 0.5, 1.0, 3.0]),
    "decimals beyond the first rows": (["1"] * 30_000 + ["0.5"], [0.5] + [1.0] * 30_000),
    "powers": (["1e-05", "1.5E10", "-2e+3"], [-2000.0, 1e-5, 1.5e10]),
    "infinite": (["2004", "inf", "-Infinity"], [-np.inf, 2004.0, np.inf]),
    "all digits": (["0.1", "0.30000000000000004"], [0.1, 0.30000000000000004]),
    "truth values": (["True", "false"], [False, True]),
    "dates": (["2004-02-01", "2004-01-31"], [dt.date(2004, 1, 31), DAY]),
    "times": (
        ["2004-02-01 12:00:00", "2004-02-01T00:00:00"],
        [dt.datetime(2004, 2, 1), NOON],
    ),
    "dates of another order": (["01/02/2004", "31/12/2003"], ["01/02/2004", "31/12/2003"]),
    "nothing": (["", "NaN"], [None, None]),
}


@pytest.mark.thin(2)
@BY_ENGINE
@pytest.mark.parametrize("case", CELLS)
@pytest.mark.parametrize("files", [1, 2])
def test_csv_cells_are_what_they_write(tmp_path, engine, case, files):
    cells, values = CELLS[case]
    cut = 0 if files == 1 else len(cells) - 1
    for i, some in enumerate((cells[:cut], cells[cut:])[2 - files :]):
        lines = "".join(f"{cell},\n" for cell in some)
        (tmp_path / f"{i}.csv").write_text("x,other\n" + lines)
    found, _ = rows(tmp_path / "*.csv", engine)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@BY_ENGINE
def test_labels_with_leading_zeros(tmp_path, engine):
    df = didjack.simulate.panel(n_clusters=12, cluster_size=5, seed=7)
    df["cluster"] = ["0" * (c % 2) + str(c // 2 + 1) for c in df["cluster"].astype(int)]
    df.to_csv(tmp_path / "a.csv", index=False)
    options = STAMPS | {"panel": True, "idname": "id"}
    lazy = didjack.csdid(didjack.scan(tmp_path / "a.csv", engine=engine), **options)
    assert_alike(didjack.csdid(df, **options), lazy)
