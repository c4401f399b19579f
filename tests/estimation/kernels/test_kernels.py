"""Each compiled kernel equals the same function uncompiled, and a plain numpy version."""

from types import SimpleNamespace

import bruteforce as bf
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from scipy import optimize
from scipy.integrate import quad
from scipy.special import expit

from didjack.estimation import linear_systems
from didjack.estimation.kernels import (
    draws,
    expansions,
    linear_algebra,
    logit,
    quadratic_forms,
    strata,
)
from didjack.estimation.kernels.inputs import (
    Contrast,
    Expansion,
    Fits,
    Forms,
    Linear,
    LogitRows,
    MomentRows,
    OddsMoments,
    OddsRows,
    OddsSums,
    OutcomeRows,
    Rows,
    ShockModel,
)
from didjack.estimation.passes import monomials
from didjack.estimation.rows import deleted_sums

MODULES = (strata, quadratic_forms, linear_algebra, logit, draws, expansions)
KERNELS = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Dispatcher) and name != "sum_draws"
}
"""That of the multiplier bootstrap is tested with it."""
CASES = {}
LIMIT = np.log(logit.TRIM / (1 - logit.TRIM))


def case(make):
    """Register a function that gives arguments of a kernel and what is expected of them.

    It returns the arguments, the positions of those that the kernel fills in, and the values that
    the kernel returns and fills in, in this order.
    """
    CASES[make.__name__] = make
    return make


@pytest.fixture(scope="module")
def rows():
    """Rows in strata: 3 covariates, weights with zeros, 2 outcomes, an empty stratum."""
    rng = np.random.default_rng(0)
    start = np.array([0, 4, 9, 9, 15, 22, 30])
    n = start[-1]
    x = np.column_stack([np.ones(n), rng.normal(size=n), rng.integers(0, 2, n).astype(float)])
    stratum = np.repeat(np.arange(start.size - 1), np.diff(start))
    return SimpleNamespace(
        start=start,
        x=x,
        w=np.where(np.arange(n) % 7 == 3, 0.0, rng.uniform(0.5, 2, n)),
        y=rng.normal(size=(n, 2)),
        n=n,
        k=3,
        stratum=stratum,
        cluster=np.array([0, 1, 2, 0, 1, 3]),  # of the strata
        chosen=np.array([0, 3, 1, 5]),  # ordered by cluster
        treated=np.array([True, False, True, False]),
        beta=np.array([0.3, -0.8, 0.5]),
    )


def logit_rows(r, **other):
    """What logit kernels are given."""
    v = vars(r) | {"largest": np.abs(r.x).max(axis=0)} | other
    return LogitRows(*(v[name] for name in LogitRows._fields))


def odds_rows(r, outcomes, **other):
    """What kernels of odds are given."""
    v = vars(r) | {"outcomes": outcomes} | other
    return OddsRows(*(v[name] for name in OddsRows._fields))


def outcome_rows(r):
    """What kernels of influence are given: the first outcome."""
    v = vars(r) | {"y": np.ascontiguousarray(r.y[:, 0])}
    return OutcomeRows(*(v[name] for name in OutcomeRows._fields))


def chosen_rows(r, without=None, chosen=None):
    """Rows of the chosen strata in their order, and whether each is treated."""
    index, treated = [], []
    for s, side in zip(r.chosen if chosen is None else chosen, r.treated, strict=False):
        if r.cluster[s] != without:
            inside = np.arange(r.start[s], r.start[s + 1])
            index.append(inside)
            treated.append(np.full(inside.size, side))
    return np.concatenate(index), np.concatenate(treated).astype(float)


def grams(seed=1, n=3, k=4):
    """Gram matrices of columns of very different sizes."""
    z = np.random.default_rng(seed).normal(size=(n, 12, k)) * 10.0 ** np.arange(-3, k - 3)
    return z.transpose(0, 2, 1) @ z


def factors(gram, keep):
    """Scale and factor the kept part of a matrix with numpy."""
    k = len(gram)
    scale, lower = np.zeros(k), np.zeros((k, k))
    at = np.flatnonzero(keep)
    scale[at] = 1 / np.sqrt(np.diag(gram)[at])
    scaled = gram * np.outer(scale, scale)
    lower[np.ix_(at, at)] = np.linalg.cholesky(scaled[np.ix_(at, at)])
    return lower, scale


def logit_terms(x, w, d, beta):
    """Logit sums in the layout of the kernels, and the largest linear predictor."""
    x, w, d = x[w > 0], w[w > 0], d[w > 0]
    eta = x @ beta
    p = expit(eta)
    information = (x * (w * p * (1 - p))[:, None]).T @ x
    loglik = np.sum(w * (d * eta - np.logaddexp(0, eta)))
    score = x.T @ (w * (d - p))
    return np.concatenate(
        [score, information[np.tril_indices(len(beta))], [-2 * loglik]]
    ), eta.max()


@case
def stratum_sums(r):
    gram, cross = np.zeros((6, 3, 3)), np.zeros((6, 2, 3))
    want_gram, want_cross = gram.copy(), cross.copy()
    for s in range(1, 5):
        i = slice(r.start[s], r.start[s + 1])
        want_gram[s] = (r.x[i] * r.w[i, None]).T @ r.x[i]
        want_cross[s] = (r.y[i] * r.w[i, None]).T @ r.x[i]
    return (1, 5, Rows(r.x, r.w, r.start), r.y, gram, cross), (4, 5), [want_gram, want_cross]


