"""What synthetic rows are worth in real ones, and how many to take once there are more real ones.

Both need the risk at N real rows, predicted from n < N of them. Real rows are a random draw as
synthetic ones are (see `path`), from a population that is seen only through that draw. For a fit
with real weight a and any synthetic weight let ``H`` be the part of its hat matrix between real
rows, as it is at n rows. Then in the deterministic equivalent

- the fit is on average that of the population with real weight ``a (1 - tr(H)/n)``. So n rows with
  weight ``a = (1 - tr(H)/N) / (1 - tr(H)/n)`` show the mean fit of N rows with weight 1: the same
  bias.
- its variance multiplies the risk of that mean fit by ``1 / (1 - T/n)``, with
  ``1 - T/n = (n - tr(H))^2 / (n tr((I - H)^2))``: what turns training residuals into an estimate of
  the noise, over what turns them into one of the risk. T is free of n, so the same fit has at N
  rows ``(1 - T/n) / (1 - T/N)`` times the risk.

Synthetic rows that are drawn k of m disturb the fit too, and each of the two draws disturbs the
residuals of the other: with ``v`` the mean squared errors at a new real row and at a synthetic row
that is not drawn, ``v = s^2 + T v`` as in `mixtures`, with the real rows as one of the sources. All
its terms are known at n rows, and those due to real rows are n/N times as large at N.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.path import MOST_LEVERAGE, RIDGES, Fits, judge, ratio_grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Most real rows that the exchange rate looks at, in multiples of n.
FARTHEST = 64.0
#: Errors held at a time, which bounds the memory.
_CELLS = 2**22


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predicted risk with other numbers of real rows.

    Attributes
    ----------
    real_rows, counts : ndarray of shape (n_points,)
        N real and k synthetic rows.
    risks : ndarray of shape (n_points,)
    ridges : ndarray of shape (n_points,)
        Ridge that suits them, beside weights that sum to 1.
    losses : ndarray of shape (n_points, n_judged)
        Per judging row; `risks` are their means plus the risk of drawing synthetic rows.
    """

    real_rows: Floats
    counts: Ints
    risks: Floats
    ridges: Floats
    losses: Floats


@dataclass(frozen=True)
class Outlook:
    """The optimum with more real rows and the synthetic rows there are.

    Attributes
    ----------
    factor : float
        Real rows in multiples of those now.
    n_real, rows : int
        Real rows, and the synthetic rows that the rule chooses.
    ratio : float
    risk, risk_none : float
        Predicted risk with these synthetic rows and with none.
    exhausted : bool
        Whether all synthetic rows are used, so that more might be better still.
    """

    factor: float
    n_real: int
    rows: int
    ratio: float
    risk: float
    risk_none: float
    exhausted: bool


@dataclass(frozen=True)
class ExchangeRate:
    """What the recommended synthetic rows are worth.

    Attributes
    ----------
    rows : int
        Recommended synthetic rows.
    further_real_rows : float, optional
        Further real rows that would lower the predicted risk as much; 0 where synthetic rows do not
        lower it, None where no number of rows up to `FARTHEST` times n would.
    interval : pair of float or None
        The same at one standard error of the difference in risk less and more.
    worth : float, optional
        Real rows per synthetic row.
    risk_none, risk : float
        Predicted risks without and with the synthetic rows.
    risk_error : float
        Paired standard error of their difference.
    outlook : tuple of Outlook
    n_real, n_synthetic : int
    reason : str
        The result in one sentence.
    """

    rows: int
    further_real_rows: float | None
    interval: tuple[float | None, float | None]
    worth: float | None
    risk_none: float
    risk: float
    risk_error: float
    outlook: tuple[Outlook, ...]
    n_real: int
    n_synthetic: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ExchangeRate":
        """Rebuild the result from `to_dict`."""
        low, high = values["interval"]
        outlook = tuple(Outlook(**point) for point in values["outlook"])
        return cls(**{**values, "interval": (low, high), "outlook": outlook})


