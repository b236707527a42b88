"""Whose risk is predicted: the learners that a recommendation can speak for.

The best ratio belongs to the learner. The risk path speaks for ridge regression in any features:
those of a Gaussian kernel, or the inputs as they are. Trees have no such features that do not
depend on the target, so a small gradient boosting is fitted to a few mixes (`refits`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.ratio.moments import Moments
from synthmix_dagster.ratio.path import RiskPath, path_of
from synthmix_dagster.ratio.sample import EncodedSample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Bandwidths tried beside that of the median heuristic, relative to it.
WIDER = (2.0,)
#: Levels that histogram gradient boosting can tell apart; columns with more stay one slot a level.
MAX_LEVELS = 250


@dataclass(frozen=True, eq=False)
class LinearMap:
    """Inputs and an intercept as features.

    They are scaled to a mean squared norm of 1 over the real rows, which is that of the features of
    a Gaussian kernel: ridges are relative to it.

    Attributes
    ----------
    scale : float
    """

    scale: float

    @classmethod
    def fit(cls, real: Floats) -> "LinearMap":
        """Take the scale from the real points, of shape (n, d)."""
        return cls(float(np.sqrt(1 + np.mean(np.sum(real**2, axis=1)))))

    def transform(self, points: Floats) -> Floats:
        """Map points of shape (n, d) to features of shape (n, d + 1)."""
        return np.concatenate((np.ones((len(points), 1)), points), axis=1) / self.scale


def tree_inputs(sample: EncodedSample) -> tuple[dict[str, Floats], list[bool]]:
    """One number a column, as trees like it, and which of them are categories.

    Levels that share a slot of the encoder share a number, a number that is missing is not a
    number, and a vector keeps its coordinates.

    Returns
    -------
    inputs : dict of str to ndarray of shape (n_rows, n_columns)
    categorical : list of bool
    """
    categorical = []
    for code in sample.encoder.codes:
        width = code.stop - code.start
        if code.kind == "categorical" and 1 < width < MAX_LEVELS:
            categorical.append(True)
        else:
            categorical += [False] * (width - bool(code.slots and code.kind != "categorical"))
    inputs = {}
    for dataset, points in sample.points.items():
        columns = []
        for code in sample.encoder.codes:
            block = points[:, code.start : code.stop]
            if code.kind == "categorical" and 1 < block.shape[1] < MAX_LEVELS:
                # A row without any slot, of a level that nobody has met, is a level of its own.
                level = np.where(block.any(axis=1), block.argmax(axis=1), block.shape[1])
                columns.append(level[:, None].astype(np.float64))
            elif code.slots and code.kind != "categorical":
                columns.append(np.where(block[:, -1:] > 0, np.nan, block[:, :-1]))
            else:
                columns.append(block)
        inputs[dataset] = np.concatenate(columns, axis=1)
    return inputs, categorical


def sample_path(
    sample: EncodedSample, transform: Callable[[Floats], Floats], counts: Sequence[int] | Ints
) -> RiskPath:
    """The risk path of a sample, judged by the rows that it has for that.

    Parameters
    ----------
    sample : EncodedSample
    transform : callable
        From points of shape (n_rows, d) to features of shape (n_rows, p).
    counts : sequence of int
    """
    return path_of(sample_moments(sample, transform), counts)


def sample_moments(sample: EncodedSample, transform: Callable[[Floats], Floats]) -> Moments:
    """Both sides of a sample in some features, and the rows that judge.

    Parameters
    ----------
    sample : EncodedSample
    transform : callable
        See `sample_path`.
    """
    return moments_of(sample, {name: transform(points) for name, points in sample.points.items()})


def moments_of(sample: EncodedSample, features: Mapping[str, Floats]) -> Moments:
    """The same from the features of every dataset."""
    sides = {name: sample.side(name, each) for name, each in features.items()}
    return Moments(*sides["real"], *sides["synthetic"], sides.get("evaluation"))


def kernel_path(
    sample: EncodedSample, feature_map: NystroemMap, counts: Ints
) -> tuple[RiskPath, NystroemMap]:
    """The risk path at the bandwidth, out of that of the map and `WIDER`, of the lowest risk.

    Parameters
    ----------
    sample : EncodedSample
    feature_map : NystroemMap
        With the bandwidth of the median heuristic.
    counts : ndarray of int

    Returns
    -------
    path : RiskPath
    feature_map : NystroemMap
        The one that was chosen.
    """
    wider = [
        NystroemMap.of_landmarks(feature_map.landmarks, factor * feature_map.bandwidth)
        for factor in WIDER
    ]
    maps = [feature_map, *wider]
    paths = [sample_path(sample, candidate.transform, counts) for candidate in maps]
    best = int(np.argmin([path.risks.min() for path in paths]))
    return paths[best], maps[best]