@case
def moments(r):
    chosen, outcomes = np.array([3, 0, 2, 5]), np.array([1])
    level, square = np.linspace(-1, 1, r.n), np.linspace(1, 2, r.n)
    want = np.zeros((4, 3))
    for c in (1, 2, 3):
        i = slice(r.start[chosen[c]], r.start[chosen[c] + 1])
        want[c] = r.w[i].sum(), square[i].sum(), r.w[i] @ (r.y[i, 1] + level[i])
    rows = MomentRows(r.w, r.start, r.y, level, square)
    return (1, 4, rows, outcomes, chosen, np.zeros((4, 3))), (5,), [want]


@case
def add_others(r):
    values = np.random.default_rng(2).normal(size=(6, 5))
    want = [values[[s for s in r.chosen if r.cluster[s] != h]].sum(axis=0) for h in (-1, *range(4))]
    after = values[r.chosen].sum(axis=0)
    args = (values, r.chosen, r.cluster, np.full((5, 5), np.nan), np.zeros(5))
    return args, (3, 4), [np.array(want), after]


def symmetric(n=6):
    """A covariance matrix of rank n - 1, and a vector."""
    root = np.random.default_rng(3).normal(size=(n, n - 1))
    return root @ root.T, np.arange(1.0, n + 1)


SCRATCH = None
"""What a kernel overwrites on its way."""


@case
def tridiagonalise(r):
    matrix, vector = symmetric()
    powers = [np.linalg.matrix_power(matrix, p) @ vector for p in range(6)]
    q, _ = np.linalg.qr(np.column_stack(powers))  # the basis of Lanczos; signs are free
    turned = q.T @ matrix @ q
    beside = -np.abs([*np.diag(turned, 1), np.linalg.norm(vector)])
    want = [SCRATCH, np.diag(turned), beside, SCRATCH, SCRATCH]
    return (matrix, vector, *np.empty((4, 6))), (0, 2, 3, 4, 5), want


@case
def axes_on_lines(r):
    rng = np.random.default_rng(1)
    half = rng.normal(size=(2, 3, 5, 5))
    gram, cross = half + half.transpose(0, 1, 3, 2), rng.normal(size=(2, 3, 5))
    which, x, scale = np.array([1, 0, 1]), np.array([-0.7, 0.4, 2.0]), np.array([2.0, 0.5, 3.0])
    want_values, want_squares = np.empty((2, 3, 5))
    for m, (k, place) in enumerate(zip(which, x, strict=True)):
        powers = place ** np.arange(3.0)
        matrix = np.einsum("p,pij->ij", powers, gram[k]) / scale[m]
        vector = powers @ cross[k] / scale[m]
        values, vectors = np.linalg.eigh(matrix)
        order = ([0, 1, 2, 3, 4], [3, 2, 1, 4, 0], [3, 2, 4, 1, 0])[m]  # as the kernel has them
        want_values[m], want_squares[m] = values[order], (vector @ vectors)[order] ** 2
    empty = np.empty((3, 5))
    args = (0, 3, cross, gram, which, x, scale, empty, empty.copy())
    return args, (7, 8), [want_values, want_squares]


@case
def ql_steps(r):
    d, e, z = np.array([4.0, 3.0, 2.0]), np.array([0.1, 0.2, 0.0]), np.array([1.0, 2.0, -1.0])
    values, vectors = np.linalg.eigh(np.diag(d) + np.diag(e[:2], 1) + np.diag(e[:2], -1))
    turned = (z @ vectors) * [1, 1, -1]  # signs are free
    order = [2, 1, 0]  # as on the diagonal
    return (d, e, z), (0, 1, 2), [values[order], np.zeros(3), turned[order] * [1, 1, -1]]


FORMS = Forms(
    delta=np.array([[0.5, 0.2, 0.0], [1e-3, 0.0, 0.0]]),
    square=np.array([[0.3, 0.4, 0.0], [1.0, 0.0, 0.0]]),
    outside=np.array([0.3, 0.0]),
    bulk_each=np.array([0.0, 0.02]),
    bulk_df=np.array([0.0, 7.5]),
)
"""One form with all its eigenvalues, and one with a bulk."""


def h_of(m, x):
    return FORMS.outside[m] + (FORMS.square[m] / (1 + 2 * x * FORMS.delta[m])).sum()


def log_det(m, x):
    bulk = FORMS.bulk_df[m] * np.log1p(2 * x * FORMS.bulk_each[m])
    return np.log1p(2 * x * FORMS.delta[m]).sum() + bulk


def tail(m, x0):
    """Integrate over y, as log x = log x0 + y^2."""

    def integrand(y):
        x = x0 * np.exp(y**2)
        excess = x * h_of(m, x) / (x0 * h_of(m, x0)) - 1
        return 2 * y / np.sqrt(excess) * np.exp(-0.5 * log_det(m, x))

    return quad(integrand, 0, 9, epsabs=1e-13, limit=500)[0] / np.pi