def exchange_rate(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    *,
    rows: int,
    evaluation: tuple[Floats, Floats] | None = None,
    rule: str = "largest_equivalent",
    factors: Sequence[float] = (2.0, 5.0, 10.0),
) -> ExchangeRate:
    """Price the recommended synthetic rows in real rows; look at the optimum with more of these.

    Parameters
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
    synthetic, synthetic_target : ndarray of shape (m, p), (m, q)
    rows : int
        Recommended synthetic rows, at most m.
    evaluation : pair of ndarray, optional
        See `risk_path`.
    rule : {"largest_equivalent", "best", "smallest_equivalent"}
        See `decide`; it chooses the ratios of the outlook.
    factors : sequence of float
        Multiples of n, each at least 1, to look at.

    Returns
    -------
    ExchangeRate

    Examples
    --------
    100 synthetic rows as good as real ones are worth 100 of these, give or take the noise:

    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(30, 1))
    >>> x, z = rng.normal(size=(150, 30)), rng.normal(size=(100, 30))
    >>> y, t = x @ truth + rng.normal(size=(150, 1)), z @ truth + rng.normal(size=(100, 1))
    >>> found = exchange_rate(x, y, z, t, rows=100)
    >>> found.interval[0] < 100 < found.interval[1]
    True
    """
    n, m = len(real), len(synthetic)
    if not 0 <= rows <= m:
        raise ConfigError(f"it is {rows}, of {m}", option="rows", fix="Take at most all rows")
    if any(not factor >= 1 for factor in factors):
        raise ConfigError(f"they are {factors}", option="factors", fix="Take 1 or more")
    grid = ratio_grid(n, m, points=24)
    reach = n * np.geomspace(1.0, FARTHEST, 19)
    larger = [float(np.rint(n * factor)) for factor in factors]
    real_rows = np.concatenate(([n], reach, *(np.full(len(grid), size) for size in larger)))
    counts = np.concatenate(([rows], np.zeros(len(reach)), *(grid for _ in larger)))
    ahead = forecast(
        real,
        real_target,
        synthetic,
        synthetic_target,
        real_rows,
        counts.astype(np.int64),
        evaluation=evaluation,
    )
    none = 1 + np.arange(len(reach))
    risk, risk_none = float(ahead.risks[0]), float(ahead.risks[1])
    difference = ahead.losses[1] - ahead.losses[0]
    error = float(np.std(difference, ddof=1) / np.sqrt(len(difference)))
    further, low, high = (
        _further(reach, ahead.risks[none], risk + shift) for shift in (0.0, error, -error)
    )
    outlook = tuple(
        _outlook(float(factor), ahead, slice(first, first + len(grid)), rule)
        for factor, first in zip(
            factors, range(1 + len(reach), len(counts), len(grid)), strict=True
        )
    )
    return ExchangeRate(
        rows=rows,
        further_real_rows=further,
        interval=(low, high),
        worth=None if further is None or rows == 0 else further / rows,
        risk_none=risk_none,
        risk=risk,
        risk_error=error,
        outlook=outlook,
        n_real=n,
        n_synthetic=m,
        reason=_reason(rows, n, further, (low, high), outlook),
    )


def forecast(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    real_rows: Floats,
    counts: Ints,
    *,
    evaluation: tuple[Floats, Floats] | None = None,
    ridges: Sequence[float] = RIDGES,
) -> Forecast:
    """Predict the risk with N real and k synthetic rows, for pairs of N and k.

    At N = n it is the risk path, up to what the two iterations leave.

    Parameters
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
    synthetic, synthetic_target : ndarray of shape (m, p), (m, q)
    real_rows : ndarray of shape (n_points,)
        N, each at least n.
    counts : ndarray of shape (n_points,)
        k, each at most m.
    evaluation, ridges
        See `risk_path`.

    Returns
    -------
    Forecast
    """
    data = real, real_target, synthetic, synthetic_target
    judged = len(real) if evaluation is None else len(evaluation[0])
    path = judge(_fits(*data, real_rows, counts, evaluation, ridges), counts, judged)
    return Forecast(real_rows, counts, path.risks, path.ridges, path.losses)


