"""Nystroem features against the exact kernel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.encoding.nystroem import NystroemMap


def generator(seed=0):
    return np.random.default_rng(seed)


def kernel(a, b, bandwidth):
    from sklearn.metrics.pairwise import rbf_kernel

    return rbf_kernel(a, b, gamma=1 / (2 * bandwidth**2))


def fitted(n=25, m=30, d=3, landmarks=300, seed=0):
    rng = generator(seed)
    real, synthetic = rng.normal(size=(n, d)), rng.normal(0.5, 1.0, size=(m, d))
    return NystroemMap.fit(real, synthetic, rng=rng, landmarks=landmarks), real, synthetic


@settings(max_examples=15)
@given(n=st.integers(2, 30), m=st.integers(2, 30), d=st.integers(1, 6), seed=st.integers(0, 99))
def test_with_every_point_a_landmark_the_kernel_is_exact(n, m, d, seed):
    feature_map, real, synthetic = fitted(n, m, d, seed=seed)
    points = np.concatenate((real, synthetic))
    features = feature_map.transform(points)
    np.testing.assert_allclose(
        features @ features.T, kernel(points, points, feature_map.bandwidth), atol=1e-6
    )


def test_features_of_the_landmarks_reproduce_their_kernel():
    feature_map, real, _ = fitted(200, 200, 3, landmarks=40)
    at = feature_map.landmarks
    features = feature_map.transform(at)
    np.testing.assert_allclose(
        features @ features.T, kernel(at, at, feature_map.bandwidth), atol=1e-6
    )
    # Elsewhere they are a projection: never longer than the kernel's 1.
    assert np.all(np.sum(feature_map.transform(real) ** 2, axis=1) <= 1 + 1e-8)


@pytest.mark.parametrize(
    ("n", "m", "from_real"), [(200, 200, 20), (200, 5, 35), (5, 200, 5), (12, 13, 12)]
)
def test_landmarks_come_half_from_each_side_where_there_are_enough(n, m, from_real):
    feature_map, real, _ = fitted(n, m, landmarks=40)
    known = {tuple(row) for row in real}
    assert len(feature_map.landmarks) == min(40, n + m)
    assert sum(tuple(row) in known for row in feature_map.landmarks) == from_real


def test_the_bandwidth_is_the_median_distance_in_the_units_of_the_points():
    from scipy.spatial.distance import pdist

    rng = generator()
    real, synthetic = rng.normal(size=(20, 2)), rng.normal(size=(15, 2))
    feature_map = NystroemMap.fit(real, synthetic, rng=generator(1))
    assert feature_map.bandwidth == pytest.approx(
        np.median(pdist(np.concatenate((real, synthetic))))
    )
    scaled = NystroemMap.fit(7 * real, 7 * synthetic, rng=generator(1))
    np.testing.assert_allclose(scaled.transform(7 * real), feature_map.transform(real), atol=1e-6)


def test_copies_do_not_break_the_features():
    real = generator().normal(size=(20, 2))
    features = NystroemMap.fit(real, real.copy(), rng=generator(1)).transform(real)
    assert features.shape[1] <= 20
    assert np.isfinite(features).all()


def test_one_point_repeated_has_one_feature():
    real = np.ones((20, 2))
    features = NystroemMap.fit(real, real, rng=generator(1)).transform(real)
    np.testing.assert_allclose(features**2, 1.0)


def test_gradients_agree_with_finite_differences():
    feature_map, real, _ = fitted(30, 40, 4, landmarks=25)
    coefficients = generator(1).normal(size=feature_map.whitening.shape[1])
    gradients = feature_map.gradients(real, coefficients)
    step = 1e-5
    for axis in range(4):
        move = step * np.eye(4)[axis]
        after, before = (feature_map.transform(real + s * move) @ coefficients for s in (1, -1))
        np.testing.assert_allclose(
            gradients[:, axis], (after - before) / (2 * step), rtol=1e-4, atol=1e-6
        )
