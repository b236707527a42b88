"""Where rows of a shuffle wait on disk, by bucket, until their bucket is read.

Consecutive buckets share a file, which is removed once all of them have been read: the disk never
has to hold all rows twice. Rows are stored as Arrow batches, one for every bucket that a run has
rows of; the offsets are kept in memory only, because only the writing process reads these files.
"""

import os
from collections.abc import Sequence
from io import BufferedRandom
from pathlib import Path
from threading import Lock
from types import TracebackType

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.identity import Ints
from synthmix_dagster.errors import ReleaseError

#: Files, as a power of two: few are open at a time, and space is given back in many steps.
_FILE_BITS = 4


class Spill:
    """Rows by bucket, written by several threads and then read by several.

    Parameters
    ----------
    folder : Path
        Where the files go.
    max_bytes : float
        Of all files together.
    bucket_bits : int
        Logarithm of the number of buckets.
    """

    def __init__(self, folder: Path, max_bytes: float, bucket_bits: int) -> None:
        #: Rows by bucket.
        self.sizes: Ints = np.zeros(1 << bucket_bits, dtype=np.int64)
        self._shift = max(0, bucket_bits - _FILE_BITS)
        files = len(self.sizes) >> self._shift
        self._folder, self._max_bytes, self._bytes = folder, max_bytes, 0
        self._paths = [folder / f"buckets-{number:02d}" for number in range(files)]
        self._files: list[BufferedRandom] = []
        self._reserving = Lock()
        self._locks = [Lock() for _ in self._paths]
        self._places: list[list[tuple[int, int]]] = [[] for _ in self.sizes]
        self._reads: Ints = np.zeros(files, dtype=np.int64)
        self._schema = pa.schema([])

    def __enter__(self) -> "Spill":
        self._files = [path.open("w+b") for path in self._paths]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in range(len(self._files)):
            self._remove(number)

    def write(self, rows: pa.RecordBatch, sizes: Ints) -> None:
        """Add rows that lie in the order of their buckets, so many of each.

        Raises
        ------
        ReleaseError
            They need more space than there is, or than is allowed.
        """
        try:
            self._write(rows, sizes)
        except OSError as error:
            raise ReleaseError(
                f"rows on their way to it cannot be kept ({error.strerror or error})",
                path=self._folder,
                fix="Free space on this disk; for an object store, 'scratch' of its storage sets "
                "another directory",
            ) from error

    def _write(self, rows: pa.RecordBatch, sizes: Ints) -> None:
        ends = sizes.cumsum()
        for number, lock in enumerate(self._locks):
            first = number << self._shift
            batches = [
                (bucket, rows.slice(ends[bucket] - sizes[bucket], sizes[bucket]).serialize())
                for bucket in range(first, first + (1 << self._shift))
                if sizes[bucket]
            ]
            self._reserve(sum(batch.size for _, batch in batches))
            with lock:
                file = self._files[number]
                for bucket, batch in batches:
                    self._places[bucket].append((file.tell(), batch.size))
                    self.sizes[bucket] += sizes[bucket]
                    file.write(batch)
        self._schema = rows.schema

    def _reserve(self, size: int) -> None:
        with self._reserving:
            self._bytes += size
            if self._bytes > self._max_bytes:
                raise ReleaseError(
                    f"rows on their way to it need more than {self._max_bytes / 2**20:g} MB",
                    path=self._folder,
                    fix="Raise 'scratch_mb' of the storage, or lower 'max_rows'",
                )

    def finish(self, readers: Sequence[range]) -> None:
        """End writing, and say which buckets will be read, each time once."""
        for file in self._files:
            file.flush()
        for buckets in readers:
            for bucket in buckets:
                self._reads[bucket >> self._shift] += 1

    def read(self, bucket: int) -> pa.Table:
        """Rows of a bucket, in any order."""
        number = bucket >> self._shift
        places = self._places[bucket]
        ends = np.cumsum([size for _, size in places], dtype=np.int64).tolist()
        # One piece of memory for all: it is given back as one.
        whole = pa.allocate_buffer(ends[-1] if ends else 0)
        with memoryview(whole) as view:
            for (place, size), end in zip(places, ends, strict=True):
                if os.preadv(self._files[number].fileno(), [view[end - size : end]], place) != size:
                    raise OSError(f"'{self._paths[number]}' is shorter than what was written to it")
        with self._locks[number]:
            self._reads[number] -= 1
            if not self._reads[number]:
                self._remove(number)
        batches = [
            pa.ipc.read_record_batch(whole.slice(end - size, size), self._schema)
            for (_, size), end in zip(places, ends, strict=True)
        ]
        return pa.Table.from_batches(batches, self._schema)

    def _remove(self, number: int) -> None:
        self._files[number].close()
        self._paths[number].unlink(missing_ok=True)
