"""The version of the package is the one that is cited, and the newest in the changelog."""

import re
from pathlib import Path

import didjack

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^## \[(.*?)\](?: - (\S+))?$", re.MULTILINE)


def test_package_citation_and_changelog_have_the_same_version():
    cited = dict(re.findall(r"^(version|date-released): (.*)$", text("CITATION.cff"), re.MULTILINE))
    unreleased, newest, *_ = HEADING.findall(text("CHANGELOG.md"))
    assert unreleased == ("Unreleased", "")
    assert newest == (cited["version"], cited["date-released"])
    assert cited["version"] == didjack.__version__


def test_changelog_is_in_order():
    _, *releases = HEADING.findall(text("CHANGELOG.md"))
    numbers = [tuple(map(int, version.split("."))) for version, _ in releases]
    dates = [date for _, date in releases]
    assert numbers == sorted(set(numbers), reverse=True)
    assert dates == sorted(dates, reverse=True)


def text(name):
    """The text of a file at the top of the repository."""
    return (ROOT / name).read_text("utf-8")
