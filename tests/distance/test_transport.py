"""Debiased transport between points, against brute force, closed forms and algebra."""

from math import lcm

import numpy as np
import pytest

from synthmix_dagster.distance.folds import Side, draw_sides
from synthmix_dagster.distance.transport import ENTROPY, METHODS, transport_estimate

#: Every method with every order it knows.
WAYS = [*((method, 2) for method in METHODS), ("exact", 1), ("sinkhorn", 1)]
every_way = pytest.mark.parametrize(("method", "p"), WAYS)
every_method = pytest.mark.parametrize("method", METHODS)
#: Sinkhorn stops at a marginal error; the others are exact.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def generator(*seed):
    return np.random.default_rng(seed)


def samples(n, m, d, *seed):
    rng = generator(*seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) @ rng.normal(size=(d, d)) + 0.5


def cross_minus_within(real, synthetic, sides, square):
    """The definition, with every fold of a side against the next."""
    r = [real[fold] for fold in sides[0].folds]
    s = [synthetic[fold] for fold in sides[1].folds]
    cross = np.mean([square(x, y) for x in r for y in s])
    within = [
        np.mean([square(x, y) for x, y in zip(side, side[1:] + side[:1], strict=True)])
        for side in (r, s)
    ]
    return cross - sum(within) / 2, within[0]


