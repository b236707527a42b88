"""All rows weighted: against scikit-learn's sample weights, and what a weight has to be like."""

import json

import numpy as np
import pytest

from synthmix_dagster.errors import UnknownChoiceError
from synthmix_dagster.ratio.path import risk_path
from synthmix_dagster.ratio.weighted import WeightedOptimum, weighted_optimum


def linear(n=30, m=40, p=6, noise=1.0, synthetic_noise=1.0, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(p, 1))
    x, z = rng.normal(size=(n, p)), rng.normal(size=(m, p))
    y = x @ truth + noise * rng.normal(size=(n, 1))
    t = z @ (truth + shift) + synthetic_noise * rng.normal(size=(m, 1))
    return (x, y, z, t), truth


@pytest.mark.parametrize("k", [0, 10, 40, 200])
def test_a_weight_is_a_sample_weight_of_scikit_learn(k):
    from sklearn.linear_model import Ridge

    (x, y, z, t), _ = linear()
    n, m, ridge = len(x), len(z), 0.05
    path = risk_path(x, y, z, t, [k], ridges=[ridge], thinned=False)
    weights = np.concatenate((np.ones(n), np.full(m, k / m)))
    rows, targets = np.concatenate((x, z)), np.concatenate((y, t))
    expected = []
    for i in range(n):
        kept = np.arange(n + m) != i
        model = Ridge(alpha=ridge * (n + k), fit_intercept=False)
        model.fit(rows[kept], targets[kept], sample_weight=weights[kept])
        expected.append((y[i, 0] - model.predict(x[[i]]).item()) ** 2)
    np.testing.assert_allclose(path.losses[0], expected, rtol=1e-6)
    assert path.risks[0] == pytest.approx(np.mean(expected))


def test_all_rows_and_all_rows_weighing_one_are_the_same():
    data, _ = linear()
    rows = risk_path(*data, [0, 40])
    weighted = risk_path(*data, [0, 40], thinned=False)
    np.testing.assert_allclose(weighted.risks, rows.risks)


def test_twice_the_same_rows_at_half_the_weight_are_the_same():
    (x, y, z, t), _ = linear()
    counts = [5, 40, 300]
    once = risk_path(x, y, z, t, counts, thinned=False)
    twice = risk_path(x, y, np.tile(z, (2, 1)), np.tile(t, (2, 1)), counts, thinned=False)
    np.testing.assert_allclose(twice.risks, once.risks)


def test_weighting_all_rows_costs_less_than_drawing_some():
    differences = []
    for seed in range(5):
        data, _ = linear(m=400, shift=0.3, seed=seed)
        counts = [10, 30, 90]
        drawn = risk_path(*data, counts).risks
        differences.append(drawn - risk_path(*data, counts, thinned=False).risks)
    assert (np.mean(differences, axis=0) > 0).all()


def test_rows_without_noise_weigh_more_than_noisy_real_ones():
    lower = []
    for seed in range(5):
        (x, y, z, t), truth = linear(n=40, m=20, noise=3.0, synthetic_noise=0.1, seed=seed)
        found = weighted_optimum(x, y, z, t, rule="best")
        assert found.row_weight > 2

        def excess(weight, x=x, y=y, z=z, t=t, truth=truth):
            gram, cross = x.T @ x + weight * z.T @ z, x.T @ y + weight * z.T @ t
            return np.sum((np.linalg.solve(gram + 0.01 * np.eye(6), cross) - truth) ** 2)

        lower.append(excess(found.row_weight) < excess(1.0))
    assert all(lower)


def test_rows_of_another_relation_get_no_weight():
    data, _ = linear(n=200, m=400, shift=2.0)
    found = weighted_optimum(*data, rule="smallest_equivalent")
    assert found.row_weight == found.weight == found.rows == 0
    assert found.reason.startswith("Give synthetic rows no weight")


def test_the_gain_is_the_difference_of_the_risks_and_the_weights_belong_together():
    data, _ = linear(m=300, shift=0.5)
    found = weighted_optimum(*data, rule="best")
    assert found.risk == min(found.risks)
    assert found.gain == pytest.approx(found.risk_of_rows - found.risk)
    assert found.gain_error > 0
    # alpha / (1 - alpha) * n / m
    assert found.row_weight == pytest.approx(found.weight / (1 - found.weight) * 30 / 300)
    assert found.interval[0] <= found.row_weight <= found.interval[1]
    assert found.gain <= found.gain_error
    assert "differ by less than the standard error of that difference" in found.reason


def test_a_gain_beyond_its_error_is_told_with_its_weight():
    (x, y, z, t), _ = linear(n=40, m=20, noise=3.0, synthetic_noise=0.1)
    found = weighted_optimum(x, y, z, t, rule="best")
    assert found.gain > found.gain_error
    assert f"Weigh each of the 20 synthetic rows as {found.row_weight:.3g}" in found.reason


def test_evaluation_rows_judge_and_most_limits_the_rows_compared_with():
    data, truth = linear(m=300)
    x = np.random.default_rng(5).normal(size=(500, 6))
    found = weighted_optimum(*data, evaluation=(x, x @ truth), max_rows=20)
    assert found.rows <= 20
    # Noiseless judges see the excess error alone.
    assert found.risk < 0.2


def test_it_survives_json_and_names_a_wrong_rule():
    data, _ = linear()
    found = weighted_optimum(*data)
    assert WeightedOptimum.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(UnknownChoiceError):
        weighted_optimum(*data, rule="larges_equivalent")
