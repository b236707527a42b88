"""Digests that depend on content alone.

An Arrow table of the same rows can differ in its bytes: chunks, the offset of a slice, what lies
below a null, metadata of pandas, and the order in which a warehouse returns rows. None of that may
change the identity of a release.
"""

import hashlib

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
    columns = {}
    for number, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_integer(column.type):
            # Nullable integers: pandas would make floats of integers beside a null.
            width = np.uint64 if pa.types.is_unsigned_integer(column.type) else np.int64
            values = column.fill_null(0).to_numpy().astype(width)
            columns[number] = pd.Series(pd.arrays.IntegerArray(values, column.is_null().to_numpy()))
        elif pa.types.is_nested(column.type) or pa.types.is_decimal(column.type):
            columns[number] = pd.Series([repr(value) for value in column.to_pylist()], dtype=object)
        else:
            columns[number] = column.to_pandas(date_as_object=False)
    hashed = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False)
    return np.asarray(hashed, dtype=np.uint64)


def content_sha256(table: pa.Table) -> str:
    """SHA-256 of names, types and rows of a table, whatever the order of the rows.

    Examples
    --------
    >>> one, two = pa.table({"x": [1, 2]}), pa.table({"x": [2, 1]})
    >>> content_sha256(one) == content_sha256(two)
    True
    """
    digest = hashlib.sha256()
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        digest.update(f"{name}\0{kind}\0".encode())
    digest.update(np.sort(row_hashes(table)).tobytes())
    return digest.hexdigest()
