"""The default engine: pyarrow and numpy on one machine, in bounded memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.alignment import require_fit
from synthmix_dagster.data.dataset import Dataset, Found
from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.data.identity import Rows, identify, scan
from synthmix_dagster.data.priority import sample_positions
from synthmix_dagster.data.store import Draft, Store
from synthmix_dagster.encoding.options import require_min
from synthmix_dagster.release.engine import Counts, Layout, Part, Written
from synthmix_dagster.release.options import LIBRARIES_MB, MIN_MEMORY_MB
from synthmix_dagster.release.recount import recount
from synthmix_dagster.release.selection import (
    Kernel,
    Selection,
    in_strata,
    select_exactly,
    strata_of,
)
from synthmix_dagster.release.shuffle import Shuffle
from synthmix_dagster.release.spill import Spill
from synthmix_dagster.watching import tell

#: Maximum number of buckets of a shuffle, as a power of two.
_MAX_BUCKET_BITS = 14
#: Maximum number of rows read at a time.
_MAX_PIECE_ROWS = 2**17
#: Buckets do not all have the mean size, and rows elsewhere may be longer than the first ones.
_MARGIN = 1.5


@dataclass(frozen=True)
class ShufflePlan:
    """How a shuffle keeps within its memory; nothing of it can be seen in what is written.

    Attributes
    ----------
    bucket_bits : int
        Logarithm of the number of buckets.
    run_bytes : int
        About the most bytes of a run.
    piece_rows : int
        Most rows that are read at a time.
    """

    bucket_bits: int
    run_bytes: int
    piece_rows: int


@dataclass(frozen=True)
class ArrowEngine:
    """Streams files and frames, spills what does not fit, and gives the same bytes every time.

    Parameters
    ----------
    memory_mb : int
        Memory budget in MB, libraries included, frames that are already in memory excluded.
    workers : int
        Threads that move rows, in addition to those in which Arrow decodes files. They share the
        memory budget and do not affect the bytes that are written.

    Examples
    --------
    >>> from synthmix_dagster.data.dataset import open_dataset
    >>> engine = ArrowEngine()
    >>> rows = open_dataset(pa.table({"g": ["a", "a", "b", None]}), "synthetic")
    >>> engine.strata(rows, "g")
    {'a': 2, 'b': 1, '<missing>': 1}
    >>> engine.select(rows, 2, seed=0, stratify="g").quotas
    {'a': 1, 'b': 0, '<missing>': 1}
    """

    memory_mb: int = 1_000
    workers: int = max(1, min(2, os.cpu_count() or 1))

    def __post_init__(self) -> None:
        require_min(self.memory_mb, MIN_MEMORY_MB, option="memory_mb")

    def over(
        self,
        dataset: Dataset,
        kernel: Callable[[Iterable[Rows]], Found],
        key: Sequence[str] = (),
        columns: Sequence[str] | None = None,
    ) -> list[Found]:
        return [kernel(scan(dataset, key, columns))]

    def identify(self, dataset: Dataset, key: Sequence[str] = ()) -> dict[str, Any]:
        return identify(dataset, key)

    def fit(self, synthetic: Dataset, real: Dataset, optional: Sequence[str] = ()) -> None:
        require_fit(synthetic, real, optional)

    def sample(
        self, dataset: Dataset, rows: int, seed: int | str, key: Sequence[str] = ()
    ) -> pa.Table:
        positions = sample_positions(dataset, rows, seed, key)
        return dataset.taken(positions)

    def strata(self, dataset: Dataset, column: str) -> dict[str, int]:
        return strata_of(dataset, column)

    def select(
        self,
        dataset: Dataset,
        k: int,
        seed: int,
        key: Sequence[str] = (),
        stratify: str | None = None,
        quotas: Mapping[str, int] | None = None,
    ) -> Selection:
        sizes = {"": dataset.rows} if stratify is None else self.strata(dataset, stratify)
        columns = [] if stratify is None else [stratify]

        def over(kernel: Kernel) -> list[Any]:
            labelled = partial(in_strata, kernel, stratify, list(sizes))
            return self.over(dataset, labelled, key, columns)

        return select_exactly(over, sizes, k, seed, stratify, quotas, dataset.name)

    def plan(self, parts: Sequence[Part]) -> ShufflePlan:
        """Share the memory among what a shuffle holds at a time."""
        free = (self.memory_mb - LIBRARIES_MB) * 2**20
        share = free // (6 * self.workers)
        row_bytes = [_row_bytes(part) for part in parts]
        total = sum(size * part.rows for size, part in zip(row_bytes, parts, strict=True))
        bits = int(np.ceil(np.log2(max(_MARGIN * total / share, 1))))
        return ShufflePlan(
            bucket_bits=min(_MAX_BUCKET_BITS, bits),
            run_bytes=share // 2,
            # Small pieces stay in the caches of processor and allocator.
            piece_rows=int(min(_MAX_PIECE_ROWS, max(1, share / 2 // max(row_bytes)))),
        )

    def shuffle(self, parts: Sequence[Part], draft: Draft, layout: Layout) -> Written:
        plan = self.plan(parts)
        with draft.folder.scratch() as space, Spill(*space, plan.bucket_bits) as spilled:
            shuffle = Shuffle(spilled, layout, list(parts), plan.run_bytes, self.workers)
            shuffle.scatter(_scanned(parts, layout, plan.piece_rows))
            return shuffle.gather(draft.folder, draft.data)

    def recount(
        self, folder: Store, shards: Sequence[str], layout: Layout, names: Sequence[str]
    ) -> Counts:
        return recount(folder, shards, layout, list(names))

    def digests(self, folder: Store, files: Sequence[str]) -> list[str]:
        return [file_sha256(folder, name) for name in files]


def _scanned(parts: Sequence[Part], layout: Layout, piece_rows: int) -> Iterator[tuple[int, Rows]]:
    """All rows of all parts, each with the number of its part."""
    done, total = 0, sum(part.dataset.rows for part in parts)
    for number, part in enumerate(parts):
        for rows in scan(part.dataset, part.key, _released(part.dataset, layout), piece_rows):
            yield number, rows
            done += len(rows.ids)
            tell("reading", done, total)


def _released(dataset: Dataset, layout: Layout) -> list[str]:
    """Columns of a dataset that a release takes."""
    there = set(dataset.columns)
    return [name for name in layout.schema.names if name in there]


def _row_bytes(part: Part) -> float:
    """Approximate bytes per row of a part, estimated from its first rows."""
    first = next(part.dataset.tables())
    return max(1.0, float(first.nbytes / max(1, first.num_rows)))
