"""Casts that lose nothing, and the refusal of those that do."""

from decimal import Decimal

import pyarrow as pa
import pytest

from synthmix_dagster import mix
from synthmix_dagster.data.alignment import align
from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.errors import DataError


def one_column(values, kind, name):
    return Dataset(name, pa.table({"x": pa.array(values, kind)}), "")


def aligned(values, kind, target):
    schema = pa.schema([("x", target)])
    return align(pa.table({"x": pa.array(values, kind)}), schema, "synthetic")["x"]


@pytest.mark.parametrize(
    ("values", "kind", "target", "expected"),
    [
        ([1, None], pa.int32(), pa.int64(), [1, None]),
        ([3.0, None], pa.float64(), pa.int64(), [3, None]),
        ([1], pa.int64(), pa.float64(), [1.0]),
        (["a", None], pa.string(), pa.large_string(), ["a", None]),
        ([None], pa.null(), pa.string(), [None]),
        ([0.5], pa.float32(), pa.float64(), [0.5]),
    ],
    ids=str,
)
def test_a_cast_that_loses_nothing_is_made(values, kind, target, expected):
    got = aligned(values, kind, target)
    assert got.type == target
    assert got.to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "kind", "target"),
    [
        ([3.7], pa.float64(), pa.int64()),
        ([float("nan")], pa.float64(), pa.int64()),
        ([2**40], pa.int64(), pa.int32()),
        ([-1], pa.int64(), pa.uint64()),
        ([2**53 + 1], pa.int64(), pa.float64()),
        (["one"], pa.string(), pa.int64()),
        ([1], pa.timestamp("ns"), pa.timestamp("us")),
        ([Decimal("1.25")], pa.decimal128(5, 2), pa.decimal128(5, 1)),
        ([[1]], pa.list_(pa.int64()), pa.int64()),
        ([1e300], pa.float64(), pa.float32()),
        ([0.1], pa.float64(), pa.float32()),
        ([2], pa.int64(), pa.bool_()),
        ([0.3], pa.float64(), pa.bool_()),
        ([1], pa.timestamp("s"), pa.date32()),
        ([86401], pa.timestamp("s"), pa.time32("s")),
        (["007"], pa.string(), pa.int64()),
    ],
    ids=str,
)
def test_a_cast_that_loses_something_is_refused_with_the_column_named(values, kind, target):
    with pytest.raises(DataError, match=r"dataset 'synthetic', column 'x'.*without loss"):
        aligned(values, kind, target)


def test_a_real_column_without_any_value_is_named(tmp_path):
    empty, full = pa.table({"x": [1, 2], "c": [None, None]}), pa.table({"x": [3], "c": ["a"]})
    with pytest.raises(DataError, match="dataset 'real', column 'c': it holds no values"):
        mix(empty, full, ratio=0.5, output=tmp_path)
