"""Warehouses as resources of a Dagster project: one of ours for ADBC, and those of others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import Field

from synthmix_dagster.data.warehouse import AdbcAccess, Warehouse
from synthmix_dagster.errors import ConfigError

#: Fields of resources that hold something no message may show.
_SECRET = ("password", "secret", "token", "key", "credential", "uri", "dsn", "database")


class SynthMixConnection(dg.ConfigurableResource[Any]):
    """How to reach a database through a driver of ADBC.

    A dataset names it by its key, ``connection: warehouse``, and so does ``publish``. Give secrets
    as ``dg.EnvVar("NAME")``: Dagster shows plain values in its UI.

    Examples
    --------
    >>> connection = SynthMixConnection(driver="sqlite", uri=":memory:")
    >>> with connection.get_connection() as opened, opened.cursor() as cursor:
    ...     cursor.execute("select 1 as x").fetchall()
    [(1,)]
    """

    driver: str = Field(
        description="Driver: postgresql, snowflake, bigquery, flightsql, sqlite or another one "
        "whose package is called adbc-driver-<driver>."
    )
    uri: str | None = Field(default=None, description="Address, where the driver takes one.")
    options: dict[str, str] = Field(
        default={}, description="Further options of the driver by their names."
    )

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Open a connection as DB-API has it, and close it at the end."""
        with self.access().get_connection() as connection:
            yield connection

    def access(self) -> AdbcAccess:
        """The same as the functions of the package take it."""
        return AdbcAccess(self.driver, self.uri, dict(self.options))


def warehouse_of(resource: Any, key: str) -> Warehouse:
    """The warehouse that a resource reaches.

    Raises
    ------
    ConfigError
        The resource gives no connection.
    """
    if isinstance(resource, SynthMixConnection):
        return Warehouse(key, resource, resource.access().secrets)
    if not hasattr(resource, "get_connection"):
        raise ConfigError(
            f"the resource '{key}' is a {type(resource).__name__}, which has no 'get_connection'",
            option="connection",
            fix="Name a SynthMixConnection, a DuckDBResource, or a resource whose "
            "'get_connection()' gives a connection of ADBC or DuckDB",
        )
    return Warehouse(key, resource, tuple(_secrets_of(resource)))


def _secrets_of(resource: Any) -> Iterator[str]:
    """What fields hold whose names say that they are secret, or addresses."""
    for name in getattr(type(resource), "model_fields", ()):
        value = getattr(resource, name, None)
        named = value.items() if isinstance(value, dict) else [(name, value)]
        for key, held in named:
            # The path of a database is no secret; its address may hold one.
            path = key == "database" and "://" not in str(held) and "?" not in str(held)
            if isinstance(held, str) and not path and any(w in key.lower() for w in _SECRET):
                yield held
