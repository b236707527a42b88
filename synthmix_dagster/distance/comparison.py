"""Two samples made ready to be compared: encoded, cut into folds, and within the memory allowed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthmix_dagster.distance.estimate import Points
from synthmix_dagster.distance.folds import Ints, draw_cuts
from synthmix_dagster.distance.memory import planned_memory
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.scales import Scales
from synthmix_dagster.distance.transport import MAX_ROWS
from synthmix_dagster.distance.wasserstein import Floats, orthonormal_directions
from synthmix_dagster.encoding.columns import require_rows
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.seeds import rng_of


@dataclass(frozen=True, eq=False)
class Comparison:
    """What every estimate is computed from.

    Attributes
    ----------
    real, synthetic : DataFrame
        The rows that are compared; `MAX_ROWS` of some methods.
    encoder : Encoder
    points : Points
        The same rows, encoded and cut.
    directions : ndarray of shape (n_directions, d)
    scales : Scales, optional
        None where no interval is wanted.
    memory_mb : int
        Memory planned for, in MB, inputs excluded.
    notes : tuple of str
        Which rows were left out.
    """

    real: pd.DataFrame
    synthetic: pd.DataFrame
    encoder: Encoder
    points: Points
    directions: Floats
    scales: Scales | None
    memory_mb: int
    notes: tuple[str, ...]


def compare(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    columns: Columns,
    options: DistanceOptions,
    *,
    with_target: bool,
) -> Comparison:
    """Encode two samples and cut them into folds.

    Parameters
    ----------
    real, synthetic : DataFrame
    columns : Columns
    options : DistanceOptions
    with_target : bool
        Whether memory for the gaps of a target is needed too.

    Raises
    ------
    ConfigError, DataError
        The frames cannot be compared, or that needs more memory than allowed.
    """
    for dataset, frame in (("real", real), ("synthetic", synthetic)):
        require_rows(len(frame), dataset)
    real, synthetic, notes = _drawn(real, synthetic, options)
    encoder = Encoder.fit(real, synthetic, columns)
    groups = None if columns.groups is None else _group_codes(real, synthetic, columns.groups)
    memory_mb = planned_memory(
        len(real),
        len(synthetic),
        encoder.dimension,
        options.method,
        options.permutations,
        with_target=with_target,
    )
    if memory_mb > options.memory_mb:
        raise ConfigError(
            f"measuring {len(real)} real and {len(synthetic)} synthetic rows of "
            f"{encoder.dimension} coordinates needs about {memory_mb} MB, but "
            f"{options.memory_mb} are allowed",
            option="memory_mb",
            fix="Raise it, or lower 'sample_rows'",
        )
    points = encoded_points(encoder, real, synthetic, options.seed, groups)
    directions = drawn_directions(encoder.dimension, options)
    # What only the intervals need.
    scales = Scales(encoder, points.real, points.cuts[0][0]) if options.permutations else None
    return Comparison(real, synthetic, encoder, points, directions, scales, memory_mb, notes)


def encoded_points(
    encoder: Encoder,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    seed: int,
    groups: tuple[Ints, Ints] | None = None,
) -> Points:
    """Encode both sides in single precision, refuse what is too far out for it, and cut them."""
    sides = encoder.transform(real, np.float32), encoder.transform(synthetic, np.float32)
    for points, dataset in zip(sides, ("real", "synthetic"), strict=True):
        encoder.require_near(points, dataset)
    cuts = draw_cuts(len(real), len(synthetic), rng_of(seed, "distance folds"), groups)
    return Points(*sides, cuts, groups)


def drawn_directions(dimension: int, options: DistanceOptions) -> Floats:
    """The directions of a measurement, the same for every estimate of it."""
    rng = rng_of(options.seed, "distance directions")
    return orthonormal_directions(dimension, options.directions, rng)


def _drawn(
    real: pd.DataFrame, synthetic: pd.DataFrame, options: DistanceOptions
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """The rows that a method of bounded size can take."""
    max_rows = MAX_ROWS.get(options.method)
    if max_rows is None:
        return real, synthetic, ()
    rng = rng_of(options.seed, "distance rows")
    frames, notes = [], []
    for dataset, frame in (("real", real), ("synthetic", synthetic)):
        if len(frame) > max_rows:
            notes.append(
                f"the method '{options.method}' takes {max_rows} of {len(frame)} {dataset} rows"
            )
            frame = frame.iloc[rng.permutation(len(frame))[:max_rows]].reset_index(drop=True)
        frames.append(frame)
    return frames[0], frames[1], tuple(notes)


def _group_codes(real: pd.DataFrame, synthetic: pd.DataFrame, groups: str) -> tuple[Ints, Ints]:
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
