"""Candidates with the risk that was predicted or measured of each, and what is decided of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.decision import Decision, decide, resampled_choices
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.path import RiskPath
from synthmix_dagster.ratio.posterior_rule import PosteriorDecision, PriorEffect
from synthmix_dagster.ratio.recommendation import CurvePoint
from synthmix_dagster.ratio.scoring import Score
from synthmix_dagster.seeds import rng_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Resamples of the judging rows behind the spread of the choice.
_RESAMPLES = 200
_CENTRAL = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Judged:
    """Candidates that were judged, and what is decided among them.

    Attributes
    ----------
    n : int
        Real rows.
    counts : ndarray of shape (n_candidates,)
        Synthetic rows.
    risks : ndarray of shape (n_candidates,)
    losses : ndarray of shape (n_candidates, n_judged)
        Of rows, or of groups of rows where there is a score.
    decision : Decision
    favoured : int, optional
        Candidate that another judge recommends.
    posterior : PosteriorDecision, optional
        Where the experience of other datasets took part.
    score : Score, optional
        Where risks are scores times -1.
    """

    n: int
    counts: Ints
    risks: Floats
    losses: Floats
    decision: Decision
    favoured: int | None = None
    posterior: PosteriorDecision | None = None
    score: Score | None = None

    @classmethod
    def of(cls, n: int, path: RiskPath, options: RatioOptions) -> "Judged":
        """Decide on the risk path."""
        decision = decide(path.risks, path.losses, options.path_rule)
        return cls(n, path.counts, path.risks, path.losses, decision)

    @property
    def ratios(self) -> Floats:
        """Candidates per real row."""
        ratios: Floats = self.counts / self.n
        return ratios

    @property
    def rows(self) -> int:
        """Synthetic rows that are chosen."""
        return int(self.counts[self.decision.chosen])

    @property
    def interval(self) -> tuple[float, float]:
        """Lowest and highest ratio equivalent to the best."""
        return float(self.ratios[self.decision.low]), float(self.ratios[self.decision.high])

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """Candidates as a reader sees them."""
        columns = (self.counts, self.risks, self.decision.excess_errors, self.decision.equivalent)
        return tuple(
            CurvePoint(float(k / self.n), int(k), float(risk), float(error), bool(equivalent))
            for k, risk, error, equivalent in zip(*columns, strict=True)
        )

    @property
    def effect(self) -> PriorEffect | None:
        """What the experience of other datasets did."""
        return None if self.posterior is None else self.posterior.effect

    @property
    def measurable(self) -> bool:
        """Whether the best mix differs from no synthetic rows by more than chance."""
        if self.posterior is not None:
            return self.decision.shape != "flat"
        return not self.decision.equivalent[0]

    def resampled(self, options: RatioOptions) -> tuple[float, float]:
        """Between which ratios the choice lies in most bootstrap samples of the judging rows."""
        if self.posterior is not None:
            chosen = self.posterior.resampled_choices(
                _RESAMPLES, rng_of(options.seed, "resampled choices")
            )
        else:
            judged = self.risks, self.losses, options.path_rule, _RESAMPLES, options.seed
            chosen = resampled_choices(*judged, favoured=self.favoured)
        low, high = np.quantile(chosen, _CENTRAL, method="nearest")
        return float(self.ratios[low]), float(self.ratios[high])

    def last_within(self, ratio: float) -> int:
        """Last candidate up to a ratio."""
        return int(np.flatnonzero(self.counts <= ratio * self.n)[-1])

    def baselines(self, chosen: int) -> dict[str, float]:
        """Risk of what is recommended and of the usual guesses, where these were judged."""
        candidates = zip(self.counts, self.risks, strict=True)
        at = {int(count): float(risk) for count, risk in candidates}
        baselines = {"none": at[0], "recommended": float(self.risks[chosen])}
        if self.n in at:
            baselines["one_to_one"] = at[self.n]
        baselines["all"] = float(self.risks[-1])
        return baselines
