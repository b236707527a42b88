"""The debiased sliced distance against optimal transport, algebra and simulation."""

from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.distance.inference import (
    PermutationTest,
    jackknife,
    permutation_test,
    squared_interval,
)
from synthmix_dagster.distance.wasserstein import (
    CHUNK,
    cell_means,
    draw_folds,
    orthonormal_directions,
    sliced_estimate,
)

#: Projections are single precision.
SINGLE = {"rtol": 1e-4, "atol": 1e-5}


def generator(seed=0):
    return np.random.default_rng(seed)


def transport(a, b):
    """Squared W2 of two samples on a line, by optimal transport."""
    import ot

    return float(ot.emd2_1d(np.asarray(a, float), np.asarray(b, float), metric="sqeuclidean"))


def drawn_folds(real, synthetic, seed):
    """The folds that `sliced_estimate` draws with this seed."""
    cuts = draw_folds(len(real), len(synthetic), generator(seed))
    return [real[fold] for fold in cuts[0]], [synthetic[fold] for fold in cuts[1]]


# --- directions ----------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=25)
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


@settings(derandomize=True, deadline=None, max_examples=100)
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


@settings(derandomize=True, deadline=None, max_examples=40)
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
    estimate = sliced_estimate(real, synthetic, directions, generator(seed))
    left, right = drawn_folds(real, synthetic, seed)
    expected, floors = [], []
    for theta in directions:
        r, s = [fold @ theta for fold in left], [fold @ theta for fold in right]
        within = [np.mean([transport(a, b) for a, b in permutations(side, 2)]) for side in (r, s)]
        expected.append(np.mean([transport(a, b) for a in r for b in s]) - sum(within) / 2)
        floors.append(within[0])
    np.testing.assert_allclose(estimate.squares, expected, **SINGLE)
    assert estimate.within_real == pytest.approx(np.mean(floors), rel=1e-4)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(d=st.integers(1, 8), half=st.integers(5, 30), seed=st.integers(0, 999))
def test_moving_a_copy_of_the_real_rows_adds_the_squared_shift(d, half, seed):
    # The halves have the same means in sum, so the term linear in the shift vanishes.
    rng = generator(seed)
    real, shift = rng.normal(size=(2 * half, d)), rng.normal(size=d)
    directions = orthonormal_directions(d, 3 * d, rng)
    still, moved = (
        sliced_estimate(real, real + v, directions, generator(seed)).squares for v in (0.0, shift)
    )
    np.testing.assert_allclose(moved - still, (directions @ shift) ** 2, **SINGLE)
    assert d * np.mean(moved - still) == pytest.approx(np.sum(shift**2), rel=1e-3, abs=1e-4)


def test_squares_scale_with_the_square_of_the_unit_and_ignore_the_origin():
    rng = generator(0)
    real, synthetic = rng.normal(size=(50, 3)), rng.normal(0.5, 2.0, size=(70, 3))
    directions = orthonormal_directions(3, 3, rng)
    plain = sliced_estimate(real, synthetic, directions, generator(1))
    other = sliced_estimate(4.0 * real + 1, 4.0 * synthetic + 1, directions, generator(1))
    np.testing.assert_allclose(other.squares, 16 * plain.squares, **SINGLE)
    assert other.within_real == pytest.approx(16 * plain.within_real, rel=1e-4)


def test_directions_are_judged_one_by_one_whatever_the_chunk():
    rng = generator(0)
    real, synthetic = rng.normal(size=(30, 5)), rng.normal(size=(45, 5))
    directions = orthonormal_directions(5, 2 * CHUNK + 3, rng)
    together = sliced_estimate(real, synthetic, directions, generator(1)).squares
    alone = [
        sliced_estimate(real, synthetic, theta[None], generator(1)).squares[0]
        for theta in directions
    ]
    np.testing.assert_allclose(together, alone, **SINGLE)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_change_of_scale_of_a_gaussian_costs_its_square(scale):
    real = generator(0).normal(size=(40_000, 1))
    synthetic = generator(1).normal(scale=scale, size=(40_000, 1))
    (square,) = sliced_estimate(real, synthetic, np.eye(1), generator(2)).squares
    assert square == pytest.approx((scale - 1) ** 2, abs=0.05)


def test_a_change_of_share_of_a_boolean_costs_the_difference():
    real = (generator(0).random((40_000, 1)) < 0.3).astype(float)
    synthetic = (generator(1).random((40_000, 1)) < 0.5).astype(float)
    (square,) = sliced_estimate(real, synthetic, np.eye(1), generator(2)).squares
    assert square == pytest.approx(0.2, abs=0.02)


def null_squares(draw, n, m, repeats=400):
    squares = []
    for seed in range(repeats):
        rng = generator(seed)
        real, synthetic = draw(rng, (n, 1)), draw(rng, (m, 1))
        squares.append(sliced_estimate(real, synthetic, np.eye(1), rng).squares[0])
    return np.array(squares)


DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
    "boolean": lambda rng, shape: (rng.random(shape) < 0.3).astype(float),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
