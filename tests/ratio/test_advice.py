"""What is advised, said and checked agree, on curves of every shape."""

import numpy as np
import pytest

from synthmix_dagster.ratio.decision import EQUIVALENT, decide
from synthmix_dagster.ratio.judged import Judged
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.scoring import Score
from synthmix_dagster.ratio.wording import reason_of

TRUSTED = Provenance("evaluation", True, "Judged by others.")
COUNTS = np.array([0, 50, 100, 200])


def judged(risks, *, spread=0.02, score=None, rule="path"):
    """Candidates whose differences to the best have a standard error of about `spread`."""
    risks = np.array(risks)
    signs = np.array([1.0, -1.0] * 50)
    spreads = np.where(risks == risks.min(), 0.0, spread * np.sqrt(99))
    losses = risks[:, None] + spreads[:, None] * signs
    return Judged(100, COUNTS, risks, losses, decide(risks, losses, rule), score=score)


def said(found):
    return reason_of(found, found.decision.chosen, TRUSTED)


def test_a_gain_beyond_chance_is_advised():
    found = judged([1.0, 0.9, 0.8, 0.79])
    assert said(found) == (
        "Add 2.00 synthetic rows for each real one: the predicted error is 21.0% lower than with "
        f"none; ratios 1.00\N{EN DASH}2.00 are within {EQUIVALENT:g} standard errors of the best."
    )


def test_a_flat_curve_says_so_and_names_the_cheaper_choice():
    found = judged([1.0, 0.99, 0.995, 1.01])
    assert found.decision.shape == "flat"
    sentence = said(found)
    assert sentence.startswith("Synthetic rows make no measurable difference: ratios 0.00")
    assert "none is the cheaper choice ('flat_curve: none')" in sentence
    assert "If they cost nothing, add 1.00 for each real one ('flat_curve: rows')" in sentence
    assert "0.5% lower than with none" in sentence


@pytest.mark.parametrize("shape", ["flat", "increasing"])
def test_what_is_set_for_a_flat_curve_is_the_advice(shape):
    found = judged([1.0, 0.99, 0.995, 1.01 if shape == "flat" else 1.5])
    assert found.decision.shape == shape
    assert not found.measurable
    rows = reason_of(found, found.decision.chosen, TRUSTED, "rows")
    assert rows.startswith("Add 1.00 synthetic rows for each real one, as set for a flat curve: ")
    none = reason_of(found, 0, TRUSTED, "none")
    assert none.startswith("Use no synthetic rows, the cheaper choice and the one that is set: ")


def test_the_cheaper_choice_is_taken_where_it_was_asked_for():
    found = judged([1.0, 0.99, 0.995, 1.01], rule="smallest_equivalent")
    assert found.rows == 0
    assert said(found).startswith("Use no synthetic rows, the cheaper choice: they make no ")


def test_harm_is_not_advised_and_never_called_higher():
    found = judged([0.8, 0.8, 0.81, 1.0])
    assert found.rows == 0
    assert said(found).startswith(
        "Use no synthetic rows: no amount is predicted to lower the error by 0.1% or more (ratios"
    )


@pytest.mark.parametrize("higher", [True, False])
def test_a_score_is_told_in_its_own_direction_and_unit(higher):
    score = Score("roc_auc" if higher else "log_loss", higher, "of it")
    risks = [-0.8, -0.85, -0.9, -0.91] if higher else [0.9, 0.85, 0.8, 0.79]
    sentence = said(judged(risks, spread=0.001, score=score))
    values = "0.91, against 0.8" if higher else "0.79, against 0.9"
    assert f"the predicted {score.name} of it is {values} with none" in sentence


def test_resamples_obey_the_same_rule():
    found = judged([1.0, 1.0, 1.0, 1.0])
    assert found.resampled(RatioOptions(rule="path")) == (0.0, 0.0)
