"""Statuses and sample rules are values; what tables show is their text, which nothing reads."""

import ast
from pathlib import Path

import pytest

import didjack
from didjack.data.sample import Rule
from didjack.status import BASE, OK, Status, StatusCode

PACKAGE = Path(didjack.__file__).parent
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "status.py"]
WORDS = {item.value for kind in (StatusCode, Rule) for item in kind}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (OK, "ok"),
        (BASE, "base"),
        (Status(StatusCode.OK, detail="2 of 3 ATT(g,t)"), "ok: 2 of 3 ATT(g,t)"),
        (Status(StatusCode.COMPOSITION), "composition"),
        (
            Status(StatusCode.IMPUTED, (17,)),
            "imputed: cluster 17 cannot be left out; its part of the variance is imputed under the "
            "working model",
        ),
        (
            Status(StatusCode.IMPUTED, tuple("abcdefg")),
            "imputed: clusters a, b, c, d, e and 2 more cannot be left out; their part of the "
            "variance is imputed under the working model",
        ),
        (
            Status(StatusCode.UNDEFINED, (4,), "no treated units"),
            "undefined: cluster 4: no treated units",
        ),
        (
            Status(StatusCode.SKIPPED, (4.0, 5.0, 6.0), "no treated units"),
            "skipped: cluster 4: no treated units (and 2 more)",
        ),
        (Status(StatusCode.NO_ROWS, detail="no treated units"), "no treated units"),
        (Status(StatusCode.NO_OVERLAP), "no overlap"),
        (Status(StatusCode.COLLINEAR, detail="x1"), "collinear: x1"),
        (
            Status(StatusCode.COLLINEAR, detail="x1", coefficient="(4, 5)"),
            "(4, 5): collinear: x1",
        ),
        (Status(StatusCode.COLLINEAR, detail="\udce9"), r"collinear: \udce9"),
    ],
)
def test_text(status, text):
    assert str(status) == text


def test_every_code_has_a_text():
    assert all(str(Status(code, (1,), "why")) for code in StatusCode)


def test_public_tables_show_text():
    df = didjack.datasets.load_mpdta()
    result = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    for column in (result.tidy()["status"], result.cells["status"], result.sample["rule"]):
        assert all(type(text) is str for text in column)
    assert type(result.lincomb({(2004, 2004): 1})["status"]) is str
    assert result.sample["rule"].tolist() == ["6 sample"]


def asked(tree):
    """Return the words that a module compares with or matches, and the texts it takes apart."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare() | ast.MatchValue():
                yield from (
                    part.value
                    for part in ast.walk(node)
                    if isinstance(part, ast.Constant) and part.value in WORDS
                )
            case ast.Call(func=ast.Attribute(value=text, attr=method)) if method in {
                *("startswith", "endswith", "removeprefix", "split", "partition", "find"),
            }:
                named = ast.unparse(text)
                yield from (word for word in ("status", "rule") if word in named)


def test_what_is_asked_is_found():
    for code, want in {
        'row["status"] == "ok"': "ok",
        'text in ("ok", "composition")': "composition",
        'table["status"].str.split(":")': "status",
        'rule.startswith("5")': "rule",
    }.items():
        assert want in asked(ast.parse(code))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_reads_the_text_of_a_status_or_a_rule(path):
    assert not list(asked(ast.parse(path.read_text())))
