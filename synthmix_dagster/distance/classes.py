"""The shift of one class given the inputs: what a mean over all rows hides.

Labels of a class that one row in fifty has may all be wrong, and the conditional gap, a mean over
real rows, stays small. So each class is compared with all others under weights that make it half of
the real rows:

    v(y) = 1 / (2 s)  for rows of the class,  1 / (2 (1 - s))  for all others,

where s is the share of the class among the real rows. The weights depend on the label alone and are
the same on both sides, so that the mean of the label given the inputs, under these weights, differs
between the sides only where it differs without them: a generator that merely makes other inputs
shows no shift. With them the square is in units of a class, whatever its share: 1 where every row
that looks like the class is labelled otherwise.

The weights count a label of a rare class by its rarity, so what is told is rather whether the class
can still be recognised than how many of its labels are wrong: with half of the labels of a rare
class flipped to a common one, those that stay outweigh the others. That is what `kept_labels` sees,
and the gate on classes compares both. docs/method.md has a table of what sees which shift.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.distance.conditional import MAX_FOLDS, conditional_estimate
from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.distance.folds import Ints, Side
from synthmix_dagster.distance.inference import squared_interval, variance_and_units
from synthmix_dagster.distance.kept_labels import KeptLabels, kept_labels

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

#: Fewer real rows of a class than this say nothing about its labels.
MIN_CLASS_ROWS = 20
#: Classes that are compared, the rarest first: common ones show in the mean over all rows.
MAX_CLASSES = 20


@dataclass(frozen=True)
class ClassShift:
    """How far the label of one class moved for given inputs.

    Attributes
    ----------
    name : str
        The class.
    gap : float
        Signed root of the debiased square; 1 where every row that looks like it has another label.
    interval : tuple of float
        Interval of `gap`. The intervals of all classes that were compared hold
        together in 95 % of all cases, so that the worst may be picked.
    real_rows, synthetic_rows : int
        Rows with this label that were compared.
    overlap : float
        Share of the weighted real rows with synthetic ones nearby, for which `gap` speaks.
    kept : float, optional
        How often synthetic rows that look like the class carry its label, relative to real ones; 1
        where no label moved. None where too few rows look like it, or rows are in groups.
    kept_interval : tuple of float, optional
        Interval of `kept`, simultaneous like that of `gap`.
    """

    name: str
    gap: float
    interval: tuple[float, float]
    real_rows: int
    synthetic_rows: int
    overlap: float
    kept: float | None = None
    kept_interval: tuple[float, float] | None = None

    def moved(self, end: Literal["estimate", "upper", "lower"] = "estimate") -> float:
        """Share of the labels that moved, in either direction.

        As shares of rare classes are uncertain, the least that the interval allows counts, unless
        the upper end is asked for.
        """
        if self.kept_interval is None:
            return 0.0
        low, high = self.kept_interval
        if end == "upper":
            return max(abs(1 - low), abs(1 - high))
        return 0.0 if low <= 1 <= high else min(abs(1 - low), abs(1 - high))


def class_shifts(
    x_real: Floats | Singles,
    labels_real: NDArray[np.int64],
    x_synthetic: Floats | Singles,
    labels_synthetic: NDArray[np.int64],
    names: tuple[str, ...],
    sides: tuple[Side, Side],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    groups: tuple[Ints, Ints] | None = None,
) -> tuple[ClassShift, ...]:
    """Measure the shift of every class that has enough rows, the worst first.

    Parameters
    ----------
    x_real : ndarray of shape (n, d)
        Encoded inputs of the real rows.
    labels_real : ndarray of int of shape (n,)
        Position of each label in `names`; another number for a label that is not judged.
    x_synthetic : ndarray of shape (m, d)
    labels_synthetic : ndarray of int of shape (m,)
    names : tuple of str
        Every class of the real rows.
    sides : pair of Side
        Folds and blocks, from `draw_sides`.
    rng : numpy.random.Generator
        Draws the landmarks.
    level : float
        Coverage of all intervals together.
    groups : pair of ndarray of int, optional
        Group of every row, numbered from 0 on each side. Trees would know the groups of rows that
        they did not see, so that kept labels are not compared then.

    Returns
    -------
    tuple of ClassShift
        None for classes of fewer than `MIN_CLASS_ROWS` real rows in the folds, or of nearly all.
        Of two classes the rarer alone: what leaves one enters the other.
    """
    used = [np.concatenate(side.folds[:MAX_FOLDS]) for side in sides]
    judged_real, judged_synthetic = labels_real[used[0]], labels_synthetic[used[1]]
    counts = np.bincount(judged_real[judged_real >= 0], minlength=len(names))
    enough = [
        int(c)
        for c in np.argsort(counts, kind="stable")
        if MIN_CLASS_ROWS <= counts[c] <= len(judged_real) - MIN_CLASS_ROWS
    ]
    one_is_the_other = len(names) == 2 and min(map(np.min, (judged_real, judged_synthetic))) >= 0
    compared = enough[: 1 if one_is_the_other else MAX_CLASSES]
    shifts = []
    for c in compared:
        of_class = labels_real == c, labels_synthetic == c
        share = counts[c] / len(judged_real)
        weights = [np.where(mine, 0.5 / share, 0.5 / (1 - share)) for mine in of_class]
        indicators = [mine[:, None].astype(np.float64) for mine in of_class]
        estimate = conditional_estimate(
            x_real, indicators[0], x_synthetic, indicators[1], sides, rng, (weights[0], weights[1])
        )
        variance, units = variance_and_units(estimate.influences, groups)
        low, high = squared_interval(
            estimate.square, variance, units, 1 - (1 - level) / len(compared)
        )
        shifts.append(
            ClassShift(
                name=names[c],
                gap=signed_root(estimate.square),
                interval=(signed_root(low), signed_root(high)),
                real_rows=int(counts[c]),
                synthetic_rows=int(np.sum(judged_synthetic == c)),
                overlap=estimate.overlap,
            )
        )
    if compared and groups is None:
        reach = _reach(1 - (1 - level) / len(compared))
        kept = kept_labels(x_real, labels_real, x_synthetic, labels_synthetic, rng)
        shifts = [_with_kept(shift, kept.get(names.index(shift.name)), reach) for shift in shifts]
    return tuple(sorted(shifts, key=lambda shift: -max(shift.gap, shift.moved())))


def _with_kept(shift: ClassShift, kept: KeptLabels | None, reach: float) -> ClassShift:
    if kept is None:
        return shift
    low, high = kept.share - reach * kept.error, kept.share + reach * kept.error
    return replace(shift, kept=kept.share, kept_interval=(max(0.0, low), high))


def _reach(level: float) -> float:
    """Standard errors to either side of an interval."""
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
