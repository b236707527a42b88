"""Synthetic rows that repeat each other: how many distinct ones they count as.

Two hundred rows written fifteen times each are not three thousand: what they show by chance is that
of two hundred. With c copies of each distinct row the effective number is ``(sum c)^2 / sum c^2``
(Kish's for equal weights within clusters). Rows of few levels repeat in any honest sample, so what
the real rows repeat is taken off, and nothing is said where more than a few of those repeat.
"""

from dataclasses import replace

import numpy as np

from synthmix_dagster.distance.estimate import Estimate
from synthmix_dagster.distance.wasserstein import Singles

#: Where more than this share of the real rows have an equal one, repeats tell nothing.
MAX_REPEATING = 0.05
#: Above this share of distinct rows floor and interval stay as they are.
MIN_DISTINCT = 0.95


def distinct_share(real: Singles, synthetic: Singles) -> float | None:
    """Effective number of distinct synthetic rows, as a share of all.

    Parameters
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)

    Returns
    -------
    float or None
        Above 0, at most 1; None where real rows repeat too, so that repeats tell nothing.

    References
    ----------
    .. [1] Kish (1965), Survey Sampling, Wiley, section 8.2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, made = rng.normal(size=(100, 2)), rng.normal(size=(50, 2))
    >>> distinct_share(real, made), distinct_share(real, np.repeat(made, 4, axis=0))
    (1.0, 0.25)
    """
    copies_real, copies = _copies(real), _copies(synthetic)
    if np.sum(copies_real[copies_real > 1]) > MAX_REPEATING * len(real):
        return None
    twins, twins_real = (
        float(np.sum(count * (count - 1.0))) / len(rows)
        for count, rows in ((copies, synthetic), (copies_real, real))
    )
    by_chance = twins_real * (len(synthetic) - 1) / (len(real) - 1)
    return 1 / (1 + max(0.0, twins - by_chance))


def allowing_for_repeats(estimate: Estimate, share: float | None, n: int, m: int) -> Estimate:
    """Floor and interval as of the distinct synthetic rows; the square stays that of all.

    A cloud of few distinct rows is apart from the distribution that they were drawn from by what
    chance shows at their number. That is a distance of these rows, but not of their source, so the
    lower end of the interval is without it.

    Parameters
    ----------
    estimate : Estimate
    share : float, optional
        From `distinct_share`.
    n, m : int
        Real and synthetic rows that were compared.
    """
    if share is None or share > MIN_DISTINCT:
        return estimate
    distinct = share * m
    # Two samples of s rows are 2 / s apart in units of a single row.
    single = estimate.within_real * (min(n, m) / 2) / 2
    of_null = ((1 / n + 1 / distinct) / (1 / n + 1 / m)) ** 2
    return replace(
        estimate,
        within_real=4 * single / min(n, distinct),
        variance=estimate.variance / share,
        null_variance=estimate.null_variance * of_null,
        by_repeats=single * (1 / distinct - 1 / m),
    )


def _copies(rows: Singles) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How often each distinct row occurs."""
    # Zeros of either sign are one value.
    plain = np.ascontiguousarray(rows + 0.0)
    whole = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1])))[:, 0]
    counts: np.ndarray[tuple[int], np.dtype[np.int64]] = np.unique(whole, return_counts=True)[1]
    return counts
