"""Warehouses: a connection by its key, and a statement read from it as a stream of Arrow batches.

What a driver says when it fails is put into one error that names the connection and the first line
of the statement, and nothing secret.
"""

import threading
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.dialects import session_of
from synthmix_dagster.data.sessions import OtherColumnsError, Session, Target
from synthmix_dagster.data.sql import Query, without_passwords
from synthmix_dagster.errors import ConfigError, QueryError
from synthmix_dagster.redaction import cause_of, without_secrets

if TYPE_CHECKING:
    import pyarrow as pa

#: Seconds that a statement may take, reading its rows included, unless it is said.
TIME_LIMIT = 3600.0
#: A shorter value of an option is no secret, and its letters may occur anywhere.
_MIN_SECRET = 6
#: A message of a driver longer than this is cut.
_LONGEST = 400
#: What PostgreSQL calls a statement that its own time limit ended.
_CANCELLED = "57014"


@dataclass(frozen=True)
class AdbcAccess:
    """How to reach a database through a driver of ADBC.

    Attributes
    ----------
    driver : str
        Such as ``postgresql``, ``snowflake``, ``bigquery``, ``flightsql`` or ``sqlite``, from the
        package ``adbc-driver-postgresql`` and so on.
    uri : str, optional
    options : mapping of str to str
        Options of the driver by their names.
    """

    driver: str
    uri: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Open a connection as DB-API has it, and close it at the end."""
        from adbc_driver_manager import AdbcConnection, dbapi

        name = self.driver.lower().replace("-", "_").removeprefix("adbc_driver_")
        module = import_module(f"adbc_driver_{name}")
        arguments = [] if self.uri is None else [self.uri]
        options = {"db_kwargs": dict(self.options)} if self.options else {}
        database = module.connect(*arguments, **options)
        try:
            connection = dbapi.Connection(database, AdbcConnection(database))
        except BaseException:
            database.close()
            raise
        with connection:
            yield connection

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return (*([] if self.uri is None else [self.uri]), *self.options.values())


@dataclass(frozen=True)
class DuckDbAccess:
    """A file of DuckDB, opened for reading.

    Attributes
    ----------
    path : str
    """

    path: str

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Open it, and close it at the end."""
        import duckdb

        with duckdb.connect(self.path, read_only=True) as connection:
            yield connection


@dataclass(frozen=True)
class Stream:
    """Rows of a statement as they come.

    Attributes
    ----------
    schema : pyarrow.Schema
    batches : iterator of pyarrow.RecordBatch
    """

    schema: "pa.Schema"
    batches: "Iterator[pa.RecordBatch]"


@dataclass(frozen=True)
class Warehouse:
    """A connection by its key, and how it is opened.

    Attributes
    ----------
    key : str
        What messages call it.
    opener : object
        With a context manager ``get_connection``, as resources of Dagster have.
    secrets : tuple of str
        What no message may show.
    """

    key: str
    opener: Any = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a connection, and close it at the end.

        Raises
        ------
        QueryError
            It cannot be opened, or hands out no Arrow batches.
        """
        opening = True
        try:
            with self.opener.get_connection() as connection:
                opening = False
                session = session_of(connection)
                if session is None:
                    raise QueryError(
                        f"it is a {type(connection).__name__}, which hands out no Arrow batches",
                        connection=self.key,
                        fix="Use a SynthMixConnection, a DuckDBResource, or a resource whose "
                        "'get_connection' gives a connection of ADBC",
                    )
                try:
                    yield session
                except BaseException:
                    # The resource of dagster-duckdb closes what ended well only, and an open
                    # connection keeps everybody else from the file.
                    with suppress(Exception):
                        connection.close()
                    raise
        except ImportError as error:
            if not opening:
                raise
            package = (error.name or "").partition(".")[0].replace("_", "-")
            raise QueryError(
                f"its driver is not installed ({error.name})",
                connection=self.key,
                fix=f"Install {package}; 'synthmix-dagster[adbc]' brings that of PostgreSQL",
            ) from error
        except Exception as error:
            if not opening:
                raise
            raise QueryError(
                f"it cannot be opened ({self.said(error)})",
                connection=self.key,
                fix="Check the resource, the network and the credentials",
                transient=True,
            ) from self.cause(error)

    @contextmanager
    def reading(self, query: Query, dataset: str, seconds: float = TIME_LIMIT) -> Iterator[Stream]:
        """Run a statement that reads, and hand out its rows as they come.

        Parameters
        ----------
        query : Query
        dataset : str
            What messages call it.
        seconds : float
            How long it may take, reading its rows included.

        Raises
        ------
        QueryError
            The statement fails or takes too long, now or while its rows are read.
        """
        asked = _Asked(self, "the query", query.shown, dataset, seconds)
        with self.session() as session, asked.limited(session):

            def following(reader: "pa.RecordBatchReader") -> "pa.RecordBatch | None":
                with asked.named():
                    return next(reader, None)

            def batches(reader: "pa.RecordBatchReader") -> "Iterator[pa.RecordBatch]":
                # One ahead: the server goes on while rows are written.
                coming = ahead.submit(following, reader)
                while (batch := coming.result()) is not None:
                    coming = ahead.submit(following, reader)
                    yield batch
                complete.set()

            complete = threading.Event()
            with ThreadPoolExecutor(1) as ahead:
                try:
                    with asked.named():
                        reader = session.read(query, seconds)
                    yield Stream(reader.schema, batches(reader))
                finally:
                    # What is under way ends first; a connection that is lost has nothing to end.
                    with suppress(Exception):
                        if not complete.is_set():
                            session.cancel()
                    ahead.shutdown(cancel_futures=True)
                    with suppress(Exception):
                        session.end()

    def write(
        self,
        target: Target,
        rows: "pa.RecordBatchReader",
        count: int,
        seconds: float = TIME_LIMIT,
    ) -> None:
        """Write a table: others see all of it or nothing.

        Parameters
        ----------
        target : Target
        rows : pyarrow.RecordBatchReader
        count : int
            How many rows there must be in the end.
        seconds : float
            How long it may take.

        Raises
        ------
        QueryError
            The table cannot be written; it is what it was before.
        """
        asked = _Asked(self, "writing the table", target.table, "", seconds)
        with self.session() as session, asked.limited(session):
            if not session.writes:
                raise asked.error(
                    "it is not known to write a table whole or not at all",
                    "Publish to PostgreSQL, DuckDB, MariaDB or MySQL, or load the release from its "
                    "files",
                )
            try:
                with asked.named():
                    written = session.write(target, rows, seconds)
                if written != count:
                    raise asked.error(
                        f"the table would have {written} rows in the place of {count}",
                        "Look for triggers and rules of this table. It is unchanged",
                    )
                with asked.named():
                    session.commit()
            except OtherColumnsError as error:
                raise asked.error(
                    f"the table has other columns ({error}) than the release",
                    "Publish to another table, or drop this one. It is unchanged",
                ) from error
            finally:
                with suppress(Exception):
                    session.end()

    def said(self, error: BaseException) -> str:
        """What an error of a driver says, in one line without secrets."""
        said = " ".join(self.hidden(str(error)).split()).rstrip(".")
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} …"

    def cause(self, error: BaseException) -> BaseException | None:
        """The error as the cause of another, unless it would show a secret."""
        shown = "".join(traceback.format_exception(error)) + repr(error)
        return cause_of(error) if self.hidden(shown) == shown else None

    def hidden(self, text: str) -> str:
        """A text without the secrets of this connection."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _MIN_SECRET and "://" not in secret:
                text = text.replace(secret, "***")
        return without_passwords(without_secrets(text, *self.secrets))


