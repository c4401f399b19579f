"""The paper cites what it lists and has the table of the page; the recipe has our requirements."""

import re
import tomllib
from pathlib import Path

import didjack

ROOT = Path(__file__).parents[1]
PAPER, BIB = ROOT / "paper" / "paper.md", ROOT / "paper" / "paper.bib"
RECIPE = ROOT / "recipe" / "meta.yaml"
CONDA_NAMES = {"matplotlib": "matplotlib-base"}


def table(text):
    """Rows of the first table of a text, without the line below its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line
    ]


def between(path, mark):
    """What a page has between two marks."""
    return re.search(rf"<!-- {mark} -->(.*?)<!-- end -->", path.read_text("utf-8"), re.DOTALL)[1]


def test_table_has_the_means_of_the_page():
    head, *rows = table(between(ROOT / "docs" / "real_laws.md", "summary"))
    mean = [
        [row[0], *(re.sub(r".*\*\*(.*)\*\*.*", r"\1", cell) for cell in row[1:])] for row in rows
    ]
    shown, *found = table(between(PAPER, "real laws"))
    assert shown[1:] == head[1:]
    assert found == mean


def test_all_that_is_cited_is_listed_and_the_other_way_round():
    text = re.sub(r"^```.*?^```$", "", PAPER.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    cited = set(re.findall(r"@(\w+)", text))
    listed = re.findall(r"^@\w+{(\w+),$", BIB.read_text("utf-8"), re.MULTILINE)
    assert sorted(cited) == sorted(listed)
    assert BIB.read_text("utf-8").count("  doi = {10.") == len(listed)


def test_methods_have_the_identifiers_that_are_cited_elsewhere():
    identifiers = dict.fromkeys(re.findall(r"doi = {(.*?)}", BIB.read_text("utf-8")))
    elsewhere = (ROOT / "CITATION.cff").read_text("utf-8")
    for doi in re.findall(r"^    doi: (\S+)$", elsewhere, re.MULTILINE):
        assert doi in identifiers


def test_words_of_the_journal():
    words = len(PAPER.read_text("utf-8").split())
    assert 250 < words < 1000


def test_recipe_has_the_version_and_the_requirements_of_the_package():
    text = RECIPE.read_text("utf-8")
    assert f'{{% set version = "{didjack.__version__}" %}}' in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    run = re.search(r"^  run:\n((?:    - .*\n)+)", text, re.MULTILINE)[1]
    found = [line.strip("- \n") for line in run.splitlines()]
    wanted = [f"python {project['project']['requires-python']}"]
    for one in project["project"]["dependencies"]:
        name, bound = re.fullmatch(r"([\w-]+)(>=.*)", one).groups()
        wanted.append(f"{CONDA_NAMES.get(name, name)} {bound}")
    assert found == wanted
    (backend,) = project["build-system"]["requires"]
    assert re.sub(">=", " >=", backend) in text


def test_recipe_is_made_from_this_repository():
    text = RECIPE.read_text("utf-8")
    assert re.search(r"^source:\n  path: \.\.\n", text, re.MULTILINE)
    assert "://" not in text
