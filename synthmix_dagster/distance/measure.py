"""Measure the gap between two samples and say how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np
import pandas as pd

from synthmix_dagster.distance.classes import MAX_CLASSES, MIN_CLASS_ROWS, ClassShift, class_shifts
from synthmix_dagster.distance.classifier import ClassifierTest, classifier_test
from synthmix_dagster.distance.comparison import (
    Comparison,
    compare,
    drawn_directions,
    encoded_points,
)
from synthmix_dagster.distance.conditional import MIN_OVERLAP
from synthmix_dagster.distance.describe import column_gaps, named_directions, worst_differences
from synthmix_dagster.distance.estimate import (
    MAX_FITTED,
    Estimate,
    Points,
    TargetGaps,
    cut_estimate,
    estimate_gap,
    expected_within,
    from_every_row,
    null_gaps,
    signed_root,
    target_gaps,
)
from synthmix_dagster.distance.every_row import EveryRow, Whole, whole_estimate
from synthmix_dagster.distance.folds import Ints, thinned
from synthmix_dagster.distance.inference import permutation_test
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.repeats import (
    MIN_DISTINCT,
    allowing_for_repeats,
    distinct_share,
)
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.distance.scales import in_pooled_units
from synthmix_dagster.distance.worst import Direction, worst_directions
from synthmix_dagster.encoding.columns import level_names, some_names
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.seeds import rng_of

#: Directions in which the sides differ most.
WORST_DIRECTIONS = 3


def measure(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    columns: Columns = Columns(),
    options: DistanceOptions = DistanceOptions(),
    target: str | None = None,
    every_row: tuple[EveryRow, EveryRow] | None = None,
    fold_seed: int | None = None,
    notes: Sequence[str] = (),
) -> DistanceReport:
    """Measure the debiased gap of two frames, its interval, floor, p-value and columns.

    Parameters
    ----------
    real, synthetic : DataFrame
        Rows to compare.
    columns : Columns
        Which columns take part, as what, and on what scale.
    options : DistanceOptions
        How to measure. The frames are the samples, whatever `sample_rows` is.
    target : str, optional
        Label column. It takes part in the gap like any other; naming it adds the gap of the inputs
        without it, and that of the target given the inputs.
    every_row : pair of callable, optional
        Passes over all rows of both sides. With them the gap, its floor and its interval are those
        of every row, and the frames are the sample from which all else is computed.
    fold_seed : int, optional
        With `every_row`, what decides the fold of a row beside its number; by default the seed.
    notes : sequence of str
        Remarks of the caller to keep with the result.

    Returns
    -------
    DistanceReport

    Raises
    ------
    ConfigError, DataError
        An option needs more memory than allowed; the frames cannot be compared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(0.0, 1.0, 2000)})
    >>> shifted = pd.DataFrame({"x": rng.normal(1.0, 1.0, 2000)})
    >>> report = measure(real, shifted, options=DistanceOptions(permutations=19))
    >>> round(report.gap, 1), report.p_value
    (1.0, 0.05)
    """
    _require_used(target, columns)
    pair = compare(real, synthetic, columns, options, with_target=target is not None)
    encoder, points = pair.encoder, pair.points
    estimate = estimate_gap(points, pair.directions, options.method, options.p, pair.scales)
    gaps = column_gaps(encoder, pair.real, pair.synthetic, points, estimate.parts, options.p)
    chance = _chance(pair, options)
    if options.method == "sliced":
        estimate = _with_floor(replace(estimate, null_variance=chance.variance), pair, options)
    whole = None
    if every_row is not None:
        whole = whole_estimate(encoder, every_row, pair.directions, options, fold_seed)
        estimate = from_every_row(whole.estimate, points, estimate, pair.scales)
    share = distinct_share(points.real, points.synthetic)
    estimate = allowing_for_repeats(estimate, share, *_rows_of(pair, whole))
    worst = _widest(points, options.seed)
    about_target = _about_target(pair, target, options)
    classes, notes_on_classes = _about_classes(pair, target, options)
    remarks = (
        *chance.notes,
        *_notes_on_rows(pair, whole),
        *([] if worst else [_NO_DIRECTIONS]),
        *_notes_on_target(pair, target, about_target),
        *notes_on_classes,
        *_notes_on_repeats(share, len(pair.synthetic)),
    )
    n, m = _rows_of(pair, whole)
    return DistanceReport(
        gap=signed_root(estimate.square),
        gap_squared=estimate.square,
        gap_per_column=signed_root(estimate.square) / float(np.sqrt(encoder.dimension)),
        floor=float(np.sqrt(max(estimate.within_real, 0.0))),
        p_value=chance.p_value,
        interval=estimate.interval if options.permutations else None,
        input_gap=about_target.inputs,
        conditional_gap=about_target.conditional,
        conditional_interval=about_target.interval,
        overlap=about_target.overlap,
        columns=gaps,
        directions=named_directions(encoder, worst),
        differences=worst_differences(encoder, gaps, pair.real, pair.synthetic),
        dimension=encoder.dimension,
        method=options.method,
        p=options.p,
        scaling=columns.scaling,
        rows="sample" if whole is None else "all",
        n_real=n,
        n_synthetic=m,
        n_directions=len(pair.directions),
        n_permutations=options.permutations,
        clipped=0.0 if whole is None else whole.estimate.clipped,
        memory_mb=pair.memory_mb,
        seed=options.seed,
        notes=(*notes, *pair.notes, *remarks, *encoder.notes),
        null=chance.null,
        classes=classes,
        classifier=_told_apart(pair, options),
        distinct_share=share,
    )


def _require_used(target: str | None, columns: Columns) -> None:
    """Refuse a target that is left out of the distance."""
    if target is not None and target in columns.left_out:
        raise ConfigError(
            f"'{target}' is also named by 'groups', 'key' or 'ignore', so it is left out",
            option="target",
            fix="Leave it out there, or name another target",
        )


def measure_gap(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    columns: Columns = Columns(),
    options: DistanceOptions = DistanceOptions(),
) -> float:
    """Measure the sliced gap and nothing else: the same number as `measure`, at a part of its cost.

    Parameters
    ----------
    real, synthetic, columns
        As in `measure`.
    options : DistanceOptions
        Its directions and its seed.
    """
    encoder = Encoder.fit(real, synthetic, columns)
    points = encoded_points(encoder, real, synthetic, options.seed)
    directions = drawn_directions(encoder.dimension, options)
    squares = cut_estimate(points, directions, 2).squares
    return signed_root(float(np.mean(squares)) * encoder.dimension)


def _widest(points: Points, seed: int) -> list[Direction]:
    rng = rng_of(seed, "distance worst directions")
    return worst_directions(points.real, points.synthetic, WORST_DIRECTIONS, rng, points.groups)


_NO_DIRECTIONS = "too few groups to look for the widest directions in some of them"


def _with_floor(estimate: Estimate, pair: Comparison, options: DistanceOptions) -> Estimate:
    """The estimate with the mean over random halves for its floor."""
    rng = rng_of(options.seed, "distance floor")
    within = expected_within(pair.points, pair.directions, options.p, rng)
    return replace(estimate, within_real=within)


@dataclass(frozen=True)
class _Chance:
    """What chance alone would show.

    Attributes
    ----------
    p_value : float, optional
    null : tuple of float
        See `DistanceReport`.
    variance : float
        Variance of a sliced square at equality; 0 where unknown.
    notes : tuple of str
    """

    p_value: float | None = None
    null: tuple[float, ...] = ()
    variance: float = 0.0
    notes: tuple[str, ...] = ()


def _chance(pair: Comparison, options: DistanceOptions) -> _Chance:
    """Relabel the rows at random."""
    if not options.permutations:
        return _Chance()
    d, points = pair.encoder.dimension, pair.points
    test = permutation_test(
        *in_pooled_units(pair.encoder, points.real, points.synthetic),
        pair.directions,
        options.permutations,
        rng_of(options.seed, "distance relabellings"),
        p=options.p,
        groups=points.groups,
    )
    return _Chance(
        p_value=test.p_value,
        null=null_gaps(test.null, d),
        # The test uses all pairs of rows, one cut into folds half of them.
        variance=(1 + 1 / len(points.cuts)) * float(np.var(test.null)) * d**2,
        notes=()
        if points.groups is None
        else _few_relabellings(points.groups, options.permutations),
    )


def _few_relabellings(groups: tuple[Ints, Ints], permutations: int) -> tuple[str, ...]:
    """With few groups there are fewer relabellings than were asked for."""
    first, second = (1 + int(codes.max()) for codes in groups)
    distinct = comb(first + second, first)
    if distinct > permutations:
        return ()
    return (f"{first} and {second} groups can be relabelled in {distinct} ways only",)


def _about_target(pair: Comparison, target: str | None, options: DistanceOptions) -> TargetGaps:
    if target is None or target not in pair.encoder.columns:
        return TargetGaps()
    code = pair.encoder.code(target)
    if code.kind in ("categorical", "boolean"):
        _require_shared_classes(pair, target)
    return target_gaps(
        pair.points,
        slice(code.start, code.stop),
        code.weight,
        options.directions,
        options.p,
        rng_of(options.seed, "distance target"),
        pair.scales,
    )


def _require_shared_classes(pair: Comparison, target: str) -> None:
    """Refuse labels that are written differently on the two sides, such as 0, 1 and False, True."""
    real, synthetic = (
        set(level_names(side[target]).dropna()) for side in (pair.real, pair.synthetic)
    )
    if real.isdisjoint(synthetic):
        raise DataError(
            f"it has the classes {some_names(sorted(synthetic))}, none of which a real row has",
            dataset="synthetic",
            column=target,
            fix=f"Write its labels as in the real rows: {some_names(sorted(real))}",
        )


def _about_classes(
    pair: Comparison, target: str | None, options: DistanceOptions
) -> tuple[tuple[ClassShift, ...], tuple[str, ...]]:
    """Compare the label of every class, and name those that have too few rows for it."""
    encoder, points = pair.encoder, pair.points
    if not options.permutations or target not in encoder.columns or len(encoder.columns) == 1:
        return (), ()
    code = encoder.code(target)
    if code.kind not in ("categorical", "boolean"):
        return (), ()
    coded, distinct = pd.factorize(level_names(pair.real[target]), sort=True)
    names = tuple(map(str, distinct))
    of_synthetic = pd.Index(distinct).get_indexer(pd.Index(level_names(pair.synthetic[target])))
    shifts = class_shifts(
        np.delete(points.real, slice(code.start, code.stop), axis=1),
        coded,
        np.delete(points.synthetic, slice(code.start, code.stop), axis=1),
        of_synthetic,
        names,
        thinned(points.cuts[0], MAX_FITTED),
        rng_of(options.seed, "distance classes"),
        groups=pair.points.groups,
    )
    notes = []
    counts = np.bincount(coded, minlength=len(names))
    rare = [name for name, count in zip(names, counts, strict=True) if count < MIN_CLASS_ROWS]
    if rare:
        notes.append(
            f"labels were not compared for classes of fewer than {MIN_CLASS_ROWS} real rows: "
            + some_names(rare)
        )
    if len(names) - len(rare) > MAX_CLASSES:
        notes.append(f"labels were compared for the {MAX_CLASSES} rarest classes only")
    return shifts, tuple(notes)


def _told_apart(pair: Comparison, options: DistanceOptions) -> ClassifierTest | None:
    if not options.classifier:
        return None
    rng = rng_of(options.seed, "distance classifier")
    return classifier_test(pair.points.real, pair.points.synthetic, rng, pair.points.groups)


def _rows_of(pair: Comparison, whole: Whole | None) -> tuple[int, int]:
    if whole is None:
        return len(pair.real), len(pair.synthetic)
    return whole.estimate.n_real, whole.estimate.n_synthetic


def _notes_on_repeats(share: float | None, rows: int) -> tuple[str, ...]:
    if share is None or share > MIN_DISTINCT:
        return ()
    return (
        f"{rows} synthetic rows repeat each other and count as {share * rows:.0f} distinct ones: "
        "floor and interval allow for it, the p-value does not",
    )


def _notes_on_rows(pair: Comparison, whole: Whole | None) -> tuple[str, ...]:
    if whole is None:
        return ()
    sampled = (
        "the gap, its floor and its interval are those of every row, all else that of "
        f"{len(pair.real)} real and {len(pair.synthetic)} synthetic rows"
    )
    return sampled, *whole.notes


def _notes_on_target(pair: Comparison, target: str | None, gaps: TargetGaps) -> tuple[str, ...]:
    if target is not None and target not in pair.encoder.columns:
        return (f"no conditional gap: the target '{target}' says nothing in real",)
    if gaps.overlap is not None and gaps.overlap < MIN_OVERLAP:
        return (
            f"the conditional gap speaks for {gaps.overlap:.0%} of the real rows: few synthetic "
            "rows have inputs like the others",
        )
    return ()
