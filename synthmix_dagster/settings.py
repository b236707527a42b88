"""Base of everything a user may set: one model for YAML and Python that names the nearest word."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import dagster as dg
from pydantic import BaseModel, ConfigDict, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails

from synthmix_dagster.errors import did_you_mean


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
def _suggesting(derived: type[BaseModel]) -> type[BaseModel]:
    """The model Dagster derives for YAML, with the same words for an unknown option."""
    return create_model(derived.__name__, __base__=(_Suggesting, derived))


class Settings(dg.Resolvable, _Suggesting, dg.Model):
    """Base of everything a user may set, in YAML and in Python alike."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    @classmethod
    def model(cls) -> type[BaseModel]:
        return _suggesting(super().model())
