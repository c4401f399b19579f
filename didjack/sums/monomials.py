"""Monomials and derivatives that Taylor expansions of a logit are made of."""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement
from math import factorial

import numpy as np
from numpy.polynomial import Polynomial

from didjack._typing import Floats
from didjack.kernels.arguments import Monomials

HIGHEST_DEGREE = 12


@cache
def monomials(k: int, degree: int) -> Monomials:
    """List the monomials of k variables up to a degree."""
    words = [w for d in range(degree + 1) for w in combinations_with_replacement(range(k), d)]
    number = {word: g for g, word in enumerate(words)}
    lower = [word for word in words if len(word) < degree]
    child = [[number[tuple(sorted((*word, a)))] for a in range(k)] for word in lower]
    scale = [1.0 / np.prod([float(factorial(w.count(a))) for a in set(w)]) for w in words]
    return Monomials(
        parent=np.array([number[word[:-1]] for word in words], dtype=np.int64),
        variable=np.array([word[-1] if word else 0 for word in words], dtype=np.int64),
        degree=np.array([len(word) for word in words], dtype=np.int64),
        scale=np.array(scale),
        child=np.array(child, dtype=np.int64),
        n_information=sum(len(word) < degree - 1 for word in words),
        horner=np.ascontiguousarray(logistic_derivatives()[: degree + 1, :degree]),
    )


@cache
def logistic_derivatives() -> Floats:
    """Polynomials P_d with p^(d-1) = p (1-p) P_d(p), d >= 2, for the logistic p; one a row."""
    table = np.zeros((HIGHEST_DEGREE + 2, HIGHEST_DEGREE + 1))
    v, slope, now = Polynomial([0.0, 1.0, -1.0]), Polynomial([1.0, -2.0]), Polynomial([1.0])
    for d in range(2, len(table)):
        table[d, : d - 1] = now.coef
        now = slope * now + v * now.deriv()
    return table
