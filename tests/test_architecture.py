"""The house in which data flow one way: who imports whom, and what an import costs."""

import ast
from pathlib import Path

import didjack

PACKAGE = Path(didjack.__file__).parent
MODULES = {path.stem: ast.parse(path.read_text()) for path in PACKAGE.glob("*.py")}
print(sorted(MODULES))


def imports(tree, runtime=True):
    """Modules of the house that a module imports; `runtime`: leave out those for types only."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and runtime:
            return
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "didjack":
                found.update(name.name for name in node.names if name.name in MODULES)
            elif node.module.startswith("didjack."):
                found.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            found.update(
                name.name.split(".")[1] for name in node.names if name.name.startswith("didjack.")
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


for m in sorted(MODULES):
    print(m, sorted(imports(MODULES[m])), sorted(imports(MODULES[m], False) - imports(MODULES[m])))
