"""Further questions about a ratio: several generators, classes, domains, no target.

Each takes what the verbs of `core` take, hands a bounded sample in the features of one kernel to
the numerics, and returns a frozen result with a sentence that says what to do. Who judges is asked
as in `core`: a generator that saw the rows that judge adds none.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import IntoDataset
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import Columns, Name, Names, Scaling, Task
from synthmix_dagster.errors import ConfigError, did_you_mean
from synthmix_dagster.ratio.embedding import EmbeddingOptimum, embedding_optimum
from synthmix_dagster.ratio.memorisation import memorisation_test
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.provenance import Provenance, provenance_of
from synthmix_dagster.ratio.sources import SourceMixture, mix_sources
from synthmix_dagster.ratio.strata import ClassRatios, class_ratios
from synthmix_dagster.seeds import rng_of
from synthmix_dagster.threads import one_thread
from synthmix_dagster.verbs.encoded import (
    Encoded,
    Target,
    columns_of,
    drawn_from,
    encoded_in_one_kernel,
    opened,
)

Floats = NDArray[np.float64]
#: Features and target of one dataset.
Side = tuple[Floats, Floats]
#: Whether generators were fitted on the real rows: the same of all, or of each by its name.
SawReal: TypeAlias = bool | Mapping[str, bool | None] | None
#: Names that other datasets have.
_TAKEN = ("real", "evaluation")


def recommend_generators(
    real: IntoDataset,
    generators: Mapping[str, IntoDataset],
    *,
    target: Name,
    task: Task,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = Columns.scaling,
    embed: Mapping[str, str] | None = None,
    evaluation: IntoDataset | None = None,
    evaluation_column: str | None = None,
    generator_saw_real: SawReal = None,
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
    target, task, categorical, ignore, key, weights, scaling, embed : see `recommend_ratio`
    evaluation, evaluation_column : see `recommend_ratio`
        Rows that no generator saw; they judge all of them.
    generator_saw_real : bool or mapping of str to bool, optional
        Whether the generators were fitted on `real`, of all or by their names. One that was, or
        that the test for memorised rows betrays, gives no rows unless evaluation rows judge.
    max_ratio : float, optional
        Maximum number of synthetic rows, of all generators together, per real row.
    sample_rows : int
        Maximum number of real rows, drawn uniformly, with the same fraction of the others.
    seed : int

    Returns
    -------
    SourceMixture
        The mixture where it is better than the best generator alone, else that one; pass its
        `ratios` to `mix`.

    Examples
    --------
    >>> import pandas as pd
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
    named = _named(generators)
    encoded = encoded_in_one_kernel(
        opened(real, named, evaluation, evaluation_column),
        Target(str(target), task),
        columns_of(categorical, ignore, key, weights, scaling, embed),
        RatioOptions(max_ratio=max_ratio, sample_rows=sample_rows, seed=seed),
    )
    provenances = _provenances(encoded, _saw(named, generator_saw_real), seed)
    return _mixture(encoded, provenances, max_ratio)


def recommend_for_domain(
    real: IntoDataset,
    other: IntoDataset,
    synthetic: IntoDataset,
    *,
    target: Name,
    task: Task,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    evaluation: IntoDataset | None = None,
    generator_saw_real: bool | None = RatioOptions.generator_saw_real,
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
    evaluation : see `recommend_ratio`
    generator_saw_real : see `recommend_ratio`
        Of `synthetic`.

    Returns
    -------
    SourceMixture
        Of the generators ``other`` and ``synthetic``.
    """
    return recommend_generators(
        real,
        {"other": other, "synthetic": synthetic},
        target=target,
        task=task,
        categorical=categorical,
        ignore=ignore,
        key=key,
        evaluation=evaluation,
        generator_saw_real={"other": False, "synthetic": generator_saw_real},
        sample_rows=sample_rows,
        seed=seed,
    )


