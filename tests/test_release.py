"""The version of the package is the one that is cited, and the newest in the changelog."""

import re
from importlib.metadata import version
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


def test_workflows_call_targets_of_the_makefile():
    """What runs elsewhere is what runs here; there is no second way to test or to build."""
    targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert [path.stem for path in workflows] == ["docs", "release", "test", "weekly"]
    for path in workflows:
        called = re.findall(r"\bmake ([\w-]+)", path.read_text("utf-8"))
        assert set(called) - targets == set()
        assert called or ".ci/run" in path.read_text("utf-8")
    versions = re.findall(r"Python :: (3\.\d+)", text("pyproject.toml"))
    assert [f'"{v}"' in text(".github/workflows/test.yml") for v in versions] == [True] * 3


def test_numba_has_an_upper_bound_that_the_installed_version_keeps():
    low, high = re.search(r'"numba>=([\d.]+),<([\d.]+)"', text("pyproject.toml")).groups()
    installed = tuple(map(int, version("numba").split(".")[:2]))
    assert tuple(map(int, low.split(".")[:2])) <= installed < tuple(map(int, high.split(".")))


def test_no_file_names_a_package_index():
    names = ["pyproject.toml", "Makefile", ".ci/run", ".ci/mutants.py", ".ci/lowest.py"]
    names += [str(path.relative_to(ROOT)) for path in (ROOT / ".github").rglob("*.yml")]
    assert [name for name in names if re.search(r"index-url|pypi\.org", text(name))] == []
