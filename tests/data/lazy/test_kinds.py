"""Kinds of columns, and their names: the same as in memory, or an error that says what is wrong."""

from decimal import Decimal

import duckdb
import polars as pl
import pytest
from lazy_tables import CROSS_SECTIONS, ENGINES, assert_alike, assert_same_answer, refused
from small_panels import COVARIATES, NAMES, panel

import didjack

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

OPTIONS = NAMES | COVARIATES | {"est_method": "reg"}
col = pl.col


def date(name):
    return pl.when(col(name) > 0).then(pl.date(col(name), 7, 1)).alias(name)


def text(name):
    return col(name).cast(pl.String).alias(name)


def backwards(n):
    """Levels whose order is not that of the letters."""
    return pl.Enum([str(i) for i in range(n, -1, -1)])


SMALL = [
    (col("y") * 20).round().cast(pl.Int8),
    (col("w") * 60).round().cast(pl.Int8),
    (col("x1") * 10).round().cast(pl.Int8),
    *((col(name) - 2000).clip(0).cast(pl.Int8) for name in "tg"),  # never-treated is 0
    col("id", "cl").cast(pl.UInt8),
]

KINDS = {
    "8 bits": (SMALL, {}),
    "unsigned weights": ([pl.lit(2**64 - 1, dtype=pl.UInt64).alias("w")], {}),
    "weights of 16 bits": ([pl.lit(60_000, dtype=pl.UInt16).alias("w")], {}),
    "large labels": ([col("id") + 2**62, col("cl").cast(pl.UInt64) + 2**63], {}),
    "single precision": ([col("y", "w", "x1", "t", "g", "id", "cl").cast(pl.Float32)], {}),
    "truth values": ([col("y") > 0, col("x2") > 0, col("w") > 1, (col("cl") > 5)], {}),
    "truth values as cohorts": ([col("g") > 0], {}),
    "decimals": (
        [
            col("y", "x1").cast(pl.Decimal(18, 4)),
            col("w").cast(pl.Decimal(12, 2)),
            col("t", "g", "id", "cl").cast(pl.Decimal(20, 0)),
        ],
        {},
    ),
    "decimals as large labels": (
        [(col("id", "cl").cast(pl.Int64) + 2**62).cast(pl.Decimal(20, 0))],
        {},
    ),
    "categories": ([text("cl").cast(pl.Categorical), text("x2").cast(pl.Categorical)], {}),
    "levels": (
        [
            text("id").cast(backwards(50)),
            text("cl").cast(backwards(13)),
            text("x2").cast(backwards(2)),
        ],
        {"xformla": "~ x1 + C(x2)"},
    ),
    "dates": ([date("t"), date("g")], {}),
    "dates as labels": (
        [(pl.date(2000, 1, 1) + pl.duration(days=col(name))).alias(name) for name in ("id", "cl")],
        {},
    ),
    "nanoseconds": ([date("t").cast(pl.Datetime("ns")), date("g").cast(pl.Datetime("ns"))], {}),
    "time zones": (
        [date(n).cast(pl.Datetime("us")).dt.replace_time_zone("America/Lima") for n in "tg"],
        {},
    ),
    "one time zone": (
        [date("t").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), date("g")],
        {},
    ),
    "dates and numbers": ([date("t")], {}),
    "dates as outcomes": ([date("t").alias("y")], {}),
    "lists": ([pl.concat_list("x2")], {}),
    "nothing": ([pl.lit(None).alias("w")], {}),
    "odd text": ([pl.lit("é;--'\"\\%").add(text(name)).alias(name) for name in ("id", "cl")], {}),
    "zero and minus zero": (
        [
            pl.when(col("id") % 2 == 0).then(0.0).otherwise(-0.0).alias("x1"),
            pl.when((col("t") % 2 == 0) & (col("g") == 0))
            .then(-0.0)
            .otherwise(col("g"))
            .alias("g"),
        ],
        {},
    ),
}


@pytest.mark.thin(2)
@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_columns(kind, sample):
    """Of a panel in which a unit is short, and of repeated cross sections; engines take turns."""
    columns, options = KINDS[kind]
    df = pl.from_pandas(panel()).with_columns(col("x1").round()).with_columns(*columns)[1:]
    turn = list(KINDS).index(kind) + bool(sample)
    assert_same_answer(df, list(ENGINES.values())[turn % 2](df), **OPTIONS | options | sample)


@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
def test_numbers_of_128_bits(sample):
    """Sums of whole numbers are of this type in DuckDB."""
    df = pl.from_pandas(panel()).with_columns(col("y").round().cast(pl.Int64))[1:]
    wide = df.with_columns(col("y", "id", "cl", "t", "g").cast(pl.Int128)).lazy()
    huge = duckdb.connect().from_arrow(df.to_arrow()).select(
        "* REPLACE (CAST(y AS HUGEINT) AS y, CAST(id AS HUGEINT) AS id, CAST(t AS UHUGEINT) AS t)"
    )  # fmt: skip
    for table in (wide, huge):
        assert_same_answer(df, table, **OPTIONS | sample)
    message = refused(wide.with_columns(col("id") + 2**100), **OPTIONS)
    assert message.startswith("polars could not read its first rows: ")
    assert "failed in column 'id'" in message


