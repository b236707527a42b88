"""Bounded samples of datasets for the numerics, and what has to hold before they are drawn."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthmix_dagster.data.content_mark import content_mark
from synthmix_dagster.data.dataset import Dataset, IntoDataset, as_frame, open_dataset
from synthmix_dagster.data.fingerprint import row_hashes
from synthmix_dagster.data.identity import ID_BITS, shared_key
from synthmix_dagster.data.priority import in_priority_order, salted
from synthmix_dagster.data.remote import Stretch, is_remote
from synthmix_dagster.data.splitting import split_by_column
from synthmix_dagster.encoding.columns import require_known, require_rows
from synthmix_dagster.encoding.options import MIN_ROWS, Columns
from synthmix_dagster.encoding.target import require_labels, target_values
from synthmix_dagster.errors import ConfigError, DataError, did_you_mean
from synthmix_dagster.verbs.engines import IntoEngine, engine_of, opened_by

#: Synthetic rows that may be read for each row of the sample, which bounds memory.
_SYNTHETIC_PER_SAMPLE = 5
#: Different labels of a dataset on a cluster that are looked at beside those of its sample.
_MAX_CLASSES = 1000


@dataclass(frozen=True, eq=False)
class Samples:
    """Uniform samples of datasets.

    Attributes
    ----------
    frames : tuple of DataFrame
    tables : tuple of pyarrow.Table
        The same rows as they are stored.
    notes : tuple of str
        Datasets of which only a part was drawn.
    labels : tuple of DataFrame
        The target of every row of each dataset, drawn or not; empty without a target. Of rows on
        a cluster, those that were drawn and every other class.
    """

    frames: tuple[pd.DataFrame, ...]
    tables: tuple[pa.Table, ...]
    notes: tuple[str, ...]
    labels: tuple[pd.DataFrame, ...]


def open_pair(
    real: IntoDataset,
    synthetic: IntoDataset,
    columns: Columns,
    target: str | None,
    engine: IntoEngine = None,
) -> tuple[Dataset, Dataset]:
    """Open both sides, and refuse what `require_usable` refuses."""
    pair = (
        opened_by(engine, real, "real", key=columns.key),
        opened_by(engine, synthetic, "synthetic", key=columns.key),
    )
    require_usable(pair, columns, target)
    return pair


def notes_of(datasets: Sequence[Dataset]) -> list[str]:
    """What a reader should know of columns that were left out or changed, on either side."""
    return [f"{dataset.name}: {note}" for dataset in datasets for note in dataset.notes]


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
    *,
    cut: bool = False,
) -> Samples:
    """Draw a uniform sample of each dataset, and read every label, drawn or not.

    Which rows are drawn follows from the seed and the content of all datasets (`salted`).

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
    cut : bool
        Whether the rows are cut into folds by their order, which then follows from their content.

    Raises
    ------
    DataError
        A label is missing.
    """
    salt = _salt(datasets, max_rows, seed, columns.key)
    tables, notes, labels = [], [], []
    for dataset, limit in zip(datasets, max_rows, strict=True):
        key, engine = shared_key(dataset, columns.key), engine_of(None, [dataset])
        engine.identify(dataset, key)
        tables.append(engine.sample(dataset, limit, salt if limit < dataset.rows else seed, key))
        if limit < dataset.rows:
            notes.append(
                f"a uniform sample of {limit} of {dataset.rows} {dataset.name} rows was used"
            )
    if cut:
        tables = in_content_order(tables, seed)
    frames = tuple(as_frame(table) for table in tables)
    for dataset, limit, frame in zip(datasets, max_rows, frames, strict=True):
        if target is not None:
            every = frame[[target]] if limit >= dataset.rows else _labels(dataset, frame, target)
            target_values(every, target, dataset.name)
            labels.append(every)
    return Samples(frames, tuple(tables), tuple(notes), tuple(labels))


def _salt(
    datasets: Sequence[Dataset], max_rows: Sequence[int], seed: int, key: Sequence[str]
) -> str:
    """What a sample follows from: all rows, in the form in which every door gives them.

    Without a key the rows of files are known by their places and those of frames by content, so
    that doors differ anyway; then the fingerprints, which are at hand, do.
    """
    sampled = [each for each, limit in zip(datasets, max_rows, strict=True) if limit < each.rows]
    if key and sampled and all(shared_key(each, key) for each in sampled):
        return salted(seed, [content_mark(each) for each in datasets])
    return salted(seed, [each.fingerprint for each in datasets])


def _labels(dataset: Dataset, frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Every label of a dataset; on a cluster those of a sample, and the classes it has not."""
    labels = dataset.select([target])
    source = labels.source
    if not is_remote(source):
        return labels.frame()
    kind = dataset.schema.field(target).type
    countable = pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    found = list(source.over(partial(_labels_in, target, countable)))
    require_labels(sum(missing for missing, _ in found), dataset.rows, target, dataset.name)
    classes = dict.fromkeys(value for _, values in found for value in values or ())
    if not countable or len(classes) > _MAX_CLASSES or any(each is None for _, each in found):
        return frame[[target]]
    unseen = [value for value in classes if value not in set(frame[target])]
    column = pa.chunked_array([pa.array(unseen, kind)])
    return pd.concat([frame[[target]], as_frame(pa.table({target: column}))], ignore_index=True)


