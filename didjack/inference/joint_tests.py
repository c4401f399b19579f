"""Linear hypotheses: what the user typed -> weights by coefficient -> Wald test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from didjack._typing import Floats
from didjack.errors import OptionError
from didjack.fields import Fields
from didjack.imports import load
from didjack.inference.targets import coefficient_names
from didjack.wording import brief, label_text, name_labels, plural

RANK_TOLERANCE = 1e-10
"""Eigenvalues of the restrictions' correlation matrix below this share of the largest are zero."""
NULL_TOLERANCE = 1e-6
"""Where the covariance is singular, restrictions must hold to this share of their size."""


def weights_of(given: Any, index: pd.Index, n_components: int) -> Floats:
    """Read the weights of one linear combination of coefficients.

    Parameters
    ----------
    given : mapping or Series from label to weight, or an array of M weights (or `n_components`:
        all but the overall)
    index : (M,) labels
    n_components : number of coefficients that come before the overall

    Returns
    -------
    (M,)

    Raises
    ------
    OptionError
        A label that does not exist, the wrong number of weights, or weights that are not numbers
        or all zero.
    """
    if isinstance(given, pd.Series):
        given = given.to_dict()
    if isinstance(given, Mapping):
        row = np.zeros(len(index))
        for label, weight in given.items():
            row[position(label, index)] += _numbers([weight])[0]
    else:
        row = _padded(_numbers(given)[None], index, n_components)[0]
    if not row.any():
        raise OptionError("all weights are zero; name the coefficients to combine")
    return row


def restrictions(R: Any, index: pd.Index, n_components: int) -> Floats:
    """Read the restrictions of a Wald test, one a row.

    Parameters
    ----------
    R : list of labels (each of these coefficients), mapping from label to weight (one
        combination), list of such mappings, DataFrame with labels as columns, or array of L rows

    Returns
    -------
    (L, M)
    """
    if isinstance(R, (Mapping, pd.Series)):
        return weights_of(R, index, n_components)[None]
    if isinstance(R, pd.DataFrame):
        matrix = np.zeros((len(R), len(index)))
        for column, label in enumerate(R.columns):
            matrix[:, position(label, index)] += _numbers(R.iloc[:, column])
        return _nonzero(matrix)
    if isinstance(R, pd.Index) or (isinstance(R, Sequence) and not isinstance(R, str)):
        items = list(R)
        if items and all(isinstance(item, Mapping) for item in items):
            return np.stack([weights_of(item, index, n_components) for item in items])
        found = [_find(item, index) for item in items]
        if items and (isinstance(R, pd.Index) or all(at is not None for at in found)):
            return np.eye(len(index))[[position(item, index) for item in items]]
    array = _numbers(R)
    return _nonzero(_padded(np.atleast_2d(array), index, n_components))


def position(label: Any, index: pd.Index) -> int:
    """Find a coefficient by its label, or raise."""
    found = _find(label, index)
    if found is None:
        raise OptionError(
            f"there is no coefficient {brief(label)}; there are: {name_labels(index, 30)}"
        )
    return found


def _find(label: Any, index: pd.Index) -> int | None:
    """Find a label by its value, or by the way it is written: a date, or "event time -2"."""
    label = tuple(label) if isinstance(label, list) else label
    if isinstance(label, (bool, np.bool_)) or not pd.api.types.is_hashable(label):
        return None  # True is no event time 1
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    for at, key in enumerate(index):
        if isinstance(key, tuple) == isinstance(label, tuple) and key == label:
            return at
    written = label_text(label)
    names = [label_text(key) for key in index]
    if names.count(written) != 1:
        names = coefficient_names(index)
    return names.index(written) if names.count(written) == 1 else None


def _numbers(values: Any) -> Floats:
    """Convert weights to floats, or raise: texts, booleans and time differences are no numbers."""
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "iuf" and not all(map(_is_number, given.ravel().tolist())):
            raise TypeError(f"got {brief(values)}")
        array = given.astype(float)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(f"weights must be numbers or labels of coefficients: {error}") from error
    if not np.isfinite(array).all():
        raise OptionError("weights must be finite numbers")
    return array


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool)


def _padded(rows: Floats, index: pd.Index, n_components: int) -> Floats:
    """Give the overall a weight of zero where rows are of the components alone."""
    if rows.ndim != 2 or rows.shape[1] not in (len(index), n_components):
        shape = rows.shape if len(rows) != 1 else rows.shape[1:]
        what = f"shape {shape}" if shape else "a single number"
        also = f", or {n_components} without the overall" if n_components < len(index) else ""
        raise OptionError(
            f"an array of weights needs one column for each coefficient, {len(index)}{also}, "
            f"not {what}, "
            f"nor are these labels of coefficients, which are {name_labels(index, 30)}"
        )
    return np.pad(rows, ((0, 0), (0, len(index) - rows.shape[1])))


def _nonzero(matrix: Floats) -> Floats:
    if not len(matrix) or not matrix.any(axis=1).all():
        raise OptionError("R has a row without any weight; each row is one restriction")
    return matrix


