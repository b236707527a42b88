"""Rows as points: units and levels."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns

ROWS = 60


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def frame(**columns):
    return pd.DataFrame(columns)


def encoded(real, synthetic=None, at=None, **options):
    """Fit on both (on `real` alone where there is no other) and encode `at`, or the real rows."""
    synthetic = real if synthetic is None else synthetic
    return Encoder.fit(real, synthetic, Columns(**options)).transform(real if at is None else at)


def apart(points, i, j):
    return float(np.linalg.norm(points[i] - points[j]))


# --- units ---------------------------------------------------------------------------------------


def test_numbers_are_in_real_standard_deviations_whatever_the_synthetic_scale(rng):
    real = frame(x=rng.normal(5.0, 3.0, ROWS))
    synthetic = frame(x=rng.normal(-50.0, 100.0, ROWS))
    encoder = Encoder.fit(real, synthetic)
    ours = encoder.transform(real)
    assert ours.mean() == pytest.approx(0.0, abs=1e-12)
    assert ours.std() == pytest.approx(1.0)
    expected = (synthetic.x - real.x.mean()) / real.x.std(ddof=0)
    np.testing.assert_allclose(encoder.transform(synthetic)[:, 0], expected)


@settings(max_examples=30)
@given(
    scale=st.floats(1e-6, 1e6),
    sign=st.sampled_from([-1.0, 1.0]),
    shift=st.floats(-10.0, 10.0),
)
def test_units_of_measurement_do_not_matter(scale, sign, shift):
    values = np.random.default_rng(1).normal(size=ROWS)
    before = encoded(frame(x=values))
    after = encoded(frame(x=sign * scale * (values + shift)))
    np.testing.assert_allclose(after, sign * before, atol=1e-7)


def test_tiny_units_are_not_constant(rng):
    values = rng.normal(size=ROWS)
    np.testing.assert_allclose(encoded(frame(x=values * 1e-14)), encoded(frame(x=values)))


def test_two_different_levels_are_one_apart(rng):
    colours = np.array(["red", "green", "blue"] * 20)
    points = encoded(frame(c=colours))
    assert points.shape == (ROWS, 3)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert apart(points, i, j) == pytest.approx(1.0)
    assert apart(points, 0, 3) == 0.0


def test_two_levels_need_one_coordinate(rng):
    points = encoded(frame(c=["yes", "no"] * 30))
    assert points.shape == (ROWS, 1)
    assert apart(points, 0, 1) == 1.0


def test_true_and_false_are_one_apart():
    points = encoded(frame(b=[True, False] * 30))
    assert points.shape == (ROWS, 1)
    assert apart(points, 0, 1) == 1.0


def test_a_missing_number_is_one_from_the_mean(rng):
    values = rng.normal(size=ROWS)
    real = frame(x=values)
    at = frame(x=[np.nan, values.mean()])
    assert apart(encoded(real, frame(x=[np.nan, 1.0]), at), 0, 1) == pytest.approx(1.0)


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_missing_values_on_either_side_get_an_indicator(side, rng):
    whole, holed = frame(x=rng.normal(size=ROWS)), frame(x=rng.normal(size=ROWS))
    holed.loc[::3, "x"] = np.nan
    pair = {"real": (holed, whole), "synthetic": (whole, holed)}[side]
    assert Encoder.fit(whole, whole).dimension == 1
    assert Encoder.fit(*pair).dimension == 2


def test_a_missing_level_is_one_from_every_level():
    real = frame(c=["a", "b", None] * 20)
    points = encoded(real)
    assert apart(points, 0, 2) == pytest.approx(1.0)
    assert apart(points, 1, 2) == pytest.approx(1.0)


def test_missing_numbers_do_not_move_the_scale(rng):
    values = rng.normal(2.0, 4.0, ROWS)
    holed = frame(x=np.concatenate((values, [np.nan] * ROWS)))
    np.testing.assert_allclose(encoded(holed)[:ROWS, 0], encoded(frame(x=values))[:, 0])


def test_dates_are_in_real_standard_deviations(rng):
    days = rng.integers(0, 1000, ROWS)
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    points = encoded(frame(t=dates))
    np.testing.assert_allclose(points[:, 0], (days - days.mean()) / days.std(), atol=1e-9)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_resolution_of_dates_does_not_matter(unit, rng):
    dates = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS), unit="h"))
    real = frame(t=dates)
    other = frame(t=dates.astype(f"datetime64[{unit}]"))
    np.testing.assert_allclose(encoded(real, other, other), encoded(real))


def test_durations_are_in_real_standard_deviations():
    hours = np.arange(ROWS)
    points = encoded(frame(t=pd.to_timedelta(hours, unit="h")))
    np.testing.assert_allclose(points[:, 0], (hours - hours.mean()) / hours.std())


def test_the_order_of_columns_only_reorders_coordinates(rng):
    real = frame(x=rng.normal(size=ROWS), c=["a", "b", "c"] * 20, y=rng.normal(size=ROWS))
    one, two = Encoder.fit(real, real), Encoder.fit(real[["y", "c", "x"]], real)
    for code in one.codes:
        twin = next(c for c in two.codes if c.column == code.column)
        np.testing.assert_array_equal(
            one.transform(real)[:, code.start : code.stop],
            two.transform(real)[:, twin.start : twin.stop],
        )


def test_the_order_of_rows_only_reorders_points(rng):
    real = frame(x=rng.normal(size=ROWS), c=rng.choice(list("abc"), ROWS))
    order = rng.permutation(ROWS)
    np.testing.assert_allclose(encoded(real.iloc[order]), encoded(real)[order])


def test_codes_tile_the_coordinates(rng):
    real = frame(
        x=rng.normal(size=ROWS), c=["a", "b", "c"] * 20, b=[True, False] * 30, y=rng.normal(size=60)
    )
    encoder = Encoder.fit(real, real)
    edges = [(code.start, code.stop) for code in encoder.codes]
    assert edges[0][0] == 0
    assert edges[-1][1] == encoder.dimension
    assert all(before[1] == after[0] for before, after in pairwise(edges))


# --- levels --------------------------------------------------------------------------------------


def test_an_unseen_level_gets_a_slot_and_a_note():
    real = frame(c=["a", "b"] * 100)
    synthetic = frame(c=["a", "b", "new", "new"] * 50)
    encoder = Encoder.fit(real, synthetic)
    points = encoder.transform(frame(c=["a", "b", "new"]))
    assert apart(points, 0, 2) == pytest.approx(1.0)
    assert apart(points, 1, 2) == pytest.approx(1.0)
    assert encoder.notes == ("c: 100 synthetic rows have levels unseen in real: new",)


def test_a_level_that_a_small_real_sample_may_have_missed_is_rare_rather_than_unseen():
    real = frame(c=["a", "b"] * 20)
    synthetic = frame(c=["a"] * 490 + ["b"] * 490 + ["odd"] * 20)
    encoder = Encoder.fit(real, synthetic)
    assert encoder.codes[0].slots == ("rare",)
    assert "may have missed" in encoder.notes[0]


def test_the_same_share_is_unseen_where_the_real_sample_is_large():
    real = frame(c=["a", "b"] * 2000)
    synthetic = frame(c=["a"] * 490 + ["b"] * 490 + ["odd"] * 20)
    encoder = Encoder.fit(real, synthetic)
    assert encoder.codes[0].slots == ("unseen",)
    assert "20 synthetic rows" in encoder.notes[0]


def test_rare_levels_share_one_slot():
    real = frame(c=["a"] * 30 + ["b"] * 30 + ["r1"] * 4 + ["r2"] * 3)
    encoder = Encoder.fit(real, real)
    (code,) = encoder.codes
    assert code.levels == ("a", "b")
    assert code.pooled == {"r1", "r2"}
    points = encoder.transform(frame(c=["r1", "r2", "a"]))
    assert apart(points, 0, 1) == 0.0
    assert apart(points, 0, 2) == pytest.approx(1.0)


def test_five_rows_keep_a_level_and_one_percent_is_needed_in_a_large_sample():
    small = Encoder.fit(*[frame(c=["a"] * 50 + ["b"] * 40 + ["five"] * 5)] * 2)
    large = Encoder.fit(*[frame(c=["a"] * 1000 + ["b"] * 900 + ["five"] * 5)] * 2)
    assert "five" in small.codes[0].levels
    assert "five" in large.codes[0].pooled


def test_integer_and_float_categories_are_the_same_levels():
    real = frame(c=[1, 2, 3] * 20)
    synthetic = frame(c=[1.0, 2.0, 3.0] * 20)
    encoder = Encoder.fit(real, synthetic, Columns(categorical=["c"]))
    assert encoder.codes[0].levels == ("1", "2", "3")
    assert encoder.notes == ()
    np.testing.assert_array_equal(encoder.transform(real), encoder.transform(synthetic))


def test_integer_categories_with_gaps_stay_the_same_levels():
    real, holed = frame(c=[1, 2, 3] * 20), frame(c=[1.0, np.nan, 3.0] * 20)
    encoder = Encoder.fit(real, holed, Columns(categorical=["c"]))
    assert encoder.codes[0].slots == ("missing",)


def test_storage_of_strings_does_not_matter():
    levels = ["a", "b", "c"] * 20
    real = frame(c=pd.Series(levels, dtype=object))
    for dtype in ("string", "category"):
        other = frame(c=pd.Series(levels, dtype=dtype))
        np.testing.assert_array_equal(encoded(real, other, other), encoded(real))


def test_transform_sends_a_level_never_seen_to_the_unseen_slot():
    real, synthetic = frame(c=["a", "b"] * 100), frame(c=["a", "new"] * 100)
    points = encoded(real, synthetic, frame(c=["new", "newer", "a"]))
    assert apart(points, 0, 1) == 0.0
    assert apart(points, 1, 2) == pytest.approx(1.0)


def test_transform_keeps_a_level_never_seen_equally_far_from_all_levels():
    points = encoded(frame(c=["a", "b", "c"] * 20), at=frame(c=["new", None, "a", "b", "c"]))
    for row in (0, 1):
        distances = [apart(points, row, level) for level in (2, 3, 4)]
        assert min(distances) > 0
        np.testing.assert_allclose(distances, distances[0])


def test_transform_of_a_two_level_column_does_not_take_a_new_level_for_the_first():
    points = encoded(frame(c=["a", "b"] * 30), at=frame(c=["new", "a", "b"]))
    assert apart(points, 0, 1) == apart(points, 0, 2)
