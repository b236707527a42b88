"""Debiased sliced Wasserstein-2 distance.

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

Directions come in orthonormal blocks, so that for a translation the mean over a block, times the
dimension, is the squared shift exactly, whichever way the blocks are turned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

#: Above this dimension one orthonormal set of this many directions is used.
MOST_DIRECTIONS = 512
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
    width = min(dimension, MOST_DIRECTIONS)
    blocks = []
    for _ in range(max(1, -(-at_least // width)) if dimension > 1 else 1):
        q, r = np.linalg.qr(rng.standard_normal((dimension, width)))
        blocks.append((q * np.sign(np.diag(r))).T)
    return np.concatenate(blocks)


def draw_folds(n: int, m: int, rng: np.random.Generator) -> tuple[list[Ints], list[Ints]]:
    """Cut ``range(n)`` and ``range(m)`` at random into folds of nearly one size, two at least.

    Returns
    -------
    real, synthetic : list of ndarray
        Positions of each fold; every position is in exactly one.

    Examples
    --------
    >>> real, synthetic = draw_folds(10, 40, np.random.default_rng(0))
    >>> [len(fold) for fold in real], len(synthetic)
    ([5, 5], 8)
    """
    size = min(n, m) // 2
    real, synthetic = (
        np.array_split(rng.permutation(rows), max(2, round(rows / size))) for rows in (n, m)
    )
    return real, synthetic


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


def debiased_squares(real: Sequence[Singles], synthetic: Sequence[Singles]) -> Floats:
    """Cross minus within, for quantile functions of folds.

    Parameters
    ----------
    real, synthetic : sequence of ndarray of shape (n_directions, cells)
        One array a fold.

    Returns
    -------
    ndarray of shape (n_directions,)
        Signed, debiased squared W2 along each direction.
    """
    r, s = _sum(real), _sum(synthetic)
    cross = _inner(r, s) / (len(real) * len(synthetic))
    return _between(real, r) + _between(synthetic, s) - 2 * cross


@dataclass(frozen=True)
class SlicedEstimate:
    """Squares per direction, in the scale of one direction (not yet times d).

    Attributes
    ----------
    squares : ndarray of shape (n_directions,)
        Signed, debiased squared W2 of each projection.
    within_real : float
        Mean squared W2 between two folds of the real side: the raw floor, squared.
    """

    squares: Floats
    within_real: float


def sliced_estimate(
    real: Floats, synthetic: Floats, directions: Floats, rng: np.random.Generator
) -> SlicedEstimate:
    """Estimate the debiased squared W2 along each direction.

    Parameters
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)
    directions : ndarray of shape (n_directions, d)
        Unit vectors.
    rng : numpy.random.Generator
        Draws the folds.

    Returns
    -------
    SlicedEstimate
    """
    real_folds, synthetic_folds = draw_folds(len(real), len(synthetic), rng)
    cells = min(len(fold) for fold in (*real_folds, *synthetic_folds))
    squares, within = [], []
    for r, s in projections(real, synthetic, directions):
        q = [cell_means(np.sort(r[:, fold], axis=1), cells) for fold in real_folds]
        p = [cell_means(np.sort(s[:, fold], axis=1), cells) for fold in synthetic_folds]
        squares.append(debiased_squares(q, p))
        within.append(2 * (np.mean([_inner(f, f) for f in q], axis=0) - _between(q, _sum(q))))
    return SlicedEstimate(np.concatenate(squares), float(np.mean(np.concatenate(within))))


def projections(
    real: Floats, synthetic: Floats, directions: Floats
) -> Iterator[tuple[Singles, Singles]]:
    """Project both sides, some directions at a time.

    Yields
    ------
    real, synthetic : ndarray of shape (n_directions_in_chunk, n_rows)
        In single precision.
    """
    left, right = real.astype(np.float32).T, synthetic.astype(np.float32).T
    turned = directions.astype(np.float32)
    for at in range(0, len(turned), CHUNK):
        yield turned[at : at + CHUNK] @ left, turned[at : at + CHUNK] @ right


def _between(folds: Sequence[Singles], total: Singles) -> Floats:
    """Mean inner product of two different folds of one side."""
    own = np.sum([_inner(fold, fold) for fold in folds], axis=0)
    between: Floats = (_inner(total, total) - own) / (len(folds) * (len(folds) - 1))
    return between


def _sum(folds: Sequence[Singles]) -> Singles:
    return np.sum(np.stack(folds), axis=0) if len(folds) > 2 else folds[0] + folds[1]


def _inner(one: Singles, other: Singles) -> Floats:
    """Inner product of step functions on the unit interval, summed in double precision."""
    product: Floats = np.einsum("lh,lh->l", one, other, dtype=np.float64) / one.shape[1]
    return product
