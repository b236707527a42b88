"""Debiased transport as a statistic: its mean, its parts and its variance, by simulation."""

import numpy as np
import pytest

from synthmix_dagster.distance.folds import draw_sides
from synthmix_dagster.distance.transport import METHODS, transport_estimate

#: Every method with every order it knows.
WAYS = [*((method, 2) for method in METHODS), ("exact", 1), ("sinkhorn", 1)]
every_way = pytest.mark.parametrize(("method", "p"), WAYS)
every_method = pytest.mark.parametrize("method", METHODS)


def generator(*seed):
    return np.random.default_rng(seed)


@every_way
@pytest.mark.parametrize(
    ("n", "m", "d"), [(30, 30, 3), pytest.param(24, 61, 6, marks=pytest.mark.slow)]
)
def test_equal_distributions_are_at_zero_on_average(method, p, n, m, d):
    repetitions = 20 if method == "sinkhorn" else 60
    estimates = []
    for seed in range(repetitions):
        rng = generator(seed, n)
        pool = rng.exponential(size=(n + m, d))
        sides = draw_sides(n, m, rng)
        estimates.append(transport_estimate(pool[:n], pool[n:], sides, method=method, p=p))
    squares = np.array([estimate.square for estimate in estimates])
    error = squares.std() / np.sqrt(repetitions)
    assert abs(squares.mean()) < 3.5 * error
    # Without the debiasing it would fail.
    assert np.mean([estimate.within_real for estimate in estimates]) > 7 * error


@every_way
def test_one_moved_column_gets_the_gap(method, p):
    rng = generator(14)
    real, synthetic = rng.normal(size=(300, 20)), rng.normal(size=(300, 20))
    synthetic[:, 7] += 3
    estimate = transport_estimate(real, synthetic, draw_sides(300, 300, rng), method=method, p=p)
    assert 0.9 < estimate.parts[7] / estimate.square < 1.1
    assert abs(estimate.square - 9) < 3 * np.sqrt(estimate.variance)


@pytest.mark.parametrize("method", ["exact", "sinkhorn"])
def test_a_broken_dependence_is_seen_and_shared_by_its_columns(method):
    rng = generator(15)
    real = rng.normal(size=(200, 6))
    real[:, 1] = real[:, 0]
    synthetic = rng.normal(size=(200, 6))
    estimate = transport_estimate(real, synthetic, draw_sides(200, 200, rng), method=method)
    assert estimate.square > 3 * np.sqrt(estimate.variance)
    assert set(np.argsort(estimate.parts)[-2:]) == {0, 1}


@pytest.mark.parametrize(
    ("method", "n", "m", "d", "repetitions"),
    [
        ("exact", 100, 100, 2, 100),
        ("exact", 100, 100, 15, 100),
        ("exact", 40, 200, 3, 60),
        ("gaussian", 100, 100, 2, 100),
        ("gaussian", 200, 200, 15, 100),
        ("sinkhorn", 60, 60, 3, 60),
    ],
)
def test_the_variance_is_that_of_the_estimate(method, n, m, d, repetitions):
    from scipy.stats import t

    squares, variances = [], []
    for seed in range(repetitions):
        rng = generator(seed, d)
        real, synthetic = rng.normal(size=(n, d)), rng.normal(size=(m, d))
        synthetic[:, 0] += 1.5
        estimate = transport_estimate(real, synthetic, draw_sides(n, m, rng), method=method)
        squares.append(estimate.square)
        variances.append(estimate.variance)
    # The sampling error of a variance over 60 repetitions is 18 %.
    assert 0.65 < np.mean(variances) / np.var(squares) < 1.45
    reach = t.ppf(0.975, 19) * np.sqrt(variances)
    covered = np.mean(np.abs(np.array(squares) - 1.5**2) < reach)
    assert 0.89 < covered < 0.995


def test_rows_of_a_group_are_not_independent():
    groups, size = 40, 10
    labels = np.repeat(np.arange(groups), size)
    squares, variances, ignoring = [], [], []
    for seed in range(80):
        rng = generator(seed, 16)
        real, synthetic = (
            rng.normal(size=(groups, 2))[labels] + 0.3 * rng.normal(size=(groups * size, 2))
            for _ in range(2)
        )
        synthetic[:, 0] += 2
        whole = draw_sides(len(real), len(synthetic), rng, groups=(labels, labels))
        cut = draw_sides(len(real), len(synthetic), rng)
        estimate = transport_estimate(real, synthetic, whole, method="gaussian")
        squares.append(estimate.square)
        variances.append(estimate.variance)
        ignoring.append(transport_estimate(real, synthetic, cut, method="gaussian").variance)
    assert 0.7 < np.mean(variances) / np.var(squares) < 1.4
    assert np.mean(ignoring) < 0.3 * np.var(squares)
