"""The shuffle on a cluster: the shards of the Arrow engine, each written whole by one task.

Three steps. Executors count the places of all rows in the order of the release by their leading
bits, which tells between which places every shard lies. Then they hand on the rows of every shard,
packed as Arrow batches; where a cell of the histogram belongs to two shards, to both. At last one
task for each shard sorts its rows, cuts off what belongs to its neighbours and writes them with the
writer of the Arrow engine. So neither the number of executors nor how the rows were cut into tasks
can be seen in what is written.

A task writes below a name of its own attempt, where nobody looks, and reports what it wrote.
Spark keeps the report of exactly one attempt of each task; its file is moved into the draft.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.alignment import align
from synthmix_dagster.data.priority import PRIORITY_BITS
from synthmix_dagster.data.remote import Stretch
from synthmix_dagster.data.store import Draft, Store
from synthmix_dagster.errors import ClusterError
from synthmix_dagster.release.engine import Counts, Layout, Origin, Part, Written
from synthmix_dagster.release.options import LIBRARIES_MB
from synthmix_dagster.release.selection import Strata
from synthmix_dagster.release.shuffle import (
    Queue,
    group_rows,
    in_order,
    part_of,
    place_in,
    released,
    travelling,
    write_shard,
)
from synthmix_dagster.spark.places import Plan, Taken, plan_shards
from synthmix_dagster.spark.rows import (
    FOUND,
    SparkRows,
    caught,
    collected,
    found_batch,
    place_of,
    rows_of,
)
from synthmix_dagster.spark.states import decoded, encoded, table_bytes, table_of

#: Rows on their way: the shard and the bucket in it, and a packed Arrow table; or an error.
_ON_THE_WAY = "shard int, bucket int, rows binary"
#: Rows that are looked at for their width.
_LOOKED_AT = 1_000
#: Bytes of packed rows that are handed on at a time.
_HANDED_ON = 2**24


def shuffle(
    session: Any, parts: Sequence[Part], draft: Draft, layout: Layout, memory_mb: int
) -> Written:
    """Write the selected rows of all parts as shards, in seeded order.

    Raises
    ------
    ClusterError
        A job failed, or did not see the rows that were selected.
    """
    share = max(2**24, (memory_mb - LIBRARIES_MB) * 2**20 // 6)
    sources = [_source(part, layout) for part in parts]
    taken = [
        Taken(number, part.origin, part.dataset.name, part.selection)
        for number, part in enumerate(parts)
    ]
    width = max(_row_bytes(source) for source in sources)
    total = sum(part.rows for part in parts)
    bucket_rows = max(1, int(share / width))
    plan = plan_shards(session, sources, taken, parts, layout, total, bucket_rows)
    # Whole numbers and arrays only, so that what is sent to executors is small.
    origins = tuple(part.origin for part in parts)
    on_the_way = reduce(
        lambda one, other: one.union(other),
        [
            source.mapped(_Scatter(one, plan, layout, share), _ON_THE_WAY, part.key)
            for source, one, part in zip(sources, taken, parts, strict=True)
        ],
    )
    with draft.attempts() as attempts:
        gather = _Gather(plan, layout, origins, attempts)
        arrived = _by_shard(on_the_way, plan.shards).sortWithinPartitions("shard", "bucket")
        found = [
            decoded(bytes(row["found"]))
            for row in collected(session, arrived.mapInArrow(gather, FOUND))
        ]
        reports = sorted(found, key=lambda report: int(report["shard"]))
        _require_all(session, reports, plan)
        return _adopted(reports, draft, attempts, layout, origins)


def _source(part: Part, layout: Layout) -> SparkRows:
    """Rows of a part with the columns that a release takes."""
    there = set(part.dataset.columns)
    return rows_of(part.dataset).select([name for name in layout.schema.names if name in there])


def _row_bytes(source: SparkRows) -> float:
    first = source.first(_LOOKED_AT)
    return max(1.0, first.nbytes / max(1, first.num_rows))


@dataclass(frozen=True)
class _Scatter:
    """Hands the rows that are taken on to the buckets that they belong to."""

    taken: Taken
    plan: Plan
    layout: Layout
    most_bytes: int

    def __call__(self, task: int, rows: Iterator[Stretch]) -> Iterator[pa.RecordBatch]:
        held: list[pa.Table] = []
        size = 0
        for stretch in rows:
            there, place = self.taken.places(stretch, self.layout.seed)
            if not len(there):
                continue
            table = (
                stretch.table
                if len(there) == len(stretch.ids)
                else stretch.table.take(pa.array(there))
            )
            aligned = caught(partial(align, table, self.layout.schema, self.taken.dataset))
            if isinstance(aligned, Exception):
                yield _packed([(-1, -1, encoded(aligned))])
                return
            held.append(travelling(aligned, place, self.taken.number, stretch.ids[there]))
            size += held[-1].nbytes
            if size > self.most_bytes:
                yield from self._handed_on(pa.concat_tables(held))
                held, size = [], 0
        if held:
            yield from self._handed_on(pa.concat_tables(held))

    def _handed_on(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        """Rows by bucket; those in a cell of several buckets in each of these."""
        rows = rows.combine_chunks()
        first, last = self.plan.ends
        cell = place_in(rows) >> (PRIORITY_BITS - self.plan.bits)
        low = np.searchsorted(last, cell, side="left")
        often = np.searchsorted(first, cell, side="right") - low
        at = np.repeat(np.arange(len(cell)), often)
        bucket = (
            np.repeat(low, often) + np.arange(len(at)) - np.repeat(often.cumsum() - often, often)
        )
        order = np.argsort(bucket, kind="stable")
        numbers, starts = np.unique(bucket[order], return_index=True)
        sorted_rows = rows.take(pa.array(at[order]))
        packed: list[tuple[int, int, bytes]] = []
        size = 0
        for number, start, stop in zip(
            numbers.tolist(), starts.tolist(), [*starts[1:].tolist(), len(at)], strict=True
        ):
            content = table_bytes(sorted_rows.slice(start, stop - start))
            packed.append((self.plan.buckets[number].shard, number, content))
            size += len(content)
            if size > _HANDED_ON:
                yield _packed(packed)
                packed, size = [], 0
        if packed:
            yield _packed(packed)


def _packed(rows: Sequence[tuple[int, int, bytes]]) -> pa.RecordBatch:
    shards, buckets, contents = zip(*rows, strict=True)
    return pa.record_batch(
        [
            pa.array(shards, pa.int32()),
            pa.array(buckets, pa.int32()),
            pa.array(contents, pa.binary()),
        ],
        names=["shard", "bucket", "rows"],
    )


def _by_shard(rows: Any, shards: int) -> Any:
    """All rows of a shard in one partition, each shard in its own where Spark can do that."""
    from pyspark.sql import functions as f

    shard = f.greatest(f.col("shard"), f.lit(0))
    if hasattr(rows, "repartitionById"):
        return rows.repartitionById(shards, shard)
    return rows.repartition(shards, shard)


@dataclass(frozen=True)
class _Gather:
    """Writes the shards of a partition, and reports each."""

    plan: Plan
    layout: Layout
    origins: tuple[Origin, ...]
    attempts: Store

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        arrived = _Arrived(batches)
        while (shard := arrived.shard) is not None:
            if shard < 0:
                yield found_batch(shard, arrived.error)
                return
            yield found_batch(shard, caught(partial(self._write, shard, arrived)))

    def _write(self, shard: int, arrived: "_Arrived") -> dict[str, Any]:
        start = shard * self.layout.rows_per_shard
        stop = min(start + self.layout.rows_per_shard, self.plan.total)
        counts = _Counted(self.layout, self.origins)
        rows = Queue(self._rows(shard, start, stop, arrived, counts))
        size = group_rows(self.layout)
        groups = (rows.take(min(size, stop - at)) for at in range(start, stop, size))
        name = f"{uuid4().hex}/part-{shard:05d}.parquet"
        sink = self.attempts.create(name)
        write_shard(sink, self.layout, groups)
        written = sink.finish()
        return {
            "shard": shard,
            "path": written.name,
            "rows": stop - start,
            "bytes": written.bytes,
            "sha256": written.sha256,
            "counts": counts.plain,
        }

    def _rows(
        self, shard: int, start: int, stop: int, arrived: "_Arrived", counts: "_Counted"
    ) -> Iterator[pa.Table]:
        """Finished rows of a shard, a bucket at a time."""
        while arrived.shard == shard:
            bucket, rows = arrived.bucket()
            before = self.plan.buckets[bucket].start
            ordered = in_order(rows, max(0, start - before), stop - before)
            counts.add(ordered)
            yield released(ordered, self.layout, self.origins)


class _Arrived:
    """Packed rows in the order of shards and buckets."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._rows = (row for batch in batches for row in _unpacked(batch))
        self._next = next(self._rows, None)

    @property
    def shard(self) -> int | None:
        """The shard that comes next."""
        return None if self._next is None else self._next[0]

    @property
    def error(self) -> Any:
        """What a task that hands rows on had to say instead."""
        assert self._next is not None
        return caught(lambda: decoded(self._next[2]))  # type: ignore[index]

    def bucket(self) -> tuple[int, pa.Table]:
        """The next bucket and all its rows."""
        assert self._next is not None
        number, tables = self._next[1], list[pa.Table]()
        while self._next is not None and self._next[1] == number:
            tables.append(table_of(self._next[2]))
            self._next = next(self._rows, None)
        return number, pa.concat_tables(tables)


