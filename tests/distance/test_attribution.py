"""Parts of the gap: exact sums, and the right culprit."""

import numpy as np
import pytest

from synthmix_dagster.distance.attribution import coordinate_parts
from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.wasserstein import orthonormal_directions, sliced_estimate


def both(real, synthetic, seed=0, wanted=40, p=2):
    rng = np.random.default_rng(seed)
    directions = orthonormal_directions(real.shape[1], wanted, rng)
    sides = draw_sides(len(real), len(synthetic), rng)
    parts = coordinate_parts(real, synthetic, directions, sides, p)
    squares = sliced_estimate(real, synthetic, directions, sides, p).squares
    return parts, float(np.mean(squares))


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 40), (41, 67), (30, 200), (200, 33)])
def test_parts_sum_to_the_estimate(n, m, p):
    rng = np.random.default_rng(n)
    real, synthetic = rng.normal(size=(n, 4)), rng.gamma(2.0, size=(m, 4))
    parts, whole = both(real, synthetic, p=p)
    assert parts.sum() == pytest.approx(whole, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("p", [1, 2])
def test_one_moved_column_of_fifty_gets_nearly_all_of_it(p):
    rng = np.random.default_rng(1)
    real, synthetic = rng.normal(size=(5000, 50)), rng.normal(size=(5000, 50))
    synthetic[:, 7] += 1.0
    parts, whole = both(real, synthetic, wanted=100, p=p)
    assert parts[7] / whole > 0.9
    assert 50 * np.abs(np.delete(parts, 7)).max() < 0.05


def test_without_a_difference_parts_are_as_often_below_zero_as_above():
    draws = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        draws.append(both(rng.normal(size=(60, 3)), rng.normal(size=(90, 3)), seed)[0])
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0) / 40**0.5
    assert np.all(np.abs(mean) < 4 * error)


def test_columns_that_lost_each_other_share_what_the_pair_lost():
    rng = np.random.default_rng(2)
    x = rng.normal(size=4000)
    real = np.column_stack((x, x + 0.3 * rng.normal(size=4000), rng.normal(size=4000)))
    synthetic = np.column_stack([rng.permutation(column) for column in real.T])
    parts, whole = both(real, synthetic)
    assert whole > 0.01
    assert parts[0] / whole == pytest.approx(0.5, abs=0.15)
    assert parts[1] / whole == pytest.approx(0.5, abs=0.15)
    assert abs(parts[2]) / whole < 0.2
