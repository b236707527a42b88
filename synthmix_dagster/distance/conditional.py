"""The shift of the target given the inputs, which no distance of the inputs can see.

With f_P and f_Q the mean of y given x on the real and the synthetic side, the gap wanted is that of
``f_Q - f_P``, averaged over real rows. Two fits, one a side, and their difference will not do:
where one side has few rows its fit is shrunk or extrapolates, and synthetic rows that merely lie
elsewhere look mislabelled. So one fold of each side is fitted together,

    y = g(x) + (w - e(x)) t(x),     w = +1/2 for synthetic rows, -1/2 for real ones,

with e the mean of w given x, found by a fit of its own. g takes what both sides share, and
``t = f_Q - f_P`` is the contrast. Because ``w - e(x)`` has mean zero at every x, an error in g is
not taken for a contrast (Robinson 1988; Nie and Wager 2021 call it the R-learner). Where only one
side has rows, ``w - e(x)`` is near zero and t is shrunk to zero: the estimate speaks for inputs
that both sides have, and is cautious elsewhere.

As `wasserstein` does, the square is averaged over products of independent estimates only: t of one
pair of folds times t of a pair that shares no row with it. Swapping the sides of a pair changes the
sign of t, so without any shift each factor has mean zero, and so has the product, at any size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.distance.features import NystroemMap
from synthmix_dagster.distance.folds import Ints, Side

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

#: Landmarks of the features; the contrast is a smoother function than the target itself.
LANDMARKS = 150
#: Folds used of a side: with two on the other, more would lower the noise by a few per cent only.
MOST_FOLDS = 8
#: Ridges tried, relative to the mean squared feature norm, which is 1 for a Gaussian kernel.
RIDGES: tuple[float, ...] = tuple(10.0 ** np.arange(-5.0, 1.25, 0.5))
#: A fit using up more than this share of its rows interpolates: leave-one-out is 0/0 there.
MOST_LEVERAGE = 0.8


@dataclass(frozen=True, eq=False)
class ConditionalEstimate:
    """A debiased square of the contrast.

    Attributes
    ----------
    square : float
        Signed, debiased ``|f_Q - f_P|^2`` averaged over real rows, in squared units of y.
    left_out : ndarray of shape (n_blocks,)
        The square without each block of the jackknife.
    """

    square: float
    left_out: Floats


@dataclass(frozen=True, eq=False)
class _Fold:
    """Features, centred targets and jackknife blocks of the rows of one fold."""

    features: Floats
    target: Floats
    blocks: Ints


def conditional_estimate(
    x_real: Floats | Singles,
    y_real: Floats | Singles,
    x_synthetic: Floats | Singles,
    y_synthetic: Floats | Singles,
    sides: tuple[Side, Side],
    rng: np.random.Generator,
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
        Folds and blocks, from `draw_sides`.
    rng : numpy.random.Generator
        Draws the landmarks.

    Returns
    -------
    ConditionalEstimate

    References
    ----------
    .. [1] Robinson (1988), Root-N-consistent semiparametric regression, Econometrica 56.
    .. [2] Nie and Wager (2021), Quasi-oracle estimation of heterogeneous treatment effects,
       Biometrika 108.
    """
    feature_map = NystroemMap.fit(
        x_real.astype(np.float64), x_synthetic.astype(np.float64), rng=rng, landmarks=LANDMARKS
    )
    center = np.mean(y_real, axis=0, dtype=np.float64)
    real, synthetic = (
        [
            _Fold(feature_map.transform(x[rows].astype(np.float64)), y[rows] - center, blocks)
            for rows, blocks in list(zip(side.folds, side.blocks, strict=True))[:MOST_FOLDS]
        ]
        for x, y, side in zip((x_real, x_synthetic), (y_real, y_synthetic), sides, strict=True)
    )
    blocks = sides[0].n_blocks
    ridge = _common_ridge(real)
    contrasts = np.array([[_contrasts(r, s, ridge, blocks) for s in synthetic] for r in real])
    moments = sum(_block_moments(fold.features, fold.blocks, blocks) for fold in real)
    rows = sum(np.bincount(fold.blocks, minlength=blocks) for fold in real)
    squares = [
        _between_pairs(contrasts[:, :, i], moment) / count
        for i, (moment, count) in enumerate(
            zip(_without_each(moments), _without_each(rows), strict=True)
        )
    ]
    return ConditionalEstimate(float(squares[0]), np.array(squares[1:]))


