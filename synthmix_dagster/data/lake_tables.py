"""Delta and Iceberg tables as sources: the files of one version, in the types of the table.

Both libraries are extras. Which files belong to a version is theirs to say; the rows are read a
piece at a time like those of any other dataset.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pa_fs

from synthmix_dagster.data import locations as places
from synthmix_dagster.data.formats import Format, Parquet
from synthmix_dagster.data.locations import Location
from synthmix_dagster.data.plain_types import usual_types
from synthmix_dagster.data.store import Store, is_store
from synthmix_dagster.data.text_formats import Ints, Pieces, holds
from synthmix_dagster.errors import DataError
from synthmix_dagster.redaction import cause_of, without_secrets

_CATALOG = "iceberg://"
#: Their errors are coloured, and hold whole answers of stores.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300
_METADATA = re.compile(r"v?(\d+)(?:-[^/]*)?(?:\.gz)?\.metadata\.json")


@dataclass(frozen=True)
class LakeTable:
    """One version of a table.

    Attributes
    ----------
    kind : {"delta", "iceberg"}
    version : int
        Version of a Delta table, snapshot of an Iceberg table; -1 for a table without any.
    schema : pyarrow.Schema
    locations : tuple of Location
        Its files, sorted by name.
    readers : mapping of str to Format
        What reads a file, by its name.
    """

    kind: str
    version: int
    schema: pa.Schema
    locations: tuple[Location, ...]
    readers: Mapping[str, Format] = field(default_factory=dict, compare=False, repr=False)


def table_kind(source: str | Path | Store, dataset: str) -> str:
    """Whether a path is a Delta or an Iceberg table, by what lies in its folder.

    Read as a folder of Parquet files, either would show rows that were deleted long ago.
    """
    text = source.uri if is_store(source) else str(source)
    if text.startswith(_CATALOG) or text.endswith(".metadata.json"):
        return "iceberg"
    if re.search(r"[*?]", text):
        return ""
    filesystem, path, _ = places.resolve(source, dataset)
    try:
        if places.format_of(text) and not _is_folder(filesystem, path):
            return ""
        if _is_folder(filesystem, f"{path}/_delta_log"):
            return "delta"
        return "iceberg" if _metadata_files(filesystem, path) else ""
    except Exception:
        # Clients of object stores have exceptions of their own. What cannot be listed is refused
        # by name where files are looked for.
        return ""


def open_table(
    source: str | Path | Store, kind: str, version: int | str | None, dataset: str
) -> LakeTable:
    """Open one version of a table.

    Parameters
    ----------
    source : path, str or Store
        Folder of the table; of Iceberg also a metadata file, or ``iceberg://catalog/name.table``.
    kind : {"delta", "iceberg"}
    version : int or str, optional
        Version, snapshot, branch or tag; the newest by default.
    dataset : str
        What messages call it.

    Raises
    ------
    DataError
        The library is not installed, or there is no such table or version.
    """
    opened: Callable[..., LakeTable] = _delta if kind == "delta" else _iceberg
    shown = without_secrets(_address(source))
    try:
        return opened(source, version, dataset)
    except ImportError as error:
        package = "deltalake" if kind == "delta" else "pyiceberg"
        raise DataError(
            f"'{shown}' is a table of {kind.title()}, and {package} is missing ({error.name})",
            dataset=dataset,
            fix=f"Install 'synthmix-dagster[{kind}]'",
        ) from error
    except DataError:
        raise
    except Exception as error:
        # Both libraries have exceptions of their own, and so do their stores and catalogs.
        said = said_by_library(error, _address(source))
        raise DataError(
            f"the {kind.title()} table '{shown}' cannot be opened ({said})",
            dataset=dataset,
            fix="Check the path, the credentials, or run what writes it first",
        ) from cause_of(error, _address(source))


def _address(source: str | Path | Store) -> str:
    return source.uri if is_store(source) else str(source)


def said_by_library(error: Exception, *addresses: str) -> str:
    """What a library of tables says, in one line and without secrets."""
    said = " ".join(_COLOURS.sub("", without_secrets(str(error), *addresses)).split())
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} …"


def _no_version(version: object, kind: str, known: str, dataset: str) -> DataError:
    what = "version" if kind == "delta" else "snapshot, branch or tag"
    return DataError(
        f"its table has no {what} {version!r}; {known}",
        dataset=dataset,
        fix="Set 'version' to one that is there, or leave it out for the newest",
    )


def _delta(source: str | Path | Store, version: int | str | None, dataset: str) -> LakeTable:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    filesystem, path, prefix = places.resolve(source, dataset)
    address = _address(source) if prefix else path
    options = source.lake_options("delta") if is_store(source) else None
    try:
        table = DeltaTable(address, storage_options=options)
    except DeltaError as error:
        if DeltaTable.is_deltatable(address, options):
            raise
        raise _gone(address, "Delta", dataset) from cause_of(error, address)
    if version is not None:
        newest = table.version()
        try:
            number = str(version).isdecimal()
            table.load_as_version(int(version) if number else version)
        except (DeltaError, ValueError) as error:
            known = f"the newest is {newest}"
            raise _no_version(version, "delta", known, dataset) from error
    _require_plain_files(table, dataset)
    kinds = usual_types(pa.schema(table.schema().to_arrow()))
    locations = []
    for each in pa.table(table.get_add_actions(flatten=False)).to_pylist():
        name = unquote(each["path"])
        # Files of a shallow clone lie in another table, under their whole address.
        at = (
            places.resolve(name, dataset)
            if "://" in name
            else (filesystem, f"{path}/{name}", prefix)
        )
        values = {column: _as_text(v) for column, v in (each.get("partition") or {}).items()}
        shown = without_secrets(f"{at[2]}{at[1]}")
        locations.append(Location(*at[:2], name, shown, address, "parquet", values))
    ordered = tuple(sorted(locations, key=lambda location: location.name))
    readers = {location.name: DeltaFile(kinds) for location in ordered}
    return LakeTable("delta", table.version(), kinds, ordered, readers)


def _require_plain_files(table: Any, dataset: str) -> None:
    """Refuse tables whose files hold other rows or names than the table."""
    configuration = table.metadata().configuration or {}
    found = ""
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        found = "maps its columns to other names"
    elif "deletionVectors" in (table.protocol().reader_features or []):
        vectors = pa.table(table.deletion_vectors())
        found = "has deletion vectors" if vectors.num_rows else ""
    if found:
        raise DataError(
            f"its Delta table {found}, which is not supported",
            dataset=dataset,
            fix="Rewrite it (REORG TABLE … APPLY (PURGE)), or hand over a frame of its rows",
        )


def _iceberg(source: str | Path | Store, version: int | str | None, dataset: str) -> LakeTable:
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    table = _iceberg_table(source, dataset)
    snapshot = table.current_snapshot()
    if version is not None:
        number = str(version).isdecimal()
        found = table.snapshot_by_id(int(version)) if number else table.snapshot_by_name(version)
        if found is None:
            known = ", ".join(str(each.snapshot_id) for each in table.snapshots()[-3:])
            raise _no_version(version, "iceberg", f"the newest are {known}", dataset)
        snapshot = found
    if snapshot is None:
        return LakeTable("iceberg", -1, usual_types(schema_to_pyarrow(table.schema())), ())
    scan = table.scan(snapshot_id=snapshot.snapshot_id)
    schema = scan.projection()
    locations, readers = [], {}
    for task in scan.plan_files():
        name = task.file.file_path.removeprefix(table.location().rstrip("/") + "/")
        filesystem, path = _file_of(table, task.file.file_path, dataset)
        shown = without_secrets(task.file.file_path)
        locations.append(Location(filesystem, path, name, shown, _address(source), "iceberg", {}))
        readers[name] = IcebergFile(table, task, schema)
    ordered = tuple(sorted(locations, key=lambda location: location.name))
    kinds = usual_types(schema_to_pyarrow(schema, include_field_ids=False))
    return LakeTable("iceberg", snapshot.snapshot_id, kinds, ordered, readers)


def _iceberg_table(source: str | Path | Store, dataset: str) -> Any:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import NoSuchTableError
    from pyiceberg.table import StaticTable

    text = _address(source)
    if text.startswith(_CATALOG):
        catalog, _, name = text.removeprefix(_CATALOG).partition("/")
        try:
            return load_catalog(catalog).load_table(name.replace("/", "."))
        except NoSuchTableError as error:
            raise _gone(text, "Iceberg", dataset) from error
    if text.endswith(".metadata.json"):
        return StaticTable.from_metadata(text, _reached(source))
    filesystem, path, prefix = places.resolve(source, dataset)
    found = _metadata_files(filesystem, path)
    if not found:
        raise _gone(text, "Iceberg", dataset)
    return StaticTable.from_metadata(f"{prefix}{found[-1]}", _reached(source))


def _reached(source: str | Path | Store) -> dict[str, str]:
    """What pyiceberg does not find in the environment, and every other reader here does."""
    if is_store(source):
        return source.lake_options("iceberg")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {"s3.endpoint": endpoint} if endpoint else {}


def _gone(source: str, kind: str, dataset: str) -> DataError:
    return DataError(
        f"there is no {kind} table '{without_secrets(source)}'",
        dataset=dataset,
        fix="Check the path or the name, or run what writes it first",
    )


def _file_of(table: Any, address: str, dataset: str) -> tuple[pa_fs.FileSystem, str]:
    """Where a file lies, with the credentials that the catalog handed out."""
    from pyiceberg.io.pyarrow import PyArrowFileIO

    if isinstance(table.io, PyArrowFileIO):
        scheme, netloc, path = PyArrowFileIO.parse_location(address)
        return table.io.fs_by_scheme(scheme, netloc), path
    filesystem, path, _ = places.resolve(address, dataset)
    return filesystem, path


class DeltaFile(Parquet):
    """One file of a Delta table, in the types of the table: older files may have narrower ones.

    Parameters
    ----------
    kinds : pyarrow.Schema
        Columns of the table.
    """

    def __init__(self, kinds: pa.Schema) -> None:
        self._kinds = kinds

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        stored, rows = super().look(file)
        return pa.schema([each for each in self._kinds if each.name in stored.names]), rows

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        for first, piece in super().pieces(file, schema, rows, wanted):
            yield first, piece.select(schema.names).cast(schema)


class IcebergFile:
    """One file of an Iceberg table: renamed columns and deleted rows are the library's to apply.

    Parameters
    ----------
    table, task, schema
        Of pyiceberg: the table, one task of its scan, and the columns of the snapshot.
    """

    def __init__(self, table: Any, task: Any, schema: Any) -> None:
        self._table, self._task, self._schema = table, task, schema

    def look(self, file: Location) -> tuple[pa.Schema, int]:
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        kinds = usual_types(schema_to_pyarrow(self._schema, include_field_ids=False))
        if not self._task.delete_files:
            return kinds, self._task.file.record_count
        first = self._schema.select(self._schema.fields[0].name)
        return kinds, sum(batch.num_rows for batch in self._batches(first))

    def pieces(self, file: Location, schema: pa.Schema, rows: int, wanted: Ints | None) -> Pieces:
        stored = self._names_in(file, schema)
        if stored is not None:
            as_stored = pa.schema([(stored[each.name], each.type) for each in schema])
            for first, piece in Parquet().pieces(file, as_stored, rows, wanted):
                yield first, piece.select(as_stored.names).rename_columns(schema.names).cast(schema)
            return
        first = 0
        for batch in self._batches(self._schema.select(*schema.names)):
            for start in range(0, batch.num_rows, rows):
                piece = batch.slice(start, rows)
                if holds(wanted, first, first + piece.num_rows):
                    yield first, pa.Table.from_batches([piece]).select(schema.names).cast(schema)
                first += piece.num_rows

    def _names_in(self, file: Location, schema: pa.Schema) -> dict[str, str] | None:
        """Names that columns have in the file, if its bytes alone are the rows.

        The library holds all rows of a file in memory; without deletions, nested columns and
        columns that were added later it is not needed.
        """
        if self._task.delete_files or self._task.file.file_format != "PARQUET":
            return None
        stored, _ = Parquet().look(file)
        by_id = {(each.metadata or {}).get(b"PARQUET:field_id"): each for each in stored}
        names = {}
        for each in schema:
            there = by_id.get(str(self._schema.find_field(each.name).field_id).encode())
            if there is None or pa.types.is_nested(each.type) or not _widens(there.type, each.type):
                return None
            names[each.name] = there.name
        return names

    def _batches(self, schema: Any) -> Any:
        from pyiceberg.expressions import AlwaysTrue
        from pyiceberg.io.pyarrow import ArrowScan

        scan = ArrowScan(self._table.metadata, self._table.io, schema, AlwaysTrue())
        return scan.to_record_batches([self._task])


def _is_folder(filesystem: pa_fs.FileSystem, path: str) -> bool:
    return bool(filesystem.get_file_info([path])[0].type == pa_fs.FileType.Directory)


def _metadata_files(filesystem: pa_fs.FileSystem, path: str) -> Sequence[str]:
    """Metadata files of an Iceberg table, the oldest first."""
    folder = f"{path.rstrip('/')}/metadata"
    if not _is_folder(filesystem, folder):
        return ()
    entries = filesystem.get_file_info(pa_fs.FileSelector(folder))
    numbered = [
        (int(found[1]), entry.path)
        for entry in entries
        if (found := _METADATA.fullmatch(entry.base_name))
    ]
    return [path for _, path in sorted(numbered)]


def _widens(stored: pa.DataType, kind: pa.DataType) -> bool:
    """Whether a column is of a type, or of a narrower one that the table had before."""
    families = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    text = (pa.string(), pa.large_string())
    return (
        stored == kind
        or any(of(stored) and of(kind) for of in families)
        or (stored in text and kind in text)
    )


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)
