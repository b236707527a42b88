"""Features and inputs of the learners."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.learners import LinearMap, sample_path, tree_inputs
from synthmix_dagster.ratio.sample import EncodedSample


def frame(n, seed):
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "kind": rng.choice(["a", "b", "c"], size=n),
            "flag": rng.random(n) < 0.5,
            "vector": list(rng.normal(size=(n, 2))),
        }
    )
    made.loc[rng.random(n) < 0.1, "x"] = np.nan
    made["y"] = made.x.fillna(0) + (made.kind == "a") + rng.normal(size=n)
    return made


@pytest.fixture
def sample():
    frames = {"real": frame(80, 0), "synthetic": frame(120, 1)}
    return EncodedSample.encode(frames, TargetCode.fit(frames["real"], "y", "regression"))


def test_trees_get_one_number_a_column(sample):
    inputs, categorical = tree_inputs(sample)
    assert categorical == [False, True, False, False, False]
    for side, array in inputs.items():
        rows = sample.frames[side]
        assert array.shape == (len(rows), 5)
        np.testing.assert_array_equal(np.isnan(array[:, 0]), rows.x.isna())
        # One number a level, the same on both sides.
        assert pd.DataFrame({"n": array[:, 1], "k": rows.kind}).drop_duplicates().shape[0] == 3
    order = [dict(zip(sample.frames[s].kind, inputs[s][:, 1], strict=True)) for s in inputs]
    assert order[0] == order[1]


def test_linear_features_have_an_intercept_and_the_norm_of_a_kernel(sample):
    real = sample.points["real"]
    features = LinearMap.fit(real).transform(real)
    assert features.shape == (80, real.shape[1] + 1)
    assert np.mean(np.sum(features**2, axis=1)) == pytest.approx(1.0)
    np.testing.assert_allclose(features[:, 1:] / features[:, :1], real)


def test_a_linear_path_does_not_depend_on_where_the_origin_of_the_target_is(sample):
    """Without the intercept the fit would be pulled to the real mean of the target."""
    transform = LinearMap.fit(sample.points["real"]).transform
    moved = {side: target + 5 for side, target in sample.targets.items()}
    before = sample_path(sample, transform, [0]).risks
    after = sample_path(
        EncodedSample(sample.frames, sample.points, moved, sample.encoder, sample.code),
        transform,
        [0],
    ).risks
    np.testing.assert_allclose(after, before, rtol=0.2)