@case
def integrate(r):
    x0 = np.array([0.8, 25.0])
    return (*FORMS, x0, np.empty(2)), (6,), [np.array([tail(m, x) for m, x in enumerate(x0)])]


@case
def solve_branch(r):
    kappa = np.array([3.0, 60.0])

    def excess(x, m):
        return 2 * x * h_of(m, x) - kappa[m]

    want = [optimize.brentq(excess, 1e-9, 1e9, args=(m,), xtol=1e-12) for m in (0, 1)]
    return (*FORMS[:3], kappa, np.empty(2)), (4,), [np.array(want)]


SHOCKS = ShockModel(
    weight=np.arange(12.0).reshape(3, 4) / 7,
    period=np.array([0, 1, 1]),
    kept=np.array([0, 2, 3]),
    start=np.array([0, 2, 3]),
    mean=np.array([0, 2, 1]),
    first=np.array([0.5, -1.0, 2.0]),
    shift=np.sin(np.arange(9.0)).reshape(3, 3),
    own_start=np.array([0, 2, 3]),
    own_period=np.array([0, 1, 1]),
    own=np.cos(np.arange(9.0)).reshape(3, 3),
)
"""Two targets, of two means in two periods and of one in the second period."""
NORMALS = np.random.default_rng(8).normal(size=(4, 2, 4))


def of_shocks(u):
    """Means, (Q,), estimates, (M,), and deviations, (M, n), by hand."""
    s = SHOCKS
    z = np.array([s.weight[q] @ u[s.period[q]] for q in range(3)])
    estimates, deviations = [], []
    for m in range(2):
        k, own = slice(s.start[m], s.start[m + 1]), slice(s.own_start[m], s.own_start[m + 1])
        estimates.append(s.first[k] @ z[s.mean[k]])
        gone = (s.own[own] * u[s.own_period[own]][:, s.kept]).sum(axis=0)
        deviations.append(z[s.mean[k]] @ s.shift[k] - gone)
    return z, np.array(estimates), np.array(deviations)


@case
def shocked(r):
    estimate, square = np.zeros((4, 2)), np.ones((4, 2, 2))
    want, products = estimate.copy(), square.copy()
    for b in (1, 2):
        z, want[b], deviations = of_shocks(NORMALS[b])
        deviations = deviations - deviations.mean(axis=1, keepdims=True)
        products[b] = deviations @ deviations.T
    scratch = np.empty(3), np.empty(3), np.empty((3, 2))
    args = (1, 3, SHOCKS, NORMALS, True, estimate, square, *scratch)
    return args, (5, 6, 7, 8, 9), [want, products, z, SCRATCH, deviations.T]


def test_squares_alone_are_the_diagonal_of_the_products(rows):
    args, filled, _ = shocked(rows)
    squares = np.ones((4, 2, 1))
    KERNELS["shocked"](*args[:6], squares, *args[7:])
    KERNELS["shocked"](*args)
    whole = args[filled[1]]
    assert np.array_equal(squares[1:3, :, 0], np.diagonal(whole[1:3], axis1=1, axis2=2))
    assert (squares[[0, 3]] == 1.0).all()


@case
def factor_all(r):
    gram = grams()
    keep = np.array([[True] * 4, [True, False, True, True], [True, True, False, False]])
    lower, scale = zip(*map(factors, gram, keep), strict=True)
    empty = np.zeros((3, 4, 4)), np.zeros((3, 4)), np.full(3, -1)
    return (gram, keep, False, *empty), (3, 4, 5), [np.array(lower), np.array(scale), empty[2]]


@case
def factor_one(r):
    gram, keep = grams()[0], np.array([True, True, False, True])
    return (gram, keep, False, np.ones((4, 4)), np.ones(4)), (3, 4), [-1, *factors(gram, keep)]


@case
def reciprocal_condition(r):
    gram = grams()[1]
    lower, scale = factors(gram, np.ones(4, bool))
    scaled = gram * np.outer(scale, scale)
    column = np.linalg.inv(scaled)[:, -1]  # the last one
    return (gram, lower, scale, np.empty(4)), (3,), [1 / np.linalg.cond(scaled, 1), column]


@case
def substitute(r):
    lower, _ = factors(grams()[2], np.array([True, False, True, True]))
    v, at = np.array([1.0, -2.0, 0.5, 3.0]), [0, 2, 3]
    want = np.zeros(4)
    part = lower[np.ix_(at, at)]
    want[at] = np.linalg.solve(part @ part.T, v[at])
    return (lower, v), (1,), [want]


@case
def solve_all(r):
    gram, rhs = grams(), np.random.default_rng(3).normal(size=(3, 2, 4))
    lower, scale = zip(*[factors(g, np.ones(4, bool)) for g in gram], strict=True)
    want = np.array([np.linalg.solve(g, b.T).T for g, b in zip(gram, rhs, strict=True)])
    return (np.array(lower), np.array(scale), rhs, np.empty((3, 2, 4))), (3,), [want]


@case
def add_logit(r):
    before = np.arange(10.0)
    sums, top = logit_terms(r.x[4:15], r.w[4:15], np.ones(11), r.beta)
    return (r.x, r.w, True, 4, 15, r.beta, before), (6,), [top, before + sums]


