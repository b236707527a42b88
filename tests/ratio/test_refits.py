"""Fits of a learner to a few mixes: against plain cross-validation, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.decision import decide
from synthmix_dagster.ratio.refits import (
    FOLDS,
    Refits,
    gradient_boosting,
    proposed_counts,
)
from synthmix_dagster.seeds import rng_of


def rows(n, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    frame["y"] = 3 + 2 * frame.x + rng.normal(0, 0.3, n)
    return frame


def case(task="regression", n=60, m=90, **sides):
    frames = {"real": rows(n, 0), "synthetic": rows(m, 1), **sides}
    if task == "classification":
        frames = {
            side: frame.assign(y=np.where(frame.y > 3, "b", "a")) for side, frame in frames.items()
        }
    code = TargetCode.fit(frames["real"], "y", task)
    inputs = {side: frame[["x", "z"]] for side, frame in frames.items()}
    return inputs, {side: code.encode(frame, side) for side, frame in frames.items()}, code


def test_without_synthetic_rows_it_is_cross_validation():
    from sklearn.linear_model import Ridge

    inputs, targets, code = case()
    losses = Refits(Ridge(), inputs, targets, code, 0).losses([0])[0]
    order = rng_of(0, "refits")
    order.permutation(90)
    order = order.permutation(60)
    for fold in range(FOLDS):
        out = order[fold::FOLDS]
        kept = np.setdiff1d(np.arange(60), out)
        fit = Ridge().fit(inputs["real"].iloc[kept], targets["real"][kept, 0])
        expected = (targets["real"][out, 0] - fit.predict(inputs["real"].iloc[out])) ** 2
        np.testing.assert_allclose(losses[out], expected)


def test_evaluation_rows_judge_one_fit_to_everything():
    from sklearn.linear_model import Ridge

    inputs, targets, code = case(evaluation=rows(40, 2))
    losses = Refits(Ridge(), inputs, targets, code, 0).losses([0, 90])
    assert losses.shape == (2, 40)
    both = [np.concatenate([side["real"], side["synthetic"]]) for side in (inputs, targets)]
    fit = Ridge().fit(both[0], both[1][:, 0])
    expected = (targets["evaluation"][:, 0] - fit.predict(inputs["evaluation"].to_numpy())) ** 2
    np.testing.assert_allclose(losses[1], expected, rtol=1e-8)


def test_classes_are_judged_by_their_probabilities():
    from sklearn.linear_model import LogisticRegression

    inputs, targets, code = case("classification")
    losses = Refits(LogisticRegression(), inputs, targets, code, 0).losses([0, 90])
    assert losses.min() >= 0
    assert losses.max() <= 2
    assert losses.mean() < 0.3


def test_a_class_that_a_fold_lacks_has_no_probability_there():
    from sklearn.dummy import DummyClassifier

    frames = rows(20, 0)
    frames["y"] = ["rare", *["common"] * 19]
    code = TargetCode.fit(frames, "y", "classification")
    inputs, target = frames[["x"]], code.encode(frames, "real")
    sides = {"real": inputs, "synthetic": inputs}, {"real": target, "synthetic": target}
    losses = Refits(DummyClassifier(strategy="prior"), *sides, code, 0).losses([0])
    assert losses[0, 0] == pytest.approx(2.0)


def test_a_larger_count_holds_the_rows_of_a_smaller_one():
    from sklearn.base import BaseEstimator

    seen = []

    class Keeps(BaseEstimator):
        def fit(self, inputs, target):
            seen.append({round(x, 9) for x in inputs["x"]})
            return self

        def predict(self, inputs):
            return np.zeros(len(inputs))

    inputs, targets, code = case(evaluation=rows(40, 2))
    Refits(Keeps(), inputs, targets, code, 0).losses([0, 10, 90])
    none, some, every = seen
    assert none < some < every
    assert [len(fit) for fit in seen] == [60, 70, 150]


def test_an_estimator_that_cannot_predict_probabilities_is_refused():
    from sklearn.svm import LinearSVC

    inputs, targets, code = case("classification")
    with pytest.raises(ConfigError, match="LinearSVC has no 'predict_proba'") as caught:
        Refits(LinearSVC(), inputs, targets, code, 0).losses([0])
    assert caught.value.option == "estimator"


def test_an_estimator_that_cannot_take_the_columns_says_why():
    from sklearn.linear_model import Ridge

    inputs, targets, code = case()
    words = {side: frame.assign(z="word") for side, frame in inputs.items()}
    with pytest.raises(ConfigError, match=r"Ridge could not learn .*Pipeline"):
        Refits(Ridge(), words, targets, code, 0).losses([0])


def test_none_a_few_the_equivalents_and_all_are_proposed():
    counts = np.array([0, 5, 10, 20, 40, 80, 160])
    risks = np.array([2.0, 1.5, 1.0, 0.9, 1.0, 1.5, 2.0])
    wiggle = 0.2 * np.array([1.0, -1.0] * 4)
    losses = risks[:, None] + np.where(np.arange(7) == 3, 0, 1)[:, None] * wiggle
    decision = decide(risks, losses, "best")
    # Within a standard error of about 0.076 there is only the best one.
    assert proposed_counts(counts, decision, 40).tolist() == [0, 10, 20, 160]
    # Another metric may be best where the path sees nothing.
    wider = proposed_counts(counts, decision, 40, another_metric=True)
    assert wider.tolist() == [0, 10, 20, 40, 160]
    assert proposed_counts(counts[:1], decide(risks[:1], losses[:1], "best"), 40).tolist() == [0]


def test_boosting_knows_its_categories():
    inputs, targets, code = case()
    coded = {side: frame.assign(z=(frame.z > 0) * 1.0) for side, frame in inputs.items()}
    boosting = gradient_boosting("regression", [False, True])
    losses = Refits(boosting, coded, targets, code, 0).losses([0, 90])
    assert losses[1].mean() < losses[0].mean() < 1
