"""Sessions with databases, one class a dialect: a statement that reads runs in a transaction that
only reads and is rolled back.
"""

from typing import TYPE_CHECKING, Any, Protocol

from synthmix_dagster.data.sql import Query, require_reading, without_end

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a batch, where it is for the reader to say.
_BATCH_ROWS = 65_536


class Session(Protocol):
    """One connection, whatever its driver."""

    def read(self, query: Query, seconds: float) -> "pa.RecordBatchReader":
        """Run a statement that reads; its rows come as they are taken."""

    def cancel(self) -> None:
        """End what is running; called from another thread."""

    def end(self) -> None:
        """Take everything back that was not committed."""


def session_of(connection: Any) -> Session | None:
    """The session of a connection, or None where it hands out no Arrow batches."""
    if type(connection).__module__.partition(".")[0] in ("duckdb", "_duckdb"):
        return DuckDbSession(connection)
    if not hasattr(connection, "adbc_get_info"):
        return None
    vendor = str(connection.adbc_get_info().get("vendor_name", ""))
    return _ADBC.get(vendor, AdbcSession)(connection)


class AdbcSession:
    """A connection of an ADBC driver.

    Parameters
    ----------
    connection : object
        As ``adbc_driver_manager.dbapi`` has it.
    """

    #: What encloses names; databases that fold them to capitals are asked without.
    quote = ""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        connection.adbc_connection.set_autocommit(False)

    def read(self, query: Query, seconds: float) -> "pa.RecordBatchReader":
        self.begin(seconds)
        text = query.text(lambda number: "?", self.quote)
        require_reading(text)
        self.cursor.execute(without_end(text), query.values or None)
        return self.cursor.fetch_record_batch()

    def begin(self, seconds: float) -> None:
        """Begin a transaction that only reads, where the database has such."""

    def cancel(self) -> None:
        self.cursor.adbc_cancel()

    def end(self) -> None:
        self.cursor.close()
        self.connection.rollback()


class PostgresSession(AdbcSession):
    """PostgreSQL, whose driver streams only statements without parameters.

    So a parameter is bound to a setting of the transaction, and the statement reads the setting, in
    the type that the server finds for the parameter: ``day = {partition_key}`` compares dates.
    """

    quote = '"'

    def read(self, query: Query, seconds: float) -> "pa.RecordBatchReader":
        require_reading(query.text(lambda number: f"${number}", self.quote))
        self.begin(seconds)
        kinds = self._kinds(query) if query.values else []
        for number, value in enumerate(query.values, start=1):
            self.run("SELECT set_config($1, $2, true)", (f"synthmix.p{number}", value))

        def marker(number: int) -> str:
            return f"CAST(current_setting('synthmix.p{number}') AS {kinds[number - 1]})"

        self.cursor.execute(without_end(query.text(marker, self.quote)))
        return self.cursor.fetch_record_batch()

    def begin(self, seconds: float) -> None:
        self.run("SET TRANSACTION READ ONLY")
        self.run(f"SET LOCAL statement_timeout = {max(1, int(1000 * seconds))}")

    def run(self, text: str, values: tuple[str, ...] | None = None) -> list[Any]:
        """Run a statement, and return its few rows."""
        self.cursor.execute(text, values)
        return list(self.cursor.fetchall())

    def _kinds(self, query: Query) -> list[str]:
        """Types of the parameters, as the server finds them."""
        text = without_end(query.text(lambda number: f"${number}", self.quote))
        self.cursor.execute(f"PREPARE synthmix AS {text}")
        ((kinds,),) = self.run(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'synthmix'"
        )
        self.cursor.execute("DEALLOCATE synthmix")
        return list(kinds)


class SqliteSession(AdbcSession):
    """SQLite, which has no transactions that only read; a pragma keeps it from writing."""

    quote = '"'

    def begin(self, seconds: float) -> None:
        self.cursor.execute("PRAGMA query_only = true")

    def end(self) -> None:
        self.cursor.execute("PRAGMA query_only = false")
        super().end()


class DuckDbSession:
    """A connection of DuckDB.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def read(self, query: Query, seconds: float) -> "pa.RecordBatchReader":
        text = query.text(lambda number: f"${number}", '"')
        require_reading(text)
        self.connection.execute("BEGIN TRANSACTION READ ONLY")
        rows = self.connection.sql(without_end(text), params=list(query.values) or None)
        if rows is None:
            raise ValueError("it returns no table")
        # Before version 2 it had another name.
        read = getattr(rows, "to_arrow_reader", None) or rows.fetch_record_batch
        reader: pa.RecordBatchReader = read(_BATCH_ROWS)
        return reader

    def cancel(self) -> None:
        self.connection.interrupt()

    def end(self) -> None:
        # Nothing is under way where it never began, or where an error ended it.
        from duckdb import Error

        try:
            self.connection.execute("ROLLBACK")
        except Error:
            return


_ADBC: dict[str, type[AdbcSession]] = {"PostgreSQL": PostgresSession, "SQLite": SqliteSession}