def values_of(q: Any, n_rows: int) -> Floats:
    """Read the right-hand side of the restrictions, (L,); None is zero."""
    values = np.zeros(n_rows) if q is None else np.atleast_1d(_numbers(q))
    if values.shape not in ((1,), (n_rows,)):
        raise OptionError(f"q must be a number, or {plural(n_rows, 'number')}: one a restriction")
    return np.broadcast_to(values, (n_rows,)).copy()


@dataclass(frozen=True, repr=False)
class JointTest(Fields):
    """A Wald test of linear restrictions.

    Attributes
    ----------
    statistic : F
    critical_value : exceeded by F with probability alpha if the restrictions hold; infinite if
        p-values come from too few draws for a p-value below alpha
    df_num : rank of the covariance matrix of the restrictions
    df_denom : degrees of freedom of the denominator, infinite for the normal distribution; None if
        the reference distribution is not F, but comes from draws under the working model
    p_value : float
    rank : the same as `df_num`
    reason : why there is no test; empty if there is one
    simulation_error : standard error of a p-value from draws; 0 where nothing is simulated
    """

    _title: ClassVar[str] = "Joint test"

    statistic: float
    critical_value: float
    df_num: float
    df_denom: float | None
    p_value: float
    rank: float
    reason: str
    simulation_error: float


def untested(reason: str) -> JointTest:
    """Return a Wald test that cannot be made."""
    none = np.nan
    return JointTest(none, none, none, none, none, none, reason, none)


class WaldReference(Protocol):
    """The null distribution of a Wald statistic, where it is not F or chi square."""

    @property
    def n_draws(self) -> int:
        """Number of draws; 0 where none are needed."""

    @property
    def rank(self) -> int:
        """Rank of the covariance under it."""

    def wald_p_value(self, wald: float) -> float:
        """Return the probability of a statistic as large."""

    def wald_critical_value(self, alpha: float) -> float:
        """Return what a statistic is beyond where the p-value is below `alpha`."""


def wald(
    distance: Floats,
    covariance: Floats,
    df: float,
    alpha: float,
    reference: WaldReference | None = None,
) -> JointTest:
    r"""Test that L linear combinations have the values they should have.

    With d the distance of the combinations from these values and V their covariance,

    .. math:: F = d' V^+ d / k

    is compared with F(k, df), or k F with :math:`\chi^2_k` where df is infinite, unless its
    null distribution is known. k is the rank of V: the number of eigenvalues of the correlation
    matrix that are at least 1e-10 times the largest, and :math:`V^+` the inverse on their
    eigenvectors. So redundant restrictions count once. There is no test, and the values are NaN,
    where V is singular and d not zero in the same direction, or where V has a higher rank than in
    the draws, which are without covariates: what these alone contribute is tiny, and F huge.

    Parameters
    ----------
    distance : (L,)
    covariance : (L, L)
    df : degrees of freedom of the denominator; infinite for the normal
    alpha : level of the critical value
    reference : WaldReference of k F, if it is another

    Returns
    -------
    JointTest
    """
    error = np.sqrt(np.diag(covariance))
    if not (error > 0).all():
        return untested("a restriction has no standard error")
    scaled = distance / error
    values, vectors = np.linalg.eigh(covariance / np.outer(error, error))
    kept = values > RANK_TOLERANCE * values[-1]
    rank = int(kept.sum())
    along = vectors.T @ scaled
    if np.linalg.norm(along[~kept]) > NULL_TOLERANCE * np.linalg.norm(scaled):
        return untested(
            f"the covariance of the {plural(distance.size, 'restriction')} has rank {rank} only, "
            "and they do not hold in its null space; test fewer at a time",
        )
    if reference is not None and reference.rank < rank:
        return untested(
            f"the covariance of the {plural(distance.size, 'restriction')} has rank {rank}, but "
            f"{reference.rank} without covariates, where its reference distribution is computed; "
            "test fewer at a time",
        )
    total = float((along[kept] ** 2 / values[kept]).sum())
    p_value, critical = _of_f(total / rank, rank, df, alpha)
    error_of_p, df_denom = 0.0, None if reference is not None else df
    if reference is not None:
        p_model = reference.wald_p_value(total)
        critical_model = reference.wald_critical_value(alpha) / rank
        # A single restriction has a t statistic, and is never less conservative than t(df).
        p_value = p_model if reference.n_draws else max(p_model, p_value)
        critical = critical_model if reference.n_draws else max(critical_model, critical)
        if reference.n_draws:
            error_of_p = float(np.sqrt(p_value * (1.0 - p_value) / reference.n_draws))
    return JointTest(total / rank, critical, rank, df_denom, p_value, rank, "", error_of_p)


def _of_f(statistic: float, rank: int, df: float, alpha: float) -> tuple[float, float]:
    """Return p-value and critical value of F(rank, df), or of chi square / rank."""
    special = load("scipy.special")

    if np.isinf(df):
        critical = special.chdtri(rank, alpha) / rank
        return float(special.chdtrc(rank, statistic * rank)), float(critical)
    # Of the upper tail, by the lower one of the inverse ratio, as alpha may be small.
    critical = 1.0 / special.fdtri(df, rank, alpha)
    return float(special.fdtrc(rank, df, statistic)), float(critical)
