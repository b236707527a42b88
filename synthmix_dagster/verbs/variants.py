"""Further questions about a ratio: several generators, classes, domains, no target.

Each takes what the verbs of `core` take, hands a bounded sample in the features of one kernel to
the numerics, and returns a frozen result with a sentence that says what to do.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.embedding import EmbeddingOptimum, embedding_optimum
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.sources import SourceMixture, adapt_domain, mix_sources
from synthmix_dagster.ratio.strata import ClassRatios, class_ratios
from synthmix_dagster.threads import one_thread
from synthmix_dagster.verbs.samples import Names, check_target, draw_samples, listed, require_usable

Floats = NDArray[np.float64]
#: Features and target of one dataset.
Side = tuple[Floats, Floats]


def recommend_generators(
    real: Any,
    generators: Mapping[str, Any],
    *,
    target: str,
    task: str,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    max_ratio: float | None = None,
    sample_rows: int = 20_000,
    seed: int = 0,
) -> SourceMixture:
    """Recommend how many rows of each of several generators to add.

    Parameters
    ----------
    real : path, DataFrame or Arrow table
    generators : mapping of str to path, DataFrame or Arrow table
        Synthetic rows by the name of what made them.
    target, task, categorical, ignore, key : see `recommend_ratio`
    max_ratio : float, optional
        Most synthetic rows, of all generators together, per real row.
    sample_rows : int
        Most rows of each dataset, drawn uniformly.
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
    named = {"real": real, **_named(generators)}
    sides = _encoded(named, target, task, categorical, ignore, key, sample_rows, seed)
    own = sides.pop("real")
    with one_thread():
        return mix_sources(*own, sides, max_ratio=max_ratio)


def recommend_for_domain(
    real: Any,
    other: Any,
    synthetic: Any,
    *,
    target: str,
    task: str,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    sample_rows: int = 20_000,
    seed: int = 0,
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
    named = {"real": real, "source": other, "synthetic": synthetic}
    sides = _encoded(named, target, task, categorical, ignore, key, sample_rows, seed)
    with one_thread():
        return adapt_domain(sides["real"], sides["source"], sides["synthetic"])


def recommend_per_class(
    real: Any,
    synthetic: Any,
    *,
    target: str,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    max_ratio: float | None = None,
    sample_rows: int = 20_000,
    seed: int = 0,
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
    named = {"real": real, "synthetic": synthetic}
    task = "classification"
    frames, coder = _sampled(named, target, task, categorical, ignore, key, sample_rows, seed)
    sides = _features(frames, coder, seed)
    with one_thread():
        return class_ratios(
            *sides["real"], *sides["synthetic"], names=coder.code.classes, max_ratio=max_ratio
        )


def recommend_without_target(
    real: Any,
    synthetic: Any,
    *,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    max_ratio: float | None = None,
    sample_rows: int = 20_000,
    seed: int = 0,
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
    sides = [open_dataset(real, "real"), open_dataset(synthetic, "synthetic")]
    keys = listed(key)
    require_usable(sides, sample_rows, keys, seed)
    limits = [min(side.rows, sample_rows) for side in sides]
    frames, _ = draw_samples(sides, limits, seed, keys)
    with one_thread():
        encoder = Encoder.fit(
            *frames, categorical=listed(categorical), ignore=[*listed(ignore), *keys]
        )
        points = [encoder.transform(frame) for frame in frames]
        kernel = NystroemMap.fit(*points, rng=np.random.default_rng(seed))
        features = [kernel.transform(at) for at in points]
        return embedding_optimum(*features, max_ratio=max_ratio)


def _named(generators: Mapping[str, Any]) -> dict[str, Any]:
    if not generators:
        raise ConfigError("it names no generator", option="generators", fix="Name at least one")
    if "real" in generators:
        raise ConfigError(
            "one of them is named 'real'", option="generators", fix="Give it another name"
        )
    return dict(generators)


def _encoded(
    named: Mapping[str, Any],
    target: str,
    task: str,
    categorical: Names,
    ignore: Names,
    key: Names,
    sample_rows: int,
    seed: int,
) -> dict[str, Side]:
    """Features and targets of every dataset, by name; the first is the real one."""
    frames, coder = _sampled(named, target, task, categorical, ignore, key, sample_rows, seed)
    return _features(frames, coder, seed)


def _sampled(
    named: Mapping[str, Any],
    target: str,
    task: str,
    categorical: Names,
    ignore: Names,
    key: Names,
    sample_rows: int,
    seed: int,
) -> tuple[dict[str, pd.DataFrame], EncodedSample]:
    """Samples of every dataset, and an encoder of real and all synthetic rows together."""
    sides = [open_dataset(source, name) for name, source in named.items()]
    keys = listed(key)
    require_usable(sides, sample_rows, keys, seed)
    check_target(sides, target, task)
    limits = [min(side.rows, sample_rows) for side in sides]
    drawn, _ = draw_samples(sides, limits, seed, keys)
    frames = dict(zip(named, drawn, strict=True))
    others = [frame for name, frame in frames.items() if name != "real"]
    together = pd.concat(others, ignore_index=True)
    sample = EncodedSample.encode(
        {"real": frames["real"], "synthetic": together},
        target=target,
        task=task,
        categorical=listed(categorical),
        ignore=[*listed(ignore), *keys],
    )
    return frames, sample


def _features(
    frames: Mapping[str, pd.DataFrame], sample: EncodedSample, seed: int
) -> dict[str, Side]:
    points = sample.points
    with one_thread():
        kernel = NystroemMap.fit(
            points["real"], points["synthetic"], rng=np.random.default_rng(seed)
        )
        return {
            name: (
                kernel.transform(sample.encoder.transform(frame)),
                sample.code.encode(frame, name),
            )
            for name, frame in frames.items()
        }
