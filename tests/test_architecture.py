"""The house in which data flow one way: its rooms, what they may know, and what an import costs.

Who may import whom is a contract in pyproject.toml, which `make lint` holds.
"""

import ast
import importlib
import io
import subprocess
import sys
import tokenize
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

import didjack

PACKAGE = Path(didjack.__file__).parent


def dotted(path):
    """Full name of the module in a file, that of the package for its __init__."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


SOURCES = {dotted(path): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}

ROOMS = {
    *("data", "estimation", "aggregation", "inference", "reporting", "results"),
    *("datasets", "simulate", "cli"),
}
LEAVES = {
    *("aliases", "options", "errors", "fields", "imports", "leave_one_out", "memo", "progress"),
    *("status", "wording", "_typing"),
}
FILES = {"__init__", "__main__", "api", "compiling", "demo", "subgroups"} | LEAVES
SHARED_NAMES = {"__init__", "base"}
"""Names that several files may have."""

MOST_LINES = 500
MOST_LINES_OF_HALF = 250
MOST_LINES_OF_A_FUNCTION = 50

BY_MODULE = pytest.mark.parametrize("name", SOURCES)


def in_rooms(*rooms):
    """Name the modules in some rooms, such as "data" or "data.lazy"."""
    prefixes = tuple(f"didjack.{room}." for room in rooms)
    return [name for name in SOURCES if f"{name}.".startswith(prefixes)]


def imported(tree):
    """Full names of what a module imports, for types only or within functions, too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def of_the_house(tree, modules=frozenset(SOURCES)):
    """Modules of the package that a module imports."""
    inside = {name for name in imported(tree) if name.split(".")[0] == "didjack"}
    return {name if name in modules else name.rpartition(".")[0] for name in inside}


def others(tree):
    """Other packages that a module imports."""
    return {name.split(".")[0] for name in imported(tree)} - {"didjack", "__future__"}


def rooms_of(tree):
    """Rooms and leaves that a module imports from."""
    return {name.split(".")[1] for name in of_the_house(tree) if "." in name}


def test_imports_are_found():
    tree = ast.parse(
        "from didjack.estimation.kernels import compiled, strata\n"
        "from didjack.estimation.fit import Fit\n"
        "import numpy.linalg\n"
        "if TYPE_CHECKING:\n    from didjack.results.group_time import X\n"
        "def f():\n    from didjack import csdid\n"
    )
    modules = {
        *("didjack.estimation.kernels.strata", "didjack.estimation.kernels.compiled"),
        *("didjack.estimation.fit", "didjack.results.group_time"),
    }
    assert of_the_house(tree, modules) == modules | {"didjack"}
    assert others(tree) == {"numpy"}


# The plan of the house ------------------------------------------------------------------------


