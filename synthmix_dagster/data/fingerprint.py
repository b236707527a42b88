"""Digests that depend on content alone.

An Arrow table of the same rows can differ in its bytes: chunks, the offset of a slice, what lies
below a null, metadata of pandas, and the order in which a warehouse returns rows. None of that may
change the identity of a release.
"""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.column_hashes import combined
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
    return combined(table.columns, table.num_rows)


def content_sha256(table: pa.Table) -> str:
    """SHA-256 of names, types and rows of a table, whatever the order of the rows.

    Examples
    --------
    >>> one, two = pa.table({"x": [1, 2]}), pa.table({"x": [2, 1]})
    >>> content_sha256(one) == content_sha256(two)
    True
    """
    digest = digest_of_schema(table.schema)
    digest.update(sorted_hashes(row_hashes(table)).tobytes())
    return digest.hexdigest()


def sorted_hashes(hashes: NDArray[np.uint64], known: int = 0) -> NDArray[np.uint64]:
    """Hashes in order, of which some leading bits may be the same for all.

    Hashes are spread evenly, so 16 bits order nearly all of them, which a radix sort does; what is
    nearly ordered takes a merge sort no time.

    Examples
    --------
    >>> sorted_hashes(np.array([2**63, 7, 2**40], np.uint64)).tolist()
    [7, 1099511627776, 9223372036854775808]
    """
    leading = (hashes >> np.uint64(48 - known)).astype(np.uint16)
    return np.sort(hashes[np.argsort(leading, kind="stable")], kind="stable")


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
            here = sorted_hashes(np.fromfile(file, np.uint64), known=self._BITS)
            digest.update(here.tobytes())
            repeated.append(np.unique(here[1:][here[1:] == here[:-1]]))
            file.close()
        return np.concatenate(repeated)
