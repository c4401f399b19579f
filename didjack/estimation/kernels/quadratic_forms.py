"""Compiled: quadratic forms of normals, on their axes, and the probability that they are positive.

LAPACK does this too, but where a machine is busy its threads make a matrix of 50 rows take 5 ms
instead of 0.1, and nothing of the process may be changed to prevent it.
"""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels.compiled import jit

# ---- axes ----------------------------------------------------------------------------------------

MOST_SWEEPS = 60


@jit
def decompose(
    matrix: Floats,
    vector: Floats,
    values: Floats,
    squares: Floats,
    beside: Floats,
    v: Floats,
    w: Floats,
) -> None:
    """Find the eigenvalues of a matrix and a vector's squared coordinates on its eigenvectors.

    Householder reflections that begin with the vector make the matrix tridiagonal; implicit QL
    steps then follow the first coordinate only (Golub & Welsch 1969).

    Parameters
    ----------
    matrix : (n, n) symmetric; overwritten
    vector : (n,)
    values, squares : (n,)
        Filled in, in no order.
    beside, v, w : (n,) overwritten
    """
    n = vector.size
    for start in range(n):
        for i in range(n - start):
            v[i] = matrix[start + i, start - 1] if start else vector[i]
        place = reflect(matrix, start, v, w)
        if start:
            beside[start - 1] = place
        squares[start] = 0.0 if start else place
        values[start] = matrix[start, start]
    beside[n - 1] = 0.0
    ql_steps(values, beside, squares)
    for i in range(n):
        squares[i] *= squares[i]


@jit
def axes_on_lines(  # noqa: PLR0913 (a kernel is given arrays)
    lo: int,
    hi: int,
    cross: Floats,
    gram: Floats,
    which: Ints,
    x: Floats,
    variance: Floats,
    values: Floats,
    squares: Floats,
) -> None:
    """Write what `decompose` finds for matrices and vectors on lines.

    Parameters
    ----------
    cross, gram : (P, 3, n), (P, 3, n, n) coefficients of polynomials
    which, x, variance : (L,) the line, the place on it, and what both are divided by
    values, squares : (L, n) overwritten from `lo` to `hi`
    """
    n = cross.shape[2]
    matrix, vector = np.empty((n, n)), np.empty(n)
    beside, v, w = np.empty(n), np.empty(n), np.empty(n)
    for m in range(lo, hi):
        k, place, scale = which[m], x[m], 1.0 / variance[m]
        for i in range(n):
            vector[i] = cross[k, 0, i] + place * (cross[k, 1, i] + place * cross[k, 2, i])
            vector[i] *= scale
            zero, one, two = gram[k, 0, i], gram[k, 1, i], gram[k, 2, i]
            for j in range(n):
                matrix[i, j] = scale * (zero[j] + place * (one[j] + place * two[j]))
        decompose(matrix, vector, values[m], squares[m], beside, v, w)


@jit
def reflect(matrix: Floats, start: int, v: Floats, w: Floats) -> float:
    """Reflect matrix[start:, start:] so that v comes to lie on the first axis; return its place.

    Parameters
    ----------
    matrix : (n, n) symmetric; overwritten
    v : of which the first n - start count; overwritten with what is reflected along
    w : as long; overwritten
    """
    m = len(matrix) - start
    first, length = v[0], 0.0
    for i in range(m):
        length += v[i] * v[i]
    length = np.sqrt(length)
    if length == 0.0 or m == 1:
        return float(first)
    place = -length if first > 0 else length
    half = length * (length + np.abs(first))  # of the squared length of the new v
    v[0] -= place
    add_up(matrix, start, v, w)
    scale = 0.0
    for i in range(m):
        w[i] /= half
        scale += w[i] * v[i] / (2.0 * half)
    for i in range(m):
        w[i] -= scale * v[i]
    for i in range(m):
        row, a, b = matrix[start + i, start:], v[i], w[i]
        for j in range(m):
            row[j] -= a * w[j] + b * v[j]
    return float(place)


@jit
def add_up(matrix: Floats, start: int, v: Floats, w: Floats) -> None:
    """Write the product of matrix[start:, start:] and v to w, by rows, as it is symmetric.

    Four rows at a time, so that w is read and written a quarter as often: that takes a third of
    the time.
    """
    m = len(matrix) - start
    for i in range(m):
        w[i] = 0.0
    whole = m - m % 4
    for j in range(0, whole, 4):
        at = start + j
        one, two = matrix[at, start:], matrix[at + 1, start:]
        three, four = matrix[at + 2, start:], matrix[at + 3, start:]
        a, b, c, d = v[j], v[j + 1], v[j + 2], v[j + 3]
        for i in range(m):
            w[i] += one[i] * a + two[i] * b + three[i] * c + four[i] * d
    for j in range(whole, m):
        row, a = matrix[start + j, start:], v[j]
        for i in range(m):
            w[i] += row[i] * a


