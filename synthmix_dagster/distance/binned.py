"""Distances between distributions of which the share below every edge of some bins is known.

A bin's mass is spread evenly over the bin, so that quantile functions are piecewise linear and the
distances exact.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def squared_w2(one: Floats, other: Floats, width: Floats) -> Floats:
    """Squared W2 along every direction, from shares below the edges of the bins."""
    squares = [_integrated_square(a, b) for a, b in zip(one, other, strict=True)]
    return np.array(squares) * width**2


def _integrated_square(one: Floats, other: Floats) -> float:
    """Integral of the squared difference of two quantile functions, in bins."""
    levels = np.unique(np.concatenate((one, other)))
    (start, end), (from_, to) = _quantiles(one, levels), _quantiles(other, levels)
    left, right = start - from_, end - to
    # The difference is linear between two neighbouring levels.
    return float(np.diff(levels) @ (left**2 + left * right + right**2)) / 3


def _quantiles(below: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """A quantile function at the start and the end of every interval between levels, in bins."""
    bin_ = np.searchsorted(below, levels[:-1], side="right") - 1
    mass = below[bin_ + 1] - below[bin_]
    start, end = ((level - below[bin_]) / mass for level in (levels[:-1], levels[1:]))
    return bin_ + start, bin_ + end


def squared_w1(one: Floats, other: Floats, width: Floats) -> Floats:
    """Square of the W1 along every direction, from shares below the edges of the bins."""
    apart = one - other
    left, right = apart[:, :-1], apart[:, 1:]
    height = np.abs(left) + np.abs(right)
    # Where the distribution functions cross inside a bin, their difference is two triangles.
    crossing = left * right < 0
    area = np.where(crossing, (left**2 + right**2) / np.where(crossing, height, 1.0), height) / 2
    squared: Floats = (area.sum(axis=1) * width) ** 2
    return squared
