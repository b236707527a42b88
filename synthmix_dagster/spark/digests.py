"""Digests of all rows of a dataset, in an order that executors sort them into."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.remote import Kernel, Stretch

#: Bucket and words of a row; with the highest bit turned over, signed numbers sort like others.
WORDS = "bucket bigint, first bigint, second bigint"
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True)
class Words:
    """Work that gives the words of every row, with the bucket that their leading bits number."""

    words: Kernel
    bits: int

    def __call__(self, task: int, rows: Iterator[Stretch]) -> Iterator[pa.RecordBatch]:
        for found in self.words(rows):
            first, second = found[:, 0], found[:, 1]
            bucket = (first >> np.uint64(64 - self.bits)).astype(np.int64)
            columns = [bucket, _signed(first), _signed(second)]
            yield pa.record_batch([pa.array(each) for each in columns], names=_NAMES)


_NAMES = ["bucket", "first", "second"]


def sorted_words(words: Any) -> Any:
    """Words in their order, all of a bucket in one partition."""
    return words.repartition("bucket").sortWithinPartitions(*_NAMES)


def digests_of_buckets(batches: Iterator[pa.RecordBatch]) -> dict[int, bytes]:
    """Digest of the words of every bucket, which come in order."""
    digests: dict[int, hashlib._Hash] = {}
    for batch in batches:
        buckets = batch.column(0).to_numpy()
        words = np.stack([_unsigned(batch.column(at)) for at in (1, 2)], axis=1)
        for bucket in np.unique(buckets).tolist():
            here = words[slice(*np.searchsorted(buckets, (bucket, bucket + 1)))]
            digests.setdefault(bucket, hashlib.sha256()).update(here.tobytes())
    return {bucket: digest.digest() for bucket, digest in digests.items()}


def _signed(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (words ^ _SIGN).view(np.int64)


def _unsigned(words: pa.Array) -> NDArray[np.uint64]:
    return np.asarray(words.to_numpy().view(np.uint64) ^ _SIGN)
