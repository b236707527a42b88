"""The gap of every row, read in passes; the sample says how rows are encoded."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd

from synthmix_dagster.data.remote import RemoteRows, Stretch, is_remote
from synthmix_dagster.distance.histograms import (
    Bins,
    Histograms,
    Ints,
    Moments,
    Side,
    Streamed,
    StreamedEstimate,
    block_rows,
    estimate_of_sides,
)
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.wasserstein import Floats, Singles
from synthmix_dagster.encoding.encoder import Encoder

#: Opens a fresh pass over all rows of a side.
Frames = Callable[[], Iterator[pd.DataFrame]]
#: All rows of a side: passes over them here, or where they lie on a cluster.
EveryRow: TypeAlias = "Frames | RemoteRows"


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
    every_row: tuple[EveryRow, EveryRow],
    directions: Floats,
    options: DistanceOptions,
    fold_seed: int | None = None,
) -> Whole:
    """Estimate the squares of all directions from every row.

    Parameters
    ----------
    encoder : Encoder
        Fitted on samples.
    every_row : pair of callable or RemoteRows
        Passes over all real and all synthetic rows, or those rows on a cluster.
    directions : ndarray of shape (n_directions, d)
    options : DistanceOptions
    fold_seed : int, optional
        What decides the fold of a row beside its number; by default the seed of the options. Where
        it follows from the rows, nobody can choose them so that folds of one side differ.
    """
    hidden: dict[str, str] = {}
    real, synthetic = (
        _side(encoder, rows, dataset, hidden)
        for rows, dataset in zip(every_row, ("real", "synthetic"), strict=True)
    )
    estimate = estimate_of_sides(
        real,
        synthetic,
        directions,
        seed=options.seed if fold_seed is None else fold_seed,
        p=options.p,
    )
    return Whole(estimate, tuple(hidden.values()))


def _side(encoder: Encoder, rows: EveryRow, dataset: str, hidden: dict[str, str]) -> Side:
    if is_remote(rows):
        return OnCluster(encoder, rows, dataset, hidden)
    frames: Frames = rows  # type: ignore[assignment]
    return Streamed(partial(_encoded, encoder, frames, dataset, hidden))


def _encoded(
    encoder: Encoder, frames: Frames, dataset: str, hidden: dict[str, str]
) -> Iterator[Singles]:
    """Encode every row; `hidden` gets a note for each column that has no slot for missing ones."""
    missing: Counter[str] = Counter()
    for frame in frames():
        yield _points(encoder, frame, dataset, missing)
    _tell(missing, dataset, hidden)


def _points(
    encoder: Encoder, frame: pd.DataFrame, dataset: str, missing: "Counter[str]"
) -> Singles:
    encoder.require(frame, dataset)
    for code in encoder.codes:
        if not code.tells_missing:
            missing[code.column] += int(frame[code.column].isna().sum())
    points: Singles = encoder.transform(frame, np.float32)
    encoder.require_near(points, dataset)
    return points


def _tell(missing: "Counter[str]", dataset: str, hidden: dict[str, str]) -> None:
    for column, count in (+missing).items():
        hidden[f"{dataset} {column}"] = (
            f"{column}: {count} {dataset} values are missing, but none in the sample: they count "
            "as its mean"
        )


@dataclass(frozen=True)
class OnCluster:
    """A side whose rows are encoded and counted on a cluster.

    Attributes
    ----------
    encoder : Encoder
    rows : RemoteRows
    dataset : str
    hidden : dict of str to str
        Gets a note for each column that has no slot for missing values.
    """

    encoder: Encoder
    rows: RemoteRows
    dataset: str
    hidden: dict[str, str]

    def moments(self, directions: Floats) -> Moments:
        kernel = partial(_moments_of_part, self.encoder, self.dataset, directions)
        whole = Moments.of(np.empty((0, directions.shape[1]), np.float32), directions)
        missing: Counter[str] = Counter()
        for rows, mean, squares, unseen in self._read.over(kernel):
            whole = whole.merge(Moments(rows, mean, squares))
            missing.update(unseen)
        _tell(missing, self.dataset, self.hidden)
        return whole

    def count(self, histograms: Histograms) -> None:
        kernel = partial(
            _counts_of_part,
            self.encoder,
            self.dataset,
            histograms.directions,
            histograms.bins,
            histograms.salt,
        )
        counted = self._read.summed(kernel, histograms.counts.size)
        histograms.counts += counted.reshape(histograms.counts.shape)

    @property
    def _read(self) -> RemoteRows:
        """The rows with the columns that are encoded."""
        there = self.rows.column_names
        needed = dict.fromkeys(code.column for code in self.encoder.codes)
        return self.rows.select([name for name in needed if name in there])


def _moments_of_part(
    encoder: Encoder, dataset: str, directions: Floats, rows: Iterable[Stretch]
) -> tuple[int, Floats, Floats, dict[str, int]]:
    moments = Moments.of(np.empty((0, directions.shape[1]), np.float32), directions)
    missing: Counter[str] = Counter()
    for points, _ in _encoded_part(encoder, dataset, rows, missing):
        moments = moments.merge(Moments.of(points, directions))
    return moments.rows, moments.mean, moments.squares, dict(missing)


def _counts_of_part(
    encoder: Encoder,
    dataset: str,
    directions: Floats,
    bins: Bins,
    salt: int,
    rows: Iterable[Stretch],
) -> Ints:
    histograms = Histograms(directions, bins, salt)
    for points, numbers in _encoded_part(encoder, dataset, rows, Counter()):
        histograms.add_numbered(points, numbers)
    return histograms.counts.reshape(-1)


def _encoded_part(
    encoder: Encoder, dataset: str, rows: Iterable[Stretch], missing: "Counter[str]"
) -> Iterator[tuple[Singles, Ints]]:
    """Points of some rows with the numbers of the rows, few enough for the processor's cache."""
    # On an executor, which reads rows anyway; whoever measures frames need not load the readers.
    from synthmix_dagster.data.dataset import as_frame

    for stretch in rows:
        points = _points(encoder, as_frame(stretch.table), dataset, missing)
        size = block_rows(points.shape[1])
        for start in range(0, len(points), size):
            here = slice(start, start + size)
            yield points[here], stretch.numbers[here]