def assigned(p):
    """Squared W_p by assignment, each row repeated until both sides have equally many."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    def square(x, y):
        rows = lcm(len(x), len(y))
        x, y = (np.repeat(side, rows // len(side), axis=0) for side in (x, y))
        costs = cdist(x, y) ** p
        return float(np.mean(costs[linear_sum_assignment(costs)])) ** (2 / p)

    return square


def bures(x, y):
    from scipy.linalg import sqrtm

    a, b = np.cov(x.T, bias=True), np.cov(y.T, bias=True)
    root = sqrtm(a)
    coupled = np.trace(sqrtm(root @ b @ root)).real
    shift = x.mean(axis=0) - y.mean(axis=0)
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * coupled)


def entropic(epsilon, p):
    """Squared entropic cost, divergence included, by plain Sinkhorn iterations."""
    from scipy.spatial.distance import cdist

    def square(x, y):
        costs = cdist(x, y) ** p
        kernel = np.exp(-costs / epsilon)
        a, b = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
        v = np.ones(len(y))
        for _ in range(3000):
            u = a / (kernel @ v)
            v = b / (kernel.T @ u)
        plan = u[:, None] * kernel * v
        divergence = np.sum(plan * np.log(plan / np.outer(a, b)))
        return float(np.sum(plan * costs) + epsilon * divergence) ** (2 / p)

    return square


# --- one estimate, against its definition --------------------------------------------------------


@pytest.mark.parametrize("p", [2, 1])
@pytest.mark.parametrize(("n", "m"), [(12, 12), (11, 13), (8, 33)])
def test_exact_is_the_best_assignment(n, m, p):
    real, synthetic = samples(n, m, 3, n, m)
    sides = draw_sides(n, m, generator(1))
    square, within = cross_minus_within(real, synthetic, sides, assigned(p))
    estimate = transport_estimate(real, synthetic, sides, method="exact", p=p)
    np.testing.assert_allclose([estimate.square, estimate.within_real], [square, within])


def test_exact_on_a_line_sorts():
    real, synthetic = samples(100, 100, 1, 2)
    sides = draw_sides(100, 100, generator(2))
    square, _ = cross_minus_within(
        real, synthetic, sides, lambda x, y: np.mean((np.sort(x, axis=0) - np.sort(y, axis=0)) ** 2)
    )
    estimate = transport_estimate(real, synthetic, sides, method="exact")
    assert estimate.square == pytest.approx(square)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (40, 150)])
def test_gaussian_is_the_closed_form(n, m):
    real, synthetic = samples(n, m, 4, n, m)
    sides = draw_sides(n, m, generator(3))
    square, within = cross_minus_within(real, synthetic, sides, bures)
    estimate = transport_estimate(real, synthetic, sides, method="gaussian")
    np.testing.assert_allclose([estimate.square, estimate.within_real], [square, within])


@pytest.mark.parametrize("p", [2, 1])
def test_sinkhorn_value_includes_the_divergence(p):
    from scipy.spatial.distance import cdist

    real, synthetic = samples(20, 20, 3, 4)
    sides = draw_sides(20, 20, generator(4))
    r, s = (
        [rows[fold] for fold in side.folds]
        for rows, side in zip((real, synthetic), sides, strict=True)
    )
    epsilon = ENTROPY * np.mean([cdist(*r) ** p, cdist(*s) ** p])
    square, within = cross_minus_within(real, synthetic, sides, entropic(epsilon, p))
    estimate = transport_estimate(real, synthetic, sides, method="sinkhorn", p=p)
    np.testing.assert_allclose([estimate.square, estimate.within_real], [square, within], rtol=1e-4)


def test_gaussian_finds_the_distance_of_known_covariances():
    # Axes of the covariances agree, so the parts are known as well.
    rng = generator(5)
    spread, other = np.array([1.0, 2.0, 0.5]), np.array([2.0, 2.0, 1.5])
    real = spread * rng.normal(size=(20_000, 3))
    synthetic = other * rng.normal(size=(20_000, 3)) + [0, 3, 0]
    estimate = transport_estimate(
        real, synthetic, draw_sides(20_000, 20_000, rng), method="gaussian"
    )
    np.testing.assert_allclose(estimate.parts, [1, 9, 1], rtol=0.05)
    assert abs(estimate.square - 11) < 3 * np.sqrt(estimate.variance)


def test_two_moments_are_all_that_gaussian_sees():
    rng = generator(6)
    real = rng.normal(size=(600, 1))
    synthetic = rng.choice([-1.0, 1.0], size=(600, 1))
    sides = draw_sides(600, 600, rng)
    exact, gaussian = (
        transport_estimate(real, synthetic, sides, method=method)
        for method in ("exact", "gaussian")
    )
    assert exact.square > 3 * np.sqrt(exact.variance)
    assert abs(gaussian.square) < 3 * np.sqrt(gaussian.variance)


# --- algebra -------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("m", [40, 130])
def test_parts_sum_to_the_square(method, p, m):
    real, synthetic = samples(40, m, 5, m)
    estimate = transport_estimate(
        real, synthetic, draw_sides(40, m, generator()), method=method, p=p
    )
    assert estimate.parts.shape == (5,)
    assert np.sum(estimate.parts) == pytest.approx(estimate.square)


@every_method
def test_moving_a_side_adds_what_it_must_to_each_part(method):
    real, synthetic = samples(60, 60, 3, 7)
    sides = draw_sides(60, 60, generator(7))
    move = np.array([1.0, -2.0, 0.0])
    before, after = (
        transport_estimate(real, rows, sides, method=method)
        for rows in (synthetic, synthetic + move)
    )
    apart = synthetic.mean(axis=0) - real.mean(axis=0)
    expected = before.parts + move**2 + 2 * move * apart
    np.testing.assert_allclose(after.parts, expected, atol=1e-3)
    assert after.within_real == pytest.approx(before.within_real)


@every_way
def test_swapping_the_sides_changes_nothing(method, p):
    real, synthetic = samples(30, 71, 3, 8)
    sides = draw_sides(30, 71, generator(8))
    one = transport_estimate(real, synthetic, sides, method=method, p=p)
    other = transport_estimate(synthetic, real, sides[::-1], method=method, p=p)
    np.testing.assert_allclose(other.parts, one.parts, rtol=1e-3, atol=1e-3)
    # Dual solutions are not unique, and which one the simplex ends at depends on the order.
    assert other.variance == pytest.approx(one.variance, rel=0.3)
    assert other.within_real != pytest.approx(one.within_real, rel=0.1)


@every_way
def test_moving_both_sides_far_away_changes_nothing(method, p):
    real, synthetic = samples(40, 40, 3, 9)
    sides = draw_sides(40, 40, generator(9))
    here, there = (
        transport_estimate(real + far, synthetic + far, sides, method=method, p=p)
        for far in (0.0, 1e6)
    )
    np.testing.assert_allclose(there.parts, here.parts, **CLOSE)
    np.testing.assert_allclose(there.variance, here.variance, rtol=1e-3)


@every_way
@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_units_square(method, p, unit):
    real, synthetic = samples(40, 40, 3, 10)
    sides = draw_sides(40, 40, generator(10))
    one = transport_estimate(real, synthetic, sides, method=method, p=p)
    other = transport_estimate(unit * real, unit * synthetic, sides, method=method, p=p)
    np.testing.assert_allclose(other.parts / unit**2, one.parts, **CLOSE)
    assert other.variance / unit**4 == pytest.approx(one.variance, rel=1e-3)


@every_method
def test_turning_the_axes_keeps_the_square_and_not_the_parts(method):
    real, synthetic = samples(40, 40, 3, 11)
    sides = draw_sides(40, 40, generator(11))
    axes = np.linalg.qr(generator(12).normal(size=(3, 3)))[0]
    one = transport_estimate(real, synthetic, sides, method=method)
    other = transport_estimate(real @ axes, synthetic @ axes, sides, method=method)
    assert other.square == pytest.approx(one.square, rel=1e-4)
    assert np.abs(other.parts - one.parts).max() > 0.05 * one.square


def test_single_precision_is_computed_in_double():
    real, synthetic = (rows.astype(np.float32) for rows in samples(40, 40, 3, 13))
    sides = draw_sides(40, 40, generator(13))
    one = transport_estimate(real, synthetic, sides, method="exact")
    other = transport_estimate(real.astype(float), synthetic.astype(float), sides, method="exact")
    assert one.parts.dtype == np.float64
    assert one.square == other.square


def test_many_folds_are_bounded_and_all_counted_alike(monkeypatch):
    import ot

    solved = []
    solve = ot.emd
    monkeypatch.setattr(
        ot, "emd", lambda a, b, cost, **more: solved.append(1) or solve(a, b, cost, **more)
    )
    real, synthetic = samples(4, 1000, 2, 17)
    # A side whose folds are all alike has the same square whichever of them are used.
    synthetic = np.tile(synthetic[:2], (500, 1))
    sides = draw_sides(4, 1000, generator())
    folds = tuple(np.arange(2) + 2 * fold for fold in range(500))
    side = Side(folds, tuple(np.arange(2) for _ in folds))
    estimate = transport_estimate(real, synthetic, (sides[0], side), method="exact")
    assert len(solved) == 2 * 32 + 32 + 1
    expected, _ = cross_minus_within(real, synthetic, (sides[0], side), assigned(2))
    assert estimate.square == pytest.approx(expected)
