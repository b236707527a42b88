"""Whether a history shows that the bound against autocorrelation cannot be promised.

The second capital (`drift.dependence`) is fair against normal noise. Autocorrelated scores with
heavy or skewed noise are another matter: a jump that decays over some batches looks like a step.
Neither alone does harm: where batches are independent, bets on order hold for any law, and where
the noise is normal the likelihood ratio holds for any autocorrelation. So an alarm counts unless
what precedes it shows both:

- scores resemble those before them, by their ranks, after the season and the most likely step are
  taken out: a change alone would make them do so;
- what an autoregression leaves of them is not normal, by Shapiro and Wilk's test, the largest part
  left out: the first batch of a change is one.
"""

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.drift.dependence import HIGHEST, levels_and_waves

Floats = NDArray[np.float64]

#: Deviations of a rank correlation of independent scores beyond which they are autocorrelated.
_RESEMBLE = 1.645
#: P-value below which noise is not normal.
_NORMAL = 0.1
#: Batches on either side of a step that is taken out, and fewest that anything is seen in.
_BESIDE, _FEWEST = 3, 12


def as_promised(
    capital: Floats, scores: Floats, times: Floats, seasons: tuple[float, ...], line: float
) -> Floats:
    """The log capital after every batch, below the line where an alarm would not keep its bound."""
    kept = capital.copy()
    for at in np.flatnonzero(capital >= line).tolist():
        if not is_promised(scores[: at + 1], times[: at + 1], seasons):
            kept[at] = np.nextafter(line, 0.0)
    return kept


def is_promised(scores: Floats, times: Floats, seasons: tuple[float, ...] = ()) -> bool:
    """Whether an alarm at the last of these batches keeps its bound, as far as they show.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = np.exp(rng.normal(size=200))
    >>> decaying = noise.copy()
    >>> for day in range(1, 200):
    ...     decaying[day] += 0.6 * decaying[day - 1]
    >>> days = np.arange(200.0)
    >>> is_promised(noise + 9 * (days > 150), days), is_promised(decaying, days)
    (True, False)
    """
    from scipy.stats import rankdata, shapiro

    levels = levels_and_waves(times, seasons)[0]
    if len(scores) - levels.shape[1] < _FEWEST:
        return True
    size = float(np.max(np.abs(scores - scores[0]))) or 1.0
    left = _without(levels, (scores - scores[0]) / size)
    step = (np.arange(len(left)) >= _likely_step(left)) * 1.0
    left = _without(np.column_stack((levels, step)), (scores - scores[0]) / size)
    ranks = rankdata(left) - (len(left) + 1) / 2
    together = float(ranks[1:] @ ranks[:-1]) / max(float(ranks @ ranks), 1e-300)
    if together * np.sqrt(len(left)) <= _RESEMBLE:
        return True
    before, after = left[:-1], left[1:]
    phi = float(before @ after) / max(float(before @ before), 1e-300)
    noise = after - float(np.clip(phi, -HIGHEST, HIGHEST)) * before
    usual = np.argsort(np.abs(noise))[:-1]
    return bool(shapiro(noise[usual]).pvalue >= _NORMAL)


def _without(columns: Floats, scores: Floats) -> Floats:
    found, *_ = np.linalg.lstsq(columns, scores, rcond=None)
    return np.asarray(scores - columns @ found)


def _likely_step(scores: Floats) -> int:
    """First batch of the most likely step: where means before and after differ most."""
    n = len(scores)
    first = np.arange(_BESIDE, n - _BESIDE + 1)
    before = np.cumsum(scores)[first - 1]
    gain = before**2 / first + (scores.sum() - before) ** 2 / (n - first)
    return int(first[np.argmax(gain)])