@case
def logit_strata(r):
    sums, top = np.zeros((4, 10)), np.zeros(4)
    want, want_top = sums.copy(), top.copy()
    for j in (1, 2):
        i = slice(r.start[r.chosen[j]], r.start[r.chosen[j] + 1])
        d = np.full(r.x[i].shape[0], float(r.treated[j]))
        want[j], want_top[j] = logit_terms(r.x[i], r.w[i], d, r.beta)
    return (1, 3, logit_rows(r), r.beta, sums, top), (4, 5), [want, want_top]


@case
def fit_logits(r):
    deleted = np.array([-1, 2, 3, 0])
    keep = np.array([[True, True, True], [True, True, False], [True, True, True], [True] * 3])
    beta, want = np.zeros((4, 3)), np.zeros((4, 3))
    want_top, converged = np.zeros(4), np.zeros(4, dtype=bool)
    chosen, treated = np.array([0, 3, 1, 4, 5]), np.array([True, False, True, False, False])
    own = SimpleNamespace(**vars(r) | {"treated": treated})
    for j in range(3):
        index, d = chosen_rows(own, deleted[j], chosen)
        index, d = index[r.w[index] > 0], d[r.w[index] > 0]
        z = r.x[index][:, keep[j]]
        want[j, keep[j]] = bf.newton_logit(d, z, r.w[index])
        want_top[j] = (r.x[index] @ want[j]).max()
    rows = logit_rows(r, chosen=chosen, treated=treated)
    done = np.array([True, True, True, False])
    args = (0, 3, rows, deleted, keep, Fits(beta, converged, np.zeros(4)))
    return args, (5,), [want, done, want_top]


@case
def add_logits(r):
    index, d = chosen_rows(r, 2)
    sums, top = logit_terms(r.x[index], r.w[index], d, r.beta)
    before = np.arange(10.0)
    return (logit_rows(r), 2, r.beta, before), (3,), [top, before + sums]


@case
def reach(r):
    return (np.array([1.0, -2.0, 0.5]), np.array([1.0, 3.0, 4.0])), (), [9.0]


def newton(sums, keep):
    k = len(keep)
    information = np.zeros((k, k))
    information[np.tril_indices(k)] = sums[k:-1]
    information += np.tril(information, -1).T
    step = np.zeros(k)
    step[keep] = np.linalg.solve(information[np.ix_(keep, keep)], sums[:k][keep])
    return step, information


@case
def newton_step(r):
    index, d = chosen_rows(r)
    sums, _ = logit_terms(r.x[index], r.w[index], d, r.beta)
    keep = np.array([True, False, True])
    step, information = newton(sums, keep)
    lower, scale = factors(information, keep)
    args = (sums, keep, np.ones((3, 3)), np.ones((3, 3)), np.ones(3), np.ones(3))
    return args, (2, 3, 4, 5), [True, information, lower, scale, step]


@case
def unpack(r):
    want = np.array([[3.0, 4, 6], [4, 5, 7], [6, 7, 8]])
    return (np.arange(10.0), np.zeros((3, 3))), (1,), [want]


@case
def logit_steps(r):
    index, d = chosen_rows(r)
    one, _ = logit_terms(r.x[index], r.w[index], d, r.beta)
    sums = np.array([one, one, np.zeros(10)])
    keep = np.array([[True, True, True], [True, False, True], [True, True, True]])
    steps = [newton(one, keep[0])[0], newton(one, keep[1])[0], np.zeros(3)]
    return (sums, keep), (), [np.array(steps), np.array([True, True, False])]


def odds(r, w, index, beta):
    eta = r.x[index] @ beta
    assert (eta > LIMIT).any()
    assert (eta < LIMIT).any()
    return np.where(eta < LIMIT, w[index] * np.exp(eta), 0.0)


STEEP = np.array([2.0, 4.0, 0.5])  # trims some rows


@case
def odds_sums(r):
    deleted, outcomes, beta = np.array([-1, 3, 0]), np.array([1]), np.array([STEEP, -STEEP, STEEP])
    want = np.zeros((3, 4))
    for j in (0, 1):
        index, _ = chosen_rows(r, deleted[j])
        v = odds(r, r.w, index, beta[j])
        want[j] = [*(v @ r.x[index]), v @ r.y[index, 1]]
    args = (0, 2, odds_rows(r, outcomes), deleted, beta, np.zeros((3, 4)))
    return args, (5,), [want]


@case
def collapse(r):
    code = np.random.default_rng(4).integers(0, 6, r.n)
    code[code == 4] = 5
    y = np.ascontiguousarray(r.y[:, 0])
    want = [np.bincount(code, weights=part, minlength=6) for part in (np.ones(r.n), r.w, y)]
    return (code, 6, r.w, y), (), want


def splitmix(h):
    """The finaliser of SplitMix64, in Python's integers."""
    mask = 2**64 - 1
    h = (h + 0x9E3779B97F4A7C15) & mask
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & mask
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & mask
    return h ^ (h >> 31)


@case
def mix(r):
    return (np.uint64(2**63 + 12345),), (), [splitmix(2**63 + 12345)]


