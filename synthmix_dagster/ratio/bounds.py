"""Closed forms for the synthetic weight of a mix: priors that are reported beside the risk path.

They explain and warn; they do not decide. What they are computed from is not identified by theory
but estimated from kernel ridge fits (see `fits`), and is part of the result.

Both forms here are derived for this project. The ingredients of the first: uniform stability of
kernel ridge regression (Bousquet and Elisseeff 2002) and Kantorovich-Rubinstein duality. That
synthetic data acts as a regulariser with an optimal share is the setting of Shidani et al., arXiv
2510.08095; neither formula is claimed to be theirs. `prior` has the third bound, which rests on a
lemma of that paper. docs/theory.md derives all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from synthmix_dagster.results import OrInfinite, Result


@dataclass(frozen=True)
class Bound(Result):
    """One bound and the mixing it would choose.

    Attributes
    ----------
    name : {"stability", "variance", "spectral"}
    weight : float
        Synthetic weight alpha that minimises the bound, from 0 to 1.
    ratio : float
        ``alpha / (1 - alpha)``, with all available rows weighted. Infinite at weight 1.
    row_ratio : float
        Ratio that minimises the same bound where every row weighs the same, so that fewer
        synthetic rows also mean more variance. This is what the risk path chooses, and what the
        bound is compared by.
    interior : bool
        Whether `weight` lies strictly inside: between no synthetic row and plain pooling of all
        rows, or for the spectral bound between the real rows alone and the generator alone.
    constants : mapping of str to float
        Everything the bound was computed from, and what else it says.
    caveat : str
        What is estimated, and what is not identified at all.
    equivalent : bool, optional
        Whether `row_ratio`, or the highest ratio considered if that is lower, lies in the interval
        of equivalent ratios of the risk path. None before `compared`.
    log_distance : float, optional
        Its distance to the recommended ratio, as the absolute logarithm of the quotient. Half a
        row is added to both counts, so that no synthetic row is a finite distance away.
    """

    name: str
    weight: float
    ratio: OrInfinite
    row_ratio: float
    interior: bool
    constants: Mapping[str, float]
    caveat: str
    equivalent: bool | None = None
    log_distance: float | None = None

    def compared(
        self, recommended: float, interval: tuple[float, float], *, highest: float, n: int
    ) -> "Bound":
        """Return the bound with its disagreement with the risk path.

        Parameters
        ----------
        recommended : float
            Ratio that the path recommends.
        interval : pair of float
            Its interval of equivalent ratios.
        highest : float
            Highest ratio that was considered: a bound that asks for more agrees with taking all.
        n : int
            Real rows.

        Examples
        --------
        >>> bound = stability_bound(100, 400, gap=0.0, lipschitz=1.0, capacity=50.0)
        >>> beside = bound.compared(1.0, (0.5, 4.0), highest=4.0, n=100)
        >>> beside.equivalent, round(beside.log_distance, 2)
        (True, 1.38)
        """
        wanted = min(self.row_ratio, highest)
        low, high = interval
        apart = np.log((wanted * n + 0.5) / (recommended * n + 0.5))
        return replace(self, equivalent=low <= wanted <= high, log_distance=abs(float(apart)))


def stability_bound(n: int, m: int, *, gap: float, lipschitz: float, capacity: float) -> Bound:
    """Stability plus Wasserstein bound, minimised in closed form.

    ``excess(a) <= 2 a xi W + C [(1-a)^2/n + a^2/m]`` is smallest at
    ``a = max(0, (C/n - xi W) / (C (1/n + 1/m)))``. With k rows of equal weight, ``a = k/(n+k)``, it
    is ``(2 k xi W + C) / (n + k)``, which has no lowest point inside: all rows where
    ``2 n xi W < C``, else none.

    Parameters
    ----------
    n, m : int
        Real and synthetic rows available.
    gap : float
        Wasserstein distance W of the encoded rows, target included; a negative, debiased gap
        counts as 0. The bound is about W1, the gap is on the scale of W2; see `critical_gap`.
    lipschitz : float
        Lipschitz constant xi of the loss on the encoded space.
    capacity : float
        Stability constant C.

    Returns
    -------
    Bound

    Examples
    --------
    Without a gap the bound pools everything:

    >>> round(stability_bound(100, 400, gap=0.0, lipschitz=1.0, capacity=50.0).ratio, 6)
    4.0

    From ``n xi W >= C`` on it takes nothing:

    >>> stability_bound(100, 400, gap=0.5, lipschitz=1.0, capacity=50.0).ratio
    0.0
    """
    distance = max(gap, 0.0)
    slope = capacity / n - lipschitz * distance
    pooled = m / (n + m)
    weight = pooled if distance == 0 else max(0.0, slope / (capacity * (1 / n + 1 / m)))
    return Bound(
        name="stability",
        weight=weight,
        ratio=m / n if weight == pooled else weight / (1 - weight),
        row_ratio=m / n if 2 * n * lipschitz * distance < capacity else 0.0,
        interior=_inside(weight, n, m),
        constants={
            "gap": distance,
            "lipschitz": lipschitz,
            "capacity": capacity,
            "n_real": float(n),
            "n_synthetic": float(m),
        },
        caveat=(
            "xi (lipschitz) and C (capacity) are estimated from the fit on the real rows, not "
            "identified by theory; the gap stands in for W1"
        ),
    )


def critical_gap(n: int, *, lipschitz: float, capacity: float) -> float:
    """Gap from which the stability bound takes no synthetic rows: ``C / (n xi)``.

    That is where its best weight becomes 0; rows that weigh no less than real ones are refused from
    half of it on. A prior like the bound itself, for the number of rows it was computed with.

    The bound is about W1, and a gap is measured on the scale of W2.
    As ``W1 <= W2``, putting W2 in its place keeps the inequality true and reaches the critical
    value no later, so a gate at this gap errs towards stopping. That holds for the estimators of
    W2 between whole points (``exact``, ``sinkhorn``). The ``sliced`` gap equals W2 for a shift of
    all rows and is below it otherwise; for differences that few directions show, it may be below
    W1 as well, and a gate on it then stops later than the bound would.

    Parameters
    ----------
    n : int
        Real rows. With more of them the critical gap is smaller: less is left to gain.
    lipschitz, capacity : float
        See `stability_bound`.

    Returns
    -------
    float
        Infinite where the loss does not depend on the row.

    Examples
    --------
    >>> critical_gap(100, lipschitz=1.0, capacity=50.0)
    0.5
    """
    return capacity / (n * lipschitz) if lipschitz > 0 else float("inf")


def variance_bound(
    n: int,
    m: int,
    *,
    variance: float,
    synthetic_variance: float,
    shift_squared: float,
    bias_squared: float = 0.0,
) -> Bound:
    """Variance form with a measured shift, minimised in closed form.

    ``excess(a) <= (1-a)^2 (V/n + B^2) + a^2 (V_s/m + D^2)`` is smallest at
    ``a = (V/n + B^2) / (V/n + B^2 + V_s/m + D^2)``. With k rows of equal weight m becomes k and a
    becomes ``k/(n+k)``; the only lowest point inside is at
    ``k = n (2V + 2n B^2 - V_s) / (2n D^2 - V_s)``.

    Parameters
    ----------
    n, m : int
        Real and synthetic rows available.
    variance, synthetic_variance : float
        V and V_s: ``V/n`` is the mean variance of the predictions of the fit on the real rows, in
        the units of the risk; ``V_s/m`` that of the fit on all synthetic rows.
    shift_squared : float
        Debiased square D^2 of the difference between the two relations of target and inputs, in
        the same units. A negative estimate counts as 0 and is shown as it is.
    bias_squared : float
        Squared bias B^2 of the fit on the real rows, which a ridge causes; treated likewise.

    Returns
    -------
    Bound
        Where each synthetic row should weigh more than a real one, the weight is above that of
        pooling and not interior.

    Examples
    --------
    As precise as the 100 real rows would be, and shifted by as much as these are uncertain:

    >>> bound = variance_bound(
    ...     100, 10**9, variance=5.0, synthetic_variance=5.0, shift_squared=0.05
    ... )
    >>> round(bound.weight, 6), round(bound.ratio, 6), round(bound.row_ratio, 6)
    (0.5, 1.0, 1.0)
    """
    shift = max(shift_squared, 0.0)
    own, others = variance / n + max(bias_squared, 0.0), synthetic_variance / m + shift
    # A fit without error has nothing to gain, whatever the other side is.
    weight = own / (own + others) if own > 0 else 0.0
    ratio = own / others if others > 0 else (float("inf") if own > 0 else 0.0)
    return Bound(
        name="variance",
        weight=weight,
        ratio=ratio,
        row_ratio=_best_count(n, m, own, synthetic_variance, shift) / n,
        interior=_inside(weight, n, m),
        constants={
            "variance": variance,
            "synthetic_variance": synthetic_variance,
            "shift_squared": shift_squared,
            "bias_squared": bias_squared,
            "n_real": float(n),
            "n_synthetic": float(m),
        },
        caveat=(
            "takes the mix for an average of two fits whose errors have nothing in common; the "
            "noise in both variances is estimated from the fits"
        ),
    )


def _best_count(n: int, m: int, own: float, variance: float, shift: float) -> float:
    """Count k, not rounded, that minimises the variance form with rows of equal weight."""
    counts = [0.0, float(m)]
    slope = 2 * n * shift - variance
    if slope > 0:
        counts.append(min(max(n * (2 * n * own - variance) / slope, 0.0), float(m)))
    # The fewest rows win a draw.
    return min(
        sorted(counts),
        key=lambda k: (n**2 * own + k * variance + k**2 * shift) / (n + k) ** 2,
    )


def _inside(weight: float, n: int, m: int) -> bool:
    """Whether a weight is above none and below that of all rows pooled, up to rounding."""
    return bool(0 < weight < m / (n + m) * (1 - 1e-12))
