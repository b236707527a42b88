"""Second moments of both sides, and the bases in which every mix of them is diagonal.

Several questions are asked of the same features: the curve, all rows with weights, what rows are
worth. Each tries the same ridges, so what belongs to a ridge is computed once and kept.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Numbers of rows in all bases together that are kept; more are computed again at every question.
_KEPT_CELLS = 2**23
#: Degrees of freedom that may be left out of a fit: the directions of the least variance, in which
#: a ridge leaves nothing of the data.
NEGLIGIBLE = 1e-4


@dataclass(frozen=True, eq=False)
class Basis:
    """The basis V that diagonalises ``(1-a) A + a B + l I`` for every a, at one ridge l.

    Attributes
    ----------
    vectors : ndarray of shape (r, r)
        V, with ``V' (A + B + 2 l I) V = I``, of the last r features, turned as in `Moments`. In
        all others together, those of the least variance, a fit with this ridge has no more than
        `NEGLIGIBLE` degrees of freedom.
    w : ndarray of shape (r,)
        Diagonal of ``V' (A + l I) V``.
    gram, spread, judged : ndarray of shape (r, r)
        A, B and the second moment of the judging rows in this basis.
    pull_real, pull_synthetic : ndarray of shape (r, q)
        Means of features times target.
    """

    vectors: Floats
    w: Floats
    gram: Floats
    spread: Floats
    judged: Floats
    pull_real: Floats
    pull_synthetic: Floats


@dataclass(frozen=True, eq=False)
class Moments:
    """Both sides in the features of one kernel, and what was computed of them.

    Features are turned once so that A + B is diagonal; no risk depends on how they are turned.

    Attributes
    ----------
    real, synthetic : ndarray of shape (n, p), (m, p)
    real_target, synthetic_target : ndarray of shape (n, q), (m, q)
    evaluation : pair of ndarray, optional
        Features and targets of the rows that judge; without them the real ones do.
    """

    real: Floats
    real_target: Floats
    synthetic: Floats
    synthetic_target: Floats
    evaluation: tuple[Floats, Floats] | None = None
    _bases: dict[float, Basis] = field(default_factory=dict, repr=False)
    _rows: dict[float, tuple[Floats, Floats]] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> int:
        """Real rows."""
        return len(self.real)

    @property
    def m(self) -> int:
        """Synthetic rows."""
        return len(self.synthetic)

    @property
    def judging(self) -> tuple[Floats, Floats]:
        """Features and targets of the rows that judge."""
        return (self.real, self.real_target) if self.evaluation is None else self.evaluation

    @cached_property
    def square(self) -> float:
        """Mean squared synthetic target, summed over its columns."""
        return float(np.mean(np.sum(self.synthetic_target**2, axis=1)))

    def basis(self, ridge: float) -> Basis:
        """The basis at a ridge, computed when it is first asked for."""
        if ridge not in self._bases:
            self._bases[ridge] = self._basis(ridge)
        return self._bases[ridge]

    def rows(self, ridge: float) -> tuple[Floats, Floats]:
        """Features of the real and of the judging rows in the basis of a ridge."""
        if ridge in self._rows:
            return self._rows[ridge]
        vectors = self.basis(ridge).vectors
        real = self._turned[0][:, -len(vectors) :] @ vectors
        judges = real
        if self.evaluation is not None:
            judges = self._turned[1][:, -len(vectors) :] @ vectors
        held = sum(each[0].size for each in self._rows.values())
        if held + real.size <= _KEPT_CELLS:
            self._rows[ridge] = real, judges
        return real, judges

    @cached_property
    def _turn(self) -> tuple[Floats, Floats, Floats]:
        """Eigenvalues and eigenvectors of A + B, and A turned by these."""
        gram = self.real.T @ self.real / self.n
        values, vectors = np.linalg.eigh(gram + self.synthetic.T @ self.synthetic / self.m)
        return np.maximum(values, 0.0), vectors, vectors.T @ gram @ vectors

    @cached_property
    def _turned(self) -> tuple[Floats, Floats]:
        """Features of the real and of the judging rows, turned."""
        vectors = self._turn[1]
        real = self.real @ vectors
        return real, real if self.evaluation is None else self.evaluation[0] @ vectors

    @cached_property
    def _crosses(self) -> tuple[Floats, Floats]:
        vectors = self._turn[1]
        return (
            vectors.T @ (self.real.T @ self.real_target / self.n),
            vectors.T @ (self.synthetic.T @ self.synthetic_target / self.m),
        )

    def _basis(self, ridge: float) -> Basis:
        # Once A + B is diagonal, so is A + B + 2 l I at every ridge, and what is left is an
        # ordinary eigenproblem. Eigenvalues increase, and s of them adds s / l degrees of freedom
        # at most.
        both, _, turned = self._turn
        first = int(np.searchsorted(np.cumsum(both[:-1]), NEGLIGIBLE * ridge))
        both, turned = both[first:], turned[first:, first:]
        root = 1 / np.sqrt(both + 2 * ridge)
        w, vectors = np.linalg.eigh(root[:, None] * (turned + ridge * np.eye(len(both))) * root)
        w, vectors = np.clip(w, 0.0, 1.0), root[:, None] * vectors
        # V' (A + B + 2 l I) V = I and V' (A + l I) V = diag(w) leave these for A and B.
        shrunk = ridge * (vectors.T @ vectors)
        gram = np.diag(w) - shrunk
        judged = gram
        if self.evaluation is not None:
            judges = self._turned[1][:, first:] @ vectors
            judged = judges.T @ judges / len(judges)
        return Basis(
            vectors=vectors,
            w=w,
            gram=gram,
            spread=np.diag(1 - w) - shrunk,
            judged=judged,
            pull_real=vectors.T @ self._crosses[0][first:],
            pull_synthetic=vectors.T @ self._crosses[1][first:],
        )


def predicted(rows: Floats, fits: Floats) -> Floats:
    """Predictions of several fits, of shape (n_fits, n_rows, q), by one product of matrices.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, p)
    fits : ndarray of shape (n_fits, p, q)

    Examples
    --------
    >>> predicted(np.eye(2), np.ones((3, 2, 1))).shape
    (3, 2, 1)
    """
    count, p, q = fits.shape
    flat = rows @ fits.transpose(1, 0, 2).reshape(p, count * q)
    return np.ascontiguousarray(flat.reshape(len(rows), count, q).transpose(1, 0, 2))
