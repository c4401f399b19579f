"""Where the command begins: it has signals in hand before anything is loaded that takes time."""

from __future__ import annotations

import atexit
import signal
from importlib import import_module

from didjack.cli.signals import deferred, stopping

LOADED = ("numpy", "pandas", "numba", "typer", "didjack.api", "didjack.cli.app")
"""What takes time to load, in pieces between which a signal is acted upon."""


def main() -> None:
    """Run the command that was typed: the entry point `didjack`.

    Raises
    ------
    SystemExit
        With the exit code, always. Handlers of signals are then as they were.
    """
    with stopping():
        # Modules that are loaded by half cannot be loaded again: signals wait for their end.
        with deferred() as came:
            for name in LOADED:
                if not came:
                    import_module(name)
        atexit.unregister(_tidy)  # once, however often this is called
        atexit.register(_tidy)
        from didjack.cli.app import run

        run()


def _tidy() -> None:
    """Ignore Ctrl-C while Python ends: all is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
