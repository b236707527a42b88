"""How results become JSON and come back: every frozen result does it in the same way.

Pydantic reads the types of the fields. It is loaded, and the adapter of a result built, when the
first result of that kind is stored or read.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from typing_extensions import Self


class Result:
    """Base of frozen dataclasses that are stored as JSON.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Span(Result):
    ...     ends: tuple[float, OrInfinite]
    >>> Span((0.5, float("inf"))).to_dict()
    {'ends': (0.5, None)}
    >>> Span.from_dict({"ends": [0.5, None]})
    Span(ends=(0.5, inf))
    """

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        values: dict[str, Any] = self._adapter().dump_python(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Self":
        """Rebuild the result from `to_dict`, before or after it was JSON.

        Raises
        ------
        pydantic.ValidationError
            A ValueError: a value is missing, or of another type.
        """
        result: Self = cls._adapter().validate_python(dict(values))
        return result

    @classmethod
    @cache
    def _adapter(cls) -> "TypeAdapter[Any]":
        from pydantic import TypeAdapter

        return TypeAdapter(cls)


class _NoneIfInfinite:
    """JSON has no infinity."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            lambda value: math.inf if value is None else value,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value if math.isfinite(value) else None
            ),
        )


#: A number that may be infinite, which is None in a dict.
OrInfinite = Annotated[float, _NoneIfInfinite()]
