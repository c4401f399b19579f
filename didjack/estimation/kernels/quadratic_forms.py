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
def tridiagonalise(
    matrix: Floats, vector: Floats, diagonal: Floats, beside: Floats, v: Floats, w: Floats
) -> None:
    """Make a symmetric matrix tridiagonal by Householder reflections that begin with a vector.

    With `ql_steps`, which follow the first coordinate only, these are the eigenvalues and the
    vector's coordinates on the eigenvectors (Golub & Welsch 1969). Four rows at a time are
    multiplied with v, so that w is read and written a quarter as often.

    Parameters
    ----------
    matrix : (n, n), vector : (n,); the matrix is overwritten
    diagonal, beside : (n,)
        Filled in; the last of `beside` is the vector's coordinate on the first axis.
    v, w : (n,) overwritten
    """
    n = vector.size
    for start in range(n):
        m, length = n - start, 0.0
        for i in range(m):
            v[i] = matrix[start + i, start - 1] if start else vector[i]
            length += v[i] * v[i]
        length, place = np.sqrt(length), v[0]
        if length != 0.0 and m > 1:
            half = length * (length + np.abs(place))  # of the squared length of the new v
            place = -length if place > 0 else length
            v[0] -= place
            for i in range(m):
                w[i] = 0.0
            for j in range(0, m - m % 4, 4):
                at = start + j
                one, two = matrix[at, start:], matrix[at + 1, start:]
                three, four = matrix[at + 2, start:], matrix[at + 3, start:]
                a, b, c, d = v[j], v[j + 1], v[j + 2], v[j + 3]
                for i in range(m):
                    w[i] += one[i] * a + two[i] * b + three[i] * c + four[i] * d
            for j in range(m - m % 4, m):
                row, a = matrix[start + j, start:], v[j]
                for i in range(m):
                    w[i] += row[i] * a
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
        beside[start - 1] = place  # of the vector: the last
        diagonal[start] = matrix[start, start]


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
    """Find axes as `tridiagonalise` and `ql_steps` do, for matrices and vectors on lines.

    Parameters
    ----------
    cross, gram : (P, 3, n), (P, 3, n, n) coefficients of polynomials
    which, x, variance : (L,) the line, the place on it, and what both are divided by
    values, squares : (L, n)
        Filled in from `lo` to `hi`: eigenvalues, in no order, and squared coordinates.
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
        diagonal, first = values[m], squares[m]
        tridiagonalise(matrix, vector, diagonal, beside, v, w)
        for i in range(n):
            first[i] = 0.0
        first[0], beside[n - 1] = beside[n - 1], 0.0
        ql_steps(diagonal, beside, first)
        for i in range(n):
            first[i] *= first[i]


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
def integrate(
    delta: Floats,
    square: Floats,
    outside: Floats,
    bulk_each: Floats,
    bulk_df: Floats,
    x0: Floats,
    result: Floats,
) -> None:
    """Integrate from the branch points x0, (M,), by the midpoint rule in y; fill in `result`.

    Beyond `end`, in y^2, the k largest eigenvalues alone have made the integrand smaller by
    exp(-DECADES). Zeros fill up rows, and add nothing.
    """
    for m in range(x0.size):
        h0, total, end, log_x0 = outside[m], 0.0, np.inf, np.log(x0[m])
        for i in range(delta.shape[1] + 1):
            bulk = i == delta.shape[1] or delta[m, i] == 0.0
            each, df = (bulk_each[m], bulk_df[m]) if bulk else (delta[m, i], i + 1.0)
            if each > 0.0:
                start = -np.log(each) - log_x0
                last = 2.0 * DECADES / (df if df > 1.0 else 1.0) + (start if start > 0.0 else 0.0)
                end = last if last < end else end
            if bulk:
                break
            h0 += square[m, i] / (1.0 + 2.0 * x0[m] * delta[m, i])
        for node in range(int(np.ceil(np.sqrt(end) / STEP))):
            y = (node + 0.5) * STEP
            x = x0[m] * np.exp(300.0 if y * y > 300.0 else y * y)
            h, log_determinant, product = outside[m], 0.0, 1.0
            for i in range(delta.shape[1]):  # one loop for both, as a processor can do both at once
                if delta[m, i] == 0.0:
                    break
                factor = 1.0 + 2.0 * x * delta[m, i]
                h += square[m, i] / factor
                product *= LARGEST if factor > LARGEST else factor
                if product > LARGEST:
                    log_determinant += np.log(product)
                    product = 1.0
            of_bulk = bulk_df[m] * np.log1p(2.0 * x * bulk_each[m])
            log_determinant = log_determinant + np.log(product) + of_bulk
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
