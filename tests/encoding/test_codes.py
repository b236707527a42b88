"""Options of the encoding: vectors, weights, robust and rank scaling, counts of misfits."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.errors import DataError

ROWS = 400


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def frame(**columns):
    return pd.DataFrame(columns)


def vectors(rng, rows, width, shift=0.0):
    return list(rng.normal(shift, 2.0, size=(rows, width)))


# --- vectors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 5, 64])
def test_a_vector_has_the_total_variance_of_one_column(width, rng):
    real = frame(v=vectors(rng, ROWS, width))
    points = Encoder.fit(real, real).transform(real)
    assert points.shape == (ROWS, width)
    assert points.var(axis=0).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=1e-12)


def test_a_vector_is_scaled_as_a_whole_so_that_angles_stay(rng):
    real = frame(v=[np.array([100.0 * x, y]) for x, y in rng.normal(size=(ROWS, 2))])
    points = Encoder.fit(real, real).transform(real)
    assert points[:, 0].std() / points[:, 1].std() == pytest.approx(100.0, rel=0.2)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda v: np.array(v, dtype=np.float32)])
def test_vectors_may_be_lists_or_arrays(kind, rng):
    real = frame(v=[kind(list(v)) for v in vectors(rng, ROWS, 3)])
    assert Encoder.fit(real, real).codes[0].kind == "vector"


def test_vectors_from_arrow_are_vectors(rng, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    from synthmix_dagster import measure_distance

    width = 4
    paths = []
    for name, shift in (("real", 0.0), ("synthetic", 2.0)):
        values = pa.array(rng.normal(shift, 1.0, ROWS * width))
        table = pa.table({"v": pa.FixedSizeListArray.from_arrays(values, width)})
        paths.append(tmp_path / f"{name}.parquet")
        pyarrow.parquet.write_table(table, paths[-1])
    report = measure_distance(*paths, permutations=9)
    # Every number moves by 2 of its standard deviations, the total variance is that of 4.
    assert report.gap == pytest.approx(2.0, rel=0.1)
    assert [column.column for column in report.columns] == ["v"]


def test_a_missing_vector_is_the_origin_with_an_indicator(rng):
    real = frame(v=[*vectors(rng, ROWS, 3), None])
    encoder = Encoder.fit(real, real)
    points = encoder.transform(real)
    assert encoder.dimension == 4
    assert points[-1].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert points[:-1, 3].max() == 0.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1.0, 2.0], [1.0]], "its vectors have 1 to 2 numbers"),
        ([[], []], "its vectors have 0 to 0 numbers"),
        ([["a", "b"], ["c", "d"]], "its lists hold other values than numbers"),
        ([[1.0, None], [1.0, 2.0]], "missing or infinite"),
        ([[1.0, np.inf], [1.0, 2.0]], "missing or infinite"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused_by_column(values, words):
    bad = frame(v=values)
    with pytest.raises(DataError, match=words) as caught:
        Encoder.fit(bad, bad)
    assert caught.value.column == "v"


def test_vectors_of_another_model_are_refused(rng):
    with pytest.raises(DataError, match="384 numbers but 256 in the real") as caught:
        Encoder.fit(frame(v=vectors(rng, 20, 256)), frame(v=vectors(rng, 20, 384)))
    assert (caught.value.dataset, caught.value.column) == ("synthetic", "v")


# --- weights -------------------------------------------------------------------------------------


def test_a_weight_is_a_factor_on_squared_distances(rng):
    real = frame(
        x=rng.normal(size=ROWS), c=rng.choice(["a", "b", "c"], ROWS), v=vectors(rng, ROWS, 3)
    )
    plain = Encoder.fit(real, real).transform(real)
    for column in real:
        encoder = Encoder.fit(real, real, Columns(weights={column: 0.25}))
        code = next(code for code in encoder.codes if code.column == column)
        expected = plain.copy()
        expected[:, code.start : code.stop] *= 0.5
        np.testing.assert_allclose(encoder.transform(real), expected)


def test_a_weight_changes_the_part_but_not_the_gap_of_a_column_by_itself(rng):
    from measuring import measure

    real = frame(x=rng.normal(size=2000), y=rng.normal(size=2000))
    synthetic = frame(x=rng.normal(1.0, 1.0, 2000), y=rng.normal(1.0, 1.0, 2000))
    report = measure(real, synthetic, weights={"x": 4.0}, permutations=0)
    columns = {column.column: column for column in report.columns}
    assert columns["x"].part == pytest.approx(4.0, rel=0.15)
    assert columns["y"].part == pytest.approx(1.0, rel=0.15)
    assert columns["x"].gap == pytest.approx(1.0, rel=0.1)
    assert report.gap_squared == pytest.approx(5.0, rel=0.1)


# --- robust and rank scaling ---------------------------------------------------------------------


def test_robust_scaling_agrees_with_the_standard_one_where_values_are_normal(rng):
    real = frame(x=rng.normal(3.0, 7.0, 20_000))
    robust = Encoder.fit(real, real, Columns(scaling="robust")).transform(real)
    standard = Encoder.fit(real, real).transform(real)
    np.testing.assert_allclose(robust, standard, atol=0.15)


def test_one_wild_value_does_not_move_the_robust_scale(rng):
    values = rng.normal(size=ROWS)
    real, wild = frame(x=values), frame(x=[*values[:-1], 1e6])
    moved = Encoder.fit(wild, wild, Columns(scaling="robust")).transform(real)
    np.testing.assert_allclose(
        moved, Encoder.fit(real, real, Columns(scaling="robust")).transform(real), atol=0.05
    )
    assert np.abs(Encoder.fit(wild, wild).transform(real)).max() < 0.1


def test_a_column_of_mostly_one_value_keeps_its_standard_scale_and_says_so(rng):
    real = frame(x=[0.0] * 320 + list(rng.normal(5.0, 1.0, 80)))
    encoder = Encoder.fit(real, real, Columns(scaling="robust"))
    np.testing.assert_allclose(encoder.transform(real).std(), 1.0)
    assert encoder.notes == ("x: half of its real values are equal, so its scale is not robust",)


def test_ranks_do_not_see_monotone_maps(rng):
    values = rng.normal(size=ROWS)
    ranked = [
        Encoder.fit(frame(x=v), frame(x=v), Columns(scaling="rank")).transform(frame(x=v))
        for v in (values, np.exp(3 * values))
    ]
    np.testing.assert_allclose(ranked[0], ranked[1], atol=1e-9)
    assert ranked[0].std() == pytest.approx(1.0)
    np.testing.assert_array_equal(np.argsort(ranked[0][:, 0]), np.argsort(values))


def test_values_beyond_the_real_extremes_are_clipped_and_counted(rng):
    values = rng.uniform(size=ROWS)
    real, synthetic = frame(x=values), frame(x=[-3.0, -2.0, 0.5, 9.0, *values])
    encoder = Encoder.fit(real, synthetic, Columns(scaling="rank"))
    points = encoder.transform(synthetic)[:, 0]
    assert points[0] == points[1] == points.min()
    assert points[3] == points.max()
    assert encoder.codes[0].clipped == 3
    assert encoder.notes == ("x: 3 synthetic values lie beyond the real extremes and were clipped",)


def test_ranks_keep_missing_values_apart(rng):
    real = frame(x=[*rng.normal(size=ROWS), np.nan])
    points = Encoder.fit(real, real, Columns(scaling="rank")).transform(real)
    assert points[-1].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("scaling", ["standard", "robust", "rank"])
def test_dates_can_be_scaled_every_way(scaling, rng):
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, ROWS), unit="s")
    real = frame(t=dates)
    points = Encoder.fit(real, real, Columns(scaling=scaling)).transform(real)
    assert points.std() == pytest.approx(1.0, rel=0.3)
    assert np.all(np.diff(points[np.argsort(dates), 0]) >= 0)


# --- counts --------------------------------------------------------------------------------------


def test_unseen_levels_are_counted():
    real = frame(c=["a", "b"] * 100)
    encoder = Encoder.fit(real, frame(c=["a", "zz"] * 100))
    assert encoder.codes[0].unseen == 100


def test_single_precision_is_that_of_the_scaled_values(rng):
    # Seconds since 1970 need more digits than single precision has; their scaled values do not.
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, ROWS), unit="s")
    real = frame(t=dates)
    encoder = Encoder.fit(real, real)
    single = encoder.transform(real, np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, encoder.transform(real), atol=1e-6)
