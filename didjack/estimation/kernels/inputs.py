"""What kernels are given: arrays that belong together."""

from __future__ import annotations

from typing import NamedTuple

from didjack._typing import Bools, Floats, Ints


class Rows(NamedTuple):
    """Covariates and weights of rows, in strata: stratum s is rows start[s]:start[s+1].

    Attributes
    ----------
    x : (n, k)
    w : (n,); rows with weight zero do not take part
    start : (S+1,)
    """

    x: Floats
    w: Floats
    start: Ints


class MomentRows(NamedTuple):
    """Weights and outcomes of rows in strata.

    Attributes
    ----------
    w, start : as of `Rows`
    y : (n, O)
    level : (n,) what is added to outcomes, or empty
    square : (n,) sums of squared weights where rows stand for several, or empty
    """

    w: Floats
    start: Ints
    y: Floats
    level: Floats
    square: Floats


class LogitRows(NamedTuple):
    """The rows of a logit: some strata, each of treated or of control rows.

    Attributes
    ----------
    x, w, start : as of `Rows`
    chosen : (c,) strata, ordered by cluster
    treated : (c,) whether a stratum is of the treated cohort
    cluster : (S,) cluster of each stratum
    largest : (k,) largest absolute values of the covariates, over the whole sample
    """

    x: Floats
    w: Floats
    start: Ints
    chosen: Ints
    treated: Bools
    cluster: Ints
    largest: Floats


class OddsRows(NamedTuple):
    """Control rows whose covariates and outcomes are weighted by odds of treatment.

    Attributes
    ----------
    x, w, start : as of `Rows`
    y : (n, O)
    outcomes : (o,) columns of y to sum
    chosen : (c,) strata of control rows, ordered by cluster
    cluster : (S,) cluster of each stratum
    """

    x: Floats
    w: Floats
    start: Ints
    y: Floats
    outcomes: Ints
    chosen: Ints
    cluster: Ints


class OutcomeRows(NamedTuple):
    """Rows of some strata with one outcome (or its change).

    Attributes
    ----------
    x, w, start : as of `Rows`
    y : (n,)
    chosen : (c,) strata
    """

    x: Floats
    w: Floats
    start: Ints
    y: Floats
    chosen: Ints


class ShockModel(NamedTuple):
    """What M targets make of cluster-level shocks, (H, T), by Q means of outcomes.

    Attributes
    ----------
    weight : (Q, H) weights of the clusters in each mean
    period : (Q,) which period's shocks it is of
    kept : (n,) clusters whose replicates are used
    start : (M+1,) target m uses means mean[start[m]:start[m+1]]
    mean, first : (S,) which means, and how much they count in the full sample, by unit of weight
    shift : (S, n) how much more they count in each replicate
    own_start : (M+1,) target m has shocks in own_period[own_start[m]:own_start[m+1]]
    own_period : (S',)
    own : (S', n) loadings on them that deleting a cluster takes away
    """

    weight: Floats
    period: Ints
    kept: Ints
    start: Ints
    mean: Ints
    first: Floats
    shift: Floats
    own_start: Ints
    own_period: Ints
    own: Floats


class Forms(NamedTuple):
    """M quadratic forms of normals on their axes, see `inference.reference.distribution`.

    Attributes
    ----------
    delta : (M, r) eigenvalues, the largest first; zeros fill up shorter rows
    square : (M, r)
    outside : (M,)
    bulk_each, bulk_df : (M,) mean of the bulk by degree of freedom, and these
    """

    delta: Floats
    square: Floats
    outside: Floats
    bulk_each: Floats
    bulk_df: Floats


class Fits(NamedTuple):
    """Where logit fits are written.

    Attributes
    ----------
    beta : (r, k) starting values, zero where a covariate is not used; replaced by the fit
    converged : (r,) filled in
    top : (r,) filled with the largest fitted linear predictors
    """

    beta: Floats
    converged: Bools
    top: Floats


class Monomials(NamedTuple):
    """The monomials of k variables up to a degree D, numbered by degree; number 0 is 1.

    Attributes
    ----------
    parent, variable : (M,) monomial g is monomial parent[g] times variable variable[g]
    degree : (M,)
    scale : (M,) one over the factorials of the exponents
    child : (M', k) number of each monomial of a degree less than D times each variable
    n_information : number of monomials of a degree less than D - 1
    horner : (D+1, D) the derivative of degree d >= 2 of the log likelihood is -p (1-p) times the
        polynomial in p with coefficients horner[d]
    """

    parent: Ints
    variable: Ints
    degree: Ints
    scale: Floats
    child: Ints
    n_information: int
    horner: Floats


class Expansion(NamedTuple):
    """Sums over all rows as polynomials in how far coefficients are from some others.

    Attributes
    ----------
    about : (k,)
    moments : (M,) of the log likelihood, or (M, k + o) of odds-weighted sums
    first, last : (r,) the strata of the cluster that replicate r leaves out are
        chosen[first[r]:last[r]]
    """

    about: Floats
    moments: Floats
    first: Ints
    last: Ints


class OddsMoments(NamedTuple):
    """Where the moments of odds-weighted sums are written.

    Attributes
    ----------
    moments : (B, M, k + o) zeros, filled in
    size : (c, k + o) zeros, filled with the sums of w p/(1-p) |(x, y)| over each stratum
    gap : (B,) filled with the least distance of a linear predictor from where rows are trimmed
    """

    moments: Floats
    size: Floats
    gap: Floats


class OddsSums(NamedTuple):
    """Where odds-weighted sums without a cluster are written.

    Attributes
    ----------
    size : (c, k + o) that of `OddsMoments`
    sums : (r, k + o) zeros, filled in
    share : (r,) filled with the largest share of the cluster in any of the sums of absolute values
    """

    size: Floats
    sums: Floats
    share: Floats


class Contrast(NamedTuple):
    """What odds-weighted residuals are measured with.

    Attributes
    ----------
    logit : (k,) coefficients of the propensity
    beta : (k,) coefficients of the outcome regression
    centre : mean residual, which is subtracted
    """

    logit: Floats
    beta: Floats
    centre: float


class Linear(NamedTuple):
    """Derivatives of an estimate by what a row adds to sums.

    Attributes
    ----------
    by_y : by the weighted outcome
    by_x : (k,) by the weighted covariates
    beta : (k,) coefficients that residuals are taken from
    by_residual : (k,) by the weighted residual times each covariate
    """

    by_y: float
    by_x: Floats
    beta: Floats
    by_residual: Floats
