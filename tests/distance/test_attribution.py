"""Parts of the gap: exact sums, the right culprit, and the influence of every row."""

import numpy as np
import pytest

from synthmix_dagster.distance.attribution import contributions
from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.wasserstein import orthonormal_directions, sliced_estimate


def both(real, synthetic, seed=0, wanted=40, p=2):
    rng = np.random.default_rng(seed)
    directions = orthonormal_directions(real.shape[1], wanted, rng)
    sides = draw_sides(len(real), len(synthetic), rng)
    parts = contributions(real, synthetic, directions, sides, p).parts
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


# --- rows ----------------------------------------------------------------------------------------


def of_rows(real, synthetic, sides, p=2):
    return contributions(
        real.astype(np.float32), synthetic.astype(np.float32), np.eye(1), sides, p
    ).influences


def test_the_influence_of_a_row_on_a_wide_shift_is_twice_the_shift_times_its_place():
    # The square of two means apart is (a - b)^2: its derivative by the weight of x is 2 (a - b) x.
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(400, 1)), rng.normal(size=(400, 1)) - 100.0
    ours, theirs = of_rows(real, synthetic, draw_sides(400, 400, rng))
    expected = 200 * (real[:, 0] - real.mean()) / 400
    assert np.corrcoef(ours, expected)[0, 1] > 0.999
    assert np.std(ours) == pytest.approx(np.std(expected), rel=0.02)
    assert np.std(theirs) == pytest.approx(200 * np.std(synthetic) / 400, rel=0.02)


@pytest.mark.parametrize("p", [1, 2])
def test_the_influence_of_a_row_is_what_the_square_gains_by_it(p):
    # A row written once more than the others, in folds that keep their places.
    rng = np.random.default_rng(1)
    real, synthetic = rng.normal(size=(300, 1)), rng.gamma(2.0, size=(300, 1))
    sides = draw_sides(300, 300, rng)
    ours, _ = of_rows(real, synthetic, sides, p)
    fold = sides[0].folds[0]
    copies = 20

    def square(row=None):
        # Every row of the first fold `copies` times, one of them once more.
        first = np.repeat(real[fold, 0], copies)
        if row is not None:
            first = np.append(first, real[row, 0])
        others = [np.repeat(real[sides[0].folds[1], 0], copies)]
        theirs = [np.repeat(synthetic[one, 0], copies) for one in sides[1].folds]
        at = np.linspace(0, 1, 60_001)[:-1] + 0.5 / 60_000

        def apart(one, other):
            one, other = np.sort(one), np.sort(other)
            values = one[(at * len(one)).astype(int)] - other[(at * len(other)).astype(int)]
            return np.mean(values**2) if p == 2 else np.mean(np.abs(values)) ** 2

        folds = [first, *others]
        cross = np.mean([apart(one, other) for one in folds for other in theirs])
        return cross - 0.5 * (apart(*folds) + apart(*theirs))

    base = square()
    # One row more of 150 * copies is 1 / copies of what a row weighs.
    gains = [(square(row) - base) * copies for row in fold[:25]]
    assert ours[fold[:25]] == pytest.approx(gains, rel=0.15, abs=2e-4)


def test_influences_are_centred_in_every_fold():
    rng = np.random.default_rng(2)
    real, synthetic = rng.normal(size=(90, 1)), rng.normal(size=(310, 1)) + 1
    sides = draw_sides(90, 310, rng)
    for influences, side in zip(of_rows(real, synthetic, sides), sides, strict=True):
        for fold in side.folds:
            assert abs(influences[fold].sum()) < 1e-5 * np.abs(influences).max()
