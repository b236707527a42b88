"""Which ratio to take from a risk curve that is known only up to its standard error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.errors import UnknownChoiceError
from synthmix_dagster.ratio.path import RiskPath

RULES = ("largest_equivalent", "best", "smallest_equivalent")


@dataclass(frozen=True)
class Decision:
    """Positions on the grid of a risk path.

    Attributes
    ----------
    chosen, best : int
        Recommended and lowest-risk candidate.
    low, high : int
        First and last candidate equivalent to the best. Candidates between them need not be: the
        difference to a near neighbour of the best is known more precisely than that to a far one.
    equivalent : ndarray of shape (n_counts,)
        Whether a candidate's risk is within one standard error of the best.
    excess_errors : ndarray of shape (n_counts,)
        Standard error of the paired difference to the best.
    shape : {"flat", "decreasing", "increasing", "u-shaped"}
    """

    chosen: int
    best: int
    low: int
    high: int
    equivalent: NDArray[np.bool_]
    excess_errors: NDArray[np.float64]
    shape: str

    @property
    def unbroken(self) -> bool:
        """Whether every candidate from `low` to `high` is equivalent to the best."""
        return bool(self.equivalent[self.low : self.high + 1].all())


def decide(path: RiskPath, rule: str) -> Decision:
    """Choose among the candidates whose paired difference to the best is within its error.

    Differences are taken row by row before averaging, so what all candidates find hard cancels.

    Parameters
    ----------
    path : RiskPath
    rule : {"largest_equivalent", "best", "smallest_equivalent"}
        Take the most synthetic rows, the lowest risk, or the fewest synthetic rows.
    """
    if rule not in RULES:
        raise UnknownChoiceError(rule, option="rule", known=RULES)
    best = int(np.argmin(path.risks))
    differences = path.losses - path.losses[best]
    judged = path.losses.shape[1]
    errors = np.std(differences, axis=1, ddof=1) / np.sqrt(judged)
    equivalent = path.risks - path.risks[best] <= errors
    within = np.flatnonzero(equivalent)
    low, high = int(within[0]), int(within[-1])
    chosen = {"largest_equivalent": high, "best": best, "smallest_equivalent": low}[rule]
    return Decision(
        chosen=chosen,
        best=best,
        low=low,
        high=high,
        equivalent=equivalent,
        excess_errors=errors,
        shape=_shape(equivalent),
    )


def _shape(equivalent: NDArray[np.bool_]) -> str:
    """Name the curve by which of its ends are as good as its best point."""
    if equivalent[0] and equivalent[-1]:
        return "flat"
    if equivalent[-1]:
        return "decreasing"
    return "increasing" if equivalent[0] else "u-shaped"
