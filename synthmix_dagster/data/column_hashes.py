"""Hashes of the values of columns, on the buffers of Arrow.

A value has one hash, whatever else is in its column, in whatever batch it comes and whichever
version of pandas is there: numbers and times go by their bits, mixed by a finaliser of splitmix64,
texts and bytes by SipHash, everything else by how it prints. Where nothing is missing or zero with
a sign, these are the hashes of `pandas.util.hash_pandas_object`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
#: Values at a time: what is computed on the way stays in the processor's cache.
_BLOCK = 2**13
#: Hash of a missing text, truth or anything else that is no number.
_MISSING = np.uint64(2**64 - 1)
#: Hash of a missing whole number or decimal.
_MISSING_NUMBER = np.uint64(2**61 - 1)


def combined(columns: "list[pa.ChunkedArray]", rows: int) -> Hashes:
    """A hash of every row, from those of its values, whose order matters."""
    lanes = sum(_lanes(column.type) for column in columns)
    found = np.full(rows, 0x345678, np.uint64)
    factor = 1000003
    for column in columns:
        for hashes in hashes_of(column):
            for start in range(0, rows, _BLOCK):
                here = found[start : start + _BLOCK]
                here ^= hashes[start : start + _BLOCK]
                here *= np.uint64(factor)
            factor += 82520 + 2 * lanes
            lanes -= 1
    found += np.uint64(97531)
    return found


def hashes_of(column: pa.ChunkedArray) -> Iterator[Hashes]:
    """Hashes of the values of a column; of decimals one for 64 bits each."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _of_categories(column)
    elif pa.types.is_decimal(kind):
        missing = missing_of(column)
        for bits in words(column, missing):
            yield _where_missing(_mixed(bits), missing, _MISSING_NUMBER)
    else:
        yield _of_kind(kind)(column)


def one_zero(values: NDArray[Any]) -> NDArray[Any]:
    """Floats of which equal ones have equal bits, and so have all NaN."""
    odd = np.isnan(values) | (values == 0)
    if not odd.any():
        return values
    return np.where(odd, np.where(values == 0, 0, np.nan).astype(values.dtype), values)


