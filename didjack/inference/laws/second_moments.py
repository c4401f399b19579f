"""Second moments of an estimate and its replicates' deviations under the working model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from didjack._typing import Floats, Ints


class Parts(NamedTuple):
    """The second moments of deviations as a diagonal and a product of thin matrices.

    Covariance of the deviations: diag(own) + [shift, mixed] [[psi, -1], [-1, 0]] [shift, mixed]'.

    Attributes
    ----------
    psi : (q, q) covariance of the means' sums
    shift : (R', q) change of beta in each replicate
    mixed : (R', q) covariance of what is deleted with the means' sums
    own : (R',) variance of what is deleted
    first : (q,) beta of the full sample
    """

    psi: Floats
    shift: Floats
    mixed: Floats
    own: Floats
    first: Floats

    def take(self, rows: Ints) -> Parts:
        """Select replicates."""
        return self._replace(shift=self.shift[rows], mixed=self.mixed[rows], own=self.own[rows])

    @property
    def estimate(self) -> float:
        """Variance of the estimate."""
        return float(self.first @ self.psi @ self.first)

    @property
    def bound(self) -> float:
        """What the variance of the estimate would be if nothing cancelled out."""
        size = np.abs(self.first)
        return float(size @ self.psi @ size)

    @property
    def cross(self) -> Floats:
        """(R',) covariance of the estimate and each deviation."""
        return np.asarray(self.shift @ (self.psi @ self.first) - self.mixed @ self.first)

    @property
    def diagonal(self) -> Floats:
        """(R',) variance of each deviation."""
        inner = (self.shift @ self.psi - 2.0 * self.mixed) * self.shift
        return np.asarray(self.own + inner.sum(axis=1))

    @property
    def squared_norm(self) -> float:
        """Sum of the squares of all covariances of deviations."""
        thin = np.hstack([self.shift, self.mixed])
        inner, q = thin.T @ thin, self.psi.shape[0]
        kernel = np.block([[self.psi, -np.eye(q)], [-np.eye(q), np.zeros((q, q))]])
        product = kernel @ inner
        cross = 2.0 * self.own @ (self.diagonal - self.own)
        return float((self.own**2).sum() + cross + (product * product.T).sum())

    def times(self, vector: Floats) -> Floats:
        """Multiply the covariance of the deviations with a vector, (R',)."""
        shift, mixed = self.shift.T @ vector, self.mixed.T @ vector
        product = self.shift @ (self.psi @ shift - mixed) - self.mixed @ shift
        return np.asarray(product + self.own * vector)

    def block(self, rows: Ints) -> Floats:
        """Covariance of some deviations."""
        shift, mixed = self.shift[rows], self.mixed[rows]
        half = (0.5 * shift @ self.psi - mixed) @ shift.T
        gram = half + half.T
        gram.flat[:: rows.size + 1] += self.own[rows]  # the diagonal
        return np.asarray(gram)
