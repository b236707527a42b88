"""Sessions with databases, one class a dialect.

A statement that reads runs in a transaction that only reads and is rolled back. A table is written
in one transaction, or beside the one that is there and swapped in: others see all or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from synthmix_dagster.data.sql import Query, names_of, quoted, require_reading, without_end

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a batch, where it is for the reader to say.
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Target:
    """A table that is written.

    Attributes
    ----------
    table : str
    own : mapping of str to str
        Values of text columns by which the rows to be replaced are known; all rows without any.
    """

    table: str
    own: Mapping[str, str] = field(default_factory=dict)

    def where(self) -> str:
        """The condition that these rows meet, with parameters ``$1`` and so on."""
        columns = (f'"{name}" = ${number}' for number, name in enumerate(self.own, start=1))
        return f" WHERE {' AND '.join(columns)}" if self.own else ""


class OtherColumnsError(Exception):
    """A table has other columns than the rows to be added to it."""


class Session(Protocol):
    """One connection, whatever its driver."""

    @property
    def writes(self) -> bool:
        """Whether tables are written whole or not at all."""

    def write(self, target: Target, rows: "pa.RecordBatchReader", seconds: float) -> int:
        """Replace rows of a table, which is made where there is none; return how many there are.

        Nobody sees anything of it before `commit`.
        """

    def commit(self) -> None:
        """Show what was written."""

    def read(self, query: Query, seconds: float) -> "pa.RecordBatchReader":
        """Run a statement that reads; its rows come as they are taken."""

    def cancel(self) -> None:
        """End what is running; called from another thread."""

    def end(self) -> None:
        """Take everything back that was not committed."""


class AdbcSession:
    """A connection of an ADBC driver.

    Parameters
    ----------
    connection : object
        As ``adbc_driver_manager.dbapi`` has it.
    """

    #: What encloses names; databases that fold them to capitals are asked without.
    quote = ""
    writes = False

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

    def write(self, target: Target, rows: "pa.RecordBatchReader", seconds: float) -> int:
        raise NotImplementedError

    def commit(self) -> None:
        self.connection.commit()

    def run(self, text: str, values: tuple[Any, ...] | None = None) -> list[Any]:
        """Run a statement, and return its few rows."""
        self.cursor.execute(text, values)
        return list(self.cursor.fetchall())

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
    writes = True

    def read(self, query: Query, seconds: float) -> "pa.RecordBatchReader":
        from synthmix_dagster.data.postgres_types import in_values, marked

        require_reading(query.text(lambda number: f"${number}", self.quote))
        self.begin(seconds)
        kinds = self._kinds(query) if query.values else []
        for number, value in enumerate(query.values, start=1):
            self.run("SELECT set_config($1, $2, true)", (f"synthmix.p{number}", value))

        def marker(number: int) -> str:
            return f"CAST(current_setting('synthmix.p{number}') AS {kinds[number - 1]})"

        text = without_end(query.text(marker, self.quote))
        columns = self.cursor.adbc_execute_schema(text)
        self.cursor.execute(in_values(text, columns))
        return marked(self.cursor.fetch_record_batch(), columns)

    def begin(self, seconds: float) -> None:
        self.cursor.execute("SET TRANSACTION READ ONLY")
        self._end_after(seconds)

    def _end_after(self, seconds: float) -> None:
        self.cursor.execute(f"SET LOCAL statement_timeout = {max(1, int(1000 * seconds))}")

    def write(self, target: Target, rows: "pa.RecordBatchReader", seconds: float) -> int:
        """Rows are deleted and added where the columns stay, so that readers go on and views stay;
        only a table of other columns is dropped.
        """
        self._end_after(seconds)
        *schema, table = names_of(target.table)
        name = quoted(target.table)
        if schema and not self.run("SELECT 1 FROM pg_namespace WHERE nspname = $1", (schema[-1],)):
            self.cursor.execute(f'CREATE SCHEMA "{schema[-1]}"')
        values = tuple(target.own.values()) or None
        stays = False
        if self.run("SELECT to_regclass($1)::text", (name,))[0][0] is not None:
            # Other writers wait; readers do not.
            self.cursor.execute(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
            self.cursor.execute(f"SELECT * FROM {name} LIMIT 0")  # noqa: S608 - names are plain
            there = self.cursor.fetch_record_batch().schema
            stays = alike(there, rows.schema)
            if not stays and target.own:
                raise OtherColumnsError(", ".join(there.names))
            what = f"DELETE FROM {name}{target.where()}"  # noqa: S608
            self.cursor.execute(what if stays else f"DROP TABLE {name}", values)
        mode = "append" if stays else "create"
        self.cursor.adbc_ingest(table, rows, mode=mode, db_schema_name=next(iter(schema), None))
        ((count,),) = self.run(
            f"SELECT count(*) FROM {name}{target.where()}",  # noqa: S608 - names are plain
            values,
        )
        return int(count)

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

    writes = True

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def write(self, target: Target, rows: "pa.RecordBatchReader", seconds: float) -> int:
        run, name = self.connection.execute, quoted(target.table)
        *schema, _ = names_of(target.table)
        run("BEGIN TRANSACTION")
        if schema:
            inside = ".".join(f'"{part}"' for part in schema)
            run(f"CREATE SCHEMA IF NOT EXISTS {inside}")
        values = list(target.own.values())
        self.connection.register("synthmix_rows", rows)
        if not values:
            run(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM synthmix_rows")  # noqa: S608
        else:
            self.connection.register("synthmix_columns", rows.schema.empty_table())
            run(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM synthmix_columns")  # noqa: S608
            there = self.connection.sql(f"SELECT * FROM {name} LIMIT 0").columns  # noqa: S608
            if set(there) != set(rows.schema.names):
                raise OtherColumnsError(", ".join(there))
            run(f"DELETE FROM {name}{target.where()}", values)  # noqa: S608 - names are plain
            run(f"INSERT INTO {name} BY NAME SELECT * FROM synthmix_rows")  # noqa: S608
        (count,) = run(f"SELECT count(*) FROM {name}{target.where()}", values).fetchone()  # noqa: S608
        return int(count)

    def commit(self) -> None:
        self.connection.execute("COMMIT")

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


def alike(there: "pa.Schema", rows: "pa.Schema") -> bool:
    """Whether rows can be added to a table, whose driver names its types in its own way."""
    kinds = {each.name: _family(each.type) for each in there}
    return kinds == {each.name: _family(each.type) for each in rows}


def _family(kind: "pa.DataType") -> str:
    """What a type of Arrow is called in a database."""
    import pyarrow as pa

    for name, of in {
        "text": (pa.types.is_string, pa.types.is_large_string, pa.types.is_null),
        "bytes": (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary),
        "numeric": (pa.types.is_decimal, _is_numeric),
        "int2": (pa.types.is_int8, pa.types.is_uint8, pa.types.is_int16),
        "int4": (pa.types.is_uint16, pa.types.is_int32),
        "int8": (pa.types.is_uint32, pa.types.is_int64),
        "float4": (pa.types.is_float16, pa.types.is_float32),
    }.items():
        if any(one(kind) for one in of):
            return name
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    return str(kind)


def _is_numeric(kind: "pa.DataType") -> bool:
    return "type_name=numeric" in str(kind)
