"""Digests that depend on content alone.

An Arrow table of the same values can differ in its bytes: chunks, the offset of a slice, what lies
below a null, metadata of pandas. None of that may change the identity of a release.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content_sha256(table: pa.Table) -> str:
    """SHA-256 of names, types and values of a table, in the order of its rows.

    Examples
    --------
    >>> one = pa.table({"x": [1, 2]})
    >>> two = pa.concat_tables([one.slice(0, 1), one.slice(1, 1)])
    >>> content_sha256(one) == content_sha256(two)
    True
    """
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name}\0{column.type}\0{len(column)}\0".encode())
        _add(digest, column)
    return digest.hexdigest()


def _add(digest: Any, column: pa.ChunkedArray) -> None:
    digest.update(np.packbits(column.is_valid().to_numpy()).tobytes())
    kind = column.type
    if pa.types.is_dictionary(kind):
        _add(digest, column.cast(kind.value_type))
    elif pa.types.is_boolean(kind):
        digest.update(np.packbits(column.fill_null(False).to_numpy()).tobytes())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        digest.update(np.ascontiguousarray(column.fill_null(0).to_numpy()).tobytes())
    elif pa.types.is_temporal(kind) and kind.bit_width in (32, 64):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        _add(digest, pa.chunked_array([c.view(width) for c in column.chunks], type=width))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        _add(digest, pc.binary_length(column))
        for text in column.drop_null().to_pylist():
            digest.update(text.encode())
    else:
        for value in column.to_pylist():
            digest.update(repr(value).encode())
