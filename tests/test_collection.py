"""Tests are named and ordered the same in every process, as pytest-xdist needs it."""

import re

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def test_names_and_order_of_tests_do_not_depend_on_the_process(request):
    """Sets are ordered by hashes, objects without a text of their own are named by addresses."""
    named_by_address = [
        item.nodeid for item in request.session.items if ADDRESS.search(item.nodeid)
    ]
    assert named_by_address == []
    over_sets = {
        item.nodeid
        for item in request.session.items
        for mark in item.iter_markers("parametrize")
        if isinstance(mark.args[1], set | frozenset)
    }
    assert sorted(over_sets) == []
