"""A finite feature map for the Gaussian kernel.

Nystroem features make kernel ridge regression a ridge regression in at most `LANDMARKS`
coordinates: fits on parts of the rows, or on mixtures of both sides, cost a small linear solve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LANDMARKS = 300
#: Pairs of points used for the median heuristic.
_BANDWIDTH_ROWS = 500


@dataclass(frozen=True)
class NystroemMap:
    """Features whose inner products approximate ``exp(-|x-z|^2 / (2 h^2))``.

    Attributes
    ----------
    landmarks : ndarray of shape (n_landmarks, d)
    whitening : ndarray of shape (n_landmarks, n_features)
        Inverse square root of the landmarks' kernel matrix.
    bandwidth : float
        h, in the units of the points.
    """

    landmarks: Floats
    whitening: Floats
    bandwidth: float

    @classmethod
    def fit(
        cls,
        real: Floats,
        synthetic: Floats,
        *,
        rng: np.random.Generator,
        landmarks: int = LANDMARKS,
    ) -> "NystroemMap":
        """Choose landmarks from both sides and the bandwidth by the median heuristic.

        Parameters
        ----------
        real : ndarray of shape (n, d)
        synthetic : ndarray of shape (m, d)
        rng : numpy.random.Generator
            Draws the landmarks.
        landmarks : int
            Most landmarks; half from each side where there are enough rows.
        """
        from scipy.spatial.distance import pdist

        half = min(len(real), max(landmarks // 2, landmarks - len(synthetic)))
        chosen = np.concatenate(
            (
                real[rng.permutation(len(real))[:half]],
                synthetic[rng.permutation(len(synthetic))[: landmarks - half]],
            )
        )
        some = chosen[rng.permutation(len(chosen))[:_BANDWIDTH_ROWS]]
        apart = pdist(some)
        bandwidth = float(np.median(apart[apart > 0])) if np.any(apart > 0) else 1.0
        return cls.of_landmarks(chosen, bandwidth)

    @classmethod
    def of_landmarks(cls, landmarks: Floats, bandwidth: float) -> "NystroemMap":
        """Features of given landmarks, of shape (n_landmarks, d), at a given bandwidth."""
        return _whitened(landmarks, _squares(landmarks, landmarks), bandwidth)

    def at(self, bandwidths: Sequence[float]) -> "list[NystroemMap]":
        """Features of the same landmarks at other bandwidths."""
        apart = self.distances(self.landmarks)
        return [
            self if bandwidth == self.bandwidth else _whitened(self.landmarks, apart, bandwidth)
            for bandwidth in bandwidths
        ]

    def distances(self, points: Floats) -> Floats:
        """Squared distances of points to the landmarks, which are the same at every bandwidth."""
        return _squares(points, self.landmarks)

    def transform(self, points: Floats) -> Floats:
        """Map points of shape (n, d) to features of shape (n, n_features)."""
        return self.transform_distances(self.distances(points))

    def transform_distances(self, squares: Floats) -> Floats:
        """The same for points whose squared distances to the landmarks are known."""
        features: Floats = _kernel(squares, self.bandwidth) @ self.whitening
        return features

    def gradients(self, points: Floats, coefficients: Floats) -> Floats:
        """Gradient of ``f(x) = features(x) @ coefficients`` at every point.

        Parameters
        ----------
        points : ndarray of shape (n, d)
        coefficients : ndarray of shape (n_features,)

        Returns
        -------
        ndarray of shape (n, d)
        """
        weights = _kernel(self.distances(points), self.bandwidth) * (self.whitening @ coefficients)
        pull: Floats = weights @ self.landmarks - weights.sum(axis=1, keepdims=True) * points
        return pull / self.bandwidth**2


def _whitened(landmarks: Floats, apart: Floats, bandwidth: float) -> NystroemMap:
    """Features of landmarks whose squared distances to each other are known."""
    values, vectors = np.linalg.eigh(_kernel(apart, bandwidth))
    kept = values > 1e-10 * values[-1]
    whitening = vectors[:, kept] / np.sqrt(values[kept])
    return NystroemMap(landmarks=landmarks, whitening=whitening, bandwidth=bandwidth)


def _squares(points: Floats, others: Floats) -> Floats:
    from scipy.spatial.distance import cdist

    squares: Floats = cdist(points, others, "sqeuclidean")
    return squares


def _kernel(squares: Floats, bandwidth: float) -> Floats:
    kernel: Floats = np.exp(squares / (-2.0 * bandwidth**2))
    return kernel
