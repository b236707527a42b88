"""The gap of every row, read in passes; the sample says how rows are encoded."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from synthmix_dagster.distance.histograms import StreamedEstimate, streamed_estimate
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.wasserstein import Floats, Singles
from synthmix_dagster.encoding.encoder import Encoder

#: Opens a fresh pass over all rows of a side.
Frames = Callable[[], Iterator[pd.DataFrame]]


@dataclass(frozen=True, eq=False)
class Whole:
    """What all rows show.

    Attributes
    ----------
    estimate : StreamedEstimate
    notes : tuple of str
        Columns whose missing values could not be seen in the sample.
    """

    estimate: StreamedEstimate
    notes: tuple[str, ...]


def whole_estimate(
    encoder: Encoder,
    every_row: tuple[Frames, Frames],
    directions: Floats,
    options: DistanceOptions,
    fold_seed: int | None = None,
) -> Whole:
    """Estimate the squares of all directions from every row.

    Parameters
    ----------
    encoder : Encoder
        Fitted on samples.
    every_row : pair of callable
        Passes over all real and all synthetic rows.
    directions : ndarray of shape (n_directions, d)
    options : DistanceOptions
    fold_seed : int, optional
        What decides the fold of a row beside its number; by default the seed of the options. Where
        it follows from the rows, nobody can choose them so that folds of one side differ.
    """
    hidden: dict[str, str] = {}
    real, synthetic = (
        partial(_encoded, encoder, frames, dataset, hidden)
        for frames, dataset in zip(every_row, ("real", "synthetic"), strict=True)
    )
    estimate = streamed_estimate(
        real,
        synthetic,
        directions,
        seed=options.seed if fold_seed is None else fold_seed,
        p=options.p,
    )
    return Whole(estimate, tuple(hidden.values()))


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
