"""Targets as numbers and back."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError


def generator(seed=0):
    return np.random.default_rng(seed)


def test_a_number_is_standardised_by_the_real_rows_and_can_be_restored():
    y = generator().normal(50.0, 9.0, 100)
    code = TargetCode.fit(pd.DataFrame({"y": y}), "y", "regression")
    encoded = code.encode(pd.DataFrame({"y": y}), "real")
    assert encoded.shape == (100, 1)
    assert (encoded.mean(), encoded.std()) == pytest.approx((0.0, 1.0))
    other = generator(1).normal(-5.0, 1.0, 30)
    restored = code.encode(pd.DataFrame({"y": other}), "synthetic")[:, 0] * code.scale + code.center
    np.testing.assert_allclose(restored, other)


@pytest.mark.parametrize(
    ("labels", "again"),
    [
        (["b", "a", "c", "a"], ["b", "a", "c", "a"]),
        ([2, 1, 10, 1], [2.0, 1.0, 10.0, 1.0]),
        ([True, False, True, False], [True, False, True, False]),
        (["b", "a", "c", "a"], pd.Categorical(["b", "a", "c", "a"])),
    ],
)
def test_a_class_is_one_column_and_can_be_restored(labels, again):
    code = TargetCode.fit(pd.DataFrame({"y": labels}), "y", "classification")
    encoded = code.encode(pd.DataFrame({"y": again}), "synthetic")
    assert encoded.shape == (4, len(set(labels)))
    np.testing.assert_array_equal(encoded.sum(axis=1), 1.0)
    assert [code.classes[i] for i in encoded.argmax(axis=1)] == [str(label) for label in labels]


def code_of(real, task="regression", synthetic=()):
    """Fit on the real values and encode the synthetic ones."""
    code = TargetCode.fit(pd.DataFrame({"y": real}), "y", task)
    return code.encode(pd.DataFrame({"y": synthetic}), "synthetic")


def refusal(error, *data, **options):
    with pytest.raises(error) as caught:
        code_of(*data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("task", "values", "words"),
    [
        ("classification", ["a", "a"], "one class only, 'a'"),
        ("regression", [3.0, 3.0], "constant (3)"),
        ("regression", [1.0, np.nan, 2.0], "missing in 1 of 3 rows"),
        ("classification", ["a", None, "b"], "missing in 1 of 3 rows"),
        ("regression", [1.0, np.inf], "infinite"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(task, values, words):
    error = refusal(DataError, values, task)
    assert words in str(error)
    assert (error.dataset, error.column) == ("real", "y")


@pytest.mark.parametrize(
    ("task", "real", "synthetic", "words"),
    [
        ("classification", ["a", "b"], ["a", "z"], "class 'z', which no real row has"),
        ("regression", [1.0, 2.0], [1.0, np.nan], "missing in 1 of 2 rows"),
        ("regression", [1.0, 2.0], [1.0, -np.inf], "infinite"),
    ],
)
def test_a_synthetic_target_that_cannot_be_used_is_refused(task, real, synthetic, words):
    error = refusal(DataError, real, task, synthetic)
    assert words in str(error)
    assert (error.dataset, error.column) == ("synthetic", "y")


def test_a_synthetic_target_may_be_constant():
    code = TargetCode.fit(pd.DataFrame({"y": [1.0, 3.0]}), "y", "regression")
    np.testing.assert_array_equal(code.encode(pd.DataFrame({"y": [2.0, 2.0]}), "s"), [[0.0], [0.0]])


@pytest.mark.parametrize("values", [["a", "b"], [True, False]])
def test_a_regression_needs_numbers(values):
    error = refusal(ConfigError, values)
    assert error.option == "task"
    assert "'y' of dataset 'real'" in str(error)
    assert "classification" in error.fix


def test_an_unknown_task_is_refused_with_the_nearest():
    error = refusal(UnknownChoiceError, [1.0, 2.0], "classificaton")
    assert "Did you mean 'classification'" in str(error)


def test_a_constant_target_is_refused_whatever_its_rounding():
    refusal(DataError, [0.1] * 37, synthetic=[0.1])
