"""What is computed once, and for whom."""

import numpy as np
import pytest

from didjack.memo import Memo, key_of


def test_everything_is_made_once():
    memo, made = Memo(), []
    for key in ("a", "b", "a", None, None):
        assert memo.get(key, lambda key=key: made.append(key)) is None
    assert made == ["a", "b", None]
    assert "a" in memo
    assert "c" not in memo


def test_errors_are_not_kept():
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 / 0)
    assert memo.get("a", lambda: 1) == 1


def test_what_was_asked_for_last_is_kept_longest():
    memo = Memo(most=2)
    for key in "abac":
        memo.get(key, object)
    assert [key for key in "abc" if key in memo] == ["a", "c"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.arange(6.0), np.arange(12.0)[::2] / 2, True),
        (np.arange(6.0), np.arange(6), False),
        (np.arange(6.0), np.arange(6.0).reshape(2, 3), False),
        (np.arange(6.0), np.arange(6.0)[::-1], False),
        (np.array([np.nan]), np.array([np.nan]), True),
        (np.zeros(2), None, False),
    ],
)
def test_keys_of_arrays(one, other, same):
    assert (key_of(one) == key_of(other)) == same
    assert len(str(key_of(np.zeros((300, 300))))) < 200
