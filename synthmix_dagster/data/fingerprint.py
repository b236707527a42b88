"""Digests that depend on content alone.

An Arrow table of the same rows can differ in its bytes: chunks, the offset of a slice, what lies
below a null, metadata of pandas, and the order in which a warehouse returns rows. None of that may
change the identity of a release.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.store import Store


def file_sha256(store: Store, name: str) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with store.open(name) as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def row_hashes(table: pa.Table) -> NDArray[np.uint64]:
    """A 64-bit hash of the content of every row; nested values go by how they print.

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    columns: dict[object, pd.Series] = {}
    for number, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_integer(column.type):
            # Nullable integers: pandas would make floats of integers beside a null.
            width = np.uint64 if pa.types.is_unsigned_integer(column.type) else np.int64
            values = column.fill_null(0).to_numpy().astype(width)
            columns[number] = pd.Series(pd.arrays.IntegerArray(values, column.is_null().to_numpy()))
        elif pa.types.is_decimal(column.type):
            # All of one scale: the bits of two values are equal when the values are.
            for word, values in enumerate(_words(column)):
                columns[number, word] = pd.Series(values)
        elif pa.types.is_nested(column.type):
            columns[number] = pd.Series([repr(value) for value in column.to_pylist()], dtype=object)
        else:
            columns[number] = column.to_pandas(date_as_object=False)
    hashed = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False)
    return np.asarray(hashed, dtype=np.uint64)


def _words(column: pa.ChunkedArray) -> list[pd.api.extensions.ExtensionArray]:
    """The bits of decimals, 64 at a time."""
    wide = column.type if column.type.bit_width > 64 else pa.decimal128(18, column.type.scale)
    size = wide.bit_width // 64
    missing = column.is_null().to_numpy()
    chunks = [np.empty((0, size), np.int64)]
    for chunk in column.cast(wide).chunks:
        words = np.frombuffer(chunk.buffers()[1], np.int64).reshape(-1, size)
        chunks.append(words[chunk.offset : chunk.offset + len(chunk)])
    bits = np.concatenate(chunks)
    # Below a null may lie anything.
    bits[missing] = 0
    return [pd.arrays.IntegerArray(bits[:, word].copy(), missing) for word in range(size)]


def content_sha256(table: pa.Table) -> str:
    """SHA-256 of names, types and rows of a table, whatever the order of the rows.

    Examples
    --------
    >>> one, two = pa.table({"x": [1, 2]}), pa.table({"x": [2, 1]})
    >>> content_sha256(one) == content_sha256(two)
    True
    """
    digest = digest_of_schema(table.schema)
    digest.update(np.sort(row_hashes(table)).tobytes())
    return digest.hexdigest()


def digest_of_schema(schema: pa.Schema) -> "hashlib._Hash":
    """The beginning of `content_sha256`: the sorted hashes of all rows complete it."""
    digest = hashlib.sha256()
    for name, kind in zip(schema.names, schema.types, strict=True):
        digest.update(f"{name}\0{kind}\0".encode())
    return digest


class SpilledHashes:
    """Hashes of rows on their way to a digest, on disk, so that their number does not matter.

    Parameters
    ----------
    folder : Path
        For one file a bucket of the leading bits.
    """

    _BITS = 6

    def __init__(self, folder: Path) -> None:
        self._files = [(folder / f"hashes-{n}").open("w+b") for n in range(1 << self._BITS)]

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Add those of some rows."""
        buckets = (hashes >> np.uint64(64 - self._BITS)).astype(np.uint8)
        # Stable sorting of short integers is a radix sort.
        ordered = hashes[np.argsort(buckets, kind="stable")]
        ends = np.bincount(buckets, minlength=len(self._files)).cumsum()[:-1]
        for file, part in zip(self._files, np.split(ordered, ends), strict=True):
            file.write(part.tobytes())

    def finish(self, digest: "hashlib._Hash") -> NDArray[np.uint64]:
        """Add all hashes to a digest in their order, and return those that occur repeatedly."""
        repeated = [np.empty(0, np.uint64)]
        for file in self._files:
            file.seek(0)
            here = np.sort(np.fromfile(file, np.uint64))
            digest.update(here.tobytes())
            repeated.append(np.unique(here[1:][here[1:] == here[:-1]]))
            file.close()
        return np.concatenate(repeated)
