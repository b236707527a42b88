"""What a column holds: its kind, its values as numbers, its levels as names."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.columns import (
    as_numbers,
    column_kind,
    is_constant,
    level_names,
    origin_of,
)
from synthmix_dagster.errors import DataError

ROWS = 60


def test_a_moment_is_the_same_in_every_time_zone():
    utc = pd.Series(pd.date_range("2020-03-28", periods=ROWS, freq="h", tz="UTC"))
    np.testing.assert_array_equal(as_numbers(utc), as_numbers(utc.dt.tz_convert("Europe/Paris")))


def test_far_dates_and_missing_dates_survive():
    dates = pd.Series(np.array(["2020-01-01", "9999-12-31", "NaT"], dtype="datetime64[s]"))
    seconds = as_numbers(dates)
    days = (date(9999, 12, 31) - date(2020, 1, 1)).days
    assert seconds[1] - seconds[0] == days * 86_400
    assert np.isnan(seconds[2])


def test_long_integer_codes_stay_distinct():
    assert level_names(pd.Series([1234567890123456, 1234567890123457])).nunique() == 2


def test_values_that_are_no_category_are_refused_by_type():
    with pytest.raises(DataError, match="type dict"):
        column_kind(pd.Series([{"a": 1}, {"a": 2}], name="x"), "real", categorical=False)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "numeric"),
        ([1.5, None], "numeric"),
        ([True, False], "boolean"),
        (["a", None], "categorical"),
        ([None, None], "empty"),
        (pd.Series([1, None], dtype="Int64"), "numeric"),
        (pd.Series([True, None], dtype="boolean"), "boolean"),
        (pd.Series(["a", "b"], dtype="category"), "categorical"),
        (pd.to_timedelta([1, 2], unit="h"), "numeric"),
        (pd.to_datetime(["2020-01-01", None], utc=True), "datetime"),
    ],
)
def test_kinds_of_columns(values, kind):
    assert column_kind(pd.Series(values), "real", categorical=False) == kind


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "UInt64", "int64[pyarrow]"])
def test_big_integers_are_subtracted_before_they_are_rounded(dtype):
    values = pd.Series(pd.array([2**62 + 1, 2**62 + 2, 2**62 + 4], dtype=dtype))
    origin = origin_of(values)
    assert np.diff(as_numbers(values, origin)).tolist() == [1.0, 2.0]
    assert not is_constant(as_numbers(values, origin))
    # What lies on the other side of all integers does not wrap around.
    far = pd.Series(pd.array([0, 2**63 - 1], dtype=dtype))
    np.testing.assert_allclose(as_numbers(far, origin), [-(2.0**62), 2.0**62])
    if not dtype.lower().startswith("u"):
        lowest = pd.Series(pd.array([-(2**63)], dtype=dtype))
        np.testing.assert_allclose(as_numbers(lowest, origin), [-(2.0**63) - 2.0**62])


def test_missing_big_integers_stay_missing():
    values = pd.Series(pd.array([2**62, None, 2**62 + 3], dtype="Int64"))
    np.testing.assert_array_equal(as_numbers(values, float(2**62)), [0.0, np.nan, 3.0])


def test_numbers_are_counted_from_zero_unless_they_lie_close_together_far_out():
    assert origin_of(pd.Series([-1.0, 2.0, np.nan])) == 0.0
    assert origin_of(pd.Series([1000, 1001])) == 0.0
    assert origin_of(pd.Series([1e13, 1e13 + 2])) == 1e13


def test_rounding_is_no_difference_and_a_small_one_is():
    assert is_constant(np.array([0.1 + 0.2, 0.3]))
    assert not is_constant(np.array([1e13, 1e13 + 0.1]))
    # Floats were rounded before anything was subtracted from them.
    assert is_constant(np.array([0.0, 0.002]), origin=1e13)
