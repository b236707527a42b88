"""DataFrames and tables of the catalogue, whose rows have no order: they go by key or content."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import seen
from synthmix_dagster.data.fingerprint import digest_of_schema, row_hashes
from synthmix_dagster.data.identity import content_ids, key_ids
from synthmix_dagster.data.plain_types import plain_table
from synthmix_dagster.data.remote import Stretch
from synthmix_dagster.data.view import View
from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.spark.rows import (
    FOUND,
    SparkRows,
    Work,
    asked,
    caught,
    collected,
    found_batch,
    found_of,
)
from synthmix_dagster.spark.shipping import ship
from synthmix_dagster.spark.states import decoded, encoded

#: Columns with which rows travel whose content occurs more than once.
_HASH, _COPY = "__synthmix_content", "__synthmix_copy"
#: Buckets of hashes that have a digest each, as a power of two.
_BUCKET_BITS = 12


@dataclass(frozen=True)
class FrameRows(SparkRows):
    """Rows of a DataFrame.

    Attributes
    ----------
    session : pyspark.sql.SparkSession
    dataset : str
        What messages call the dataset.
    frame : pyspark.sql.DataFrame
        With the columns that the view needs.
    raw : pyarrow.Schema
        Its columns in Arrow.
    plain : pyarrow.Schema
        The same in the types that everything behind the readers knows.
    view : View
    names : tuple of str
        Columns to hand out.
    num_rows : int
        Rows that meet the filters.
    repeated : bool
        Whether the content of a row occurs more than once.
    """

    session: Any = field(repr=False, compare=False)
    dataset: str
    frame: Any = field(repr=False, compare=False)
    raw: pa.Schema
    plain: pa.Schema
    view: View
    names: tuple[str, ...]
    num_rows: int = 0
    repeated: bool = False

    @property
    def schema(self) -> pa.Schema:
        whole = self._whole_schema
        return pa.schema([whole.field(name) for name in self.names])

    @property
    def has_places(self) -> bool:
        return False

    @property
    def _whole_schema(self) -> pa.Schema:
        handed_out = self.view.handed_out(self.plain.names, self.dataset)
        return pa.schema([self.plain.field(of).with_name(name) for name, of in handed_out.items()])

    def select(self, columns: Sequence[str]) -> "FrameRows":
        return replace(self, names=tuple(columns))

    def mapped(self, work: Work, out: str, key: Sequence[str] = (), most: int | None = None) -> Any:
        ship(self.session)
        read = _Read(self.dataset, self.raw, self.plain, self.view)
        frame = self._identified(read, key)
        if most is not None:
            frame = frame.coalesce(most)
        return frame.mapInArrow(_Worked(read, work, self.names, tuple(key)), out)

    def _identified(self, read: "_Read", key: Sequence[str]) -> Any:
        """The rows; where content repeats and there is no key, each with the number of its copy."""
        if key:
            return self._narrowed(key)
        if not self.repeated:
            return self.frame
        from pyspark.sql import Window
        from pyspark.sql import functions as f
        from pyspark.sql.types import LongType, StructField, StructType

        kept = StructType([*self.frame.schema.fields, StructField(_HASH, LongType())])
        hashed = self.frame.mapInArrow(_Hashed(read), kept)
        copies = f.row_number().over(Window.partitionBy(_HASH).orderBy(_HASH)) - 1
        return hashed.withColumn(_COPY, copies.cast("bigint"))

    def _narrowed(self, key: Sequence[str]) -> Any:
        """The columns that are handed out, of the key and of the filters; others are not read."""
        handed_out = self.view.handed_out(self.plain.names, self.dataset)
        needed = dict.fromkeys([handed_out[name] for name in (*self.names, *key)])
        columns = [*needed, *(c for c in self.view.filtered_columns if c not in needed)]
        return self.frame.select([quoted(name) for name in columns])

    def first(self, rows: int) -> pa.Table:
        table = asked(self.session, lambda: self.frame.limit(rows).toArrow())
        read = _Read(self.dataset, self.raw, self.plain, self.view)
        return read.table(table).select(list(self.names))

    def counted(self) -> tuple["FrameRows", str]:
        """The same rows with their number, whether content repeats, and their fingerprint."""
        from pyspark.sql import functions as f

        ship(self.session)
        read = _Read(self.dataset, self.raw, self.plain, self.view)
        hashes = self.frame.mapInArrow(_Bucketed(read), "bucket bigint, hash bigint, said binary")
        refused = f.col("said").isNotNull()
        ordered = hashes.repartition("bucket").sortWithinPartitions(refused, "bucket", "hash")
        found: dict[int, tuple[int, bool, bytes]] = {}
        for row in collected(self.session, ordered.mapInArrow(_digests, FOUND)):
            found |= decoded(bytes(row["found"]))
        digest = digest_of_schema(self._whole_schema)
        for bucket, (_, _, of_bucket) in sorted(found.items()):
            digest.update(bucket.to_bytes(8, "little") + of_bucket)
        rows = sum(rows for rows, _, _ in found.values())
        repeated = any(repeated for _, repeated, _ in found.values())
        return replace(self, num_rows=rows, repeated=repeated), digest.hexdigest()


@dataclass(frozen=True)
class _Read:
    """How executors turn batches of a DataFrame into the rows of a dataset."""

    dataset: str
    raw: pa.Schema
    plain: pa.Schema
    view: View

    def table(self, rows: pa.Table) -> pa.Table:
        """Rows that meet the filters, in the columns that are there of those handed out."""
        names = [name for name in rows.column_names if name in self.raw.names]
        raw = pa.schema([self.raw.field(name) for name in names])
        columns = [_cast(rows.column(name), raw.field(name).type) for name in names]
        there = plain_table(pa.table(columns, schema=raw), self.raw, self.plain)
        if set(names) == set(self.raw.names):
            return seen(there, self.dataset, self.view)
        handed_out = self.view.handed_out(self.plain.names, self.dataset)
        kept = {name: of for name, of in handed_out.items() if of in names}
        view = replace(
            self.view,
            columns=tuple(kept.values()),
            rename={of: name for name, of in kept.items() if name != of},
        )
        return seen(there, self.dataset, view)


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return values if values.type == kind else values.cast(kind)


@dataclass(frozen=True)
class _Worked:
    """Hands rows with their identities to work; called on an executor for each partition."""

    read: _Read
    work: Work
    names: tuple[str, ...]
    key: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        yield from self.work(0 if context is None else context.partitionId(), self._rows(batches))

    def _rows(self, batches: Iterator[pa.RecordBatch]) -> Iterator[Stretch]:
        for batch in batches:
            if not batch.num_rows:
                continue
            rows = pa.Table.from_batches([batch])
            if _COPY in rows.column_names:
                # Filters were met before copies were counted.
                table = replace(self.read, view=replace(self.read.view, filters=())).table(rows)
                hashes = rows.column(_HASH).to_numpy().view(np.uint64)
                ids = content_ids(hashes, rows.column(_COPY).to_numpy().astype(np.uint64))
            else:
                table = self.read.table(rows)
                ids = self._ids(table)
            if len(ids):
                yield Stretch(ids, ids, table.select(list(self.names)))

    def _ids(self, table: pa.Table) -> NDArray[np.int64]:
        if self.key:
            return key_ids(table, self.key, self.read.dataset)
        hashes = row_hashes(table)
        return content_ids(hashes, np.zeros(len(hashes), dtype=np.uint64))


@dataclass(frozen=True)
class _Hashed:
    """Rows that meet the filters, as they came, with the hash of what is handed out of them."""

    read: _Read

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from synthmix_dagster.data.filtering import filter_mask

        for batch in batches:
            rows = pa.Table.from_batches([batch])
            if self.read.view.filters:
                names = self.read.raw.names
                plain = replace(self.read, view=View()).table(rows.select(names))
                rows = rows.filter(filter_mask(self.read.view, plain))
            if rows.num_rows:
                unfiltered = replace(self.read, view=replace(self.read.view, filters=()))
                hashes = row_hashes(unfiltered.table(rows)).view(np.int64)
                yield from rows.append_column(_HASH, pa.array(hashes)).combine_chunks().to_batches()


@dataclass(frozen=True)
class _Bucketed:
    """Hashes of the content of rows, with the bucket of each."""

    read: _Read

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            said = caught(partial(self._hashes, rows))
            if isinstance(said, SynthMixError):
                yield _hash_batch(np.zeros(1, np.int64), [encoded(said)])
                return
            yield _hash_batch(said.view(np.int64), None)

    def _hashes(self, rows: pa.Table) -> NDArray[np.uint64]:
        return row_hashes(self.read.table(rows))


def _hash_batch(hashes: NDArray[np.int64], said: list[bytes] | None) -> pa.RecordBatch:
    buckets = (hashes.view(np.uint64) >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)
    errors = pa.nulls(len(hashes), pa.binary()) if said is None else pa.array(said, pa.binary())
    return pa.record_batch(
        [pa.array(buckets), pa.array(hashes), errors], names=["bucket", "hash", "said"]
    )


def _digests(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows, whether hashes repeat, and a digest of the hashes, of every bucket; in order."""
    digests: dict[int, hashlib._Hash] = {}
    rows: dict[int, int] = {}
    repeated: dict[int, bool] = {}
    last = np.empty(0, np.int64)
    for batch in batches:
        said = batch.column("said").drop_null()
        if len(said):
            yield found_of(0, said[0].as_py())
            return
        buckets = batch.column("bucket").to_numpy()
        hashes = batch.column("hash").to_numpy()
        for bucket in np.unique(buckets).tolist():
            here = hashes[slice(*np.searchsorted(buckets, (bucket, bucket + 1)))]
            known = digests.setdefault(bucket, hashlib.sha256())
            known.update(here.tobytes())
            rows[bucket] = rows.get(bucket, 0) + len(here)
            twice = bool((here[1:] == here[:-1]).any())
            repeated[bucket] = repeated.get(bucket, False) or twice
        # Equal hashes may be cut apart by the end of a batch.
        if len(last) and len(hashes) and last[0] == hashes[0]:
            repeated[int(buckets[0])] = True
        last = hashes[-1:]
    found = {n: (rows[n], repeated[n], digests[n].digest()) for n in digests}
    yield found_batch(0, found)


def quoted(name: str) -> str:
    """A column by its name, whatever characters are in it."""
    return "`" + name.replace("`", "``") + "`"