@case
def hash_rows(r):
    y, w = np.ascontiguousarray(r.y[:, 0]), np.stack([r.w, r.w + 1])
    want = []
    for i in range(r.n):
        h = splitmix(int(y[i].view(np.uint64)))
        for value in (*r.x[i], *w[:, i]):
            h = splitmix(h ^ int(value.view(np.uint64)))
        want.append(h >> 1)
    return (y, r.x, w), (), [np.array(want)]


@case
def binary_counts(r):
    x = np.ascontiguousarray(np.column_stack([r.x[:, 2], np.where(r.x[:, 1] > 0, 5.0, -5.0)]))
    want = np.zeros((6, 2, 2))
    for s in r.chosen:
        i = slice(r.start[s], r.start[s + 1])
        seen = x[i][r.w[i] > 0]
        want[s] = [
            [(v == low).sum(), (v != low).sum()] for v, low in zip(seen.T, (0, -5), strict=True)
        ]
    return (x, r.w, np.array([0.0, -5.0]), r.start, r.chosen), (), [want]


@case
def odds_gradient(r):
    y, index = np.ascontiguousarray(r.y[:, 0]), chosen_rows(r)[0]
    left = y[index] - r.x[index] @ r.beta - 0.3
    want = (odds(r, r.w, index, STEEP) * left) @ r.x[index]
    return (outcome_rows(r), Contrast(STEEP, r.beta, 0.3)), (), [want]


@case
def linear_influence(r):
    y, index, psi = np.ascontiguousarray(r.y[:, 0]), chosen_rows(r)[0], np.arange(float(r.n))
    by_x, by_residual, want = np.array([1.0, 2, 3]), np.array([-1.0, 0.5, 2]), psi.copy()
    x, w = r.x[index], r.w[index]
    residual = y[index] - x @ r.beta
    want[index] += w * (0.7 * y[index] + x @ by_x + residual * (x @ by_residual))
    return (outcome_rows(r), Linear(0.7, by_x, r.beta, by_residual), psi), (2,), [want]


@case
def odds_influence(r):
    y, index, psi = np.ascontiguousarray(r.y[:, 0]), chosen_rows(r)[0], np.arange(float(r.n))
    want = psi.copy()
    left = y[index] - r.x[index] @ r.beta - 0.3
    want[index] += -0.4 * odds(r, r.w, index, STEEP) * left
    return (outcome_rows(r), Contrast(STEEP, r.beta, 0.3), -0.4, psi), (3,), [want]


@case
def score_influence(r):
    (index, d), psi, by_score = chosen_rows(r), np.arange(float(r.n)), np.array([1.0, -2.0, 0.5])
    want = psi.copy()
    want[index] += r.w[index] * (d - expit(r.x[index] @ STEEP)) * (r.x[index] @ by_score)
    return (logit_rows(r), STEEP, by_score, psi), (3,), [want]


@case
def add_odds(r):
    sums, inside = np.arange(4.0), np.arange(9, 15)
    want = sums + odds(r, r.w, inside, 2.5 * STEEP) @ np.column_stack([r.x, r.y[:, 1]])[inside]
    return (odds_rows(r, np.array([1])), 3, 2.5 * STEEP, sums), (3,), [want]


def powers_of(t, at):
    """Monomials of (n, k) points, (n, M)."""
    found = np.ones((len(at), t.parent.size))
    for g in range(1, t.parent.size):
        found[:, g] = found[:, t.parent[g]] * at[:, t.variable[g]]
    return found


def logit_derivatives(eta, d):
    """First four derivatives of the log likelihood with respect to eta, (5, n)."""
    p = expit(eta)
    v = p * (1 - p)
    return np.array([0 * p, d - p, -v, -v * (1 - 2 * p), -v * (1 - 6 * v)])


@case
def logit_moments(r):
    t, bounds, moments = monomials(3, 4), np.array([0, 1, 3, 4]), np.zeros((3, 35))
    want = moments.copy()
    for block in (0, 1):
        inside = slice(bounds[block], bounds[block + 1])
        own = SimpleNamespace(**vars(r) | {"treated": r.treated[inside]})
        index, d = chosen_rows(own, chosen=r.chosen[inside])
        value = powers_of(t, r.x[index]) * r.w[index, None]
        by_row = logit_derivatives(r.x[index] @ r.beta, d)[t.degree].T
        want[block] = (value * by_row).sum(axis=0)
    return (0, 2, logit_rows(r), bounds, r.beta, t, moments), (6,), [want]


@case
def odds_moments(r):
    t, bounds, outcomes = monomials(3, 2), np.array([0, 2, 4]), np.array([1, 0])
    moments, size, gap = np.zeros((2, 10, 5)), np.zeros((4, 5)), np.zeros(2)
    want, want_size, want_gap = moments.copy(), size.copy(), gap.copy()
    index = chosen_rows(r, chosen=r.chosen[2:])[0]
    z = np.column_stack([r.x, r.y[:, outcomes]])[index]
    want[1] = (powers_of(t, r.x[index]) * odds(r, r.w, index, STEEP)[:, None]).T @ z
    for j in (2, 3):
        inside = np.arange(r.start[r.chosen[j]], r.start[r.chosen[j] + 1])
        rows = np.abs(np.column_stack([r.x, r.y[:, outcomes]])[inside])
        eta = r.x[inside] @ STEEP
        want_size[j] = np.where(eta < LIMIT, r.w[inside] * np.exp(eta), 0.0) @ rows
    seen = index[r.w[index] > 0]
    want_gap[1] = np.abs(r.x[seen] @ STEEP - LIMIT).min()
    args = (1, 2, odds_rows(r, outcomes), bounds, STEEP, t, OddsMoments(moments, size, gap))
    return args, (6,), [want, want_size, want_gap]


