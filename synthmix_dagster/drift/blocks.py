"""Bets on blocks of rows: evidence counts in so far as the days themselves cannot explain it.

If all blocks of all batches are independent draws, smoothed ranks of their scores are independent
and uniform (Vovk, Gammerman and Shafer 2005, section 8.2). So the level of a batch, the sum of the
normal scores of its m ranks over the root of m, is standard normal, exactly, and a change shows at
once. But blocks of one day may resemble each other, and then levels vary more than that.

How much more is not assumed. The capital is the likelihood of all levels if something has changed,
over their *highest* likelihood under any day effects that are allowed for:

    capital = mean over changes of f(z_2, ..., z_t)  /  max over day effects of g(z_2, ..., z_t),

so it is never more than the capital of a fair bet against the day effects there really are, and
Ville's inequality holds for it (Wasserman, Ramdas and Balakrishnan, Universal inference, PNAS 117,
2020). Day effects that are allowed for: a level is normal with any deviation s >= 1 and, in a share
h of batches, Student's with two degrees of freedom and the scale 3 s: days that jump now and then.
With s = 1 and h = 0 the blocks are independent draws. (The first level is left out: its blocks were
compared with nothing but each other.)

A change raises the level by d, less the share of changed blocks it competes with. Ranks, so levels,
have their highest, and a change beyond all measure looks like a large one. So a quarter of the
capital is bet, in the same way, on distances of batch means from the past, in deviations of what
noise within batches explains. They are normal only nearly, but have no highest.
"""

from bisect import bisect_left, bisect_right
from math import pi, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.drift.martingale import waking

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Part of the capital on levels, and on distances.
NEAR, FAR = 0.75, 0.25


class Bet(NamedTuple):
    """Changes d that are bet on, in equal parts, and the deviation after one in parts of it."""

    changes: tuple[float, ...]
    blur: float


LEVELS = Bet((2.5, 5.0, 10.0), 0.2)
DISTANCES = Bet((10.0, 40.0, 160.0, 640.0), 0.4)
#: Beyond any change that matters.
_FARTHEST = 1e3
#: Deviations of a level that are bet on, and the part of the capital on each.
SPREADS = {1.0: 0.8, 2.0: 0.05, 4.0: 0.05, 8.0: 0.05, 16.0: 0.05}
#: Day effects that are allowed for: deviations, and shares of batches that jump.
ALLOWED_SPREADS = 2.0 ** np.arange(0, 7.25, 0.25)
JUMPING = (0.02, 0.1, 0.3)
#: Scale of a jump, in deviations.
JUMP = 3.0
#: A spread of levels beyond this quantile (one in a hundred) without day effects is worth a note.
_NOTABLE = 2.326


def smoothed_ranks(scores: Floats, ties: Floats) -> Floats:
    """Rank every score among those up to itself, 0 for the highest and 1 for the lowest.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        In their order, finite.
    ties : ndarray of shape (n_scores,)
        Uniform numbers that place a score among its equals, itself included.

    Returns
    -------
    ndarray of shape (n_scores,)
        ``(#{s_i > s_t} + u_t #{s_i = s_t}) / t``; independent and uniform for exchangeable scores.

    Examples
    --------
    >>> smoothed_ranks(np.array([1.0, 3.0, 2.0]), np.full(3, 0.5)).round(2).tolist()
    [0.5, 0.25, 0.5]
    """
    ranks = np.empty(len(scores))
    past: list[float] = []
    for t, (score, tie) in enumerate(zip(scores.tolist(), ties.tolist(), strict=True)):
        low, high = bisect_left(past, score), bisect_right(past, score)
        past.insert(high, score)
        ranks[t] = (t - high + tie * (high - low + 1)) / (t + 1)
    return ranks


def levels(scores: Floats, ties: Floats, ends: Ints) -> Floats:
    """Level of every batch among all blocks so far; standard normal for independent blocks.

    Parameters
    ----------
    scores, ties : ndarray of shape (n_blocks,)
    ends : ndarray of shape (n_batches,)
        Number of blocks up to the end of each batch.

    Returns
    -------
    ndarray of shape (n_batches,)

    Examples
    --------
    >>> scores = np.array([0.0, 1.0, 2.0, 3.0, 8.0, 9.0])
    >>> levels(scores, np.full(6, 0.5), np.array([2, 4, 6])).round(2).tolist()
    [0.48, 1.5, 1.88]
    """
    normal = NormalDist()
    ranks = smoothed_ranks(scores, ties).tolist()
    # A tie-breaker may be 0; no rank is beyond what a million million blocks could tell.
    placed = [normal.inv_cdf(min(max(1 - rank, 1e-12), 1 - 1e-12)) for rank in ranks]
    begins = np.concatenate(([0], ends[:-1]))
    summed: Floats = np.add.reduceat(np.array(placed), begins)
    return summed / np.sqrt(ends - begins)


def distances(scores: Floats, ends: Ints) -> Floats:
    """Distance of every batch mean from the mean so far, in deviations of it without day effects.

    Parameters
    ----------
    scores : ndarray of shape (n_blocks,)
    ends : ndarray of shape (n_batches,)
        Number of blocks up to the end of each batch, two a batch at least.

    Returns
    -------
    ndarray of shape (n_batches,)
        Recursive residuals (Brown, Durbin and Evans 1975), the first 0: independent for normal
        scores.

    Examples
    --------
    >>> scores = np.array([0.0, 2.0, 1.0, 3.0, 8.0, 6.0])
    >>> distances(scores, np.array([2, 4, 6])).round(2).tolist()
    [0.0, 0.71, 4.49]
    """
    begins = np.concatenate(([0], ends[:-1]))
    counts = ends - begins
    means = np.add.reduceat(scores, begins) / counts
    within = np.add.reduceat((scores - np.repeat(means, counts)) ** 2, begins)
    past = np.cumsum(scores)[ends[:-1] - 1] / ends[:-1]
    variance = np.cumsum(within)[:-1] / (ends[:-1] - np.arange(1, len(ends)))
    # Blocks that are all alike differ from nothing, or beyond measure.
    deviation = np.sqrt(variance * (1 / counts[1:] + 1 / ends[:-1])) + 1e-300
    found = np.clip((means[1:] - past) / deviation, -_FARTHEST, _FARTHEST)
    return np.concatenate(([0.0], found))


