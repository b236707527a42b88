"""Where else a release goes, once it has passed its gates."""

from typing import Literal

from pydantic import field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.data.sql import names_of
from synthmix_dagster.data.warehouse import TIME_LIMIT
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.base import Settings, writable_root


class PublishConfig(Settings):
    """Places outside of `output_root` that receive every release, after its gates.

    Attributes
    ----------
    delta : str, optional
        Folder or URI of a Delta table. The release is appended to it as one version, whose commit
        states the release id; a release that is in the table already is not appended again.
    storage : str, optional
        Key of a `SynthMixStorage` resource by which the table is reached; by default the `storage`
        of the mix, or else the credentials of the environment.
    table : str, optional
        A table on `connection`, such as ``analytics.churn_training``. The release is written to it
        whole or not at all, by an asset of its own, ``published_table``.
    connection : str, optional
        Key of a resource: a `SynthMixConnection` to PostgreSQL, a ``DuckDBResource``, or one whose
        ``get_connection()`` gives a connection of ADBC to PostgreSQL, MariaDB or MySQL.
    mode : {"replace", "append"}
        Replace the rows of the table, or add those of the release with the column ``release_id``.
        With partitions the column ``partition_key`` is added, and a partition replaces its own.
    time_limit : float
        Seconds that writing the table may take.
    """

    delta: str | None = None
    storage: str | None = None
    table: str | None = None
    connection: str | None = None
    mode: Literal["replace", "append"] = "replace"
    time_limit: float = TIME_LIMIT

    @field_validator("delta")
    @classmethod
    def _writable(cls, value: str | None) -> str | None:
        if value is not None and value.lower().startswith("memory://"):
            raise ValueError(f"'{value}' is not a place for a table. Use a directory or a URI")
        return None if value is None else writable_root(value)

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.delta is None and self.table is None:
            raise ValueError(
                "no target is set. Set 'table' and 'connection', or 'delta' to the address of a "
                "Delta table"
            )
        if (self.table is None) != (self.connection is None):
            raise ValueError("set 'table' and 'connection' together")
        if self.table is None and self.mode != "replace":
            raise ValueError("'mode' requires 'table'. A Delta table is always appended to")
        if not self.time_limit > 0:
            raise ValueError(f"'time_limit' is {self.time_limit}. Set it above 0")
        try:
            names = () if self.table is None else names_of(self.table)
        except ConfigError as error:
            raise ValueError(f"{error.problem}. {error.fix}") from None
        if len(names) > 2:
            raise ValueError(f"'{self.table}' has three parts. Write it as 'schema.table'")
        return self