@case
def powers(r):
    t, at = monomials(2, 3), np.array([0.5, -2.0])
    a, b = at
    want = 3 * np.array([1, a, b, a**2, a * b, b**2, a**3, a**2 * b, a * b**2, b**3])
    return (3.0, at, t, np.zeros(10)), (3,), [want]


@case
def predictor(r):
    return (r.x, 5, r.beta), (), [r.x[5] @ r.beta]


def expanded(r, w, degree, beta):
    """Moments of the rows of all chosen strata, about some coefficients."""
    t, index = monomials(3, degree), chosen_rows(r)
    bounds, moments = np.array([0, r.chosen.size]), np.zeros((1, t.parent.size))
    expansions.logit_moments.py_func(0, 1, logit_rows(r, w=w), bounds, beta, t, moments)
    return t, index, moments[0]


@case
def expand(r):
    """An expansion of a degree so high that nothing is left out."""
    t, (index, d), moments = expanded(r, r.w, 12, r.beta)
    step = np.array([0.02, -0.03, 0.01])
    value = powers_of(t, step[None])[0] * t.scale
    want, _ = logit_terms(r.x[index], r.w[index], d, r.beta + step)
    want[-1] = 0.0
    return (moments, value, t, np.ones(10)), (3,), [want]


@case
def solve_expanded(r):
    """Without a cluster of few rows, without none, and without a dominant one."""
    rng, start = np.random.default_rng(6), np.array([0, 60, 120, 320, 322])
    x = np.column_stack([np.ones(322), rng.normal(size=322), rng.integers(0, 2, 322)])
    rest = {"chosen": np.arange(4), "treated": np.array([True, False, False, True])}
    r = SimpleNamespace(start=start, x=x, cluster=np.array([0, 1, 2, 3]), **rest)
    w = rng.uniform(0.5, 2, 322)
    index, d = chosen_rows(r)
    base = bf.newton_logit(d, r.x[index], w[index])
    t, _, moments = expanded(r, w, 12, base)
    rest, d_rest = chosen_rows(r, without=3)
    want = np.array([bf.newton_logit(d_rest, r.x[rest], w[rest]), base, base])
    first, last = np.array([3, 0, 2]), np.array([4, 0, 3])
    expansion, keep = Expansion(base, moments, first, last), np.ones(3, dtype=bool)
    fits = Fits(np.tile(base, (3, 1)), np.zeros(3, dtype=bool), np.zeros(0))
    args = (0, 3, logit_rows(r, w=w), t, expansion, keep, fits)
    return args, (6,), [want, np.array([True, True, False]), np.zeros(0)]


@case
def odds_expanded(r):
    t, outcomes = monomials(3, 12), np.array([1])
    base, step = STEEP / 8, np.array([[0.01, -0.02, 0.01], [0.0, 0.0, 0.0]])
    moments, size = np.zeros((1, t.parent.size, 4)), np.zeros((4, 4))
    rows, into = odds_rows(r, outcomes), OddsMoments(moments, size, np.zeros(1))
    expansions.odds_moments.py_func(0, 1, rows, np.array([0, 4]), base, t, into)
    want, share = np.zeros((2, 4)), np.zeros(2)
    for j, without in enumerate([1, None]):
        whole, index = chosen_rows(r)[0], chosen_rows(r, without=without)[0]
        z = np.column_stack([r.x, r.y[:, 1]])
        w = r.w * np.exp(r.x @ (base + step[j]))
        want[j] = w[index] @ z[index]
        at_base = (r.w * np.exp(r.x @ base))[:, None] * np.abs(z)
        share[j] = (1 - at_base[index].sum(axis=0) / at_base[whole].sum(axis=0)).max()
    first, last = np.array([2, 0]), np.array([3, 0])
    expansion = Expansion(base, moments[0], first, last)
    into = OddsSums(size, np.zeros((2, 4)), np.zeros(2))
    return (0, 2, rows, t, expansion, base + step, into), (6,), [size, want, share]


@case
def dominates(r):
    sums, keep = np.arange(1.0, 11.0), np.array([True, True, False])
    own = np.where(np.arange(10) == 8, sums, 0.4 * sums)  # dominant only where it is not used
    return (own, sums, keep), (), [False]


def copied(arg):
    """Copy an array, or each array of a NamedTuple."""
    if isinstance(arg, tuple):
        return type(arg)(*map(copied, arg))
    return arg.copy() if isinstance(arg, np.ndarray) else arg


