"""Rules, intervals and shapes on paths made by hand."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.errors import UnknownChoiceError
from synthmix_dagster.ratio.decision import MATERIAL, decide
from synthmix_dagster.ratio.options import PathRule

#: Fluctuations of rows around a candidate's mean; their standard error is about 0.023.
WIGGLE = 0.1 * np.array([1.0, -1.0] * 10)


def candidates(risks, losses=None):
    """Candidates whose paired differences all have the same standard error."""
    risks = np.asarray(risks, dtype=float)
    if losses is None:
        # Odd candidates fluctuate one way and even ones not at all, except the best.
        best = int(np.argmin(risks))
        losses = (
            risks[:, None] + np.where(np.arange(len(risks)) == best, 0.0, 1.0)[:, None] * WIGGLE
        )
    return risks, np.asarray(losses)


U_SHAPED = [1.0, 0.72, 0.71, 0.70, 0.71, 0.72, 0.9]


@pytest.mark.parametrize(
    ("rule", "chosen"), [("largest_equivalent", 4), ("best", 3), ("smallest_equivalent", 1)]
)
def test_rules_choose_out_of_the_equivalent_candidates(rule, chosen):
    """The fifth is within half a standard error of the fourth, the sixth within a whole one."""
    decision = decide(*candidates(U_SHAPED), rule)
    assert decision.chosen == chosen
    assert (decision.low, decision.best, decision.high) == (1, 3, 5)
    assert decision.equivalent.tolist() == [False, True, True, True, True, True, False]


@pytest.mark.parametrize(
    ("risks", "shape"),
    [
        (U_SHAPED, "u-shaped"),
        ([1.0, 0.9, 0.8, 0.7], "decreasing"),
        ([0.7, 0.8, 0.9, 1.0], "increasing"),
        ([0.71, 0.70, 0.71], "flat"),
        ([1.0, 0.71, 0.70, 0.71], "decreasing"),
        ([0.71, 0.70, 0.71, 1.0], "increasing"),
        ([0.5], "flat"),
    ],
)
def test_the_shape_says_which_ends_are_as_good_as_the_best(risks, shape):
    assert decide(*candidates(risks), "best").shape == shape


def test_standard_errors_are_those_of_paired_differences():
    losses = np.array([[1.0, 2.0, 3.0], [0.5, 2.5, 1.5], [1.0, 1.0, 1.0]])
    decision = decide(losses.mean(axis=1), losses, "best")
    # Against the third: (0, 1, 2) and (-0.5, 1.5, 0.5), with variances 1 and 1.
    assert decision.best == 2
    assert decision.excess_errors == pytest.approx([1 / np.sqrt(3), 1 / np.sqrt(3), 0.0])
    # Excess 1.0 and 0.5 against an error of 0.577.
    assert decision.equivalent.tolist() == [False, True, True]


def test_what_all_candidates_find_hard_cancels():
    hard = np.array([0.0, 50.0, 1.0, 3.0])
    losses = np.stack([hard + 0.1, hard])
    decision = decide(losses.mean(axis=1), losses, "largest_equivalent")
    assert decision.equivalent.tolist() == [False, True]


def test_equivalence_is_about_risks_not_losses():
    # The losses agree; the second candidate pays for subsampling.
    losses = np.stack([1 + WIGGLE, 1 + WIGGLE])
    decision = decide(np.array([1.0, 1.1]), losses, "largest_equivalent")
    assert decision.chosen == 0


@settings(max_examples=100)
@given(count=st.integers(1, 12), judged=st.integers(2, 30), seed=st.integers(0, 9999))
def test_the_interval_holds_the_best_and_every_choice(count, judged, seed):
    losses = np.random.default_rng(seed).gamma(1.0, size=(count, judged))
    risks = losses.mean(axis=1)
    decisions = {rule: decide(risks, losses, rule) for rule in get_args(PathRule)}
    one = decisions["best"]
    assert one.chosen == one.best == np.argmin(risks)
    assert decisions["smallest_equivalent"].chosen == one.low
    assert one.best <= decisions["largest_equivalent"].chosen <= one.high
    assert decisions["path"].chosen == decisions["largest_equivalent"].chosen
    assert one.low <= one.best <= one.high
    assert one.equivalent[[one.low, one.best, one.high]].all()
    assert not one.equivalent[: one.low].any()
    assert not one.equivalent[one.high + 1 :].any()


def test_what_another_judge_recommends_is_taken_where_it_is_equivalent():
    # The sixth is equivalent but beyond the reach of the rule, the last is not equivalent.
    for favoured, chosen in ((5, 5), (6, 4), (1, 4), (None, 4)):
        found = decide(*candidates(U_SHAPED), "largest_equivalent", favoured=favoured)
        assert found.chosen == chosen
    assert decide(*candidates(U_SHAPED), "best", favoured=5).chosen == 3


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(UnknownChoiceError, match="Did you mean 'largest_equivalent'"):
        decide(*candidates(U_SHAPED), "largest_equivalant")


def test_a_break_among_the_equivalents_is_known():
    """Both ends are within their error of the best; what lies before it is known to be apart."""
    risks = np.array([1.01, 1.5, 1.4, 1.0, 1.005])
    rng = np.random.default_rng(0)
    losses = risks[:, None] + rng.normal(0, 0.3, size=(5, 400))
    found = decide(risks, losses, "largest_equivalent")
    assert (found.low, found.high, found.chosen) == (0, 4, 4)
    assert found.equivalent.tolist() == [True, False, False, True, True]
    assert not found.unbroken


RISKS = st.lists(st.floats(0.1, 2.0), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(RISKS, st.sampled_from(get_args(PathRule)), st.integers(0, 7))
def test_rows_are_chosen_only_where_they_lower_the_risk(risks, rule, favoured):
    decision = decide(*candidates(risks), rule, favoured=favoured % len(risks))
    assert decision.chosen == 0 or risks[decision.chosen] < risks[0] * (1 - MATERIAL)


def test_what_prints_as_no_difference_is_none():
    """Within half a standard error, but not lower by a tenth of a per cent."""
    risks = [1.0, 0.9995, 1.002]
    assert decide(*candidates(risks), "path").chosen == 0
    assert decide(*candidates([1.0, 0.998, 1.002]), "path").chosen == 1
    assert decide(*candidates([1.0, 0.998, 1.002]), "path", favoured=2).chosen == 1


def test_a_score_is_lowered_by_its_size():
    """A risk that is a score times -1 is negative."""
    assert decide(*candidates([-0.8, -0.8004, -0.7]), "best").chosen == 0
    assert decide(*candidates([-0.8, -0.81, -0.7]), "best").chosen == 1