def _labels_in(
    target: str, countable: bool, parts: Iterable[Stretch]
) -> tuple[int, list[Any] | None]:
    """Missing labels of some rows, and the different ones, unless there are too many."""
    missing, classes = 0, dict[Any, None]()
    for part in parts:
        column = part.table.column(target)
        missing += column.null_count
        if countable and len(classes) <= _MAX_CLASSES:
            classes |= dict.fromkeys(pc.unique(column.drop_null()).to_pylist())
    return missing, list(classes) if len(classes) <= _MAX_CLASSES else None


def in_content_order(tables: Sequence[pa.Table], seed: int) -> list[pa.Table]:
    """The same rows in an order that follows from the seed and the content of all of them.

    So the same rows are cut into the same folds, whichever door they came through: a frame, a file,
    a folder of files, in whatever order.
    """
    hashes = [row_hashes(table) for table in tables]
    salt = salted(seed, [hashlib.sha256(np.sort(one).tobytes()).hexdigest() for one in hashes])
    ids = [(one >> np.uint64(64 - ID_BITS)).astype(np.int64) for one in hashes]
    return [
        table.take(in_priority_order(each, salt)) for table, each in zip(tables, ids, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Judges:
    """The real rows to learn from, and those that judge, if there are any."""

    rest: Dataset
    frame: pd.DataFrame | None


def judges_of(real: Dataset, evaluation: IntoDataset | None, column: str | None) -> Judges:
    """Rows that are given to judge, or that a boolean column of the real ones marks."""
    if column is None:
        frame = None if evaluation is None else open_dataset(evaluation, "evaluation").frame()
        return Judges(real, frame)
    if evaluation is not None:
        raise ConfigError(
            "evaluation rows are given as well",
            option="evaluation_column",
            fix="Pass one of 'evaluation' and 'evaluation_column'",
        )
    rest, marked = split_by_column(real, column)
    return Judges(rest, marked.frame())


@dataclass(frozen=True)
class Sizes:
    """Rows to draw of either side, and what a reader has to know of it."""

    max_rows: tuple[int, int]
    notes: tuple[str, ...]


def sizes_of(real: Dataset, synthetic: Dataset, sample_rows: int) -> Sizes:
    """One fraction for both sides: sampling them apart would change the ratio available."""
    n, m = real.rows, synthetic.rows
    used = min(n, sample_rows)
    max_synthetic = _SYNTHETIC_PER_SAMPLE * sample_rows
    notes = []
    if used < n:
        notes.append(
            f"the curve is that of {used} real rows; with all {n} the best ratio is usually lower"
        )
    if m * used // n > max_synthetic:
        notes.append(
            f"ratios above {max_synthetic / used:g} were not considered: raise 'sample_rows' to "
            "see them"
        )
    return Sizes((used, max(min(m * used // n, max_synthetic), MIN_ROWS)), tuple(notes))
