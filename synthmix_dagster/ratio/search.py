"""The best mixture of several sources: moves along lines until none improves.

The risk is not convex in the weights, so this finds a point that no single source and no exchange
between two sources improves, from a given start. Its risk is the lowest of many, hence too low:
`Candidates.judged` therefore lets each fold of the rows be judged by the mixture and ridge that
suit the other folds, as `path` does for ridges. The mixtures on offer were found with all rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.mixtures import Pool, along
from synthmix_dagster.ratio.path import FOLDS, RIDGES, judging_folds

Floats = NDArray[np.float64]
#: Start, end and steps; see `along`.
_Line = tuple[Floats, Floats, Floats]

#: Relative improvement that a move has to bring.
TOLERANCE = 1e-3
#: Most rounds of moves.
ROUNDS = 10
#: Sources up to which weight is exchanged between two; their pairs would take too long beyond it.
MAX_PAIRED = 6
#: Smallest weight of a source that is tried, other than none.
_MIN_AMOUNT = 0.05


@dataclass(frozen=True, eq=False)
class Candidates:
    """Mixtures that were tried.

    Attributes
    ----------
    weights : ndarray of shape (n_candidates, n_sources + 1)
        See `Mixtures`.
    rows : ndarray of shape (n_candidates, n_sources)
    ridges : ndarray of shape (n_candidates,)
    fold_losses : ndarray of shape (n_candidates, n_folds)
        Losses summed over the judging rows of each fold.
    added : ndarray of shape (n_candidates,)
    """

    weights: Floats
    rows: Floats
    ridges: Floats
    fold_losses: Floats
    added: Floats

    def risks(self, judged: int) -> Floats:
        """Predicted risk of every candidate, by all `judged` rows."""
        risks: Floats = self.fold_losses.sum(axis=1) / judged + self.added
        return risks

    def best(self, judged: int) -> int:
        """Position of the lowest risk."""
        return int(np.argmin(self.risks(judged)))

    def where(self, kept: NDArray[np.bool_]) -> "Candidates":
        """Those of `kept`, a boolean each."""
        return Candidates(*(getattr(self, of.name)[kept] for of in fields(self)))

    def judged(self, pool: Pool) -> Floats:
        """Loss of every judging row, under the candidate that suits the other folds.

        What drawing rows adds is part of it.

        Returns
        -------
        ndarray of shape (n_judged,)
        """
        fold_of = judging_folds(pool.judged)
        sizes = np.bincount(fold_of)
        elsewhere = self.fold_losses.sum(axis=1, keepdims=True) - self.fold_losses
        chosen = np.argmin(elsewhere / (pool.judged - sizes) + self.added[:, None], axis=0)
        losses = np.empty(pool.judged)
        for at in np.unique(chosen):
            point = self.weights[at]
            fit = along(pool, point, point, np.zeros(1), float(self.ridges[at]))
            inside = np.isin(fold_of, np.flatnonzero(chosen == at))
            losses[inside] = fit.losses[0, inside] + fit.added[0]
        return losses


def single_sources(pool: Pool, most: float, ridges: Sequence[float] = RIDGES) -> Candidates:
    """Real rows alone, and every amount of each source alone, with every ridge.

    Parameters
    ----------
    pool : Pool
    most : float
        Most synthetic rows of all sources together.
    ridges : sequence of float
    """
    none = _real_only(pool)
    lines = [_of_source(pool, source, none) for source in range(1, len(pool.sizes))]
    return joined([_judged_line(pool, *line, ridge, most) for line in lines for ridge in ridges])


def all_sources(
    pool: Pool, proportions: Floats, most: float, ridges: Sequence[float] = RIDGES
) -> Candidates:
    """Every amount of all sources together at some proportions, with every ridge.

    Parameters
    ----------
    pool : Pool
    proportions : ndarray of shape (n_sources,)
        Of their weights.
    most, ridges
        See `single_sources`.
    """
    line = _scaled(pool, np.append(1.0, proportions))
    return joined([_judged_line(pool, *line, ridge, most) for ridge in ridges])


def descend(
    pool: Pool, start: Candidates, most: float, ridges: Sequence[float] = RIDGES
) -> Candidates:
    """Move from the best of some mixtures to better ones; return all that were tried.

    Ends where no move improves the risk.

    A move changes the amount of one source or of all, or exchanges weight between two, and may
    take the next ridge up or down.

    Parameters
    ----------
    pool : Pool
    start : Candidates
        Whose ridges are among `ridges`.
    most : float
        Most synthetic rows of all sources together.
    ridges : sequence of float
    """
    known = sorted(ridges)
    best = start.best(pool.judged)
    at, position = start.weights[best], known.index(float(start.ridges[best]))
    lowest = float(start.risks(pool.judged)[best])
    tried = [start]
    for _ in range(ROUNDS):
        before = lowest
        for move in _moves(pool):
            line = move(at)
            near = known[max(position - 1, 0) : position + 2]
            found = joined([_judged_line(pool, *line, ridge, most) for ridge in near])
            tried.append(found)
            if not len(found.added):
                continue
            best = found.best(pool.judged)
            risk = float(found.risks(pool.judged)[best])
            if risk < lowest * (1 - TOLERANCE):
                lowest, at = risk, found.weights[best]
                position = known.index(float(found.ridges[best]))
        if lowest == before:
            break
    return joined(tried)


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Candidates of several lines."""
    names = [of.name for of in fields(Candidates)]
    return Candidates(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _moves(pool: Pool) -> list[Callable[[Floats], _Line]]:
    """Lines through a mixture: the amount of all sources, of each, and of two at each other's cost.

    The first of them matters where no source alone improves the fit but several do, since their
    errors cancel.
    """
    sources = range(1, len(pool.sizes))
    pairs = list(combinations(sources, 2)) if len(sources) <= MAX_PAIRED else []
    return [
        partial(_scaled, pool),
        *(partial(_of_source, pool, source) for source in sources),
        *(partial(_exchanged, pool, *pair) for pair in pairs),
    ]


def _scaled(pool: Pool, at: Floats) -> _Line:
    """From no source to as much of all as there is at their present proportions."""
    present = at[1:] > 0
    if not present.any():
        return at, at, np.zeros(1)
    factor = float(np.min(pool.caps[1:][present] / at[1:][present]))
    end = at.copy()
    end[1:] *= factor
    return _real_only(pool), end, _amounts(float(end[1:].max()), 1 / factor)


def _of_source(pool: Pool, source: int, at: Floats) -> _Line:
    """From none to all rows of one source, with the others as they are."""
    start, end = at.copy(), at.copy()
    start[source], end[source] = 0.0, pool.caps[source]
    return start, end, _amounts(float(end[source]), at[source] / end[source])


def _exchanged(pool: Pool, one: int, other: int, at: Floats) -> _Line:
    """From all weight of two sources on the first to all of it on the second."""
    both, caps = at[one] + at[other], pool.caps
    start, end = at.copy(), at.copy()
    start[one] = min(both, caps[one])
    start[other] = both - start[one]
    end[other] = min(both, caps[other])
    end[one] = both - end[other]
    return start, end, np.linspace(0.0, 1.0, 11)


def _amounts(largest: float, present: float) -> Floats:
    """Steps that multiply an amount, after none of it, and small ones around where it is."""
    least = min(_MIN_AMOUNT / largest, 0.5)
    near = present * np.array([0.75, 0.85, 0.95, 1.05, 1.15, 1.3])
    return np.concatenate(([0.0], np.geomspace(least, 1.0, 15), near[(near > 0) & (near < 1)]))


def _real_only(pool: Pool) -> Floats:
    only = np.zeros(len(pool.sizes))
    only[0] = 1.0
    return only


def _judged_line(
    pool: Pool, start: Floats, end: Floats, steps: Floats, ridge: float, most: float
) -> Candidates:
    """Candidates of one line and ridge, without those that have too many rows."""
    line = along(pool, start, end, steps, ridge)
    # Rounding of the last row is no reason to refuse a mixture.
    within = line.rows.sum(axis=1) <= most + 0.5
    members = np.eye(min(FOLDS, pool.judged))[judging_folds(pool.judged)]
    return Candidates(
        weights=line.weights[within],
        rows=line.rows[within],
        ridges=np.full(int(within.sum()), ridge),
        fold_losses=line.losses[within] @ members,
        added=line.added[within],
    )
