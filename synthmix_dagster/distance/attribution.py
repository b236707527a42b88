"""What the gap is made of: which columns, and how much each row has to do with it.

**Columns.** Along one direction the debiased square is a sum over rows of their projection times a
weight that other folds decide (see `wasserstein`). A projection is itself a sum over coordinates,
so the square splits over coordinates exactly, and each part is as free of bias as the whole. A
column whose values moved gets the square of its move; a column that no longer goes with another
shares in what the pair lost, though each looks right by itself. In the second case bystanders may
get a small part of either sign: the spread of a projection changes, and with it what lies at each
of its ranks.

**Rows.** The influence of a row is how fast the square changes with the weight of that row. More
weight at one value moves the quantile function to that side: with w the weight of the quantile
function, the influence at x is the integral of 2 w(F(t)) dt up to x, less its mean (the Kantorovich
potential of the fold). The sum of its squares is the variance of the square (the infinitesimal
jackknife), with as many terms as there are rows.

References
----------
.. [1] Hampel (1974), The influence curve and its role in robust estimation, JASA 69.
.. [2] Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, SIAM, chapter 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.distance.wasserstein import Floats, Singles, cell_means, projections


@dataclass(frozen=True, eq=False)
class Contributions:
    """Of columns and rows to the mean debiased square of all directions.

    Attributes
    ----------
    parts : ndarray of shape (d,)
        Signed parts of the coordinates; their sum is the mean of ``SlicedEstimate.squares``.
    influences : tuple of ndarray of shape (n,) and (m,)
        What one row of each side adds to the square beside an average one, to first order.
    """

    parts: Floats
    influences: tuple[Floats, Floats]


def contributions(
    real: Singles,
    synthetic: Singles,
    directions: Floats,
    sides: tuple[Side, Side],
    p: int = 2,
) -> Contributions:
    """Split the mean debiased square over coordinates, and find the influence of every row on it.

    Parameters
    ----------
    real, synthetic, directions, sides, p
        As in `sliced_estimate`.

    Returns
    -------
    Contributions
    """
    folds = [side.folds for side in sides]
    cells = min(len(fold) for side in folds for fold in side)
    points = real, synthetic
    parts = np.zeros(real.shape[1])
    influences = np.zeros(len(real)), np.zeros(len(synthetic))
    done = 0
    for pair in projections(directions, real, synthetic):
        chunk = directions[done : done + len(pair[0])]
        done += len(chunk)
        ranked = [
            [_ranked(lines[:, fold]) for fold in side]
            for lines, side in zip(pair, folds, strict=True)
        ]
        quantiles = [[cell_means(values, cells) for values, _ in side] for side in ranked]
        weights = debiased_gradients(quantiles[0], quantiles[1], p)
        for i in (0, 1):
            for fold, (values, order), weight in zip(folds[i], ranked[i], weights[i], strict=True):
                steps = _over_steps(weight, len(fold))
                of_rows = np.empty_like(values)
                np.put_along_axis(of_rows, order, steps, axis=1)
                parts += np.sum(chunk * (of_rows @ points[i][fold]), axis=0)
                np.put_along_axis(of_rows, order, _potentials(steps, values), axis=1)
                influences[i][fold] += np.sum(of_rows, axis=0, dtype=np.float64)
    for side in influences:
        side /= len(directions)
    return Contributions(parts / len(directions), influences)


def _ranked(lines: Singles) -> tuple[Singles, Ints]:
    order: Ints = np.argsort(lines, axis=1)
    return np.take_along_axis(lines, order, axis=1), order


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


def _over_steps(weight: Singles, rows: int) -> Singles:
    """Integrate a function on cells over the step of each rank.

    Parameters
    ----------
    weight : ndarray of shape (n_directions, cells)
    rows : int
        Ranks; at least as many as cells.

    Returns
    -------
    ndarray of shape (n_directions, rows)
    """
    cells = weight.shape[1]
    if rows == cells:
        return weight / np.float32(rows)
    # Borders between steps, in cells: the cell each lies in, and its share before the border.
    inside, rest = np.divmod(np.arange(rows + 1, dtype=np.int64) * cells, rows)
    area = np.zeros((len(weight), cells + 1))
    np.cumsum(weight, axis=1, out=area[:, 1:], dtype=np.float64)
    padded = np.concatenate((weight, weight[:, -1:]), axis=1)
    integral = (area[:, inside] + padded[:, inside] * (rest / rows)) / cells
    return np.diff(integral, axis=1).astype(np.float32)


def _potentials(steps: Singles, values: Singles) -> Singles:
    """Influence of every rank of a fold on the square, from the weights of its steps.

    Between two ranks the weight is the mean of theirs. A fold counts its rows equally, so what is
    integrated over steps of one n-th each needs no further division.
    """
    slopes = (steps[:, 1:] + steps[:, :-1]) * np.diff(values, axis=1)
    potentials = np.zeros(values.shape)
    np.cumsum(slopes, axis=1, out=potentials[:, 1:], dtype=np.float64)
    potentials -= np.mean(potentials, axis=1, keepdims=True)
    return potentials.astype(np.float32)
