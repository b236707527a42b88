"""The gap of encoded rows, whichever estimator finds it, and the two gaps that a target adds.

Everything is a debiased square in the scale of W2 on the encoded space; `signed_root` makes a gap
of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from synthmix_dagster.distance.attribution import contributions
from synthmix_dagster.distance.conditional import conditional_estimate
from synthmix_dagster.distance.folds import Ints, Sides, thinned
from synthmix_dagster.distance.histograms import StreamedEstimate
from synthmix_dagster.distance.inference import (
    influence_variance,
    jackknife_variance,
    squared_interval,
    variance_and_units,
)
from synthmix_dagster.distance.options import Method, Order
from synthmix_dagster.distance.relabelling import halvings, relabelled_squares
from synthmix_dagster.distance.scales import Scales
from synthmix_dagster.distance.transport import transport_estimate
from synthmix_dagster.distance.wasserstein import (
    Floats,
    Singles,
    SlicedEstimate,
    orthonormal_directions,
    sliced_estimate,
)

#: Rows of a fold that the fits of the conditional gap take: more would hardly sharpen them.
MAX_FITTED = 5_000
#: Random halves that tell the floor: at first, at most, and from how many pairs of folds.
FIRST_HALVINGS, MAX_HALVINGS, MAX_PAIRS = 32, 512, 8
#: Halves in memory at a time, a byte for each and every row.
HALVINGS_AT_ONCE = 128
#: Relative standard error of the squared floor at which no more halves are drawn.
FLOOR_ERROR = 0.012
#: Confidence of the intervals.
LEVEL = 0.95
#: Quantiles that stand for what random relabellings show.
NULL_LEVELS = tuple(percent / 100 for percent in range(0, 101, 5))


@dataclass(frozen=True, eq=False)
class Points:
    """Encoded rows of both sides, and how they are cut into folds.

    Attributes
    ----------
    real : ndarray of shape (n, d)
    synthetic : ndarray of shape (m, d)
    cuts : list of pair of Side
        See `draw_cuts`. Sliced estimates are averaged over them, others take the first.
    groups : pair of ndarray of int, optional
        Group of every row, numbered from 0 on each side.
    """

    real: Singles
    synthetic: Singles
    cuts: list[Sides]
    groups: tuple[Ints, Ints] | None = None


@dataclass(frozen=True, eq=False)
class Estimate:
    """A debiased square with what is known of it.

    Attributes
    ----------
    square : float
        Signed, debiased squared W_p on the encoded space.
    within_real : float
        Mean squared W_p of two folds of the real side.
    parts : ndarray of shape (d,)
        Signed parts of the coordinates.
    variance : float
        Variance of `square`; nan where no scales were given.
    units : int
        Independent rows, groups or blocks that the variance was computed from.
    null_variance : float
        Variance that `square` would have if both distributions were equal; 0 where unknown.
    by_repeats : float
        What repeats among the synthetic rows may have added to `square`.
    """

    square: float
    within_real: float
    parts: Floats
    variance: float
    units: int
    null_variance: float = 0.0
    by_repeats: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the gap."""
        low, high = squared_interval(
            self.square, self.variance, self.units, LEVEL, self.null_variance, len(self.parts)
        )
        return signed_root(low - self.by_repeats), signed_root(high)


@dataclass(frozen=True)
class TargetGaps:
    """What a named target adds: the gap without it, and its own given the inputs.

    Attributes
    ----------
    inputs, conditional : float, optional
        None where there is nothing beside the target.
    interval : tuple of float, optional
        Of the conditional gap.
    overlap : float, optional
        See `ConditionalEstimate`.
    """

    inputs: float | None = None
    conditional: float | None = None
    interval: tuple[float, float] | None = None
    overlap: float | None = None


def estimate_gap(
    points: Points, directions: Floats, method: Method, p: Order, scales: Scales | None
) -> Estimate:
    """Estimate the debiased square of all coordinates together.

    Parameters
    ----------
    points : Points
    directions : ndarray of shape (n_directions, d)
        For ``sliced``.
    method : {"sliced", "exact", "sinkhorn", "gaussian"}
    p : {1, 2}
    scales : Scales, optional
        With them the variance is measured too.
    """
    real, synthetic, cuts = points.real, points.synthetic, points.cuts
    if method != "sliced":
        sides = cuts[0]
        found = transport_estimate(real, synthetic, sides, method=method, p=p)
        variance = float("nan")
        if scales is not None:
            variance = found.variance + jackknife_variance(scales.by_block @ found.parts)
        return Estimate(found.square, found.within_real, found.parts, variance, sides[0].n_blocks)
    d = real.shape[1]
    sliced = cut_estimate(points, directions, p)
    by_cut = [contributions(real, synthetic, directions, cut, p) for cut in cuts]
    parts: Floats = np.mean([one.parts for one in by_cut], axis=0) * d
    ours, theirs = (
        np.mean([one.influences[side] for one in by_cut], axis=0) * d for side in (0, 1)
    )
    if scales is not None:
        ours = ours + scales.influences_on(parts)
    variance, units = variance_and_units((ours, theirs), points.groups)
    return Estimate(
        square=float(np.mean(sliced.squares)) * d,
        within_real=sliced.within_real * d,
        parts=parts,
        variance=variance if scales is not None else float("nan"),
        units=units,
    )


