"""The debiased sliced distance against optimal transport, algebra and simulation."""

from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.wasserstein import (
    CHUNK,
    cell_means,
    orthonormal_directions,
    sliced_estimate,
)

#: Projections are single precision.
SINGLE = {"rtol": 1e-4, "atol": 1e-5}


def generator(seed=0):
    return np.random.default_rng(seed)


def transport(a, b, p=2):
    """Squared W_p of two samples on a line, by optimal transport."""
    import ot

    metric = {1: "euclidean", 2: "sqeuclidean"}[p]
    cost = ot.emd2_1d(np.asarray(a, float), np.asarray(b, float), metric=metric)
    return float(cost) ** (2 / p)


def estimate(real, synthetic, directions, seed, p=2):
    """The estimate on the folds that this seed draws."""
    sides = draw_sides(len(real), len(synthetic), generator(seed))
    return sliced_estimate(real, synthetic, directions, sides, p)


# --- directions ----------------------------------------------------------------------------------


@settings(max_examples=25)
@given(d=st.integers(2, 40), wanted=st.integers(1, 100))
def test_directions_are_whole_orthonormal_blocks(d, wanted):
    directions = orthonormal_directions(d, wanted, generator())
    assert directions.shape == (-(-wanted // d) * d, d)
    for block in directions.reshape(-1, d, d):
        np.testing.assert_allclose(block @ block.T, np.eye(d), atol=1e-12)


def test_one_dimension_needs_one_direction():
    directions = orthonormal_directions(1, 100, generator())
    assert directions.shape == (1, 1)
    assert abs(directions[0, 0]) == 1.0


def test_above_512_dimensions_there_is_one_set_of_512():
    directions = orthonormal_directions(700, 100, generator())
    assert directions.shape == (512, 700)
    np.testing.assert_allclose(directions @ directions.T, np.eye(512), atol=1e-12)


def test_blocks_and_seeds_differ():
    directions = orthonormal_directions(4, 8, generator(0))
    assert not np.allclose(directions[:4], directions[4:])
    assert not np.allclose(directions, orthonormal_directions(4, 8, generator(1)))


# --- quantile functions --------------------------------------------------------------------------

sizes = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 30).map(lambda n: (n, n)),
    st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 5)).map(
        lambda t: (t[0] * t[1], t[0] * t[2])
    ),
)


@settings(max_examples=100)
@given(sizes=sizes, seed=st.integers(0, 10_000))
def test_cell_means_are_exact_averages_of_the_step_function(sizes, seed):
    n, cells = max(sizes), min(sizes)
    values = np.sort(generator(seed).normal(size=n)).astype(np.float32)
    expected = []
    for j in range(cells):
        low, high = Fraction(j, cells), Fraction(j + 1, cells)
        overlaps = [
            max(Fraction(0), min(high, Fraction(i + 1, n)) - max(low, Fraction(i, n)))
            for i in range(n)
        ]
        weights = [float(overlap * cells) for overlap in overlaps]
        expected.append(np.dot(weights, values))
    np.testing.assert_allclose(cell_means(values, cells), expected, rtol=1e-4, atol=1e-5)


def test_cell_means_of_equal_sizes_are_the_values_themselves():
    values = np.sort(generator(0).normal(size=7)).astype(np.float32)
    assert cell_means(values, 7) is values


def test_duplicating_every_row_changes_no_cell():
    values = np.sort(generator(0).normal(size=6)).astype(np.float32)
    for copies in (2, 5):
        np.testing.assert_allclose(cell_means(values.repeat(copies), 6), values, rtol=1e-5)


# --- the debiased estimate -----------------------------------------------------------------------


