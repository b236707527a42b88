"""What a column holds: its kind, its values as numbers, its levels as names."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.columns import as_numbers, column_kind, level_names
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
