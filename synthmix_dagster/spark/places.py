"""Where the rows of a shuffle go: places are counted, and cut into shards and buckets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.identity import Ints
from synthmix_dagster.data.priority import PRIORITY_BITS
from synthmix_dagster.data.remote import Stretch
from synthmix_dagster.errors import ClusterError
from synthmix_dagster.release.engine import Layout, Origin, Part
from synthmix_dagster.release.selection import Selection
from synthmix_dagster.release.shuffle import order_of
from synthmix_dagster.spark.rows import CELLS, SparkRows, cells_batch, parallelism, place_of, summed

#: Bits of a place by which rows are counted, at most, and cells for each shard and bucket.
_MOST_BITS, _FINE_BITS = 20, 7


class Bucket(NamedTuple):
    """Rows of one shard that are sorted together.

    Attributes
    ----------
    shard : int
    first, last : int
        Cells.
    start : int
        Rows before its first cell in the whole order.
    """

    shard: int
    first: int
    last: int
    start: int


@dataclass(frozen=True)
class Plan:
    """Where every row goes.

    Attributes
    ----------
    bits : int
        Leading bits of a place, which number its cell.
    buckets : tuple of Bucket
        In order; neighbours may share a cell.
    shards : int
    total : int
        Rows.
    """

    bits: int
    buckets: tuple[Bucket, ...]
    shards: int
    total: int

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """First and last cell of every bucket."""
        cells = np.array([(each.first, each.last) for each in self.buckets], dtype=np.int64)
        return cells[:, 0], cells[:, 1]


class Taken(NamedTuple):
    """What is taken of one part, as executors know it."""

    number: int
    origin: Origin
    dataset: str
    selection: Selection | None

    def places(self, rows: Stretch, seed: int) -> tuple[Ints, Ints]:
        """Positions of the rows that are taken, and their places in the order."""
        there = np.arange(len(rows.ids))
        if self.selection is not None:
            there = np.flatnonzero(self.selection.mask(rows.ids, rows.table))
        return there, order_of(rows.ids[there], seed, self.origin.name)


def plan_shards(
    session: Any,
    sources: Sequence[SparkRows],
    taken: Sequence[Taken],
    parts: Sequence[Part],
    layout: Layout,
    total: int,
    bucket_rows: int,
) -> Plan:
    """Count the places of all rows, and cut them into shards and buckets."""
    shards = -(-total // layout.rows_per_shard)
    wanted = shards + total // bucket_rows
    bits = min(_MOST_BITS, _FINE_BITS + wanted.bit_length())
    most = parallelism(session)
    cells = reduce(
        lambda one, other: one.union(other),
        [
            _needed(source, one).mapped(_Places(one, layout.seed, bits), CELLS, part.key, most)
            for source, one, part in zip(sources, taken, parts, strict=True)
        ],
    )
    counts = summed(session, cells, 1 << bits)
    if int(counts.sum()) != total:
        raise ClusterError(
            f"the executors see {counts.sum():,} selected rows where {total:,} were selected",
            cluster=place_of(session),
            fix="Pass DataFrames that give the same rows each time; write what is random to a "
            "table first",
        )
    return Plan(bits, tuple(_buckets(counts, layout.rows_per_shard, bucket_rows)), shards, total)


def _needed(source: SparkRows, one: Taken) -> SparkRows:
    """Columns that say which rows are taken."""
    stratify = None if one.selection is None else one.selection.stratify
    return source.select([] if stratify is None else [stratify])


def _buckets(counts: Ints, per_shard: int, bucket_rows: int) -> Iterator[Bucket]:
    """Consecutive cells of every shard, put together while they are few enough to be sorted."""
    ends = counts.cumsum()
    total = int(ends[-1])
    for shard, start in enumerate(range(0, total, per_shard)):
        stop = min(start + per_shard, total)
        cell, last = np.searchsorted(ends, (start, stop - 1), side="right").tolist()
        while cell <= last:
            before = int(ends[cell] - counts[cell])
            upto = int(np.searchsorted(ends, before + bucket_rows, side="right")) - 1
            until = min(last, max(cell, upto))
            if ends[until] > before:
                yield Bucket(shard, cell, until, before)
            cell = until + 1


@dataclass(frozen=True)
class _Places:
    """Counts the rows that are taken by the leading bits of their places."""

    taken: Taken
    seed: int
    bits: int

    def __call__(self, task: int, rows: Iterator[Stretch]) -> Iterator[pa.RecordBatch]:
        cells = np.zeros(1 << self.bits, dtype=np.int64)
        for stretch in rows:
            _, place = self.taken.places(stretch, self.seed)
            cells += np.bincount(place >> (PRIORITY_BITS - self.bits), minlength=len(cells))
        yield cells_batch(cells)
