"""How much synthetic data without a target column: the risk of the mean embedding.

Without a target there is no error to predict. What is left is how well the mix represents the
distribution of the real rows, as the squared error of its mean feature vector. With n real rows and
k synthetic ones, ``a = k / (n + k)``,

    R(k) = (1-a)^2 V/n + a^2 (V_s/k + D^2) = (n V + k V_s + k^2 D^2) / (n + k)^2

where V and V_s are the total variances of the features on either side and D^2 is the squared
distance of their means, the maximum mean discrepancy. Its unbiased estimate is a U-statistic and
may be negative. The only lowest point inside is at ``k = n (2 V - V_s) / (2 n D^2 - V_s)``. All m
rows, weighted, have their optimum at ``a = (V/n) / (V/n + V_s/m + D^2)``.

The synthetic rows are taken for a sample of a larger population, as the real ones are. Labels have
no part in any of it: a generator of perfect inputs with wrong labels is taken in full.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.path import ratio_grid
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.results import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Standard errors to either side of D^2: 90 % of a normal distribution.
_REACH = 1.645


@dataclass(frozen=True)
class EmbeddingOptimum(Result):
    """How many synthetic rows represent the real distribution best.

    Attributes
    ----------
    rows : int
        Synthetic rows of least risk.
    ratio : float
    interval : pair of float
        Ratios that are best at either end of the 90 % interval of `discrepancy`.
    row_weight : float
        Best weight of all m rows where a real one weighs 1.
    discrepancy, discrepancy_error : float
        Unbiased estimate of D^2, which may be negative, and its jackknife standard error over the
        rows of both sides.
    variance, synthetic_variance : float
        V and V_s.
    counts : tuple of int
    risks : tuple of float
        The curve: risk at every count.
    n_real, n_synthetic : int
    reason : str
        The result in one sentence, with what it cannot see.
    provenance : Provenance, optional
        Whether the generator may have seen the real rows.
    inputs : mapping of str to str
        Fingerprints of the datasets it was computed from, by their names.
    notes : tuple of str
        What a reader has to know.
    question : str
        What was asked, by which a stored result is known.
    """

    rows: int
    ratio: float
    interval: tuple[float, float]
    row_weight: float
    discrepancy: float
    discrepancy_error: float
    variance: float
    synthetic_variance: float
    counts: tuple[int, ...]
    risks: tuple[float, ...]
    n_real: int
    n_synthetic: int
    reason: str
    provenance: Provenance | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    question: str = "no target"

    def using_none(self, why: str) -> "EmbeddingOptimum":
        """The same without synthetic rows, and why."""
        return replace(self, rows=0, ratio=0.0, reason=why)


def embedding_optimum(
    real: Floats, synthetic: Floats, *, max_ratio: float | None = None
) -> EmbeddingOptimum:
    """Find the number of synthetic rows of least mean-embedding risk.

    Parameters
    ----------
    real : ndarray of shape (n, p)
        Features of the real rows, such as those of a `NystroemMap`.
    synthetic : ndarray of shape (m, p)
    max_ratio : float, optional
        Most synthetic rows per real row.

    Returns
    -------
    EmbeddingOptimum

    Raises
    ------
    DataError
        A side has fewer than three rows: no variance, or none without one of them.

    References
    ----------
    The unbiased estimate is that of Gretton et al., A Kernel Two-Sample Test, JMLR 13 (2012),
    equation 3.

    Examples
    --------
    Rows of the same distribution are all taken, of shifted ones hardly any:

    >>> rng = np.random.default_rng(0)
    >>> real, good = rng.normal(size=(50, 4)), rng.normal(size=(200, 4))
    >>> embedding_optimum(real, good).rows, embedding_optimum(real, good + 1).rows
    (200, 1)
    """
    for dataset, rows in {"real": real, "synthetic": synthetic}.items():
        if len(rows) < 3:
            raise DataError(f"it has {len(rows)} rows", dataset=dataset, fix="Provide at least 3")
    if max_ratio is not None and not max_ratio >= 0:
        raise ConfigError(f"it is {max_ratio}", option="max_ratio", fix="Set it to 0 or more")
    n, m = len(real), len(synthetic)
    most = m if max_ratio is None else min(m, int(max_ratio * n + 1e-9))
    variance, synthetic_variance = _variance(real), _variance(synthetic)
    discrepancy, error = _discrepancy(real, synthetic)
    best, fewest, largest = (
        _best_count(n, most, variance, synthetic_variance, square)
        for square in (discrepancy, discrepancy + _REACH * error, discrepancy - _REACH * error)
    )
    counts = ratio_grid(n, most)
    risks = embedding_risk(n, counts, variance, synthetic_variance, discrepancy)
    own, other = variance / n, synthetic_variance / m + max(discrepancy, 0.0)
    return EmbeddingOptimum(
        rows=best,
        ratio=best / n,
        interval=(fewest / n, largest / n),
        row_weight=own / other * n / m if other > 0 else 1.0,
        discrepancy=discrepancy,
        discrepancy_error=error,
        variance=variance,
        synthetic_variance=synthetic_variance,
        counts=tuple(counts.tolist()),
        risks=tuple(risks.tolist()),
        n_real=n,
        n_synthetic=m,
        reason=_reason(best / n, (fewest / n, largest / n), discrepancy, error),
    )


def embedding_risk(
    n: int, counts: Ints, variance: float, synthetic_variance: float, discrepancy: float
) -> Floats:
    """Mean-embedding risk at every count; a negative `discrepancy` counts as 0.

    Examples
    --------
    As many rows of the same distribution halve it:

    >>> embedding_risk(100, np.array([0, 100]), 1.0, 1.0, 0.0).tolist()
    [0.01, 0.005]
    """
    k = counts.astype(np.float64)
    square = max(discrepancy, 0.0)
    risks: Floats = (n * variance + k * synthetic_variance + k**2 * square) / (n + k) ** 2
    return risks


def _best_count(
    n: int, most: int, variance: float, synthetic_variance: float, discrepancy: float
) -> int:
    """Whole number of rows of least risk; the fewest at a draw."""
    counts = [0, most]
    slope = 2 * n * max(discrepancy, 0.0) - synthetic_variance
    if slope > 0:
        inside = min(max(n * (2 * variance - synthetic_variance) / slope, 0.0), float(most))
        counts += [int(np.floor(inside)), int(np.ceil(inside))]
    candidates = np.unique(counts)
    risks = embedding_risk(n, candidates, variance, synthetic_variance, discrepancy)
    return int(candidates[np.argmin(risks)])


def _variance(rows: Floats) -> float:
    """Unbiased variance, summed over features."""
    return float(np.sum(np.var(rows, axis=0, ddof=1)))


def _discrepancy(real: Floats, synthetic: Floats) -> tuple[float, float]:
    """Unbiased squared distance of the means, and its jackknife standard error.

    ``|S|^2 - sum |x|^2`` over ordered pairs is the mean product of two different rows, so leaving
    out any row costs one product with the sum S of all.
    """
    sums = real.sum(axis=0), synthetic.sum(axis=0)
    n, m = len(real), len(synthetic)

    def within(rows: Floats, total: Floats) -> tuple[float, Floats]:
        size, norms = len(rows), np.sum(rows**2, axis=1)
        pairs = float(total @ total - norms.sum())
        # A row is in 2 (size - 1) of the ordered pairs.
        without = pairs - 2 * (rows @ total - norms)
        return pairs / (size * (size - 1)), without / ((size - 1) * (size - 2))

    between = float(sums[0] @ sums[1])
    own, own_without = within(real, sums[0])
    other, other_without = within(synthetic, sums[1])
    square = own + other - 2 * between / (n * m)
    replicates = (
        own_without + other - 2 * (between - real @ sums[1]) / ((n - 1) * m),
        own + other_without - 2 * (between - synthetic @ sums[0]) / (n * (m - 1)),
    )
    spread = sum((len(r) - 1) * float(np.var(r)) for r in replicates)
    return square, float(np.sqrt(spread))


def _reason(ratio: float, interval: tuple[float, float], discrepancy: float, error: float) -> str:
    low, high = interval
    seen = (
        "the two sides cannot be told apart"
        if discrepancy <= _REACH * error
        else "they differ from the real ones"
    )
    span = f"{low:.2f} to {high:.2f} at the ends of its 90 % interval"
    advice = (
        f"Add {ratio:.2f} synthetic rows for each real one" if ratio else "Use no synthetic rows"
    )
    return (
        f"{advice} ({span}): {seen} by their inputs. No target was named, so wrong labels are "
        "invisible here; this says how well a mix represents the inputs, not what it would teach."
    )
