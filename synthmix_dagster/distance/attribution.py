"""Which columns make up the gap.

Along one direction the debiased square is a sum over rows of their projection times a weight that
other folds decide (see `wasserstein`). A projection is itself a sum over coordinates, so the square
splits over coordinates exactly, and each part is as free of bias as the whole. A column whose
values moved gets the square of its move; a column that no longer goes with another shares in what
the pair lost, though each looks right by itself. In the second case bystanders may get a small part
of either sign: the spread of a projection changes, and with it what lies at each of its ranks.
"""

from collections.abc import Sequence

import numpy as np

from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.distance.wasserstein import Floats, Singles, cell_means, projections


def coordinate_parts(
    real: Singles,
    synthetic: Singles,
    directions: Floats,
    sides: tuple[Side, Side],
    p: int = 2,
) -> Floats:
    """Split the mean debiased square over coordinates.

    Parameters
    ----------
    real, synthetic, directions, sides, p
        As in `sliced_estimate`.

    Returns
    -------
    ndarray of shape (d,)
        Signed parts; their sum is the mean of ``SlicedEstimate.squares``.
    """
    folds = [side.folds for side in sides]
    cells = min(len(fold) for side in folds for fold in side)
    points = real, synthetic
    parts = np.zeros(real.shape[1])
    done = 0
    for pair in projections(real, synthetic, directions):
        chunk = directions[done : done + len(pair[0])]
        done += len(chunk)
        orders = [
            [np.argsort(lines[:, fold], axis=1) for fold in side]
            for lines, side in zip(pair, folds, strict=True)
        ]
        quantiles = [
            [
                cell_means(np.take_along_axis(lines[:, fold], order, axis=1), cells)
                for fold, order in zip(side, side_orders, strict=True)
            ]
            for lines, side, side_orders in zip(pair, folds, orders, strict=True)
        ]
        weights = debiased_gradients(quantiles[0], quantiles[1], p)
        for i in (0, 1):
            for fold, order, weight in zip(folds[i], orders[i], weights[i], strict=True):
                rows = _row_weights(weight, order)
                parts += np.sum(chunk * (rows @ points[i][fold]), axis=0)
    return parts / len(directions)


def debiased_gradients(
    real: Sequence[Singles], synthetic: Sequence[Singles], p: int
) -> tuple[list[Singles], list[Singles]]:
    """For every fold the weight of its quantile function in the debiased square.

    The square of ``debiased_squares`` is the sum over folds of the integral of weight times
    quantile function.
    """
    sides = real, synthetic
    pairs = len(real) * len(synthetic)
    if p == 2:
        totals = [np.sum(side, axis=0) for side in sides]
        first, second = (
            [
                (totals[i] - q) / (len(sides[i]) * (len(sides[i]) - 1)) - totals[1 - i] / pairs
                for q in sides[i]
            ]
            for i in (0, 1)
        )
        return first, second
    weights = [np.zeros_like(q) for q in real], [np.zeros_like(q) for q in synthetic]
    for a, r in enumerate(real):
        for b, s in enumerate(synthetic):
            pull = _pull(r - s) / pairs
            weights[0][a] += pull
            weights[1][b] -= pull
    for side, own in zip(sides, weights, strict=True):
        for a, q in enumerate(side):
            b = (a + 1) % len(side)
            pull = _pull(q - side[b]) / (2 * len(side))
            own[a] -= pull
            own[b] += pull
    return weights


def _pull(apart: Singles) -> Singles:
    """Weight whose integral times `apart` is the squared W1."""
    return np.sign(apart) * np.mean(np.abs(apart), axis=1, keepdims=True)


def _row_weights(weight: Singles, order: Ints) -> Singles:
    """Integrate a function on cells over the step of each row, in the rows' own order.

    Parameters
    ----------
    weight : ndarray of shape (n_directions, cells)
    order : ndarray of shape (n_directions, n_rows)
        Positions that sort the rows; at least as many rows as cells.
    """
    cells, n = weight.shape[1], order.shape[1]
    # Borders between steps, in cells: the cell each lies in, and its share before the border.
    inside, rest = np.divmod(np.arange(n + 1, dtype=np.int64) * cells, n)
    area = np.zeros((len(weight), cells + 1))
    np.cumsum(weight, axis=1, out=area[:, 1:], dtype=np.float64)
    padded = np.concatenate((weight, weight[:, -1:]), axis=1)
    integral = (area[:, inside] + padded[:, inside] * (rest / n)) / cells
    rows = np.empty(order.shape, dtype=np.float32)
    np.put_along_axis(rows, order, np.diff(integral, axis=1).astype(np.float32), axis=1)
    return rows
