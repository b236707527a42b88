"""The external shuffle: any number of rows into seeded order, in bounded memory.

Rows are scattered over buckets by the top bits of their priority, in runs that each hold a bounded
number of rows and lie in one file. Then every bucket is gathered out of the runs, sorted, and
written to the shards it belongs to. What is written depends on the rows and the seed alone: neither
the runs nor the buckets can be seen in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthmix_dagster.data.alignment import align
from synthmix_dagster.data.identity import Ints, Rows
from synthmix_dagster.data.priority import PRIORITY_BITS, priorities
from synthmix_dagster.data.store import Sink, Store
from synthmix_dagster.release.engine import Counts, Layout, Origin, Part, Written
from synthmix_dagster.release.selection import Strata
from synthmix_dagster.release.spill import Spill
from synthmix_dagster.watching import tell

if TYPE_CHECKING:
    from synthmix_dagster.release.manifest import Shard

#: How rows are encoded in shards; with other bytes for the same rows comes another number.
SHARDS_VERSION = 2

SOURCE_COLUMN = "synthmix_source"
GENERATOR_COLUMN = "synthmix_generator"
ROW_ID_COLUMN = "synthmix_row_id"
WEIGHT_COLUMN = "sample_weight"

#: Maximum rows and approximate maximum bytes of a row group; they fix the bytes of a release, so
#: they must not depend on the memory of the machine.
GROUP_ROWS, GROUP_BYTES = 2**17, 2**25
#: Bytes that a value of no fixed width is taken to have.
_TYPICAL_BYTES = 16
#: Values that are checked for repetitions, and the maximum share of different ones among them.
_LOOKED_AT, _REPEATED = 2**14, 7 / 8
#: Columns that rows travel with.
_PRIORITY, _PART, _ID = "\0priority", "\0part", "\0id"


def added_columns(layout: Layout) -> list[pa.Field]:
    """Columns that a release adds to those of the data."""
    provenance = [
        pa.field(SOURCE_COLUMN, pa.string()),
        pa.field(GENERATOR_COLUMN, pa.string()),
        pa.field(ROW_ID_COLUMN, pa.int64()),
    ]
    weight = [pa.field(WEIGHT_COLUMN, pa.float64())]
    return [*(weight if layout.weights else []), *(provenance if layout.provenance else [])]


def order_of(ids: Ints, seed: int, part: str) -> Ints:
    """Place of rows in the order of a release.

    Every part has a hash of its own: rows of one number in files of one name would otherwise stand
    side by side, and those that were selected for their low priority would come first.
    """
    return priorities(ids, f"{seed}|{part}")


@dataclass
class Shuffle:
    """One shuffle.

    Attributes
    ----------
    spill : Spill
        Where rows wait.
    layout : Layout
    parts : list of Part
    chunk_bytes : int
        Approximate maximum bytes of a run.
    workers : int
        Threads.
    """

    spill: Spill
    layout: Layout
    parts: list[Part]
    chunk_bytes: int
    workers: int
    counts: Counts = field(default_factory=Counts)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.counts.rows = {part.name: 0 for part in self.parts}
        self.counts.nulls = dict.fromkeys(self.layout.schema.names, 0)

    def scatter(self, scanned: Iterable[tuple[int, Rows]]) -> None:
        """Spread the rows of numbered parts over the buckets."""
        with ThreadPoolExecutor(self.workers) as pool:
            running: list[Future[None]] = []
            for part, chunk in _chunks(scanned, self.chunk_bytes):
                if len(running) >= self.workers:
                    running.pop(0).result()
                running.append(pool.submit(self._run, part, chunk))
            for future in running:
                future.result()

    def gather(self, folder: Store, data: str) -> Written:
        """Write the shards into a folder, several at a time, each from beginning to end."""
        total = int(self.spill.sizes.sum())
        shards = -(-total // self.layout.rows_per_shard)
        lanes = np.array_split(np.arange(shards), min(self.workers, shards))
        self.spill.finish([self._buckets(*self._span(lane)) for lane in lanes])
        # Who writes rows does not wait for the disk or the network.
        with ThreadPoolExecutor(self.workers) as pool, ThreadPoolExecutor(self.workers) as ends:
            written = pool.map(lambda lane: self._lane(lane, folder, data, ends), lanes)
            finished: list[Shard] = []
            for shard in (shard for lane in written for shard in lane):
                finished.append(shard.result())
                tell("writing", sum(each.rows for each in finished), total)
            return Written(finished, self.counts)

    def _run(self, part_number: int, chunk: list[Rows]) -> None:
        """Take what is wanted of some rows, in the order of their buckets, and spill it."""
        part = self.parts[part_number]
        ids = np.concatenate([rows.ids for rows in chunk])
        table = pa.concat_tables([rows.table for rows in chunk])
        taken = np.arange(len(ids))
        if part.selection is not None:
            taken = np.flatnonzero(part.selection.mask(ids, table))
        place = order_of(ids[taken], self.layout.seed, part.name)
        buckets = len(self.spill.sizes)
        bucket = place >> (PRIORITY_BITS + 1 - buckets.bit_length())
        # Stable sorting of short integers is a radix sort.
        order = np.argsort(bucket.astype(np.uint16), kind="stable")
        taken, place = taken[order], place[order]
        rows = align(_taken(table, taken), self.layout.schema, part.dataset.name)
        self._count(part.name, rows)
        rows = travelling(rows, place, part_number, ids[taken])
        for whole in rows.combine_chunks().to_batches():
            self.spill.write(whole, np.bincount(bucket, minlength=buckets))

    def _count(self, name: str, rows: pa.Table) -> None:
        codes, names = None, list[str]()
        if self.layout.stratify is not None:
            codes = Strata(self.layout.stratify, names).codes(rows, rows.num_rows)
        with self._lock:
            self.counts.rows[name] += rows.num_rows
            for column in rows.column_names:
                self.counts.nulls[column] += rows.column(column).null_count
            if codes is not None:
                for stratum, size in zip(names, np.bincount(codes).tolist(), strict=True):
                    by_part = self.counts.strata.setdefault(stratum, dict.fromkeys(self.names, 0))
                    by_part[name] += size

    @property
    def names(self) -> list[str]:
        """Names of the parts."""
        return [part.name for part in self.parts]

    def _span(self, shards: Ints) -> tuple[int, int]:
        """Where consecutive shards begin and end in the whole order."""
        per_shard, total = self.layout.rows_per_shard, int(self.spill.sizes.sum())
        return int(shards[0]) * per_shard, min((int(shards[-1]) + 1) * per_shard, total)

    def _lane(
        self, shards: Ints, folder: Store, data: str, ends: ThreadPoolExecutor
    ) -> "list[Future[Shard]]":
        """Write consecutive shards."""
        rows = Queue(self._between(*self._span(shards)))
        size = group_rows(self.layout)
        written = []
        for number in shards.tolist():
            start, stop = self._span(np.array([number]))
            groups = (rows.take(min(size, stop - at)) for at in range(start, stop, size))
            sink = folder.create(f"{data}/part-{number:05d}.parquet")
            write_shard(sink, self.layout, groups)
            written.append(ends.submit(_finished, sink, stop - start))
        return written

    def _buckets(self, start: int, stop: int) -> range:
        """Buckets that have rows between two places of the whole order."""
        ends = self.spill.sizes.cumsum()
        first, last = np.searchsorted(ends, (start, stop - 1), side="right")
        return range(int(first), int(last) + 1)

    def _between(self, start: int, stop: int) -> Iterator[pa.Table]:
        """Finished rows at some places of the whole order, a bucket at a time."""
        ends = self.spill.sizes.cumsum()
        for bucket in self._buckets(start, stop):
            before = int(ends[bucket] - self.spill.sizes[bucket])
            yield self._bucket(bucket, max(0, start - before), stop - before)

    def _bucket(self, bucket: int, start: int, stop: int) -> pa.Table:
        """Rows of a bucket in order, from one of them to another."""
        rows = self.spill.read(bucket)
        return released(in_order(rows, start, stop), self.layout, [p.origin for p in self.parts])


def travelling(rows: pa.Table, place: Ints, part: int, ids: Ints) -> pa.Table:
    """Rows of one part with what they need on their way: place in the order, part and identity."""
    columns = [place, np.full(len(place), part, dtype=np.int16), ids]
    for name, column in zip((_PRIORITY, _PART, _ID), columns, strict=True):
        rows = rows.append_column(name, pa.array(column))
    return rows


def part_of(rows: pa.Table) -> Ints:
    """Number of the part of every travelling row."""
    return np.asarray(rows.column(_PART).to_numpy(), dtype=np.int64)


def place_in(rows: pa.Table) -> Ints:
    """Place in the order of every travelling row."""
    return np.asarray(rows.column(_PRIORITY).to_numpy(), dtype=np.int64)


def in_order(rows: pa.Table, start: int = 0, stop: int | None = None) -> pa.Table:
    """Travelling rows in seeded order, from one of them to another."""
    rows = rows.combine_chunks()
    place = rows.column(_PRIORITY).to_numpy()
    order = np.argsort(place)
    if (np.diff(place[order]) == 0).any():
        others = [rows.column(name).to_numpy() for name in (_ID, _PART)]
        order = np.lexsort((*others, place))
    return _taken(rows, order[start:stop])


def released(rows: pa.Table, layout: Layout, origins: Sequence[Origin]) -> pa.Table:
    """Rows with the columns that a release adds, without those that they travelled with."""
    numbers = pa.array(rows.column(_PART).to_numpy())
    of_part: dict[str, pa.Array | pa.ChunkedArray] = {
        SOURCE_COLUMN: pa.array([each.source for each in origins]),
        GENERATOR_COLUMN: pa.array(
            [None if each.source == "real" else each.name for each in origins], pa.string()
        ),
        WEIGHT_COLUMN: pa.array([each.weight for each in origins], pa.float64()),
    }
    data = rows.select(layout.schema.names)
    for name, levels in layout.levels.items():
        packed = levels.packed(data.column(name))
        data = data.set_column(data.schema.get_field_index(name), name, packed)
    for column in added_columns(layout):
        known = of_part.get(column.name)
        values = rows.column(_ID) if known is None else known.take(numbers)
        data = data.append_column(column, values)
    return data


def write_shard(sink: Sink, layout: Layout, groups: Iterator[pa.Table]) -> None:
    """Write one shard, a row group at a time; of one that fails nothing is left."""
    try:
        group = next(groups)
        with pa.PythonFile(sink, mode="w") as file, shard_writer(file, layout, group) as writer:
            while group is not None:
                writer.write_table(group, row_group_size=group.num_rows)
                group = next(groups, None)
    except BaseException:
        sink.discard()
        raise


def _taken(rows: pa.Table, places: Ints) -> pa.Table:
    """Rows at places that are known to be there."""
    return pc.take(rows, pa.array(places), boundscheck=False)


def group_rows(layout: Layout) -> int:
    """Rows of a row group: many, but fewer where rows are wide.

    Examples
    --------
    >>> layout = Layout(pa.schema([("x", pa.float64())] * 1000), seed=0, rows_per_shard=1)
    >>> group_rows(layout)
    4194
    """
    return min(GROUP_ROWS, max(1, GROUP_BYTES // sum(map(_width, layout.schema.types))))


def _width(kind: pa.DataType) -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return _TYPICAL_BYTES


def shard_writer(file: Any, layout: Layout, first: pa.Table) -> pq.ParquetWriter:
    """A writer of one shard that begins with some rows."""
    # Source and generator are everywhere alike, and what identifies rows is a hash: the smallest
    # and largest of a row group would help no reader.
    described = [field.name for field in layout.schema]
    repeated = [
        field.name
        for field in first.schema
        if field.name in layout.levels or _repeats(first.column(field.name))
    ]
    return pq.ParquetWriter(
        file,
        first.schema,
        compression="zstd",
        use_dictionary=repeated,
        write_statistics=described,
    )


def _repeats(values: pa.ChunkedArray) -> bool:
    """Whether a dictionary of the values is worth the time that looking for repetitions takes.

    Fractions hardly repeat. Of the others it is decided by those that come first: rows lie in
    random order.
    """
    if pa.types.is_floating(values.type):
        return False
    few = values.slice(0, _LOOKED_AT)
    try:
        return pc.count_distinct(few).as_py() <= _REPEATED * len(few)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return True


def _finished(sink: Sink, rows: int) -> "Shard":
    from synthmix_dagster.release.manifest import Shard

    written = sink.finish()
    return Shard(written.name, rows, written.bytes, written.sha256)


def _chunks(
    scanned: Iterable[tuple[int, Rows]], max_bytes: int
) -> Iterator[tuple[int, list[Rows]]]:
    """Rows of one part at a time, about as many as fit."""
    held: list[Rows] = []
    owner, size = 0, 0
    for part, rows in scanned:
        if held and (part != owner or size + rows.table.nbytes > max_bytes):
            yield owner, held
            held, size = [], 0
        owner = part
        held.append(rows)
        size += rows.table.nbytes
    if held:
        yield owner, held


class Queue:
    """Tables go in, tables of a wanted size come out."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables = tables
        self._held: list[pa.Table] = []

    def take(self, rows: int) -> pa.Table:
        """The next rows, in one piece, so that pages do not tell where tables began."""
        while sum(table.num_rows for table in self._held) < rows:
            self._held.append(next(self._tables))
        whole = self._held[0] if len(self._held) == 1 else pa.concat_tables(self._held)
        rest = whole.slice(rows)
        self._held = [rest] if rest.num_rows else []
        return whole.slice(0, rows).combine_chunks()
