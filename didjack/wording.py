"""How messages and tables write counts, lists, values and labels."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

_NUMPY_SCALAR = re.compile(r"\bnp\.(?:bool|str|bytes|(?:u?int|float|complex)\w*)_?\(([^()]*)\)")
"""How NumPy 2 writes its numbers and strings; a formula may have np.log(x)."""


def name_some(items: Iterable[Any], most: int = 5) -> str:
    """Write the first few of `items`, and how many more there are.

    Examples
    --------
    >>> name_some(range(7), most=3)
    '0, 1, 2 and 4 more'
    """
    listed = list(items)
    text = ", ".join(short(item) for item in listed[:most])
    return text + (f" and {len(listed) - most} more" if len(listed) > most else "")


def one_line(value: object) -> str:
    r"""Write a name or a label, whatever is in it, on one line.

    Examples
    --------
    >>> one_line("state\nand county")
    'state and county'
    """
    text = " ".join(str(value).splitlines())
    if not text.isprintable():
        text = "".join(_escaped(character) for character in text)
    return encodable(text)


def _escaped(character: str) -> str:
    """Escape what moves the cursor, colours what follows, or turns its direction."""
    if character.isspace():
        return " "
    hidden = unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in (
        "LRO",
        "RLO",
        "LRE",
        "RLE",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    )
    return ascii(character)[1:-1] if hidden else character


def short(value: object, most: int = 80) -> str:
    """Write a label in a message: whole numbers as such, on one line, cut to `most` characters.

    Examples
    --------
    >>> short(2004.0), short("a" * 100, most=8)
    ('2004', 'aaaaa...')
    """
    return _cut(one_line(value) if isinstance(value, tuple) else label_text(value), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def tidy(message: str) -> str:
    """Write a message on one line, with long names in quotes cut.

    Examples
    --------
    >>> len(tidy(f"data has no column {'a' * 1000!r}"))
    219
    """
    return _QUOTED.sub(lambda found: _cut(found[0], 200), one_line(message))


_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")
"""A name in quotes, as `repr` writes it."""


def encodable(text: str) -> str:
    r"""Escape lone surrogates, which tables, files and plots cannot hold.

    Examples
    --------
    >>> encodable("caf\udce9") == r"caf\udce9"
    True
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "unit"), plural(1200, "unit")
    ('1 unit', '1,200 units')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def brief(value: object, most: int = 60) -> str:
    """Write any value on one line, cut to `most` characters.

    Examples
    --------
    >>> brief(["a", "b"]), brief("a" * 100, most=8)
    ("['a', 'b']", "'aaaa...")
    """
    text = _NUMPY_SCALAR.sub(r"\1", " ".join(repr(value).split()))
    return _cut(encodable(text), most)


def p_text(value: float) -> str:
    """Write a p-value; none is zero.

    Examples
    --------
    >>> p_text(0.0123), p_text(7e-14), p_text(0.00099)
    ('0.012', '<0.001', '<0.001')
    """
    if math.isnan(value):
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_equals(value: float) -> str:
    """Write a p-value as part of a sentence; an unknown one is empty.

    Examples
    --------
    >>> p_equals(0.0123), p_equals(7e-14)
    ('p = 0.012', 'p < 0.001')
    """
    text = p_text(value)
    if not text:
        return ""
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def nearest(
    name: str, allowed: Iterable[str], aliases: Mapping[str, str] | None = None
) -> str | None:
    """Return the allowed name a mistyped one most likely stands for, if any is near."""
    by_lower = {word.lower(): word for word in allowed}
    name = name.strip().lower()
    alias = (aliases or {}).get(name, name).lower()
    if alias in by_lower:
        return by_lower[alias]
    close = difflib.get_close_matches(name, by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def did_you_mean(match: str | None) -> str:
    """Write a hint at the name that was probably meant, or nothing."""
    return f" (did you mean {match!r}?)" if match else ""


def label_text(key: object) -> str:
    """Write the label of a coefficient.

    Examples
    --------
    >>> label_text((2004, 2006)), label_text(pd.Timestamp("2004-01-01"))
    ('2004, 2006', '2004-01-01')
    """
    if isinstance(key, tuple):
        return ", ".join(label_text(part) for part in key)
    if isinstance(key, pd.Timestamp):
        return str(key.date()) if key == key.normalize() else str(key)
    if isinstance(key, float) and key.is_integer():
        return str(int(key))
    return one_line(key)


def name_labels(keys: Iterable[object], most: int) -> str:
    """Write the first labels of coefficients, those of two parts in parentheses.

    Examples
    --------
    >>> name_labels([(2004, 2006), pd.Timestamp("2004-01-01")], most=3)
    '(2004, 2006), 2004-01-01'
    """
    texts = (f"({label_text(key)})" if isinstance(key, tuple) else label_text(key) for key in keys)
    return name_some(texts, most)