def call(kernel, args, filled):
    """Call on copies; return what comes back, and the arguments that were filled in.

    All other arguments have to stay as they are.
    """
    copies = [copied(arg) for arg in args]
    with np.errstate(over="ignore"):  # hashes wrap around
        result = kernel(*copies)
    for position, (arg, after) in enumerate(zip(args, copies, strict=True)):
        if position not in filled:
            same = arg if isinstance(arg, tuple) else (arg,)
            for a, b in zip(same, after if isinstance(arg, tuple) else (after,), strict=True):
                np.testing.assert_array_equal(b, a)
    returned = result if isinstance(result, tuple) else [] if result is None else [result]
    parts = [copies[position] for position in filled]
    return [*returned, *(a for p in parts for a in (p if isinstance(p, tuple) else (p,)))]


def test_every_kernel_has_a_case():
    assert set(CASES) == set(KERNELS)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_kernel(name, compiled, rows):
    args, filled, want = CASES[name](rows)
    kernel = KERNELS[name] if compiled else KERNELS[name].py_func
    got = call(kernel, args, filled)
    assert len(got) == len(want)
    rtol = 1e-8 if name == "fit_logits" else 1e-11  # propensities are those before the last step
    for a, b in zip(got, want, strict=True):
        if b is not SCRATCH:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_compiled_equals_uncompiled(name, rows):
    args, filled, _ = CASES[name](rows)
    one = call(KERNELS[name], args, filled)
    other = call(KERNELS[name].py_func, args, filled)
    for a, b in zip(one, other, strict=True):
        # Only exp and log1p may differ, in their last digit.
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_no_rows_is_no_sum():
    none = np.empty(0, dtype=np.int64)
    got = deleted_sums(np.ones((3, 2)), none, np.array([0, 1, 2]), 3)
    np.testing.assert_array_equal(got, np.zeros((4, 2)))


def test_deleted_sums_without_jackknife_are_the_full_sum():
    values, cluster = np.arange(6.0).reshape(3, 2), np.array([0, 1, 2])
    got = deleted_sums(values, np.array([0, 2]), cluster, 0)
    np.testing.assert_array_equal(got, [[4.0, 6.0]])


# A column that depends on others ---------------------------------------------------------------


def dependent_gram():
    """Columns: intercept, v, 2 - 3 v, u, 0."""
    rng = np.random.default_rng(5)
    v, u = rng.normal(size=(2, 20))
    x = np.column_stack([np.ones(20), v, 2 - 3 * v, u, np.zeros(20)])
    return x, x.T @ x


@pytest.mark.parametrize("compiled", [True, False])
def test_factor_stops_at_the_first_dependent_column(compiled, monkeypatch):
    _, gram = dependent_gram()
    if not compiled:
        monkeypatch.setattr(linear_algebra, "factor_all", linear_algebra.factor_all.py_func)
    _, _, first = linear_systems.factor(
        np.stack([gram, np.eye(5)]), np.ones((2, 5), dtype=bool), False
    )
    assert first.tolist() == [2, -1]


@pytest.mark.parametrize("compiled", [True, False])
def test_factor_drops_dependent_columns(compiled, monkeypatch):
    x, gram = dependent_gram()
    if not compiled:
        monkeypatch.setattr(linear_algebra, "factor_all", linear_algebra.factor_all.py_func)
    lower, scale, first = linear_systems.factor(gram[None], np.ones((1, 5), dtype=bool), True)
    keep = np.array([True, True, False, True, False])
    assert first.tolist() == [2]
    np.testing.assert_array_equal(scale[0] > 0, keep)
    want, _ = factors(gram, keep)
    np.testing.assert_allclose(lower[0], want, atol=1e-13)
    y = np.random.default_rng(6).normal(size=20)
    beta = linear_systems.solve(lower, scale, (y @ x)[None, None])[0, 0]
    own = np.linalg.lstsq(x[:, keep], y, rcond=None)[0]
    np.testing.assert_allclose(beta[keep], own, rtol=1e-10)
    np.testing.assert_array_equal(beta[~keep], 0.0)


@pytest.mark.parametrize("drop", [True, False])
def test_a_single_column_is_as_kernels_would_have_it(drop):
    rng = np.random.default_rng(9)
    gram, keep = rng.exponential(size=(6, 1, 1)), np.array([[True]] * 5 + [[False]])
    gram[:4, 0, 0] = 0.0, np.nan, np.inf, 1e-310
    empty = np.zeros((6, 1, 1)), np.zeros((6, 1)), np.full(6, -1)
    linear_algebra.factor_all(gram, keep, drop, *empty)
    got = linear_systems.factor(gram, keep, drop)
    for a, b in zip(got, empty, strict=True):
        np.testing.assert_array_equal(a, b)
    rhs, want = rng.normal(size=(6, 3, 1)), np.empty((6, 3, 1))
    rhs[0, 0] = np.inf
    linear_algebra.solve_all(*got[:2], rhs, want)
    np.testing.assert_array_equal(linear_systems.solve(*got[:2], rhs), want)


def test_factor_counts_an_unused_column_as_no_failure():
    _, gram = dependent_gram()
    keep = np.array([[True, True, False, True, False]])
    assert linear_systems.factor(gram[None], keep, False)[2].tolist() == [-1]


def test_factor_does_not_mind_units_of_measurement():
    gram = grams(n=1)
    units = 10.0 ** np.array([0, 9, -9, 4])
    lower, _, first = linear_systems.factor(gram, np.ones((1, 4), dtype=bool), False)
    other, _, first_other = linear_systems.factor(
        gram * np.outer(units, units), np.ones((1, 4), dtype=bool), False
    )
    assert first.tolist() == first_other.tolist() == [-1]
    np.testing.assert_allclose(other, lower, rtol=1e-9, atol=1e-12)


