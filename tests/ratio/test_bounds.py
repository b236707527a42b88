"""The closed forms of the bounds against numeric minimisation, and their limits."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.ratio.bounds import (
    Bound,
    critical_gap,
    stability_bound,
    variance_bound,
)
from synthmix_dagster.ratio.estimated import estimated_constants

constants = {
    "n": st.integers(1, 5000),
    "m": st.integers(1, 50_000),
    "lipschitz": st.floats(0.01, 100.0),
    "capacity": st.floats(0.01, 1000.0),
}
parts = {
    "n": st.integers(1, 5000),
    "m": st.integers(1, 50_000),
    "variance": st.floats(0.01, 100.0),
    "synthetic_variance": st.floats(0.01, 100.0),
    "shift_squared": st.floats(0.0, 3.0),
    "bias_squared": st.floats(0.0, 1.0),
}

# --- stability -----------------------------------------------------------------------------------


@settings(max_examples=200)
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


@settings(max_examples=100)
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


@settings(max_examples=100)
@given(gap=st.floats(-5.0, 0.0), **constants)
def test_a_negative_gap_counts_as_none(n, m, gap, lipschitz, capacity):
    options = {"lipschitz": lipschitz, "capacity": capacity}
    assert stability_bound(n, m, gap=gap, **options) == stability_bound(n, m, gap=0.0, **options)


@settings(max_examples=100)
@given(**constants)
def test_from_the_critical_gap_on_the_bound_takes_nothing(n, m, lipschitz, capacity):
    options = {"lipschitz": lipschitz, "capacity": capacity}
    critical = critical_gap(n, **options)
    assert critical == pytest.approx(capacity / (n * lipschitz))
    below, at, above = (
        stability_bound(n, m, gap=critical * factor, **options) for factor in (0.999, 1.0, 1.001)
    )
    assert below.weight > 0
    assert below.interior
    assert at.weight == pytest.approx(0.0, abs=1e-12)
    assert (above.weight, above.ratio, above.interior) == (0.0, 0.0, False)


@settings(max_examples=50)
@given(gaps=st.lists(st.floats(0.0, 3.0), min_size=2, max_size=8), **constants)
def test_a_larger_gap_never_asks_for_more(gaps, n, m, lipschitz, capacity):
    options = {"lipschitz": lipschitz, "capacity": capacity}
    weights = [stability_bound(n, m, gap=gap, **options).weight for gap in sorted(gaps)]
    # But for the last digit: two gaps may differ by less than the weight can tell.
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(weights))


@settings(max_examples=100)
@given(gap=st.floats(0.0, 5.0), **constants)
def test_rows_of_equal_weight_are_all_taken_or_none(gap, n, m, lipschitz, capacity):
    k = np.arange(m + 1)
    alpha = k / (n + k)
    # 1/k of the variance is undefined at k = 0, where alpha^2 / k is 0.
    spread = (1 - alpha) ** 2 / n + alpha**2 / np.maximum(k, 1)
    excess = 2 * alpha * lipschitz * gap + capacity * spread
    bound = stability_bound(n, m, gap=gap, lipschitz=lipschitz, capacity=capacity)
    assert bound.row_ratio in (0.0, m / n)
    assert excess[round(bound.row_ratio * n)] == pytest.approx(excess.min(), rel=1e-9)


def test_a_flat_loss_has_no_critical_gap():
    bound = stability_bound(10, 30, gap=2.0, lipschitz=0.0, capacity=1.0)
    assert critical_gap(10, lipschitz=0.0, capacity=1.0) == float("inf")
    assert bound.ratio == bound.row_ratio == pytest.approx(3.0)


def test_more_real_rows_or_less_noise_lower_the_critical_gap():
    gaps = [critical_gap(n, lipschitz=2.0, capacity=c) for n, c in ((50, 9), (100, 9), (100, 3))]
    assert gaps == sorted(gaps, reverse=True)


# --- variance ------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(**parts)
def test_the_variance_form_is_minimised_by_weight(n, m, **values):
    def excess(alpha):
        own = values["variance"] / n + values["bias_squared"]
        others = values["synthetic_variance"] / m + values["shift_squared"]
        return (1 - alpha) ** 2 * own + alpha**2 * others

    bound = variance_bound(n, m, **values)
    grid = np.linspace(0, 1, 100_001)
    assert bound.weight == pytest.approx(grid[np.argmin(excess(grid))], abs=1.01e-5)
    assert excess(bound.weight) <= excess(grid).min() * (1 + 1e-9)
    assert bound.weight == pytest.approx(bound.ratio / (1 + bound.ratio))


@settings(max_examples=200)
@given(**parts)
def test_the_variance_form_is_minimised_by_rows(n, m, **values):
    def excess(k):
        alpha = k / (n + k)
        spread = alpha**2 / np.maximum(k, 1) * values["synthetic_variance"]
        own = values["variance"] / n + values["bias_squared"]
        return (1 - alpha) ** 2 * own + spread + alpha**2 * values["shift_squared"]

    bound = variance_bound(n, m, **values)
    assert 0 <= bound.row_ratio <= m / n * (1 + 1e-12)
    lowest = excess(np.arange(m + 1)).min()
    near = bound.row_ratio * n
    # The closed form may lie between two counts.
    assert min(excess(np.floor(near + 1e-6)), excess(np.ceil(near - 1e-6))) <= lowest * (1 + 1e-9)


def test_the_variance_form_without_bias_is_the_textbook_average_of_two_estimates():
    bound = variance_bound(100, 400, variance=3.0, synthetic_variance=8.0, shift_squared=0.05)
    assert bound.weight == pytest.approx(0.03 / (0.03 + 0.02 + 0.05))


@settings(max_examples=100)
@given(n=st.integers(1, 5000), m=st.integers(1, 50_000), variance=st.floats(0.01, 100.0))
def test_without_a_shift_equal_variances_pool(n, m, variance):
    bound = variance_bound(n, m, variance=variance, synthetic_variance=variance, shift_squared=0.0)
    assert bound.weight == pytest.approx(m / (n + m))
    assert bound.row_ratio == pytest.approx(m / n)
    assert not bound.interior


def test_unlimited_rows_without_a_shift_take_over():
    values = {"variance": 2.0, "synthetic_variance": 2.0}
    assert variance_bound(50, 10**12, shift_squared=0.0, **values).weight == pytest.approx(1.0)
    shifted = variance_bound(50, 10**12, shift_squared=0.04, **values)
    assert shifted.weight == pytest.approx(0.5)
    # (V/n) / (2 D^2 - V_s/n) with V = V_s
    assert shifted.row_ratio == pytest.approx(1.0)


def test_a_huge_shift_leaves_nothing():
    bound = variance_bound(50, 500, variance=2.0, synthetic_variance=2.0, shift_squared=1e9)
    assert bound.weight == pytest.approx(0.0, abs=1e-9)
    assert bound.row_ratio == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["shift_squared", "bias_squared"])
def test_a_negative_square_counts_as_none_and_is_shown(name):
    values = {"variance": 2.0, "synthetic_variance": 3.0, "shift_squared": 0.1, "bias_squared": 0.1}
    negative = variance_bound(50, 500, **{**values, name: -0.3})
    none = variance_bound(50, 500, **{**values, name: 0.0})
    assert (negative.weight, negative.row_ratio) == (none.weight, none.row_ratio)
    assert negative.constants[name] == -0.3


@pytest.mark.parametrize(
    ("variance", "synthetic_variance", "weight", "ratio"),
    [(0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 1.0, float("inf"))],
)
def test_sides_without_error_have_a_limit(variance, synthetic_variance, weight, ratio):
    bound = variance_bound(
        10, 30, variance=variance, synthetic_variance=synthetic_variance, shift_squared=0.0
    )
    assert (bound.weight, bound.ratio, bound.interior) == (weight, ratio, False)
    assert bound.row_ratio == (3.0 if weight else 0.0)


# --- beside the path -----------------------------------------------------------------------------


def test_a_bound_in_the_interval_agrees():
    bound = variance_bound(
        100, 10**9, variance=5.0, synthetic_variance=5.0, shift_squared=0.05
    ).compared(2.0, (0.5, 3.0), highest=10.0, n=100)
    assert bound.equivalent
    assert bound.log_distance == pytest.approx(np.log(200.5 / 100.5))


@pytest.mark.parametrize(("recommended", "agrees"), [(4.0, True), (0.5, False), (0.0, False)])
def test_a_bound_that_wants_more_than_was_considered_agrees_with_all(recommended, agrees):
    bound = stability_bound(10, 90, gap=0.0, lipschitz=1.0, capacity=1.0)
    beside = bound.compared(recommended, (0.0, recommended), highest=4.0, n=10)
    assert beside.equivalent is agrees
    assert beside.log_distance == pytest.approx(np.log(40.5 / (recommended * 10 + 0.5)))


def test_none_and_none_are_no_distance_apart():
    bound = stability_bound(10, 90, gap=9.0, lipschitz=1.0, capacity=1.0)
    beside = bound.compared(0.0, (0.0, 0.0), highest=9.0, n=10)
    assert (beside.equivalent, beside.log_distance) == (True, 0.0)


@pytest.mark.parametrize(
    "bound",
    [
        stability_bound(10, 30, gap=0.02, lipschitz=2.0, capacity=1.5),
        stability_bound(10, 30, gap=2.0, lipschitz=0.0, capacity=1.0),
        variance_bound(10, 30, variance=1.0, synthetic_variance=2.0, shift_squared=-0.1),
        variance_bound(10, 30, variance=1.0, synthetic_variance=0.0, shift_squared=0.0),
    ],
)
def test_a_bound_survives_json(bound):
    for each in (bound, bound.compared(1.0, (0.5, 2.0), highest=3.0, n=10)):
        written = json.dumps(each.to_dict(), allow_nan=False)
        assert Bound.from_dict(json.loads(written)) == each


def test_a_bound_lists_what_it_was_computed_from():
    bound = stability_bound(10, 30, gap=0.02, lipschitz=2.0, capacity=1.5)
    assert bound.constants == {
        "gap": 0.02,
        "lipschitz": 2.0,
        "capacity": 1.5,
        "n_real": 10.0,
        "n_synthetic": 30.0,
    }
    assert "not identified by theory" in bound.caveat


# --- constants -----------------------------------------------------------------------------------


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
