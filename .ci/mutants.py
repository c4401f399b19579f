"""Change single places of the package, and see whether a test fails: `make mutants`.

cosmic-ray lists all changes it can make to the modules of inference and estimation. Some of them,
drawn with a seed, are tried one by one in a copy of the repository. Those that no test notices are
printed; they are the tests that are missing, or changes that make no difference. The exit status
is 1 if more than a tenth survive.
"""

import argparse
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ["didjack", "tests", "docs", "data", "pyproject.toml", "README.md"]
MODULES = ["didjack/inference", "didjack/estimation"]
TESTS = ["estimation", "aggregation", "inference", "results", "test_reference.py"]
TESTS += ["test_identities.py", "test_bruteforce.py"]
IN_ANNOTATIONS = "ReplaceBinaryOperator_BitOr"
"""Operators whose changes are nearly all of annotations, which nothing evaluates."""
MOST_SURVIVORS = 0.1


def configure(folder: Path) -> Path:
    """Write the configuration of cosmic-ray."""
    tests = " ".join(f"tests/{name}" for name in TESTS)
    command = f"{sys.executable} -m pytest -q -x -p no:cacheprovider -m 'not slow' {tests}"
    lines = [
        "[cosmic-ray]",
        f"module-path = {MODULES!r}",
        "timeout = 1800.0",
        "excluded-modules = []",
        f'test-command = "{command}"',
        "[cosmic-ray.distributor]",
        'name = "local"',
    ]
    path = folder / "mutants.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def keep(session: Path, number: int, seed: int) -> int:
    """Leave some of the changes in a session; return how many there were."""
    with sqlite3.connect(session) as database:
        listed = database.execute(
            "select job_id, operator_name from mutation_specs "
            "order by module_path, operator_name, occurrence"
        ).fetchall()
        jobs = [job for job, operator in listed if IN_ANNOTATIONS not in operator]
        kept = set(random.Random(seed).sample(jobs, min(number, len(jobs))))
        dropped = [(job,) for job, _ in listed if job not in kept]
        for table in ("mutation_specs", "work_items"):
            database.executemany(f"delete from {table} where job_id = ?", dropped)
    return len(jobs)


def survivors(session: Path) -> list[str]:
    """Return the changes that no test noticed, as differences."""
    with sqlite3.connect(session) as database:
        found = database.execute(
            "select diff from work_results where test_outcome = 'SURVIVED'"
        ).fetchall()
    return [diff for (diff,) in found]


def main() -> None:
    """Try the changes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mutants", type=int, default=20, help="how many changes to try")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in COPIED:
            source = ROOT / each
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, folder / each)
        config, session = configure(folder), folder / "session.sqlite"
        program = str(Path(sys.executable).with_name("cosmic-ray"))
        subprocess.run([program, "init", str(config), str(session)], check=True, cwd=folder)
        n_changes = keep(session, arguments.mutants, arguments.seed)
        subprocess.run([program, "exec", str(config), str(session)], check=True, cwd=folder)
        alive = survivors(session)
    tried = min(arguments.mutants, n_changes)
    print(*alive, sep="\n")
    print(f"{tried - len(alive)} of {tried} changes noticed, {n_changes:,} possible")
    sys.exit(len(alive) > MOST_SURVIVORS * tried)


if __name__ == "__main__":
    main()
