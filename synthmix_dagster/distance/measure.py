"""Measure the gap between two samples and say how sure that is."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.distance.attribution import coordinate_parts
from synthmix_dagster.distance.encoding import Encoder
from synthmix_dagster.distance.inference import jackknife, permutation_test, squared_interval
from synthmix_dagster.distance.report import ColumnGap, DistanceReport
from synthmix_dagster.distance.wasserstein import orthonormal_directions, sliced_estimate
from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError

METHODS = ("sliced",)
#: Confidence of the interval.
LEVEL = 0.95
#: Folds of fewer rows than this say nothing.
LEAST_ROWS = 10


def measure(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    method: str = "sliced",
    directions: int = 100,
    permutations: int = 199,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> DistanceReport:
    """Measure the debiased gap of two frames, its interval, floor, p-value and columns.

    Parameters
    ----------
    real, synthetic : DataFrame
        Rows to compare. A target column that is present takes part: pass ``ignore=[target]`` to
        compare inputs alone.
    categorical, ignore : collection of str
        See `Encoder.fit`.
    method : {"sliced"}
        Estimator.
    directions : int
        Directions wanted; rounded up to whole orthonormal blocks.
    permutations : int
        Relabellings for the p-value; the smallest p-value is ``1 / (permutations + 1)``.
    seed : int
        Seed of directions, folds and relabellings.
    notes : sequence of str
        Remarks of the caller to keep with the result.

    Returns
    -------
    DistanceReport

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(0.0, 1.0, 2000)})
    >>> shifted = pd.DataFrame({"x": rng.normal(1.0, 1.0, 2000)})
    >>> report = measure(real, shifted, permutations=19)
    >>> round(report.gap, 1), report.p_value
    (1.0, 0.05)
    """
    if method not in METHODS:
        raise UnknownChoiceError(method, option="method", known=METHODS)
    for option, value in (("directions", directions), ("permutations", permutations)):
        if value < 1:
            raise ConfigError(f"it is {value}", option=option, fix="Set it to 1 or more")
    for dataset, frame in (("real", real), ("synthetic", synthetic)):
        require_rows(len(frame), dataset)
    encoder = Encoder.fit(real, synthetic, categorical=categorical, ignore=ignore)
    points, others = encoder.transform(real), encoder.transform(synthetic)
    d = encoder.dimension
    to_turn, to_fold, to_relabel = np.random.SeedSequence(seed).spawn(3)
    turned = orthonormal_directions(d, directions, np.random.default_rng(to_turn))
    estimate = sliced_estimate(points, others, turned, np.random.default_rng(to_fold))
    left_out = jackknife(points, others, turned, np.random.default_rng(to_fold))
    test = permutation_test(points, others, turned, permutations, np.random.default_rng(to_relabel))
    parts = coordinate_parts(points, others, turned, np.random.default_rng(to_fold))
    own = sliced_estimate(points, others, np.eye(d), np.random.default_rng(to_fold)).squares
    square = float(np.mean(estimate.squares)) * d
    # Two folds use half of all pairs of rows, the test uses all: hence twice its variance.
    null_variance = 2 * float(np.var(test.null)) * d**2
    low, high = squared_interval(square, left_out * d, null_variance, LEVEL)
    gap = signed_root(square)
    return DistanceReport(
        gap=gap,
        gap_squared=square,
        gap_per_column=gap / float(np.sqrt(d)),
        floor=float(np.sqrt(estimate.within_real * d)),
        p_value=test.p_value,
        interval=(signed_root(low), signed_root(high)),
        columns=_column_gaps(encoder, real, synthetic, parts * d, own),
        dimension=d,
        method=method,
        directions=len(turned),
        permutations=permutations,
        n_real=len(real),
        n_synthetic=len(synthetic),
        seed=seed,
        notes=(*notes, *encoder.notes),
    )


def measure_gap(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    directions: int = 100,
    seed: int = 0,
) -> float:
    """Measure the gap and nothing else: the same number as `measure`, at a fraction of the cost.

    Parameters
    ----------
    real, synthetic, categorical, ignore, directions, seed
        As in `measure`.
    """
    encoder = Encoder.fit(real, synthetic, categorical=categorical, ignore=ignore)
    to_turn, to_fold, _ = np.random.SeedSequence(seed).spawn(3)
    turned = orthonormal_directions(encoder.dimension, directions, np.random.default_rng(to_turn))
    points, others = encoder.transform(real), encoder.transform(synthetic)
    estimate = sliced_estimate(points, others, turned, np.random.default_rng(to_fold))
    return signed_root(float(np.mean(estimate.squares)) * encoder.dimension)


def require_rows(rows: int, dataset: str) -> None:
    """Refuse a dataset too small to judge."""
    if rows < LEAST_ROWS:
        raise DataError(
            f"it has {rows} row{'' if rows == 1 else 's'}",
            dataset=dataset,
            fix=f"Provide at least {LEAST_ROWS} rows",
        )


def signed_root(square: float) -> float:
    """``sign(x) * sqrt(|x|)``: a distance that keeps the sign of its debiased square."""
    return float(np.sign(square) * np.sqrt(abs(square)))


def _column_gaps(
    encoder: Encoder,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    parts: NDArray[np.float64],
    own: NDArray[np.float64],
) -> tuple[ColumnGap, ...]:
    """Sum the coordinates of each column: its part of the whole, and its gap by itself."""
    gaps = [
        ColumnGap(
            column=code.column,
            part=float(np.sum(parts[code.start : code.stop])),
            gap=signed_root(float(np.sum(own[code.start : code.stop]))),
            real_missing=float(real[code.column].isna().mean()),
            synthetic_missing=float(synthetic[code.column].isna().mean()),
        )
        for code in encoder.codes
    ]
    return tuple(sorted(gaps, key=lambda column: -column.part))