def _contrasts(real: _Fold, synthetic: _Fold, ridge: float, blocks: int) -> Floats:
    """Coefficients of t for one pair of folds, from all its rows and without each block.

    The jackknife keeps e as it is: an error in it has no first-order effect on t.

    Returns
    -------
    ndarray of shape (1 + n_blocks, n_features, q)
    """
    features = np.concatenate((real.features, synthetic.features))
    target = np.concatenate((real.target, synthetic.target))
    block = np.concatenate((real.blocks, synthetic.blocks))
    side = np.repeat((-0.5, 0.5), (len(real.features), len(synthetic.features)))[:, None]
    # w - e(x), with e(x) from the other rows and no further from 0 than w can be.
    centred = min(_left_out_errors(features, side), key=lambda errors: float(np.sum(errors**2)))
    centred = side - np.clip(side - centred, -0.5, 0.5)
    joint = np.concatenate((features, features * centred), axis=1)
    both = np.concatenate((joint, target), axis=1)
    p = joint.shape[1]
    moments = _without_each(_block_moments(both, block, blocks))
    counts = _without_each(np.bincount(block, minlength=blocks))
    normal = moments[:, :p, :p] + ridge * counts[:, None, None] * np.eye(p)
    return np.linalg.solve(normal, moments[:, :p, p:])[:, p // 2 :]


def _between_pairs(contrasts: Floats, moment: Floats) -> float:
    """Mean product of contrasts of two pairs of folds that differ on both sides.

    Parameters
    ----------
    contrasts : ndarray of shape (n_real_folds, n_synthetic_folds, n_features, q)
    moment : ndarray of shape (n_features, n_features)
        Sum over judging rows of the products of their features.
    """
    a, b = contrasts.shape[:2]

    def squares(terms: Floats) -> float:
        return float(np.sum(terms * (moment @ terms)))

    # All products, less those that share a fold; those that share both were taken off twice.
    apart = (
        squares(contrasts.sum(axis=(0, 1)))
        - squares(contrasts.sum(axis=0))
        - squares(contrasts.sum(axis=1))
        + squares(contrasts)
    )
    return apart / (a * (a - 1) * b * (b - 1))


def _common_ridge(folds: list[_Fold]) -> float:
    """Ridge with the least leave-one-out error over folds of real rows, the same for all fits."""
    losses = np.zeros(len(RIDGES))
    for fold in folds:
        losses += [np.sum(errors**2) for errors in _left_out_errors(fold.features, fold.target)]
    return RIDGES[int(np.argmin(losses))]


def _left_out_errors(features: Floats, target: Floats) -> Iterator[Floats]:
    """Errors of a ridge fit at rows it leaves out, for each of `RIDGES`; infinite if it fits all."""
    n = len(features)
    spectrum, vectors = np.linalg.eigh(features.T @ features / n)
    turned = features @ vectors
    pull, squares = turned.T @ target / n, turned**2 / n
    for ridge in RIDGES:
        inverse = 1 / (np.maximum(spectrum, 0) + ridge)
        leverage = squares @ inverse
        if leverage.sum() > MOST_LEVERAGE * n:
            yield np.full(target.shape, np.inf)
        else:
            yield (target - turned @ (inverse[:, None] * pull)) / (1 - leverage)[:, None]


def _block_moments(rows: Floats, block: Ints, blocks: int) -> Floats:
    """Second moments ``rows' rows`` of the rows of each block; shape (n_blocks, p, p)."""
    return np.stack([rows[block == b].T @ rows[block == b] for b in range(blocks)])


def _without_each(parts: NDArray[np.generic]) -> Floats:
    """The sum over blocks, followed by the sum without each block."""
    total = parts.sum(axis=0, keepdims=True)
    return np.concatenate((total, total - parts))
