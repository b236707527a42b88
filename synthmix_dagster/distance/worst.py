"""The directions along which the two sides differ most (max-sliced Wasserstein, judged honestly).

Random directions dilute what lives in a few columns: a lost correlation of two columns of fifty
hardly shows in their mean. So a direction is looked for on one half of the rows, by climbing the
debiased square, and its gap is measured on the other half, where having looked does not help.
"""

from dataclasses import dataclass

import numpy as np

from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.wasserstein import Floats, Singles, sliced_estimate

#: Numbers, and at most rows, of each of the four quarters that the climb looks at.
_CLIMB_NUMBERS = 200_000
_CLIMB_ROWS = 2_000
_STEPS = 40
_LEAST_STEP = 0.02


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector and how far apart the two sides are along it.

    Attributes
    ----------
    vector : ndarray of shape (d,)
    square : float
        Debiased squared W2 of the projections, from rows that did not choose the vector.
    """

    vector: Floats
    square: float


def worst_directions(
    real: Singles, synthetic: Singles, count: int, rng: np.random.Generator
) -> list[Direction]:
    """Look for orthogonal directions of large gaps.

    Parameters
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)
        At least eight rows a side.
    count : int
        Directions wanted; at most d.
    rng : numpy.random.Generator
        Draws the halves.

    Returns
    -------
    list of Direction
        The widest gap first.
    """
    halves = [np.array_split(side[rng.permutation(len(side))], 2) for side in (real, synthetic)]
    (seek_real, judge_real), (seek_synthetic, judge_synthetic) = halves
    affordable = max(200, _CLIMB_NUMBERS // real.shape[1])
    rows = min(len(seek_real) // 2, len(seek_synthetic) // 2, _CLIMB_ROWS, affordable)
    quarters = [
        side[at : at + rows].astype(np.float64)
        for side in (seek_real, seek_synthetic)
        for at in (0, rows)
    ]
    judges = draw_sides(len(judge_real), len(judge_synthetic), rng)
    found: list[Direction] = []
    basis = np.empty((0, real.shape[1]))
    for _ in range(min(count, real.shape[1])):
        vector = _climb(quarters, basis)
        basis = np.vstack((basis, vector))
        estimate = sliced_estimate(judge_real, judge_synthetic, vector[None], judges)
        found.append(Direction(vector, float(estimate.squares[0])))
    return sorted(found, key=lambda direction: -direction.square)


def _climb(quarters: list[Floats], basis: Floats) -> Floats:
    """Raise the debiased square from several starts; `basis` is ruled out."""
    d = quarters[0].shape[1]
    free = np.eye(d) - basis.T @ basis
    shift = np.mean(quarters[0], axis=0) - np.mean(quarters[2], axis=0)
    # The mean shift, and the axes along which the sides differ most by themselves.
    r1, r2, s1, s2 = (np.sort(points, axis=0) for points in quarters)
    own = np.mean(((r1 - s1) ** 2 + (r2 - s2) ** 2 - (r1 - r2) ** 2 - (s1 - s2) ** 2) / 2, axis=0)
    starts = [shift, *np.eye(d)[np.argsort(-own)[:3]], own * (own > 0)]
    best, widest = free[np.argmax(np.linalg.norm(free, axis=1))], -np.inf
    for start in starts:
        vector = free @ start
        if np.linalg.norm(vector) < 1e-9:
            continue
        vector /= np.linalg.norm(vector)
        value, slope = _ascend(quarters, vector)
        step = 1.0
        for _ in range(_STEPS):
            tangent = free @ slope
            tangent -= (tangent @ vector) * vector
            length = float(np.linalg.norm(tangent))
            if length < 1e-12 or step < _LEAST_STEP:
                break
            trial = vector + step * tangent / length
            trial /= np.linalg.norm(trial)
            higher, there = _ascend(quarters, trial)
            if higher > value:
                vector, value, slope = trial, higher, there
            else:
                step /= 2
        if value > widest:
            best, widest = vector, value
    return best / np.linalg.norm(best)


def _ascend(quarters: list[Floats], vector: Floats) -> tuple[float, Floats]:
    """Debiased square along a vector, and half its gradient.

    The optimal coupling on a line pairs equal ranks; it stays the same for a small turn of the
    vector, so the gradient is that of the paired differences.
    """
    ranked = [points[np.argsort(points @ vector)] for points in quarters]
    r1, r2, s1, s2 = ranked
    slope = np.zeros(len(vector))
    for one, other, weight in ((r1, s1, 0.5), (r2, s2, 0.5), (r1, r2, -0.5), (s1, s2, -0.5)):
        apart = one - other
        slope += weight * (apart.T @ (apart @ vector)) / len(apart)
    return float(slope @ vector), slope
