"""Debiased transport at its limits: few rows, no spread, and what is refused."""

import numpy as np
import pytest

from synthmix_dagster.distance import transport
from synthmix_dagster.distance.folds import Side, draw_sides
from synthmix_dagster.distance.transport import METHODS, transport_estimate
from synthmix_dagster.errors import ConfigError, UnknownChoiceError

#: Every method with every order it knows.
WAYS = [*((method, 2) for method in METHODS), ("exact", 1), ("sinkhorn", 1)]
every_way = pytest.mark.parametrize(("method", "p"), WAYS)
every_method = pytest.mark.parametrize("method", METHODS)


def generator(*seed):
    return np.random.default_rng(seed)


def samples(n, m, d, *seed):
    rng = generator(*seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.5


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
    monkeypatch.setitem(transport.MAX_ITERATIONS, method, 1)
    real, synthetic = samples(40, 40, 2)
    with pytest.raises(ConfigError, match=f"'{method}' did not converge"):
        transport_estimate(real, synthetic, draw_sides(40, 40, generator()), method=method)