def ticks(column: pa.ChunkedArray, missing: int) -> NDArray[np.uint64]:
    """Times as whole numbers of their unit, days in milliseconds."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    return filled(column.cast(pa.int64()), missing).view(np.uint64)


def is_ticks(kind: pa.DataType) -> bool:
    """Whether a type holds days, times with a day, or durations."""
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind)


def _of_kind(kind: pa.DataType) -> Callable[[pa.ChunkedArray], Hashes]:
    if pa.types.is_integer(kind):
        return _of_integers
    if pa.types.is_boolean(kind):
        return _of_truths
    if pa.types.is_floating(kind):
        return _of_floats
    if is_ticks(kind):
        return _of_times
    if pa.types.is_nested(kind):
        return _of_nested
    return _of_objects


def _lanes(kind: pa.DataType) -> int:
    if pa.types.is_dictionary(kind):
        return _lanes(kind.value_type)
    return _wide(kind).bit_width // 64 if pa.types.is_decimal(kind) else 1


def _of_categories(column: pa.ChunkedArray) -> Iterator[Hashes]:
    """Each level is hashed once, unless there are more levels than rows."""
    kind = column.type
    if sum(len(chunk.dictionary) for chunk in column.chunks) > len(column):
        yield from hashes_of(column.cast(kind.value_type))
        return
    # One more level stands for what is missing.
    nothing = pa.nulls(1, kind.value_type)
    found: list[list[Hashes]] = []
    for chunk in column.chunks:
        levels = pa.chunked_array([chunk.dictionary, nothing], kind.value_type)
        indices = chunk.indices.fill_null(0) if chunk.null_count else chunk.indices
        codes = indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if chunk.indices.null_count:
            codes[chunk.indices.is_null().to_numpy(zero_copy_only=False)] = len(chunk.dictionary)
        found.append([hashes[codes] for hashes in hashes_of(levels)])
    empty = [np.empty(0, np.uint64)] * _lanes(kind)
    for lane in zip(empty, *found, strict=True):
        yield np.concatenate(lane)


def _of_integers(column: pa.ChunkedArray) -> Hashes:
    width = np.uint64 if pa.types.is_unsigned_integer(column.type) else np.int64
    values = filled(column, 0).astype(width, copy=False)
    return _where_missing(_mixed(values.view(np.uint64)), missing_of(column), _MISSING_NUMBER)


def _of_truths(column: pa.ChunkedArray) -> Hashes:
    hashes = _mixed(filled(column, False).astype(np.uint64))
    return _where_missing(hashes, missing_of(column), _MISSING)


def _of_floats(column: pa.ChunkedArray) -> Hashes:
    """A missing number is NaN; all NaN are one value, and so are the two zeros."""
    values = one_zero(column.to_numpy())
    return _mixed(values.view(f"u{values.dtype.itemsize}").astype(np.uint64, copy=False))


def _of_times(column: pa.ChunkedArray) -> Hashes:
    """Whole numbers of their unit, days in milliseconds; what is missing is the lowest of all."""
    return _mixed(ticks(column, np.iinfo(np.int64).min))


def _of_nested(column: pa.ChunkedArray) -> Hashes:
    printed = [repr(value) for value in column.to_pylist()]
    return _of_objects(pa.chunked_array([pa.array(printed, pa.string())]))


def _of_objects(column: pa.ChunkedArray) -> Hashes:
    """Texts, bytes and what pandas knows as objects: each value is hashed once."""
    if pa.types.is_null(column.type):
        return np.full(len(column), _MISSING)
    found = [np.empty(0, np.uint64)]
    for chunk in column.chunks:
        encoded = chunk.dictionary_encode()
        levels = _as_objects(encoded.dictionary)
        hashes = np.append(pd.util.hash_array(levels, categorize=False), _MISSING)
        codes = encoded.indices.fill_null(len(levels)) if chunk.null_count else encoded.indices
        found.append(hashes[codes.to_numpy(zero_copy_only=False)])
    return np.concatenate(found)


def _as_objects(levels: pa.Array) -> NDArray[Any]:
    """Values as Python has them; times of day with what it has no objects for behind them."""
    if levels.type != pa.time64("ns"):
        return np.asarray(levels.to_pandas(), dtype=object)
    times = levels.cast(pa.time64("us"), safe=False).to_pylist()
    counts = [count % 1000 for count in levels.cast(pa.int64()).to_pylist()]
    named = [f"{at}+{ns} ns" if ns else str(at) for at, ns in zip(times, counts, strict=True)]
    return np.array(named, dtype=object)


def _wide(kind: pa.DataType) -> pa.DataType:
    """A decimal of 128 bits at least."""
    return kind if kind.bit_width > 64 else pa.decimal128(18, kind.scale)


def words(column: pa.ChunkedArray, missing: NDArray[np.bool_] | None) -> Iterator[Hashes]:
    """The bits of decimals, 64 at a time: equal values of one scale have equal bits."""
    size = _wide(column.type).bit_width // 64
    chunks = [np.empty((0, size), np.uint64)]
    for chunk in column.cast(_wide(column.type)).chunks:
        held = np.frombuffer(chunk.buffers()[1], np.uint64).reshape(-1, size)
        chunks.append(held[chunk.offset : chunk.offset + len(chunk)])
    bits = np.concatenate(chunks)
    for word in range(size):
        # Below a null may lie anything.
        yield bits[:, word] if missing is None else np.where(missing, 0, bits[:, word])


def missing_of(column: pa.ChunkedArray) -> NDArray[np.bool_] | None:
    """Which values are missing; None if none is."""
    return column.is_null().to_numpy() if column.null_count else None


def filled(column: pa.ChunkedArray, value: Any) -> NDArray[Any]:
    """The values, and this one in the place of what is missing."""
    values: NDArray[Any] = (pc.fill_null(column, value) if column.null_count else column).to_numpy()
    return values


def _where_missing(hashes: Hashes, missing: NDArray[np.bool_] | None, hashed: np.uint64) -> Hashes:
    if missing is not None:
        hashes[missing] = hashed
    return hashes


def _mixed(bits: NDArray[np.uint64]) -> Hashes:
    """Every bit of a number changes half of the bits of its hash."""
    found = np.array(bits, np.uint64)
    shifted = np.empty(_BLOCK, np.uint64)
    for start in range(0, len(found), _BLOCK):
        here = found[start : start + _BLOCK]
        spare = shifted[: len(here)]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            here ^= np.right_shift(here, np.uint64(shift), out=spare)
            here *= np.uint64(factor)
        here ^= np.right_shift(here, np.uint64(31), out=spare)
    return found
