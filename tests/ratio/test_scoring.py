"""Scorers as judges: pseudo-values against closed forms, and the optimum of the rare class."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError
from synthmix_dagster.ratio.refits import Refits
from synthmix_dagster.ratio.scoring import GROUPS, JudgedFits, Score, Scorer
from synthmix_dagster.verbs.core import recommend_ratio


def profit(fit, inputs, labels):
    """What a campaign earns: a customer who leaves and is called is worth his bill."""
    called = fit.predict(inputs) == "leaves"
    worth = np.where(labels == "leaves", inputs["bill"], -1.0)
    return float(np.sum(worth[called]))


def customers(n, seed, rare=0.08):
    """Few customers leave; those with a high x rather than others."""
    rng = np.random.default_rng(seed)
    leaves = rng.random(n) < rare
    x = rng.normal(1.5 * leaves, 1.0)
    names = np.where(leaves, "leaves", "stays")
    return pd.DataFrame({"x": x, "bill": rng.uniform(1, 9, n), "y": names})


def prices(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame({"x": x, "y": 100 + 20 * x + rng.normal(0, 5, n)})


def scored(real, synthetic, estimator, scoring, counts=(0,), task="classification", **more):
    code = TargetCode.fit(real, "y", task)
    frames = {"real": real, "synthetic": synthetic}
    inputs = {name: frame.drop(columns="y") for name, frame in frames.items()}
    targets = {name: code.encode(frame, name) for name, frame in frames.items()}
    scorer = Scorer.of(scoring, code, real, **more)
    refits = Refits(estimator, inputs, targets, code, 0)
    return (*refits.scored(counts, scorer, inputs["real"]), scorer.score, refits)


def test_pseudo_values_of_a_mean_are_the_means_of_the_groups():
    from sklearn.linear_model import LinearRegression

    real, count = prices(4 * GROUPS, 0), [0, 40]
    risks, losses, score, refits = scored(
        real, prices(80, 1), LinearRegression(), "neg_mean_squared_error", count, "regression"
    )
    rows = refits.losses(count) * refits.code.scale**2
    np.testing.assert_allclose(risks, rows.mean(axis=1))
    assert losses.shape == (2, GROUPS)
    # Groups of one size: their mean is that of all, and each is a mean of four rows.
    np.testing.assert_allclose(losses.mean(axis=1), risks)
    order = np.random.default_rng(0).permutation(len(real))
    np.testing.assert_allclose(losses[0, 3], rows[0][order[3::GROUPS]].mean())
    assert score.label == "mean_squared_error in squared units of 'y', lower is better"


def test_a_score_is_that_of_cross_validation():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    real = customers(300, 0)
    risks, losses, score, refits = scored(real, real, LogisticRegression(), "roc_auc")
    folds = [(part.kept, part.at) for part in refits._parts()]
    fitted = cross_val_predict(
        LogisticRegression(), real[["x", "bill"]], real.y, cv=folds, method="predict_proba"
    )
    # The last class in sorted order is the positive one.
    assert -risks[0] == pytest.approx(roc_auc_score(real.y == "stays", fitted[:, 1]))
    assert score.shown(risks[0]) == -risks[0]
    assert score.label == "roc_auc with 'stays' as the positive class, higher is better"
    assert losses.shape == (1, GROUPS)


def test_the_standard_error_is_that_of_other_rows():
    """The jackknife against the spread of the area under the curve over fresh judging rows."""
    from scipy.stats import rankdata
    from sklearn.linear_model import LogisticRegression

    def area(fit, inputs, labels):
        ranks = rankdata(fit.predict_proba(inputs)[:, 0])[labels == "leaves"]
        few = len(ranks)
        return (ranks.mean() - (few + 1) / 2) / (len(labels) - few)

    fit = LogisticRegression().fit(customers(500, 0)[["x"]], customers(500, 0).y)
    areas, errors = [], []
    for seed in range(60):
        judges = customers(200, seed + 1, rare=0.3)
        code = TargetCode.fit(judges, "y", "classification")
        scorer = Scorer.of(area, code, judges)
        fits = JudgedFits([fit], [judges[["x"]]], [np.arange(200)], judges[["x"]])
        risk, losses = scorer.losses(fits, judges.y.to_numpy())
        areas.append(-risk)
        errors.append(losses.std(ddof=1) / np.sqrt(len(losses)))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.25)


@pytest.mark.parametrize("name", ["average_precision", "f1", "recall", "roc_auc", "neg_log_loss"])
def test_either_class_may_be_the_positive_one(name):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import get_scorer

    real = customers(200, 0, rare=0.3)
    code = TargetCode.fit(real, "y", "classification")
    inputs = real[["x", "bill"]]
    for positive in ("leaves", "stays"):
        scorer = Scorer.of(name, code, real, positive)
        labels = scorer.target(code.encode(real, "real"), code)
        assert np.array_equal(labels == 1, real.y == positive)
        fit = LogisticRegression().fit(inputs, labels)
        fits = JudgedFits([fit], [inputs], [np.arange(len(real))], inputs)
        risk, _ = scorer.losses(fits, labels)
        assert -risk == pytest.approx(get_scorer(name)(fit, inputs, labels))
        assert f"'{positive}' as the positive class" in scorer.score.label


def test_an_object_sees_labels_and_columns_as_they_are():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score, make_scorer
    from sklearn.model_selection import cross_val_predict

    real = customers(200, 0, rare=0.3)
    fit = LogisticRegression(class_weight="balanced")
    risks, _, score, refits = scored(real, real, fit, profit)
    folds = [(part.kept, part.at) for part in refits._parts()]
    fitted = cross_val_predict(fit, real[["x", "bill"]], real.y, cv=folds)
    worth = np.where(real.y == "leaves", real.bill, -1.0)
    assert -risks[0] == pytest.approx(worth[fitted == "leaves"].sum())
    assert score == Score("profit", True)
    by_metric = scored(real, real, fit, make_scorer(f1_score, pos_label="leaves"))
    assert -by_metric[0][0] == pytest.approx(f1_score(real.y, fitted, pos_label="leaves"))
    assert by_metric[2].name == "f1_score"


def test_an_object_may_be_named_by_its_module(tmp_path, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    (tmp_path / "earnings.py").write_text(
        "def hits(fit, inputs, labels):\n    return (fit.predict(inputs) == labels).mean()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    real = customers(100, 0, rare=0.3)
    named = scored(real, real, LogisticRegression(), "earnings:hits")
    assert named[0] == scored(real, real, LogisticRegression(), "accuracy")[0]
    assert named[2].name == "hits"


def test_a_rare_class_that_a_fold_lacks_is_scored():
    from sklearn.linear_model import LogisticRegression

    real = customers(60, 0).assign(y=["rare", "rare", *["common"] * 58])
    risks, losses, *_ = scored(real, real, LogisticRegression(), "neg_log_loss")
    assert np.isfinite(risks).all()
    assert np.isfinite(losses).all()


def test_decision_functions_are_enough():
    from sklearn.svm import LinearSVC

    real = customers(100, 0, rare=0.3)
    risks, *_ = scored(real, real, LinearSVC(), "roc_auc")
    assert -1 < risks[0] < -0.6


def test_what_cannot_be_scored_is_refused():
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.svm import LinearSVC

    real = customers(100, 0, rare=0.3)
    numbers = prices(60, 0)
    with pytest.raises(UnknownChoiceError, match="roc_auc"):
        scored(real, real, LogisticRegression(), "roc_auk")
    with pytest.raises(UnknownChoiceError):
        scored(real, real, LogisticRegression(), "neg_mean_absolute_error")
    with pytest.raises(UnknownChoiceError):
        scored(numbers, numbers, LinearRegression(), "accuracy", task="regression")
    with pytest.raises(ConfigError, match="cannot be imported"):
        scored(real, real, LogisticRegression(), "no_such_module:scorer")
    with pytest.raises(ConfigError, match="make_scorer"):
        scored(real, real, LogisticRegression(), 3)
    with pytest.raises(ConfigError, match="'gone' cannot be the positive class"):
        scored(real, real, LogisticRegression(), "f1", positive="gone")
    with pytest.raises(ConfigError, match="pos_label"):
        scored(real, real, LogisticRegression(), profit, positive="leaves")
    with pytest.raises(ConfigError, match="roc_auc cannot score"):
        scored(real.assign(y=[*"abc"] * 33 + ["a"]), real[:0].assign(y=""), LinearSVC(), "roc_auc")
    one = real.assign(y=["rare", *["common"] * 99])
    with pytest.raises(DataError, match="more rows of the rarest class"):
        scored(one, one, DummyClassifier(), "roc_auc")


# What is best for most rows is not best for the rare ones.


def oversampled(m, seed):
    """The right customers of either kind, half of whom leave."""
    return customers(m, seed, rare=0.5)


@pytest.fixture(scope="module")
def rare():
    return customers(250, 0), oversampled(1000, 1)


def by(rare, **options):
    return recommend_ratio(
        *rare,
        target="y",
        task="classification",
        ignore=["bill"],
        generator_saw_real=False,
        **options,
    )


def test_the_ratio_that_is_best_for_all_is_not_best_for_the_rare_class(rare):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import get_scorer

    fit = LogisticRegression()
    accurate = by(rare, estimator=fit, scoring="accuracy", rule="best")
    balanced = by(rare, estimator=fit, scoring="balanced_accuracy", rule="best")
    assert accurate.ratio < 0.3
    assert balanced.ratio > 0.5
    # The truth, on many other customers: what each advises is better by its own metric.
    real, synthetic = rare
    judges = customers(20_000, 9)
    found = {}
    for advice in (accurate, balanced):
        rows = synthetic.iloc[: round(advice.ratio * len(real))]
        trained = LogisticRegression().fit(
            pd.concat((real, rows))[["x"]], pd.concat((real, rows)).y
        )
        found[advice.score.name] = {
            name: get_scorer(name)(trained, judges[["x"]], judges.y)
            for name in ("accuracy", "balanced_accuracy")
        }
    assert found["accuracy"]["accuracy"] > found["balanced_accuracy"]["accuracy"] + 0.02
    by_balance = found["balanced_accuracy"]["balanced_accuracy"]
    assert by_balance > found["accuracy"]["balanced_accuracy"] + 0.05
    assert "balanced_accuracy" in balanced.reason
    assert balanced.metric.startswith("balanced_accuracy")
    assert balanced.shown["recommended"] > balanced.shown["none"] + 0.1
    assert type(balanced).from_dict(balanced.to_dict()) == balanced


def test_trees_take_a_score_by_the_class_that_matters(rare):
    found = by(rare, learner="trees", scoring="recall", positive_class="leaves", rule="best")
    assert found.ratio > 0
    assert "with 'leaves' as the positive class" in found.metric
    assert found.shown["none"] < found.shown["recommended"]


def test_balanced_classes_change_what_the_kernel_advises(rare):
    plain, balanced = by(rare, rule="path"), by(rare, class_weight="balanced")
    assert plain.ratio == 0
    assert balanced.ratio > 0.5
    assert balanced.rule == "path"
    assert balanced.metric == "Brier score, every class counted the same"


def test_the_balanced_risk_is_the_mean_over_classes(rare):
    """Against the risk of classes cut apart: weights of rows, and rows repeated, are the same."""
    from scipy.special import expit

    from synthmix_dagster.ratio.learners import sample_path
    from synthmix_dagster.ratio.sample import EncodedSample

    real, synthetic = rare
    few, many = real[real.y == "leaves"], real[real.y == "stays"]
    thinned = pd.concat((few, many[: 9 * len(few)]), ignore_index=True)
    judges = customers(40, 5, rare=0.5)
    code = TargetCode.fit(thinned, "y", "classification")
    repeated = pd.concat((*[few] * 9, many[: 9 * len(few)]), ignore_index=True)
    # The features are the same: none depends on how often a row is there.
    paths = []
    for rows, balanced in ((thinned, True), (repeated, False)):
        frames = {"real": rows, "synthetic": synthetic, "evaluation": judges}
        targets = {name: code.encode(frame, name) for name, frame in frames.items()}
        points = {
            name: np.stack([np.ones(len(frame)), expit(frame.x)], axis=1)
            for name, frame in frames.items()
        }
        sample = EncodedSample(frames, points, targets, None, code, balanced)
        paths.append(sample_path(sample, lambda at: at, [0]))
    weights = 0.5 / np.array([np.mean(judges.y == each) for each in judges.y])
    np.testing.assert_allclose(paths[0].losses[0], weights * paths[1].losses[0], rtol=1e-6)


def test_a_score_needs_fits_and_balance_needs_classes(rare):
    with pytest.raises(ConfigError, match="'kernel'") as caught:
        by(rare, scoring="roc_auc")
    assert caught.value.option == "scoring"
    with pytest.raises(ConfigError, match="is a number"):
        recommend_ratio(
            prices(50, 0), prices(50, 1), target="y", task="regression", class_weight="balanced"
        )
    with pytest.raises(ConfigError, match="no 'scoring'"):
        by(rare, positive_class="leaves")


def test_errors_in_units_of_the_target():
    advice = recommend_ratio(
        prices(40, 0),
        prices(300, 1),
        target="y",
        task="regression",
        learner="trees",
        scoring="neg_mean_absolute_error",
        generator_saw_real=False,
    )
    assert advice.metric == "mean_absolute_error in units of 'y', lower is better"
    assert 3 < advice.shown["recommended"] < advice.shown["none"] < 30
    assert "the predicted mean_absolute_error in units of 'y' is" in advice.reason