def expected_within(
    points: Points, directions: Floats, p: Order, rng: np.random.Generator
) -> float:
    """What two folds of the real side show on average, over random halves of their rows.

    Halves are drawn until the mean is known to `FLOOR_ERROR`, up to `MAX_HALVINGS` of them.

    Parameters
    ----------
    points : Points
    directions : ndarray of shape (n_directions, d)
    p : {1, 2}
    rng : numpy.random.Generator
        Draws the halves.

    Returns
    -------
    float
        Squared W_p on the encoded space.
    """
    folds = points.cuts[0][0].folds
    groups = None if points.groups is None else points.groups[0]
    found: list[Floats] = []
    if len(folds) == 2:
        drawn = [np.arange(len(points.real))]
    else:
        # Rows of two folds at a time, since the size is that of a fold; all cuts have a say.
        drawn = [
            np.concatenate(pair)
            for real, _ in points.cuts
            for pair in zip(real.folds[::2], real.folds[1::2], strict=False)
        ]
        drawn = drawn[:: -(-len(drawn) // MAX_PAIRS)]
    first = -(-FIRST_HALVINGS // len(drawn))
    wanted = first
    while wanted > 0:
        for rows in drawn:
            of_rows = None if groups is None else np.unique(groups[rows], return_inverse=True)[1]
            for at in range(0, wanted, HALVINGS_AT_ONCE):
                count = min(HALVINGS_AT_ONCE, wanted - at)
                labels = halvings(len(rows), count, rng, of_rows)
                found.append(relabelled_squares(points.real[rows], directions, labels, p))
        squares = np.concatenate(found)
        mean, spread = float(np.mean(squares)), float(np.std(squares))
        if len(squares) > first * len(drawn) or mean <= 0:
            break
        enough = min((spread / (mean * FLOOR_ERROR)) ** 2, MAX_HALVINGS) - len(squares)
        wanted = int(np.ceil(enough / len(drawn)))
    return mean * points.real.shape[1]


def cut_estimate(points: Points, directions: Floats, p: int) -> SlicedEstimate:
    """The sliced estimate, averaged over the cuts."""
    found = [
        sliced_estimate(points.real, points.synthetic, directions, cut, p) for cut in points.cuts
    ]
    return SlicedEstimate(
        np.mean([one.squares for one in found], axis=0),
        float(np.mean([one.within_real for one in found])),
    )


def from_every_row(
    whole: StreamedEstimate, points: Points, sampled: Estimate, scales: Scales | None
) -> Estimate:
    """The square of all rows, with the parts of a sample and what its variance tells of theirs.

    The variance of a debiased square falls with the rows, but the scales stay those of the sample.
    """
    d = points.real.shape[1]
    share = max(len(points.real) / whole.n_real, len(points.synthetic) / whole.n_synthetic)
    variance = share * sampled.variance
    if scales is not None:
        groups = None if points.groups is None else points.groups[0]
        variance += influence_variance(scales.influences_on(sampled.parts), groups)
    return replace(
        sampled,
        square=float(np.mean(whole.squares)) * d,
        within_real=whole.within_real * d,
        variance=variance,
        null_variance=0.0,
    )


def target_gaps(
    points: Points,
    target: slice,
    weight: float,
    directions: int,
    p: int,
    rng: np.random.Generator,
    scales: Scales | None,
) -> TargetGaps:
    """Measure the gap without the target, and the target's given the inputs.

    Parameters
    ----------
    points : Points
    target : slice
        Coordinates of the target.
    weight : float
        Weight of the target, which its own gap is told without.
    directions : int
        Directions wanted.
    p : {1, 2}
    rng : numpy.random.Generator
    scales : Scales, optional
        With them there is an interval.
    """
    labels = [side[:, target] / np.sqrt(weight) for side in (points.real, points.synthetic)]
    inputs = [np.delete(side, target, axis=1) for side in (points.real, points.synthetic)]
    d = inputs[0].shape[1]
    if d == 0:
        return TargetGaps()
    turned = orthonormal_directions(d, directions, rng)
    squares = cut_estimate(replace(points, real=inputs[0], synthetic=inputs[1]), turned, p).squares
    sides = thinned(points.cuts[0], MAX_FITTED)
    found = conditional_estimate(inputs[0], labels[0], inputs[1], labels[1], sides, rng)
    interval = None
    if scales is not None:
        ours, theirs = found.influences
        of_scale = np.zeros(points.real.shape[1])
        of_scale[target.start] = found.square
        ours = ours + scales.influences_on(of_scale)
        variance, units = variance_and_units((ours, theirs), points.groups)
        low, high = squared_interval(found.square, variance, units, LEVEL)
        interval = signed_root(low), signed_root(high)
    return TargetGaps(
        inputs=signed_root(float(np.mean(squares)) * d),
        conditional=signed_root(found.square),
        interval=interval,
        overlap=found.overlap,
    )


def signed_root(square: float) -> float:
    """``sign(x) * sqrt(|x|)``: a distance that keeps the sign of its debiased square."""
    return float(np.sign(square) * np.sqrt(abs(square)))


def null_gaps(squares: Floats, dimension: int) -> tuple[float, ...]:
    """Quantiles 0, 5, ..., 100 % of what random relabellings show, as gaps.

    Parameters
    ----------
    squares : ndarray of shape (n_permutations,)
        Mean squared distance of each relabelling, chance included.
    dimension : int
        Coordinates, which make a mean over directions a distance of the whole.

    Examples
    --------
    >>> null_gaps(np.array([1.0, 2.0, 3.0]), 4)[::10]
    (-2.0, 0.0, 2.0)
    """
    debiased = (squares - np.mean(squares)) * dimension
    return tuple(signed_root(float(q)) for q in np.quantile(debiased, NULL_LEVELS))
