"""The three bounds of two samples, with every constant estimated from kernel ridge fits.

`bounds` and `prior` hold the formulas; here is where their constants come from.
"""

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.ratio.bounds import Bound, critical_gap, stability_bound, variance_bound
from synthmix_dagster.ratio.fits import RidgeFit
from synthmix_dagster.ratio.learners import sample_moments
from synthmix_dagster.ratio.moments import Moments
from synthmix_dagster.ratio.path import path_of
from synthmix_dagster.ratio.prior import spectral_bound
from synthmix_dagster.ratio.sample import EncodedSample

Floats = NDArray[np.float64]


def estimated_bounds(
    sample: EncodedSample,
    feature_map: NystroemMap,
    *,
    gap: float,
    shift_squared: float | None = None,
    moments: Moments | None = None,
) -> tuple[tuple[Bound, Bound, Bound], float]:
    """The stability, the variance and the spectral bound, and the critical gap.

    Parameters
    ----------
    sample : EncodedSample
    feature_map : NystroemMap
    gap : float
        Debiased gap of inputs and target together.
    shift_squared : float, optional
        Signed, debiased square of the shift of the target given the inputs, in the units of the
        risk. By default the excess error of a fit to the synthetic rows alone.
    moments : Moments, optional
        The sample in the features of the map, with what was computed of it before.

    Returns
    -------
    bounds : tuple of Bound
    critical_gap : float
        See `bounds.critical_gap`.
    """
    n, m, judges = sample.n, sample.m, sample.judges
    points, targets = sample.points, sample.targets
    moments = moments or sample_moments(sample, feature_map.transform)
    features = {"real": moments.real, "synthetic": moments.synthetic}
    features[judges] = moments.judging[0]
    real_alone = path_of(moments, [0])
    fit = RidgeFit.fit(features["real"], targets["real"], [float(real_alone.ridges[0])])
    lipschitz, capacity = estimated_constants(
        real_alone.losses[0],
        np.concatenate([feature_map.gradients(points["real"], c) for c in fit.coefficients.T], 1),
        fit.ridge,
    )
    generator = RidgeFit.fit(features["synthetic"], targets["synthetic"])
    residuals = generator.errors(features["real"], targets["real"])
    # Both estimate the noise in the real target, and both are too large by what their fits miss.
    noise = min(fit.noise, RidgeFit.fit(features["real"], residuals).noise)
    variance = noise * fit.degrees(features[judges])
    synthetic_variance = generator.noise * generator.degrees(features[judges])
    if shift_squared is None:
        errors = generator.errors(features[judges], targets[judges])
        square = float(np.mean(np.sum(errors**2, axis=1)))
        shift_squared = square - noise - synthetic_variance / m
    bounds = (
        stability_bound(n, m, gap=gap, lipschitz=lipschitz, capacity=capacity),
        variance_bound(
            n,
            m,
            variance=variance,
            synthetic_variance=synthetic_variance,
            shift_squared=shift_squared,
            bias_squared=float(real_alone.risks[0]) - noise - variance / n,
        ),
        spectral_bound(features["real"], targets["real"], residuals, noise=noise, m=m),
    )
    return bounds, critical_gap(n, lipschitz=lipschitz, capacity=capacity)


def estimated_constants(losses: Floats, gradients: Floats, ridge: float) -> tuple[float, float]:
    """Estimate xi and C from the kernel ridge fit on the real rows.

    The squared loss ``(y - f(x))^2`` has the gradient ``2 e (1, -grad f(x))`` in (y, x), so
    ``xi = 2 rms(e) sqrt(1 + mean |grad f|^2)``; its size bounds M^2 by the second moment of the
    errors, and a Gaussian kernel has kappa = 1, so ``C = 2 mean(e^2) / ridge``.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        Squared errors e^2 of rows that their fit did not contain.
    gradients : ndarray of shape (n, d * q)
        Gradients of the fit, those of several target columns side by side.
    ridge : float
        Ridge of the fit.

    Returns
    -------
    lipschitz, capacity : float
    """
    square = float(np.mean(losses))
    slope = float(np.mean(np.sum(gradients**2, axis=1)))
    return 2.0 * float(np.sqrt(square * (1.0 + slope))), 2.0 * square / ridge
