"""Datasets in the features of one kernel: what the further questions about a ratio begin with."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import Dataset, IntoDataset, open_dataset
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns, Names, Scaling, Task, listed
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.seeds import rng_of
from synthmix_dagster.threads import one_thread
from synthmix_dagster.verbs.samples import (
    draw_samples,
    judges_of,
    notes_of,
    require_usable,
    sizes_of,
)

Floats = NDArray[np.float64]
#: Features and target of one dataset.
Side = tuple[Floats, Floats]


@dataclass(frozen=True)
class Target:
    """What is predicted."""

    column: str
    task: Task


@dataclass(frozen=True, eq=False)
class Opened:
    """The datasets of a question.

    Attributes
    ----------
    real : Dataset
        Without evaluation rows.
    others : dict of str to Dataset
        Generators by name.
    evaluation : DataFrame, optional
    inputs : dict of str to str
        Fingerprints by name.
    """

    real: Dataset
    others: dict[str, Dataset]
    evaluation: pd.DataFrame | None
    inputs: dict[str, str]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples of datasets by name, the real one first.

    Attributes
    ----------
    frames : dict of str to DataFrame
    labels : DataFrame
        Every label of the real rows, drawn or not; of no column without a target.
    notes : tuple of str
    inputs : dict of str to str
    """

    frames: dict[str, pd.DataFrame]
    labels: pd.DataFrame
    notes: tuple[str, ...]
    inputs: dict[str, str]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Datasets in the features of one kernel.

    Attributes
    ----------
    sides : dict of str to pair of ndarray
        Features and targets of every dataset, by name.
    joints : dict of str to ndarray
        Encoded inputs and target in one space.
    code : TargetCode
    notes : tuple of str
    inputs : dict of str to str
    """

    sides: dict[str, Side]
    joints: dict[str, Floats]
    code: TargetCode
    notes: tuple[str, ...]
    inputs: dict[str, str]


def columns_of(
    categorical: Names,
    ignore: Names,
    key: Names,
    weights: Mapping[str, float] | None,
    scaling: Scaling,
    embed: Mapping[str, str] | None,
) -> Columns:
    """Columns as a person names them."""
    return Columns(
        *(listed(categorical), listed(ignore), listed(key), weights or {}, scaling),
        embed=embed or {},
    )


def opened(
    real: IntoDataset,
    others: Mapping[str, IntoDataset],
    evaluation: IntoDataset | None,
    evaluation_column: str | None,
) -> Opened:
    """Open every dataset, and set aside the real rows that judge."""
    whole = open_dataset(real, "real")
    named = {name: open_dataset(rows, name) for name, rows in others.items()}
    inputs = {"real": whole.fingerprint, **{n: each.fingerprint for n, each in named.items()}}
    judges = judges_of(whole, evaluation, evaluation_column)
    return Opened(judges.rest, named, judges.frame, inputs)


def drawn_from(
    opened: Opened, target: str | None, columns: Columns, options: RatioOptions
) -> Drawn:
    """Samples of every dataset, of one fraction, so that ratios keep their meaning."""
    datasets = [opened.real, *opened.others.values()]
    require_usable(datasets, columns, target)
    sizes = [sizes_of(opened.real, other, options.sample_rows) for other in datasets[1:]]
    max_rows = [sizes[0].max_rows[0], *(size.max_rows[1] for size in sizes)]
    samples = draw_samples(datasets, max_rows, options.seed, columns, target)
    frames = dict(zip(["real", *opened.others], samples.frames, strict=True))
    if opened.evaluation is not None:
        frames["evaluation"] = opened.evaluation
    said = dict.fromkeys(note for size in sizes for note in size.notes)
    notes = (*samples.notes, *said, *notes_of(datasets))
    labels = samples.labels[0] if samples.labels else pd.DataFrame()
    return Drawn(frames, labels, notes, opened.inputs)


def encoded_in_one_kernel(
    opened: Opened, target: Target, columns: Columns, options: RatioOptions
) -> Encoded:
    """Encode real and all other rows together, and map them to the features of one kernel."""
    drawn = drawn_from(opened, target.column, columns, options)
    frames = drawn.frames
    code = TargetCode.fit(drawn.labels, target.column, target.task)
    together = pd.concat([frames[name] for name in opened.others], ignore_index=True)
    own = {name: frame for name, frame in frames.items() if name not in opened.others}
    sample = EncodedSample.encode({**own, "synthetic": together}, code, columns)
    with one_thread():
        kernel = NystroemMap.fit(
            sample.points["real"],
            sample.points["synthetic"],
            rng=rng_of(options.seed, "landmarks"),
        )
        points = {name: sample.encoder.transform(frame) for name, frame in frames.items()}
        targets = {name: code.encode(frame, name) for name, frame in frames.items()}
    return Encoded(
        sides={name: (kernel.transform(at), targets[name]) for name, at in points.items()},
        joints={name: sample.in_one_space(at, targets[name]) for name, at in points.items()},
        code=code,
        notes=(*drawn.notes, *sample.encoder.notes),
        inputs=drawn.inputs,
    )
