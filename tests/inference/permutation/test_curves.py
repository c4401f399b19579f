"""p-values and intervals, against statistics computed one by one and a grid of effects."""

import numpy as np
import pytest

from didjack.inference.permutation.permuted import TIE, Curves

STATISTICS = ("t", "estimate")


def draw(n, n_rep, seed):
    """Estimates by assignment from the outcome and from E; the actual one treats as E says."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0.3, 1.0, (n, 1)) + rng.normal(0, 0.3, (n, n_rep))
    e = rng.uniform(-0.4, 0.7, (n, 1)) + rng.normal(0, 0.05, (n, n_rep))
    e[0] = 1.0
    return y, e


def curves(y, e, statistic):
    """As the test makes them of estimates, (P, R) each."""
    centre = y[0, 0] / e[0, 0]
    a = y - centre * e
    scale = np.abs(a[:, 0]).max()
    b = scale * e
    top = np.column_stack([a[:, 0] ** 2, -2 * a[:, 0] * b[:, 0], b[:, 0] ** 2])
    bottom = np.tile([1.0, 0.0, 0.0], (len(a), 1))
    if statistic == "t":
        da, db = a[:, 1:] - a[:, :1], b[:, 1:] - b[:, :1]
        bottom = np.column_stack([(da**2).sum(1), -2 * (da * db).sum(1), (db**2).sum(1)])
    return Curves(top, bottom, centre, scale)


def plain(y, e, statistic, tau):
    """Absolute statistics of all assignments."""
    z = y - tau * e
    size = np.abs(z[:, 0])
    return size / np.sqrt(((z[:, 1:] - z[:, :1]) ** 2).sum(1)) if statistic == "t" else size


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("seed", range(5))
def test_p_values(statistic, seed):
    y, e = draw(60, 9, seed)
    made = curves(y, e, statistic)
    for tau in (0.0, -1.0, 0.7, y[0, 0]):
        size = plain(y, e, statistic, tau)
        assert made.p_value(tau) == (size >= size[0] * (1 - TIE)).mean()
        np.testing.assert_allclose(made.actual(tau), size[0], rtol=1e-9, atol=1e-12)


@pytest.mark.thin(5)
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_intervals_are_the_hull_of_what_a_grid_does_not_reject(statistic, seed, alpha):
    y, e = draw(39, 9, seed)
    made = curves(y, e, statistic)
    low, high = made.interval(alpha)
    grid = y[0, 0] + np.linspace(-60, 60, 6_001)
    kept = grid[[made.p_value(tau) > alpha for tau in grid]]
    step = grid[1] - grid[0]
    for end, last, border in ((low, kept[0], grid[0]), (high, kept[-1], grid[-1])):
        if np.isinf(end):
            assert last == border
        else:
            assert abs(end - last) <= step
            inside, outside = end + 1e-6 * (y[0, 0] - end), end - 1e-6 * (y[0, 0] - end)
            assert made.p_value(inside) > alpha >= made.p_value(outside)


def test_no_effect_is_rejected_where_there_are_too_few_assignments():
    y, e = draw(10, 9, 0)
    for statistic in STATISTICS:
        assert curves(y, e, statistic).interval(0.05) == (-np.inf, np.inf)


def test_an_assignment_that_is_the_actual_one_again_counts_everywhere():
    y, e = draw(40, 9, 3)
    y[1], e[1] = y[0] * (1 + 1e-15), e[0]
    for statistic in STATISTICS:
        made = curves(y, e, statistic)
        assert made.p_value(50.0) >= 2 / 40
        assert made.interval(0.06) != (-np.inf, np.inf) or statistic == "estimate"


def test_many_assignments_take_little_time_and_memory():
    y, e = draw(100_000, 5, 0)  # their square would be 80 GB
    low, high = curves(y, e, "t").interval(0.05)
    assert low < y[0, 0] < high
