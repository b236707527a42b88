"""What the bounds are computed from: a ridge fit on one side, its noise and its variance.

In the features of the risk path, with ``A = Phi' Phi / n``, the fit is
``c = (A + l I)^-1 Phi' y / n`` and ``H = Phi (A + l I)^-1 Phi' / n`` maps targets to fitted values.
Several target columns are fitted with one ridge, and squares are summed over them, as in the risk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.path import MAX_LEVERAGE, RIDGES

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A ridge fit on the rows of one side.

    Attributes
    ----------
    coefficients : ndarray of shape (p, q)
    ridge : float
    noise : float
        Estimate of sigma^2: the squared residuals over ``tr (I - H)^2``, the degrees of freedom
        that they have left. Exact in the mean where the fit has no bias, too large by it otherwise.
    spread : ndarray of shape (p, p)
        ``(A + l I)^-1 A (A + l I)^-1``: covariance of the coefficients, times ``n / sigma^2``.
    """

    coefficients: Floats
    ridge: float
    noise: float
    spread: Floats

    @classmethod
    def fit(cls, features: Floats, target: Floats, ridges: Sequence[float] = RIDGES) -> "RidgeFit":
        """Fit with the ridge of the least generalised cross-validation error.

        Parameters
        ----------
        features : ndarray of shape (n, p)
        target : ndarray of shape (n, q)
        ridges : sequence of float
            Ridges to choose from; those that interpolate are left out, unless all do.
        """
        n = len(features)
        spectrum, vectors = np.linalg.eigh(features.T @ features / n)
        spectrum = np.maximum(spectrum, 0.0)
        pull = vectors.T @ (features.T @ target) / n
        pulled, square = np.sum(pull**2, axis=1), float(np.sum(target**2)) / n

        def score(ridge: float) -> float:
            inverse = 1 / (spectrum + ridge)
            used = float(spectrum @ inverse) / n
            left = square - float(pulled @ (inverse * (2 - spectrum * inverse)))
            return left / (1 - used) ** 2 if used <= MAX_LEVERAGE else float("inf")

        # Where all of them interpolate the first one wins, which does so least.
        ridge = min(sorted(ridges, reverse=True), key=score)
        inverse = 1 / (spectrum + ridge)
        coefficients = vectors @ (inverse[:, None] * pull)
        residuals = float(np.sum((target - features @ coefficients) ** 2))
        # tr (I - H)^2; directions without features are those that the fit leaves alone.
        free = n - float(np.sum(1 - (ridge * inverse) ** 2))
        return cls(
            coefficients=coefficients,
            ridge=ridge,
            noise=residuals / free,
            spread=(vectors * (spectrum * inverse**2)) @ vectors.T,
        )

    def degrees(self, judges: Floats) -> float:
        """Effective degrees of freedom of the predictions at the judging rows.

        ``tr (A + l I)^-1 A (A + l I)^-1 L`` with L the second moment of those rows; the predictions
        have the mean variance ``sigma^2 degrees / n``. On the rows of the fit itself this is
        ``tr H^2``.

        Parameters
        ----------
        judges : ndarray of shape (n_judged, p)
        """
        return float(np.sum((judges @ self.spread) * judges)) / len(judges)

    def errors(self, features: Floats, target: Floats) -> Floats:
        """Residuals of shape (n, q) at any rows."""
        left: Floats = target - features @ self.coefficients
        return left
