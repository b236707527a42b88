"""A release as one version of a Delta table."""

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from synthmix_dagster.data.alignment import unpacked
from synthmix_dagster.data.lake_tables import said_by_library
from synthmix_dagster.data.store import Store
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.handle import Release

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

#: Keys of a release in the metadata of a commit, and how its application is called.
RELEASE_ID, RELEASE_URI = "synthmix.release_id", "synthmix.release_uri"
_APPLICATION = "synthmix/release/"
#: Writers at once that a commit gives way to before it is given up.
_TRIES = 5


@dataclass(frozen=True)
class DeltaVersion:
    """Where a release is in a Delta table.

    Attributes
    ----------
    uri : str
        Address of the table, without anything secret.
    version : int, optional
        Version that added the release; None if the table has forgotten it.
    appended : bool
        Whether it was added now; False if it was there already.
    """

    uri: str
    version: int | None
    appended: bool


def append_to_delta(release: Release, table: Store) -> DeltaVersion:
    """Add the rows of a release to a Delta table, all in one commit and never twice.

    The commit names the release in its metadata, and as an application transaction: the table
    itself keeps what was added, and refuses a second writer of the same release.

    Parameters
    ----------
    release : Release
    table : Store
        Folder of the table, which is made if it is not there.

    Raises
    ------
    ReleaseError
        The extra is missing, the table cannot be reached, or its columns are others. The table is
        as it was, and so is the release.
    """
    try:
        from deltalake.exceptions import CommitFailedError, SchemaMismatchError
    except ImportError as error:
        raise ReleaseError(
            f"it cannot be added to a Delta table, because deltalake is missing ({error.name})",
            path=release.uri,
            fix="Install 'synthmix-dagster[delta]'",
        ) from error
    for further in reversed(range(_TRIES)):
        try:
            return _append(release, table)
        except CommitFailedError as error:
            # Another writer was faster, perhaps with this very release; what is there says so.
            if not further:
                raise _failed(release, table, error, "Run again") from cause_of(error)
        except SchemaMismatchError as error:
            fix = "Use a table of its own for this mix, or change the table's columns"
            raise _failed(release, table, error, fix) from cause_of(error)
        except ReleaseError:
            raise
        except Exception as error:
            # The library has exceptions of its own, and so have its stores.
            fix = "Check the address, the credentials and the column types of the table"
            raise _failed(release, table, error, fix) from cause_of(error)
    raise AssertionError("the last try returns or raises")


def _append(release: Release, table: Store) -> DeltaVersion:
    from deltalake import CommitProperties, Transaction, write_deltalake

    application = f"{_APPLICATION}{release.release_id}"
    rows = _rows(release)
    opened = _opened(table, rows.schema)
    if opened.transaction_version(application) is not None:
        return DeltaVersion(table.uri, _version_of(opened, release.release_id), appended=False)
    commit = CommitProperties(
        custom_metadata={RELEASE_ID: release.release_id, RELEASE_URI: release.uri},
        app_transactions=[Transaction(application, 1)],
    )
    write_deltalake(opened, rows, mode="append", commit_properties=commit)
    return DeltaVersion(table.uri, opened.version(), appended=True)


def _opened(table: Store, schema: "pa.Schema") -> "DeltaTable":
    """The table; one without rows is made where there is none."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    options = table.lake_options("delta")
    if not DeltaTable.is_deltatable(table.uri, options):
        try:
            DeltaTable.create(table.uri, schema, mode="error", storage_options=options)
        except DeltaError:
            # Perhaps another writer has just made it.
            if not DeltaTable.is_deltatable(table.uri, options):
                raise
    return DeltaTable(table.uri, storage_options=options)


def _rows(release: Release) -> "pa.RecordBatchReader":
    """All rows, a bounded number at a time; categories as plain values, which is what Delta has."""
    import pyarrow as pa

    batches = release.batches()
    first = next(batches)
    schema = pa.schema([each.with_type(unpacked(each.type)) for each in first.schema])
    cast = (batch.cast(schema) for batch in chain([first], batches))
    return pa.RecordBatchReader.from_batches(schema, cast)


def _version_of(table: "DeltaTable", release_id: str) -> int | None:
    """The version that added a release, if its commit is still in the history of the table."""
    found = [each for each in table.history() if each.get(RELEASE_ID) == release_id]
    return int(found[0]["version"]) if found else None


def _failed(release: Release, table: Store, error: Exception, fix: str) -> ReleaseError:
    said = said_by_library(error, table.uri)
    return ReleaseError(
        f"it cannot be added to the Delta table '{table.uri}' ({said})",
        path=release.uri,
        fix=f"{fix}. The table and the release are unchanged",
    )