# Logits ---------------------------------------------------------------------------------------


def one_logit(x, d, start=None):
    """Fit one logit with the kernel: coefficients, whether it converged, largest propensity."""
    order = np.argsort(~d)
    n, k = x.shape
    beta = np.zeros((1, k)) if start is None else np.array([start], dtype=float)
    converged, top = np.zeros(1, dtype=bool), np.zeros(1)
    rows = LogitRows(
        x=np.ascontiguousarray(x[order]),
        w=np.ones(n),
        start=np.array([0, d.sum(), n]),
        chosen=np.array([0, 1]),
        treated=np.array([True, False]),
        cluster=np.array([0, 1]),
        largest=np.abs(x).max(axis=0),
    )
    keep, fits = np.ones((1, k), dtype=bool), Fits(beta, converged, top)
    logit.fit_logits(0, 1, rows, np.array([-1]), keep, fits)
    return beta[0], converged[0], expit(top[0])


def test_logit_from_another_start():
    rng = np.random.default_rng(7)
    x = np.column_stack([np.ones(80), rng.normal(size=80)])
    d = rng.random(80) < expit(x @ [-0.5, 1.0])
    want = bf.newton_logit(d.astype(float), x, np.ones(80))
    for start in (None, [2.0, -2.0], [-3.0, 3.0]):
        beta, converged, _ = one_logit(x, d, start)
        assert converged
        np.testing.assert_allclose(beta, want, rtol=1e-12)


@pytest.mark.parametrize("intercept", [-40.0, -20.0, -8.0, 8.0, 20.0, 40.0, 100.0, 800.0])
def test_logit_from_a_start_far_away_is_right_or_fails(intercept):
    rng = np.random.default_rng(7)
    x = np.column_stack([np.ones(80), rng.normal(size=80)])
    d = rng.random(80) < expit(x @ [-0.5, 1.0])
    beta, converged, _ = one_logit(x, d, [intercept, 0.0])
    want = bf.newton_logit(d.astype(float), x, np.ones(80))
    assert not converged or np.allclose(beta, want, rtol=1e-12)


def test_logit_that_predicts_comparison_perfectly_converges():
    rng = np.random.default_rng(8)
    dummy = np.repeat([0.0, 1.0], [60, 20])
    x = np.column_stack([np.ones(80), rng.normal(size=80), dummy])
    d = (rng.random(80) < 0.4) & (dummy == 0)
    beta, converged, top = one_logit(x, d)
    assert converged
    assert top < 0.999
    inside = dummy == 0
    want = bf.newton_logit(d[inside].astype(float), x[inside, :2], np.ones(60))
    np.testing.assert_allclose(beta[:2], want, rtol=1e-6)
    assert expit(beta[0] + beta[2]) < 1e-6


def test_logit_with_a_covariate_of_heavy_tails_does_not_depend_on_its_start():
    """Coefficients move by less than the tolerance, but not all linear predictors do."""
    rng = np.random.default_rng(4)
    z, d = rng.normal(size=300), rng.random(300) < 0.4
    z[:8], d[:8] = 1e8 * np.arange(-3, 5), [0, 0, 1, 0, 1, 0, 1, 1]
    x = np.column_stack([np.ones(300), z])
    fits = [one_logit(x, d, start) for start in ([0.0, 0.0], [-0.4, 3e-8], [-0.4, -1e-8])]
    assert all(converged for _, converged, _ in fits)
    assert np.abs(x @ fits[0][0]).max() > 1
    for beta, _, _ in fits[1:]:
        np.testing.assert_allclose(x @ beta, x @ fits[0][0], rtol=0, atol=1e-10)


def test_logit_that_predicts_treatment_perfectly_has_propensity_one():
    dummy = np.repeat([0.0, 1.0], [60, 20])
    d = (np.arange(80) % 3 == 0) | (dummy == 1)
    _, _, top = one_logit(np.column_stack([np.ones(80), dummy]), d)
    assert top > 0.999


# Sums that do not depend on order, hashes ------------------------------------------------------


def test_collapse_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(9)
    w = rng.uniform(0, 1, 5000) * 10.0 ** rng.integers(-6, 6, 5000)
    y, code = rng.normal(size=5000), rng.integers(0, 5, 5000)
    order = rng.permutation(5000)
    one = strata.collapse(code, 5, w, y)
    other = strata.collapse(code[order], 5, w[order], y[order])
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    plain = [np.bincount(code[i], weights=w[i]) for i in (slice(None), order)]
    assert (plain[0] != plain[1]).any()  # which plain sums do


def test_hashes_tell_rows_apart():
    values = np.arange(30.0)
    y, x = np.repeat(values, 30), np.tile(values, 30)[:, None]
    hashes = strata.hash_rows(y, x, np.ones((1, 900)))
    assert np.unique(hashes).size == 900
    assert (hashes >= 0).all()
    swapped = strata.hash_rows(x[:, 0].copy(), y[:, None].copy(), np.ones((1, 900)))
    assert (hashes != swapped).sum() == 870
