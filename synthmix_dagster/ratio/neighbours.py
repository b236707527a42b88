"""Rows that are equal or near, found in blocks that bound the memory."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Cells of a block of squared distances.
_CELLS = 2_000_000


def equal_rows(points: Floats) -> Ints:
    """Number rows so that equal ones, to rounding, share a number."""
    # Adding zero turns -0.0, whose bytes differ, into 0.0.
    rounded = np.ascontiguousarray(np.round(points, 6) + 0.0)
    as_bytes = rounded.view(np.dtype((np.void, rounded.itemsize * rounded.shape[1])))
    return np.unique(as_bytes.ravel(), return_inverse=True)[1].ravel()


def nearest_others(points: Floats, centers: Ints, reach: int) -> Ints:
    """Positions of the nearest other points of each center, nearest first."""
    near = np.empty((len(centers), reach), dtype=np.int64)
    half_squares = np.einsum("ij,ij->i", points, points) / 2
    step = max(1, _CELLS // len(points))
    for start in range(0, len(centers), step):
        block = centers[start : start + step]
        # Half the squared distance but for a term of the center.
        apart = half_squares - points[block] @ points.T
        apart[np.arange(len(block)), block] = np.inf
        chosen = np.argpartition(apart, reach - 1, axis=1)[:, :reach]
        by_distance = np.argsort(np.take_along_axis(apart, chosen, axis=1), axis=1)
        near[start : start + step] = np.take_along_axis(chosen, by_distance, axis=1)
    return near


def nearest_distances(points: Floats, others: Floats, *, itself: bool) -> Floats:
    """Distance to the nearest of the others, among which the points themselves do not count."""
    distances = np.empty(len(points))
    squares = np.einsum("ij,ij->i", others, others)
    step = max(1, _CELLS // len(others))
    for start in range(0, len(points), step):
        block = points[start : start + step]
        apart = squares + np.einsum("ij,ij->i", block, block)[:, None] - 2 * block @ others.T
        if itself:
            apart[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        distances[start : start + step] = np.sqrt(np.maximum(apart.min(axis=1), 0))
    return distances
