"""MariaDB and MySQL, where every change of a table commits at once.

So rows go to a table beside, which takes the place of the other by one ``RENAME TABLE``: readers
see yesterday's rows or today's. Whoever writes a table holds a lock of the server that bears its
name and ends with the connection. What lies beside it, under that lock, is of a writer that died.
"""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.sessions import AdbcSession, OtherColumnsError, Target, alike
from synthmix_dagster.data.sql import names_of

if TYPE_CHECKING:
    import pyarrow as pa

_BESIDE = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND "
    "table_name {how}"
)
#: What is lost where another table takes the place of one.
_LOST = {
    "triggers": "SELECT 1 FROM information_schema.triggers WHERE event_object_schema = DATABASE() "
    "AND event_object_table = ?",
    "foreign keys": "SELECT 1 FROM information_schema.key_column_usage WHERE referenced_table_name "
    "IS NOT NULL AND (table_schema = DATABASE() AND table_name = ? OR referenced_table_schema = "
    "DATABASE() AND referenced_table_name = ?)",
}


class MySqlSession(AdbcSession):
    """A connection to MariaDB or MySQL."""

    quote = "`"
    writes = True

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._table = self._beside = ""
        self._is_there = False

    def begin(self, seconds: float) -> None:
        self._end_after(seconds)
        self.cursor.execute("START TRANSACTION READ ONLY")

    def _end_after(self, seconds: float) -> None:
        ((version,),) = self.run("SELECT VERSION()")
        # A little later than ours, which says what it was.
        limit = f"max_statement_time = {int(seconds) + 2}"
        if "mariadb" not in version.lower():
            limit = f"max_execution_time = {1000 * (int(seconds) + 2)}"
        self.cursor.execute(f"SET SESSION {limit}")

    def write(self, target: Target, rows: "pa.RecordBatchReader", seconds: float) -> int:
        """All rows are written beside the table, those of others copied first."""
        *schema, self._table = names_of(target.table)
        if schema:
            known = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?"
            if not self.run(known, (schema[-1],)):
                self.cursor.execute(f"CREATE DATABASE `{schema[-1]}`")
            self.cursor.execute(f"USE `{schema[-1]}`")
        self._alone(seconds)
        rows = in_its_types(rows)
        self._is_there = bool(self.run(_BESIDE.format(how="= ?"), (self._table,)))
        if self._is_there:
            self._require_replaceable()
        self._make(target, rows.schema)
        self.cursor.adbc_ingest(self._beside, rows, mode="append")
        where, values = _where(target)
        ((count,),) = self.run(f"SELECT count(*) FROM `{self._beside}`{where}", values)  # noqa: S608
        return int(count)

    def _alone(self, seconds: float) -> None:
        """Wait for other writers of this table, and remove what dead ones left."""
        ((place,),) = self.run("SELECT DATABASE()")
        name = hashlib.sha256(f"{place}.{self._table}".encode()).hexdigest()[:16]
        ((locked,),) = self.run("SELECT GET_LOCK(?, ?)", (f"synthmix_{name}", max(1, int(seconds))))
        if locked != 1:
            raise TimeoutError("another run is writing this table")
        # What it wrote meanwhile is to be seen.
        self.connection.rollback()
        for (left,) in self.run(_BESIDE.format(how="LIKE ?"), (f"synthmix\\_{name}\\_%",)):
            self.cursor.execute(f"DROP TABLE `{left}`")
        self._beside = f"synthmix_{name}_new"

    def _require_replaceable(self) -> None:
        for what, query in _LOST.items():
            if self.run(query, (self._table,) * query.count("?")):
                raise ValueError(f"the table has {what}, which it would lose as it is replaced")

    def _make(self, target: Target, schema: "pa.Schema") -> None:
        """Make the table beside, like the one that is there where its columns stay."""
        if self._is_there:
            self.cursor.execute(f"SELECT * FROM `{self._table}` LIMIT 0")  # noqa: S608
            there = self.cursor.fetch_record_batch().schema
            if alike(there, schema):
                self.cursor.execute(f"CREATE TABLE `{self._beside}` LIKE `{self._table}`")
                where, values = _where(target)
                if where:
                    others = where.replace(" WHERE ", " WHERE NOT (") + ")"
                    self.cursor.execute(
                        f"INSERT INTO `{self._beside}` SELECT * FROM `{self._table}`{others}",  # noqa: S608
                        values,
                    )
                return
            if target.own:
                raise OtherColumnsError(", ".join(there.names))
        columns = ", ".join(f"`{each.name.replace('`', '``')}` {_called(each)}" for each in schema)
        self.cursor.execute(f"CREATE TABLE `{self._beside}` ({columns}) CHARACTER SET utf8mb4")

    def commit(self) -> None:
        super().commit()
        old = self._beside.replace("_new", "_old")
        swapped = f"`{self._table}` TO `{old}`, " if self._is_there else ""
        self.cursor.execute(f"RENAME TABLE {swapped}`{self._beside}` TO `{self._table}`")
        if self._is_there:
            self.cursor.execute(f"DROP TABLE `{old}`")

    def end(self) -> None:
        if self._beside:
            self.cursor.execute(f"DROP TABLE IF EXISTS `{self._beside}`")
            # A pool would keep the connection, and the lock with it.
            self.run("SELECT RELEASE_LOCK(?)", (self._beside.removesuffix("_new"),))
        super().end()


def in_its_types(rows: "pa.RecordBatchReader") -> "pa.RecordBatchReader":
    """Rows in the types that columns of these servers have: times in microseconds of UTC."""
    import pyarrow as pa

    fields = []
    for each in rows.schema:
        kind = each.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us")
        elif pa.types.is_time(kind):
            kind = pa.time64("us")
        elif pa.types.is_floating(kind):
            kind = pa.float64()
        fields.append(pa.field(each.name, kind))
    schema = pa.schema(fields)

    def batches() -> "Iterator[pa.RecordBatch]":
        for batch in rows:
            yield batch.cast(schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _called(each: "pa.Field") -> str:
    """What the type of a column is called there."""
    import pyarrow as pa

    kind, types = each.type, pa.types
    for name, of in {
        "BIT(1)": types.is_boolean,
        "DOUBLE": types.is_floating,
        "DATE": types.is_date,
        "DATETIME(6)": types.is_timestamp,
        "TIME(6)": types.is_time,
        "LONGBLOB": lambda one: types.is_binary(one) or types.is_large_binary(one),
        "LONGTEXT": lambda one: types.is_string(one) or types.is_large_string(one),
    }.items():
        if of(kind):
            return name
    if types.is_integer(kind):
        name = {8: "TINYINT", 16: "SMALLINT", 32: "INT", 64: "BIGINT"}[kind.bit_width]
        return f"{name} UNSIGNED" if types.is_unsigned_integer(kind) else name
    if types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if types.is_null(kind):
        return "LONGTEXT"
    raise ValueError(f"the column '{each.name}' has the type {kind}, which no column there has")


def _where(target: Target) -> tuple[str, tuple[str, ...] | None]:
    """The rows to be replaced, and the values of its parameters."""
    meets = " AND ".join(f"`{name}` <=> ?" for name in target.own)
    return (f" WHERE {meets}" if meets else ""), tuple(target.own.values()) or None