def _unpacked(batch: pa.RecordBatch) -> Iterator[tuple[int, int, bytes]]:
    shards, buckets = batch.column(0).to_pylist(), batch.column(1).to_pylist()
    for at, (shard, bucket) in enumerate(zip(shards, buckets, strict=True)):
        yield shard, bucket, batch.column(2)[at].as_buffer()


class _Counted:
    """Counts rows on their way into a shard."""

    def __init__(self, layout: Layout, origins: Sequence[Origin]) -> None:
        self._layout = layout
        self._names = [origin.name for origin in origins]
        self._counts = Counts(
            rows=dict.fromkeys(self._names, 0), nulls=dict.fromkeys(layout.schema.names, 0)
        )

    def add(self, rows: pa.Table) -> None:
        parts = part_of(rows)
        for name, size in zip(
            self._names, np.bincount(parts, minlength=len(self._names)).tolist(), strict=True
        ):
            self._counts.rows[name] += size
        for column in self._layout.schema.names:
            self._counts.nulls[column] += rows.column(column).null_count
        if self._layout.stratify is None:
            return
        names: list[str] = []
        codes = Strata(self._layout.stratify, names).codes(rows, rows.num_rows)
        width = len(self._names)
        sizes = np.bincount(codes * width + parts, minlength=len(names) * width)
        for stratum, by_part in zip(names, sizes.reshape(-1, width).tolist(), strict=True):
            found = self._counts.strata.setdefault(stratum, dict.fromkeys(self._names, 0))
            for name, size in zip(self._names, by_part, strict=True):
                found[name] += size

    @property
    def plain(self) -> dict[str, Any]:
        """Rows, strata and nulls."""
        return {
            "rows": self._counts.rows,
            "strata": self._counts.strata,
            "nulls": self._counts.nulls,
        }


