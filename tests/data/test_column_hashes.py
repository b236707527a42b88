"""One value, one hash: whatever lies around it, in whatever batch, encoded however."""

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from synthmix_dagster.data.fingerprint import row_hashes, sorted_hashes

#: Three different values of every kind of column.
VALUES: dict[pa.DataType, list[Any]] = {
    pa.int8(): [0, 1, 7],
    pa.uint16(): [0, 1, 40_000],
    pa.int64(): [0, -(2**62), 7],
    pa.uint64(): [0, 2**64 - 1, 7],
    pa.float16(): [np.float16(0), np.float16(-1.5), np.float16(7)],
    pa.float32(): [0.0, -1.5, 7.25],
    pa.float64(): [0.0, -1.5, 1e300],
    pa.bool_(): [True, False, True],
    pa.string(): ["", "a", "ä" * 40],
    pa.large_string(): ["", "a", "ä" * 40],
    pa.binary(): [b"", b"a", b"\xff" * 9],
    pa.binary(2): [b"ab", b"cd", b"\0\0"],
    pa.date32(): [date(1970, 1, 1), date(2026, 1, 2), date(1800, 5, 5)],
    pa.timestamp("s"): [datetime(1970, 1, 1), datetime(2026, 1, 2), datetime(9999, 1, 1)],
    pa.timestamp("us", "Europe/Berlin"): [
        datetime(2026, month, 1, tzinfo=timezone.utc) for month in (1, 2, 7)
    ],
    pa.duration("ms"): [timedelta(0), timedelta(days=-1), timedelta(milliseconds=5)],
    pa.time64("us"): [time(0), time(12, 30), time(23, 59, 59, 7)],
    pa.decimal128(12, 2): [Decimal("0.00"), Decimal("-1.25"), Decimal("9999999999.99")],
    pa.decimal256(60, 2): [Decimal("0.00"), Decimal("-1.25"), Decimal(10**50)],
    pa.list_(pa.int64()): [[], [1], [1, None]],
}
KINDS = pytest.mark.parametrize("kind", VALUES, ids=str)


def hashes(values: Any, kind: pa.DataType) -> list[int]:
    """Of a row for each value, beside a column that is the same in all of them."""
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)
    return row_hashes(pa.table({"x": column, "one": [1] * len(column)})).tolist()


@KINDS
def test_a_value_has_one_hash_in_every_batch(kind: pa.DataType) -> None:
    values = [*VALUES[kind], None]
    alone = [hashes([value], kind)[0] for value in values]
    assert len(set(alone)) == len({repr(value) for value in values})
    assert hashes(values, kind) == alone
    chunks = pa.chunked_array([values[:1], [], values[1:], values], kind)
    assert hashes(chunks, kind) == alone + alone
    assert hashes(chunks.slice(1, 5), kind) == (alone + alone)[1:6]
    assert hashes([], kind) == []


@KINDS
def test_categories_hash_as_their_values(kind: pa.DataType) -> None:
    if pa.types.is_nested(kind):
        return
    values = pa.chunked_array([VALUES[kind], [VALUES[kind][1], None] * 3], kind)
    assert hashes(values.dictionary_encode(), kind) == hashes(values, kind)
    # More levels than rows, and a level that is missing.
    levels = pa.array([*VALUES[kind], None], kind)
    few = pa.DictionaryArray.from_arrays(pa.array([3, None, 1], pa.int8()), levels)
    assert hashes(few, kind) == hashes([None, None, VALUES[kind][1]], kind)


@KINDS
def test_hashes_are_those_of_pandas_where_nothing_is_missing(kind: pa.DataType) -> None:
    """Fingerprints of releases that there are already stay."""
    if pa.types.is_decimal(kind) or pa.types.is_nested(kind):
        return
    table = pa.table({"x": pa.array(VALUES[kind], kind), "n": [3, 1, 2], "s": ["a", "b", "a"]})
    frame = table.to_pandas(date_as_object=False)
    assert row_hashes(table).tolist() == pd.util.hash_pandas_object(frame, index=False).tolist()


def test_decimals_and_missing_whole_numbers_hash_as_they_always_did() -> None:
    table = pa.table(
        {
            "d": pa.array([Decimal("1.25"), None, Decimal("-7.00")], pa.decimal128(30, 2)),
            "n": pa.array([1, 2, None], pa.int32()),
            "l": pa.array([[1], None, []], pa.list_(pa.int64())),
        }
    )
    assert row_hashes(table).tolist() == [
        110129224274496883,
        3388313030936495113,
        2475220644726314393,
    ]


def test_zeros_and_numbers_that_are_none_are_one_value_each() -> None:
    for kind in (pa.float32(), pa.float64()):
        zero, other = hashes([0.0, -0.0], kind)
        assert zero == other
        bits = np.array([0x7FF8000000000000, 0xFFF8000000000001], np.uint64).view(np.float64)
        assert len({*hashes(bits.astype(kind.to_pandas_dtype()), kind), *hashes([None], kind)}) == 1


@given(nps.arrays(np.uint64, st.integers(0, 300)), st.integers(0, 8))
def test_sorted_hashes_are_in_order(values: np.ndarray[Any, Any], known: int) -> None:
    assert sorted_hashes(values, known).tolist() == sorted(values.tolist())
