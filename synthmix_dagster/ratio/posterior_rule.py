"""The posterior rule: the lowest risk that the rows at hand and other datasets together predict.

The risk paths of several bandwidths, or the cross-validated losses of the learner itself, are one
noisy observation of the curve, the experience of other datasets is the prior. The interval, the
regret to expect and the probability that any rows help follow from the posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.ratio.decision import MATERIAL, Decision, shape_of
from synthmix_dagster.ratio.evidence import Evidence, lowest_path, trusted_paths
from synthmix_dagster.ratio.experience import Experience
from synthmix_dagster.ratio.path import RiskPath, ratio_grid
from synthmix_dagster.ratio.posterior import (
    OFFSET,
    Prior,
    condition,
    gain_of,
    interpolation,
    knot_counts,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PriorEffect:
    """What other datasets did to the answer.

    Attributes
    ----------
    path_risks : tuple of float
        Risk at every ratio of the curve as the rows at hand alone predict it.
    path_ratio : float
        Where that is lowest.
    expected_regret : float
        Relative excess of the risk at the recommended ratio over the lowest that is to be had,
        expected over all curves that rows and experience allow.
    probability_of_help : float
        That the most promising amount of synthetic rows lowers the risk.
    level : float
        Probability mass of the interval; it held the best ratio in nine of ten cases of datasets
        that were left out.
    datasets, pairs, version : int
        Size and version of the experience.
    digest : str
        Which table of numbers it was: the beginning of its SHA-256. Empty in results of the first
        version.
    """

    path_risks: tuple[float, ...]
    path_ratio: float
    expected_regret: float
    probability_of_help: float
    level: float
    datasets: int
    pairs: int
    version: int
    digest: str = ""


@dataclass(frozen=True, eq=False)
class PosteriorDecision:
    """A decision by the posterior rule.

    Attributes
    ----------
    n : int
        Real rows.
    counts : ndarray of shape (n_counts,)
        Candidates.
    paths : tuple of RiskPath
        Those that were averaged, at the counts that the prior knows and maybe at others.
    prior : Prior
    risks : ndarray of shape (n_counts,)
        Posterior risk: that without synthetic rows, at the bandwidth of the lowest risk, times the
        exponential of the posterior mean.
    decision : Decision
        Its equivalents are what the interval holds.
    effect : PriorEffect
    """

    n: int
    counts: Ints
    paths: tuple[RiskPath, ...]
    prior: Prior
    risks: Floats
    decision: Decision
    effect: PriorEffect

    def resampled_choices(self, draws: int, rng: np.random.Generator) -> Ints:
        """What would be chosen by other rows: the decision on bootstrap samples of the judges.

        Fits, bandwidths and the noise of a curve stay as they are; only who judges changes.

        Parameters
        ----------
        draws : int
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of shape (draws,)
            Positions of the chosen candidates.
        """
        judged = self.paths[0].losses.shape[1]
        weights = rng.multinomial(judged, np.full(judged, 1 / judged), size=draws) / judged
        observed = _observed(self.paths, self.n)
        values = []
        for path in self.paths:
            losses = path.losses[observed]
            # What a risk has beside the mean of its losses does not depend on who judges.
            added = path.risks[observed] - losses.mean(axis=1)
            logs = np.log(np.maximum(losses @ weights.T + added[:, None], 1e-300))
            values.append(logs[1:] - logs[0])
        evidence = _evidence(self.paths, self.n)
        at = interpolation(evidence.ratios)
        off = np.mean(values, axis=0).T - at @ (self.prior.mean + self.prior.bias)
        means = self.prior.mean + off @ gain_of(self.prior, evidence).T
        curves = means @ interpolation(self.counts / self.n).T
        chosen: Ints = np.argmin(curves, axis=1)
        helps = np.take_along_axis(curves, chosen[:, None], axis=1)[:, 0] < np.log1p(-MATERIAL)
        return np.where(helps, chosen, 0)


def candidate_counts(n: int, most: int) -> Ints:
    """Counts to predict the risk at: those of the curve, and those that the prior knows."""
    return np.union1d(ratio_grid(n, most), knot_counts(n, most))


def decide_by_posterior(
    paths: Sequence[RiskPath], n: int, experience: Experience, counts: Ints | None = None
) -> PosteriorDecision:
    """Choose the ratio of the lowest posterior mean, the smallest of several.

    None where that is not lower than the risk without synthetic rows by `decision.MATERIAL`.

    Parameters
    ----------
    paths : sequence of RiskPath
        One for each bandwidth, or that of the learner itself, at least at the counts that the prior
        knows (`posterior.knot_counts`).
    n : int
        Real rows.
    experience : Experience
    counts : ndarray of int, optional
        Candidates; by default those of the paths.
    """
    lowest = paths[lowest_path(paths)]
    if len(paths) > 1:
        paths = trusted_paths(paths)
    counts = paths[0].counts if counts is None else counts
    prior, ratios = experience.prior(n), counts / n
    posterior = condition(prior, _evidence(paths, n))
    mean, _ = posterior.curve(ratios)
    # The level of the curve is that of the kernel that predicts best.
    level = float(lowest.risks[0])
    seen = level * np.exp(np.mean([_relative(path, counts, n) for path in paths], axis=0))
    best = posterior.chosen(ratios)
    low, high = posterior.interval(ratios, experience.level)
    risks = level * np.exp(mean)
    equivalent = (np.arange(len(counts)) >= low) & (np.arange(len(counts)) <= high)
    decision = Decision(
        chosen=best,
        best=best,
        low=low,
        high=high,
        equivalent=equivalent,
        excess_errors=risks * posterior.difference_deviations(ratios, best),
        shape=shape_of(equivalent),
    )
    effect = PriorEffect(
        path_risks=tuple(seen.tolist()),
        path_ratio=float(ratios[int(np.argmin(seen))]),
        expected_regret=posterior.expected_regret(ratios, best),
        probability_of_help=posterior.probability_of_help(ratios),
        level=experience.level,
        datasets=len(experience.datasets),
        pairs=experience.pairs,
        version=experience.version,
        digest=experience.digest,
    )
    return PosteriorDecision(n, counts, tuple(paths), prior, risks, decision, effect)


def _relative(path: RiskPath, counts: Ints, n: int) -> Floats:
    """Logarithm of the risk over that of none, straight between what is known of it."""
    logs = np.log(np.maximum(path.risks, 1e-300))
    at, known = (np.log(each / n + OFFSET) for each in (counts, path.counts))
    return np.interp(at, known, logs - logs[0])


def _observed(paths: Sequence[RiskPath], n: int) -> Ints:
    """Positions of the counts that the prior knows."""
    counts = paths[0].counts
    return np.searchsorted(counts, knot_counts(n, int(counts[-1])))


def _evidence(paths: Sequence[RiskPath], n: int) -> Evidence:
    """The mean curve of the paths at the counts that the prior knows."""
    observed = _observed(paths, n)
    return Evidence.of(
        paths[0].counts[observed] / n,
        [path.risks[observed] for path in paths],
        [path.losses[observed] for path in paths],
    )