NAMED = {
    "blanks": "the {}",
    "quotes": "{}\"'`",
    "semicolons": "{};--",
    "letters": "ß企{}",
    "upper case": "{}X",
    "digits": "1{}",
    "names of its own": "didjack_{}",
}


@pytest.mark.thin(2)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", NAMED)
def test_names_of_columns(kind, engine):
    names = {name: NAMED[kind].format(name) for name in ("y", "t", "g", "id", "cl", "w", "x2")}
    df = pl.from_pandas(panel()).rename(names)[1:]
    quoted = {option: names[name] for option, name in (NAMES | {"weightsname": "w"}).items()}
    formula = {} if "`" in NAMED[kind] else {"xformla": f"~ `{names['x2']}`"}
    assert_same_answer(df, ENGINES[engine](df), est_method="reg", **quoted, **formula)


@pytest.mark.parametrize("engine", ENGINES)
def test_words_of_the_language(engine):
    words = {"y": "select", "t": "order", "g": "group", "id": "table", "cl": "from", "w": "n"}
    df = pl.from_pandas(panel()).rename(words)[1:]
    options = {option: words[name] for option, name in (NAMES | {"weightsname": "w"}).items()}
    assert_same_answer(df, ENGINES[engine](df), est_method="reg", xformla="~ x2", **options)


def test_names_that_differ_in_case():
    df = pl.from_pandas(panel()).rename({"id": "G"})
    options = OPTIONS | {"idname": "G"}
    assert_same_answer(df, df.lazy(), **options)
    message = refused(ENGINES["duckdb"](df), **options)  # which gives one of them another name
    assert message.startswith("gname: data has no column 'g' (did you mean 'G'?); columns: ")
    assert "g_1" in message


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_stand_for_something_else(engine):
    df = pl.from_pandas(panel()).rename({"id": "*"})
    message = refused(ENGINES[engine](df), **OPTIONS | {"idname": "*"})
    assert message == (
        f"idname '*': {engine} gives a part of this name another meaning; rename the column "
        "with letters, digits and underscores"
    )


@pytest.mark.parametrize("name", ["", "\0", "a\0b"])
@pytest.mark.parametrize("role", ["yname", "tname", "gname", "idname", "cluster"])
def test_names_that_polars_cannot_hand_over(role, name):
    """Some of these were a PanicException, which is no Exception."""
    df = pl.from_pandas(panel()).rename({NAMES[role]: name}).lazy()
    for options in ({}, {"collect": True}):
        message = refused(df, **OPTIONS | {role: name} | options)
        assert message.startswith(f"{role} {name!r}: engines accept neither an empty name nor")


@pytest.mark.thin(3)
@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("role", ["id", "cl"])
def test_labels_that_are_decimals_keep_all_digits(role, engine, sample):
    far = [Decimal(10**16 + value) + Decimal("0.25") for value in panel()[role]]
    df = pl.from_pandas(panel()).with_columns(pl.Series(role, far, dtype=pl.Decimal(20, 2)))[1:]
    assert_same_answer(df, ENGINES[engine](df), **OPTIONS | sample)
    result = didjack.csdid(ENGINES[engine](df), **OPTIONS | CROSS_SECTIONS)
    assert len(result.clusters()) == panel()["cl"].nunique()


@pytest.mark.thin(3)
@pytest.mark.parametrize("sample", [{}, CROSS_SECTIONS])
@pytest.mark.parametrize("how", ["column", "default"])
@pytest.mark.parametrize("role", ["id", "cl"])
def test_text_under_a_collation(role, how, sample):
    """DuckDB puts texts together that differ in case or accents only, if it is told to."""
    text = panel()[role].map(lambda v: ("Äb" if v % 2 else "ab") + str(v // 2))
    df = pl.from_pandas(panel().assign(**{role: text}))[1:]
    connection = duckdb.connect()
    table = connection.from_arrow(df.to_arrow())
    if how == "default":
        connection.sql("SET default_collation = 'NOCASE.NOACCENT'")
    else:
        table = table.select(f"* REPLACE ({role} COLLATE NOCASE.NOACCENT AS {role})")
    assert_same_answer(df, table, **OPTIONS | sample)


def test_json_labels_are_text():
    df = panel()
    table = ENGINES["duckdb"](df)
    table = table.select("* REPLACE (CAST(CAST(cl AS VARCHAR) AS JSON) AS cl)")
    assert_alike(
        didjack.csdid(df.assign(cl=df["cl"].astype(str)), **NAMES), didjack.csdid(table, **NAMES)
    )
