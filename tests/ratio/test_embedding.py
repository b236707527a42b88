"""The mean-embedding risk: against brute force, naive estimates and simulation."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.embedding import (
    EmbeddingOptimum,
    _best_count,
    _discrepancy,
    embedding_optimum,
    embedding_risk,
)


@settings(max_examples=300)
@given(
    n=st.integers(1, 60),
    most=st.integers(0, 300),
    variance=st.floats(0.01, 10),
    synthetic_variance=st.floats(0.01, 10),
    square=st.floats(-1, 3),
)
def test_the_closed_form_is_the_lowest_of_all_counts(n, most, variance, synthetic_variance, square):
    constants = variance, synthetic_variance, square
    risks = embedding_risk(n, np.arange(most + 1), *constants)
    best = _best_count(n, most, *constants)
    assert risks[best] <= risks.min() * (1 + 1e-12)


def test_the_risk_is_the_squared_error_of_the_mean_of_a_mix():
    rng = np.random.default_rng(0)
    n, scale, offset = 20, np.array([1.0, 2.0]), np.array([0.3, 0.0])
    for k in (0, 5, 60):
        errors = []
        for _ in range(4_000):
            real, synthetic = rng.normal(size=(n, 2)), scale * rng.normal(size=(k, 2)) + offset
            errors.append(np.sum(np.concatenate((real, synthetic)).mean(axis=0) ** 2))
        expected = embedding_risk(n, np.array([k]), 2.0, 5.0, 0.09)[0]
        assert np.mean(errors) == pytest.approx(expected, rel=0.06)


def test_the_discrepancy_and_its_error_are_those_of_naive_loops():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(7, 3)), rng.normal(size=(9, 3)) + 0.5

    def naive(x, z):
        own = np.mean([a @ b for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
        other = np.mean([a @ b for i, a in enumerate(z) for j, b in enumerate(z) if i != j])
        return own + other - 2 * np.mean(x @ z.T)

    square, error = _discrepancy(x, z)
    assert square == pytest.approx(naive(x, z))
    spread = 0.0
    for replicates in (
        [naive(np.delete(x, i, axis=0), z) for i in range(7)],
        [naive(x, np.delete(z, j, axis=0)) for j in range(9)],
    ):
        spread += (len(replicates) - 1) * np.var(replicates)
    assert error == pytest.approx(np.sqrt(spread))


def test_the_discrepancy_has_no_bias():
    rng = np.random.default_rng(1)
    found = [
        _discrepancy(rng.normal(size=(15, 2)), rng.normal(size=(25, 2)) + 0.4)[0]
        for _ in range(4_000)
    ]
    assert np.mean(found) == pytest.approx(2 * 0.16, abs=3 * np.std(found) / 4_000**0.5)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_the_interval_contains_the_best_ratio_nine_times_in_ten(shift):
    rng = np.random.default_rng(2)
    real, synthetic = rng.normal(size=(8_000, 4)), rng.normal(size=(8_000, 4))
    synthetic[:, 0] += shift
    features = NystroemMap.fit(real[:200], synthetic[:200], rng=rng, landmarks=60)
    real, synthetic = features.transform(real), features.transform(synthetic)
    n, m = 100, 1_000
    sides = (float(np.var(side, axis=0).sum()) for side in (real, synthetic))
    best = _best_count(n, m, *sides, _discrepancy(real, synthetic)[0]) / n
    covered = []
    for _ in range(200):
        some, others = rng.permutation(8_000)[:n], rng.permutation(8_000)[:m]
        low, high = embedding_optimum(real[some], synthetic[others]).interval
        covered.append(low <= best <= high)
    assert np.mean(covered) > 0.86


def test_more_rows_of_a_nearer_distribution_are_taken():
    rng = np.random.default_rng(3)
    real, synthetic = rng.normal(size=(100, 3)), rng.normal(size=(2_000, 3))
    ratios = [
        embedding_optimum(real, synthetic + shift).ratio for shift in (0.0, 0.1, 0.3, 1.0, 5.0)
    ]
    assert ratios[0] == 20
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 0.05


def test_rotations_and_the_order_of_rows_do_not_matter():
    rng = np.random.default_rng(4)
    real, synthetic = rng.normal(size=(30, 4)), rng.normal(size=(80, 4)) + 0.3
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    one = embedding_optimum(real, synthetic)
    other = embedding_optimum(
        real[rng.permutation(30)] @ turn, synthetic[rng.permutation(80)] @ turn
    )
    assert other.rows == one.rows
    assert other.discrepancy == pytest.approx(one.discrepancy)
    assert other.discrepancy_error == pytest.approx(one.discrepancy_error)
    np.testing.assert_allclose(other.risks, one.risks)


def test_the_weight_of_all_rows_minimises_the_weighted_risk():
    rng = np.random.default_rng(5)
    real, synthetic = rng.normal(size=(50, 3)), rng.normal(size=(70, 3)) + 0.3
    found = embedding_optimum(real, synthetic)
    alphas = np.linspace(0, 1, 100_001)
    risks = (1 - alphas) ** 2 * found.variance / 50 + alphas**2 * (
        found.synthetic_variance / 70 + found.discrepancy
    )
    alpha = alphas[risks.argmin()]
    assert found.row_weight == pytest.approx(alpha / (1 - alpha) * 50 / 70, rel=1e-3)


def test_the_reason_says_what_it_cannot_see():
    rng = np.random.default_rng(6)
    real, near = rng.normal(size=(50, 3)), rng.normal(size=(100, 3))
    told = embedding_optimum(real, near).reason
    assert "labels are invisible" in told
    assert "cannot be told apart" in told
    far = embedding_optimum(real, near + 9)
    assert far.rows == 0
    assert far.reason.startswith("Use no synthetic rows")
    assert "differ from the real ones" in far.reason


def test_it_survives_json_keeps_its_limit_and_names_bad_input():
    rng = np.random.default_rng(7)
    real, synthetic = rng.normal(size=(20, 3)), rng.normal(size=(50, 3))
    found = embedding_optimum(real, synthetic, max_ratio=0.5)
    assert found.rows == 10 == found.counts[-1]
    assert EmbeddingOptimum.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert embedding_optimum(real, np.zeros((50, 3)), max_ratio=0).rows == 0
    with pytest.raises(DataError, match=r"'synthetic'.*2 rows"):
        embedding_optimum(real, synthetic[:2])
    with pytest.raises(ConfigError, match="max_ratio"):
        embedding_optimum(real, synthetic, max_ratio=-0.1)
