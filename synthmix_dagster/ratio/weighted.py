"""All synthetic rows, weighted, instead of some of them: the optimum for `sample_weight`.

A mix of k synthetic rows gives the synthetic side the weight ``a = k / (n + k)`` and pays for not
knowing which k of the m rows are drawn. A learner that takes weights need not pay: all m rows, each
weighing ``k / m`` of a real one, have the same a and no lottery. A row may also weigh more than a
real one, which no number of rows can do. The risk path without its term for drawn rows has the
risk of every weight, exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.moments import Moments
from synthmix_dagster.ratio.options import PathRule
from synthmix_dagster.ratio.path import path_of, ratio_grid
from synthmix_dagster.results import Result

Floats = NDArray[np.float64]

#: Highest weight of a synthetic row that is tried, in real rows.
HEAVIEST = 10.0


@dataclass(frozen=True)
class WeightedOptimum(Result):
    """The best weight of all synthetic rows, beside the best number of unweighted ones.

    Attributes
    ----------
    row_weight : float
        Weight of a synthetic row where a real one weighs 1: what to pass as `sample_weight`. It is
        ``a / (1 - a) * n / m``.
    weight : float
        Synthetic weight a, from 0 to 1.
    interval : pair of float
        Lowest and highest row weight equivalent to the best; see `decide`.
    risk : float
        Predicted risk at `row_weight`.
    rows : int
        Recommended number of rows that weigh as much as real ones, by the same rule.
    risk_of_rows : float
        Predicted risk of those.
    gain, gain_error : float
        Mean difference ``risk_of_rows - risk``, and its paired standard error.
    row_weights, risks : tuple of float
        The curve.
    n_real, n_synthetic : int
    reason : str
        The result in one sentence.
    """

    row_weight: float
    weight: float
    interval: tuple[float, float]
    risk: float
    rows: int
    risk_of_rows: float
    gain: float
    gain_error: float
    row_weights: tuple[float, ...]
    risks: tuple[float, ...]
    n_real: int
    n_synthetic: int
    reason: str

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"WeightedOptimum(row_weight={self.row_weight:.3g}, interval=({low:.3g}, {high:.3g}), "
            f"risk={self.risk:.3g}, risk_of_rows={self.risk_of_rows:.3g})"
        )


def weighted_optimum(
    real: Floats,
    real_target: Floats,
    synthetic: Floats,
    synthetic_target: Floats,
    *,
    evaluation: tuple[Floats, Floats] | None = None,
    rule: PathRule = "path",
    max_rows: int | None = None,
) -> WeightedOptimum:
    """Find the weight of all synthetic rows that predicts the least risk.

    Parameters
    ----------
    real, real_target : ndarray of shape (n, p), (n, q)
        Features and targets of the real rows.
    synthetic, synthetic_target : ndarray of shape (m, p), (m, q)
    evaluation : pair of ndarray, optional
        See `risk_path`.
    rule : {"path", "largest_equivalent", "best", "smallest_equivalent"}
        See `decide`; it chooses the weight and the number of rows alike.
    max_rows : int, optional
        Maximum number of rows to compare with; by default m. Weights are not limited by it.

    Returns
    -------
    WeightedOptimum

    Examples
    --------
    Few synthetic rows, but as good as real ones, are worth as much as these:

    >>> rng = np.random.default_rng(0)
    >>> truth, x, z = rng.normal(size=(5, 1)), rng.normal(size=(60, 5)), rng.normal(size=(40, 5))
    >>> y, t = x @ truth + rng.normal(size=(60, 1)), z @ truth + rng.normal(size=(40, 1))
    >>> optimum = weighted_optimum(x, y, z, t)
    >>> optimum.interval[0] < 1 < optimum.interval[1]
    True
    """
    moments = Moments(real, real_target, synthetic, synthetic_target, evaluation)
    return weighted_optimum_of(moments, rule=rule, max_rows=max_rows)


def weighted_optimum_of(
    moments: Moments, *, rule: PathRule = "path", max_rows: int | None = None
) -> WeightedOptimum:
    """The same of moments, which keep what was computed of them before.

    Parameters
    ----------
    moments : Moments
    rule, max_rows : see `weighted_optimum`
    """
    n, m = moments.n, moments.m
    by_rows = path_of(moments, ratio_grid(n, m if max_rows is None else max_rows))
    # The weights of whole numbers of rows are among those tried: the two can be compared there.
    heavier = ratio_grid(n, int(HEAVIEST * max(n, m)))
    counts = np.union1d(by_rows.counts, np.append(heavier, m))
    path = path_of(moments, counts, thinned=False)
    decision, among_rows = (decide(of.risks, of.losses, rule) for of in (path, by_rows))
    row_weights = path.counts / m
    row_weight = float(row_weights[decision.chosen])
    low, high = float(row_weights[decision.low]), float(row_weights[decision.high])
    rows, total = int(by_rows.counts[among_rows.chosen]), row_weight * m
    difference = by_rows.losses[among_rows.chosen] - path.losses[decision.chosen]
    risk = float(path.risks[decision.chosen])
    risk_of_rows = float(by_rows.risks[among_rows.chosen])
    gain_error = float(np.std(difference, ddof=1) / np.sqrt(len(difference)))
    return WeightedOptimum(
        row_weight=row_weight,
        weight=total / (n + total),
        interval=(low, high),
        risk=risk,
        rows=rows,
        risk_of_rows=risk_of_rows,
        gain=risk_of_rows - risk,
        gain_error=gain_error,
        row_weights=tuple(row_weights.tolist()),
        risks=tuple(path.risks.tolist()),
        n_real=n,
        n_synthetic=m,
        reason=_reason(row_weight, (low, high), m, rows, risk, risk_of_rows, gain_error),
    )


def _reason(
    row_weight: float,
    interval: tuple[float, float],
    m: int,
    rows: int,
    risk: float,
    risk_of_rows: float,
    gain_error: float,
) -> str:
    low, high = interval
    span = f"weights from {low:.3g} to {high:.3g} are equivalent"
    if row_weight == 0:
        return f"Give synthetic rows no weight: no weight is predicted to help ({span})."
    change = risk / risk_of_rows - 1 if risk_of_rows > 0 else 0.0
    if abs(risk_of_rows - risk) <= gain_error:
        return (
            f"Weights on all {m} synthetic rows make no measurable difference to {rows} rows "
            "without weights: the predicted errors differ by less than the standard error of that "
            f"difference; {span}."
        )
    return (
        f"Weigh each of the {m} synthetic rows as {row_weight:.3g} real ones: the predicted error "
        f"is {abs(change):.1%} {'lower' if change <= 0 else 'higher'} than with {rows} "
        f"unweighted synthetic rows; {span}."
    )
