"""Rows as points: units, levels, what is dropped, what is refused."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.distance.columns import as_numbers, column_kind, level_names
from synthmix_dagster.distance.encoding import Encoder
from synthmix_dagster.errors import ConfigError, DataError

ROWS = 60


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def frame(**columns):
    return pd.DataFrame(columns)


def encoded(real, synthetic=None, at=None, **options):
    """Fit on both (on `real` alone where there is no other) and encode `at`, or the real rows."""
    synthetic = real if synthetic is None else synthetic
    return Encoder.fit(real, synthetic, **options).transform(real if at is None else at)


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


@settings(derandomize=True, deadline=None, max_examples=30)
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


def test_a_moment_is_the_same_in_every_time_zone():
    utc = pd.Series(pd.date_range("2020-03-28", periods=ROWS, freq="h", tz="UTC"))
    np.testing.assert_array_equal(as_numbers(utc), as_numbers(utc.dt.tz_convert("Europe/Paris")))


def test_far_dates_and_missing_dates_survive():
    dates = pd.Series(np.array(["2020-01-01", "9999-12-31", "NaT"], dtype="datetime64[s]"))
    seconds = as_numbers(dates)
    days = (date(9999, 12, 31) - date(2020, 1, 1)).days
    assert seconds[1] - seconds[0] == days * 86_400
    assert np.isnan(seconds[2])


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
    encoder = Encoder.fit(real, synthetic, categorical=["c"])
    assert encoder.codes[0].levels == ("1", "2", "3")
    assert encoder.notes == ()
    np.testing.assert_array_equal(encoder.transform(real), encoder.transform(synthetic))


def test_integer_categories_with_gaps_stay_the_same_levels():
    real, holed = frame(c=[1, 2, 3] * 20), frame(c=[1.0, np.nan, 3.0] * 20)
    encoder = Encoder.fit(real, holed, categorical=["c"])
    assert encoder.codes[0].slots == ("missing",)


def test_storage_of_strings_does_not_matter():
    levels = ["a", "b", "c"] * 20
    real = frame(c=pd.Series(levels, dtype=object))
    for dtype in ("string", "category"):
        other = frame(c=pd.Series(levels, dtype=dtype))
        np.testing.assert_array_equal(encoded(real, other, other), encoded(real))


def test_long_integer_codes_stay_distinct():
    assert level_names(pd.Series([1234567890123456, 1234567890123457])).nunique() == 2


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


# --- what is dropped or noted --------------------------------------------------------------------


def test_constant_and_empty_columns_are_dropped_and_noted(rng):
    real = frame(x=rng.normal(size=ROWS), one=[7.0] * ROWS, same=["k"] * ROWS, void=[np.nan] * ROWS)
    encoder = Encoder.fit(real, real)
    assert [code.column for code in encoder.codes] == ["x"]
    assert encoder.notes == (
        "dropped, constant in real: one",
        "dropped, constant in real: same",
        "dropped, no value in real: void",
    )


def test_a_constant_is_recognised_whatever_its_rounding(rng):
    real = frame(x=rng.normal(size=37), one=[0.1] * 37)
    assert [code.column for code in Encoder.fit(real, real).codes] == ["x"]


def test_a_column_empty_in_synthetic_is_all_missing_there(rng):
    real, synthetic = frame(x=rng.normal(size=ROWS)), frame(x=[np.nan] * ROWS)
    np.testing.assert_array_equal(encoded(real, synthetic, synthetic), [[0.0, 1.0]] * ROWS)


def test_missingness_of_a_one_valued_column_is_kept(rng):
    real = frame(x=rng.normal(size=ROWS), flag=[1.0, np.nan] * 30)
    synthetic = frame(x=rng.normal(size=ROWS), flag=[1.0] * ROWS)
    assert "flag" in [code.column for code in Encoder.fit(real, synthetic).codes]


def test_a_column_of_rare_levels_is_not_called_constant(rng):
    real = frame(x=rng.normal(size=120), c=[f"l{i % 40}" for i in range(120)])
    assert "dropped, constant in real: c" not in Encoder.fit(real, real).notes


def test_columns_on_one_side_are_noted(rng):
    real = frame(x=rng.normal(size=ROWS), r=1.0)
    synthetic = frame(x=rng.normal(size=ROWS), s=1.0)
    notes = Encoder.fit(real, synthetic).notes
    assert notes == ("left out, only in real: r", "left out, only in synthetic: s")


def test_ignored_columns_are_left_out_without_a_note(rng):
    real = frame(x=rng.normal(size=ROWS), key=[f"id{i}" for i in range(ROWS)], r=1.0)
    encoder = Encoder.fit(real, real[["x", "key"]], ignore=["key", "r"])
    assert [code.column for code in encoder.codes] == ["x"]
    assert encoder.notes == ()


def test_long_lists_of_names_are_cut(rng):
    real = frame(x=rng.normal(size=ROWS), **{f"r{i}": 1.0 for i in range(8)})
    assert Encoder.fit(real, real[["x"]]).notes == (
        "left out, only in real: r0, r1, r2, r3, r4 and 3 more",
    )


# --- what is refused -----------------------------------------------------------------------------


def test_no_shared_column_is_refused():
    with pytest.raises(DataError, match=r"synthetic.*no column in common.*\(x\)"):
        Encoder.fit(frame(x=[1.0, 2.0]), frame(z=[1.0, 2.0]))


def test_nothing_but_constants_is_refused():
    with pytest.raises(DataError, match=r"real.*constant or empty"):
        Encoder.fit(frame(x=[1.0] * 20), frame(x=[1.0] * 20))


@pytest.mark.parametrize(
    ("real", "synthetic", "words"),
    [
        ([1.0, 2.0], ["a", "b"], ["categorical", "numeric", "float64"]),
        ([True, False], [1.5, 0.5], ["numeric", "boolean", "float64", "bool"]),
        (pd.to_datetime(["2020", "2021"]), [1.0, 2.0], ["numeric", "datetime", "datetime64"]),
    ],
)
def test_types_that_differ_are_refused_with_both_names(real, synthetic, words):
    with pytest.raises(DataError) as caught:
        Encoder.fit(frame(age=real), frame(age=synthetic))
    assert caught.value.dataset == "synthetic"
    assert caught.value.column == "age"
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_infinite_values_are_refused(side, rng):
    finite, infinite = frame(x=rng.normal(size=ROWS)), frame(x=[np.inf, *rng.normal(size=ROWS - 1)])
    pair = {"real": (infinite, finite), "synthetic": (finite, infinite)}[side]
    with pytest.raises(DataError, match="infinite") as caught:
        Encoder.fit(*pair)
    assert (caught.value.dataset, caught.value.column) == (side, "x")


def test_an_identifier_is_refused():
    real = frame(name=[f"person {i}" for i in range(ROWS)])
    with pytest.raises(DataError, match=r"60 distinct values in 60 rows.*'ignore'") as caught:
        Encoder.fit(real, real)
    assert caught.value.column == "name"


def test_many_levels_in_many_rows_are_not_an_identifier():
    real = frame(name=[f"city {i % 60}" for i in range(600)])
    assert Encoder.fit(real, real).dimension == 60


@pytest.mark.parametrize("option", ["categorical", "ignore"])
def test_an_unknown_name_in_an_option_is_refused_with_the_nearest(option):
    real = frame(price=[1.0, 2.0], colour=["a", "b"])
    with pytest.raises(ConfigError, match="Did you mean 'colour'") as caught:
        Encoder.fit(real, real, **{option: ["color"]})
    assert caught.value.option == option


def test_values_that_are_no_category_are_refused_by_type():
    with pytest.raises(DataError, match="type dict"):
        column_kind(pd.Series([{"a": 1}, {"a": 2}], name="x"), "real", categorical=False)


def test_booleans_with_gaps_are_still_booleans():
    # As they come out of Parquet: plain pandas has no boolean with gaps.
    holed = frame(b=pd.Series([True, False, None] * 20, dtype=object))
    whole = frame(b=[True, False, True] * 20)
    assert Encoder.fit(whole, holed).codes[0].kind == "boolean"


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


def test_many_levels_that_no_real_row_has_are_news_however_rare_each_is():
    rng = np.random.default_rng(0)
    real = frame(c=["a"] * 300 + list(rng.choice([f"r{i}" for i in range(60)], 200)))
    synthetic = frame(c=["a"] * 300 + [f"garbage {i}" for i in range(200)])
    encoder = Encoder.fit(real, synthetic)
    assert "unseen" in encoder.codes[0].slots
    assert "200 synthetic rows have levels unseen in real" in encoder.notes[0]


def test_a_number_that_only_real_rows_hold_constant_is_compared():
    rng = np.random.default_rng(0)
    real = frame(c=[5.0] * 50, x=rng.normal(size=50))
    synthetic = frame(c=[5.0, 1e9] * 25, x=rng.normal(size=50))
    encoder = Encoder.fit(real, synthetic)
    assert encoder.codes[0].kind == "constant"
    assert encoder.transform(real)[:, 0].tolist() == [0.0] * 50
    assert encoder.transform(synthetic)[:, 0].tolist() == [0.0, 1.0] * 25
