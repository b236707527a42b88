"""What the gate says of a distance that it can and of one that it cannot judge."""

from dataclasses import replace

import pytest
from scenario import good, rows

from synthmix_dagster.distance.measure import measure
from synthmix_dagster.gate import judge_conditional_gap, judge_gap


@pytest.fixture(scope="module")
def report():
    return measure(rows(150, seed=0), good(300), target="y", permutations=9)


def test_a_gap_within_its_threshold_passes_and_one_over_it_fails(report):
    over = replace(report, gap=0.51)
    assert judge_gap(report, 0.5).passed
    verdict = judge_gap(over, 0.5)
    assert not verdict.passed
    assert "0.510 is over the threshold 0.5" in verdict.sentence
    assert report.columns[0].column in verdict.sentence


def test_a_gap_that_is_not_a_number_fails(report):
    assert not judge_gap(replace(report, gap=float("nan")), 0.5).passed
    assert not judge_conditional_gap(replace(report, conditional_gap=float("nan")), 0.5).passed


def test_a_conditional_gap_passes_within_and_fails_over_its_threshold(report):
    passed = judge_conditional_gap(report, 0.5)
    assert passed.passed
    assert "real rows" in passed.sentence
    failed = judge_conditional_gap(replace(report, conditional_gap=0.6), 0.5)
    assert not failed.passed
    assert "other labels" in failed.sentence


def test_a_conditional_gap_that_was_not_measured_fails(report):
    missing = replace(report, conditional_gap=None, conditional_interval=None, overlap=None)
    assert "was not measured" in judge_conditional_gap(missing, 0.5).sentence
    assert not judge_conditional_gap(missing, 0.5).passed


def test_a_small_conditional_gap_of_inputs_that_do_not_overlap_fails(report):
    apart = judge_conditional_gap(replace(report, conditional_gap=0.0, overlap=0.12), 0.5)
    assert not apart.passed
    assert "cannot be judged: 12% of the real rows" in apart.sentence
