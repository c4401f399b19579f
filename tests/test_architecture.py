"""The house in which data flow one way: who imports whom, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import didjack

PACKAGE = Path(didjack.__file__).parent
MODULES = {path.stem: ast.parse(path.read_text()) for path in PACKAGE.glob("*.py")}

# From left to right: a module may import those before it, and none after it.
HOUSE = [
    "errors",
    "startup",
    "options",
    "columns",
    "formula",
    "validate",
    "design",
    "cells",
    "kernels",
    "influence_kernels",
    "expansion_kernels",
    "threads",
    "progress",
    "arrange",
    "moments",
    "expansion",
    "propensity",
    "att",
    "replicates",
    "balanced",
    "influence",
    "aggregate",
    "fit",
    "inference",
    "bands",
    "bootstrap",
    "targets",
    "hypotheses",
    "uncertainty",
    "diagnostics",
    "export",
    "writer",
    "tables",
    "plots",
    "cluster_plots",
    "estimates",
    "base",
    "comparison",
    "averages",
    "results",
    "datasets",
    "simulate",
    "api",
    "__init__",
    "demo",
]

KERNELS = ["kernels", "influence_kernels", "expansion_kernels"]

ROWS = {"validate", "formula", "arrange"}
"""What knows the user's rows."""
STATISTICS = [
    *KERNELS,
    *["threads", "moments", "expansion", "propensity", "att", "replicates", "influence"],
    *["aggregate", "inference", "bands", "bootstrap", "targets", "hypotheses"],
]
"""What works on sums, replicates and influence, wherever the rows are."""
ARRAYS = [
    *KERNELS,
    *["threads", "cells", "moments", "expansion", "propensity", "att"],
    *["replicates", "influence", "aggregate"],
]
"""What works on arrays alone, without tables."""

BY_MODULE = pytest.mark.parametrize("name", sorted(MODULES))


def imported(tree, types=False):
    """Full names of what a module imports, also within functions; `types`: for types, too."""
    found = set()

    def visit(node):
        if not types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def of_the_house(tree, types=False):
    """Modules of the package that a module imports."""
    inside = {name.split(".")[1] for name in imported(tree, types) if name.startswith("didjack.")}
    return inside & set(MODULES)


def others(tree):
    """Other packages that a module imports."""
    return {name.split(".")[0] for name in imported(tree)} - {"didjack", "__future__"}


def test_imports_are_found():
    tree = ast.parse(
        "from didjack import kernels\n"
        "from didjack.engine.fit import Fit\n"
        "import numpy.linalg\n"
        "if TYPE_CHECKING:\n    from didjack.results.group_time import X\n"
        "def f():\n    from didjack import plots\n"
    )
    assert of_the_house(tree) == {"kernels", "fit", "plots"}
    assert of_the_house(tree, types=True) == {"kernels", "fit", "plots", "results"}
    assert others(tree) == {"numpy"}


def test_every_module_has_its_place():
    assert sorted(HOUSE) == sorted(MODULES)


@BY_MODULE
def test_imports_come_from_the_left(name):
    allowed = set(HOUSE[: HOUSE.index(name)])
    assert of_the_house(MODULES[name]) <= allowed


@BY_MODULE
def test_modules_say_what_they_are(name):
    assert ast.get_docstring(MODULES[name])


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_do_not_see_rows(name):
    assert not of_the_house(MODULES[name], types=True) & ROWS


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_need_no_tables(name):
    assert not others(MODULES[name]) & {"pandas", "narwhals", "formulaic"}


def test_aggregation_is_a_function_of_arrays():
    assert of_the_house(MODULES["aggregate"], types=True) == {"columns", "errors", "options"}
    assert others(MODULES["aggregate"]) <= {"dataclasses", "numpy"}


def test_pictures_and_tables_do_not_estimate():
    for name in ("plots", "cluster_plots", "tables", "writer", "export"):
        estimation = set(HOUSE[HOUSE.index("validate") : HOUSE.index("fit") + 1])
        assert not of_the_house(MODULES[name]) & estimation, name


# Kernels --------------------------------------------------------------------------------------


def test_numba_stays_in_its_rooms():
    users = {name for name, tree in MODULES.items() if "numba" in others(tree)}
    assert users <= {"kernels", "threads"}
    calls = [
        (name, node.attr)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("njit", "jit", "prange", "vectorize")
    ]
    assert calls == [("kernels", "njit")]  # one decorator for the package


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_functions_of_arrays(name):
    tree = MODULES[name]
    assert of_the_house(tree) <= {"columns", "kernels"}
    assert others(tree) <= {"numba", "numpy", "typing", "collections"}
    for node in tree.body:
        allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign, ast.Expr)
        assert isinstance(node, allowed), ast.unparse(node)
        if isinstance(node, ast.Assign):  # constants, and the type of a function
            constant = isinstance(node.value, ast.Constant)
            assert constant or node.targets[0].id == "_Kernel", ast.unparse(node)
        if isinstance(node, ast.FunctionDef) and node.name != "jit":
            assert [ast.unparse(d) for d in node.decorator_list] == ["jit"], node.name
            assert ast.get_docstring(node), node.name
    kinds = {type(node) for node in ast.walk(tree)}
    assert not kinds & {ast.Global, ast.Nonlocal, ast.Try, ast.Raise, ast.With}


# What an import costs -------------------------------------------------------------------------

HEAVY = ["matplotlib", "statsmodels", "formulaic", "polars", "IPython", "tqdm", "sklearn"]


def loaded_after(code):
    """Which heavy packages a new interpreter has loaded after running some code."""
    report = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    assert loaded_after("import didjack") == set()


def test_a_fit_without_covariates_loads_nothing_heavy():
    code = (
        "import didjack\n"
        "df = didjack.datasets.load_mpdta()\n"
        "fit = didjack.csdid(df, 'lemp', 'year', 'first.treat', 'countyreal')\n"
        "fit.tidy(); fit.aggregate('event').overall"
    )
    assert loaded_after(code) == set()
    assert loaded_after(code.replace("'countyreal'", "'countyreal', '~ lpop'")) == {"formulaic"}


def test_public_names():
    assert didjack.__all__ == sorted(didjack.__all__)
    for name in didjack.__all__:
        assert hasattr(didjack, name)
    assert didjack.__version__
