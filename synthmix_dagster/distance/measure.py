"""Measure the gap between two samples and say how sure that is."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import comb

import numpy as np
import pandas as pd

from synthmix_dagster.distance.conditional import LEAST_OVERLAP
from synthmix_dagster.distance.describe import column_gaps, named_directions, worst_differences
from synthmix_dagster.distance.estimate import (
    METHODS,
    Points,
    TargetGaps,
    cut_estimate,
    estimate_gap,
    from_every_row,
    null_gaps,
    signed_root,
    target_gaps,
)
from synthmix_dagster.distance.folds import Ints, draw_cuts
from synthmix_dagster.distance.histograms import streamed_estimate
from synthmix_dagster.distance.inference import permutation_test
from synthmix_dagster.distance.memory import planned_memory
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.distance.scales import in_pooled_units, rescalings
from synthmix_dagster.distance.transport import MOST_ROWS
from synthmix_dagster.distance.wasserstein import Singles, orthonormal_directions
from synthmix_dagster.distance.worst import worst_directions
from synthmix_dagster.encoding.codes import Scaling
from synthmix_dagster.encoding.columns import require_known, require_rows
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError

#: Directions in which the sides differ most.
WORST_DIRECTIONS = 3

#: Opens a fresh pass over all rows of a side.
Frames = Callable[[], Iterator[pd.DataFrame]]


def measure(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    target: str | None = None,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = "standard",
    groups: str | None = None,
    method: str = "sliced",
    p: int = 2,
    every_row: tuple[Frames, Frames] | None = None,
    directions: int = 100,
    permutations: int = 199,
    memory_mb: int = 1_000,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> DistanceReport:
    """Measure the debiased gap of two frames, its interval, floor, p-value and columns.

    Parameters
    ----------
    real, synthetic : DataFrame
        Rows to compare.
    target : str, optional
        Label column. It takes part in the gap like any other; naming it adds the gap of the inputs
        without it, and that of the target given the inputs.
    categorical, ignore, weights, scaling
        See `Encoder.fit`.
    groups : str, optional
        Column of both sides whose rows belong together (session, day). Whole groups are cut into
        folds and relabelled. It is left out of the distance.
    method : {"sliced", "exact", "sinkhorn", "gaussian"}
        Estimator. All but ``sliced`` take a bounded number of rows and draw that many.
    p : {1, 2}
        Order of the distance.
    every_row : pair of callable, optional
        Passes over all rows of both sides. With them the gap, its floor and its interval are those
        of every row, and the frames are the sample from which all else is computed.
    directions : int
        Directions wanted; rounded up to whole orthonormal blocks.
    permutations : int
        Relabellings for the p-value, the smallest of which is ``1 / (permutations + 1)``. With 0
        there is neither p-value nor interval.
    memory_mb : int
        Most memory to plan for, in MB, the inputs not counted.
    seed : int
        Seed of directions, folds and relabellings.
    notes : sequence of str
        Remarks of the caller to keep with the result.

    Returns
    -------
    DistanceReport

    Raises
    ------
    ConfigError, DataError
        An option is wrong or needs more memory than allowed; the frames cannot be compared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(0.0, 1.0, 2000)})
    >>> shifted = pd.DataFrame({"x": rng.normal(1.0, 1.0, 2000)})
    >>> report = measure(real, shifted, permutations=19)
    >>> round(report.gap, 1), report.p_value
    (1.0, 0.05)
    """
    _require_options(method, p, directions, permutations, every_row is not None)
    if target is not None and target in (*ignore, groups):
        raise ConfigError(
            f"'{target}' is also named by 'groups', 'key' or 'ignore', so it is left out",
            option="target",
            fix="Leave it out there, or name another target",
        )
    for dataset, frame in (("real", real), ("synthetic", synthetic)):
        require_rows(len(frame), dataset)
    to_draw, to_turn, to_fold, to_relabel, to_seek, to_fit = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(6)
    )
    remarks = list(notes)
    if method in MOST_ROWS:
        real, synthetic = (
            _drawn(side, name, method, to_draw, remarks)
            for side, name in ((real, "real"), (synthetic, "synthetic"))
        )
    members = None if groups is None else _group_codes(real, synthetic, groups)
    encoder = Encoder.fit(
        real,
        synthetic,
        categorical=categorical,
        ignore=[*ignore, *([] if groups is None else [groups])],
        weights=weights,
        scaling=scaling,
    )
    n, m, d = len(real), len(synthetic), encoder.dimension
    memory = planned_memory(n, m, d, method, permutations, with_target=target is not None)
    if memory > memory_mb:
        raise ConfigError(
            f"measuring {n} real and {m} synthetic rows of {d} coordinates needs about "
            f"{memory} MB, but {memory_mb} are allowed",
            option="memory_mb",
            fix="Raise it, or lower 'sample_rows'",
        )
    points = _points(encoder, real, synthetic, to_fold, members)
    turned = orthonormal_directions(d, directions, to_turn)
    # What only the intervals need.
    factors = rescalings(encoder, points.real, points.cuts[0][0]) if permutations else None
    estimate = estimate_gap(points, turned, method, p, factors)
    columns = column_gaps(encoder, real, synthetic, points, estimate.parts, p)
    p_value: float | None = None
    null: tuple[float, ...] = ()
    if permutations:
        pooled = in_pooled_units(encoder, points.real, points.synthetic)
        test = permutation_test(*pooled, turned, permutations, to_relabel, p=p, groups=members)
        p_value, null = test.p_value, null_gaps(test.null, d)
        if method == "sliced":
            # The test uses all pairs of rows, one cut into folds half of them.
            chance = (1 + 1 / len(points.cuts)) * float(np.var(test.null)) * d**2
            estimate = replace(estimate, null_variance=chance)
        if members is not None:
            remarks += _few_relabellings(members, permutations)
    clipped = 0.0
    if every_row is not None:
        remarks.append(
            f"the gap, its floor and its interval are those of every row, all else that of {n} "
            f"real and {m} synthetic rows"
        )
        hidden: dict[str, str] = {}
        passes = [
            partial(_encoded, encoder, frames, name, hidden)
            for frames, name in zip(every_row, ("real", "synthetic"), strict=True)
        ]
        whole = streamed_estimate(passes[0], passes[1], turned, seed=seed, p=p)
        remarks += hidden.values()
        estimate = from_every_row(whole, points, estimate, factors)
        n, m, clipped = whole.n_real, whole.n_synthetic, whole.clipped
    worst = worst_directions(points.real, points.synthetic, WORST_DIRECTIONS, to_seek, members)
    if not worst:
        remarks.append("too few groups to look for the widest directions in some of them")
    about_target = TargetGaps()
    if target is not None and target in encoder.columns:
        code = encoder.code(target)
        about_target = target_gaps(
            points,
            slice(code.start, code.stop),
            code.weight,
            directions,
            p,
            to_fit,
            factors,
        )
        if about_target.overlap is not None and about_target.overlap < LEAST_OVERLAP:
            remarks.append(
                f"the conditional gap speaks for {about_target.overlap:.0%} of the real rows: few "
                "synthetic rows have inputs like the others"
            )
    elif target is not None:
        remarks.append(f"no conditional gap: the target '{target}' says nothing in real")
    return DistanceReport(
        gap=signed_root(estimate.square),
        gap_squared=estimate.square,
        gap_per_column=signed_root(estimate.square) / float(np.sqrt(d)),
        floor=float(np.sqrt(max(estimate.within_real, 0.0))),
        p_value=p_value,
        interval=estimate.interval if permutations else None,
        input_gap=about_target.inputs,
        conditional_gap=about_target.conditional,
        conditional_interval=about_target.interval,
        overlap=about_target.overlap,
        columns=columns,
        directions=named_directions(encoder, worst),
        differences=worst_differences(encoder, columns, real, synthetic),
        dimension=d,
        method=method,
        p=p,
        scaling=scaling,
        rows="sample" if every_row is None else "all",
        n_real=n,
        n_synthetic=m,
        n_directions=len(turned),
        n_permutations=permutations,
        clipped=clipped,
        memory_mb=memory,
        seed=seed,
        notes=(*remarks, *encoder.notes),
        null=null,
    )


def measure_gap(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = "standard",
    directions: int = 100,
    seed: int = 0,
) -> float:
    """Measure the sliced gap and nothing else: the same number as `measure`, at a part of its cost.

    Parameters
    ----------
    real, synthetic, categorical, ignore, weights, scaling, directions, seed
        As in `measure`.
    """
    encoder = Encoder.fit(
        real, synthetic, categorical=categorical, ignore=ignore, weights=weights, scaling=scaling
    )
    _, to_turn, to_fold, *_ = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(6)
    )
    points = _points(encoder, real, synthetic, to_fold)
    turned = orthonormal_directions(encoder.dimension, directions, to_turn)
    return signed_root(float(np.mean(cut_estimate(points, turned, 2).squares)) * encoder.dimension)


def _points(
    encoder: Encoder,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    rng: np.random.Generator,
    members: tuple[Ints, Ints] | None = None,
) -> Points:
    ours, theirs = (encoder.transform(side, np.float32) for side in (real, synthetic))
    for points, dataset in ((ours, "real"), (theirs, "synthetic")):
        encoder.require_near(points, dataset)
    return Points(ours, theirs, draw_cuts(len(ours), len(theirs), rng, members))


def _require_options(
    method: str, p: int, directions: int, permutations: int, every_row: bool
) -> None:
    if method not in METHODS:
        raise UnknownChoiceError(method, option="method", known=METHODS)
    if p not in (1, 2):
        raise ConfigError(f"it is {p}", option="p", fix="Set it to 1 or 2")
    if p == 1 and method == "gaussian":
        raise ConfigError(
            "the distance of two Gaussians is known for p = 2 only",
            option="p",
            fix="Set it to 2, or use another method",
        )
    if every_row and method != "sliced":
        raise ConfigError(
            f"the method '{method}' cannot measure every row",
            option="rows",
            fix="Set it to 'sample', or the method to 'sliced'",
        )
    for option, value, least in (("directions", directions, 1), ("permutations", permutations, 0)):
        if value < least:
            raise ConfigError(f"it is {value}", option=option, fix=f"Set it to {least} or more")


def _drawn(
    frame: pd.DataFrame, name: str, method: str, rng: np.random.Generator, remarks: list[str]
) -> pd.DataFrame:
    """The rows that a method of bounded size can take."""
    most = MOST_ROWS[method]
    if len(frame) <= most:
        return frame
    remarks.append(f"the method '{method}' takes {most} of {len(frame)} {name} rows")
    return frame.iloc[rng.permutation(len(frame))[:most]].reset_index(drop=True)


def _group_codes(real: pd.DataFrame, synthetic: pd.DataFrame, groups: str) -> tuple[Ints, Ints]:
    require_known([groups], [*map(str, real.columns), *map(str, synthetic.columns)], "groups")
    codes = []
    for dataset, frame in (("real", real), ("synthetic", synthetic)):
        if groups not in frame.columns:
            raise DataError(
                f"it has no column '{groups}', which 'groups' names",
                dataset=dataset,
                fix="Give both sides a group for every row, or leave out 'groups'",
            )
        code, _ = pd.factorize(frame[groups])
        if (code < 0).any():
            raise DataError(
                f"the group is missing in {int(np.sum(code < 0))} of {len(frame)} rows",
                dataset=dataset,
                column=groups,
                fix="Give every row a group, or leave out 'groups'",
            )
        codes.append(code.astype(np.int64))
    return codes[0], codes[1]


def _few_relabellings(members: tuple[Ints, Ints], permutations: int) -> list[str]:
    """With few groups there are fewer relabellings than were asked for."""
    first, second = (1 + int(codes.max()) for codes in members)
    distinct = comb(first + second, first)
    if distinct > permutations:
        return []
    return [f"{first} and {second} groups can be relabelled in {distinct} ways only"]


def _encoded(
    encoder: Encoder, frames: Frames, dataset: str, hidden: dict[str, str]
) -> Iterator[Singles]:
    """Encode every row; `hidden` gets a note for each column that has no slot for missing ones."""
    missing: Counter[str] = Counter()
    for frame in frames():
        encoder.require(frame, dataset)
        for code in encoder.codes:
            if not code.tells_missing:
                missing[code.column] += int(frame[code.column].isna().sum())
        points = encoder.transform(frame, np.float32)
        encoder.require_near(points, dataset)
        yield points
    for column, count in (+missing).items():
        hidden[f"{dataset} {column}"] = (
            f"{column}: {count} {dataset} values are missing, but none in the sample: they count "
            "as its mean"
        )