def _require_all(session: Any, reports: Sequence[dict[str, Any]], plan: Plan) -> None:
    if [report["shard"] for report in reports] != list(range(plan.shards)):
        raise ClusterError(
            f"{len(reports)} of {plan.shards} shards were reported",
            cluster=place_of(session),
            fix="Run again; existing releases are unchanged",
        )


def _adopted(
    reports: Sequence[dict[str, Any]],
    draft: Draft,
    attempts: Store,
    layout: Layout,
    origins: Sequence[Origin],
) -> Written:
    """Move what exactly one attempt of each task wrote into the draft."""
    from synthmix_dagster.release.manifest import Shard

    names = [origin.name for origin in origins]
    whole = Counts(dict.fromkeys(names, 0), {}, dict.fromkeys(layout.schema.names, 0))
    shards = []
    for report in reports:
        path = f"{draft.data}/part-{report['shard']:05d}.parquet"
        draft.adopt(attempts, report["path"], path)
        shards.append(Shard(path, report["rows"], report["bytes"], report["sha256"]))
        counts = report["counts"]
        for name, rows in counts["rows"].items():
            whole.rows[name] += rows
        for column, nulls in counts["nulls"].items():
            whole.nulls[column] += nulls
        for stratum, by_part in counts["strata"].items():
            found = whole.strata.setdefault(stratum, dict.fromkeys(names, 0))
            for name, rows in by_part.items():
                found[name] += rows
    return Written(shards, whole)
