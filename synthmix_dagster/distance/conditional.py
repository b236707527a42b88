"""The shift of the target given the inputs, which no distance of the inputs can see.

With f_P and f_Q the mean of y given x on the real and on the synthetic side, the gap wanted is that
of ``f_Q - f_P``, averaged over real rows. The difference of two fits, one a side, will not do:
where a side has few rows its fit shrinks or extrapolates, and synthetic rows that merely lie
elsewhere look mislabelled. So one fold of each side enters one fit,

    y = g(x) + (w - e(x)) t(x),     w = 1/2 for synthetic rows, -1/2 for real ones,

where e is the mean of w given x, from a fit of its own. g takes what both sides share, and t is the
contrast ``f_Q - f_P``. As ``w - e(x)`` has mean zero at every x, an error in g is not taken for a
contrast (Robinson 1988; for contrasts that vary with x, Nie and Wager 2021). Where one side alone
has rows, ``w - e(x)`` is near zero and so is t: the estimate speaks for the inputs that both sides
have, which is why it comes with their overlap.

As in `wasserstein`, only products of independent estimates are averaged: t of one pair of folds
times t of a pair that shares no rows with it. Swapping the sides of a pair changes the sign of t,
so without any shift each factor has mean zero and so has their product, at any number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    overlap : float
        Mean of ``4 (w - e(x))^2`` over the rows: about 1 where both sides have the same inputs, 0
        where the inputs tell the sides apart and the square therefore says nothing.
    """

    square: float
    left_out: Floats
    overlap: float


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
    fits = [[_contrasts(r, s, ridge, blocks) for s in synthetic] for r in real]
    contrasts = np.array([[found for found, _ in row] for row in fits])
    moments = np.sum([_block_moments(f.features, f.blocks, blocks) for f in real], axis=0)
    counts = np.sum([np.bincount(f.blocks, minlength=blocks) for f in real], axis=0)
    squares = [
        _between_pairs(contrasts[:, :, i], moment) / count
        for i, (moment, count) in enumerate(
            zip(_without_each(moments), _without_each(counts), strict=True)
        )
    ]
    return ConditionalEstimate(
        square=float(squares[0]),
        left_out=np.array(squares[1:]),
        overlap=float(np.mean([overlap for row in fits for _, overlap in row])),
    )


def _contrasts(real: _Fold, synthetic: _Fold, ridge: float, blocks: int) -> tuple[Floats, float]:
    """Fit one pair of folds.

    Returns
    -------
    contrasts : ndarray of shape (1 + n_blocks, n_features, q)
        Coefficients of t, from all rows and without each block. The jackknife keeps e as it is: an
        error in e has no first-order effect on t.
    overlap : float
    """
    features = np.concatenate((real.features, synthetic.features))
    target = np.concatenate((real.target, synthetic.target))
    block = np.concatenate((real.blocks, synthetic.blocks))
    side = np.repeat((-0.5, 0.5), (len(real.features), len(synthetic.features)))[:, None]
    errors = min(_left_out_errors(features, side), key=_sum_of_squares)
    # w - e(x), where e(x) comes from the other rows and lies between the values of w.
    centred = side - np.clip(side - errors, -0.5, 0.5)
    joint = np.concatenate((features, features * centred), axis=1)
    p = joint.shape[1]
    moments = _without_each(_block_moments(np.concatenate((joint, target), axis=1), block, blocks))
    counts = _without_each(np.bincount(block, minlength=blocks))
    normal = moments[:, :p, :p] + ridge * counts[:, None, None] * np.eye(p)
    fitted: Floats = np.linalg.solve(normal, moments[:, :p, p:])
    return fitted[:, p // 2 :], float(4 * np.mean(centred**2))


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
    """Ridge of the least leave-one-out error over folds of real rows; one for all fits."""
    losses = [
        [_sum_of_squares(errors) for errors in _left_out_errors(fold.features, fold.target)]
        for fold in folds
    ]
    return RIDGES[int(np.argmin(np.sum(losses, axis=0)))]


def _left_out_errors(features: Floats, target: Floats) -> Iterator[Floats]:
    """Errors of a ridge fit at rows left out of it, for each of `RIDGES`; infinite if it overfits.

    Yields
    ------
    ndarray of shape (n, q)
    """
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


def _sum_of_squares(errors: Floats) -> float:
    return float(np.sum(errors**2))


def _block_moments(rows: Floats, block: Ints, blocks: int) -> Floats:
    """Sum of ``r r'`` over the rows r of each block; shape (n_blocks, p, p)."""
    parts = [rows[block == b] for b in range(blocks)]
    return np.stack([part.T @ part for part in parts])


def _without_each(parts: NDArray[Any]) -> NDArray[Any]:
    """The sum over blocks, followed by the sum without each block."""
    total = parts.sum(axis=0, keepdims=True)
    return np.concatenate((total, total - parts))
