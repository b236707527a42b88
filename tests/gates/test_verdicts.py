"""What the gate says of a distance that it can and of one that it cannot judge."""

from dataclasses import replace

import pytest
from measuring import measure
from scenario import good, rows

from synthmix_dagster.distance.classes import ClassShift
from synthmix_dagster.distance.classifier import ClassifierTest
from synthmix_dagster.gates.other_verdicts import (
    flat_curve_objection,
    judge_realised,
    judge_recommendation,
)
from synthmix_dagster.gates.threshold import Gate, Threshold
from synthmix_dagster.gates.verdicts import judge, judge_conditional_gap, judge_gap
from synthmix_dagster.release.manifest import Input, Manifest, Realised, RowIdentity
from synthmix_dagster.release.request import GeneratorRequest, Request
from synthmix_dagster.verbs.core import recommend_ratio

GAP = Gate("wasserstein_gap", Threshold("number", 0.5))
LABELS = Gate("conditional_gap", Threshold("number", 0.5))


@pytest.fixture(scope="module")
def report():
    return measure(rows(150, seed=0), good(300), target="y", permutations=9)


def test_a_gap_within_its_threshold_passes_and_one_over_it_fails(report):
    over = replace(report, gap=0.51)
    assert judge_gap(report, GAP).passed
    verdict = judge_gap(over, GAP)
    assert not verdict.passed
    assert "0.510 is over the threshold 0.5" in verdict.sentence
    assert report.columns[0].column in verdict.sentence


def test_a_gap_that_may_be_zero_has_no_shares(report):
    upper = replace(GAP, compare="upper")
    unsure = replace(report, gap=-0.1, interval=(-0.3, 0.8))
    sentence = judge_gap(unsure, upper).sentence
    assert "%" not in sentence.replace("95 %", "")
    assert "The gap itself may be zero" in sentence
    assert report.columns[0].column in sentence
    known = replace(report, gap=1.0, interval=(0.8, 1.2), gap_squared=1.0)
    parts = tuple(replace(column, part=0.5) for column in report.columns)
    assert "(25%)" in judge_gap(replace(known, columns=parts), upper).sentence


def test_a_gap_that_is_not_a_number_fails(report):
    assert not judge_gap(replace(report, gap=float("nan")), GAP).passed
    assert not judge_conditional_gap(replace(report, conditional_gap=float("nan")), LABELS).passed


def test_a_conditional_gap_passes_within_and_fails_over_its_threshold(report):
    passed = judge_conditional_gap(report, LABELS)
    assert passed.passed
    assert "real rows" in passed.sentence
    failed = judge_conditional_gap(replace(report, conditional_gap=0.6), LABELS)
    assert not failed.passed
    assert "similar rows carry different labels" in failed.sentence


def test_a_conditional_gap_that_was_not_measured_fails(report):
    missing = replace(report, conditional_gap=None, conditional_interval=None, overlap=None)
    assert "was not measured" in judge_conditional_gap(missing, LABELS).sentence
    assert not judge_conditional_gap(missing, LABELS).passed


def test_a_small_conditional_gap_of_inputs_that_do_not_overlap_fails(report):
    apart = judge_conditional_gap(replace(report, conditional_gap=0.0, overlap=0.12), LABELS)
    assert not apart.passed
    assert "cannot be judged: 12% of the real rows" in apart.sentence


@pytest.fixture(scope="module")
def advice():
    return recommend_ratio(rows(150, seed=0), good(300), target="y", task="regression")


def test_a_recommendation_whose_risk_may_not_decide_says_so(advice):
    untrusted = replace(advice.provenance, trusted=False)
    verdict = judge_recommendation(replace(advice, provenance=untrusted, reason="Seen."))
    assert not verdict.passed
    assert verdict.sentence == "Seen."


def test_a_curve_that_is_flat_or_has_not_turned_is_told(advice):
    flat = judge_recommendation(replace(advice, shape="flat"))
    assert not flat.passed
    # The check says what the advice says.
    assert flat.sentence.startswith(f"The risk curve is flat. {advice.reason}")
    # Who asked for the fewest rows has said what a flat curve is to mean.
    said = [
        {"rule": "smallest_equivalent"},
        {"flat_curve": "none"},
        {"flat_curve": "rows"},
    ]
    for choice in said:
        decided = replace(advice, shape="flat", **choice)
        assert judge_recommendation(decided).passed
        assert flat_curve_objection(decided) == ""
    objection = flat_curve_objection(replace(advice, shape="flat"))
    assert "Set 'flat_curve' to none or rows" in objection
    lowest = replace(advice.curve[-1], risk=0.0)
    falling = replace(advice, shape="decreasing", curve=(*advice.curve[:-1], lowest))
    assert "still falling" in judge_recommendation(falling).sentence
    # The fits decide where there are any.
    turned = replace(falling, refits=(replace(advice.curve[3], risk=0.1), advice.curve[0]))
    assert judge_recommendation(turned).passed


