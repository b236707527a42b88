"""What the scales, which come from a sample too, add to the uncertainty of a gap.

A gap is told in real standard deviations, and those are estimated: with 200 rows a standard
deviation is known to 5 % only, and so is every gap in its units. An interval that takes the scales
for given covers a gap of two deviations in 74 of 100 cases instead of 95.

A debiased square is a quadratic form of the points, so to first order another scale of one column
multiplies that column's part of it, which needs no second estimate.
"""

import numpy as np

from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.distance.wasserstein import Floats, Singles
from synthmix_dagster.encoding.codes import ColumnCode
from synthmix_dagster.encoding.encoder import Encoder


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
    block: Ints = np.empty(len(real), dtype=np.int64)
    for fold, of_rows in zip(side.folds, side.blocks, strict=True):
        block[fold] = of_rows
    factors = np.ones((side.n_blocks, real.shape[1]))
    for code in encoder.codes:
        if code.scaling not in ("standard", "robust"):
            continue
        at = slice(code.start, code.stop - len(code.slots))
        # Its own coordinates first: copying all of them for every column and block is slow.
        rows = real[:, code.start : code.stop]
        whole = _squared_scale(code, rows)
        for b in range(side.n_blocks):
            without = _squared_scale(code, rows[block != b])
            factors[b, at] = whole / without if without > 0 else 1.0
    return factors


def in_pooled_units(encoder: Encoder, real: Singles, synthetic: Singles) -> tuple[Singles, Singles]:
    """The same points, in scales that both sides had the same say in.

    A test relabels rows, so nothing it sees may tell the labels apart. Scales of the real rows do:
    a real sample without outliers makes those of the synthetic rows stand out.

    Parameters
    ----------
    encoder : Encoder
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)

    Returns
    -------
    real, synthetic : ndarray
        Of the same shapes.
    """
    pooled = np.concatenate((real, synthetic))
    for code in encoder.codes:
        if code.scaling in ("standard", "robust"):
            own = slice(code.start, code.stop)
            ours, both = (_squared_scale(code, rows[:, own]) for rows in (real, pooled))
            if both > 0:
                pooled[:, code.start : code.stop - len(code.slots)] *= np.float32(
                    (ours / both) ** 0.5
                )
    return pooled[: len(real)], pooled[len(real) :]


def _squared_scale(code: ColumnCode, rows: Singles) -> float:
    """The square of what a column's scale would be if it came from these rows of its block."""
    # Rows without a value lie at the origin and have no say.
    known = rows[rows[:, -1] == 0] if code.slots else rows
    points: Floats = known[:, : rows.shape[1] - len(code.slots)].astype(np.float64)
    if len(points) < 2:
        return 0.0
    if code.scaling == "robust":
        low, high = np.percentile(points[:, 0], [25, 75])
        return float(high - low) ** 2
    return float(np.sum(np.var(points, axis=0)))
