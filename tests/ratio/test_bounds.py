"""The closed form of the bound against numeric minimisation."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.ratio.bounds import Bound, estimated_constants, stability_bound

constants = {
    "n": st.integers(1, 5000),
    "m": st.integers(1, 50_000),
    "lipschitz": st.floats(0.01, 100.0),
    "capacity": st.floats(0.01, 1000.0),
}


@settings(derandomize=True, deadline=None, max_examples=200)
@given(gap=st.floats(0.0, 5.0), **constants)
def test_the_closed_form_minimises_the_bound(n, m, gap, lipschitz, capacity):
    from scipy.optimize import minimize_scalar

    def excess(alpha):
        return 2 * alpha * lipschitz * gap + capacity * ((1 - alpha) ** 2 / n + alpha**2 / m)

    bound = stability_bound(n, m, gap=gap, lipschitz=lipschitz, capacity=capacity)
    found = minimize_scalar(excess, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10})
    assert 0 <= bound.weight < 1
    assert bound.weight == pytest.approx(found.x, abs=1e-5)
    assert excess(bound.weight) <= found.fun * (1 + 1e-12)
    assert bound.ratio == pytest.approx(bound.weight / (1 - bound.weight))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(**constants)
def test_without_a_gap_the_bound_pools_everything(n, m, lipschitz, capacity):
    bound = stability_bound(n, m, gap=0.0, lipschitz=lipschitz, capacity=capacity)
    assert bound.ratio == pytest.approx(m / n, rel=1e-6)
    assert bound.weight == pytest.approx(m / (n + m))


def test_pooling_everything_is_never_interior():
    assert not any(
        stability_bound(n, m, gap=0.0, lipschitz=1.3, capacity=17.3).interior
        for n in range(10, 100, 7)
        for m in range(10, 500, 37)
    )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(gap=st.floats(-5.0, 0.0), **constants)
def test_a_negative_gap_counts_as_none(n, m, gap, lipschitz, capacity):
    options = {"lipschitz": lipschitz, "capacity": capacity}
    assert stability_bound(n, m, gap=gap, **options) == stability_bound(n, m, gap=0.0, **options)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(**constants)
def test_from_the_critical_gap_on_the_bound_takes_nothing(n, m, lipschitz, capacity):
    options = {"lipschitz": lipschitz, "capacity": capacity}
    critical = stability_bound(n, m, gap=0.0, **options).critical_gap
    assert critical == pytest.approx(capacity / (n * lipschitz))
    below, at, above = (
        stability_bound(n, m, gap=critical * factor, **options) for factor in (0.999, 1.0, 1.001)
    )
    assert below.weight > 0
    assert below.interior
    assert at.weight == pytest.approx(0.0, abs=1e-12)
    assert (above.weight, above.ratio, above.interior) == (0.0, 0.0, False)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(gaps=st.lists(st.floats(0.0, 3.0), min_size=2, max_size=8), **constants)
def test_a_larger_gap_never_asks_for_more(gaps, n, m, lipschitz, capacity):
    options = {"lipschitz": lipschitz, "capacity": capacity}
    weights = [stability_bound(n, m, gap=gap, **options).weight for gap in sorted(gaps)]
    assert weights == sorted(weights, reverse=True)


def test_a_flat_loss_has_no_critical_gap_and_survives_json():
    bound = stability_bound(10, 30, gap=2.0, lipschitz=0.0, capacity=1.0)
    assert bound.critical_gap == float("inf")
    assert bound.ratio == pytest.approx(3.0)
    written = json.dumps(bound.to_dict(), allow_nan=False)
    assert Bound.from_dict(json.loads(written)) == bound


def test_a_bound_survives_json_with_its_constants():
    bound = stability_bound(10, 30, gap=0.02, lipschitz=2.0, capacity=1.5)
    assert Bound.from_dict(json.loads(json.dumps(bound.to_dict()))) == bound
    assert bound.constants == {
        "gap": 0.02,
        "lipschitz": 2.0,
        "capacity": 1.5,
        "n_real": 10.0,
        "n_synthetic": 30.0,
    }


def test_constants_of_a_linear_fit_are_known():
    # f(x) = 3 x_1 - 4 x_2 with errors of 0.5 everywhere: |grad f| = 5.
    losses = np.full(10, 0.25)
    gradients = np.tile([3.0, -4.0], (10, 1))
    lipschitz, capacity = estimated_constants(losses, gradients, ridge=0.1)
    assert lipschitz == pytest.approx(2 * 0.5 * np.sqrt(1 + 25))
    assert capacity == pytest.approx(2 * 0.25 / 0.1)


def test_the_lipschitz_constant_is_the_size_of_the_gradient_of_the_loss():
    """Root mean square of the gradient of (y - f(x))^2 in (x, y), errors independent of x."""
    rng = np.random.default_rng(0)
    slope, errors = np.array([1.0, 2.0]), rng.normal(0, 0.7, 1000)
    gradients = np.tile(slope, (1000, 1))
    loss_gradients = 2 * errors[:, None] * np.concatenate((np.ones((1000, 1)), -gradients), axis=1)
    lipschitz, _ = estimated_constants(errors**2, gradients, ridge=1.0)
    assert lipschitz == pytest.approx(np.sqrt(np.mean(np.sum(loss_gradients**2, axis=1))))
