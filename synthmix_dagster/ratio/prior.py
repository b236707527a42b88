"""The generator as prior mean: which trust in it has the lowest risk on the real rows.

Lemma 2.1 of Shidani et al. (arXiv 2510.08095): with g the function learnt from synthetic rows,

    argmin_f  (1-t)/N sum_i (y_i - f(x_i))^2 + t |f - g|_H^2

is ``f = g + K(., X) (K + N l I)^-1 (y - g(X))`` with ``l = t / (1-t)``: kernel ridge regression on
what the generator leaves unexplained. t is the weight of the generator, and l plays the part of the
ratio.

The risk below is derived here. With ``K/N = U diag(mu) U'`` and ``d = U' (f* - g)(X)``,

    R(l) = 1/N sum_j [ l^2 d_j^2 + sigma^2 mu_j^2 ] / (mu_j + l)^2

is its expectation over the noise, averaged over the real rows. One eigenproblem gives every l; in
features it has the size of their number. ``f* - g`` is not known, but ``y - g(X)`` is it plus
noise, so ``(U' (y - g(X)))_j^2 - sigma^2`` has the mean d_j^2. These estimates keep their sign: R
is then without bias at every l (it is Mallows' C_p of the fit to the residuals). Cutting the
negative ones off would make every generator look wrong, a perfect one too, and every optimum
interior.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.bounds import Bound

Floats = NDArray[np.float64]

#: Directions with less than this part of the largest eigenvalue count as out of reach.
_MIN_EIGENVALUE = 1e-12
#: Range searched, in decades relative to the mean squared feature norm.
_DECADES = (-8.0, 4.0)


@dataclass(frozen=True, eq=False)
class SpectralRisk:
    """Risk on the real rows as a function of the ridge l towards the generator.

    Attributes
    ----------
    spectrum : ndarray of shape (r,)
        Eigenvalues mu_j of K/N, of the directions that the features reach.
    bias : ndarray of shape (r,)
        ``d_j^2 / N``, summed over target columns.
    outside : float
        The same in all directions that no feature reaches; it does not depend on l.
    noise : float
        sigma^2, summed over target columns.
    n : int
        Real rows N.
    """

    spectrum: Floats
    bias: Floats
    outside: float
    noise: float
    n: int

    @classmethod
    def exact(cls, features: Floats, difference: Floats, noise: float) -> "SpectralRisk":
        """Risk for a known difference.

        Parameters
        ----------
        features : ndarray of shape (n, p)
            Features Phi with ``K = Phi Phi'``.
        difference : ndarray of shape (n, q)
            ``f* - g`` at the real rows.
        noise : float
            sigma^2, summed over target columns.
        """
        n = len(features)
        spectrum, vectors = np.linalg.eigh(features.T @ features / n)
        reached = spectrum > _MIN_EIGENVALUE * spectrum[-1]
        spectrum, vectors = spectrum[reached], vectors[:, reached]
        # U = Phi V / sqrt(N mu) has orthonormal columns, so d = U' difference.
        turned = vectors.T @ (features.T @ difference)
        bias = np.sum(turned**2, axis=1) / (n * spectrum) / n
        outside = float(np.sum(difference**2)) / n - float(np.sum(bias))
        return cls(spectrum=spectrum, bias=bias, outside=outside, noise=noise, n=n)

    @classmethod
    def estimated(cls, features: Floats, residuals: Floats, noise: float) -> "SpectralRisk":
        """Risk estimated without bias from ``y - g(X)``, given the noise in y.

        Parameters
        ----------
        features : ndarray of shape (n, p)
        residuals : ndarray of shape (n, q)
            ``y - g`` at the real rows, whose targets had no part in g.
        noise : float
        """
        noisy = cls.exact(features, residuals, noise)
        each = noise / noisy.n
        unreached = noisy.n - len(noisy.spectrum)
        return replace(noisy, bias=noisy.bias - each, outside=noisy.outside - unreached * each)

    def at(self, ridges: Floats) -> Floats:
        """Risk at every ridge, of shape (len(ridges),)."""
        kept = self.spectrum / (self.spectrum + np.asarray(ridges)[:, None])
        variance = self.noise / self.n * np.sum(kept**2, axis=1)
        risks: Floats = self.outside + (1 - kept) ** 2 @ self.bias + variance
        return risks

    @property
    def real_alone(self) -> float:
        """Risk as l goes to 0: the real rows are interpolated as far as the features reach."""
        return self.outside + self.noise * len(self.spectrum) / self.n

    @property
    def generator_alone(self) -> float:
        """Risk as l grows without limit: f is g."""
        return self.outside + float(np.sum(self.bias))

    def minimum(self) -> tuple[float, float]:
        """Ridge of the lowest risk, 0 or infinite where a limit is lowest, and that risk."""
        scale = float(np.sum(self.spectrum))
        ridges = scale * np.logspace(*_DECADES, 241)
        near = int(np.argmin(self.at(ridges)))
        ridges = np.geomspace(ridges[max(near - 1, 0)], ridges[min(near + 1, 240)], 201)
        risks = self.at(ridges)
        found = float(ridges[np.argmin(risks)]), float(np.min(risks))
        limits = (0.0, self.real_alone), (float("inf"), self.generator_alone)
        # A limit wins a draw: an optimum counts as interior only where it is better than both.
        return min(*limits, found, key=lambda point: point[1])

    def generator_share(self, ridge: float) -> float:
        """Part of the fit that the generator settles: ``sum_j mu_j l / (mu_j + l) / sum_j mu_j``.

        The mean over directions, by their part of the kernel, of the weight that g has there.
        Unlike l itself it does not change when the kernel is multiplied by a number.
        """
        if np.isinf(ridge):
            return 1.0
        share = self.spectrum * ridge / (self.spectrum + ridge)
        return float(np.sum(share) / np.sum(self.spectrum))


def spectral_bound(
    features: Floats, target: Floats, residuals: Floats, *, noise: float, m: int
) -> Bound:
    """The optimum of the estimated spectral risk, read as a mix.

    ``l = t / (1 - t)`` is the ratio and t the synthetic weight, as the lemma suggests. What that
    reading cannot give: l is compared with the eigenvalues of the kernel, so its size depends on
    the kernel's scale (here ``K(x, x) = 1``), while a ratio of rows has none.

    Parameters
    ----------
    features : ndarray of shape (n, p)
        Features of the real rows.
    target : ndarray of shape (n, q)
    residuals : ndarray of shape (n, q)
        ``y - g`` at the real rows.
    noise : float
        sigma^2, summed over target columns.
    m : int
        Synthetic rows available.

    Returns
    -------
    Bound
        Its `row_ratio` is the ratio, or all rows if that is less. Among its constants:
        ``lambda_n = N l``, the estimated risk at the optimum, with the generator alone, and at the
        best ridge without a generator (g = 0), and the part of the fit that the generator settles,
        see `SpectralRisk.generator_share`. Risks are errors beyond the noise, estimated without
        bias, and therefore may be below 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = rng.normal(size=(200, 5))
    >>> noise = rng.normal(0, 0.1, (200, 1))
    >>> truth, error = features @ np.ones((5, 1)), features @ np.full((5, 1), 0.02)
    >>> bound = spectral_bound(features, truth + noise, error + noise, noise=0.01, m=10**6)
    >>> bound.interior, bound.constants["risk"] < bound.constants["risk_without_generator"]
    (True, True)
    """
    risk = SpectralRisk.estimated(features, residuals, noise)
    ridge, lowest = risk.minimum()
    _, without = SpectralRisk.estimated(features, target, noise).minimum()
    constants = {
        "noise": noise,
        "risk": lowest,
        "risk_generator_alone": risk.generator_alone,
        "risk_without_generator": without,
        "generator_share": risk.generator_share(ridge),
        "n_real": float(risk.n),
    }
    if np.isfinite(ridge):
        constants["lambda_n"] = risk.n * ridge
    return Bound(
        name="spectral",
        weight=ridge / (1 + ridge) if np.isfinite(ridge) else 1.0,
        ratio=ridge,
        row_ratio=min(ridge, m / risk.n),
        interior=bool(0 < ridge < np.inf),
        constants=constants,
        caveat=(
            "lambda_n and the risks are identified given the kernel, the noise and the function "
            "learnt from the synthetic rows; the ratio lambda_n / n is not: it scales with the "
            "kernel, and says nothing about how many rows"
        ),
    )