def test_the_top_holds_rooms_and_leaves_alone():
    there = {path.stem: path for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert there.pop("py").name == "py.typed"
    assert {name for name, path in there.items() if path.is_dir()} == ROOMS
    assert {name for name, path in there.items() if path.is_file()} == FILES


def test_every_room_has_its_tests():
    assert {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()} >= ROOMS


def test_no_circle_of_files():
    graph = {name: of_the_house(tree) for name, tree in TREES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(TREES)


def test_nothing_of_the_package_imports_all_of_it():
    users = {name for name, tree in TREES.items() if "didjack" in of_the_house(tree)}
    assert users <= {"didjack.demo", *in_rooms("cli")}  # as a user imports it


def test_no_name_of_a_file_twice():
    names = Counter(path.stem for path in PACKAGE.rglob("*.py"))
    assert {name for name, n in names.items() if n > 1} <= SHARED_NAMES


@BY_MODULE
def test_modules_say_what_they_are(name):
    assert ast.get_docstring(TREES[name])


# Sizes ----------------------------------------------------------------------------------------


def lines_of_code(source):
    """Numbers of the lines that hold more than comments."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            found.update(range(token.start[0], token.end[0] + 1))
    return found


def sizes_of_functions(source):
    """Lines of code of each function, without its docstring."""
    code, sizes = lines_of_code(source), {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = set(range(node.lineno, node.end_lineno + 1))
            if ast.get_docstring(node):
                lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
            sizes[node.name] = len(lines & code)
    return sizes


def test_functions_are_measured():
    source = (
        '@decorated\ndef f(\n    a,\n):\n    """Say\n\n    much."""\n    # Why.\n\n'
        '    b = """x\n    y"""  # two lines\n    return b\n'
    )
    assert sizes_of_functions(source) == {"f": 6}


@BY_MODULE
def test_files_are_short(name):
    assert len(SOURCES[name].splitlines()) <= MOST_LINES


def test_most_files_are_shorter():
    lengths = [len(source.splitlines()) for source in SOURCES.values()]
    assert median(lengths) < MOST_LINES_OF_HALF


@BY_MODULE
def test_functions_are_short(name):
    sizes = sizes_of_functions(SOURCES[name])
    assert {f: size for f, size in sizes.items() if size > MOST_LINES_OF_A_FUNCTION} == {}


# What rooms may know --------------------------------------------------------------------------


ROWS = {"rows", "arrange"}
"""Modules of estimation that arrange rows, and what a row is called."""
PASSES = {"passes"}
"""What goes through rows for the estimators."""
BEFORE_THE_SUMS = ("cells", "estimators", "propensity", "taylor", "two_by_two", "replicates")
AROUND_THEM = ("influence_functions", "fit", "relabelled")
ENGINE = [f"didjack.estimation.{name}" for name in (*BEFORE_THE_SUMS, *AROUND_THEM)]


@pytest.mark.parametrize("name", in_rooms("aggregation", "inference", "reporting"))
def test_inference_sees_no_rows(name):
    assert "data" not in rooms_of(TREES[name])
    assert not of_the_house(TREES[name]) & {f"didjack.estimation.{one}" for one in ROWS | PASSES}


@pytest.mark.parametrize("name", ENGINE)
def test_rows_stay_behind_the_sums(name):
    assert not of_the_house(TREES[name]) & {f"didjack.estimation.{one}" for one in ROWS}
    asked = {node.attr for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)}
    assert not asked & {"rows", "origin", "strata"}


@pytest.mark.parametrize("name", in_rooms("estimation", "aggregation"))
def test_estimation_needs_no_tables(name):
    # Labels of clusters are an index of pandas; what became of the cells is told in a table.
    tells = {"pandas"} if name.endswith((".layout", ".fit")) else set()
    assert not others(TREES[name]) & {"pandas", "narwhals", "formulaic", "matplotlib"} - tells


@pytest.mark.parametrize("name", in_rooms("reporting"))
def test_plots_and_tables_do_not_estimate(name):
    assert "estimation" not in rooms_of(TREES[name])


def things_in(value):
    """What a value holds, in mappings and sequences, too."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return [thing for one in value for thing in things_in(one)]
    return [value]


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_leaves_know_nothing_of_rooms_at_run_time(leaf):
    """What a room registers is not found by its name in a leaf: no contract could see that."""
    for name in SOURCES:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    for value in vars(sys.modules[f"didjack.{leaf}"]).values():
        for thing in things_in(value):
            made_in = getattr(thing, "__module__", None) or type(thing).__module__
            assert str(made_in).removeprefix("didjack.").split(".")[0] not in ROOMS, thing


def test_aggregation_is_a_function_of_arrays():
    for name in in_rooms("aggregation"):
        assert rooms_of(TREES[name]) <= LEAVES | {"aggregation"}, name


# Kernels --------------------------------------------------------------------------------------

COMPILING = "didjack.estimation.kernels.compiled"
"""What talks to numba."""
KERNELS = [name for name in in_rooms("estimation.kernels") if name != COMPILING]


def test_numba_stays_in_its_room():
    assert {name for name, tree in TREES.items() if "numba" in others(tree)} <= {COMPILING}
    calls = [
        (name, node.attr)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("njit", "jit", "prange", "vectorize")
    ]
    assert calls == [(COMPILING, "njit")]  # one decorator for the package


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_use_arrays_and_kernels(name):
    known = {"didjack._typing", "didjack.estimation.kernels"}
    inside = of_the_house(TREES[name])
    assert {one if one in known else one.rpartition(".")[0] for one in inside} <= known
    assert others(TREES[name]) <= {"numpy", "typing", "collections"}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_functions_tuples_and_constants(name):
    for node in TREES[name].body:
        if isinstance(node, ast.FunctionDef):
            assert [ast.unparse(d) for d in node.decorator_list] == ["jit"], node.name
            assert ast.get_docstring(node), node.name
        elif isinstance(node, ast.ClassDef):
            assert [ast.unparse(b) for b in node.bases] == ["NamedTuple"], node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            assert not any(isinstance(n, ast.Call) for n in ast.walk(node)), ast.unparse(node)
        else:
            assert isinstance(node, ast.Import | ast.ImportFrom | ast.Expr), ast.unparse(node)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_change_their_arguments_alone(name):
    kinds = {type(node) for node in ast.walk(TREES[name])}
    assert not kinds & {ast.Global, ast.Nonlocal, ast.Try, ast.Raise, ast.With}


# What an import costs -------------------------------------------------------------------------

HEAVY = [
    *("matplotlib", "statsmodels", "formulaic", "polars", "IPython", "tqdm", "sklearn"),
    *("maketables", "great_tables", "docx", "tabulate", "typer"),
]
SLOW = ["narwhals", "scipy.stats", "scipy.special", "scipy.optimize"]
"""What a fit may need, and an import alone does not."""


def loaded_after(code, names=HEAVY):
    """Which heavy packages a new interpreter has loaded after running some code."""
    report = f"import sys; print(*[name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    assert loaded_after("import didjack", HEAVY + SLOW) == set()


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
