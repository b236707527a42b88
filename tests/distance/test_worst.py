"""Directions of the widest gap: found where they are, judged by rows that did not choose them."""

import numpy as np
import pytest

from synthmix_dagster.distance.worst import worst_directions


def both(rng, n, m, d):
    return [rng.standard_normal((rows, d)).astype(np.float32) for rows in (n, m)]


def test_a_shift_is_found_along_its_own_direction():
    rng = np.random.default_rng(0)
    real, synthetic = both(rng, 4000, 3000, 12)
    shift = rng.standard_normal(12)
    shift /= np.linalg.norm(shift)
    first, *_ = worst_directions(real, synthetic + shift.astype(np.float32), 3, rng)
    assert abs(first.vector @ shift) > 0.97
    assert first.square == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("d", [4, 40])
def test_columns_that_lost_each_other_are_found_though_each_looks_right(d):
    rng = np.random.default_rng(1)
    real, synthetic = both(rng, 6000, 6000, d)
    real[:, 1] = 0.9 * real[:, 0] + np.sqrt(1 - 0.81) * real[:, 1]
    first, *_ = worst_directions(real, synthetic, 2, rng)
    assert first.vector[0] ** 2 + first.vector[1] ** 2 > 0.85
    assert first.vector[0] * first.vector[1] < 0
    # Along (1, -1)/sqrt(2) the deviations are sqrt(0.1) and 1.
    assert first.square == pytest.approx((1 - 0.1**0.5) ** 2, rel=0.4)


def test_directions_are_orthonormal_and_the_widest_comes_first():
    rng = np.random.default_rng(2)
    real, synthetic = both(rng, 500, 700, 6)
    found = worst_directions(real, synthetic + np.float32(0.3), 4, rng)
    vectors = np.array([direction.vector for direction in found])
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(4), atol=1e-8)
    squares = [direction.square for direction in found]
    assert squares == sorted(squares, reverse=True)


def test_there_are_no_more_directions_than_dimensions():
    rng = np.random.default_rng(3)
    assert len(worst_directions(*both(rng, 50, 50, 1), 3, rng)) == 1
    assert len(worst_directions(*both(rng, 50, 50, 2), 3, rng)) == 2


def test_having_looked_does_not_widen_the_gap_of_equal_distributions():
    squares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        squares.append(worst_directions(*both(rng, 200, 200, 8), 1, rng)[0].square)
    assert abs(np.mean(squares)) < 3 * np.std(squares) / np.sqrt(len(squares))


def test_whole_sessions_seek_and_whole_sessions_judge():
    by_rows, by_groups = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        labels = np.arange(16).repeat(8)
        real, synthetic = (
            (rng.normal(size=(16, 3)).repeat(8, axis=0) + 0.1 * rng.normal(size=(128, 3))).astype(
                np.float32
            )
            for _ in range(2)
        )
        by_rows.append(worst_directions(real, synthetic, 1, rng)[0].square)
        by_groups.append(worst_directions(real, synthetic, 1, rng, (labels, labels))[0].square)
    assert np.mean(by_rows) > 5 * np.std(by_rows) / 40**0.5
    assert abs(np.mean(by_groups)) < 3 * np.std(by_groups) / 40**0.5


def test_with_few_sessions_there_is_nobody_left_to_judge():
    rng = np.random.default_rng(0)
    labels = np.arange(7).repeat(10)
    assert worst_directions(*both(rng, 70, 70, 3), 2, rng, (labels, labels)) == []


def test_ten_rows_a_side_are_enough():
    rng = np.random.default_rng(4)
    found = worst_directions(*both(rng, 10, 10, 30), 3, rng)
    assert all(np.isfinite(direction.square) for direction in found)


def test_constant_points_do_no_harm():
    rng = np.random.default_rng(5)
    same = np.zeros((40, 3), dtype=np.float32)
    assert [direction.square for direction in worst_directions(same, same, 3, rng)] == [0, 0, 0]
