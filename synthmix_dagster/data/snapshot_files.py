"""The files of a snapshot: rows of a stream as they come, in the types that a file has."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthmix_dagster.data.plain_types import (
    ranges_of,
    usual_types,
    with_precision,
    without_precision,
)
from synthmix_dagster.data.reading import HASH
from synthmix_dagster.data.store import Draft, Scratch, Sink
from synthmix_dagster.data.stored_files import require_unique
from synthmix_dagster.data.warehouse import Stream
from synthmix_dagster.errors import DataError

#: Rows of a file and of a row group, and those that are gathered before they are written.
_FILE_ROWS, _GROUP_ROWS, _GATHERED = 2**22, 2**17, 2**16
#: 'infinity' and '-infinity' in days and microseconds: in DuckDB the ends of the numbers, with the
#: driver of PostgreSQL the ends moved from 2000 to 1970, in which they turn over.
_INFINITE_DAYS = pa.array([2**31 - 1, 1 - 2**31, 10_956 - 2**31, 10_957 - 2**31], pa.int32())
_INFINITE_TIMES = pa.array(
    [2**63 - 1, 1 - 2**63, 946_684_799_999_999 - 2**63, 946_684_800_000_000 - 2**63], pa.int64()
)
#: A column gets a dictionary where its first rows hold each value so often: for others it takes
#: most of the time, and makes the file larger.
_OFTEN = 4


def settled(
    stream: Stream, dataset: str, scratch: Scratch
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Columns and rows, once numbers of any length have been looked at: their values say what type
    holds them all. Only rows with such numbers are written twice.
    """
    require_unique(stream.schema.names, dataset)
    for each in stream.schema:
        if (what := _unheld(each.type)) is not None:
            raise DataError(
                f"it holds {what} ({each.type})",
                dataset=dataset,
                column=each.name,
                fix="Convert it to a number or a text in the query",
            )
    fields = [
        each if isinstance(each.type, pa.BaseExtensionType) else usual
        for each, usual in zip(stream.schema, usual_types(stream.schema), strict=True)
    ]
    raw = pa.schema(fields)
    unsettled = without_precision(raw)
    usual = (
        _finite(each.cast(raw) if each.schema != raw else each, dataset) for each in stream.batches
    )
    if not unsettled:
        return raw, usual
    path, ranges = scratch.path / "rows.arrow", ranges_of([], unsettled)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, raw) as writer:
        for batch in usual:
            ranges = ranges_of([pa.Table.from_batches([batch])], unsettled, ranges)
            writer.write_batch(batch)
            require_space(scratch, file.tell(), dataset)
    return with_precision(raw, ranges), _read_again(path)


def _unheld(kind: pa.DataType) -> str | None:
    """What values of a type are that no file holds, alone or in lists and structures."""
    if pa.types.is_interval(kind):
        return "intervals"
    if getattr(kind, "extension_name", "") == "arrow.opaque":
        # Numbers arrive as texts.
        return "values in a form of its database" if _is_bytes(kind.storage_type) else None
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    odd = any(isinstance(each, pa.BaseExtensionType) or _unheld(each) for each in inner)
    return "values that no file holds" if odd or pa.types.is_union(kind) else None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _finite(batch: pa.RecordBatch, dataset: str) -> pa.RecordBatch:
    """The same rows; refuses infinite times, which in a file would be other times."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_date32(column.type):
            ends = _INFINITE_DAYS
        elif pa.types.is_timestamp(column.type):
            ends = _INFINITE_TIMES
        else:
            continue
        if pc.any(pc.is_in(column.cast(ends.type), ends)).as_py():
            raise DataError(
                "it holds infinite times",
                dataset=dataset,
                column=name,
                fix=f"Leave them out in the query, as nullif({name}, 'infinity') does",
            )
    return batch


def require_space(scratch: Scratch, used: int, dataset: str) -> None:
    """Refuse more bytes of scratch space than are allowed."""
    if used > scratch.max_bytes:
        raise DataError(
            f"unloading it needs more than the {scratch.max_bytes / 2**20:,.0f} MB of scratch "
            f"space that '{scratch.path}' may take",
            dataset=dataset,
            fix="Raise 'scratch_mb' of the storage, or ask for fewer rows",
        )


def _read_again(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as opened:
        for number in range(opened.num_record_batches):
            yield opened.get_batch(number)
    path.unlink()


class Parts:
    """The files of a snapshot, one after the other; who adds rows does not wait for the disk."""

    def __init__(self, draft: Draft, schema: pa.Schema) -> None:
        self._draft, self._schema = draft, schema.append(pa.field(HASH, pa.uint64()))
        self._waiting: list[pa.Table] = []
        self._pool, self._writing = ThreadPoolExecutor(1), Future[None]()
        self._writing.set_result(None)
        self._sink: Sink | None = None
        self._writer: pq.ParquetWriter | None = None
        self._repeating: list[str] | None = None
        self._rows = 0
        self.shards: list[dict[str, Any]] = []

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        with self._pool:
            try:
                if kind is None:
                    self._write()
                    self._writing.result()
                    self._finish()
            finally:
                wait([self._writing])
                if self._sink is not None:
                    self._sink.discard()

    def add(self, table: pa.Table) -> None:
        """Add rows."""
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= _GATHERED:
            self._write()

    def _write(self) -> None:
        """Begin to write what is gathered, once what was before it is written."""
        self._writing.result()
        table = pa.concat_tables([self._schema.empty_table(), *self._waiting])
        self._waiting = []
        if table.num_rows:
            self._writing = self._pool.submit(self._put, table)

    def _put(self, table: pa.Table) -> None:
        if self._writer is None:
            if self._repeating is None:
                self._repeating = _repeating(table)
            self._sink = self._draft.folder.create(self._name)
            names = [name for name in self._schema.names if name != HASH]
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._sink, mode="w"),
                self._schema,
                use_dictionary=self._repeating,
                # Hashes do not compress.
                compression={**dict.fromkeys(names, "snappy"), HASH: "none"},
            )
        self._writer.write_table(table, row_group_size=_GROUP_ROWS)
        self._rows += table.num_rows
        if self._rows >= _FILE_ROWS:
            self._finish()

    @property
    def _name(self) -> str:
        return f"{self._draft.data}/part-{len(self.shards):05d}.parquet"

    def _finish(self) -> None:
        if self._writer is None or self._sink is None:
            return
        self._writer.close()
        stored = self._sink.finish()
        self.shards.append(
            {
                "path": self._name,
                "rows": self._rows,
                "bytes": stored.bytes,
                "sha256": stored.sha256,
            }
        )
        self._writer, self._sink, self._rows = None, None, 0


def _repeating(table: pa.Table) -> list[str]:
    """Columns whose values are worth a dictionary."""
    flat = [each.name for each in table.schema if not pa.types.is_nested(each.type)]
    return [
        name
        for name in flat
        if name != HASH and _distinct(table.column(name)) * _OFTEN <= table.num_rows
    ]


def _distinct(column: pa.ChunkedArray) -> int:
    if pa.types.is_dictionary(column.type):
        return sum(len(chunk.dictionary) for chunk in column.chunks)
    if pa.types.is_null(column.type):
        return 1
    return int(pc.count_distinct(column).as_py())
