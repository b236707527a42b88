"""The schema contract: what a user may require of the columns of both datasets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import field_validator

from synthmix_dagster.errors import did_you_mean
from synthmix_dagster.orchestration.config.base import Settings, by_name

if TYPE_CHECKING:
    from synthmix_dagster.data.schema_contract import ColumnContract

_FAMILIES = ("number", "text", "boolean", "time")


class ColumnConfig(Settings):
    """Requirements for one column.

    Attributes
    ----------
    type : str, optional
        Arrow type, such as ``int64``, or one of ``number``, ``text``, ``boolean`` and ``time``.
    nullable : bool
        Whether values may be missing.
    levels : sequence of str, optional
        The allowed values; any other value fails the check.
    """

    type: str | None = None
    nullable: bool = True
    levels: Sequence[str] | None = None

    @field_validator("type")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None or value in _FAMILIES:
            return value
        import pyarrow as pa

        try:
            # Aliases such as "double" and "float64" are one type.
            return str(pa.type_for_alias(value))
        except ValueError:
            pass
        # Those with parameters, such as timestamp[us, tz=UTC], have no alias for each.
        if "[" in value or "(" in value:
            return value
        known = [*_FAMILIES, "int64", "double", "string", "bool"]
        raise ValueError(f"unknown type '{value}'. {did_you_mean(value, known)}")

    @field_validator("levels", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return [str(level) for level in value] if isinstance(value, list | tuple | set) else value


class ContractConfig(Settings):
    """Columns that both datasets must have; the check `schema_matches` enforces it.

    Attributes
    ----------
    columns : mapping of str to ColumnConfig
    extra : bool
        Whether additional columns are allowed.
    every_level : bool
        Whether the synthetic rows must contain every class and level of the real rows that is too
        frequent to be missing by chance.
    """

    columns: Annotated[Mapping[str, ColumnConfig], by_name(ColumnConfig)]
    extra: bool = True
    every_level: bool = False

    @property
    def by_column(self) -> "dict[str, ColumnContract]":
        """The contract that a dataset is compared with."""
        from synthmix_dagster.data.schema_contract import ColumnContract

        return {
            name: ColumnContract(
                column.type,
                column.nullable,
                None if column.levels is None else frozenset(column.levels),
            )
            for name, column in self.columns.items()
        }
