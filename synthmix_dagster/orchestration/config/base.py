"""Base of everything a user may set: one model for YAML and Python that names the nearest word."""

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
from pydantic import BaseModel, ConfigDict, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails

from synthmix_dagster.errors import ConfigError, did_you_mean


def _name_nearest(error: ValidationError, known: Sequence[str]) -> ValidationError:
    """Say which option, or which word, was probably meant where pydantic only says no."""
    details: list[InitErrorDetails] = []
    for found in error.errors(include_url=False):
        message = ""
        if found["type"] == "extra_forbidden" and len(found["loc"]) == 1:
            name = found["loc"][0]
            message = f"unknown option '{name}'. {did_you_mean(name, known)}"
        elif found["type"] == "literal_error":
            words = re.findall("'([^']*)'", found["ctx"]["expected"])
            message = f"unknown value {found['input']!r}. {did_you_mean(found['input'], words)}"
        elif found["type"] != "missing":
            # Types that pydantic made up on the way cannot be raised again by their name.
            message = found["msg"].removeprefix("Value error, ")
        detail = {key: found[key] for key in ("type", "loc", "input", "ctx") if key in found}
        if message:
            detail |= {"type": "value_error", "ctx": {"error": ValueError(message)}}
        details.append(detail)  # type: ignore[arg-type]
    return ValidationError.from_exception_data(error.title, details)


class _Suggesting(BaseModel):
    """Refuses unknown options with the nearest valid one."""

    @model_validator(mode="wrap")
    @classmethod
    def suggest(cls, values: Any, handler: Any) -> Any:
        try:
            return handler(values)
        except ValidationError as error:
            raise _name_nearest(error, list(cls.model_fields)) from None


@cache
def _explained(settings: type[BaseModel], derived: type[BaseModel]) -> type[BaseModel]:
    """The model Dagster derives for YAML, with words for an unknown option and for each known."""
    model = create_model(derived.__name__, __base__=(_Suggesting, derived))
    words = attribute_docs(settings)
    for name, field in model.model_fields.items():
        field.description = field.description or words.get(name)
    model.model_rebuild(force=True)
    return model


def attribute_docs(settings: type) -> dict[str, str]:
    """What a class and its bases say of their attributes, so that it is said in one place.

    Examples
    --------
    >>> class Knob:
    ...     '''A knob.
    ...
    ...     Attributes
    ...     ----------
    ...     low, high : int
    ...         Ends of the
    ...         scale.
    ...     '''
    >>> attribute_docs(Knob)
    {'low': 'Ends of the scale.', 'high': 'Ends of the scale.'}
    """
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        text = inspect.cleandoc(vars(base).get("__doc__") or "")
        _, _, section = text.partition("Attributes\n----------\n")
        names: list[str] = []
        for line in section.splitlines():
            if line.startswith(" "):
                for name in names:
                    found[name] = f"{found[name]} {line.strip()}".strip()
            elif " : " in line:
                listed, _, _ = line.partition(" : ")
                names = listed.split(", ")
                found |= dict.fromkeys(names, "")
    return {name: said for name, said in found.items() if said}


class Settings(dg.Resolvable, _Suggesting, dg.Model):
    """Base of everything a user may set, in YAML and in Python alike."""

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        # Most of these classes are bases of others: what is never validated is never built.
        defer_build=True,
    )

    @classmethod
    def model(cls) -> type[BaseModel]:
        return _explained(cls, super().model())


def by_name(model: type[Settings]) -> dg.Resolver:
    """How YAML reads a mapping of names to settings."""

    def resolve(context: dg.ResolutionContext, found: Any) -> Any:
        return {
            name: model.resolve_from_model(context.at_path(name), each)
            for name, each in found.items()
        }

    return dg.Resolver(resolve, model_field_type=Mapping[str, model.model()])  # type: ignore[misc, arg-type]


Model = TypeVar("Model", bound=Settings)


def validated(model: type[Model], options: Mapping[str, Any], what: str) -> Model:
    """Validate options given in Python.

    Parameters
    ----------
    model : type
    options : mapping
    what : str
        What they are the options of, for messages that concern all of them.

    Raises
    ------
    ConfigError
        The first option that is wrong, what is wrong with it and how to mend it.
    """
    try:
        return model(**options)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # An unknown option explains the required one that is missing: report it first.
        first = min(errors, key=lambda found: found["type"] == "missing")
        problem, _, fix = first["msg"].removeprefix("Value error, ").partition(". ")
        raise ConfigError(
            problem[0].lower() + problem[1:],
            option=".".join(map(str, first["loc"])) or what,
            fix=fix or f"See the documentation of {model.__name__}",
        ) from None


def plain_name(value: str) -> str:
    """Refuse a name that is no identifier."""
    if not (value.isidentifier() and value.isascii()):
        raise ValueError(f"'{value}' is not a plain name. Use letters, digits and underscores")
    return value


def local_folder(value: str) -> str:
    """Refuse an object store as a place to write to: a local folder would get its name."""
    if "://" in value:
        raise ValueError(
            f"'{value}' is no local directory. Write to a local directory and copy the finished "
            "release from there, its manifest.json last"
        )
    return value


def below_root(value: str | None) -> str | None:
    """Refuse an output that is not a relative path below its root."""
    if value is not None and (Path(value).is_absolute() or ".." in Path(value).parts):
        raise ValueError(f"'{value}' lies outside 'output_root'. Use a relative name without '..'")
    return value


def weights_above_zero(value: Mapping[str, float]) -> Mapping[str, float]:
    """Refuse weights of columns that are not numbers above 0."""
    for column, weight in value.items():
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(
                f"the weight of '{column}' is {weight}. Set it to a number above 0, or add the "
                "column to 'ignore'"
            )
    return value
