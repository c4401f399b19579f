"""Probabilities that quadratic forms of normals are positive, see `didjack.inference.laws.law`."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats
from didjack.kernels.arguments import Forms
from didjack.kernels.compile import jit

STEP = 0.15
"""Distance of the points in y; the error falls as exp(-const / STEP)."""
DECADES = 25.0
"""The integral ends where the integrand has fallen by exp(-DECADES)."""
LARGEST = 1e150
"""Products beyond this are turned into logarithms, and factors are no larger."""
MOST_STEPS = 200
CONVERGED = 1e-12


@jit
def h_at(forms: Forms, m: int, x: float) -> float:
    """Return H(x) of one form."""
    total = forms.outside[m]
    for i in range(forms.delta.shape[1]):
        if forms.delta[m, i] == 0.0:
            break
        total += forms.square[m, i] / (1.0 + 2.0 * x * forms.delta[m, i])
    return float(total)


@jit
def h_values(forms: Forms, x: Floats) -> Floats:
    """Return H at one point of each form, (M,)."""
    result = np.empty(x.size)
    for m in range(x.size):
        result[m] = h_at(forms, m, x[m])
    return result


@jit
def h_and_log_determinant(forms: Forms, m: int, x: float) -> tuple[float, float]:
    """Return H(x) of one form, and the sum of log(1 + 2 x delta), bulk included.

    One loop for both, as a processor does the one while it waits for the other.
    """
    h, total, product = forms.outside[m], 0.0, 1.0
    for i in range(forms.delta.shape[1]):
        if forms.delta[m, i] == 0.0:
            break
        factor = 1.0 + 2.0 * x * forms.delta[m, i]
        h += forms.square[m, i] / factor
        product *= min(factor, LARGEST)
        if product > LARGEST:
            total += np.log(product)
            product = 1.0
    bulk = forms.bulk_df[m] * np.log1p(2.0 * x * forms.bulk_each[m])
    return float(h), float(total + np.log(product) + bulk)


@jit
def farthest(forms: Forms, m: int, x0: float) -> float:
    """Return the y^2 beyond which the integrand of one form is negligible.

    By then its k largest eigenvalues alone have made it smaller by exp(-DECADES).
    """
    found = np.inf
    for i in range(forms.delta.shape[1]):
        if forms.delta[m, i] == 0.0:
            break
        start = max(0.0, -np.log(forms.delta[m, i]) - np.log(x0))
        found = min(found, start + 2.0 * DECADES / (i + 1.0))
    if forms.bulk_each[m] > 0.0:
        start = max(0.0, -np.log(forms.bulk_each[m]) - np.log(x0))
        found = min(found, start + 2.0 * DECADES / max(forms.bulk_df[m], 1.0))
    return float(found)


@jit
def tail_probabilities(forms: Forms, x0: Floats) -> Floats:
    """Integrate from the branch points x0, (M,), by the midpoint rule in y."""
    result = np.empty(x0.size)
    for m in range(x0.size):
        total, h0 = 0.0, h_at(forms, m, x0[m])
        for node in range(int(np.ceil(np.sqrt(farthest(forms, m, x0[m])) / STEP))):
            y = (node + 0.5) * STEP
            x = x0[m] * np.exp(min(y * y, 300.0))
            h, log_determinant = h_and_log_determinant(forms, m, x)
            excess = np.expm1(y * y + np.log(h / h0))
            total += 2.0 * y / np.sqrt(max(excess, 1e-300)) * np.exp(-0.5 * log_determinant)
        result[m] = min(max(total * STEP / np.pi, 0.0), 1.0)
    return result


@jit
def branch_points(forms: Forms, kappa: Floats) -> Floats:
    """Solve 2 x H(x) = kappa, (M,), by Newton steps in logarithms.

    log(2 x H) is concave and increasing in log x with slope at most 1; from x = kappa / 2, where
    H = 1 is an upper bound, Newton steps only go up and do not overshoot.
    """
    result = np.empty(kappa.size)
    for m in range(kappa.size):
        goal = np.log(kappa[m] / 2.0)
        log_x = goal
        for _ in range(MOST_STEPS):
            x = np.exp(log_x)
            h = slope = forms.outside[m]
            for i in range(forms.delta.shape[1]):
                if forms.delta[m, i] == 0.0:
                    break
                ratio = 1.0 / (1.0 + 2.0 * x * forms.delta[m, i])
                h += forms.square[m, i] * ratio
                slope += forms.square[m, i] * ratio * ratio
            step = (goal - log_x - np.log(h)) * h / slope
            log_x = min(log_x + step, 690.0)
            if np.abs(step) < CONVERGED:
                break
        result[m] = np.exp(log_x)
    return result
