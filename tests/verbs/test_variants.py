"""Several generators, classes, domains and no target, from frames to a sentence."""

import json

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster import (
    mix,
    recommend_for_domain,
    recommend_generators,
    recommend_per_class,
    recommend_without_target,
)
from synthmix_dagster.errors import ConfigError, DataError


def rows(n, seed, slope=1.0, *, named=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    kind = rng.choice(["a", "b"], size=n)
    y = slope * x + (kind == "a") + rng.normal(0, 0.5, n)
    return pd.DataFrame(
        {"x": x, "kind": kind, "y": np.where(y > 0.5, "high", "low") if named else y}
    )


def test_the_good_generator_is_found_and_its_ratio_can_be_mixed(tmp_path):
    real, good, bad = rows(60, 0), rows(400, 1), rows(400, 2, slope=-1.0)
    found = recommend_generators(real, {"good": good, "bad": bad}, target="y", task="regression")
    assert found.ratios["good"] > found.ratios["bad"]
    assert "good" in found.reason
    json.dumps(found.to_dict(), allow_nan=False)
    release = mix(real, {"good": good, "bad": bad}, ratio=found.ratios, output=tmp_path)
    assert release.manifest["realised"]["real_rows"] == 60


def test_another_domain_counts_for_less_than_rows_that_are_right():
    found = recommend_for_domain(
        rows(30, 0), rows(400, 1, slope=-1.0), rows(400, 2), target="y", task="regression"
    )
    assert found.ratios["synthetic"] > found.ratios["other"]


def test_classes_are_named():
    found = recommend_per_class(rows(80, 0, named=True), rows(300, 1, named=True), target="y")
    assert {of.name for of in found.classes} == {"high", "low"}
    assert found.reason


def test_without_a_target_wrong_labels_are_said_to_be_invisible():
    real, synthetic = rows(80, 0), rows(300, 1)
    found = recommend_without_target(real, synthetic, ignore="y")
    far = recommend_without_target(real, synthetic.assign(x=synthetic.x + 4), ignore="y")
    assert found.ratio > far.ratio
    assert "invisible" in found.reason


def test_datasets_are_called_by_their_names():
    real = rows(60, 0)
    with pytest.raises(DataError) as caught:
        recommend_generators(
            real,
            {"good": rows(60, 1), "odd": rows(60, 2).drop(columns="y")},
            target="y",
            task="regression",
        )
    assert caught.value.dataset == "odd"
    for generators in ({}, {"real": real}):
        with pytest.raises(ConfigError) as refused:
            recommend_generators(real, generators, target="y", task="regression")
        assert refused.value.option == "generators"
