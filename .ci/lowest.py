"""Print the lowest versions that pyproject.toml allows, as requirements for pip.

Those of the build, of the package, and of its extra "test". Run with the lowest Python, too:
    python3.11 .ci/lowest.py > lowest.txt
"""

import re
import sys
import tomllib
from pathlib import Path

LOWEST = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)(,<[\w.]+)?")


def pinned(requirement: str) -> str:
    """Turn ``name>=version`` into ``name==version``; an upper bound may follow."""
    found = LOWEST.fullmatch(requirement)
    if found is None:
        sys.exit(f"pyproject.toml: '{requirement}' is not of the form 'name>=version'")
    return f"{found['name']}=={found['version']}"


def main() -> None:
    """Print the requirements, unless this is not the lowest Python."""
    declared = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
    project = declared["project"]
    running = "{}.{}".format(*sys.version_info)
    if project["requires-python"] != f">={running}":
        sys.exit(f"Python {running} runs this; declared is {project['requires-python']}")
    requirements = [
        *declared["build-system"]["requires"],
        *project["dependencies"],
        *project["optional-dependencies"]["test"],
    ]
    print(*map(pinned, requirements), sep="\n")


if __name__ == "__main__":
    main()
