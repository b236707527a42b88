"""The shift of the target given the inputs, which no distance of the inputs can see.

With f_P and f_Q the mean of y given x on the real and on the synthetic side, the gap wanted is that
of ``f_Q - f_P``, averaged over real rows. The difference of two fits, one a side, will not do:
where a side has few rows its fit shrinks or extrapolates, and synthetic rows that merely lie
elsewhere look mislabelled. So one fold of each side enters one fit,

    y = g(x) + (w - e(x)) t(x),     w = 1/2 for synthetic rows, -1/2 for real ones,

where e is the mean of w given x, from a fit of its own. g takes what both sides share, and t is the
contrast ``f_Q - f_P``. As ``w - e(x)`` has mean zero at every x, an error in g is not taken for a
contrast (Robinson 1988; for contrasts that vary with x, Nie and Wager 2021). Where one side alone
has rows nothing can be compared, and a real row counts for ``1 - 4 e(x)^2``: 1 where synthetic rows
are as dense as real ones, 0 where there are none (the overlap weights of Li, Morgan and Zaslavsky
2018). Their mean, the overlap, tells how much of the real side the square speaks for.

As in `wasserstein`, only products of independent estimates are averaged: t of one pair of folds
times t of a pair that shares no rows with it. Swapping the sides of a pair changes the sign of t,
so without any shift each factor has mean zero and so has their product, at any number of rows.

How sure the square is follows from the influence of every row on it: what it changes in the fits
that it is part of, without it, and what it says where it judges. The errors of e have no
first-order effect on t, and are left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.encoding.nystroem import NystroemMap

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

#: Landmarks of the features; the contrast is a smoother function than the target itself.
LANDMARKS = 150
#: Folds used of a side: with two on the other, more would lower the noise by a few per cent only.
MAX_FOLDS = 8
#: Ridges tried, relative to the mean squared feature norm, which is 1 for a Gaussian kernel.
RIDGES: tuple[float, ...] = tuple(10.0 ** np.arange(-5.0, 1.25, 0.5))
#: Ridge of the constants in g and t: next to none, for a shift of all labels is no rough function.
CONSTANT_RIDGE = 1e-3
#: Below this overlap a small square tells that little could be compared, not that labels agree.
MIN_OVERLAP = 0.3
#: A fit using up more than this share of its rows interpolates: leave-one-out is 0/0 there.
MAX_LEVERAGE = 0.8


@dataclass(frozen=True, eq=False)
class ConditionalEstimate:
    """A debiased square of the contrast.

    Attributes
    ----------
    square : float
        Signed, debiased ``(1 - 4 e^2) |f_Q - f_P|^2`` averaged over real rows, in squared units of
        y.
    influences : tuple of ndarray of shape (n,) and (m,)
        What one row of each side adds to the square beside an average one, to first order; 0 for
        rows in none of the folds used.
    overlap : float
        Mean of ``1 - 4 e^2`` over real rows: 1 where both sides have the same inputs, 0 where the
        inputs tell the sides apart and the square therefore says nothing.
    """

    square: float
    influences: tuple[Floats, Floats]
    overlap: float


@dataclass(frozen=True, eq=False)
class _Fold:
    """Rows of one fold: positions, features with a constant, centred targets and weights."""

    rows: Ints
    features: Floats
    target: Floats
    weights: Floats


@dataclass(frozen=True, eq=False)
class _Fit:
    """One fold of real rows and one of synthetic ones in one fit.

    Attributes
    ----------
    contrast : ndarray of shape (n_features, q)
        Coefficients of t.
    comparable : ndarray of shape (n_real_rows,)
        ``1 - 4 e^2`` of the real rows.
    apart : ndarray of shape (n_rows, 1)
        ``w - e(x)``, the real rows first.
    errors : ndarray of shape (n_rows, q)
        Of each row in the fit without it.
    factor : tuple
        Cholesky factor of the normal equations.
    pull : ndarray of shape (2 n_features, q)
        What the penalty takes from the fit for each unit of weight.
    """

    contrast: Floats
    comparable: Floats
    apart: Floats
    errors: Floats
    factor: tuple[Floats, bool]
    pull: Floats


def conditional_estimate(
    x_real: Floats | Singles,
    y_real: Floats | Singles,
    x_synthetic: Floats | Singles,
    y_synthetic: Floats | Singles,
    sides: tuple[Side, Side],
    rng: np.random.Generator,
    weights: tuple[Floats, Floats] | None = None,
) -> ConditionalEstimate:
    """Estimate the squared shift of y given x.

    Parameters
    ----------
    x_real : ndarray of shape (n, d)
    y_real : ndarray of shape (n, q)
        Encoded target: a standardised number, or levels one unit apart.
    x_synthetic : ndarray of shape (m, d)
    y_synthetic : ndarray of shape (m, q)
    sides : pair of Side
        Folds, from `draw_sides`.
    rng : numpy.random.Generator
        Draws the landmarks.
    weights : pair of ndarray of shape (n,) and (m,), optional
        What each real and each synthetic row counts for, about 1 on average. A weight that depends
        on y alone, and on both sides in the same way, leaves no shift where there was none.

    Returns
    -------
    ConditionalEstimate

    References
    ----------
    .. [1] Robinson (1988), Root-N-consistent semiparametric regression, Econometrica 56.
    .. [2] Nie and Wager (2021), Quasi-oracle estimation of heterogeneous treatment effects,
       Biometrika 108.
    .. [3] Li, Morgan and Zaslavsky (2018), Balancing covariates via propensity score weighting,
       JASA 113.
    """
    feature_map = NystroemMap.fit(
        x_real.astype(np.float64), x_synthetic.astype(np.float64), rng=rng, landmarks=LANDMARKS
    )
    w_real, w_synthetic = weights or (np.ones(len(x_real)), np.ones(len(x_synthetic)))
    center: Floats = np.average(y_real, axis=0, weights=w_real).astype(np.float64)

    def folds(x: Floats | Singles, y: Floats | Singles, w: Floats, side: Side) -> list[_Fold]:
        found = []
        for rows in side.folds[:MAX_FOLDS]:
            features = feature_map.transform(x[rows].astype(np.float64))
            features = np.hstack((features, np.ones((len(rows), 1))))
            found.append(_Fold(rows, features, y[rows] - center, w[rows]))
        return found

    real = folds(x_real, y_real, w_real, sides[0])
    synthetic = folds(x_synthetic, y_synthetic, w_synthetic, sides[1])
    # A ridge that suits the smoother side would hide what the other side has on top.
    ridge = min(_best_ridge(real), _best_ridge(synthetic))
    fits = [[_fit(fold, other, ridge) for other in synthetic] for fold in real]
    contrasts = np.array([[fit.contrast for fit in row] for row in fits])
    overlaps = [np.mean([fit.comparable for fit in row], axis=0) for row in fits]
    count = float(sum(fold.weights.sum() for fold in real))
    overlap = sum(fold.weights @ own for fold, own in zip(real, overlaps, strict=True)) / count
    judging = [own * fold.weights / count for fold, own in zip(real, overlaps, strict=True)]
    said = [_between_pairs(fold.features, contrasts) for fold in real]
    square = float(sum(own @ of_rows for own, of_rows in zip(judging, said, strict=True)))
    ours, theirs = np.zeros(len(x_real)), np.zeros(len(x_synthetic))
    for fold, own, of_rows in zip(real, judging, said, strict=True):
        ours[fold.rows] = own * of_rows - square * fold.weights / count
    slopes = _slopes(real, judging, contrasts)
    for fold, row, of_row in zip(real, fits, slopes, strict=True):
        for other, fit, slope in zip(synthetic, row, of_row, strict=True):
            by_row = _influences(fold, other, fit, slope)
            ours[fold.rows] += by_row[: len(fold.rows)]
            theirs[other.rows] += by_row[len(fold.rows) :]
    return ConditionalEstimate(square, (ours, theirs), float(overlap))


def _fit(real: _Fold, synthetic: _Fold, ridge: float) -> _Fit:
    """Fit one pair of folds."""
    from scipy.linalg import cho_factor, cho_solve, solve_triangular

    features = np.concatenate((real.features, synthetic.features))
    target = np.concatenate((real.target, synthetic.target))
    side = np.repeat((-0.5, 0.5), (len(real.features), len(synthetic.features)))[:, None]
    weights = np.concatenate((real.weights, synthetic.weights))[:, None]
    root = np.sqrt(weights)
    # e(x) of each row is found from the others and lies between the values of w.
    errors = min(_left_out_errors(features * root, side * root), key=_sum_of_squares) / root
    expected = np.clip(side - errors, -0.5, 0.5)
    apart = side - expected
    joint = np.concatenate((features, features * apart), axis=1)
    p = joint.shape[1]
    penalty = np.full(p, ridge)
    penalty[[p // 2 - 1, p - 1]] = CONSTANT_RIDGE
    scaled = joint * root
    factor = cho_factor(
        scaled.T @ scaled + np.diag(float(weights.sum()) * penalty), lower=True, check_finite=False
    )
    coefficients: Floats = cho_solve(factor, scaled.T @ (target * root), check_finite=False)
    turned: Floats = solve_triangular(factor[0], scaled.T, lower=True, check_finite=False)
    leverage = np.einsum("ij,ij->j", turned, turned)[:, None]
    return _Fit(
        contrast=coefficients[p // 2 :],
        comparable=1 - 4 * expected[: len(real.features), 0] ** 2,
        apart=apart,
        errors=(target - joint @ coefficients) / (1 - leverage),
        factor=factor,
        pull=penalty[:, None] * coefficients,
    )


def _influences(real: _Fold, synthetic: _Fold, fit: _Fit, slope: Floats) -> Floats:
    """What each row of a pair of folds adds to the square through the fit.

    Parameters
    ----------
    slope : ndarray of shape (n_features, q)
        Derivative of the square by the contrast of this pair.

    Returns
    -------
    ndarray of shape (n_rows,)
        The real rows first.
    """
    from scipy.linalg import cho_solve

    p = len(slope)
    turned: Floats = cho_solve(fit.factor, np.concatenate((np.zeros_like(slope), slope)))
    shared, own = (
        np.concatenate((real.features @ part, synthetic.features @ part))
        for part in (turned[:p], turned[p:])
    )
    weights = np.concatenate((real.weights, synthetic.weights))
    by_row: Floats = np.sum((shared + fit.apart * own) * fit.errors, axis=1)
    return weights * (by_row - float(np.sum(turned * fit.pull)))


def _between_pairs(features: Floats, contrasts: Floats) -> Floats:
    """Mean product, at every row, of contrasts of two pairs of folds that differ on both sides.

    Parameters
    ----------
    features : ndarray of shape (n, n_features)
    contrasts : ndarray of shape (n_real_folds, n_synthetic_folds, n_features, q)

    Returns
    -------
    ndarray of shape (n,)
    """
    a, b = contrasts.shape[:2]
    at_rows = np.einsum("np,abpq->abnq", features, contrasts, optimize=True)

    def squares(terms: Floats) -> Floats:
        return np.sum(terms**2, axis=(*range(terms.ndim - 2), -1))

    # All products, less those that share a fold; those that share both were taken off twice.
    apart: Floats = (
        squares(at_rows.sum(axis=(0, 1)))
        - squares(at_rows.sum(axis=0))
        - squares(at_rows.sum(axis=1))
        + squares(at_rows)
    )
    return apart / (a * (a - 1) * b * (b - 1))


def _slopes(real: list[_Fold], judging: list[Floats], contrasts: Floats) -> Floats:
    """Derivative of the square by the contrast of each pair of folds; of the same shape."""
    a, b = contrasts.shape[:2]
    moment: Floats = np.sum(
        [(fold.features.T * own) @ fold.features for fold, own in zip(real, judging, strict=True)],
        axis=0,
    )
    others = (
        contrasts.sum(axis=(0, 1))
        - contrasts.sum(axis=0)
        - contrasts.sum(axis=1, keepdims=True)
        + contrasts
    )
    return 2 * (moment @ others) / (a * (a - 1) * b * (b - 1))


def _best_ridge(folds: list[_Fold]) -> float:
    """Ridge of the least leave-one-out error over the folds of one side."""
    losses = []
    for fold in folds:
        root = np.sqrt(fold.weights)[:, None]
        centred = fold.target - np.average(fold.target, axis=0, weights=fold.weights)
        left_out = _left_out_errors(fold.features * root, centred * root)
        losses.append([_sum_of_squares(errors) for errors in left_out])
    return RIDGES[int(np.argmin(np.sum(losses, axis=0)))]


def _left_out_errors(features: Floats, target: Floats) -> Floats:
    """Errors of a ridge fit at rows left out of it, for each of `RIDGES`; infinite if it overfits.

    Returns
    -------
    ndarray of shape (n_ridges, n, q)
    """
    n, q = target.shape
    spectrum, vectors = np.linalg.eigh(features.T @ features / n)
    turned = features @ vectors
    pull = turned.T @ target / n
    inverses = 1 / (np.maximum(spectrum, 0)[:, None] + np.array(RIDGES))
    # One product for all ridges: their fits side by side, and their leverages.
    fits = turned @ (inverses[:, :, None] * pull[:, None]).reshape(len(vectors), -1)
    leverages = (turned**2 @ inverses / n).T
    errors = (target[:, None] - fits.reshape(n, -1, q)).swapaxes(0, 1) / (1 - leverages)[:, :, None]
    errors[leverages.sum(axis=1) > MAX_LEVERAGE * n] = np.inf
    return errors


def _sum_of_squares(errors: Floats) -> float:
    return float(np.sum(errors**2))
