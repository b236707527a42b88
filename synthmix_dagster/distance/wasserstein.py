"""Debiased sliced Wasserstein distance.

An empirical Wasserstein distance between two samples of the *same* distribution is not zero; in
high dimension it dwarfs the true distance. So both sides are cut into folds of one size, and what
folds of the same side show is subtracted from what folds of opposite sides show (cross minus
within):

    D2 = mean_ab W2^2(R_a, S_b) - 1/2 mean_(a!=b) W2^2(R_a, R_b) - 1/2 mean_(a!=b) W2^2(S_a, S_b)

On a line W2 is the L2 distance of quantile functions, so with q the quantile function of a fold
this is ``mean_(a!=b) <r_a, r_b> + mean_(a!=b) <s_a, s_b> - 2 mean_ab <r_a, s_b>``: products of
independent terms only, hence without bias and with a sign. A negative value means
"indistinguishable at this size". Folds have one size on both sides because the quantile function of
a small sample is itself biased, and that bias has to be the same on both to cancel.

For p = 1 the same difference is taken of squared W1. It has mean zero at equality, because folds of
both sides are then exchangeable, and is the squared shift for a translation that exceeds the noise.

Directions come in orthonormal blocks, so that for a translation the mean over a block, times the
dimension, is the squared shift exactly, whichever way the blocks are turned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.distance.folds import Ints, Side

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

#: Above this dimension one orthonormal set of this many directions is used.
MAX_DIRECTIONS = 512
#: Directions are projected this many at a time, which bounds the memory.
CHUNK = 16


def orthonormal_directions(
    dimension: int, at_least: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw unit directions in orthonormal blocks.

    Parameters
    ----------
    dimension : int
        Dimension d of the points.
    at_least : int
        Directions wanted; rounded up to whole blocks of d.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_directions, dimension)
        Unit vectors; each block of d rows is orthonormal.

    Examples
    --------
    >>> directions = orthonormal_directions(3, 4, np.random.default_rng(0))
    >>> directions.shape
    (6, 3)
    """
    width = min(dimension, MAX_DIRECTIONS)
    blocks = []
    for _ in range(max(1, -(-at_least // width)) if dimension > 1 else 1):
        q, r = np.linalg.qr(rng.standard_normal((dimension, width)))
        blocks.append((q * np.sign(np.diag(r))).T)
    return np.concatenate(blocks)


def cell_means(steps: Singles, cells: int) -> Singles:
    """Average a step function over equal cells of its domain, exactly.

    Sorted values are the steps of an empirical quantile function. Averages over common cells make
    samples of different sizes comparable; nothing is padded, cut or resampled.

    Parameters
    ----------
    steps : ndarray of shape (..., n_steps)
    cells : int
        At most n_steps.

    Returns
    -------
    ndarray of shape (..., cells)

    Examples
    --------
    >>> cell_means(np.array([0.0, 3.0, 6.0], dtype=np.float32), 2).tolist()
    [1.0, 5.0]
    """
    n = steps.shape[-1]
    if n == cells:
        return steps
    first, cut, part = _cell_borders(n, cells)
    sums = np.add.reduceat(steps, first, axis=-1)
    # A step that a border cuts belongs to both of its cells, in part.
    parts = steps[..., cut] * part
    sums[..., 1:] -= parts
    sums[..., :-1] += parts
    sums *= cells / n
    return sums


@lru_cache(maxsize=64)
def _cell_borders(n: int, cells: int) -> tuple[Ints, Ints, Singles]:
    """First step of each cell, the step at each inner border, and its share before the border."""
    first, rest = np.divmod(np.arange(cells, dtype=np.int64) * n, cells)
    return first, first[1:], (rest[1:] / cells).astype(np.float32)


def debiased_squares(real: Sequence[Singles], synthetic: Sequence[Singles], p: int = 2) -> Floats:
    """Cross minus within, for quantile functions of folds.

    Parameters
    ----------
    real, synthetic : sequence of ndarray of shape (n_lines, cells)
        One array a fold, two folds at least.
    p : {1, 2}
        Order of the distance; its square is what is averaged and subtracted.

    Returns
    -------
    ndarray of shape (n_lines,)
        Signed, debiased squared W_p along each line.
    """
    if p == 1:
        cross: Floats = np.mean([squared(r - s, 1) for r in real for s in synthetic], axis=0)
        return cross - 0.5 * (_within(real, 1) + _within(synthetic, 1))
    r, s = _sum(real), _sum(synthetic)
    crossed = _inner(r, s) / (len(real) * len(synthetic))
    return _between(real) + _between(synthetic) - 2 * crossed


def squared(apart: Singles, p: int) -> Floats:
    """Squared W_p of two quantile functions on equal cells, from their difference.

    Parameters
    ----------
    apart : ndarray of shape (n_lines, cells)
    p : {1, 2}
    """
    if p == 1:
        return np.square(np.mean(np.abs(apart), axis=1, dtype=np.float64))
    return _inner(apart, apart)


@dataclass(frozen=True)
class SlicedEstimate:
    """Squares per direction, in the scale of one direction (not yet times d).

    Attributes
    ----------
    squares : ndarray of shape (n_directions,)
        Signed, debiased squared W_p of each projection.
    within_real : float
        Mean squared W_p between two folds of the real side: the raw floor, squared.
    """

    squares: Floats
    within_real: float


def sliced_estimate(
    real: Singles,
    synthetic: Singles,
    directions: Floats,
    sides: tuple[Side, Side],
    p: int = 2,
) -> SlicedEstimate:
    """Estimate the debiased squared W_p along each direction.

    Parameters
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)
    directions : ndarray of shape (n_directions, d)
        Unit vectors.
    sides : pair of Side
        The folds, from `draw_sides`.
    p : {1, 2}
        Order of the distance.

    Returns
    -------
    SlicedEstimate
    """
    folds = [side.folds for side in sides]
    cells = min(len(fold) for side in folds for fold in side)
    squares, within = [], []
    for lines in projections(directions, real, synthetic):
        q, s = (
            [cell_means(np.sort(line[:, fold], axis=1), cells) for fold in side]
            for line, side in zip(lines, folds, strict=True)
        )
        squares.append(debiased_squares(q, s, p))
        within.append(_within(q, p))
    return SlicedEstimate(np.concatenate(squares), float(np.mean(np.concatenate(within))))


def projections(directions: Floats, *sides: Singles) -> Iterator[tuple[Singles, ...]]:
    """Project points of every side, some directions at a time.

    Parameters
    ----------
    directions : ndarray of shape (n_directions, d)
    *sides : ndarray of shape (n_rows, d)

    Yields
    ------
    tuple of ndarray of shape (n_directions_in_chunk, n_rows)
        In single precision, one array a side.
    """
    points = [np.asarray(side, dtype=np.float32).T for side in sides]
    turned = directions.astype(np.float32)
    for at in range(0, len(turned), CHUNK):
        yield tuple(turned[at : at + CHUNK] @ side for side in points)


def _within(folds: Sequence[Singles], p: int) -> Floats:
    """Mean squared W_p of two different folds of one side."""
    if p == 2:
        own = np.mean([_inner(fold, fold) for fold in folds], axis=0)
        return 2 * (own - _between(folds))
    # Each fold beside the next: as free of bias as all pairs, of which there may be thousands.
    pairs = zip(folds, (*folds[1:], folds[0]), strict=True)
    within: Floats = np.mean([squared(one - other, p) for one, other in pairs], axis=0)
    return within


def _between(folds: Sequence[Singles]) -> Floats:
    """Mean inner product of two different folds of one side.

    Each fold times the sum of those before it, rather than the square of all less the squares of
    each: those grow with the square of a wild value, and their difference is rounding.
    """
    crossed, before = np.zeros(len(folds[0])), folds[0]
    for number, fold in enumerate(folds[1:], start=2):
        crossed += _inner(before, fold)
        if number < len(folds):
            before = before + fold
    return 2 * crossed / (len(folds) * (len(folds) - 1))


def _sum(folds: Sequence[Singles]) -> Singles:
    return np.sum(np.stack(folds), axis=0) if len(folds) > 2 else folds[0] + folds[1]


def _inner(one: Singles, other: Singles) -> Floats:
    """Inner product of step functions on the unit interval, summed in double precision."""
    product: Floats = np.einsum("lh,lh->l", one, other, dtype=np.float64) / one.shape[1]
    return product
