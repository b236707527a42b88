"""The answers to "how much": one for each question that can be asked, read back by its kind."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from synthmix_dagster.ratio.embedding import EmbeddingOptimum
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.sources import SourceMixture
from synthmix_dagster.ratio.strata import ClassRatios

#: What a step stores, a manifest keeps and a report shows.
Answer: TypeAlias = Recommendation | SourceMixture | ClassRatios | EmbeddingOptimum

#: The result of each question but the first one, which says nothing of itself.
_KINDS: Mapping[str, type[SourceMixture] | type[ClassRatios] | type[EmbeddingOptimum]] = {
    "generators": SourceMixture,
    "classes": ClassRatios,
    "no target": EmbeddingOptimum,
}


def kind_of(values: Mapping[str, Any]) -> type[Answer]:
    """The kind of a stored answer."""
    return _KINDS.get(str(values.get("question")), Recommendation)


def read_answer(values: Mapping[str, Any]) -> Answer:
    """Rebuild an answer from its `to_dict`, before or after it was JSON.

    Raises
    ------
    ValueError
        A value is missing, or of another type.
    """
    answer: Answer = kind_of(values).from_dict(values)
    return answer


def ratios_of(answer: Answer) -> float | dict[str, float]:
    """What `mix` takes as ``ratio``: a number, or one for every generator or class."""
    return answer.ratios if isinstance(answer, SourceMixture | ClassRatios) else answer.ratio


def provenances_of(answer: Answer) -> dict[str, Provenance]:
    """Whom each generator was judged by; one of no name where there is one generator."""
    if isinstance(answer, SourceMixture):
        return dict(answer.provenance)
    return {} if answer.provenance is None else {"": answer.provenance}