@pytest.mark.parametrize(
    ("n", "m"),
    [
        (60, 60),
        (61, 61),
        pytest.param(
            60,
            3000,
        ),
    ],
)
def test_equal_distributions_have_squares_of_mean_zero(draw, n, m):
    squares = null_squares(draw, n, m)
    assert abs(squares.mean()) < 3 * squares.std() / np.sqrt(len(squares))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(n=st.integers(4, 200), m=st.integers(4, 200), seed=st.integers(0, 99))
def test_folds_share_out_every_row_in_nearly_one_size(n, m, seed):
    sides = draw_folds(n, m, generator(seed))
    for rows, side in zip((n, m), sides, strict=True):
        assert len(side) >= 2
        assert sorted(np.concatenate(side).tolist()) == list(range(rows))
    sizes = [len(fold) for side in sides for fold in side]
    assert max(sizes) <= 1.5 * min(sizes) + 1


# --- the null ------------------------------------------------------------------------------------


def p_values(draw, n, m, d, permutations, simulations):
    values = []
    for seed in range(simulations):
        rng = generator(seed)
        real, synthetic = draw(rng, (n, d)), draw(rng, (m, d))
        directions = orthonormal_directions(d, d, rng)
        values.append(permutation_test(real, synthetic, directions, permutations, rng).p_value)
    return np.array(values)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 90), (41, 33)])
def test_p_values_are_uniform_when_nothing_differs(n, m):
    from scipy.stats import binom

    simulations = 300
    values = p_values(DRAWS["normal"], n, m, 2, 19, simulations)
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        low, high = binom.interval(0.999, simulations, level)
        assert low <= np.sum(values <= level + 1e-9) <= high


def test_p_values_of_tied_data_are_not_too_small():
    from scipy.stats import binom

    values = p_values(DRAWS["boolean"], 20, 20, 3, 19, 200)
    for level in (0.05, 0.1, 0.25):
        assert np.sum(values <= level + 1e-9) <= binom.ppf(0.9995, 200, level)


def test_the_p_value_of_a_large_shift_is_the_smallest_possible():
    rng = generator(0)
    real, synthetic = rng.normal(size=(50, 3)), rng.normal(3.0, 1.0, size=(50, 3))
    directions = orthonormal_directions(3, 3, rng)
    assert permutation_test(real, synthetic, directions, 39, rng).p_value == 1 / 40


def test_the_null_is_the_distance_of_relabelled_rows():
    # Two rows a side: the distance of every relabelling can be listed.
    values = np.array([0.0, 1.0, 3.0, 7.0])
    possible = set()
    for chosen in combinations(range(4), 2):
        real = np.sort(values[list(chosen)])
        synthetic = np.sort(np.delete(values, chosen))
        possible.add(round(float(np.mean((real - synthetic) ** 2)), 4))
    test = permutation_test(values[:2, None], values[2:, None], np.eye(1), 200, generator(0))
    assert {round(float(t), 4) for t in test.null} == possible
    assert test.statistic == pytest.approx(transport(values[:2], values[2:]))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    null=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    statistic=st.integers(0, 6),
)
def test_the_p_value_counts_the_observed_one_in(null, statistic):
    expected = (1 + sum(t >= statistic for t in null)) / (1 + len(null))
    assert PermutationTest(statistic, np.array(null, float)).p_value == pytest.approx(expected)


# --- the interval --------------------------------------------------------------------------------


def test_leaving_a_block_out_is_estimating_without_its_rows():
    rng = generator(3)
    real, synthetic = rng.normal(size=(80, 1)), rng.normal(0.5, 1.0, size=(80, 1))
    left_out = jackknife(real, synthetic, np.eye(1), generator(5))
    folds = draw_folds(80, 80, generator(5))
    for b in range(len(left_out)):
        sides = [
            [np.sort(np.delete(rows[fold, 0], np.arange(b, 40, 20))) for fold in side]
            for rows, side in zip((real, synthetic), folds, strict=True)
        ]
        (r1, r2), (s1, s2) = sides
        expected = np.mean(((r1 - s1) * (r2 - s2) + (r1 - s2) * (r2 - s1)) / 2)
        assert left_out[b] == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "n", "m"), [(0.5, 200, 200), (1.0, 100, 400), (0.3, 300, 300)])
def test_the_interval_covers_the_true_square(shift, n, m):
    from scipy.stats import binom

    simulations, covered = 200, 0
    for seed in range(simulations):
        rng = generator(seed)
        real, synthetic = rng.normal(size=(n, 3)), rng.normal(size=(m, 3)) + shift / 3**0.5
        directions = orthonormal_directions(3, 3, rng)
        square = 3 * sliced_estimate(real, synthetic, directions, generator(seed)).squares.mean()
        left_out = 3 * jackknife(real, synthetic, directions, generator(seed))
        null = permutation_test(real, synthetic, directions, 39, rng).null
        low, high = squared_interval(square, left_out, 2 * 9 * null.var(), 0.95)
        covered += low <= shift**2 <= high
    assert binom.ppf(0.001, simulations, 0.93) <= covered <= binom.ppf(0.999, simulations, 0.97)


def test_the_interval_is_never_narrower_than_chance_alone():
    low, high = squared_interval(0.1, np.full(20, 0.1), 0.04, 0.95)
    assert high - low > 2 * 1.96 * 0.2
