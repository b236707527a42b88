"""Is the gap more than chance, and how sure is its size? A permutation test and an interval.

The test asks whether both sides have one distribution. Its statistic is the plain sliced W_p^2 of
the two whole samples: under relabelling its bias is the same every time, so it needs no debiasing.
It is the test of every estimator, because the question does not depend on the estimator.

The interval is that of the debiased square. The influence of every row on it measures its variance,
and the permutations tell what that would be at equality. See `squared_interval`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthmix_dagster.distance.folds import Ints
from synthmix_dagster.distance.relabelling import relabelled_squares, relabellings
from synthmix_dagster.distance.wasserstein import Floats, Singles

#: Below so many standard deviations a square is noise, and so is what is divided by it.
NOISY = 2.0


@dataclass(frozen=True)
class PermutationTest:
    """A statistic and what it would be if labels meant nothing.

    Attributes
    ----------
    statistic : float
        Mean over directions of the squared W_p of the two samples.
    null : ndarray of shape (n_permutations,)
        The same for random relabellings.
    """

    statistic: float
    null: Floats

    @property
    def p_value(self) -> float:
        """Share of relabellings at least as extreme, the observed labels counted as one."""
        # Equal up to rounding counts as extreme: relabelled ties are summed in another order.
        extreme = self.null >= self.statistic * (1 - 1e-6)
        return float((1 + np.sum(extreme)) / (1 + len(self.null)))


def permutation_test(
    real: Singles,
    synthetic: Singles,
    directions: Floats,
    permutations: int,
    rng: np.random.Generator,
    *,
    p: int = 2,
    groups: Sequence[Ints] | None = None,
) -> PermutationTest:
    """Compare the observed distance with those of random relabellings.

    Parameters
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)
    directions : ndarray of shape (n_directions, d)
    permutations : int
    rng : numpy.random.Generator
        Draws the relabellings.
    p : {1, 2}
        Order of the distance.
    groups : pair of ndarray of int, optional
        Group of every row, numbered from 0 on each side: whole groups are relabelled.
    """
    labels = relabellings(len(real), len(synthetic), permutations, rng, groups)
    # Equal projections keep the order of their rows, which must not be that of the sides.
    order = rng.permutation(len(labels))
    pool = np.concatenate((real, synthetic))[order]
    if groups is None:
        labels[:, 0] = labels[order, 0]
    else:
        labels = labels[order]
    totals = relabelled_squares(pool, directions, labels, p)
    return PermutationTest(float(totals[0]), totals[1:])


def influence_variance(influences: Floats, groups: Ints | None = None) -> float:
    """Variance of an estimate from the influence of every row of one side on it.

    Parameters
    ----------
    influences : ndarray of shape (n,)
    groups : ndarray of int of shape (n,), optional
        Group of every row, numbered from 0: rows of one group vary together.

    Examples
    --------
    >>> influence_variance(np.array([1.0, -1.0]))
    4.0
    """
    units = influences if groups is None else np.bincount(groups, weights=influences)
    # Influences are centred, which takes one unit's worth away.
    return float(len(units) / (len(units) - 1) * np.sum((units - np.mean(units)) ** 2))


def variance_and_units(
    influences: Sequence[Floats], groups: Sequence[Ints] | None = None
) -> tuple[float, int]:
    """Variance of an estimate from the influences of both sides, and the units it is known from.

    Parameters
    ----------
    influences : pair of ndarray
        Of every real and of every synthetic row.
    groups : pair of ndarray of int, optional
        See `influence_variance`.

    Returns
    -------
    variance : float
    units : int
        Rows or groups of the side that has fewer.

    Examples
    --------
    >>> variance_and_units((np.array([1.0, -1.0]), np.array([0.5, -0.5, 0.0])))
    (4.75, 2)
    """
    of_sides = (None, None) if groups is None else groups
    variance = sum(map(influence_variance, influences, of_sides))
    counts = (
        len(rows) if of_rows is None else 1 + int(of_rows.max())
        for rows, of_rows in zip(influences, of_sides, strict=True)
    )
    return variance, min(counts)


def jackknife_variance(left_out: Floats) -> float:
    """Variance of an estimate from its values with one block left out at a time.

    Examples
    --------
    >>> jackknife_variance(np.array([1.0, 3.0]))
    1.0
    """
    blocks = len(left_out)
    return float((blocks - 1) / blocks * np.sum((left_out - np.mean(left_out)) ** 2))


def squared_interval(
    square: float,
    variance: float,
    blocks: int,
    level: float,
    null_variance: float = 0.0,
    dimension: int = 1,
) -> tuple[float, float]:
    """Confidence interval of a debiased square.

    The variance of a debiased square grows with the square: noise e beside a shift v adds 2 v e to
    it. With the variance at the estimate in the place of that at the truth, estimates that are too
    low come with intervals that are too short. So a value is inside if the estimate is within reach
    in the standard deviation that *this value* would have, as in Wilson's interval of a share.

    Parameters
    ----------
    square : float
        The estimate.
    variance : float
        Its variance, from influences or the jackknife.
    blocks : int
        Rows, groups or blocks that the variance is from; one less is the degrees of freedom.
    level : float
        Confidence level, such as 0.95.
    null_variance : float
        Variance the estimate would have if both distributions were equal, where that is known.
    dimension : int
        Coordinates that the null variance is made up of.

    References
    ----------
    .. [1] Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA
       22.
    .. [2] Efron and Stein (1981), The jackknife estimate of variance, Annals of Statistics 9.
    """
    # Not of scipy.stats, which takes as long to import as the whole measurement.
    from scipy.special import stdtrit

    reach = float(stdtrit(blocks - 1, 0.5 + level / 2))
    # Near equality influences count what variance there is twice [2]_.
    at_estimate = max(variance - null_variance, null_variance)
    spread = float(np.sqrt(at_estimate))
    slope = (
        (at_estimate - null_variance) / max(square, spread) if square > 0 and spread > 0 else 0.0
    )
    if square < NOISY * spread:
        # The quotient is noise here. Noise of variance s^2 in each coordinate has a null variance
        # of 2 d s^4 and adds 4 s^2 v^2 beside a shift v.
        slope = max(slope, 4 * float(np.sqrt(null_variance / (2 * dimension))))
    # Ends solve (square - end)^2 = reach^2 (at_estimate + slope (end - max(square, 0))).
    middle = square + reach**2 * slope / 2
    there = at_estimate + slope * min(square, 0.0)
    half = reach * float(np.sqrt(max(there + (reach * slope / 2) ** 2, 0.0)))
    # No value has a smaller variance than equality has.
    low = min(middle - half, square - reach * float(np.sqrt(null_variance)))
    return low, middle + half
