"""Cross-fitting: each fold is judged with a generator that never saw it."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.crossfit import FOLDS
from synthmix_dagster.verbs.core import recommend_ratio


def rows(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame({"x": x, "y": np.sin(2 * x) + rng.normal(0, 0.5, n)})


class Copier:
    """Repeats what it was fitted to: the worst case of a generator that saw the real rows."""

    def __init__(self):
        self.fitted = []

    def fit(self, frame):
        self.fitted.append(frame)

    def sample(self, count):
        return self.fitted[-1].sample(count, replace=True, random_state=0).reset_index(drop=True)


class Oracle(Copier):
    """Draws from the true distribution, whatever it was fitted to."""

    def sample(self, count):
        return rows(count, 77)


def ask(real, synthetic, **options):
    return recommend_ratio(real, synthetic, target="y", task="regression", **options)


def test_a_copier_looks_good_to_leave_one_out_and_not_to_cross_fitting():
    real = rows(150, 0)
    synthetic = pd.concat([real] * 4, ignore_index=True)
    trap = ask(real, synthetic)
    assert trap.baselines["all"] < 0.95 * trap.baselines["none"]
    generator = Copier()
    found = ask(real, synthetic, generator=generator)
    assert found.provenance.judged == "cross-fitted"
    assert found.baselines["all"] > 0.98 * found.baselines["none"]
    assert len(generator.fitted) == FOLDS
    # Every row is left out of one fit and part of all others.
    assert sorted(len(frame) for frame in generator.fitted) == [120] * 5
    seen = pd.concat(generator.fitted)["x"].value_counts()
    assert set(seen) == {FOLDS - 1}


def test_a_good_generator_is_used():
    found = ask(rows(150, 0), rows(600, 1), generator=Oracle())
    assert found.ratio >= 2
    assert found.baselines["recommended"] < found.baselines["none"]


def test_ratios_mean_the_same_as_without():
    real, synthetic = rows(150, 0), rows(600, 1)
    counts = [
        [point.rows for point in ask(real, synthetic, **options).curve]
        for options in ({"rule": "path"}, {"generator": Oracle()})
    ]
    assert counts[0] == counts[1]


class Fails(Copier):
    def fit(self, frame):
        raise RuntimeError("out of luck")


class Short(Copier):
    def sample(self, count):
        return super().sample(count)[: count - 1]


class Odd(Copier):
    def sample(self, count):
        return super().sample(count).drop(columns="x")


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        (Fails(), "Fails failed on .* real rows .out of luck"),
        (Short(), "returned .* rows where a DataFrame of"),
        (Odd(), "column 'x'.*is not there"),
    ],
)
def test_a_generator_that_cannot_be_used_is_named(generator, words):
    with pytest.raises(DataError, match=words):
        ask(rows(50, 0), rows(100, 1), generator=generator)


@pytest.mark.parametrize("options", [{"evaluation": rows(50, 3)}, {"learner": "trees"}])
def test_one_judge_is_enough(options):
    with pytest.raises(ConfigError, match="generator"):
        ask(rows(50, 0), rows(100, 1), generator=Oracle(), **options)
