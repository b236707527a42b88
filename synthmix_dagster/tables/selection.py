"""Which rows: stable identities, seeded priorities, exactly k of them.

A row's priority is a hash of its identity and the seed, never of its position in a batch, so the
same seed picks the same rows whatever the order in which they are read. The hash is integer
arithmetic modulo 2**31 - 1 that numpy, SQL and Spark compute alike.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.errors import ConfigError, DataError, did_you_mean
from synthmix_dagster.tables.dataset import Dataset
from synthmix_dagster.tables.fingerprint import row_hashes

Ints = NDArray[np.int64]

PRIME = 2**31 - 1
_LOW_BITS = 30
_ID_BITS = 60
_BLOCK_ROWS = 2**20


def row_ids(dataset: Dataset, key: Sequence[str] = ()) -> Ints:
    """Identity of every row as an integer below 2**60.

    In order of preference: the key columns; the file's relative path and the row's number in it;
    a hash of the row's content with a counter that tells duplicates apart.

    Raises
    ------
    DataError
        A key column is missing, holds missing values or does not identify rows.
    """
    return np.concatenate(list(_id_blocks(dataset, key)))


def shared_key(dataset: Dataset, key: Sequence[str]) -> Sequence[str]:
    """The key, where the dataset has all of it: generators have no keys to copy."""
    return key if set(key) <= set(dataset.columns) else ()


def priorities(ids: Ints, seed: int) -> Ints:
    """Seeded pseudo-random 62-bit integers, one an identity.

    Two cubic polynomials over the integers modulo 2**31 - 1, with coefficients drawn from the
    seed, which makes any four rows independent. A linear hash would walk through consecutive row
    numbers in a lattice.

    Examples
    --------
    >>> first = priorities(np.arange(5), seed=1)
    >>> bool((first[::-1] == priorities(np.arange(5)[::-1], seed=1)).all())
    True
    """
    low = ids & ((1 << _LOW_BITS) - 1)
    high = ids >> _LOW_BITS
    parts = []
    for name in ("first", "second"):
        c = [1 + _digest(f"{seed}|{name}|{i}", 60) % (PRIME - 1) for i in range(6)]
        x = ((low * c[0]) % PRIME + (high * c[1]) % PRIME) % PRIME
        value = np.full_like(x, c[2])
        for coefficient in c[3:]:
            value = (value * x + coefficient) % PRIME
        parts.append(value)
    return (parts[0] << 31) | parts[1]


def in_priority_order(ids: Ints, seed: int) -> Ints:
    """Positions sorted by priority; equal priorities are ordered by identity."""
    return np.lexsort((ids, priorities(ids, seed)))


def sample_positions(dataset: Dataset, rows: int, seed: int, key: Sequence[str] = ()) -> Ints:
    """Positions of a uniform sample in priority order.

    A larger sample of the same dataset and seed begins with the smaller one. Identities that are
    places in files are never held all at once.
    """
    kept = positions = np.empty(0, dtype=np.int64)
    start = 0
    for ids in _id_blocks(dataset, key):
        candidates = np.concatenate((kept, ids))
        places = np.concatenate((positions, np.arange(start, start + len(ids))))
        lowest = in_priority_order(candidates, seed)[:rows]
        kept, positions = candidates[lowest], places[lowest]
        start += len(ids)
    return positions


def quotas(sizes: Mapping[str, int], k: int) -> dict[str, int]:
    """Split k over strata in proportion to their sizes, by largest remainder.

    Equal remainders go to the larger stratum, then by name.

    Examples
    --------
    >>> quotas({"a": 50, "b": 30, "c": 20}, 7)
    {'a': 4, 'b': 2, 'c': 1}
    """
    total = sum(sizes.values())
    shares = {name: divmod(size * k, total) for name, size in sizes.items()}
    taken = {name: whole for name, (whole, _) in shares.items()}
    order = sorted(shares, key=lambda name: (-shares[name][1], -sizes[name], name))
    for name in order[: k - sum(taken.values())]:
        taken[name] += 1
    return taken


def choose_exactly(ids: Ints, k: int, seed: int, strata: Sequence[str] | None = None) -> Ints:
    """Positions of exactly k rows, those of lowest priority, in priority order.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        Row identities.
    k : int
        Rows to choose, at most n.
    seed : int
    strata : sequence of str, optional
        Stratum of every row; each gets its quota in proportion to its size.

    Returns
    -------
    ndarray of shape (k,)
    """
    order = in_priority_order(ids, seed)
    if strata is None:
        return order[:k]
    names = np.asarray(strata, dtype=object)[order]
    levels, sizes = np.unique(names.astype(str), return_counts=True)
    quota = quotas(dict(zip(levels.tolist(), sizes.tolist(), strict=True)), k)
    rank = pd.Series(names.astype(str)).groupby(names.astype(str)).cumcount().to_numpy()
    return order[rank < np.array([quota[name] for name in names.astype(str)])]


def strata_of(dataset: Dataset, column: str) -> list[str]:
    """Stratum of every row by the value of a column.

    Missing values are the stratum ``<missing>``; a text spelt like it gets a backslash in front.
    """
    if column not in dataset.columns:
        raise ConfigError(
            f"dataset '{dataset.name}' has no column '{column}'",
            option="stratify",
            fix=did_you_mean(column, dataset.columns),
        )
    values = dataset.select([column]).table.column(column)
    if pa.types.is_nested(values.type):
        raise DataError(
            f"values of type {values.type} are no strata",
            dataset=dataset.name,
            column=column,
            fix="Name a column of plain values as 'stratify'",
        )
    return [_stratum(value) for value in values.to_pylist()]


def _stratum(value: Any) -> str:
    if value is None or value != value:
        return "<missing>"
    text = str(value)
    return f"\\{text}" if text.endswith("<missing>") else text


def _id_blocks(dataset: Dataset, key: Sequence[str]) -> Iterator[Ints]:
    """Identities of consecutive rows, a bounded number at a time where they come from files."""
    if key:
        yield _key_ids(dataset, key)
    elif not dataset.files:
        yield _content_ids(dataset)
    for file in () if key else dataset.files:
        place = _digest(file.name, _LOW_BITS) << _LOW_BITS
        for first in range(0, file.rows, _BLOCK_ROWS):
            last = min(first + _BLOCK_ROWS, file.rows)
            yield place + np.arange(first, last, dtype=np.int64)


def _key_ids(dataset: Dataset, key: Sequence[str]) -> Ints:
    for column in key:
        if column not in dataset.columns:
            raise DataError(
                "this key column is not there",
                dataset=dataset.name,
                column=column,
                fix="Name columns that this dataset has as 'key', or leave 'key' out",
            )
    table = dataset.select(list(dict.fromkeys(key))).table
    for column in key:
        if table.column(column).null_count:
            raise DataError(
                "this key column holds missing values",
                dataset=dataset.name,
                column=column,
                fix="Fill them, or name another key",
            )
    rows = zip(*(table.column(column).to_pylist() for column in key), strict=True)
    names = [json.dumps([str(value) for value in row]) for row in rows]
    repeated = pd.Series(names).duplicated()
    if repeated.any():
        found = ", ".join(json.loads(names[int(repeated.to_numpy().argmax())]))
        raise DataError(
            f"the key '{found}' occurs more than once",
            dataset=dataset.name,
            column=", ".join(key),
            fix="Name columns that identify a row, or leave 'key' out",
        )
    return np.array([_digest(name, _ID_BITS) for name in names], dtype=np.int64)


def _content_ids(dataset: Dataset) -> Ints:
    hashes = row_hashes(dataset.table)
    copies = pd.Series(hashes).groupby(hashes).cumcount().to_numpy(dtype=np.uint64)
    mixed = hashes + copies * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - _ID_BITS)).astype(np.int64)


def _digest(text: str, bits: int) -> int:
    """The first bits of MD5, which every engine has; it protects nothing here."""
    whole = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(whole[:8], "big") >> (64 - bits)
