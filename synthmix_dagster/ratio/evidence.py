"""What the rows at hand say of the risk curve: risk paths as one noisy observation of it.

Wide kernels judge with less noise than narrow ones, even for a learner that uses the narrow one. So
the curves of two wide kernels are averaged. One that fits worse than another by more than chance is
about another function than the one to learn, and the best kernel takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.ratio.learners import moments_of
from synthmix_dagster.ratio.moments import Moments
from synthmix_dagster.ratio.path import RiskPath, path_of
from synthmix_dagster.ratio.sample import EncodedSample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Bandwidths relative to the median distance; the curves of all but the first are averaged.
BANDWIDTHS: tuple[float, ...] = (1.0, 2.0, 4.0)
#: Standard errors by which the lowest risk of a bandwidth has to be above that of the best one for
#: its curve to be replaced.
WORSE = 2.0
#: Risks below this share of the largest are taken for it: the logarithm of 0 is no number.
_SMALLEST = 1e-6


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a judge saw of a risk curve.

    Attributes
    ----------
    ratios : ndarray of shape (n_ratios,)
        Positive ratios, increasing.
    values : ndarray of shape (n_ratios,)
        Logarithm of the risk there over the risk without synthetic rows.
    noise : ndarray of shape (n_ratios, n_ratios)
        Covariance of the values over other judging rows.
    """

    ratios: Floats
    values: Floats
    noise: Floats

    @classmethod
    def of(cls, ratios: Floats, curves: Sequence[Floats], losses: Sequence[Floats]) -> "Evidence":
        """The mean of several curves that the same rows judge.

        The noise follows from the losses by the delta method, paired: what is hard at every ratio
        cancels.

        Parameters
        ----------
        ratios : ndarray of shape (n_ratios,)
            Increasing from 0.
        curves : sequence of ndarray of shape (n_ratios,)
            Risks.
        losses : sequence of ndarray of shape (n_ratios, n_judged)
            Losses of the judging rows behind each curve.
        """
        values, shares = [], []
        for risks, rows in zip(curves, losses, strict=True):
            least = max(_SMALLEST * float(risks.max()), 1e-300)
            risks, means = np.maximum(risks, least), np.maximum(rows.mean(axis=1), least)
            values.append(np.log(risks[1:] / risks[0]))
            shares.append(rows[1:] / means[1:, None] - rows[0] / means[0])
        share = np.mean(shares, axis=0)
        noise = np.cov(share).reshape(len(share), len(share)) / share.shape[1]
        return cls(ratios[1:], np.mean(values, axis=0), noise)

    @classmethod
    def of_paths(cls, paths: Sequence[RiskPath], n: int) -> "Evidence":
        """The mean of risk paths at the same counts, of which the first is 0, for n real rows."""
        risks, losses = [path.risks for path in paths], [path.losses for path in paths]
        return cls.of(paths[0].counts / n, risks, losses)


def bandwidth_paths(
    sample: EncodedSample,
    feature_map: NystroemMap,
    counts: Ints,
    bandwidths: Sequence[float] = BANDWIDTHS,
) -> tuple[list[RiskPath], list[NystroemMap]]:
    """The risk path at every bandwidth, and the features of each.

    Parameters
    ----------
    sample : EncodedSample
    feature_map : NystroemMap
        With the bandwidth of the median heuristic.
    counts : ndarray of int
    bandwidths : sequence of float
        Relative to it.
    """
    moments, maps = bandwidth_moments(sample, feature_map, bandwidths)
    return [path_of(each, counts) for each in moments], maps


def bandwidth_moments(
    sample: EncodedSample, feature_map: NystroemMap, bandwidths: Sequence[float] = BANDWIDTHS
) -> tuple[list[Moments], list[NystroemMap]]:
    """Both sides in the features of every bandwidth, and these features."""
    maps = feature_map.at([factor * feature_map.bandwidth for factor in bandwidths])
    squares = {name: feature_map.distances(points) for name, points in sample.points.items()}
    moments = [
        moments_of(
            sample, {name: wide.transform_distances(apart) for name, apart in squares.items()}
        )
        for wide in maps
    ]
    return moments, maps


def trusted_paths(paths: Sequence[RiskPath]) -> list[RiskPath]:
    """The curves to average: of each wide kernel, or of the best one where that fits worse.

    Parameters
    ----------
    paths : sequence of RiskPath
        One for each of `BANDWIDTHS`, narrowest first.
    """
    best = paths[lowest_path(paths)]
    return [path if _excess(path, best) <= WORSE else best for path in paths[1:]] or [best]


def lowest_path(paths: Sequence[RiskPath]) -> int:
    """Position of the path with the lowest risk."""
    return int(np.argmin([path.risks.min() for path in paths]))


def _excess(path: RiskPath, best: RiskPath) -> float:
    """Lowest risk above that of the best path, in standard errors of the paired difference."""
    at, of_best = int(np.argmin(path.risks)), int(np.argmin(best.risks))
    difference = path.losses[at] - best.losses[of_best]
    error = float(np.std(difference, ddof=1)) / np.sqrt(len(difference))
    return float(path.risks[at] - best.risks[of_best]) / max(error, 1e-300)
