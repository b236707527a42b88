"""The plain statistics of a column, side by side."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.distance.differences import TOP_LEVELS, differences
from synthmix_dagster.encoding.fit_codes import fit_code


def compared(real, synthetic):
    real, synthetic = (pd.Series(values, name="x") for values in (real, synthetic))
    code, _ = fit_code(real, synthetic)
    return {row.statistic: (row.real, row.synthetic) for row in differences(code, real, synthetic)}


def test_numbers():
    found = compared([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 8.0, None])
    assert found == {
        "mean": (2.5, 4.0),
        "spread": (np.std([1, 2, 3, 4]), np.std([2, 2, 8])),
        "lowest": (1.0, 2.0),
        "highest": (4.0, 8.0),
        "missing": (0.0, 0.25),
    }


def test_booleans():
    assert compared([True, False, False, False], [True, True, True, False]) == {
        "true": (0.25, 0.75)
    }


def test_dates_are_readable_and_their_spread_is_in_days():
    real = pd.date_range("2024-01-01", periods=3, freq="D")
    found = compared(real, real + pd.Timedelta(days=10))
    assert found["lowest"] == ("2024-01-01 00:00:00", "2024-01-11 00:00:00")
    assert found["mean"] == ("2024-01-02 00:00:00", "2024-01-12 00:00:00")
    assert found["spread"][0] == pytest.approx((2 / 3) ** 0.5)


def test_the_levels_that_differ_most_come_first_and_the_rest_is_left_out():
    real = ["a"] * 50 + ["b"] * 40 + [f"r{i}" for i in range(10)]
    synthetic = ["a"] * 10 + ["b"] * 45 + ["new"] * 35 + [f"r{i}" for i in range(10)]
    found = compared(real, synthetic)
    assert list(found)[:3] == ["share of a", "share of new", "share of b"]
    assert found["share of new"] == (0.0, 0.35)
    assert len(found) == TOP_LEVELS


def test_a_side_without_values_has_no_statistics():
    found = compared([1.0, 2.0, 3.0], [np.nan, np.nan, np.nan])
    assert found["mean"] == (2.0, None)
    assert found["missing"] == (0.0, 1.0)


def test_vectors_show_the_length_of_their_mean():
    rng = np.random.default_rng(0)
    found = compared(list(rng.normal(size=(50, 2))), list(rng.normal((3.0, 4.0), size=(50, 2))))
    assert found["length of the mean"] == (pytest.approx(0, abs=0.4), pytest.approx(5, abs=0.4))
    assert found["spread"] == (pytest.approx(2**0.5, rel=0.2), pytest.approx(2**0.5, rel=0.2))


def test_numbers_whose_squares_overflow_have_a_spread():
    values = pd.Series([1e200, -1e200] * 20, name="x")
    code, _ = fit_code(values, values, scaling="rank")
    found = {row.statistic: row.real for row in differences(code, values, values)}
    assert found["spread"] == pytest.approx(1e200)
    assert found["mean"] == 0.0
