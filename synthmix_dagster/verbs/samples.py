"""Bounded samples of datasets for the numerics, and what has to hold before they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from synthmix_dagster.data.dataset import Dataset, as_frame
from synthmix_dagster.data.identity import shared_key
from synthmix_dagster.encoding.columns import require_known, require_rows
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import target_values
from synthmix_dagster.errors import DataError, did_you_mean
from synthmix_dagster.release.arrow_engine import ArrowEngine


@dataclass(frozen=True, eq=False)
class Samples:
    """Uniform samples of datasets.

    Attributes
    ----------
    frames : tuple of DataFrame
    notes : tuple of str
        Datasets of which only a part was drawn.
    labels : tuple of DataFrame
        The target of every row of each dataset, drawn or not; empty without a target.
    """

    frames: tuple[pd.DataFrame, ...]
    notes: tuple[str, ...]
    labels: tuple[pd.DataFrame, ...]


def require_usable(datasets: Sequence[Dataset], columns: Columns, target: str | None) -> None:
    """Refuse too few rows, a key and a target that are not there, before any row is read.

    Raises
    ------
    DataError, ConfigError
    """
    for dataset in datasets:
        require_rows(dataset.rows, dataset.name)
    require_known(columns.key, [name for each in datasets for name in each.columns], "key")
    for dataset in datasets:
        if target is not None and target not in dataset.columns:
            raise DataError(
                f"it has no target column '{target}'",
                dataset=dataset.name,
                fix=did_you_mean(target, dataset.columns),
            )


def draw_samples(
    datasets: Sequence[Dataset],
    max_rows: Sequence[int],
    seed: int,
    columns: Columns,
    target: str | None = None,
) -> Samples:
    """Draw a uniform sample of each dataset, and read every label, drawn or not.

    Parameters
    ----------
    datasets : sequence of Dataset
    max_rows : sequence of int
        Maximum number of rows of each.
    seed : int
    columns : Columns
        Its key identifies a row, where a dataset has it.
    target : str, optional
        Label column.

    Raises
    ------
    DataError
        A label is missing.
    """
    engine = ArrowEngine()
    frames, notes, labels = [], [], []
    for dataset, limit in zip(datasets, max_rows, strict=True):
        key = shared_key(dataset, columns.key)
        engine.identify(dataset, key)
        frame = as_frame(engine.sample(dataset, limit, seed, key))
        frames.append(frame)
        if limit < dataset.rows:
            notes.append(
                f"a uniform sample of {limit} of {dataset.rows} {dataset.name} rows was used"
            )
        if target is not None:
            every = frame[[target]] if limit >= dataset.rows else dataset.select([target]).frame()
            target_values(every, target, dataset.name)
            labels.append(every)
    return Samples(tuple(frames), tuple(notes), tuple(labels))