def log_capital(found: Floats, ends: Ints, *, warm_up: int, bet: Bet = LEVELS) -> Floats:
    """Logarithm of the capital after every batch.

    Parameters
    ----------
    found : ndarray of shape (n_batches,)
        From `levels` or `distances`.
    ends : ndarray of shape (n_batches,)
        Number of blocks up to the end of each batch.
    warm_up : int
        Batches that are taken as the history; no change is bet on among them.
    bet : Bet
        `LEVELS` or `DISTANCES`, as `found` is.

    Returns
    -------
    ndarray of shape (n_batches,)

    Examples
    --------
    >>> quiet, blocks = np.array([0.3, -1.1, 0.4, 0.9, -0.2, 0.6]), 32 * np.arange(1, 11)
    >>> moved = np.concatenate((quiet, [6.1, 5.2, 4.9, 5.8]))
    >>> bool(log_capital(moved, blocks, warm_up=5)[-1] > np.log(100))
    True
    >>> days = np.concatenate((3 * quiet, [6.1, -5.2, 4.9, -5.8]))
    >>> bool(log_capital(days, blocks, warm_up=5).max() < 0.1)
    True
    """
    n = len(found)
    spreads, parts = np.array(list(SPREADS)), np.array(list(SPREADS.values()))
    unmoved = _normal(found, spreads[:, None])
    unmoved[:, 0] = 0.0
    unmoved = np.cumsum(unmoved, axis=1)
    explained = _explained(found)
    chances = waking(max(n - warm_up, 0))
    asleep = 1 - np.concatenate((np.zeros(min(warm_up, n)), np.cumsum(chances)))
    bets = asleep * np.exp(unmoved - explained)
    # Where days differ by much, no smaller change is worth betting on.
    rises = np.array(bet.changes) * np.maximum(1, spreads / 2)[:, None]
    blurred = np.maximum(spreads[:, None], bet.blur * rises)[..., None]
    begins = np.concatenate(([0], ends[:-1]))
    middles = (begins + ends) / 2
    for chance, first in zip(chances, range(warm_up, n), strict=True):
        unchanged = begins[first] / middles[first:]
        moved = np.cumsum(_normal(found[first:] - rises[..., None] * unchanged, blurred), axis=2)
        path = moved + unmoved[:, first - 1, None, None] - explained[first:]
        # Beyond any alarm, and still finite when many are summed.
        bets[:, first:] += chance * np.exp(np.minimum(path, 600.0)).mean(axis=1)
    return np.log(np.maximum(parts @ bets, 1e-300))


def log_capital_of_blocks(scores: Floats, ties: Floats, ends: Ints, *, warm_up: int) -> Floats:
    """Bet on levels and on distances; see `levels` and `log_capital` for the parameters.

    Returns
    -------
    ndarray of shape (n_batches,)
    """
    near = log_capital(levels(scores, ties, ends), ends, warm_up=warm_up)
    far = log_capital(distances(scores, ends), ends, warm_up=warm_up, bet=DISTANCES)
    capital: Floats = np.logaddexp(np.log(NEAR) + near, np.log(FAR) + far)
    return capital


def _normal(values: Floats, spread: Floats) -> Floats:
    """Logarithm of normal densities, but for a constant."""
    density: Floats = -np.log(spread) - (values / spread) ** 2 / 2
    return density


def _explained(found: Floats) -> Floats:
    """Highest log likelihood of the levels so far under day effects that are allowed for."""
    n = np.arange(len(found))
    squares = np.cumsum(np.concatenate(([0.0], found[1:] ** 2)))
    variance = np.maximum(1.0, squares / np.maximum(n, 1))
    best: Floats = -n / 2 * np.log(variance) - squares / variance / 2
    scale = ALLOWED_SPREADS[:, None]
    ordinary = _normal(found, scale)
    student = sqrt(2 * pi) / sqrt(8) / (1 + (found / (JUMP * scale)) ** 2 / 2) ** 1.5
    for share in JUMPING:
        terms = np.logaddexp(np.log(1 - share) + ordinary, np.log(share * student / (JUMP * scale)))
        terms[:, 0] = 0.0
        best = np.maximum(best, np.cumsum(terms, axis=1).max(axis=0))
    return best


def day_effects(found: Floats) -> float | None:
    """Deviation of levels where it is more than independent blocks would show.

    Parameters
    ----------
    found : ndarray of shape (n_batches,)
        From `levels`, of batches before any change.

    Returns
    -------
    float or None
        None where the spread is ordinary: below the 99 % quantile of chi-square, by Wilson and
        Hilferty's approximation.

    Examples
    --------
    >>> day_effects(np.array([0.0, 1.1, -0.9, 0.3, -1.2, 0.8])) is None
    True
    >>> day_effects(np.array([0.0, 4.1, -3.9, 2.3, -3.2, 3.8])).__round__(1)
    3.5
    """
    n = len(found) - 1
    if n < 1:
        return None
    variance = float(np.mean(found[1:] ** 2))
    limit = (1 - 2 / (9 * n) + _NOTABLE * sqrt(2 / (9 * n))) ** 3
    return sqrt(variance) if variance > limit else None
