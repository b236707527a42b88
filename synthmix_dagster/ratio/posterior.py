"""The risk curve after the data were seen, given what was known before: Gaussian conditioning.

With ``y(r) = log(R(r) / R(0))`` the logarithm of the risk at a ratio over that without synthetic
rows, the prior says ``y ~ N(mean, covariance)`` at a few ratios, the knots, and a judge reports
``x = H (y + error) + noise``: an error ~ N(bias, E) that it makes on any rows, and the noise
~ N(0, S) of the finite rows that it has. Then

    y | x ~ N(mean + G (x - H (mean + bias)), covariance - G H covariance),
    G = covariance H' (H (covariance + E) H' + S)^-1.

Without error the posterior repeats the data; where they say nothing it is the prior. Between the
knots a curve is a natural cubic spline in ``log(r + 0.05)``, so what is said of any ratio is linear
in the values at the knots.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.decision import lowers
from synthmix_dagster.ratio.evidence import Evidence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Positive ratios at which curves are known; at 0 every curve is 0.
KNOTS: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
#: Added to a ratio before its logarithm is taken, so that 0 has a place on the axis.
OFFSET = 0.05
#: Draws of the curve behind intervals, regrets and probabilities.
_DRAWS = 4_000


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a curve and of its judge before either is seen, at `KNOTS`.

    Attributes
    ----------
    mean : ndarray of shape (n_knots,)
        Expected logarithm of the risk over the risk without synthetic rows.
    covariance : ndarray of shape (n_knots, n_knots)
        How curves differ from it.
    bias : ndarray of shape (n_knots,)
        Expectation of what the judge gets wrong.
    error : ndarray of shape (n_knots, n_knots)
        Covariance of what it gets wrong beyond the noise of its rows.
    """

    mean: Floats
    covariance: Floats
    bias: Floats
    error: Floats


