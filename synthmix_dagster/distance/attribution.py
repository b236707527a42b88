"""Which columns make up the gap.

Along one direction the debiased square is a sum over rows of their projection times a weight that
other folds decide (see `wasserstein`). A projection is itself a sum over coordinates, so the square
splits over coordinates exactly, and each part is as free of bias as the whole. A column whose
values moved gets the square of its move; a column that no longer goes with another shares in what
the pair lost, though each looks right by itself. In the second case bystanders may get a small part
of either sign: the spread of a projection changes, and with it what lies at each of its ranks.
"""

import numpy as np

from synthmix_dagster.distance.wasserstein import (
    Floats,
    Ints,
    Singles,
    cell_means,
    draw_folds,
    projections,
)


def coordinate_parts(
    real: Floats, synthetic: Floats, directions: Floats, rng: np.random.Generator
) -> Floats:
    """Split the mean debiased square over coordinates.

    Parameters
    ----------
    real, synthetic, directions, rng
        As in `sliced_estimate`; the same generator draws the same folds.

    Returns
    -------
    ndarray of shape (d,)
        Signed parts; their sum is the mean of ``SlicedEstimate.squares``.
    """
    folds = draw_folds(len(real), len(synthetic), rng)
    cells = min(len(fold) for side in folds for fold in side)
    points = real.astype(np.float32), synthetic.astype(np.float32)
    parts = np.zeros(real.shape[1])
    done = 0
    for sides in projections(real, synthetic, directions):
        chunk = directions[done : done + len(sides[0])]
        done += len(chunk)
        orders = [
            [np.argsort(lines[:, fold], axis=1) for fold in side]
            for lines, side in zip(sides, folds, strict=True)
        ]
        quantiles = [
            [
                cell_means(np.take_along_axis(lines[:, fold], order, axis=1), cells)
                for fold, order in zip(side, side_orders, strict=True)
            ]
            for lines, side, side_orders in zip(sides, folds, orders, strict=True)
        ]
        totals = [np.sum(side, axis=0) for side in quantiles]
        pairs = len(folds[0]) * len(folds[1])
        for i in (0, 1):
            own = len(folds[i]) * (len(folds[i]) - 1)
            for fold, order, q in zip(folds[i], orders[i], quantiles[i], strict=True):
                weight = (totals[i] - q) / own - totals[1 - i] / pairs
                rows = _row_weights(weight, order)
                parts += np.sum(chunk * (rows @ points[i][fold]), axis=0)
    return parts / len(directions)


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