@settings(max_examples=40)
@given(
    half=st.integers(2, 20),
    folds=st.integers(2, 4),
    d=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_the_estimate_is_cross_minus_within(half, folds, d, seed):
    n, m = 2 * half, folds * half
    rng = generator(seed)
    real, synthetic = rng.normal(size=(n, d)), rng.gamma(1.0, size=(m, d))
    directions = orthonormal_directions(d, d + 1, rng)
    sides = draw_sides(n, m, rng)
    found = sliced_estimate(real, synthetic, directions, sides)
    left, right = (
        [rows[fold] for fold in side.folds]
        for rows, side in zip((real, synthetic), sides, strict=True)
    )
    expected, floors = [], []
    for theta in directions:
        r, s = [fold @ theta for fold in left], [fold @ theta for fold in right]
        within = [np.mean([transport(a, b) for a, b in permutations(side, 2)]) for side in (r, s)]
        expected.append(np.mean([transport(a, b) for a in r for b in s]) - sum(within) / 2)
        floors.append(within[0])
    np.testing.assert_allclose(found.squares, expected, **SINGLE)
    assert found.within_real == pytest.approx(np.mean(floors), rel=1e-4)


@settings(max_examples=40)
@given(half=st.integers(2, 20), folds=st.integers(2, 4), seed=st.integers(0, 999))
def test_of_order_one_folds_are_compared_with_the_next(half, folds, seed):
    n, m = 2 * half, folds * half
    rng = generator(seed)
    real, synthetic = rng.normal(size=(n, 1)), rng.gamma(1.0, size=(m, 1))
    sides = draw_sides(n, m, rng)
    found = sliced_estimate(real, synthetic, np.eye(1), sides, p=1)
    left, right = (
        [rows[fold, 0] for fold in side.folds]
        for rows, side in zip((real, synthetic), sides, strict=True)
    )
    within = [
        np.mean([transport(a, b, 1) for a, b in pairwise([*side, side[0]])])
        for side in (left, right)
    ]
    cross = np.mean([transport(a, b, 1) for a in left for b in right])
    np.testing.assert_allclose(found.squares, [cross - sum(within) / 2], **SINGLE)
    assert found.within_real == pytest.approx(within[0], rel=1e-4)


@settings(max_examples=25)
@given(d=st.integers(1, 8), half=st.integers(5, 30), seed=st.integers(0, 999))
def test_moving_a_copy_of_the_real_rows_adds_the_squared_shift(d, half, seed):
    # The halves have the same means in sum, so the term linear in the shift vanishes.
    rng = generator(seed)
    real, shift = rng.normal(size=(2 * half, d)), rng.normal(size=d)
    directions = orthonormal_directions(d, 3 * d, rng)
    still, moved = (estimate(real, real + v, directions, seed).squares for v in (0.0, shift))
    np.testing.assert_allclose(moved - still, (directions @ shift) ** 2, **SINGLE)
    assert d * np.mean(moved - still) == pytest.approx(np.sum(shift**2), rel=1e-3, abs=1e-4)


def test_squares_scale_with_the_square_of_the_unit_and_ignore_the_origin():
    rng = generator(0)
    real, synthetic = rng.normal(size=(50, 3)), rng.normal(0.5, 2.0, size=(70, 3))
    directions = orthonormal_directions(3, 3, rng)
    plain = estimate(real, synthetic, directions, 1)
    other = estimate(4.0 * real + 1, 4.0 * synthetic + 1, directions, 1)
    np.testing.assert_allclose(other.squares, 16 * plain.squares, **SINGLE)
    assert other.within_real == pytest.approx(16 * plain.within_real, rel=1e-4)


def test_directions_are_judged_one_by_one_whatever_the_chunk():
    rng = generator(0)
    real, synthetic = rng.normal(size=(30, 5)), rng.normal(size=(45, 5))
    directions = orthonormal_directions(5, 2 * CHUNK + 3, rng)
    together = estimate(real, synthetic, directions, 1).squares
    alone = [estimate(real, synthetic, theta[None], 1).squares[0] for theta in directions]
    np.testing.assert_allclose(together, alone, **SINGLE)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_change_of_scale_of_a_gaussian_costs_its_square(scale):
    real = generator(0).normal(size=(40_000, 1))
    synthetic = generator(1).normal(scale=scale, size=(40_000, 1))
    (square,) = estimate(real, synthetic, np.eye(1), 2).squares
    assert square == pytest.approx((scale - 1) ** 2, abs=0.05)


def test_a_change_of_share_of_a_boolean_costs_the_difference():
    real = (generator(0).random((40_000, 1)) < 0.3).astype(float)
    synthetic = (generator(1).random((40_000, 1)) < 0.5).astype(float)
    (square,) = estimate(real, synthetic, np.eye(1), 2).squares
    assert square == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("folds", [2, 5])
def test_a_wild_value_does_not_drown_the_square_in_rounding(folds):
    rng = generator(0)
    real, synthetic = rng.normal(size=(100, 1)), rng.normal(size=(50 * folds, 1))
    sides = draw_sides(100, 50 * folds, rng)
    synthetic[0] = 1e6
    found = sliced_estimate(real, synthetic, np.eye(1), sides).squares[0]
    r, s = (
        [np.sort(rows[fold, 0].astype(np.float32).astype(float)) for fold in side.folds]
        for rows, side in zip((real, synthetic), sides, strict=True)
    )
    within = [np.mean([a @ b for a, b in permutations(side, 2)]) for side in (r, s)]
    cross = np.mean([a @ b for a in r for b in s])
    assert found == pytest.approx((sum(within) - 2 * cross) / 50, rel=1e-4)


def null_squares(draw, n, m, p, repeats=400):
    squares = []
    for seed in range(repeats):
        rng = generator(seed)
        real, synthetic = draw(rng, (n, 1)), draw(rng, (m, 1))
        sides = draw_sides(n, m, rng)
        squares.append(sliced_estimate(real, synthetic, np.eye(1), sides, p).squares[0])
    return np.array(squares)


DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
    "boolean": lambda rng, shape: (rng.random(shape) < 0.3).astype(float),
}


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
@pytest.mark.parametrize(
    ("n", "m"), [(60, 60), (61, 61), pytest.param(60, 3000, marks=pytest.mark.slow)]
)
def test_equal_distributions_have_squares_of_mean_zero(draw, n, m, p):
    squares = null_squares(draw, n, m, p)
    assert abs(squares.mean()) < 3 * squares.std() / np.sqrt(len(squares))


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_of_order_one_a_shift_is_its_square_too(shift):
    real, synthetic = generator(0).normal(size=(20_000, 1)), generator(1).normal(size=(20_000, 1))
    one, two = (estimate(real, synthetic + shift, np.eye(1), 2, p=p).squares[0] for p in (1, 2))
    assert one == pytest.approx(two, rel=0.02)
    assert one == pytest.approx(shift**2, rel=0.1)