@dataclass(frozen=True, eq=False)
class Posterior:
    """A curve given prior and evidence; everything is relative to no synthetic rows.

    Attributes
    ----------
    mean : ndarray of shape (n_knots,)
    covariance : ndarray of shape (n_knots, n_knots)

    Examples
    --------
    A judge without error is believed, and a smooth curve has its lowest point between the knots:

    >>> knots = np.array(KNOTS)
    >>> seen = Evidence(knots, 0.1 * np.log(knots / 3) ** 2 - 0.5, np.zeros((8, 8)))
    >>> posterior = condition(Prior(np.zeros(8), np.eye(8), np.zeros(8), np.zeros((8, 8))), seen)
    >>> ratios = np.linspace(0, 16, 321)
    >>> bool(abs(ratios[posterior.best(ratios)] - 3) < 0.2)
    True
    """

    mean: Floats
    covariance: Floats

    def curve(self, ratios: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation at any ratios, both of shape (n_ratios,)."""
        at = interpolation(ratios)
        variances = np.einsum("ij,jk,ik->i", at, self.covariance, at)
        return at @ self.mean, np.sqrt(np.maximum(variances, 0.0))

    def difference_deviations(self, ratios: Floats, to: int) -> Floats:
        """Standard deviation of the difference to the value at one of the ratios."""
        weights = interpolation(ratios)
        apart = weights - weights[to]
        variances = np.einsum("ij,jk,ik->i", apart, self.covariance, apart)
        deviations: Floats = np.sqrt(np.maximum(variances, 0.0))
        return deviations

    def best(self, ratios: Floats) -> int:
        """Position of the lowest mean, of the first where several are as low."""
        return int(np.argmin(interpolation(ratios) @ self.mean))

    def chosen(self, ratios: Floats) -> int:
        """Position of what is advised: the lowest mean where that is lower than with no rows.

        The ratios begin with 0.
        """
        best = self.best(ratios)
        risks = np.exp(interpolation(ratios) @ self.mean)
        return best if lowers(risks)[best] else 0

    def interval(self, ratios: Floats, level: float) -> tuple[int, int]:
        """Positions between which the best ratio lies with this probability.

        What is `chosen` is included.
        """
        lowest = np.argmin(self._draws(ratios), axis=1)
        tails = (1 - level) / 2, (1 + level) / 2
        low, high = np.quantile(lowest, tails, method="nearest")
        chosen = self.chosen(ratios)
        return min(int(low), chosen), max(int(high), chosen)

    def expected_regret(self, ratios: Floats, chosen: int) -> float:
        """Expected relative excess of the risk at a ratio over the lowest of all ratios."""
        draws = self._draws(ratios)
        return float(np.mean(np.exp(draws[:, chosen] - draws.min(axis=1)) - 1))

    def probability_of_help(self, ratios: Floats) -> float:
        """Probability that the risk is lower than with none at the most promising positive ratio.

        0 where there is no positive ratio.
        """
        from scipy.special import ndtr

        positive = ratios[ratios > 0]
        if not len(positive):
            return 0.0
        mean, deviation = self.curve(positive)
        at = int(np.argmin(mean))
        return float(ndtr(-mean[at] / max(float(deviation[at]), 1e-12)))

    def _draws(self, ratios: Floats) -> Floats:
        """Curves that prior and evidence allow, of shape (n_draws, n_ratios)."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        normal = np.random.default_rng(0).standard_normal((_DRAWS, len(values)))
        draws: Floats = (self.mean + normal @ root.T) @ interpolation(ratios).T
        return draws


def condition(prior: Prior, evidence: Evidence) -> Posterior:
    """Update the prior by what a judge saw.

    Parameters
    ----------
    prior : Prior
    evidence : Evidence
        At any ratios, as many as there are rows for; without one the posterior is the prior.

    Returns
    -------
    Posterior
    """
    at, gain = interpolation(evidence.ratios), gain_of(prior, evidence)
    covariance = prior.covariance - gain @ at @ prior.covariance
    return Posterior(
        mean=prior.mean + gain @ (evidence.values - at @ (prior.mean + prior.bias)),
        covariance=(covariance + covariance.T) / 2,
    )


def gain_of(prior: Prior, evidence: Evidence) -> Floats:
    """By how much the posterior mean at each knot follows each value that is seen.

    Returns
    -------
    ndarray of shape (n_knots, n_ratios)
    """
    at = interpolation(evidence.ratios)
    seen = at @ (prior.covariance + prior.error) @ at.T + evidence.noise
    # A pseudo-inverse: ratios above the last knot repeat it, and a judge may make no error at all.
    gain: Floats = prior.covariance @ at.T @ np.linalg.pinv(seen, hermitian=True, rcond=1e-12)
    return gain


def knot_counts(n: int, most: int) -> Ints:
    """Counts of synthetic rows to ask a judge for: none, those of the knots, and the last allowed.

    Parameters
    ----------
    n : int
        Real rows.
    most : int
        Synthetic rows there are to use.

    Examples
    --------
    >>> knot_counts(100, 300).tolist()
    [0, 10, 25, 50, 100, 200, 300]
    """
    counts = np.rint(np.array(KNOTS) * n).astype(np.int64)
    last = min(most, int(counts[-1]))
    return np.unique([0, *counts[(counts > 0) & (counts < last)], last])


def interpolation(ratios: Floats) -> Floats:
    """Weights of the values at the knots in a curve, of shape (n_ratios, n_knots).

    Above the last knot a curve stays as it is there: nothing is known of higher ratios.
    """
    weights: Floats = _spline()(np.log(np.clip(ratios, 0.0, KNOTS[-1]) + OFFSET))[:, 1:]
    return weights


@cache
def _spline() -> Callable[[Floats], Floats]:
    """Curves that are 1 at one knot and 0 at the others."""
    from scipy.interpolate import CubicSpline

    knots = np.log(np.array([0.0, *KNOTS]) + OFFSET)
    spline: Callable[[Floats], Floats] = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    return spline