def _fits(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    real_rows: Floats,
    counts: Ints,
    evaluation: tuple[Floats, Floats] | None,
    ridges: Sequence[float],
) -> Iterator[Fits]:
    """Fits as N and k rows have them on average, with every ridge."""
    from scipy.linalg import eigh

    n, m = len(real), len(synthetic)
    moments = real.T @ real / n, synthetic.T @ synthetic / m
    crosses = real.T @ real_target / n, synthetic.T @ synthetic_target / m
    square = float(np.mean(np.sum(synthetic_target**2, axis=1)))
    judged = n if evaluation is None else len(evaluation[0])
    pieces = min(len(counts), -(-len(counts) * judged * (real_target.shape[1] + 2) // _CELLS))
    for ridge in sorted(ridges, reverse=True):
        eye = ridge * np.eye(len(moments[0]))
        w, basis = eigh(moments[0] + eye, moments[0] + moments[1] + 2 * eye)
        w = np.clip(w, 1e-15, 1.0)
        gram, spread = (basis.T @ moment @ basis for moment in moments)
        pulls = [basis.T @ cross for cross in crosses]
        z = real @ basis
        at, target = (
            (z, real_target) if evaluation is None else (evaluation[0] @ basis, evaluation[1])
        )
        judges, squares = at.T @ at / judged, z**2
        for part in np.array_split(np.arange(len(counts)), pieces):
            size, k = real_rows[part], counts[part]
            thin = np.where(k > 0, 1 / np.maximum(k, 1) - 1 / m, 0.0)
            a, b = _mean_weights(w, np.diag(gram), np.diag(spread), n, size, k, thin)
            inverse = 1 / (a[:, None] * w + b[:, None] * (1 - w))
            fits = a[:, None, None] * pulls[0] + b[:, None, None] * pulls[1]
            fits *= inverse[:, :, None]
            leverage = a[:, None] / n * (inverse @ squares.T)
            used = leverage.sum(axis=1)
            usable = used <= MOST_LEVERAGE * n
            # tr(H^2), and T/n of the module's docstring.
            again = a**2 * np.sum(inverse @ gram**2 * inverse, axis=1)
            own = 1 - (n - used) ** 2 / (n * (n - 2 * used + again))
            errors = target - at @ fits
            amplified = np.ones(len(part))
            if evaluation is None:
                errors /= (1 - leverage)[:, :, None]
                exposed = ((1 - w) * inverse**2) @ squares.T
                amplified = np.sum(exposed / (1 - leverage) ** 2, axis=1)
                amplified /= np.maximum(exposed.sum(axis=1), 1e-300)
            losses = np.sum(errors**2, axis=2)
            explained = np.sum(fits * (2 * pulls[1] - spread @ fits), axis=(1, 2))
            cross = amplified * np.sum(inverse @ (judges * spread) * inverse, axis=1)
            within = np.sum(inverse @ spread**2 * inverse, axis=1)
            scale, added = _with_more_rows(
                losses.mean(axis=1),
                np.maximum(square - explained, 0.0),
                own,
                cross,
                within,
                real_share=(a * (1 - used / n)) ** 2,
                drawn_share=b**2 * thin,
                n=n,
                size=size,
            )
            yield Fits(
                at=part[usable],
                ridges=(ridge * (a + b) / (1 + k / size))[usable],
                losses=(losses * scale[:, None])[usable],
                added=added[usable],
            )


def _mean_weights(
    w: Floats, gram: Floats, spread: Floats, n: int, size: Floats, k: Ints, thin: Floats
) -> tuple[Floats, Floats]:
    """Weights a and b of the two sides whose fit at n rows is the mean fit of N and k rows.

    Fixed points, by iteration; `gram` and `spread` are the diagonals of A and B in the basis.
    """
    a, b = np.ones(len(size)), k / size
    for _ in range(100):
        inverse = 1 / (a[:, None] * w + b[:, None] * (1 - w))
        used = np.minimum(a * (inverse @ gram), MOST_LEVERAGE * n)
        new_a = (1 - used / size) / (1 - used / n)
        new_b = k / size / (1 + k / size * thin * (inverse @ spread))
        still = np.all(np.abs(new_a - a) <= 1e-7 * a) and np.all(np.abs(new_b - b) <= 1e-7 * b)
        a, b = 0.5 * (a + new_a), 0.5 * (b + new_b)
        if still:
            break
    return a, b


def _with_more_rows(
    risk: Floats,
    noise: Floats,
    own: Floats,
    cross: Floats,
    within: Floats,
    *,
    real_share: Floats,
    drawn_share: Floats,
    n: int,
    size: Floats,
) -> tuple[Floats, Floats]:
    """What the losses are multiplied by at N rows, and the risk that drawing k rows adds.

    Parameters
    ----------
    risk : ndarray of shape (n_points,)
        Risk at n rows, without drawing synthetic rows.
    noise : ndarray of shape (n_points,)
        Squared residuals of all synthetic rows at n rows.
    own : ndarray of shape (n_points,)
        T between real rows, at n of them.
    cross, within : ndarray of shape (n_points,)
        ``tr(M^-1 L M^-1 B)`` at a row that is left out, and ``tr(M^-1 B M^-1 B)``; M is that of the
        n rows there are, so both hold what these rows disturb.
    real_share, drawn_share : ndarray of shape (n_points,)
        Squared mean weight of the real side, and ``b^2 (1/k - 1/m)``.
    """
    # What holds for the population: the disturbance by n real rows is taken out again.
    population = cross * (1 - own)
    by_real = real_share * population / n
    direct = risk * (1 - own)
    drawn = np.maximum(noise - by_real * risk, 0.0)
    loop = by_real * drawn_share * population / (1 - own)
    within_drawn = np.maximum(drawn_share * within - loop, 0.0)
    # The system v = s^2 + T v of the two draws at N rows, solved by hand.
    share = n / size
    own, by_real = own * share, by_real * share
    by_drawn = drawn_share * population
    feedback = np.minimum(within_drawn + by_real * by_drawn / (1 - own), 0.95)
    undrawn = direct / (1 - own)
    added = by_drawn * (drawn + by_real * undrawn) / (1 - feedback) / (1 - own)
    return undrawn / risk, added


def _further(reach: Floats, risks: Floats, wanted: float) -> float | None:
    """Real rows beyond the first of `reach` at which falling risks reach the wanted one."""
    falling = np.minimum.accumulate(risks)
    if wanted >= falling[0]:
        return 0.0
    if wanted < falling[-1]:
        return None
    # Risks fall about linearly in 1/N.
    return float(1 / np.interp(-wanted, -falling, 1 / reach) - reach[0])


def _outlook(factor: float, ahead: Forecast, at: slice, rule: str) -> Outlook:
    counts, risks = ahead.counts[at], ahead.risks[at]
    size, chosen = int(ahead.real_rows[at][0]), decide(risks, ahead.losses[at], rule).chosen
    rows = int(counts[chosen])
    return Outlook(
        factor=factor,
        n_real=size,
        rows=rows,
        ratio=rows / size,
        risk=float(risks[chosen]),
        risk_none=float(risks[0]),
        exhausted=bool(rows > 0 and chosen == len(counts) - 1),
    )


def _reason(
    rows: int,
    n: int,
    further: float | None,
    interval: tuple[float | None, float | None],
    outlook: tuple[Outlook, ...],
) -> str:
    if rows == 0:
        told = "No synthetic rows are recommended, so there is nothing to exchange"
    elif further is None:
        told = (
            f"No number of real rows up to {FARTHEST:.0f} times the {n} there are is predicted to "
            f"help as much as {rows} synthetic rows"
        )
    elif further == 0:
        told = f"The {rows} synthetic rows are not predicted to help, so they replace no real rows"
    else:
        low, high = (
            f"more than {FARTHEST - 1:.0f} n" if end is None else f"{end:.0f}" for end in interval
        )
        told = (
            f"The {rows} synthetic rows are worth {further:.0f} further real rows ({low} to {high} "
            f"within one standard error), {further / rows:.2g} each"
        )
    later = [
        f"{point.ratio:.2f} at {point.n_real}" + (" (all there are)" if point.exhausted else "")
        for point in outlook
    ]
    return f"{told}; the best ratio becomes {', '.join(later)} real rows." if later else f"{told}."
