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
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    left_out : ndarray of shape (n_blocks,)
        The square without each block of the jackknife.
    overlap : float
        Mean of ``1 - 4 e^2`` over real rows: 1 where both sides have the same inputs, 0 where the
        inputs tell the sides apart and the square therefore says nothing.
    """

    square: float
    left_out: Floats
    overlap: float


@dataclass(frozen=True, eq=False)
class _Fold:
    """Features with a constant, centred targets, blocks and weights of the rows of one fold."""

    features: Floats
    target: Floats
    blocks: Ints
    weights: Floats


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
        Folds and blocks, from `draw_sides`.
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
        for rows, blocks in list(zip(side.folds, side.blocks, strict=True))[:MAX_FOLDS]:
            features = feature_map.transform(x[rows].astype(np.float64))
            constant = np.ones((len(rows), 1))
            features = np.hstack((features, constant))
            found.append(_Fold(features, y[rows] - center, blocks, w[rows]))
        return found

    real = folds(x_real, y_real, w_real, sides[0])
    synthetic = folds(x_synthetic, y_synthetic, w_synthetic, sides[1])
    # A ridge that suits the smoother side would hide what the other side has on top.
    ridge = min(_best_ridge(real), _best_ridge(synthetic))
    blocks = sides[0].n_blocks
    contrasts, moments, counts, overlaps = [], [], [], []
    for fold in real:
        fits = [_contrasts(fold, other, ridge, blocks) for other in synthetic]
        overlap = np.mean([weight for _, weight in fits], axis=0)
        judging = overlap * fold.weights
        contrasts.append([contrast for contrast, _ in fits])
        moments.append(_block_moments(fold.features, fold.blocks, blocks, judging))
        counts.append(np.bincount(fold.blocks, fold.weights, minlength=blocks))
        overlaps.append(np.average(overlap, weights=fold.weights))
    squares = [
        _between_pairs(contrast, moment) / count
        for contrast, moment, count in zip(
            np.moveaxis(np.array(contrasts), 2, 0),
            _without_each(np.sum(moments, axis=0)),
            _without_each(np.sum(counts, axis=0)),
            strict=True,
        )
    ]
    return ConditionalEstimate(
        square=float(squares[0]),
        left_out=np.array(squares[1:]),
        overlap=float(np.average(overlaps, weights=[fold.weights.sum() for fold in real])),
    )


def _contrasts(real: _Fold, synthetic: _Fold, ridge: float, blocks: int) -> tuple[Floats, Floats]:
    """Fit one pair of folds.

    Returns
    -------
    contrasts : ndarray of shape (1 + n_blocks, n_features, q)
        Coefficients of t, from all rows and without each block. The jackknife keeps e as it is: an
        error in e has no first-order effect on t.
    weights : ndarray of shape (n_real_rows,)
        ``1 - 4 e^2`` of the real rows.
    """
    features = np.concatenate((real.features, synthetic.features))
    target = np.concatenate((real.target, synthetic.target))
    block = np.concatenate((real.blocks, synthetic.blocks))
    side = np.repeat((-0.5, 0.5), (len(real.features), len(synthetic.features)))[:, None]
    weights = np.concatenate((real.weights, synthetic.weights))
    root = np.sqrt(weights)[:, None]
    # e(x) of each row is found from the others and lies between the values of w.
    errors = min(_left_out_errors(features * root, side * root), key=_sum_of_squares) / root
    expected = np.clip(side - errors, -0.5, 0.5)
    joint = np.concatenate((features, features * (side - expected)), axis=1)
    p = joint.shape[1]
    both = np.concatenate((joint, target), axis=1)
    moments = _without_each(_block_moments(both, block, blocks, weights))
    counts = _without_each(np.bincount(block, weights, minlength=blocks))
    penalty = np.full(p, ridge)
    penalty[[p // 2 - 1, p - 1]] = CONSTANT_RIDGE
    normal = moments[:, :p, :p] + counts[:, None, None] * np.diag(penalty)
    fitted: Floats = np.linalg.solve(normal, moments[:, :p, p:])
    return fitted[:, p // 2 :], 1 - 4 * expected[: len(real.features), 0] ** 2


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


def _best_ridge(folds: list[_Fold]) -> float:
    """Ridge of the least leave-one-out error over the folds of one side."""
    losses = []
    for fold in folds:
        root = np.sqrt(fold.weights)[:, None]
        centred = fold.target - np.average(fold.target, axis=0, weights=fold.weights)
        left_out = _left_out_errors(fold.features * root, centred * root)
        losses.append([_sum_of_squares(errors) for errors in left_out])
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
        if leverage.sum() > MAX_LEVERAGE * n:
            yield np.full(target.shape, np.inf)
        else:
            yield (target - turned @ (inverse[:, None] * pull)) / (1 - leverage)[:, None]


def _sum_of_squares(errors: Floats) -> float:
    return float(np.sum(errors**2))


def _block_moments(rows: Floats, block: Ints, blocks: int, weights: Floats) -> Floats:
    """Weighted sum of ``r r'`` over the rows r of each block; shape (n_blocks, p, p)."""
    members = [block == b for b in range(blocks)]
    return np.stack([(rows[at] * weights[at, None]).T @ rows[at] for at in members])


def _without_each(parts: NDArray[Any]) -> NDArray[Any]:
    """The sum over blocks, followed by the sum without each block."""
    total = parts.sum(axis=0, keepdims=True)
    return np.concatenate((total, total - parts))
