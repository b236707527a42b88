"""For the eye: a moving average with its control limits, and where a change most likely began.

Neither bounds false alarms: a limit of three standard deviations is crossed by chance every few
hundred batches. That is what the martingale is for; these say early that something may be going on,
and afterwards since when.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Weight of the newest score.
EWMA_WEIGHT = 0.2
#: Width of the control limits, in standard deviations of the average.
EWMA_LIMIT = 3.0
#: Fewer scores than this say nothing of their spread.
MIN_KNOWN = 5


@dataclass(frozen=True, eq=False)
class ControlChart:
    """Exponentially weighted moving average and its limits.

    Attributes
    ----------
    average, low, high : ndarray of shape (n_batches,)
        Limits are nan for the batches of the warm-up.
    """

    average: Floats
    low: Floats
    high: Floats

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Whether the average is beyond its limits, for every batch."""
        # Comparisons with nan are false: without limits nothing is outside.
        return (self.average < self.low) | (self.average > self.high)


def control_chart(scores: Floats, warm_up: int) -> ControlChart:
    """Average the scores, and say how far the average may wander.

    Limits at a batch come from the older half of the scores before it: newer ones may have moved
    already, and a limit that learns from them follows the drift. How little is known of their mean
    and spread widens the limits, as in Student's distribution.

    Parameters
    ----------
    scores : ndarray of shape (n_batches,)
    warm_up : int
        Batches without limits. With fewer than five scores there are none either.

    References
    ----------
    Roberts, Control chart tests based on geometric moving averages, Technometrics 1 (1959).
    """
    n = len(scores)
    average, low, high = np.empty(n), np.full(n, np.nan), np.full(n, np.nan)
    level = float(np.mean(scores[:warm_up]))
    for t, score in enumerate(scores):
        level += EWMA_WEIGHT * (float(score) - level)
        average[t] = level
        if t >= max(warm_up, MIN_KNOWN):
            known = scores[: max(warm_up, MIN_KNOWN, (t + 1) // 2)]
            # Variance of the average of independent scores, and of the mean it is compared with.
            spread = EWMA_WEIGHT / (2 - EWMA_WEIGHT) + 1 / len(known)
            width = _limit(len(known) - 1) * float(np.std(known, ddof=1)) * np.sqrt(spread)
            low[t], high[t] = np.mean(known) - width, np.mean(known) + width
    return ControlChart(average, low, high)


def _limit(freedom: int) -> float:
    """Student's quantile that corresponds to `EWMA_LIMIT`, by Fisher and Cornish's expansion."""
    z = EWMA_LIMIT
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return z + (z**3 + z) / (4 * freedom) + second


def change_point(scores: Floats, batch_ends: Ints) -> int:
    """Estimate the first batch after a change.

    Of all splits at a batch border, the one whose sides have means that differ most, in standard
    deviations of that difference: the most likely one for normal scores (Hinkley 1970). Ranks would
    not do: one batch that is far away has a rank no higher than one that is a little so.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
    batch_ends : ndarray of shape (n_batches,)
        Number of scores up to the end of each batch; two batches at least.

    Returns
    -------
    int
        Position of the batch, 1 or more.

    Examples
    --------
    >>> scores = np.array([0.1, 0.3, 0.2, 0.1, 0.9, 0.8, 0.9, 0.7])
    >>> change_point(scores, np.arange(1, 9))
    4
    """
    n, before = len(scores), batch_ends[:-1]
    sums = np.cumsum(scores - np.mean(scores))[before - 1]
    return 1 + int(np.argmax(np.abs(sums) / np.sqrt(before * (n - before))))
