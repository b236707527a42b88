"""Columns that are dropped, noted or refused, each by name."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
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
    return Encoder.fit(real, synthetic, Columns(**options)).transform(real if at is None else at)


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
    encoder = Encoder.fit(real, real[["x", "key"]], Columns(ignore=["key", "r"]))
    assert [code.column for code in encoder.codes] == ["x"]
    assert encoder.notes == ()


def test_long_lists_of_names_are_cut(rng):
    real = frame(x=rng.normal(size=ROWS), **{f"r{i}": 1.0 for i in range(8)})
    assert Encoder.fit(real, real[["x"]]).notes == (
        "left out, only in real: r0, r1, r2, r3, r4 and 3 more",
    )


def test_a_constant_boolean_is_dropped_and_one_constant_in_real_only_is_compared(rng):
    real = frame(x=rng.normal(size=ROWS), b=[True] * ROWS)
    both = Encoder.fit(real, real)
    assert (both.columns, both.notes) == (["x"], ("dropped, constant in real: b",))
    synthetic = real.assign(b=[True, False] * 30)
    one = Encoder.fit(real, synthetic)
    assert one.notes == ("b is constant in real but not in synthetic",)
    assert one.transform(synthetic)[:2, 1].tolist() == [1.0, 0.0]


def test_what_the_synthetic_side_lacks_is_noted(rng):
    real = frame(x=rng.normal(size=ROWS), c=["a", "b", "c"] * 20, b=[True, False] * 30)
    same = Encoder.fit(real, real.assign(x=7.0, c="a", b=True))
    assert same.notes == tuple(f"{c} is constant in synthetic but not in real" for c in "xcb")
    assert Encoder.fit(real, real.assign(c=None)).notes == ("c has no value in synthetic",)


def test_levels_that_real_may_have_missed_are_counted_as_unseen_too():
    real = frame(c=["a", "b"] * 20)
    encoder = Encoder.fit(real, frame(c=["a"] * 490 + ["b"] * 490 + ["odd"] * 20))
    assert (encoder.codes[0].slots, encoder.codes[0].unseen) == (("rare",), 20)


def test_a_column_of_rare_levels_is_dropped_with_the_advice_to_embed_text(rng):
    real = frame(x=rng.normal(size=120), c=[f"l{i % 40}" for i in range(120)])
    assert Encoder.fit(real, real).notes == (
        "dropped, every level is rare in real (text? embed it): c",
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
    with pytest.raises(DataError, match="1 of its 60 values is infinite") as caught:
        Encoder.fit(*pair)
    assert (caught.value.dataset, caught.value.column) == (side, "x")


def test_an_identifier_is_refused():
    real = frame(name=[f"person {i}" for i in range(ROWS)])
    with pytest.raises(DataError, match=r"60 distinct values in 60 rows.*'ignore'") as caught:
        Encoder.fit(real, real)
    assert caught.value.column == "name"


@pytest.mark.parametrize("rows", [12, 400])
def test_free_text_is_refused_however_few_rows_there_are(rows):
    texts = [f"the parcel of order {i} came late again" for i in range(rows)]
    with pytest.raises(DataError, match=r"free text.*turn text into a vector by 'embed'") as caught:
        Encoder.fit(frame(review=texts), frame(review=texts))
    assert (caught.value.dataset, caught.value.column) == ("real", "review")


def test_a_few_wordy_levels_are_no_text():
    levels = ["did not finish school or training", "did finish both of them in time"]
    assert Encoder.fit(*[frame(c=levels * 30)] * 2).dimension == 1


def test_lists_declared_categorical_are_refused_by_type(rng):
    vectors = frame(v=list(rng.normal(size=(ROWS, 3))))
    with pytest.raises(DataError, match="type ndarray, which cannot be levels") as caught:
        Encoder.fit(vectors, vectors, Columns(categorical=["v"]))
    assert caught.value.column == "v"


@pytest.mark.parametrize("weight", [0, -1.0, np.inf, np.nan, "heavy", None])
def test_a_weight_that_is_no_positive_number_is_refused(weight, rng):
    real = frame(x=rng.normal(size=ROWS))
    with pytest.raises(ConfigError, match="the weight of 'x' is") as caught:
        Encoder.fit(real, real, Columns(weights={"x": weight}))
    assert caught.value.option == "weights"


def test_only_ignored_columns_leave_nothing_to_compare(rng):
    real = frame(x=rng.normal(size=ROWS))
    with pytest.raises(DataError, match="no column in common with the synthetic one beside x"):
        Encoder.fit(real, real, Columns(ignore=["x"]))


@pytest.mark.parametrize("value", [2e6, 1e30, 1e200])
def test_values_too_far_out_for_single_precision_are_refused(value, rng):
    real = frame(x=rng.normal(size=ROWS))
    wild = frame(x=[*rng.normal(size=ROWS - 1), value])
    encoder = Encoder.fit(real, wild, Columns(weights={"x": 4.0}))
    encoder.require_near(encoder.transform(real, np.float32), "real")
    with pytest.raises(DataError, match=r"real standard deviations out.*'rank'") as caught:
        encoder.require_near(encoder.transform(wild, np.float32), "synthetic")
    assert (caught.value.dataset, caught.value.column) == ("synthetic", "x")
    ranks = Encoder.fit(real, wild, Columns(scaling="rank"))
    ranks.require_near(ranks.transform(wild, np.float32), "synthetic")


def test_values_whose_squares_overflow_have_no_standard_deviation(rng):
    real = frame(x=[*rng.normal(size=ROWS - 1), 1e200])
    with pytest.raises(DataError, match=r"too large for a standard deviation, up to 1e\+200"):
        Encoder.fit(real, real)


def test_many_levels_in_many_rows_are_not_an_identifier():
    real = frame(name=[f"city {i % 60}" for i in range(600)])
    assert Encoder.fit(real, real).dimension == 60


@pytest.mark.parametrize("option", ["categorical", "ignore"])
def test_an_unknown_name_in_an_option_is_refused_with_the_nearest(option):
    real = frame(price=[1.0, 2.0], colour=["a", "b"])
    with pytest.raises(ConfigError, match="Did you mean 'colour'") as caught:
        Encoder.fit(real, real, Columns(**{option: ["color"]}))
    assert caught.value.option == option


def test_booleans_with_gaps_are_still_booleans():
    # As they come out of Parquet: plain pandas has no boolean with gaps.
    holed = frame(b=pd.Series([True, False, None] * 20, dtype=object))
    whole = frame(b=[True, False, True] * 20)
    assert Encoder.fit(whole, holed).codes[0].kind == "boolean"


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
