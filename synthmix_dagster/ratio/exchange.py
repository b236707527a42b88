"""What synthetic rows are worth in real ones, and how many to take once there are more real ones.

Both read the risk at more real rows than there are off `forecast`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.forecast import Forecast, forecast_of
from synthmix_dagster.ratio.moments import Moments
from synthmix_dagster.ratio.options import PathRule
from synthmix_dagster.ratio.path import ratio_grid
from synthmix_dagster.results import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Most real rows that the exchange rate looks at, in multiples of n.
FARTHEST = 64.0


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
class ExchangeRate(Result):
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

    def __repr__(self) -> str:
        further, worth = (
            "None" if value is None else f"{value:.3g}"
            for value in (self.further_real_rows, self.worth)
        )
        return (
            f"ExchangeRate(rows={self.rows}, further_real_rows={further}, worth={worth}, "
            f"risk={self.risk:.3g}, risk_none={self.risk_none:.3g})"
        )


def exchange_rate(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    *,
    rows: int,
    evaluation: tuple[Floats, Floats] | None = None,
    rule: PathRule = "path",
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
    rule : {"path", "largest_equivalent", "best", "smallest_equivalent"}
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
    moments = Moments(real, real_target, synthetic, synthetic_target, evaluation)
    return exchange_rate_of(moments, rows=rows, rule=rule, factors=factors)


def exchange_rate_of(
    moments: Moments,
    *,
    rows: int,
    rule: PathRule = "path",
    factors: Sequence[float] = (2.0, 5.0, 10.0),
) -> ExchangeRate:
    """The same of moments, which keep what was computed of them before.

    Parameters
    ----------
    moments : Moments
    rows, rule, factors : see `exchange_rate`
    """
    n, m = moments.n, moments.m
    if not 0 <= rows <= m:
        raise ConfigError(f"it is {rows}, of {m}", option="rows", fix="Take at most all rows")
    if any(not factor >= 1 for factor in factors):
        raise ConfigError(f"they are {factors}", option="factors", fix="Take 1 or more")
    grid = ratio_grid(n, m, points=24)
    reach = n * np.geomspace(1.0, FARTHEST, 19)
    larger = [float(np.rint(n * factor)) for factor in factors]
    real_rows = np.concatenate(([n], reach, *(np.full(len(grid), size) for size in larger)))
    counts = np.concatenate(([rows], np.zeros(len(reach)), *(grid for _ in larger)))
    ahead = forecast_of(moments, real_rows, counts.astype(np.int64))
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


def _further(reach: Floats, risks: Floats, wanted: float) -> float | None:
    """Real rows beyond the first of `reach` at which falling risks reach the wanted one."""
    falling = np.minimum.accumulate(risks)
    if wanted >= falling[0]:
        return 0.0
    if wanted < falling[-1]:
        return None
    # Risks fall about linearly in 1/N.
    return float(1 / np.interp(-wanted, -falling, 1 / reach) - reach[0])


def _outlook(factor: float, ahead: Forecast, at: slice, rule: PathRule) -> Outlook:
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
