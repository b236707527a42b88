"""Conformal test martingale: a bet against "nothing has changed" that bounds false alarms for ever.

If scores are exchangeable, every order of them is as likely as any other. Capital of 1 is bet
against that, at fair odds, so by Ville's inequality the chance that it *ever* exceeds 1/delta is at
most delta: however long one looks and however often (Vovk, Gammerman and Shafer, Algorithmic
Learning in a Random World, 2005, section 8.2).

The bet. Let the change come after m scores, k scores ago, and let a score that has changed have the
survival function ``S**w`` where it was S (Lehmann 1953; w < 1 means larger scores). Then the chance
of an order is known whatever S is (Savage 1956; it is Cox's partial likelihood): the lowest score
is drawn from all in proportion to weights, 1 before the change and w after it, then the next from
those that are left. With a_i scores from before the change and b_i from after it that are at least
the i-th, the chance is ``w**k / prod_i (a_i + w b_i)``; had nothing changed, ``1 / n!``. So

    capital = n! w**k / prod_i (a_i + w b_i),        n = m + k.

It is a martingale in n, as chances of the orders that one more score may lead to sum to the chance
of the order that was there. Nothing in it is approximate, and nothing random but ties. The mirror
image, ``F**v`` where the distribution function was F (v > 1 means larger scores), draws the highest
score first. Its odds miss low scores where the former are won by high ones, which makes it the
better bet on a moderate change.

Not every change lasts. A generator may be bad on every other day or on every seventh, and the
better days between teach the ranks that bad ones are ordinary. So part of the capital takes only
each p-th batch since the change for changed, which the same formula covers; the others go on being
history, and evidence grows with every bad batch. The last part is for bad batches without a
pattern: a batch is bad with probability q, and its rank r among the t batches so far, uniform
without a change, then has a density proportional to ``((r - 1/2) / t)**(e - 1)``. The odds of a
batch are ``1 - q + q * density``. No bet on order can do much for these after a short history: that
m good batches came first has the chance ``(1 - q)**m`` without a change, so its odds end at
``(1 - q)**-m``: 102 for q = 1/7 and m = 30, however long one waits.

What is not known is mixed over: the alternatives, and the first changed batch over all batches to
come. Capital sleeps until then and jumps into the bet at batch k with chance
``c/((k+c-1)(k+c))``, which falls slowly: late changes stay affordable.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Exponent w of the survival function, for changes of three standard deviations and more.
STRONG = 0.1
#: Exponent v of the distribution function, for changes of one to two standard deviations.
MODERATE = 3.0
#: Capital on a change that lasts, on one that recurs, and on bad batches without a pattern.
LASTING, RECURRING, SPORADIC = 0.625, 0.25, 0.125
#: From one bad batch to the next, where they recur: every other batch, or one day of the week.
PERIODS = (2, 7)
#: Where there is no pattern: shares q of bad batches, and the exponent e of their ranks.
SHARES = ((0.15, 0.1), (0.5, 0.4))
#: Half of the capital has jumped into the bet after so many batches.
HALF_LIFE = 5
#: A bet on a change that began more batches ago than this is over; what it won is kept.
LONGEST = 128


def tie_breakers(key: str, count: int) -> Floats:
    """Numbers in (0, 1) that depend on `key` alone and have nothing to do with any score.

    Examples
    --------
    >>> bool((tie_breakers("2026-11-24", 3) == tie_breakers("2026-11-24", 3)).all())
    True
    """
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).random(count)


def waking(batches: int) -> Floats:
    """Chance that the change begins with the first batch after the warm-up, the second, and so on.

    Examples
    --------
    >>> waking(3).round(3).tolist(), float(waking(HALF_LIFE).sum())
    ([0.167, 0.119, 0.089], 0.5)
    """
    k = np.arange(1, batches + 1)
    return HALF_LIFE / ((k + HALF_LIFE - 1.0) * (k + HALF_LIFE))


def log_martingale(
    scores: Floats, ties: Floats, *, warm_up: int, two_sided: bool = False
) -> Floats:
    """Logarithm of the capital after every batch.

    Parameters
    ----------
    scores : ndarray of shape (n_batches,)
        One a batch, in their order, finite.
    ties : ndarray of shape (n_batches,)
        Uniform numbers that place a score among its equals.
    warm_up : int
        Batches that are taken as the history; no bet is made on them.
    two_sided : bool
        Spread the capital over bets on higher and on lower scores, half on each.

    Returns
    -------
    ndarray of shape (n_batches,)

    References
    ----------
    Lehmann, The power of rank tests, Annals of Mathematical Statistics 24 (1953). Savage,
    Contributions to the theory of rank order statistics, ibid. 27 (1956).

    Examples
    --------
    >>> scores = np.random.default_rng(0).normal(size=60) + 20 * (np.arange(60) >= 30)
    >>> capital = log_martingale(scores, tie_breakers("doc", 60), warm_up=5)
    >>> bool(capital[29] < 1), bool(capital[36] > np.log(100))
    (True, True)
    """
    highest_first = np.lexsort((ties, -scores))
    n = len(scores)
    chances = waking(max(n - warm_up, 0))
    capital, banked = np.ones(n), 0.0
    rises = _sporadic(highest_first, two_sided)
    for t in range(warm_up + 1, n + 1):
        oldest = max(warm_up, t - LONGEST)
        firsts = np.arange(oldest, t)
        order = highest_first[highest_first < t]
        since = order >= firsts[:, None]
        won = LASTING * _odds(since, two_sided)
        for period in PERIODS:
            recurs = since & (order % period == firsts[:, None] % period)
            won += RECURRING / len(PERIODS) * _odds(recurs, two_sided)
        sporadic = np.exp(np.minimum(rises[:, [t]] - rises[:, firsts], 600.0))
        won += SPORADIC * np.mean(sporadic, axis=0)
        staked = chances[firsts - warm_up] * won
        asleep = 1 - float(np.sum(chances[: t - warm_up]))
        capital[t - 1] = max(asleep, 0.0) + banked + float(np.sum(staked))
        if t - oldest == LONGEST:
            banked += float(staked[0])
    return np.log(capital)


def _sporadic(highest_first: Ints, two_sided: bool) -> Floats:
    """Log odds of all batches before each, and of all, if some are bad: one row an alternative."""
    n = len(highest_first)
    ranks = [int(np.flatnonzero(highest_first[highest_first <= t] == t)[0]) for t in range(n)]
    rises = np.zeros((len(SHARES) * (1 + two_sided), n + 1))
    for t, rank in enumerate(ranks):
        places = (np.arange(t + 1) + 0.5) / (t + 1)
        odds = []
        for share, exponent in SHARES:
            density = places ** (exponent - 1)
            density /= np.mean(density)
            ends = (rank, t - rank) if two_sided else (rank,)
            odds += [1 - share + share * density[place] for place in ends]
        rises[:, t + 1] = rises[:, t] + np.log(odds)
    return rises


def _odds(changed: Bools, two_sided: bool) -> Floats:
    """How much likelier this order is if these scores, the highest first, moved: one row a case."""
    n = changed.shape[1]
    moved = np.sum(changed, axis=1)
    # Shares of changed scores among those that are no lower, and no higher, than each.
    above = np.cumsum(changed, axis=1, dtype=np.float32)
    below = moved[:, None].astype(np.float32) - above + changed
    place = np.arange(1, n + 1, dtype=np.float32)
    above /= place
    below /= place[::-1]
    bets = [(above, STRONG), (below, MODERATE)]
    if two_sided:
        bets += [(below, STRONG), (above, MODERATE)]
    odds = np.zeros(len(changed))
    for shares, weight in bets:
        # Single precision: the sum is off by no more than a millionth of it.
        chance = np.log(1 + np.float32(weight - 1) * shares).sum(axis=1, dtype=np.float64)
        # Beyond any alarm, and still finite when many are summed.
        odds += np.exp(np.minimum(moved * np.log(weight) - chance, 600.0))
    return odds / len(bets)
