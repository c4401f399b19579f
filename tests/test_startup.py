"""What the first call loads, and that it leaves the garbage collector as it was."""

import gc
import subprocess
import sys

import pytest

from didjack.startup import collector_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_paused_and_then_as_it_was(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        with pytest.raises(ImportError), collector_paused():
            import didjack.no_such_module  # noqa: F401
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_a_call_leaves_the_collector_on_and_loads_formulaic_for_formulas_only():
    code = """
import gc, sys, didjack
df = didjack.datasets.load_mpdta()
args = dict(yname="lemp", tname="year", gname="first.treat", idname="countyreal", vcov="analytic")
didjack.csdid(df, **args)
assert "formulaic" not in sys.modules
didjack.csdid(df, xformla="~ lpop", **args)
assert "formulaic" in sys.modules
assert gc.isenabled()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