def manifest(real=10, synthetic=5, *, ratio=None, mode="rows", notes=(), due=5):
    rows = Input(10, "0" * 64, RowIdentity("content"), None, ())
    requested = {"synthetic": GeneratorRequest(0.5, due)}
    held = synthetic / real if ratio is None else ratio
    return Manifest(
        manifest_version=2,
        release_id="0" * 16,
        mix=Request(mode, 0.5, due, requested, 0, None, (), None, True, 1000),
        inputs={"real": rows, "synthetic": replace(rows, rows=80)},
        notes=tuple(notes),
        evidence={},
        realised=Realised(
            real + synthetic, real, synthetic, held, {"synthetic": synthetic}, {}, {}, {}, 0
        ),
        columns=(),
        shards=(),
        documents=(),
        libraries={},
    )


@pytest.mark.parametrize(
    ("found", "passed", "said"),
    [
        (manifest(), True, "exactly as recommended"),
        (manifest(synthetic=4), False, "5 synthetic rows, ratio 0.5000, were recommended"),
        (manifest(real=9), False, "where 10 real"),
        (manifest(synthetic=80, ratio=0.5, mode="weights"), True, "exactly as recommended"),
        (manifest(synthetic=80, ratio=0.4, mode="weights"), False, "were recommended"),
        (manifest(synthetic=3, due=3, notes=["a cap"]), True, "with a reason for fewer: a cap"),
        (manifest(synthetic=2, due=3, notes=["a cap"]), False, "3 synthetic rows"),
        (manifest(synthetic=7, due=7, notes=["a cap"]), False, "5 synthetic rows"),
    ],
)
def test_a_release_is_judged_by_what_it_holds(found, passed, said):
    verdict = judge_realised(0.5, found)
    assert verdict.passed == passed
    assert said in verdict.sentence


CLASSES = Gate("class_gap", Threshold("number", 0.2))
CLASSIFIER = Gate("classifier_accuracy", Threshold("number", 0.6))
DISTINCT = Gate("distinct_rows", Threshold("number", 0.5))


def shift(name="churned", gap=0.3, overlap=1.0):
    return ClassShift(name, gap, (gap - 0.1, gap + 0.1), 40, 80, overlap)


def test_the_worst_class_is_named_with_its_rows_and_interval(report):
    both = replace(report, classes=(shift(), shift("loyal", 0.05)))
    failed = judge(CLASSES, both)
    assert not failed.passed
    assert "class gap of 'churned' of 0.300 (interval 0.20 to 0.40" in failed.sentence
    assert "40 real and 80 synthetic rows" in failed.sentence
    assert judge(replace(CLASSES, threshold=Threshold("number", 0.35)), both).passed
    # By an end of its interval another class may be the worst.
    wide = replace(shift("loyal", 0.05), interval=(-0.6, 0.6))
    upper = judge(replace(CLASSES, compare="upper"), replace(both, classes=(shift(), wide)))
    assert "'loyal', 0.600" in upper.sentence
    lower = judge(replace(CLASSES, compare="lower"), replace(both, classes=(shift(), wide)))
    assert "'churned', 0.200" in lower.sentence
    assert lower.passed


def test_classes_that_were_not_compared_or_cannot_be_fail(report):
    assert "were not compared" in judge(CLASSES, report).sentence
    assert not judge(CLASSES, report).passed
    hidden = replace(report, classes=(shift(gap=0.0), shift("loyal", -0.1, overlap=0.1)))
    assert "cannot be judged (loyal)" in judge(CLASSES, hidden).sentence
    assert not judge(CLASSES, hidden).passed
    wrong = replace(report, classes=(shift(gap=float("nan")),))
    assert not judge(CLASSES, wrong).passed


def test_a_classifier_is_judged_by_its_accuracy(report):
    assert "No classifier was trained" in judge(CLASSIFIER, report).sentence
    assert not judge(CLASSIFIER, report).passed
    test = ClassifierTest(0.62, (0.58, 0.66), 0.001, 75, 150)
    failed = judge(CLASSIFIER, replace(report, classifier=test))
    assert not failed.passed
    assert "0.620 (95 % interval 0.58 to 0.66, p = 0.001, 75 real" in failed.sentence
    assert judge(replace(CLASSIFIER, compare="lower"), replace(report, classifier=test)).passed


@pytest.mark.parametrize(
    ("share", "passed"), [(0.6, True), (0.5, True), (0.4, False), (None, False)]
)
def test_distinct_rows_are_judged_by_their_share(report, share, passed):
    assert judge(DISTINCT, replace(report, distinct_share=share)).passed is passed
