"""Several synthetic datasets of one mix: where each comes from, and the gates of its own."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

import dagster as dg
from pydantic import BaseModel, BeforeValidator, TypeAdapter, field_validator

from synthmix_dagster.gates.threshold import GATES, Threshold
from synthmix_dagster.orchestration.config.base import plain_name
from synthmix_dagster.orchestration.config.dataset import DatasetConfig

#: Settings of one generator that stand in the place of those of the mix.
_OWN = ("warn_threshold", *GATES.values(), "generator_saw_real")
#: Names that something else has.
_TAKEN = ("real", "rows", "evaluation", "other")

_Limit = Annotated[Threshold | None, dg.Resolver.default(model_field_type=float | str | None)]


class GeneratorConfig(DatasetConfig):
    """One of several generators: a dataset, and gates of its own.

    Attributes
    ----------
    threshold, warn_threshold, conditional_threshold, class_threshold : float or str, optional
        Of this generator, in the place of those of the mix.
    classifier_threshold, min_distinct_share : float, optional
        The same.
    generator_saw_real : bool, optional
        Whether this generator was fitted on the real rows; by default what the mix says.
    if_refused : {"stop", "leave_out"}
        What happens if one of its gates fails: nothing is released, or the mix is recommended and
        released without this generator.
    """

    threshold: _Limit = None
    warn_threshold: _Limit = None
    conditional_threshold: _Limit = None
    class_threshold: _Limit = None
    classifier_threshold: _Limit = None
    min_distinct_share: _Limit = None
    generator_saw_real: bool | None = None
    if_refused: Literal["stop", "leave_out"] = "stop"

    @field_validator("warn_threshold", *GATES.values(), mode="before")
    @classmethod
    def _parsed_once(cls, value: Any) -> Threshold | None:
        return None if value is None else Threshold.parse(value)

    @property
    def own(self) -> dict[str, Any]:
        """The settings in the place of those of the mix."""
        values = {name: getattr(self, name) for name in _OWN}
        return {name: value for name, value in values.items() if value is not None}


def named_plainly(value: "Synthetic") -> "Synthetic":
    """Refuse a name that cannot be part of a key, or that something else has."""
    for name in value if isinstance(value, Mapping) else ():
        plain_name(name)
        if name in _TAKEN:
            raise ValueError(
                f"a generator is named '{name}'. Use another name than {', '.join(_TAKEN)}"
            )
    return value


def _chosen(one: type[BaseModel], several: type[BaseModel]) -> Callable[[Any], Any]:
    """Read settings as what they are, so that what is wrong is said of one kind and not of both."""

    @cache
    def generators() -> TypeAdapter[Any]:
        return TypeAdapter(Mapping[str, several])  # type: ignore[valid-type]

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return generators().validate_python(value) if _is_named(value) else one(**value)

    return read


def _is_named(value: Mapping[str, Any]) -> bool:
    """Whether settings are those of several datasets by their names."""
    if not value or set(value) & set(DatasetConfig.model_fields):
        return False
    return all(isinstance(each, Mapping | BaseModel) for each in value.values())


#: One synthetic dataset, or several by the names of what made them.
Synthetic: TypeAlias = DatasetConfig | Mapping[str, GeneratorConfig]


def _resolve(context: dg.ResolutionContext, model: Any) -> Any:
    if isinstance(model, Mapping):
        return {
            name: GeneratorConfig.resolve_from_model(context.at_path(name), each)
            for name, each in model.items()
        }
    return DatasetConfig.resolve_from_model(context, model)


#: Reads settings given in Python as what they are.
one_or_several = _chosen(DatasetConfig, GeneratorConfig)

#: The same as a field of settings.
OneOrSeveral = Annotated[
    DatasetConfig | Mapping[str, GeneratorConfig],
    dg.Resolver(
        _resolve,
        model_field_type=Annotated[
            DatasetConfig.model() | Mapping[str, GeneratorConfig.model()],  # type: ignore[misc]
            BeforeValidator(_chosen(DatasetConfig.model(), GeneratorConfig.model())),
        ],
    ),
]
