"""Debiased transport between points, against brute force, closed forms, algebra and simulation."""

from math import lcm

import numpy as np
import pytest

from synthmix_dagster.distance import transport
from synthmix_dagster.distance.folds import Side, draw_sides
from synthmix_dagster.distance.transport import ENTROPY, METHODS, transport_estimate
from synthmix_dagster.errors import ConfigError, UnknownChoiceError

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


# --- what it is for ------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize(("n", "m", "d"), [(30, 30, 3), (24, 61, 6)])
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


# --- limits --------------------------------------------------------------------------------------


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


def test_fewer_rows_than_coordinates_stay_unbiased_for_gaussian():
    squares = []
    for seed in range(60):
        rng = generator(seed, 18)
        real, synthetic = rng.normal(size=(20, 30)), rng.normal(size=(20, 30))
        synthetic[:, 3] += 2
        squares.append(
            transport_estimate(real, synthetic, draw_sides(20, 20, rng), method="gaussian").square
        )
    assert abs(np.mean(squares) - 4) < 3.5 * np.std(squares) / np.sqrt(len(squares))


def test_gaussian_couples_nothing_where_the_sides_share_no_direction():
    # Each side lies on a line, across the axes and at right angles to the other.
    rng = generator(22)
    along = np.array([[0.6, 0.8], [0.8, -0.6]])
    scale = rng.normal(size=(2, 40))
    sides = draw_sides(40, 40, rng)
    estimate = transport_estimate(
        scale[0][:, None] * along[0], scale[1][:, None] * along[1], sides, method="gaussian"
    )
    folds = [[line[fold] for fold in side.folds] for line, side in zip(scale, sides, strict=True)]
    means, deviations = np.mean(folds, axis=2), np.std(folds, axis=2)
    expected = np.zeros(2)
    for r, s in np.ndindex(2, 2):
        shift = means[0, r] * along[0] - means[1, s] * along[1]
        parts = shift**2 + (deviations[0, r] * along[0]) ** 2 + (deviations[1, s] * along[1]) ** 2
        expected += parts / 4
    apart = np.diff(means)[:, 0] ** 2 + np.diff(deviations)[:, 0] ** 2
    expected -= apart @ along**2 / 2
    np.testing.assert_allclose(estimate.parts, expected)


@every_way
def test_constant_columns_and_constant_sides(method, p):
    sides = draw_sides(12, 12, generator(19))
    real, synthetic = np.zeros((12, 3)), np.tile([3.0, 0.0, 4.0], (12, 1))
    estimate = transport_estimate(real, synthetic, sides, method=method, p=p)
    np.testing.assert_allclose(estimate.parts, [9, 0, 16], atol=1e-9)
    assert estimate.within_real == pytest.approx(0, abs=1e-9)
    assert estimate.variance == pytest.approx(0, abs=1e-9)
    real[:, 1] = generator(20).normal(size=12)
    half = transport_estimate(real, synthetic, sides, method=method, p=p)
    assert np.isfinite(half.parts).all()
    assert np.isfinite(half.variance)


def test_sinkhorn_takes_heavy_tails_in_large_folds():
    rng = generator(21)
    rows = rng.standard_t(2, size=(2002, 5))
    large = Side(tuple(np.arange(2002).reshape(2, -1)), (np.arange(1001) % 20,) * 2)
    small = Side(tuple(np.arange(8).reshape(2, -1)), (np.arange(4),) * 2)
    estimate = transport_estimate(rows, rows[:8], (large, small), method="sinkhorn")
    assert estimate.within_real > 0


@pytest.mark.parametrize(("method", "p"), [("gaussian", 1), ("exact", 3)])
def test_an_order_that_a_method_does_not_know_is_refused(method, p):
    real, synthetic = samples(8, 8, 2)
    with pytest.raises(ConfigError) as caught:
        transport_estimate(real, synthetic, draw_sides(8, 8, generator()), method=method, p=p)
    assert caught.value.option == "p"


def test_an_unknown_method_is_refused():
    real, synthetic = samples(8, 8, 2)
    with pytest.raises(UnknownChoiceError, match="Did you mean 'sinkhorn'"):
        transport_estimate(real, synthetic, draw_sides(8, 8, generator()), method="sinkorn")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["exact", "sinkhorn"])
def test_a_solver_that_gives_up_is_an_error_not_a_number(method, monkeypatch):
    monkeypatch.setitem(transport.MOST_ITERATIONS, method, 1)
    real, synthetic = samples(40, 40, 2)
    with pytest.raises(ConfigError, match=f"'{method}' did not converge"):
        transport_estimate(real, synthetic, draw_sides(40, 40, generator()), method=method)