def warehouse_at(address: str, key: str) -> Warehouse:
    """The warehouse at an address.

    Parameters
    ----------
    address : str
        Such as ``postgresql://…``, ``sqlite:///path`` or ``duckdb:///path``; the scheme of any
        other is the name of its ADBC driver.
    key : str
        What messages call it.

    Raises
    ------
    ConfigError
        It has no scheme.

    Examples
    --------
    >>> warehouse_at("duckdb:///data/shop.duckdb", "SHOP").opener
    DuckDbAccess(path='/data/shop.duckdb')
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        raise ConfigError(
            f"the variable '{key}' holds no address of a database",
            option="connection",
            fix="Set it to one such as postgresql://user:password@host/database or "
            "duckdb:///path/to/file",
        )
    if scheme == "duckdb":
        return Warehouse(key, DuckDbAccess(rest))
    if scheme == "sqlite":
        return Warehouse(key, AdbcAccess("sqlite", rest))
    driver = {"postgres": "postgresql", "grpc": "flightsql", "grpc+tls": "flightsql"}
    access = AdbcAccess(driver.get(scheme, scheme), address)
    return Warehouse(key, access, access.secrets)


class _Asked:
    """What a session was asked: names its errors, and ends it when its time is over."""

    def __init__(
        self, warehouse: Warehouse, what: str, query: str, dataset: str, seconds: float
    ) -> None:
        self.warehouse, self.what, self.seconds = warehouse, what, seconds
        self._where = {"connection": warehouse.key, "query": query, "dataset": dataset}
        self._over = threading.Event()

    @contextmanager
    def limited(self, session: Session) -> Iterator[None]:
        """End the session when its time is over."""

        def end() -> None:
            self._over.set()
            with suppress(Exception):
                session.cancel()

        timer = threading.Timer(self.seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def named(self) -> Iterator[None]:
        """Turn whatever a driver raises into an error of this package."""
        try:
            yield
        except (OtherColumnsError, QueryError):
            raise
        except Exception as error:
            late = self._over.is_set() or getattr(error, "sqlstate", "") == _CANCELLED
            if late:
                raise self._late() from self.warehouse.cause(error)
            raise self.error(
                f"{self.what} failed ({self.warehouse.said(error)})",
                "Correct the query or the table. What was stored before is unchanged",
            ) from self.warehouse.cause(error)
        if self._over.is_set():
            raise self._late()

    def error(self, problem: str, fix: str, *, transient: bool = False) -> QueryError:
        """An error of what was asked."""
        return QueryError(problem, **self._where, fix=fix, transient=transient)

    def _late(self) -> QueryError:
        return self.error(
            f"{self.what} took longer than {self.seconds:g} s",
            "Raise 'time_limit', or ask for less. What was stored before is unchanged",
            transient=True,
        )
