"""Test and interval: uniform under the null, honest about what is left out, groups kept whole."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.distance.attribution import contributions
from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.inference import (
    PermutationTest,
    influence_variance,
    permutation_test,
    squared_interval,
)
from synthmix_dagster.distance.relabelling import relabellings
from synthmix_dagster.distance.wasserstein import orthonormal_directions, sliced_estimate


def generator(seed=0):
    return np.random.default_rng(seed)


DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "boolean": lambda rng, shape: (rng.random(shape) < 0.3).astype(float),
}

# --- the null ------------------------------------------------------------------------------------


def p_values(draw, n, m, d, permutations, simulations, p=2):
    values = []
    for seed in range(simulations):
        rng = generator(seed)
        real, synthetic = draw(rng, (n, d)), draw(rng, (m, d))
        directions = orthonormal_directions(d, d, rng)
        test = permutation_test(real, synthetic, directions, permutations, rng, p=p)
        values.append(test.p_value)
    return np.array(values)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 90), (41, 33)])
def test_p_values_are_uniform_when_nothing_differs(n, m, p):
    from scipy.stats import binom

    simulations = 300
    values = p_values(DRAWS["normal"], n, m, 2, 19, simulations, p)
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
    assert test.statistic == pytest.approx((3.0**2 + 6.0**2) / 2)


@settings(max_examples=50)
@given(
    null=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    statistic=st.integers(0, 6),
)
def test_the_p_value_counts_the_observed_one_in(null, statistic):
    expected = (1 + sum(t >= statistic for t in null)) / (1 + len(null))
    assert PermutationTest(statistic, np.array(null, float)).p_value == pytest.approx(expected)


# --- the interval --------------------------------------------------------------------------------


def variance_of(real, synthetic, directions, sides, p=2):
    found = contributions(real, synthetic, directions, sides, p).influences
    return sum(influence_variance(directions.shape[1] * side) for side in found)


@pytest.mark.parametrize("p", [1, 2])
def test_the_variance_is_that_of_estimates_from_new_rows(p):
    squares, variances = [], []
    for seed in range(300):
        rng = generator(seed)
        real, synthetic = rng.normal(size=(150, 2)), rng.normal([1.0, 0.5], 1.0, size=(240, 2))
        sides = draw_sides(150, 240, rng)
        squares.append(2 * sliced_estimate(real, synthetic, np.eye(2), sides, p).squares.mean())
        variances.append(variance_of(real, synthetic, np.eye(2), sides, p))
    # A sample variance of 300 has a standard deviation of 8 %; the part of pairs is counted twice.
    assert np.var(squares) == pytest.approx(np.mean(variances), rel=0.25)
    assert np.std(variances) < 0.25 * np.mean(variances)


@pytest.mark.slow
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("shift", "n", "m"), [(0.5, 200, 200), (1.0, 100, 400), (0.3, 300, 300)])
def test_the_interval_covers_the_true_square(shift, n, m, p):
    from scipy.stats import binom

    simulations, covered = 200, 0
    for seed in range(simulations):
        rng = generator(seed)
        real, synthetic = rng.normal(size=(n, 3)), rng.normal(size=(m, 3)) + shift / 3**0.5
        directions = orthonormal_directions(3, 3, rng)
        sides = draw_sides(n, m, rng)
        square = 3 * sliced_estimate(real, synthetic, directions, sides, p).squares.mean()
        null = permutation_test(real, synthetic, directions, 39, rng, p=p).null
        variance, chance = variance_of(real, synthetic, directions, sides, p), 2 * 9 * null.var()
        low, high = squared_interval(square, variance, min(n, m), 0.95, chance)
        covered += low <= shift**2 <= high
    assert binom.ppf(0.001, simulations, 0.93) <= covered <= binom.ppf(0.999, simulations, 0.97)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2, 0.4, 0.8])
def test_an_interval_with_known_variances_covers_every_shift(shift):
    """A quadratic form with everything known: |v + e|^2 less its noise, in five dimensions."""
    from scipy.stats import binom

    rng, d, noise, simulations = generator(0), 5, 0.02, 4_000
    points = rng.normal(0, noise**0.5, size=(simulations, d)) + shift / d**0.5
    squares = np.sum(points**2, axis=1) - d * noise
    null = 2 * d * noise**2
    # A jackknife of 20 blocks knows the variance at the estimate with 19 degrees of freedom.
    doubled = 2 * null + 4 * noise * np.maximum(squares, 0)
    variances = doubled * rng.chisquare(19, size=simulations) / 19
    covered = 0
    for square, variance in zip(squares, variances, strict=True):
        low, high = squared_interval(square, variance, 20, 0.95, null, d)
        covered += low <= shift**2 <= high
    assert binom.ppf(0.001, simulations, 0.93) <= covered
    assert covered <= binom.ppf(0.999, simulations, 0.98 if shift < 0.3 else 0.97)


def test_far_from_equality_the_interval_is_that_of_a_gap_with_one_standard_deviation():
    # d = 1: the square of v + e has the variance 4 v^2 s^2, so ends are v + reach s, squared.
    from scipy.stats import t

    low, high = squared_interval(1.0, 4 * 0.05**2, 20, 0.95)
    reach = t.ppf(0.975, 19) * 0.05
    assert np.sqrt([low, high]) == pytest.approx([1 - reach, 1 + reach], abs=0.006)


def test_a_wider_reach_contains_a_narrower_one():
    for square in (-0.1, 0.0, 0.01, 0.05, 0.5):
        inner = squared_interval(square, 0.001, 20, 0.8, 0.0003, 4)
        outer = squared_interval(square, 0.001, 20, 0.95, 0.0003, 4)
        assert outer[0] < inner[0] < square < inner[1] < outer[1]


def test_the_interval_is_never_narrower_than_chance_alone():
    low, high = squared_interval(0.1, 0.0, 20, 0.95, 0.04)
    assert high - low > 2 * 1.96 * 0.2


# --- groups --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_p_values_are_uniform_where_many_rows_are_equal():
    values = []
    for seed in range(120):
        rng = np.random.default_rng([seed, 7])
        real, synthetic = (rng.integers(0, 3, (1_100, 2)).astype(np.float32) for _ in range(2))
        test = permutation_test(real, synthetic, np.eye(2), 19, rng)
        values.append(test.p_value)
    assert np.mean(values) == pytest.approx(0.525, abs=0.08)
    assert np.mean(np.array(values) <= 0.1) <= 0.18


def sessions(rng, groups, size, d=2):
    """Rows that share most of what they are with the rows of their group."""
    centres = rng.normal(size=(groups, d)).repeat(size, axis=0)
    return centres + 0.2 * rng.normal(size=centres.shape), np.arange(groups).repeat(size)


def test_whole_groups_are_relabelled():
    rng = generator(0)
    groups = rng.integers(0, 7, 50), rng.integers(0, 9, 80)
    pooled = np.concatenate((groups[0], 7 + groups[1]))
    labels = relabellings(50, 80, 30, rng, groups).astype(bool)
    assert labels[:, 0].tolist() == [True] * 50 + [False] * 80
    for label in labels.T[1:]:
        of_groups = [set(label[pooled == group]) for group in range(16)]
        assert all(len(values) == 1 for values in of_groups)
        assert sum(values == {True} for values in of_groups) == 7


def test_rows_of_sessions_need_the_sessions_for_a_valid_test():
    by_rows, by_groups = [], []
    for seed in range(150):
        rng = generator(seed)
        (real, ours), (synthetic, theirs) = sessions(rng, 12, 10), sessions(rng, 15, 10)
        axes = np.eye(2)
        by_rows.append(permutation_test(real, synthetic, axes, 19, rng).p_value)
        whole = permutation_test(real, synthetic, axes, 19, rng, groups=(ours, theirs))
        by_groups.append(whole.p_value)
    assert np.mean(np.array(by_rows) <= 0.05) > 0.5
    assert np.mean(np.array(by_groups) <= 0.05) < 0.11


def test_folds_of_whole_groups_keep_the_square_free_of_bias():
    by_rows, by_groups = [], []
    for seed in range(200):
        rng = generator(seed)
        (real, ours), (synthetic, theirs) = sessions(rng, 12, 10), sessions(rng, 12, 10)
        for found, groups in ((by_rows, None), (by_groups, (ours, theirs))):
            sides = draw_sides(len(real), len(synthetic), rng, groups)
            found.append(sliced_estimate(real, synthetic, np.eye(2), sides).squares.mean())
    error = np.std(by_groups) / 200**0.5
    assert abs(np.mean(by_groups)) < 3 * error
    assert np.mean(by_rows) > 10 * np.std(by_rows) / 200**0.5
