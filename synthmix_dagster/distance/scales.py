"""What the scales, which come from a sample too, add to the uncertainty of a gap.

A gap is told in real standard deviations, and those are estimated: with 200 rows a standard
deviation is known to 5 % only, and so is every gap in its units. An interval that takes the scales
for given covers a gap of two deviations in 74 of 100 cases instead of 95.

A debiased square is a quadratic form of the points, so to first order another scale of one column
multiplies that column's part of it, which needs no second estimate.
"""

import numpy as np

from synthmix_dagster.distance.encoding import Encoder
from synthmix_dagster.distance.folds import Side
from synthmix_dagster.distance.wasserstein import Floats, Singles


def rescalings(encoder: Encoder, real: Singles, side: Side) -> Floats:
    """Factor on the squares of every coordinate if its scale came from all blocks but one.

    Parameters
    ----------
    encoder : Encoder
    real : ndarray of shape (n, d)
        The real rows, encoded.
    side : Side
        How they are cut.

    Returns
    -------
    ndarray of shape (n_blocks, d)
        1 for coordinates that have no estimated scale (categories, booleans, ranks).
    """
    block = np.empty(len(real), dtype=np.int64)
    for fold, of_rows in zip(side.folds, side.blocks, strict=True):
        block[fold] = of_rows
    factors = np.ones((side.n_blocks, real.shape[1]))
    for code in encoder.codes:
        if code.scaling not in ("standard", "robust"):
            continue
        at = slice(code.start, code.stop - len(code.slots))
        points = real[:, at].astype(np.float64)
        # Rows without a value lie at the origin and had no say in the scale.
        known = real[:, code.stop - 1] == 0 if code.slots else np.ones(len(real), dtype=bool)
        whole = _squared_scale(points[known], code.scaling)
        for b in range(side.n_blocks):
            without = _squared_scale(points[known & (block != b)], code.scaling)
            factors[b, at] = whole / without if without > 0 else 1.0
    return factors


def _squared_scale(points: Floats, scaling: str) -> float:
    if len(points) < 2:
        return 0.0
    if scaling == "robust":
        low, high = np.percentile(points[:, 0], [25, 75])
        return float(high - low) ** 2
    return float(np.sum(np.var(points, axis=0)))
