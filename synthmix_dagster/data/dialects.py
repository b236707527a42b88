"""Which session goes with a connection: databases differ in parameters, transactions and tables."""

from typing import Any

from synthmix_dagster.data.mysql_session import MySqlSession
from synthmix_dagster.data.sessions import (
    AdbcSession,
    DuckDbSession,
    PostgresSession,
    Session,
    SqliteSession,
)

#: By the first word of what a driver of ADBC calls the database.
_ADBC: dict[str, type[AdbcSession]] = {
    "PostgreSQL": PostgresSession,
    "SQLite": SqliteSession,
    "MariaDB": MySqlSession,
    "MySQL": MySqlSession,
}


def session_of(connection: Any) -> Session | None:
    """The session of a connection, or None where it hands out no Arrow batches."""
    if type(connection).__module__.partition(".")[0] in ("duckdb", "_duckdb"):
        return DuckDbSession(connection)
    if not hasattr(connection, "adbc_get_info"):
        return None
    vendor, _, _ = str(connection.adbc_get_info().get("vendor_name", "")).partition(" ")
    return _ADBC.get(vendor, AdbcSession)(connection)