@jit
def ql_steps(d: Floats, e: Floats, z: Floats) -> None:
    """Make a tridiagonal matrix diagonal and turn a vector with it; all three are overwritten.

    Parameters
    ----------
    d : (n,) diagonal
    e : (n,) what is beside it, the last zero
    z : (n,) vector
    """
    n = d.size
    for low in range(n):
        for _ in range(MOST_SWEEPS):
            m = low
            while m < n - 1 and np.abs(e[m]) > 1.1e-16 * (np.abs(d[m]) + np.abs(d[m + 1])):
                m += 1
            if m == low:
                break
            g = (d[low + 1] - d[low]) / (2.0 * e[low])
            r = np.sqrt(g * g + 1.0)
            g = d[m] - d[low] + e[low] / (g + (r if g >= 0 else -r))
            s, c, p, split = 1.0, 1.0, 0.0, False
            for i in range(m - 1, low - 1, -1):
                f, b = s * e[i], c * e[i]
                r = np.sqrt(f * f + g * g)
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    split = True
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                z[i + 1], z[i] = s * z[i] + c * z[i + 1], c * z[i] - s * z[i + 1]
            if not split:
                d[low] -= p
                e[low] = g
                e[m] = 0.0


# ---- null distribution ---------------------------------------------------------------------------

STEP = 0.15
"""Distance of the points in y; the error falls as exp(-const / STEP)."""
DECADES = 25.0
"""The integral ends where the integrand has fallen by exp(-DECADES)."""
LARGEST = 1e150
"""Products beyond this are turned into logarithms, and factors are no larger."""
MOST_STEPS = 200
CONVERGED = 1e-12


@jit
def h_and_log_determinant(
    delta: Floats,
    square: Floats,
    outside: Floats,
    bulk_each: Floats,
    bulk_df: Floats,
    m: int,
    x: float,
) -> tuple[float, float]:
    """Return H(x) of one form, and the sum of log(1 + 2 x delta), bulk included.

    One loop for both, as a processor does the one while it waits for the other.
    """
    h, total, product = outside[m], 0.0, 1.0
    for i in range(delta.shape[1]):
        if delta[m, i] == 0.0:
            break
        factor = 1.0 + 2.0 * x * delta[m, i]
        h += square[m, i] / factor
        product *= LARGEST if factor > LARGEST else factor
        if product > LARGEST:
            total += np.log(product)
            product = 1.0
    return h, total + np.log(product) + bulk_df[m] * np.log1p(2.0 * x * bulk_each[m])


@jit
def farthest(delta: Floats, bulk_each: Floats, bulk_df: Floats, m: int, x0: float) -> float:
    """Return the y^2 beyond which the integrand of one form is negligible.

    By then its k largest eigenvalues alone have made it smaller by exp(-DECADES).
    """
    found = np.inf
    for i in range(delta.shape[1] + 1):
        bulk = i == delta.shape[1] or delta[m, i] == 0.0
        each, df = (bulk_each[m], bulk_df[m]) if bulk else (delta[m, i], i + 1.0)
        if each > 0.0:
            start = -np.log(each) - np.log(x0)
            start = start if start > 0.0 else 0.0
            end = start + 2.0 * DECADES / (df if df > 1.0 else 1.0)
            found = end if end < found else found
        if bulk:
            break
    return found


@jit
def integrate(
    delta: Floats,
    square: Floats,
    outside: Floats,
    bulk_each: Floats,
    bulk_df: Floats,
    x0: Floats,
    result: Floats,
) -> None:
    """Integrate from the branch points x0, (M,), by the midpoint rule in y; fill in `result`."""
    for m in range(x0.size):
        h0, total = outside[m], 0.0
        for i in range(delta.shape[1]):  # at zeros, with which rows are filled up, nothing is added
            h0 += square[m, i] / (1.0 + 2.0 * x0[m] * delta[m, i])
        end = np.sqrt(farthest(delta, bulk_each, bulk_df, m, x0[m]))
        for node in range(int(np.ceil(end / STEP))):
            y = (node + 0.5) * STEP
            x = x0[m] * np.exp(300.0 if y * y > 300.0 else y * y)
            h, log_determinant = h_and_log_determinant(
                delta, square, outside, bulk_each, bulk_df, m, x
            )
            excess = np.expm1(y * y + np.log(h / h0))
            excess = 1e-300 if excess < 1e-300 else excess
            total += 2.0 * y / np.sqrt(excess) * np.exp(-0.5 * log_determinant)
        total = total * STEP / np.pi
        result[m] = 0.0 if total < 0.0 else (1.0 if total > 1.0 else total)


@jit
def solve_branch(
    delta: Floats, square: Floats, outside: Floats, kappa: Floats, result: Floats
) -> None:
    """Solve 2 x H(x) = kappa, (M,), by Newton steps in logarithms; fill in `result`.

    log(2 x H) is concave and increasing in log x with slope at most 1; from x = kappa / 2, where
    H = 1 is an upper bound, Newton steps only go up and do not overshoot.
    """
    for m in range(kappa.size):
        goal = np.log(kappa[m] / 2.0)
        log_x = goal
        for _ in range(MOST_STEPS):
            x = np.exp(log_x)
            h = slope = outside[m]
            for i in range(delta.shape[1]):
                if delta[m, i] == 0.0:
                    break
                ratio = 1.0 / (1.0 + 2.0 * x * delta[m, i])
                h += square[m, i] * ratio
                slope += square[m, i] * ratio * ratio
            step = (goal - log_x - np.log(h)) * h / slope
            log_x = 690.0 if log_x + step > 690.0 else log_x + step
            if np.abs(step) < CONVERGED:
                break
        result[m] = np.exp(log_x)
