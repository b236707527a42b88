"""The identity of a row: an integer that depends neither on when nor on how the row is read.

In order of preference: the user's key columns; the file's relative path and the row's number in
it; a hash of the row's content, with a counter that tells copies apart. Rows of a frame or of a
table in a warehouse have no order, so that they go by their content.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.fingerprint import row_hashes
from synthmix_dagster.data.formats import PIECE_ROWS
from synthmix_dagster.data.plain_types import printed
from synthmix_dagster.data.reading import HASH, StoredRows
from synthmix_dagster.errors import DataError

Ints = NDArray[np.int64]

#: Identities are below two to this power, numbers of rows in a file below two to the other.
ID_BITS = 60
NUMBER_BITS = 30

#: Identities of keys that are looked at together for one that occurs twice, 8 bytes each.
KEYS_AT_A_TIME = 2**24


class Rows(NamedTuple):
    """Some rows of a dataset and who they are.

    Attributes
    ----------
    ids : ndarray of int of shape (n_rows,)
    table : pyarrow.Table
    """

    ids: Ints
    table: pa.Table


def scan(
    dataset: Dataset,
    key: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    rows: int = PIECE_ROWS,
) -> Iterator[Rows]:
    """All rows in order, a bounded number at a time, with their identities.

    Parameters
    ----------
    dataset : Dataset
    key : sequence of str
        Columns that identify a row.
    columns : sequence of str, optional
        Columns to read, all by default. Without any, identities that are places in files come
        without reading them.
    rows : int
        Maximum number of rows at a time.

    Raises
    ------
    DataError
        A key column does not exist or holds missing values.

    Examples
    --------
    >>> from synthmix_dagster.data.dataset import open_dataset
    >>> numbered = open_dataset(pa.table({"id": [7, 8, 9], "x": [1, 2, 3]}), "real")
    >>> [(rows.ids.tolist(), rows.table.to_pydict()) for rows in scan(numbered, ["id"], ["x"], 2)]
    [([7, 8], {'x': [1, 2]}), ([9], {'x': [3]})]
    """
    require_key(dataset, key)
    wanted = dataset.columns if columns is None else list(columns)
    source = dataset.here
    if isinstance(source, pa.Table):
        table = source
        ids = key_ids(table, key, dataset.name) if key else _content_ids(dataset)
        for start in range(0, table.num_rows, rows):
            yield Rows(ids[start : start + rows], table.select(wanted).slice(start, rows))
        return
    if source.repeated is not None and not key:
        yield from _by_stored_content(source, wanted, rows)
        return
    for piece in source.select(list(dict.fromkeys([*wanted, *key]))).pieces(rows):
        if key:
            ids = key_ids(piece.table, key, dataset.name)
        else:
            ids = place_of(piece.file.location.name) + piece.numbers
        yield Rows(ids, piece.table.select(wanted))


def row_ids(dataset: Dataset, key: Sequence[str] = ()) -> Ints:
    """Identity of every row as an integer below 2**60.

    Raises
    ------
    DataError
        A key column is missing, holds missing values or does not identify rows.
    """
    identify(dataset, key)
    return np.concatenate([rows.ids for rows in scan(dataset, key, [], 2**20)])


def shared_key(dataset: Dataset, key: Sequence[str]) -> Sequence[str]:
    """The key, where the dataset has all of it: generators have no keys to copy."""
    return key if set(key) <= set(dataset.columns) else ()


def identify(dataset: Dataset, key: Sequence[str] = ()) -> dict[str, Any]:
    """Return what identifies the rows, and check that it does.

    Examples
    --------
    >>> from synthmix_dagster.data.dataset import open_dataset
    >>> identify(open_dataset(pa.table({"id": [7, 8]}), "real"), ["id"])
    {'by': 'key', 'columns': ['id']}
    """
    if not key:
        has_places = isinstance(dataset.source, StoredRows) and dataset.source.repeated is None
        return {"by": "file and row number" if has_places else "content"}
    # Identities are spread over so many parts that one part of them can be held.
    parts = 1 + dataset.rows // KEYS_AT_A_TIME
    for part in range(parts):
        scanned = (rows.ids for rows in scan(dataset, key, [], 2**20))
        here = np.sort(np.concatenate([ids[ids % parts == part] for ids in scanned]))
        twice = here[1:][here[1:] == here[:-1]]
        if len(twice):
            raise twice_there(_named(dataset, key, twice[0]), dataset, key)
    return {"by": "key", "columns": list(key)}


def twice_there(value: str, dataset: Dataset, key: Sequence[str]) -> DataError:
    """What is said of a value of the key that two rows have."""
    return DataError(
        f"key value '{value}' occurs more than once",
        dataset=dataset.name,
        column=", ".join(key),
        fix="Set 'key' to columns that identify a row, or leave it out",
    )


def digest(text: str, bits: int) -> int:
    """The first bits of MD5, which every engine has; it protects nothing here."""
    whole = hashlib.md5(text.encode(errors="surrogateescape"), usedforsecurity=False).digest()
    return int.from_bytes(whole[:8], "big") >> (64 - bits)


def place_of(file: str) -> int:
    """Identity of the first row of a file, by the name of the file in its dataset."""
    return digest(file, NUMBER_BITS) << NUMBER_BITS


def require_key(dataset: Dataset, key: Sequence[str]) -> None:
    """Refuse key columns that are not there."""
    for column in key:
        if column not in dataset.columns:
            raise DataError(
                "key column not found",
                dataset=dataset.name,
                column=column,
                fix="Set 'key' to columns of this dataset, or leave it out",
            )


def key_ids(table: pa.Table, key: Sequence[str], dataset: str) -> Ints:
    """Identities by key columns; missing values are refused."""
    for column in key:
        if table.column(column).null_count:
            raise DataError(
                "key column holds missing values",
                dataset=dataset,
                column=column,
                fix="Fill them, or use another key",
            )
    if len(key) == 1 and pa.types.is_integer(table.column(key[0]).type):
        return _number_ids(table.column(key[0]))
    return _text_ids(_key_names(table, key))


def _number_ids(numbers: pa.ChunkedArray) -> Ints:
    """Whole numbers are their own identities where they are not negative and not too large."""
    values = numbers.to_numpy()
    fits = (values >= 0) & (values < 1 << ID_BITS)
    ids = np.where(fits, values, 0).astype(np.int64)
    if not fits.all():
        ids[~fits] = _text_ids([str(number) for number in values[~fits].tolist()])
    return ids


def _text_ids(names: Sequence[str]) -> Ints:
    md5 = hashlib.md5
    heads = b"".join(md5(n.encode(), usedforsecurity=False).digest()[:8] for n in names)
    return (np.frombuffer(heads, dtype=">u8") >> np.uint64(64 - ID_BITS)).astype(np.int64)


def _key_names(table: pa.Table, key: Sequence[str]) -> list[str]:
    rows = zip(*(printed(table.column(column)) for column in key), strict=True)
    return [json.dumps(row) for row in rows]


def key_name(row: pa.Table, key: Sequence[str]) -> str:
    """The key of a row as its owner knows it."""
    return ", ".join(json.loads(_key_names(row, key)[0]))


def _named(dataset: Dataset, key: Sequence[str], identity: int) -> str:
    """The key as its owner knows it."""
    for rows in scan(dataset, key, key):
        for position in np.flatnonzero(rows.ids == identity):
            return key_name(rows.table.slice(position, 1), key)
    raise AssertionError("an identity that was just seen is gone")


def _content_ids(dataset: Dataset) -> Ints:
    hashes = row_hashes(dataset.table)
    return content_ids(hashes, _copies_before(hashes))


def _copies_before(values: NDArray[Any]) -> NDArray[np.uint64]:
    """How many equal ones stand before each value."""
    return np.asarray(pd.Series(values).groupby(values).cumcount(), dtype=np.uint64)


def content_ids(hashes: NDArray[np.uint64], copies: NDArray[np.uint64]) -> Ints:
    """Identities by hashes of content, and by how many equal rows were counted before each."""
    mixed = hashes + copies * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - ID_BITS)).astype(np.int64)


def _by_stored_content(source: StoredRows, wanted: Sequence[str], rows: int) -> Iterator[Rows]:
    """Rows with the identities that they would have in memory, by the hashes stored with them."""
    repeated = source.repeated if source.repeated is not None else np.empty(0, np.uint64)
    seen = np.zeros(len(repeated), dtype=np.uint64)
    names = dict(source.names)
    read = replace(source, names=(*((name, names[name]) for name in wanted), (HASH, HASH)))
    for piece in read.pieces(rows):
        hashes = piece.table.column(HASH).to_numpy()
        copies = np.zeros(len(hashes), dtype=np.uint64)
        if len(repeated):
            place = np.minimum(np.searchsorted(repeated, hashes), len(repeated) - 1)
            at = np.flatnonzero(repeated[place] == hashes)
            copies[at] = seen[place[at]] + _copies_before(place[at])
            np.add.at(seen, place[at], np.uint64(1))
        yield Rows(content_ids(hashes, copies), piece.table.select(list(wanted)))
