"""Further questions about a ratio: several generators, classes, domains, no target.

Each takes what the verbs of `core` take, hands a bounded sample in the features of one kernel to
the numerics, and returns a frozen result with a sentence that says what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import IntoDataset, open_dataset
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns, Names, Task, listed
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.embedding import EmbeddingOptimum, embedding_optimum
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.sources import SourceMixture, adapt_domain, mix_sources
from synthmix_dagster.ratio.strata import ClassRatios, class_ratios
from synthmix_dagster.seeds import rng_of
from synthmix_dagster.threads import one_thread
from synthmix_dagster.verbs.samples import draw_samples, require_usable

Floats = NDArray[np.float64]
#: Features and target of one dataset.
Side = tuple[Floats, Floats]


def recommend_generators(
    real: IntoDataset,
    generators: Mapping[str, IntoDataset],
    *,
    target: str,
    task: Task,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    max_ratio: float | None = RatioOptions.max_ratio,
    sample_rows: int = RatioOptions.sample_rows,
    seed: int = RatioOptions.seed,
) -> SourceMixture:
    """Recommend how many rows of each of several generators to add.

    Parameters
    ----------
    real : path, DataFrame or Arrow table
    generators : mapping of str to path, DataFrame or Arrow table
        Synthetic rows by the name of what made them.
    target, task, categorical, ignore, key : see `recommend_ratio`
    max_ratio : float, optional
        Maximum number of synthetic rows, of all generators together, per real row.
    sample_rows : int
        Maximum number of rows of each dataset, drawn uniformly.
    seed : int

    Returns
    -------
    SourceMixture
        The mixture where it is better than the best generator alone, else that one; pass its
        `ratios` to `mix`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def draw(n, slope):
    ...     x = rng.normal(size=n)
    ...     return pd.DataFrame({"x": x, "y": slope * x + rng.normal(0, 0.5, n)})
    >>> found = recommend_generators(
    ...     draw(40, 1.0),
    ...     {"good": draw(400, 1.0), "bad": draw(400, -1.0)},
    ...     target="y",
    ...     task="regression",
    ... )
    >>> found.ratios["good"] > found.ratios["bad"]
    True
    """
    encoded = _encoded(
        {"real": real, **_named(generators)},
        _Target(target, task),
        _columns(categorical, ignore, key),
        RatioOptions(max_ratio=max_ratio, sample_rows=sample_rows, seed=seed),
    )
    own = encoded.sides.pop("real")
    with one_thread():
        return mix_sources(*own, encoded.sides, max_ratio=max_ratio)


def recommend_for_domain(
    real: IntoDataset,
    other: IntoDataset,
    synthetic: IntoDataset,
    *,
    target: str,
    task: Task,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    sample_rows: int = RatioOptions.sample_rows,
    seed: int = RatioOptions.seed,
) -> SourceMixture:
    """Few real rows of the domain that matters, real rows of another domain, and synthetic rows.

    Parameters
    ----------
    real : path, DataFrame or Arrow table
        Rows of the domain that matters; they judge.
    other : path, DataFrame or Arrow table
        Real rows of another domain.
    synthetic : path, DataFrame or Arrow table
    target, task, categorical, ignore, key, sample_rows, seed : see `recommend_generators`

    Returns
    -------
    SourceMixture
        Of the generators ``source``, which is the other domain, and ``synthetic``.
    """
    sides = _encoded(
        {"real": real, "source": other, "synthetic": synthetic},
        _Target(target, task),
        _columns(categorical, ignore, key),
        RatioOptions(sample_rows=sample_rows, seed=seed),
    ).sides
    with one_thread():
        return adapt_domain(sides["real"], sides["source"], sides["synthetic"])


def recommend_per_class(
    real: IntoDataset,
    synthetic: IntoDataset,
    *,
    target: str,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    max_ratio: float | None = RatioOptions.max_ratio,
    sample_rows: int = RatioOptions.sample_rows,
    seed: int = RatioOptions.seed,
) -> ClassRatios:
    """Ask whether classes should have ratios of their own, and which.

    Parameters
    ----------
    real, synthetic : path, DataFrame or Arrow table
    target : str
        Column of the classes.
    categorical, ignore, key, max_ratio, sample_rows, seed : see `recommend_generators`

    Returns
    -------
    ClassRatios
    """
    encoded = _encoded(
        {"real": real, "synthetic": synthetic},
        _Target(target, "classification"),
        _columns(categorical, ignore, key),
        RatioOptions(max_ratio=max_ratio, sample_rows=sample_rows, seed=seed),
    )
    with one_thread():
        return class_ratios(
            *encoded.sides["real"],
            *encoded.sides["synthetic"],
            names=encoded.code.classes,
            max_ratio=max_ratio,
        )


def recommend_without_target(
    real: IntoDataset,
    synthetic: IntoDataset,
    *,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    max_ratio: float | None = RatioOptions.max_ratio,
    sample_rows: int = RatioOptions.sample_rows,
    seed: int = RatioOptions.seed,
) -> EmbeddingOptimum:
    """Recommend how many synthetic rows represent the real distribution best.

    There is no target here, so wrong labels are invisible, and the result says so.

    Parameters
    ----------
    real, synthetic : path, DataFrame or Arrow table
    categorical, ignore, key, max_ratio, sample_rows, seed : see `recommend_generators`

    Returns
    -------
    EmbeddingOptimum

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, near, far = (pd.DataFrame({"x": rng.normal(at, 1, 200)}) for at in (0, 0, 9))
    >>> recommend_without_target(real, near).ratio > recommend_without_target(real, far).ratio
    True
    """
    columns = _columns(categorical, ignore, key)
    options = RatioOptions(max_ratio=max_ratio, sample_rows=sample_rows, seed=seed)
    frames, _ = _drawn({"real": real, "synthetic": synthetic}, None, columns, options)
    with one_thread():
        encoder = Encoder.fit(frames["real"], frames["synthetic"], columns)
        points = [encoder.transform(frame) for frame in frames.values()]
        kernel = NystroemMap.fit(*points, rng=rng_of(seed, "landmarks"))
        features = [kernel.transform(at) for at in points]
        return embedding_optimum(*features, max_ratio=max_ratio)


def _named(generators: Mapping[str, IntoDataset]) -> dict[str, IntoDataset]:
    if not generators:
        raise ConfigError("it names no generator", option="generators", fix="Name at least one")
    if "real" in generators:
        raise ConfigError(
            "one of them is named 'real'", option="generators", fix="Give it another name"
        )
    return dict(generators)


@dataclass(frozen=True)
class _Target:
    """What is predicted."""

    column: str
    task: Task


@dataclass(frozen=True, eq=False)
class _Encoded:
    """Datasets in the features of one kernel.

    Attributes
    ----------
    sides : dict of str to pair of ndarray
        Features and targets of every dataset, by name.
    code : TargetCode
    """

    sides: dict[str, Side]
    code: TargetCode


def _columns(categorical: Names, ignore: Names, key: Names) -> Columns:
    return Columns(categorical=listed(categorical), ignore=listed(ignore), key=listed(key))


def _drawn(
    named: Mapping[str, IntoDataset], target: str | None, columns: Columns, options: RatioOptions
) -> tuple[dict[str, pd.DataFrame], tuple[pd.DataFrame, ...]]:
    """Samples of every dataset by name, and every label of each; the first is the real one."""
    datasets = [open_dataset(source, name) for name, source in named.items()]
    require_usable(datasets, columns, target)
    max_rows = [min(dataset.rows, options.sample_rows) for dataset in datasets]
    samples = draw_samples(datasets, max_rows, options.seed, columns, target)
    return dict(zip(named, samples.frames, strict=True)), samples.labels


def _encoded(
    named: Mapping[str, IntoDataset], target: _Target, columns: Columns, options: RatioOptions
) -> _Encoded:
    """Encode real and all other rows together, and map them to the features of one kernel."""
    frames, labels = _drawn(named, target.column, columns, options)
    code = TargetCode.fit(labels[0], target.column, target.task)
    others = [frame for name, frame in frames.items() if name != "real"]
    together = pd.concat(others, ignore_index=True)
    sample = EncodedSample.encode({"real": frames["real"], "synthetic": together}, code, columns)
    with one_thread():
        kernel = NystroemMap.fit(
            sample.points["real"],
            sample.points["synthetic"],
            rng=rng_of(options.seed, "landmarks"),
        )
        sides = {
            name: (
                kernel.transform(sample.encoder.transform(frame)),
                code.encode(frame, name),
            )
            for name, frame in frames.items()
        }
    return _Encoded(sides, code)
