"""What the scales, which come from a sample too, add to the uncertainty of a gap.

A gap is told in real standard deviations, and those are estimated: with 200 rows a standard
deviation is known to 5 % only, and so is every gap in its units. An interval that takes the scales
for given covers a gap of two deviations in 74 of 100 cases instead of 95.

A debiased square is a quadratic form of the points, so to first order another scale of one column
multiplies that column's part of it, which needs no second estimate.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.distance.wasserstein import Floats, Singles
from synthmix_dagster.encoding.codes import ColumnCode
from synthmix_dagster.encoding.encoder import Encoder

#: Half the width, as a share of the rows to the power -1/3, over which a density is told.
_BANDWIDTH = 0.5


@dataclass(frozen=True, eq=False)
class Scales:
    """The scales of the columns as what they are: estimates from the real rows.

    Attributes
    ----------
    encoder : Encoder
    real : ndarray of shape (n, d)
        The real rows, encoded.
    side : Side
        How they are cut.
    """

    encoder: Encoder
    real: Singles
    side: Side

    @cached_property
    def by_block(self) -> Floats:
        """See `rescalings`."""
        return rescalings(self.encoder, self.real, self.side)

    def influences_on(self, parts: Floats) -> Floats:
        """What each real row adds to a square through the scales, to first order.

        Parameters
        ----------
        parts : ndarray of shape (d,)
            Parts of the square.

        Returns
        -------
        ndarray of shape (n,)
        """
        total = np.zeros(len(self.real))
        for code in self.encoder.codes:
            if code.scaling in ("standard", "robust"):
                own = slice(code.start, code.stop - len(code.slots))
                rows = self.real[:, code.start : code.stop]
                total -= float(np.sum(parts[own])) * _relative_influences(code, rows)
        return total


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


def _relative_influences(code: ColumnCode, rows: Singles) -> Floats:
    """Influence of every row on the squared scale of its column, relative to it; shape (n,)."""
    known = rows[:, -1] == 0 if code.slots else np.ones(len(rows), dtype=bool)
    points: Floats = rows[known, : rows.shape[1] - len(code.slots)].astype(np.float64)
    whole = _squared_scale(code, rows)
    influences = np.zeros(len(rows))
    if whole <= 0:
        return influences
    if code.scaling == "robust":
        low, high = (_of_quantile(points[:, 0], level) for level in (0.25, 0.75))
        influences[known] = 2 * (high - low) / whole**0.5
    else:
        squares = np.sum((points - np.mean(points, axis=0)) ** 2, axis=1)
        influences[known] = (squares / whole - 1) / len(points)
    return influences


def _of_quantile(values: Floats, level: float) -> Floats:
    """Influence of every value on a quantile: its rank over the density there; shape (n,)."""
    reach = _BANDWIDTH * len(values) ** (-1 / 3)
    below, at, above = np.quantile(
        values, [max(level - reach, 0.0), level, min(level + reach, 1.0)]
    )
    sparsity = (above - below) / (min(level + reach, 1.0) - max(level - reach, 0.0))
    influences: Floats = (level - (values <= at)) * sparsity / len(values)
    return influences