def recommend_per_class(
    real: IntoDataset,
    synthetic: IntoDataset,
    *,
    target: Name,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = Columns.scaling,
    embed: Mapping[str, str] | None = None,
    evaluation: IntoDataset | None = None,
    evaluation_column: str | None = None,
    generator_saw_real: bool | None = RatioOptions.generator_saw_real,
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
    categorical, ignore, key, weights, scaling, embed : see `recommend_ratio`
    evaluation, evaluation_column, generator_saw_real : see `recommend_ratio`
    max_ratio, sample_rows, seed : see `recommend_generators`

    Returns
    -------
    ClassRatios
        Pass its `ratios` to `mix`, with ``stratify`` set to the target.
    """
    encoded = encoded_in_one_kernel(
        opened(real, {"synthetic": synthetic}, evaluation, evaluation_column),
        Target(str(target), "classification"),
        columns_of(categorical, ignore, key, weights, scaling, embed),
        RatioOptions(max_ratio=max_ratio, sample_rows=sample_rows, seed=seed),
    )
    provenance = _provenances(encoded, {"synthetic": generator_saw_real}, seed)["synthetic"]
    with one_thread():
        found = class_ratios(
            *encoded.sides["real"],
            *encoded.sides["synthetic"],
            names=encoded.code.classes,
            evaluation=encoded.sides.get("evaluation"),
            max_ratio=max_ratio,
        )
    if not provenance.trusted:
        found = found.using_none(_no_rows(provenance))
    notes = (*encoded.notes, *_notes_on(provenance))
    return replace(found, provenance=provenance, inputs=encoded.inputs, notes=notes)


def recommend_without_target(
    real: IntoDataset,
    synthetic: IntoDataset,
    *,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = Columns.scaling,
    embed: Mapping[str, str] | None = None,
    generator_saw_real: bool | None = RatioOptions.generator_saw_real,
    max_ratio: float | None = RatioOptions.max_ratio,
    sample_rows: int = RatioOptions.sample_rows,
    seed: int = RatioOptions.seed,
) -> EmbeddingOptimum:
    """Recommend how many synthetic rows represent the real distribution best.

    There is no target here, so wrong labels are invisible, and the result says so.

    Parameters
    ----------
    real, synthetic : path, DataFrame or Arrow table
    categorical, ignore, key, weights, scaling, embed : see `recommend_ratio`
    generator_saw_real : bool, optional
        Whether the generator was fitted on `real`. Its rows lie as near to these rows as they can,
        which says nothing about the distribution: it gives none.
    max_ratio, sample_rows, seed : see `recommend_generators`

    Returns
    -------
    EmbeddingOptimum

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> real, near, far = (pd.DataFrame({"x": rng.normal(at, 1, 200)}) for at in (0, 0, 9))
    >>> recommend_without_target(real, near).ratio > recommend_without_target(real, far).ratio
    True
    """
    columns = columns_of(categorical, ignore, key, weights, scaling, embed)
    options = RatioOptions(max_ratio=max_ratio, sample_rows=sample_rows, seed=seed)
    pair = opened(real, {"synthetic": synthetic}, None, None)
    drawn = drawn_from(pair, None, columns, options)
    with one_thread():
        encoder = Encoder.fit(drawn.frames["real"], drawn.frames["synthetic"], columns)
        points = [encoder.transform(frame) for frame in drawn.frames.values()]
        provenance = provenance_of(
            evaluation_rows=None,
            cross_fitted=False,
            saw_real=generator_saw_real,
            memorisation=memorisation_test(*points, seed=seed),
        )
        kernel = NystroemMap.fit(*points, rng=rng_of(seed, "landmarks"))
        features = [kernel.transform(at) for at in points]
        found = embedding_optimum(*features, max_ratio=max_ratio)
    if not provenance.trusted:
        found = found.using_none(_no_rows(provenance))
    notes = (*drawn.notes, *_notes_on(provenance))
    return replace(found, provenance=provenance, inputs=drawn.inputs, notes=notes)


def _mixture(
    encoded: Encoded, provenances: Mapping[str, Provenance], max_ratio: float | None
) -> SourceMixture:
    """The best mixture of the generators that may be judged by these rows."""
    sides = dict(encoded.sides)
    own, evaluation = sides.pop("real"), sides.pop("evaluation", None)
    barred = {name: of.sentence for name, of in provenances.items() if not of.trusted}
    trusted = {name: side for name, side in sides.items() if name not in barred}
    with one_thread():
        if trusted:
            found = mix_sources(*own, trusted, evaluation=evaluation, max_ratio=max_ratio)
        else:
            first = next(iter(barred))
            found = mix_sources(*own, {first: sides[first]}, evaluation=evaluation, max_ratio=0)
            found = replace(found, recommended=(), mixture=(), alone=())
            found = replace(found, reason="Use no synthetic rows.")
    notes = [f"'{name}': {said}" for name, of in provenances.items() for said in _notes_on(of)]
    return replace(
        found.without(barred),
        provenance=dict(provenances),
        inputs=encoded.inputs,
        notes=(*encoded.notes, *notes),
    )


def _provenances(
    encoded: Encoded, saw: Mapping[str, bool | None], seed: int
) -> dict[str, Provenance]:
    """Who judges each generator, and whether that can be trusted."""
    evaluation = encoded.sides.get("evaluation")
    with one_thread():
        return {
            name: provenance_of(
                evaluation_rows=None if evaluation is None else len(evaluation[1]),
                cross_fitted=False,
                saw_real=declared,
                memorisation=memorisation_test(
                    encoded.joints["real"], encoded.joints[name], seed=seed
                ),
            )
            for name, declared in saw.items()
        }


def _saw(generators: Mapping[str, IntoDataset], saw: SawReal) -> dict[str, bool | None]:
    """Whether each generator saw the real rows."""
    if not isinstance(saw, Mapping):
        return dict.fromkeys(generators, saw)
    for name in saw:
        if name not in generators:
            raise ConfigError(
                f"it names '{name}', which is not a generator",
                option="generator_saw_real",
                fix=did_you_mean(name, generators),
            )
    return {name: saw.get(name) for name in generators}


def _no_rows(provenance: Provenance) -> str:
    return f"Use no synthetic rows. {provenance.sentence}"


def _notes_on(provenance: Provenance) -> tuple[str, ...]:
    return (provenance.sentence,) if provenance.judged == "unknown" else ()


def _named(generators: Mapping[str, IntoDataset]) -> dict[str, IntoDataset]:
    if not generators:
        raise ConfigError("it names no generator", option="generators", fix="Name at least one")
    for name in _TAKEN:
        if name in generators:
            raise ConfigError(
                f"one of them is named '{name}'", option="generators", fix="Give it another name"
            )
    return dict(generators)
