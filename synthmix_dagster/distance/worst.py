"""The directions along which the two sides differ most (max-sliced Wasserstein, judged honestly).

Random directions dilute what lives in a few columns: a lost correlation of two columns of fifty
hardly shows in their mean. So a direction is looked for on one half of the rows, by climbing the
debiased square, and its gap is measured on the other half, where having looked does not help.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthmix_dagster.distance.folds import MIN_GROUPS, Ints, draw_sides
from synthmix_dagster.distance.wasserstein import Floats, Singles, sliced_estimate

#: Numbers, and at most rows, of each of the four quarters that the climb looks at.
_CLIMB_NUMBERS = 200_000
_CLIMB_ROWS = 2_000
_STEPS = 40
_MIN_STEP = 0.02


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
    real: Singles,
    synthetic: Singles,
    count: int,
    rng: np.random.Generator,
    groups: Sequence[Ints] | None = None,
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
    groups : pair of ndarray of int, optional
        Group of every row, numbered from 0 on each side: groups stay whole.

    Returns
    -------
    list of Direction
        The widest gap first; none where a side has fewer than eight groups.
    """
    members = groups or (np.arange(len(real)), np.arange(len(synthetic)))
    if groups is not None and min(1 + int(labels.max()) for labels in groups) < 2 * MIN_GROUPS:
        return []
    halves = [_halved(np.arange(len(labels)), labels, rng) for labels in members]
    seekers = [
        side[quarter]
        for side, labels, (half, _) in zip((real, synthetic), members, halves, strict=True)
        for quarter in _halved(half, labels, rng)
    ]
    affordable = max(200, _CLIMB_NUMBERS // real.shape[1])
    rows = min(*map(len, seekers), _CLIMB_ROWS, affordable)
    quarters = [seeker[:rows].astype(np.float64) for seeker in seekers]
    (_, real_judges), (_, synthetic_judges) = halves
    judge_real, judge_synthetic = real[real_judges], synthetic[synthetic_judges]
    judges = draw_sides(
        len(judge_real),
        len(judge_synthetic),
        rng,
        groups
        and [
            np.unique(labels[rows_], return_inverse=True)[1]
            for labels, rows_ in zip(groups, (real_judges, synthetic_judges), strict=True)
        ],
    )
    found: list[Direction] = []
    basis = np.empty((0, real.shape[1]))
    for _ in range(min(count, real.shape[1])):
        vector = _climb(quarters, basis)
        basis = np.vstack((basis, vector))
        estimate = sliced_estimate(judge_real, judge_synthetic, vector[None], judges)
        found.append(Direction(vector, float(estimate.squares[0])))
    return sorted(found, key=lambda direction: -direction.square)


def _halved(rows: Ints, labels: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Split rows in two at random, in random order, without cutting what has one label."""
    rows = rng.permutation(rows)
    distinct = rng.permutation(np.unique(labels[rows]))
    first = np.isin(labels[rows], distinct[: (1 + len(distinct)) // 2])
    return rows[first], rows[~first]


def _climb(quarters: list[Floats], basis: Floats) -> Floats:
    """Raise the debiased square from several starts; `basis` is ruled out."""
    d = quarters[0].shape[1]
    free = np.eye(d) - basis.T @ basis
    shift = np.mean(quarters[0], axis=0) - np.mean(quarters[2], axis=0)
    # The mean shift, the directions in which the covariances differ most, and the axes along which
    # the sides differ most by themselves.
    covariances = [np.cov(np.concatenate(quarters[i : i + 2]), rowvar=False) for i in (0, 2)]
    values, vectors = np.linalg.eigh(free @ np.atleast_2d(covariances[0] - covariances[1]) @ free)
    turned = vectors[:, np.argsort(-np.abs(values))[:3]].T
    r1, r2, s1, s2 = (np.sort(points, axis=0) for points in quarters)
    own = np.mean(((r1 - s1) ** 2 + (r2 - s2) ** 2 - (r1 - r2) ** 2 - (s1 - s2) ** 2) / 2, axis=0)
    starts = [shift, *turned, *np.eye(d)[np.argsort(-own)[:3]]]
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
            if length < 1e-12 or step < _MIN_STEP:
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
    lines = [points @ vector for points in quarters]
    orders = [np.argsort(line) for line in lines]
    r1, r2, s1, s2 = (line[order] for line, order in zip(lines, orders, strict=True))
    # What pulls at each rank of each quarter: its cross pair, less its pair within the side.
    pulls = r2 - s1, r1 - s2, s2 - r1, s1 - r2
    slope = np.zeros(len(vector))
    for points, order, pull in zip(quarters, orders, pulls, strict=True):
        by_row = np.empty(len(pull))
        by_row[order] = pull
        slope += by_row @ points
    slope /= 2 * len(lines[0])
    return float(slope @ vector), slope
