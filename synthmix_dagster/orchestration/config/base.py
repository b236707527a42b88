"""Base of everything a user may set: one model for YAML and Python that names the nearest word."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import make_dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import dagster as dg
from dagster.components.resolved.base import resolve_fields
from pydantic import BaseModel, ConfigDict, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails
from typing_extensions import Self

from synthmix_dagster.data.store import SCHEMES, is_uri
from synthmix_dagster.encoding.option_docs import attribute_docs
from synthmix_dagster.errors import ConfigError, did_you_mean
from synthmix_dagster.redaction import without_secrets


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
        # Pydantic shows the input beside its message.
        detail |= {"input": _safe_to_show(found["input"])}
        if message:
            message = without_secrets(message)
            detail |= {"type": "value_error", "ctx": {"error": ValueError(message)}}
        details.append(detail)  # type: ignore[arg-type]
    return ValidationError.from_exception_data(error.title, details)


def _located(error: ConfigError, title: str, values: Any) -> ValidationError:
    """What the options of a verb refused, as an error of the key in YAML."""
    value = values.get(error.option) if isinstance(values, Mapping) else None
    detail = InitErrorDetails(
        type="value_error",
        loc=(error.option,),
        input=_safe_to_show(value),
        ctx={"error": ValueError(f"{error.problem}. {error.fix}")},
    )
    return ValidationError.from_exception_data(title, [detail])


def said_in_one_line(error: Exception) -> str:
    """What an error of Dagster's says, to be quoted in a sentence."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _safe_to_show(value: Any) -> Any:
    """What was set, without the secrets of the addresses in it."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {key: _safe_to_show(each) for key, each in value.items()}
    return [_safe_to_show(each) for each in value] if isinstance(value, list | tuple) else value


class _Suggesting(BaseModel):
    """Refuses unknown options with the nearest valid one."""

    @model_validator(mode="wrap")
    @classmethod
    def suggest(cls, values: Any, handler: Any) -> Any:
        try:
            return handler(values)
        except ValidationError as error:
            raise _name_nearest(error, list(cls.model_fields)) from None
        except ConfigError as error:
            raise _located(error, cls.__name__, values) from None
        except Exception as error:
            # Dagster's own checks raise errors of its own, which pydantic does not locate.
            raise ValueError(f"{said_in_one_line(error)}. Check its value and type") from None


@cache
def _explained(settings: type[BaseModel], derived: type[BaseModel]) -> type[BaseModel]:
    """The model Dagster derives for YAML, with words for an unknown option and for each known."""
    model = create_model(derived.__name__, __base__=(_Suggesting, derived))
    words = _docs(settings)
    for name, field in model.model_fields.items():
        field.description = field.description or words.get(name)
    model.model_rebuild(force=True)
    return model


def _docs(settings: type[BaseModel]) -> dict[str, str]:
    """Descriptions of the settings; what they say themselves stands over those of the options."""
    docs = attribute_docs(settings)
    for base in settings.__mro__:
        for declared in vars(base).get("declared_in", ()):
            docs = attribute_docs(declared) | docs
    return docs


@cache
def _fields_of(settings: type[BaseModel], names: frozenset[str]) -> Any:
    """Some fields of settings as a class, for Dagster, which looks at every field for each mix."""
    annotations = {
        name: field.rebuild_annotation() for name, field in settings.model_fields.items()
    }
    said = [(name, kind) for name, kind in annotations.items() if name in names]
    return make_dataclass(settings.__name__, said)


class Settings(dg.Resolvable, _Suggesting, dg.Model):
    """Base of everything a user may set, in YAML and in Python alike.

    Parameters
    ----------
    described_by : sequence of type
        Classes of options whose docstrings describe the fields.
    """

    declared_in: ClassVar[Sequence[type]] = ()

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        # Most of these classes are bases of others: what is never validated is never built.
        defer_build=True,
    )

    def __init_subclass__(cls, described_by: Sequence[type] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.declared_in = described_by

    @classmethod
    def model(cls) -> type[BaseModel]:
        return _explained(cls, super().model())

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        said = _fields_of(cls, frozenset(model.model_fields_set))
        return cls(**resolve_fields(model, said, context))


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
        The first option that is wrong, what is wrong with it and how to fix it.
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


#: Folders that a mix makes in its directory.
RESERVED = frozenset(
    {"releases", "latest", "records", "references", "partitions", "generated", "snapshots"}
)


def plain_name(value: str) -> str:
    """Refuse a name that is not an identifier, or that is one of the folders of a mix."""
    if not (value.isidentifier() and value.isascii()):
        raise ValueError(
            f"'{value}' is not a valid identifier. Use letters, digits and underscores"
        )
    return unreserved(value)


def unreserved(value: str) -> str:
    """Refuse a part of a path that has the name of a folder of a mix, or a hidden one."""
    if value.casefold() in RESERVED:
        raise ValueError(
            f"'{value}' is the name of a folder that every mix makes. Reserved names are: "
            + ", ".join(sorted(RESERVED))
        )
    if value.startswith("."):
        raise ValueError(f"'{value}' is hidden from readers. Use a name that begins with no dot")
    return value


def writable_root(value: str) -> str:
    """Refuse an address that nothing can be written to: a folder would get its name."""
    scheme = value.partition("://")[0].lower()
    if is_uri(value) and scheme not in SCHEMES:
        raise ValueError(
            f"'{value}' is not a place to write to. Use a local directory, or one of "
            + ", ".join(f"{known}://" for known in sorted(SCHEMES))
        )
    return value


def below_root(value: str | None) -> str | None:
    """Refuse an output that is not a relative path below its root."""
    if value is None:
        return None
    if Path(value).is_absolute() or ".." in Path(value).parts or "://" in value:
        raise ValueError(f"'{value}' lies outside 'output_root'. Use a relative name without '..'")
    for part in Path(value).parts:
        unreserved(part)
    return value
