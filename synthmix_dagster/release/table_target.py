"""A release as a table of a warehouse: all of its rows, or those of yesterday."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from synthmix_dagster.data.alignment import unpacked
from synthmix_dagster.data.sessions import Target
from synthmix_dagster.data.warehouse import TIME_LIMIT, Warehouse
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.handle import Release

#: Column of a table that releases are appended to, and of one that holds several partitions.
RELEASE_COLUMN, PARTITION_COLUMN = "release_id", "partition_key"


def write_table(
    release: Release,
    warehouse: Warehouse,
    table: str,
    *,
    append: bool = False,
    partition: str | None = None,
    seconds: float = TIME_LIMIT,
) -> pa.Schema:
    """Write a release to a table, whole or not at all.

    Parameters
    ----------
    release : Release
    warehouse : Warehouse
    table : str
        Made where there is none.
    append : bool
        Whether rows of other releases stay; the column ``release_id`` tells them apart. Rows of
        this release are replaced, so that writing them again changes nothing.
    partition : str, optional
        Key of the partition; rows of others stay, and the column ``partition_key`` tells them
        apart.
    seconds : float
        How long it may take.

    Returns
    -------
    pyarrow.Schema
        Columns of the table.

    Raises
    ------
    QueryError
        It cannot be written; the table is what it was before.
    ReleaseError
        A column has the name of one that is added.
    """
    own = {PARTITION_COLUMN: partition} if partition is not None else {}
    own |= {RELEASE_COLUMN: release.release_id} if append else {}
    rows = _rows(release, own)
    count = release.details.realised.rows
    warehouse.write(Target(table, own), rows, count, seconds)
    return rows.schema


def _rows(release: Release, own: Mapping[str, str]) -> pa.RecordBatchReader:
    """The rows as they are read, with the columns that say what they belong to."""
    fields = []
    for each in release.scan().schema:
        if each.name in own:
            raise ReleaseError(
                f"its column '{each.name}' has the name of one that the table adds",
                path=release.uri,
                fix="Rename it with 'rename'",
            )
        # No database has whole numbers of 64 bits without a sign, and few have categories.
        kind = pa.decimal128(20, 0) if pa.types.is_uint64(each.type) else unpacked(each.type)
        fields.append(pa.field(each.name, kind))
    schema = pa.schema([*fields, *(pa.field(name, pa.string()) for name in own)])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in release.batches():
            added = [pa.array([value] * batch.num_rows, pa.string()) for value in own.values()]
            columns = [
                column.cast(field.type) for column, field in zip(batch.columns, fields, strict=True)
            ]
            yield pa.record_batch([*columns, *added], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
