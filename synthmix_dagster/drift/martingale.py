"""Conformal test martingale: a bet against "nothing has changed" that bounds false alarms for ever.

A score is ranked among all scores up to itself. If the scores are exchangeable, smoothed ranks are
independent and uniform (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005,
section 8.2). Capital of 1 is bet against that, at fair odds, so by Ville's inequality the chance
that it *ever* exceeds 1/delta is at most delta: however long one looks and however often.

The bet. After a change, scores compete with each other as well as with the history, so their ranks
are soon ordinary again: odds that are fixed, such as ``e p**(e - 1)``, lose what they won. The odds
here know of that. Let the change come after m scores, k scores ago, and let a score that has
changed have the survival function ``S**e`` where it was S (Lehmann's alternative; small e means
larger scores). A score whose share of higher ones was q before the change then has the density
``e q**(e - 1)``, and its share of higher ones among all scores so far is ``p = (1-r) q + r q**e``
with ``r = k/(m+k)``. So the odds offered for p are

    f(p; r, e) = e q**(e-1) / ((1-r) + r e q**(e-1)),     the derivative of q(p)**e,

which integrate to one, whatever r. With r = 0 they are the power calibrator.

What is not known is mixed over: e over `EXPONENTS`, the first changed batch over all batches to
come. Capital sleeps until then and jumps into the bet at batch k with chance ``c/((k+c-1)(k+c))``,
which falls slowly: late changes stay affordable.
"""

import hashlib
from bisect import bisect_left, bisect_right
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Exponents of Lehmann's alternative, mixed in equal parts: changes of about 2, 1
#: and 1/2 standard deviations.
EXPONENTS = (0.15, 0.35, 0.65)
#: Half of the capital has jumped into the bet after so many batches.
HALF_LIFE = 10
#: Shares r of changed scores for which odds are tabulated.
_LEVELS = 100
#: Ranks share odds within cells, finer where they are small. Odds are exact averages over a cell,
#: so the bet stays fair; only its sharpness is rounded.
_EDGES = np.unique(
    np.concatenate(([0.0, 1.0], np.geomspace(1e-6, 0.5, 120), 1 - np.geomspace(0.5, 1e-2, 20)))
)


def tie_breakers(key: str, count: int) -> Floats:
    """Numbers in (0, 1) that depend on `key` alone and have nothing to do with any score.

    Examples
    --------
    >>> bool((tie_breakers("2026-11-24", 3) == tie_breakers("2026-11-24", 3)).all())
    True
    """
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).random(count)


def smoothed_ranks(scores: Floats, ties: Floats) -> Floats:
    """Rank every score among those up to itself, 0 for the highest and 1 for the lowest.

    Parameters
    ----------
    scores : ndarray of shape (..., n_scores)
        In their order, finite.
    ties : ndarray of shape (..., n_scores)
        Uniform numbers that place a score among its equals, itself included.

    Returns
    -------
    ndarray of shape (..., n_scores)
        ``(#{s_i > s_t} + u_t #{s_i = s_t}) / t``; independent and uniform for exchangeable scores.

    Examples
    --------
    >>> smoothed_ranks(np.array([1.0, 3.0, 2.0]), np.full(3, 0.5)).round(2).tolist()
    [0.5, 0.25, 0.5]
    """
    ranks = np.empty(scores.shape)
    for scored, drawn, ranked in zip(
        scores.reshape(-1, scores.shape[-1]),
        ties.reshape(-1, scores.shape[-1]),
        ranks.reshape(-1, scores.shape[-1]),
        strict=True,
    ):
        past: list[float] = []
        for t, (score, tie) in enumerate(zip(scored.tolist(), drawn.tolist(), strict=True)):
            low, high = bisect_left(past, score), bisect_right(past, score)
            past.insert(high, score)
            ranked[t] = (t - high + tie * (high - low + 1)) / (t + 1)
    return ranks


def log_martingale(
    ranks: Floats, batch_ends: Ints, *, warm_up: int, two_sided: bool = False
) -> Floats:
    """Logarithm of the capital after every batch.

    Parameters
    ----------
    ranks : ndarray of shape (..., n_scores)
        From `smoothed_ranks`.
    batch_ends : ndarray of shape (n_batches,)
        Number of scores up to the end of each batch; one score or many a batch.
    warm_up : int
        Batches that are taken as the history; no bet is made on them.
    two_sided : bool
        Spread the capital over bets on higher and on lower scores, half on each.

    Returns
    -------
    ndarray of shape (..., n_batches)

    Examples
    --------
    >>> scores = np.concatenate((np.arange(30) % 7, np.arange(30) % 7 + 20.0))
    >>> ranks = smoothed_ranks(scores, tie_breakers("doc", 60))
    >>> capital = log_martingale(ranks, np.arange(1, 61), warm_up=5)
    >>> bool(capital[29] < 0.5), bool(capital[40] > np.log(100))
    (True, True)
    """
    sides = (ranks, 1 - ranks) if two_sided else (ranks,)
    cells = [_cells(side) for side in sides]
    odds = _log_odds().astype(np.float32)
    batches = len(batch_ends)
    begins = np.concatenate(([0], batch_ends[:-1]))
    woken = np.zeros(batches)
    bets = np.zeros((*ranks.shape[:-1], batches))
    for k, first in enumerate(range(warm_up, batches), start=1):
        chance = HALF_LIFE / ((k + HALF_LIFE - 1) * (k + HALF_LIFE))
        woken[first:] += chance
        start, stop = int(begins[first]), int(batch_ends[-1])
        changed = np.arange(stop - start) / np.maximum(np.arange(start, stop), 1)
        levels = np.minimum((changed * _LEVELS).astype(np.int64), _LEVELS - 1)
        at = batch_ends[first:] - start - 1
        for side in cells:
            flat = levels * odds.shape[-1] + side[..., start:stop]
            for table in odds:
                path = np.cumsum(table.ravel()[flat], axis=-1, dtype=np.float64)[..., at]
                bets[..., first:] += chance / (len(cells) * len(odds)) * _exp(path)
    return np.log(np.maximum(1 - woken, 0.0) + bets)


def _exp(path: Floats) -> Floats:
    # Beyond any alarm, and still finite when many are summed.
    return np.exp(np.minimum(path, 600.0))


def _cells(ranks: Floats) -> Ints:
    cells = np.searchsorted(_EDGES, ranks, side="right") - 1
    return np.clip(cells, 0, len(_EDGES) - 2)


@lru_cache(maxsize=1)
def _log_odds() -> Floats:
    """Log odds by exponent, share of changed scores and cell; shape (n_exponents, levels, cells).

    The mean of f over a cell is ``(q(b)**e - q(a)**e) / (b - a)``: the sum over cells telescopes to
    one even though q is interpolated.
    """
    grid = np.concatenate(([0.0], np.geomspace(1e-18, 1.0, 20_000)))
    widths = np.diff(_EDGES)
    odds = np.empty((len(EXPONENTS), _LEVELS, len(widths)))
    for i, e in enumerate(EXPONENTS):
        for level in range(_LEVELS):
            r = level / _LEVELS
            q = np.interp(_EDGES, (1 - r) * grid + r * grid**e, grid)
            q[0], q[-1] = 0.0, 1.0
            odds[i, level] = np.diff(q**e) / widths
    return np.log(odds)
