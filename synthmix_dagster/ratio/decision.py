"""Which ratio to take from a risk curve that is known only up to its standard error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.encoding.options import require_choice
from synthmix_dagster.ratio.options import PathRule
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Standard errors within which a candidate counts as equivalent to the best: it is not worse at a
#: level of 10 %. At a single one, the interval of equivalents holds the best ratio too rarely.
EQUIVALENT = 1.28
#: Share of the risk without synthetic rows by which a mix has to be better before rows are advised:
#: the precision to which a risk is printed.
MATERIAL = 0.001
#: Standard errors within which the largest candidate is taken. At a full one it goes too far where
#: synthetic rows hurt; docs/benchmarks.md has the figures of both.
REACH = 0.5
#: Rules that take the most rows within `REACH`.
_LARGEST = ("path", "largest_equivalent")


@dataclass(frozen=True)
class Decision:
    """Positions among the candidates of a risk curve.

    Attributes
    ----------
    chosen, best : int
        Recommended and lowest-risk candidate; 0 is recommended where none is better than it.
    low, high : int
        First and last candidate equivalent to the best. Candidates between them need not be: the
        difference to a near neighbour of the best is known more precisely than that to a far one.
    equivalent : ndarray of shape (n_candidates,)
        Whether a candidate's risk is within `EQUIVALENT` standard errors of the best.
    excess_errors : ndarray of shape (n_candidates,)
        Standard error of the paired difference to the best.
    shape : {"flat", "decreasing", "increasing", "u-shaped"}
    """

    chosen: int
    best: int
    low: int
    high: int
    equivalent: NDArray[np.bool_]
    excess_errors: Floats
    shape: str

    @property
    def unbroken(self) -> bool:
        """Whether every candidate from `low` to `high` is equivalent to the best."""
        return bool(self.equivalent[self.low : self.high + 1].all())


def decide(
    risks: Floats, losses: Floats, rule: PathRule, *, favoured: int | None = None
) -> Decision:
    """Choose among the candidates whose paired difference to the best is within its error.

    Differences are taken row by row before averaging, so what all candidates find hard cancels.
    Whatever the rule, rows are chosen only where they lower the risk, see `lowers`.

    Parameters
    ----------
    risks : ndarray of shape (n_candidates,)
        Risk of every candidate, by increasing number of synthetic rows.
    losses : ndarray of shape (n_candidates, n_judged)
        Loss of every row that judged them.
    rule : {"path", "largest_equivalent", "best", "smallest_equivalent"}
        Take the most synthetic rows within `REACH` standard errors of the lowest risk, the lowest
        risk itself, or the fewest synthetic rows that are equivalent.
    favoured : int, optional
        Candidate that another judge recommends. Under ``path`` it is taken where it
        has more rows and is equivalent.
    """
    require_choice(rule, PathRule, option="rule")
    best = int(np.argmin(risks))
    differences = losses - losses[best]
    errors: Floats = np.std(differences, axis=1, ddof=1) / np.sqrt(losses.shape[1])
    excess = risks - risks[best]
    equivalent = excess <= EQUIVALENT * errors
    low, high = (int(end) for end in np.flatnonzero(equivalent)[[0, -1]])
    helps = lowers(risks)
    within = {"best": risks == risks[best], "smallest_equivalent": equivalent}.get(
        rule, excess <= REACH * errors
    )
    candidates = np.flatnonzero(within & helps)
    fewest = rule == "smallest_equivalent"
    chosen = 0
    if len(candidates) and not (fewest and equivalent[0]):
        chosen = int(candidates[0 if fewest else -1])
    if favoured is not None and rule in _LARGEST and equivalent[favoured] and helps[favoured]:
        chosen = max(chosen, favoured)
    return Decision(
        chosen=chosen,
        best=best,
        low=low,
        high=high,
        equivalent=equivalent,
        excess_errors=errors,
        shape=shape_of(equivalent),
    )


def lowers(risks: Floats) -> NDArray[np.bool_]:
    """Whether each candidate's risk is lower than that of the first by more than `MATERIAL`.

    Examples
    --------
    >>> lowers(np.array([1.0, 1.002, 0.9995, 0.95])).tolist()
    [False, False, False, True]
    """
    helps: NDArray[np.bool_] = risks < risks[0] - MATERIAL * abs(risks[0])
    return helps


def resampled_choices(
    risks: Floats,
    losses: Floats,
    rule: PathRule,
    draws: int,
    seed: int,
    *,
    favoured: int | None = None,
) -> Ints:
    """What would be chosen by other rows: the whole decision on bootstrap samples of the judges.

    Fits and their ridges stay as they are; only who judges them changes.

    Parameters
    ----------
    risks, losses, rule, favoured
        As in `decide`.
    draws : int
    seed : int

    Returns
    -------
    ndarray of shape (draws,)
        Positions of the chosen candidates.
    """
    rng = rng_of(seed, "resampled choices")
    judged = losses.shape[1]
    # What a risk has beside the mean of its losses does not depend on who judges.
    added = risks - losses.mean(axis=1)
    chosen = np.empty(draws, dtype=np.int64)
    for b in range(draws):
        drawn = losses[:, rng.integers(judged, size=judged)]
        redone = decide(drawn.mean(axis=1) + added, drawn, rule, favoured=favoured)
        chosen[b] = redone.chosen
    return chosen


def shape_of(equivalent: NDArray[np.bool_]) -> str:
    """Name the curve by which of its ends are as good as its best point."""
    if equivalent[0] and equivalent[-1]:
        return "flat"
    if equivalent[-1]:
        return "decreasing"
    return "increasing" if equivalent[0] else "u-shaped"
