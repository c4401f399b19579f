"""The recipe of the conda package says what pyproject.toml says, and builds this repository."""

import re
import tomllib
from pathlib import Path

import pytest

import didjack

yaml = pytest.importorskip("yaml", reason="in the extra 'dev'")

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipe" / "meta.yaml"
CONDA_NAMES = {"matplotlib": "matplotlib-base"}
"""Packages whose name on conda-forge is another one; that without the base brings Qt."""
SET = re.compile(r"^{% set (\w+) = \"(.*)\" %}$", re.MULTILINE)


@pytest.fixture(scope="module")
def recipe():
    """Read the recipe as conda-build does: templates first, then YAML."""
    text = RECIPE.read_text("utf-8")
    values = dict(SET.findall(text)) | {"PYTHON": "python"}
    rendered = re.sub(r"{{ (\w+) }}", lambda name: values[name[1]], SET.sub("", text))
    assert not re.search(r"{[{%]", rendered)
    return yaml.safe_load(rendered)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def conda(requirement):
    """Write a requirement of pyproject.toml as conda has it."""
    name, bounds = re.fullmatch(r"([\w-]+)(>=[\d.]+(?:,<[\d.]+)?)", requirement).groups()
    return f"{CONDA_NAMES.get(name, name)} {bounds}"


def test_name_version_and_description(recipe, project):
    assert recipe["package"] == {"name": project["project"]["name"], "version": didjack.__version__}
    assert recipe["about"]["summary"] == project["project"]["description"]


def test_requirements(recipe, project):
    python = f"python {project['project']['requires-python']}"
    backend = [conda(one) for one in project["build-system"]["requires"]]
    assert recipe["requirements"] == {
        "host": [python, "pip", *backend],
        "run": [python, *(conda(one) for one in project["project"]["dependencies"])],
    }


def test_commands(recipe, project):
    scripts = project["project"]["scripts"]
    assert recipe["build"]["entry_points"] == [" = ".join(one) for one in scripts.items()]
    assert recipe["build"]["noarch"] == "python"
    assert recipe["build"]["script"].startswith("python -m pip install . --no-deps ")
    assert recipe["test"]["commands"] == ["pip check", *(f"{name} --version" for name in scripts)]


def test_license(recipe, project):
    about = recipe["about"]
    assert about["license"] == project["project"]["license"]
    assert [about["license_file"]] == project["project"]["license-files"]
    assert (ROOT / about["license_file"]).read_text("utf-8").startswith("MIT License")


def test_source_is_this_repository(recipe):
    assert (RECIPE.parent / recipe["source"]["path"]).resolve() == ROOT
    assert "://" not in RECIPE.read_text("utf-8")
