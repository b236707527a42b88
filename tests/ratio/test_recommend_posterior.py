"""The posterior rule from two datasets to an answer: what it uses, shows and leaves to others."""

import json

import numpy as np
import pytest
from scenario import good, rows

from synthmix_dagster import recommend_ratio
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.evidence import Evidence
from synthmix_dagster.ratio.experience import Case, learn_experience, shipped_experience
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.posterior import KNOTS
from synthmix_dagster.ratio.recommend import recommend
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.refits import boosting_refits
from synthmix_dagster.ratio.sample import EncodedSample


def ask(real, synthetic, **options):
    return recommend_ratio(real, synthetic, target="y", task="regression", **options)


@pytest.fixture(scope="module")
def real():
    return rows(100, seed=0)


@pytest.fixture(scope="module")
def advice(real):
    return ask(real, good())


def test_it_is_the_default_of_the_kernel_learner(advice, real):
    assert advice.rule == "posterior"
    assert advice == ask(real, good(), rule="posterior")
    assert advice.experience.datasets == len(shipped_experience().datasets)


def test_learners_of_which_nothing_was_learned_use_the_path(real):
    by_default = ask(real, good(), learner="linear")
    assert by_default.rule == "path"
    assert by_default.experience is None
    assert by_default == ask(real, good(), learner="linear", rule="path")


@pytest.fixture(scope="module")
def of_trees(real):
    """Fits at none, a tenth and a quarter as many rows."""
    options = RatioOptions(learner="trees", max_ratio=0.25)
    code = TargetCode.fit(real, "y", "regression")
    return recommend(real, good(), code=code, gap=0.1, options=options)


def test_trees_are_fitted_where_others_know_them_and_decided_by_both(of_trees, real):
    assert (of_trees.rule, of_trees.refits) == ("posterior", ())
    assert of_trees.experience.digest == shipped_experience("trees").digest
    lowest = min(of_trees.curve, key=lambda point: point.risk)
    assert of_trees.ratio == lowest.ratio
    frames = {"real": real, "synthetic": good()}
    sample = EncodedSample.encode(frames, TargetCode.fit(real, "y", "regression"))
    measured = boosting_refits(sample, seed=0).losses(np.array([0, 10, 25])).mean(axis=1)
    alone = {
        point.rows: risk
        for point, risk in zip(of_trees.curve, of_trees.experience.path_risks, strict=True)
    }
    np.testing.assert_allclose([alone[count] for count in (0, 10, 25)], measured)


def test_what_was_learned_of_one_learner_is_refused_for_another(real):
    for learner, other in (("trees", "kernel"), ("kernel", "trees")):
        with pytest.raises(ConfigError, match=f"learned of '{other}', and the learner") as caught:
            ask(real, good(), learner=learner, experience=shipped_experience(other))
        assert f"--learner {learner}" in str(caught.value)


def test_the_path_alone_is_there_to_compare_with(advice, real):
    path = ask(real, good(), rule="path")
    earlier = ask(real, good(), rule="largest_equivalent")
    assert path.experience is None
    assert (path.ratio, path.curve) == (earlier.ratio, earlier.curve)
    assert not any("experience" in note for note in path.notes)
    assert any("experience" in note for note in advice.notes)


def test_the_answer_is_the_lowest_point_of_its_curve(advice):
    lowest = min(advice.curve, key=lambda point: point.risk)
    assert advice.ratio == lowest.ratio
    assert advice.interval[0] <= advice.ratio <= advice.interval[1]
    inside = [p.ratio for p in advice.curve if p.equivalent]
    assert (inside[0], inside[-1]) == advice.interval
    assert advice.baselines["none"] == advice.curve[0].risk == advice.experience.path_risks[0]
    assert advice.resampled[0] <= advice.ratio <= advice.resampled[1]


def test_the_reason_says_chance_and_size_and_the_note_what_others_did(advice):
    assert "lower than with none, and the probability that it is lower at all" in advice.reason
    assert "nine of ten cases on other datasets" in advice.reason
    note = next(note for note in advice.notes if "these rows alone" in note)
    for words in (f"{advice.experience.datasets} datasets", "version", "above that at the best"):
        assert words in note


def test_harm_is_refused(real):
    rng = np.random.default_rng(0)
    shuffled = good().assign(y=lambda frame: rng.permutation(frame.y))
    found = ask(real, shuffled)
    assert found.ratio == 0
    assert found.interval[1] <= 0.25
    assert "Use no synthetic rows" in found.reason
    assert found.experience.probability_of_help < 0.5


def test_what_may_not_decide_does_not_decide(real):
    found = ask(real, good(), generator_saw_real=True)
    assert found.ratio == 0
    assert not any("these rows alone" in note for note in found.notes)


@pytest.mark.parametrize("max_ratio", [0, 0.05, 0.7, 3.3])
def test_the_highest_ratio_is_respected(max_ratio, real):
    found = ask(real, good(), max_ratio=max_ratio)
    assert found.ratio <= max_ratio
    assert found.curve[-1].ratio == pytest.approx(max_ratio, abs=0.01)


def test_evaluation_rows_judge_by_the_same_rule(real):
    found = ask(real, good(), evaluation=rows(400, seed=9))
    assert (found.rule, found.provenance.judged) == ("posterior", "evaluation")
    assert found.ratio > 0


def test_it_survives_json(advice):
    again = Recommendation.from_dict(json.loads(json.dumps(advice.to_dict())))
    assert again == advice
    stored = advice.to_dict()
    del stored["experience"]
    assert Recommendation.from_dict(stored).experience is None


def test_a_team_whose_generators_hurt_is_advised_by_its_own_experience(advice, real):
    """Path and truth far apart on its own datasets, and rows that always hurt there."""
    rng, knots, cases = np.random.default_rng(0), np.array(KNOTS), []
    for i in range(200):
        truth = (0.6 + 0.1 * rng.normal()) * np.log1p(knots)
        wrong = truth + rng.normal() * np.log1p(knots)
        evidence = Evidence(knots, wrong, np.zeros((len(knots), len(knots))))
        cases.append(Case(f"team {i}", "ours", 100, evidence, truth))
    found = ask(real, good(), experience=learn_experience(cases, base=shipped_experience()))
    assert found.ratio < advice.ratio
    assert found.experience.datasets == advice.experience.datasets + 200
